/* Changes and the dump have a socket each: a dump's parts are read when control has time for them. */
#include "drivers/route_monitor.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BUFFER 65536
#define QUEUE (64 << 20)  /* bytes of the kernel's queue of changes: some 300,000 of them */
#define PARTS_PER_TURN 16 /* datagrams read at a time: a few milliseconds of work at most */

enum dump { DUMP_NONE, DUMP_V4, DUMP_V6 };

struct route_monitor {
	struct route_monitor_events events;
	struct mnl_socket *changes, *dump;
	enum dump dumping;
	bool again; /* something was lost, or went without a word: one more dump behind this one */
	uint32_t sequence;
	uint64_t overruns;
	_Alignas(struct nlmsghdr) char buffer[BUFFER];
};

static int
socket_make(struct mnl_socket **out)
{
	*out = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return *out && mnl_socket_bind(*out, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
}

static int
groups_join(struct mnl_socket *s)
{
	static const int group[] = {
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};

	for (size_t i = 0; i < sizeof group / sizeof *group; i++) {
		int g = group[i];

		if (mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &g, sizeof g) != 0)
			return -errno;
	}
	return 0;
}

/* ---- dumps ------------------------------------------------------------------------------ */

static int
dump_ask(struct route_monitor *m, enum dump what)
{
	_Alignas(struct nlmsghdr) char request[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(request);
	struct rtmsg *r;

	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++m->sequence;
	r = mnl_nlmsg_put_extra_header(h, sizeof *r);
	r->rtm_family = what == DUMP_V6 ? AF_INET6 : AF_INET;
	r->rtm_table = RT_TABLE_MAIN;
	mnl_attr_put_u32(h, RTA_TABLE, RT_TABLE_MAIN);
	m->dumping = what;
	return mnl_socket_sendto(m->dump, h, h->nlmsg_len) < 0 ? -errno : 0;
}

static int
dump_begin(struct route_monitor *m)
{
	if (m->dumping != DUMP_NONE) {
		m->again = true;
		return 0;
	}
	m->again = false;
	m->events.dump_begins(m->events.context);
	return dump_ask(m, DUMP_V4);
}

static int
dump_part_ends(struct route_monitor *m)
{
	if (m->dumping == DUMP_V4)
		return dump_ask(m, DUMP_V6);
	m->dumping = DUMP_NONE;
	m->events.dump_ends(m->events.context);
	return m->again ? dump_begin(m) : 0;
}

/* ---- messages ---------------------------------------------------------------------------- */

static int
dump_message(struct route_monitor *m, const struct nlmsghdr *h)
{
	struct route_info r;

	if (h->nlmsg_seq != m->sequence)
		return 0;
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		m->again = true;
	if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
		return dump_part_ends(m); /* an error: no such family here */
	if (h->nlmsg_type == RTM_NEWROUTE && route_message_read(h, h->nlmsg_len, &r))
		m->events.dumped(m->events.context, &r);
	return 0;
}

static int
change_message(struct route_monitor *m, const struct nlmsghdr *h)
{
	struct route_info r;

	if (h->nlmsg_type != RTM_NEWROUTE && h->nlmsg_type != RTM_DELROUTE)
		return dump_begin(m);
	if (route_message_read(h, h->nlmsg_len, &r))
		m->events.changed(m->events.context, &r, h->nlmsg_type == RTM_DELROUTE);
	return 0;
}

/* Positive: there was something. */
static int
part_read(
	struct route_monitor *m, struct mnl_socket *s, int (*message)(struct route_monitor *, const struct nlmsghdr *))
{
	ssize_t n = mnl_socket_recvfrom(s, m->buffer, sizeof m->buffer);
	const struct nlmsghdr *h = (const void *)m->buffer;
	int left = (int)n, r = 0;

	if (n < 0 && errno == ENOBUFS) {
		m->overruns++;
		r = dump_begin(m);
		return r != 0 ? r : 1;
	}
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (; r == 0 && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		r = message(m, h);
	return r != 0 ? r : 1;
}

static int
socket_read(
	struct route_monitor *m, struct mnl_socket *s, int (*message)(struct route_monitor *, const struct nlmsghdr *))
{
	int r = 1;

	for (int i = 0; i < PARTS_PER_TURN && r > 0; i++)
		r = part_read(m, s, message);
	return r < 0 ? r : 0;
}

int
route_monitor_read(struct route_monitor *m)
{
	int r = socket_read(m, m->changes, change_message);

	return r != 0 ? r : socket_read(m, m->dump, dump_message);
}

/* ---- life -------------------------------------------------------------------------------- */

int
route_monitor_open(const struct route_monitor_events *events, struct route_monitor **out)
{
	struct route_monitor *m = calloc(1, sizeof *m);
	int queue = QUEUE, on = 1, r;

	if (!m)
		return -ENOMEM;
	m->events = *events;
	r = socket_make(&m->changes);
	if (r == 0)
		r = socket_make(&m->dump);
	if (r == 0 && setsockopt(mnl_socket_get_fd(m->changes), SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof queue) != 0)
		r = -errno;
	if (r == 0)
		r = groups_join(m->changes);
	if (r == 0) /* the main table alone; a kernel that does not know it sends all, and we choose */
		mnl_socket_setsockopt(m->dump, NETLINK_GET_STRICT_CHK, &on, sizeof on);
	if (r == 0)
		r = dump_begin(m);
	if (r != 0) {
		route_monitor_close(m);
		return r;
	}
	*out = m;
	return 0;
}

void
route_monitor_close(struct route_monitor *m)
{
	if (!m)
		return;
	if (m->changes)
		mnl_socket_close(m->changes);
	if (m->dump)
		mnl_socket_close(m->dump);
	free(m);
}

int
route_monitor_changes_fd(const struct route_monitor *m)
{
	return mnl_socket_get_fd(m->changes);
}

int
route_monitor_dump_fd(const struct route_monitor *m)
{
	return mnl_socket_get_fd(m->dump);
}

uint64_t
route_monitor_overruns(const struct route_monitor *m)
{
	return m->overruns;
}
