/* Which link a daemon's packet leaves by is told by its source address, not by the TAP it came out of: the kernel
 * routes by the destination alone, and with two uplinks it would choose the wrong one for half of the peers.
 *
 * While the worker is behind with what was sent before, frames stay in the kernel's queue; the loop comes back for
 * them.
 *
 * A namespace that was there already is the operator's, or left by a predecessor that was killed: that one says so in
 * the alias of its loopback interface, and is removed at the end as if it had been made here.
 */
#include "control/local_net.h"

#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define ETHERNET_HEADER 14
#define FRAME_MAX 16384
#define FRAMES_PER_TURN 64 /* of one interface; the rest waits in the kernel's queue for the next round */
#define LOOPBACK 1         /* index of the first link of any namespace */
#define NAME_TURNS 16
#define GOODBYES_NS 2000000000ull /* for daemons whose last connection went, and their peers' answers */

struct local_net {
	struct loop *loop;
	struct dataplane *dp;
	struct local_traits is;
	struct network_namespace ns; /* fd < 0: none */
	bool ours;                   /* made by this appliance */
	struct rtnetlink *kernel;    /* of the namespace */
	struct local_tap *tap;       /* is.links_max of them */
	bool held;                   /* what is for IKE */
	uint64_t idle_ns;            /* nobody needs the links from then on; 0: they are needed */
	uint8_t frame[FRAME_MAX];
};

struct local_net *
local_net_create(struct loop *loop, struct dataplane *dp, const struct local_traits *traits)
{
	struct local_net *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->loop = loop;
	l->dp = dp;
	l->is = *traits;
	l->ns.fd = -1;
	l->tap = calloc(l->is.links_max, sizeof *l->tap);
	if (!l->tap) {
		free(l);
		return NULL;
	}
	for (uint32_t i = 0; i < l->is.links_max; i++)
		l->tap[i].source.fd = -1;
	return l;
}

const char *
local_net_name(const struct local_net *l)
{
	return l && l->ns.fd >= 0 ? l->ns.name : NULL;
}

int
local_net_fd(const struct local_net *l)
{
	return l ? l->ns.fd : -1;
}

const struct local_tap *
local_net_tap(const struct local_net *l, uint32_t n)
{
	for (uint32_t i = 0; i < l->is.links_max; i++)
		if (l->tap[i].source.fd >= 0 && n-- == 0)
			return &l->tap[i];
	return NULL;
}

const struct local_tap *
local_net_tap_of(const struct local_net *l, uint16_t iface)
{
	for (uint32_t i = 0; i < l->is.links_max; i++)
		if (l->tap[i].source.fd >= 0 && l->tap[i].iface == iface)
			return &l->tap[i];
	return NULL;
}

/* ---- to daemons ------------------------------------------------------------------------- */

bool
local_net_packet(struct local_net *l, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length)
{
	bool v6 = l3[0] >> 4 == 6;

	if (!l || !(l->is.classes & 1u << class))
		return false;
	for (uint32_t i = 0; i < l->is.links_max; i++) {
		struct local_tap *t = &l->tap[i];
		uint8_t link[ETHERNET_HEADER] = {[6] = 2, [12] = v6 ? 0x86 : 0x08, [13] = v6 ? 0xdd : 0x00};
		struct iovec part[] = {{link, sizeof link}, {(void *)(uintptr_t)l3, length}};

		if (t->source.fd < 0 || t->iface != iface)
			continue;
		memcpy(link, t->is.mac.b, sizeof t->is.mac.b);
		if (!(l->held && class == PUNT_IKE) && writev(t->source.fd, part, 2) == (ssize_t)(sizeof link + length))
			t->to_daemons[class].packets++;
		else
			t->to_daemons[class].dropped++;
		return true;
	}
	return false;
}

void
local_net_hold_ike(struct local_net *l, bool hold)
{
	l->held = hold;
}

/* ---- from daemons ------------------------------------------------------------------------- */

static struct local_tap *
sender_of(struct local_net *l, const uint8_t *l3, size_t n)
{
	bool v6 = n >= 40 && l3[0] >> 4 == 6;
	const uint8_t *source = l3 + (v6 ? 8 : 12);

	if (n < 20)
		return NULL;
	for (uint32_t i = 0; i < l->is.links_max; i++) {
		struct local_tap *t = &l->tap[i];

		for (uint16_t k = 0; t->source.fd >= 0 && k < t->is.n; k++)
			if (t->is.address[k].address.family == (v6 ? IP_V6 : IP_V4) &&
				memcmp(t->is.address[k].address.b, source, v6 ? 16 : 4) == 0)
				return t;
	}
	return NULL;
}

static void
frame_take(struct local_net *l, struct local_tap *from, size_t n)
{
	const uint8_t *l3 = l->frame + ETHERNET_HEADER;
	struct local_tap *t;
	int r = -EINVAL;

	if (n <= ETHERNET_HEADER)
		return;
	n -= ETHERNET_HEADER;
	t = sender_of(l, l3, n);
	if (t && l->is.divert && l->is.divert(l->is.context, l3, (uint16_t)n))
		r = 0;
	else if (t)
		r = dataplane_send_local(l->dp, t->iface, l3, (uint16_t)n);
	else
		t = from;
	if (r == 0)
		t->from_daemons.packets++;
	else if (r == -ENOBUFS)
		t->from_daemons.dropped++;
	else
		t->refused++;
}

static void
tap_ready(void *tap, uint32_t events)
{
	struct local_tap *t = tap;
	struct local_net *l = t->net;

	(void)events;
	for (int i = 0; i < FRAMES_PER_TURN && dataplane_send_local_ready(l->dp); i++) {
		ssize_t n = read(t->source.fd, l->frame, sizeof l->frame);

		if (n >= 0) {
			frame_take(l, t, (size_t)n);
			continue;
		}
		if (errno == EAGAIN || errno == EINTR)
			return;
		log_error("local", "interface %s of %s %s is gone: %s; a reload makes it again", t->interface, t->noun,
			t->name, strerror(errno));
		local_tap_close(t, l->loop, false);
		return;
	}
}

/* ---- links ----------------------------------------------------------------------------- */

static struct local_tap *
tap_find(struct local_net *l, const char *name)
{
	for (uint32_t i = 0; i < l->is.links_max; i++)
		if (l->tap[i].source.fd >= 0 && strcmp(l->tap[i].name, name) == 0)
			return &l->tap[i];
	return NULL;
}

static bool
name_taken(const struct local_net *l, const char *interface)
{
	for (uint32_t i = 0; i < l->is.links_max; i++)
		if (l->tap[i].source.fd >= 0 && strcmp(l->tap[i].interface, interface) == 0)
			return true;
	return false;
}

static int
tap_add(struct local_net *l, const struct local_link *link, char *error, size_t n)
{
	struct local_tap *t = l->tap;
	int r;

	while (t->source.fd >= 0) /* as many places as links */
		t++;
	*t = (struct local_tap){.source = {-1, tap_ready, t},
		.net = l,
		.noun = l->is.noun,
		.name = strdup(link->name),
		.iface = link->iface};
	if (!t->name)
		return -ENOMEM;
	for (uint32_t turn = 0; turn < NAME_TURNS && (turn == 0 || name_taken(l, t->interface)); turn++)
		local_tap_name(link->name, turn, t->interface);
	r = local_tap_open(t, &l->ns, l->kernel, &link->is, error, n);
	if (r == 0) {
		r = loop_add(l->loop, &t->source, EPOLLIN);
		if (r != 0)
			local_tap_close(t, l->loop, false);
		return r;
	}
	free(t->name);
	t->name = NULL;
	return r;
}

struct links {
	const struct local_link *link;
	uint32_t n;
};

static bool
link_wanted(void *links, const char *name)
{
	const struct links *w = links;

	for (uint32_t i = 0; i < w->n; i++)
		if (strcmp(w->link[i].name, name) == 0)
			return true;
	return false;
}

static int
link_apply(struct local_net *l, const struct local_link *link, char *error, size_t n)
{
	struct local_tap *t = tap_find(l, link->name);

	if (!t)
		return tap_add(l, link, error, n);
	t->iface = link->iface;
	return memcmp(&t->is, &link->is, sizeof t->is) == 0 ? 0 : local_tap_change(t, l->kernel, &link->is, error, n);
}

/* Gone ones first: their names and addresses may come again. */
static int
links_apply(struct local_net *l, struct links *w, char *error, size_t n)
{
	char other[256];
	int result = 0;

	for (uint32_t i = 0; i < l->is.links_max; i++)
		if (l->tap[i].source.fd >= 0 && !link_wanted(w, l->tap[i].name))
			local_tap_close(&l->tap[i], l->loop, false);
	for (uint32_t i = 0; i < w->n && i < l->is.links_max; i++) {
		int r = link_apply(l, &w->link[i], result ? other : error, result ? sizeof other : n);

		result = result ? result : r;
	}
	return result;
}

/* ---- the namespace ------------------------------------------------------------------------------ */

static void
taps_close(struct local_net *l, bool keep)
{
	for (uint32_t i = 0; i < l->is.links_max; i++)
		if (l->tap[i].source.fd >= 0)
			local_tap_close(&l->tap[i], l->loop, keep);
}

static void
ns_close(struct local_net *l, bool keep)
{
	taps_close(l, keep);
	rtnetlink_close(l->kernel);
	l->kernel = NULL;
	namespace_close(&l->ns, l->ours && !keep);
}

static int
kernel_open(void *net)
{
	struct local_net *l = net;

	return rtnetlink_open(&l->kernel);
}

static void
alias_keep(void *out, const struct link_info *link)
{
	if (link->index == LOOPBACK)
		*(struct link_info *)out = *link;
}

#define MADE_BY "isthmusd: namespace of "

/* Ours, when it was made now or says that this appliance has made it. */
static int
ownership(struct local_net *l, const char *owner)
{
	char alias[LINK_ALIAS_MAX];
	struct link_info loopback = {0};
	int r;

	snprintf(alias, sizeof alias, MADE_BY "%s", owner);
	if (l->ns.made) {
		l->ours = true;
		return link_alias_set(l->kernel, LOOPBACK, alias);
	}
	r = link_each(l->kernel, alias_keep, &loopback);
	l->ours = r == 0 && strcmp(loopback.alias, alias) == 0;
	if (r == 0 && l->is.alone && !l->ours && strncmp(loopback.alias, MADE_BY, strlen(MADE_BY)) == 0)
		return -EBUSY;
	return r;
}

static int
ns_open(struct local_net *l, const char *name, const char *owner, struct links *w, char *error, size_t n)
{
	int r = namespace_open(name, &l->ns, error, n);

	if (r != 0)
		return r;
	l->ours = l->ns.made;
	r = namespace_run(&l->ns, kernel_open, l);
	if (r == 0)
		r = ownership(l, owner);
	if (r == 0)
		r = link_up(l->kernel, LOOPBACK);
	if (r == 0) {
		local_tap_sweep(l->kernel, l->is.noun, link_wanted, w);
		log_info("local", "network namespace %s, %s", l->ns.name, l->ns.made ? "made" : "there already");
		return 0;
	}
	snprintf(error, n, "network namespace %s: %s", l->ns.name,
		r == -EBUSY ? "another appliance or gateway has made it" : strerror(-r));
	ns_close(l, false);
	return r;
}

int
local_net_set(struct local_net *l, const char *namespace, const char *owner, const struct local_link *link, uint32_t n,
	char *error, size_t size)
{
	struct links w = {link, n};
	int r = 0;

	l->idle_ns = 0;
	if (l->ns.fd < 0)
		r = ns_open(l, namespace, owner, &w, error, size);
	return r ? r : links_apply(l, &w, error, size);
}

static bool
is_among(const struct ip_addr *host, uint32_t n, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (address_equal(&host[i], a))
			return true;
	return false;
}

int
local_net_hosts(struct local_net *l, uint16_t iface, const struct ip_addr *host, uint32_t n,
	const struct ip_addr *before, uint32_t n_before)
{
	const struct local_tap *t = local_net_tap_of(l, iface);
	int result = 0;

	if (!t)
		return -ENODEV;
	for (uint32_t i = 0; i < n_before; i++)
		if (!is_among(host, n, &before[i]))
			link_host_route_delete(l->kernel, t->index, &before[i]);
	for (uint32_t i = 0; i < n; i++) {
		int r = link_host_route_set(l->kernel, t->index, &host[i]);

		result = result ? result : r;
	}
	return result;
}

void
local_net_idle(struct local_net *l)
{
	l->idle_ns = clock_boot_ns() + GOODBYES_NS;
}

void
local_net_tick(struct local_net *l, uint64_t now_ns)
{
	if (!l || l->idle_ns == 0 || now_ns < l->idle_ns)
		return;
	l->idle_ns = 0;
	taps_close(l, false);
}

void
local_net_stop(struct local_net *l, bool keep)
{
	if (!l)
		return;
	ns_close(l, keep);
	free(l->tap);
	free(l);
}
