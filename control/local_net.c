/* Which uplink a daemon's packet leaves by is told by its source address, not by the TAP it came out of: the kernel
 * routes by the destination alone, and with two uplinks it would choose the wrong one for half of the peers.
 *
 * While the worker is behind with what was sent before, frames stay in the kernel's queue; the loop comes back for
 * them.
 *
 * A namespace that was there already is the operator's, or left by a predecessor that was killed: that one says so in
 * the alias of its loopback interface, and is removed at the end as if it had been made here.
 */
#include "control/local_net.h"

#include "config/limit.h"
#include "drivers/clock.h"
#include "drivers/log.h"
#include "drivers/port.h"

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
	struct network_namespace ns; /* fd < 0: none */
	bool ours;                   /* made by this appliance */
	struct rtnetlink *kernel;    /* of the namespace */
	struct local_tap tap[LIMIT_UPLINKS];
	bool held;        /* what is for IKE */
	uint64_t idle_ns; /* nobody needs the interfaces from then on; 0: they are needed */
	uint8_t frame[FRAME_MAX];
};

bool
local_net_wanted(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_connections; i++)
		if (c->connections[i].uses_ike)
			return true;
	for (uint32_t i = 0; i < c->n_gateways; i++)
		if (c->gateways[i].p2s.pool.n)
			return true;
	return false;
}

struct local_net *
local_net_create(struct loop *loop, struct dataplane *dp)
{
	struct local_net *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->loop = loop;
	l->dp = dp;
	l->ns.fd = -1;
	for (uint32_t i = 0; i < LIMIT_UPLINKS; i++)
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
	for (uint32_t i = 0; i < LIMIT_UPLINKS; i++)
		if (l->tap[i].source.fd >= 0 && n-- == 0)
			return &l->tap[i];
	return NULL;
}

/* ---- to daemons ------------------------------------------------------------------------- */

bool
local_net_packet(struct local_net *l, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length)
{
	bool v6 = l3[0] >> 4 == 6;

	if (!l || (class != PUNT_IKE && class != PUNT_LOCAL)) /* charon is the only daemon yet */
		return false;
	for (uint32_t i = 0; i < LIMIT_UPLINKS; i++) {
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
	for (uint32_t i = 0; i < LIMIT_UPLINKS; i++) {
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
	if (t)
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
		log_error("local", "interface %s of uplink %s is gone: %s; a reload makes it again", t->interface,
			t->uplink, strerror(errno));
		local_tap_close(t, l->loop, false);
		return;
	}
}

/* ---- interfaces ----------------------------------------------------------------------------- */

static const char *
uplink_of(const struct iface_spec *i, const struct names *names)
{
	return i->kind == IFACE_UPLINK ? names_text(names, i->name) + strlen("uplink ") : NULL;
}

static void
describe(const struct iface_spec *i, struct local_uplink *u)
{
	memset(u, 0, sizeof *u);
	u->mac = port_caps(i->port)->mac;
	u->mtu = i->mtu;
	u->n = i->n_prefixes;
	for (uint16_t k = 0; k < i->n_prefixes; k++) {
		u->address[k].address = i->address[k];
		u->address[k].len = i->prefix[k].len;
	}
	u->gateway[0] = i->gateway4;
	u->gateway[1] = i->gateway6;
}

static struct local_tap *
tap_find(struct local_net *l, const char *uplink)
{
	for (uint32_t i = 0; i < LIMIT_UPLINKS; i++)
		if (l->tap[i].source.fd >= 0 && strcmp(l->tap[i].uplink, uplink) == 0)
			return &l->tap[i];
	return NULL;
}

static bool
name_taken(const struct local_net *l, const char *name)
{
	for (uint32_t i = 0; i < LIMIT_UPLINKS; i++)
		if (l->tap[i].source.fd >= 0 && strcmp(l->tap[i].interface, name) == 0)
			return true;
	return false;
}

static int
tap_add(struct local_net *l, const char *uplink, uint16_t iface, const struct local_uplink *u, char *error, size_t n)
{
	struct local_tap *t = l->tap;
	int r;

	while (t->source.fd >= 0) /* as many places as uplinks */
		t++;
	*t = (struct local_tap){.source = {-1, tap_ready, t}, .net = l, .uplink = strdup(uplink), .iface = iface};
	if (!t->uplink)
		return -ENOMEM;
	for (uint32_t turn = 0; turn < NAME_TURNS && (turn == 0 || name_taken(l, t->interface)); turn++)
		local_tap_name(uplink, turn, t->interface);
	r = local_tap_open(t, &l->ns, l->kernel, u, error, n);
	if (r == 0) {
		r = loop_add(l->loop, &t->source, EPOLLIN);
		if (r != 0)
			local_tap_close(t, l->loop, false);
		return r;
	}
	free(t->uplink);
	t->uplink = NULL;
	return r;
}

struct uplinks {
	const struct view_spec *spec;
	const struct names *names;
};

static bool
uplink_wanted(void *uplinks, const char *uplink)
{
	const struct uplinks *u = uplinks;

	for (uint32_t i = 0; i < u->spec->n_ifaces; i++) {
		const char *name = uplink_of(&u->spec->iface[i], u->names);

		if (name && strcmp(name, uplink) == 0)
			return true;
	}
	return false;
}

static int
uplink_apply(struct local_net *l, const char *uplink, uint16_t iface, const struct iface_spec *i, char *error, size_t n)
{
	struct local_tap *t = tap_find(l, uplink);
	struct local_uplink wanted;

	describe(i, &wanted);
	if (!t)
		return tap_add(l, uplink, iface, &wanted, error, n);
	t->iface = iface;
	return memcmp(&t->is, &wanted, sizeof wanted) == 0 ? 0 : local_tap_change(t, l->kernel, &wanted, error, n);
}

/* Gone ones first: their names and addresses may come again. */
static int
uplinks_apply(struct local_net *l, struct uplinks *u, char *error, size_t n)
{
	char other[256];
	int result = 0;

	for (uint32_t i = 0; i < LIMIT_UPLINKS; i++)
		if (l->tap[i].source.fd >= 0 && !uplink_wanted(u, l->tap[i].uplink))
			local_tap_close(&l->tap[i], l->loop, false);
	for (uint32_t i = 0; i < u->spec->n_ifaces; i++) {
		const char *name = uplink_of(&u->spec->iface[i], u->names);
		int r = 0;

		if (name)
			r = uplink_apply(l, name, (uint16_t)i, &u->spec->iface[i], result ? other : error,
				result ? sizeof other : n);
		result = result ? result : r;
	}
	return result;
}

/* ---- the namespace ------------------------------------------------------------------------------ */

static void
taps_close(struct local_net *l, bool keep)
{
	for (uint32_t i = 0; i < LIMIT_UPLINKS; i++)
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

/* Ours, when it was made now or says that this appliance has made it. */
static int
ownership(struct local_net *l, const char *appliance)
{
	char alias[LINK_ALIAS_MAX];
	struct link_info loopback = {0};
	int r;

	snprintf(alias, sizeof alias, "isthmusd: namespace of %s", appliance);
	if (l->ns.made) {
		l->ours = true;
		return link_alias_set(l->kernel, LOOPBACK, alias);
	}
	r = link_each(l->kernel, alias_keep, &loopback);
	l->ours = r == 0 && strcmp(loopback.alias, alias) == 0;
	return r;
}

static int
ns_open(struct local_net *l, const struct cfg_appliance *a, struct uplinks *u, char *error, size_t n)
{
	char name[NAMESPACE_NAME_MAX];
	int r;

	snprintf(name, sizeof name, "isthmus-%s", a->name);
	r = namespace_open(a->control_namespace ? a->control_namespace : name, &l->ns, error, n);
	if (r != 0)
		return r;
	l->ours = l->ns.made;
	r = namespace_run(&l->ns, kernel_open, l);
	if (r == 0)
		r = ownership(l, a->name);
	if (r == 0)
		r = link_up(l->kernel, LOOPBACK);
	if (r == 0) {
		local_tap_sweep(l->kernel, uplink_wanted, u);
		log_info("local", "network namespace %s, %s", l->ns.name, l->ns.made ? "made" : "there already");
		return 0;
	}
	snprintf(error, n, "network namespace %s: %s", l->ns.name, strerror(-r));
	ns_close(l, false);
	return r;
}

int
local_net_apply(struct local_net *l, const struct world *w, const struct names *names, char *error, size_t n)
{
	struct uplinks u = {&w->spec, names};
	int r = 0;

	l->idle_ns = 0;
	if (!local_net_wanted(w->config)) {
		l->idle_ns = clock_boot_ns() + GOODBYES_NS;
		return 0;
	}
	if (l->ns.fd < 0)
		r = ns_open(l, &w->config->appliance, &u, error, n);
	return r ? r : uplinks_apply(l, &u, error, n);
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
	free(l);
}
