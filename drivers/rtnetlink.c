/* One question, one answer: requests are acknowledged before the next one goes out. */
#include "drivers/rtnetlink.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER 16384 /* a link's description may take some kilobytes */

struct rtnetlink {
	struct mnl_socket *socket;
	uint32_t sequence;
	_Alignas(struct nlmsghdr) char buffer[BUFFER];
};

_Static_assert(LINK_NAME_MAX == IFNAMSIZ, "interface names");

int
rtnetlink_open(struct rtnetlink **out)
{
	struct rtnetlink *r = calloc(1, sizeof *r);
	int e;

	if (!r)
		return -ENOMEM;
	r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (r->socket && mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) == 0) {
		*out = r;
		return 0;
	}
	e = -errno;
	rtnetlink_close(r);
	return e;
}

void
rtnetlink_close(struct rtnetlink *r)
{
	if (!r)
		return;
	if (r->socket)
		mnl_socket_close(r->socket);
	free(r);
}

/* ---- asking -------------------------------------------------------------------------- */

static struct nlmsghdr *
request(struct rtnetlink *r, uint16_t type, uint16_t flags, size_t header, void **body)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(r->buffer);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++r->sequence;
	*body = mnl_nlmsg_put_extra_header(h, header);
	return h;
}

/* Sends and reads to the end of the answer. The answer takes the request's place in the buffer. */
static int
ask(struct rtnetlink *r, const struct nlmsghdr *h, mnl_cb_t each, void *context)
{
	uint32_t port = mnl_socket_get_portid(r->socket);

	if (mnl_socket_sendto(r->socket, h, h->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(r->socket, r->buffer, sizeof r->buffer);
		int more;

		if (n < 0)
			return -errno;
		more = mnl_cb_run(r->buffer, (size_t)n, r->sequence, port, each, context);
		if (more < 0)
			return -errno;
		if (more == MNL_CB_STOP)
			return 0;
	}
}

static int
order(struct rtnetlink *r, const struct nlmsghdr *h)
{
	return ask(r, h, NULL, NULL);
}

/* ---- links --------------------------------------------------------------------------- */

struct link_walk {
	void (*each)(void *context, const struct link_info *link);
	void *context;
};

static int
link_read(const struct nlmsghdr *h, void *walk)
{
	const struct link_walk *w = walk;
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	struct link_info link = {.index = i->ifi_index};
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof *i)
	{
		uint16_t size = mnl_attr_get_payload_len(a);

		if (mnl_attr_get_type(a) == IFLA_IFNAME && size <= sizeof link.name)
			memcpy(link.name, mnl_attr_get_payload(a), size);
		if (mnl_attr_get_type(a) == IFLA_IFALIAS && size < sizeof link.alias)
			memcpy(link.alias, mnl_attr_get_payload(a), size);
	}
	link.name[sizeof link.name - 1] = '\0';
	w->each(w->context, &link);
	return MNL_CB_OK;
}

static void
link_keep(void *out, const struct link_info *link)
{
	*(struct link_info *)out = *link;
}

int
link_find(struct rtnetlink *r, const char *name, struct link_info *out)
{
	struct link_walk w = {link_keep, out};
	struct nlmsghdr *h;
	void *body;

	h = request(r, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg), &body);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	return ask(r, h, link_read, &w);
}

int
link_each(struct rtnetlink *r, void (*each)(void *context, const struct link_info *link), void *context)
{
	struct link_walk w = {each, context};
	struct nlmsghdr *h;
	void *body;

	h = request(r, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg), &body);
	return ask(r, h, link_read, &w);
}

/* flags that are to be set, others stay */
static struct nlmsghdr *
link_request(struct rtnetlink *r, int index, uint16_t type, unsigned flags)
{
	struct ifinfomsg *i;
	struct nlmsghdr *h;
	void *body;

	h = request(r, type, NLM_F_ACK, sizeof *i, &body);
	i = body;
	i->ifi_index = index;
	i->ifi_flags = i->ifi_change = flags;
	return h;
}

int
link_alias_set(struct rtnetlink *r, int index, const char *alias)
{
	struct nlmsghdr *h = link_request(r, index, RTM_NEWLINK, 0);

	mnl_attr_put(h, IFLA_IFALIAS, strlen(alias), alias);
	return order(r, h);
}

int
link_ethernet_set(struct rtnetlink *r, int index, const struct mac_addr *mac, uint16_t mtu, uint32_t queue)
{
	struct nlmsghdr *h = link_request(r, index, RTM_NEWLINK, IFF_NOARP);

	mnl_attr_put(h, IFLA_ADDRESS, sizeof mac->b, mac->b);
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	mnl_attr_put_u32(h, IFLA_TXQLEN, queue);
	return order(r, h);
}

int
link_up(struct rtnetlink *r, int index)
{
	return order(r, link_request(r, index, RTM_NEWLINK, IFF_UP));
}

int
link_delete(struct rtnetlink *r, int index)
{
	return order(r, link_request(r, index, RTM_DELLINK, 0));
}

/* ---- addresses ------------------------------------------------------------------------- */

static uint8_t
family_of(uint8_t family)
{
	return family == IP_V6 ? AF_INET6 : AF_INET;
}

static size_t
address_size(const struct ip_addr *a)
{
	return a->family == IP_V6 ? 16 : 4;
}

static int
address_order(struct rtnetlink *r, uint16_t type, uint16_t flags, int index, const struct ip_addr *a, uint8_t len)
{
	struct ifaddrmsg *m;
	struct nlmsghdr *h;
	void *body;

	h = request(r, type, (uint16_t)(NLM_F_ACK | flags), sizeof *m, &body);
	m = body;
	m->ifa_family = family_of(a->family);
	m->ifa_prefixlen = len;
	m->ifa_index = (uint32_t)index;
	if (a->family == IP_V6)
		m->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(h, IFA_LOCAL, address_size(a), a->b);
	mnl_attr_put(h, IFA_ADDRESS, address_size(a), a->b);
	return order(r, h);
}

int
link_address_add(struct rtnetlink *r, int index, const struct ip_addr *a, uint8_t len)
{
	return address_order(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, a, len);
}

int
link_address_delete(struct rtnetlink *r, int index, const struct ip_addr *a, uint8_t len)
{
	return address_order(r, RTM_DELADDR, 0, index, a, len);
}

struct address_walk {
	int index;
	void (*each)(void *context, const struct ip_addr *a, uint8_t len);
	void *context;
};

static int
address_read(const struct nlmsghdr *h, void *walk)
{
	const struct address_walk *w = walk;
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct ip_addr address = {.family = m->ifa_family == AF_INET6 ? IP_V6 : IP_V4};
	bool found = false;
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWADDR || (int)m->ifa_index != w->index)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof *m)
	{
		uint16_t type = mnl_attr_get_type(a);

		/* IPv4 names the peer's address, too; IPv6 has no other than this one */
		if ((type != IFA_LOCAL && !(type == IFA_ADDRESS && !found)) ||
			mnl_attr_get_payload_len(a) != address_size(&address))
			continue;
		memcpy(address.b, mnl_attr_get_payload(a), address_size(&address));
		found = true;
	}
	if (found)
		w->each(w->context, &address, m->ifa_prefixlen);
	return MNL_CB_OK;
}

int
link_address_each(struct rtnetlink *r, int index, void (*each)(void *context, const struct ip_addr *a, uint8_t len),
	void *context)
{
	struct address_walk w = {index, each, context};
	struct nlmsghdr *h;
	void *body;

	h = request(r, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg), &body);
	return ask(r, h, address_read, &w);
}

/* ---- routes ----------------------------------------------------------------------------- */

static struct nlmsghdr *
route_request(struct rtnetlink *r, uint16_t type, uint16_t flags, int index, uint8_t family, uint32_t metric,
	struct rtmsg **m)
{
	struct nlmsghdr *h;
	void *body;

	h = request(r, type, (uint16_t)(NLM_F_ACK | flags), sizeof **m, &body);
	*m = body;
	(*m)->rtm_family = family_of(family);
	(*m)->rtm_table = RT_TABLE_MAIN;
	mnl_attr_put_u32(h, RTA_OIF, (uint32_t)index);
	mnl_attr_put_u32(h, RTA_PRIORITY, metric);
	return h;
}

int
link_default_route_set(struct rtnetlink *r, int index, const struct ip_addr *gateway, uint32_t metric)
{
	static const uint8_t unspecified[sizeof gateway->b];
	bool on_link = memcmp(gateway->b, unspecified, sizeof unspecified) == 0;
	struct rtmsg *m;
	struct nlmsghdr *h =
		route_request(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, index, gateway->family, metric, &m);

	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	if (!on_link) {
		m->rtm_flags = RTNH_F_ONLINK;
		mnl_attr_put(h, RTA_GATEWAY, address_size(gateway), gateway->b);
	}
	return order(r, h);
}

int
link_default_route_delete(struct rtnetlink *r, int index, uint8_t family, uint32_t metric)
{
	struct rtmsg *m;
	struct nlmsghdr *h = route_request(r, RTM_DELROUTE, 0, index, family, metric, &m);
	int e;

	m->rtm_scope = RT_SCOPE_NOWHERE;
	e = order(r, h);
	return e == -ESRCH ? 0 : e;
}

static int
host_route(struct rtnetlink *r, uint16_t type, uint16_t flags, int index, const struct ip_addr *host)
{
	struct rtmsg *m;
	struct nlmsghdr *h = route_request(r, type, flags, index, host->family, 0, &m);

	m->rtm_dst_len = address_bits(host);
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put(h, RTA_DST, address_size(host), host->b);
	return order(r, h);
}

int
link_host_route_set(struct rtnetlink *r, int index, const struct ip_addr *host)
{
	return host_route(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, index, host);
}

int
link_host_route_delete(struct rtnetlink *r, int index, const struct ip_addr *host)
{
	int e = host_route(r, RTM_DELROUTE, 0, index, host);

	return e == -ESRCH ? 0 : e;
}
