/* Punting: what a worker cannot decide alone goes to control, rate-limited by class.
 *
 * Worker only. The mbuf changes hands through the up channel. Buckets are refilled by TSC; a class
 * over its rate loses its packets here, before they can crowd out the other classes. A thousand peers
 * that begin to speak IKE at once are no flood yet, so its burst is as large as the ring; but daemons'
 * packets leave a part of the ring to what keeps neighbours and BFD sessions alive.
 */
#include "dataplane/trace.h"
#include "dataplane/worker.h"

/* Packets per second and burst of each class, per worker. */
static const struct {
	uint32_t rate, burst;
	bool yields;
} limits[PUNT_CLASS_COUNT] = {
	[PUNT_NEIGHBOUR] = {20000, 512, false},
	[PUNT_ARP_ND] = {10000, 512, false},
	[PUNT_ECHO] = {2000, 128, false},
	[PUNT_ICMP_ERROR] = {1000, 64, false},
	[PUNT_LOCAL] = {1000, 64, false},
	[PUNT_BFD] = {5000, 256, false},
	[PUNT_IKE] = {5000, 1024, true},
	[PUNT_BGP] = {5000, 256, true},
};

static bool
bucket_take(struct worker *w, enum punt_class class)
{
	uint64_t cost = w->tsc_hz / limits[class].rate;
	uint64_t full = cost * limits[class].burst;
	uint64_t have = w->punt_tokens[class] + (w->now - w->punt_refill[class]);

	if (have > full)
		have = full;
	w->punt_refill[class] = w->now;
	w->punt_tokens[class] = have >= cost ? have - cost : have;
	return have >= cost;
}

/* For errors and lookups the packet is lost either way: the reason behind the punt is what counts. */
static void
refuse(struct worker *w, struct packet *p, enum punt_class class, enum drop_reason why, enum drop_reason reason)
{
	bool due = class == PUNT_ICMP_ERROR;

	w->punts[class].dropped++;
	drop(w, p, due ? reason : why);
}

static bool
ring_has_room(struct worker *w, enum punt_class class)
{
	return !limits[class].yields || channel_room(&w->up) > w->up.mask / 4;
}

void
punt(struct worker *w, struct packet *p, enum punt_class class, enum drop_reason reason, uint16_t out,
	const struct ip_addr *address, uint16_t mtu)
{
	struct event e = {
		.type = EVENT_PUNT,
		.class = class,
		.reason = reason,
		.iface = p->iface,
		.out = out,
		.l3_off = p->l3 - rte_pktmbuf_mtod(p->m, uint8_t *),
		.flags = p->flags & ~PKT_TRACED,
		.tunnel = (p->flags & PKT_OPENED) && p->from < w->view->n_static ? p->from : TUNNEL_NONE,
		.description = w->view->number,
		.mtu = mtu,
		.m = p->m,
	};

	if (address)
		e.address = *address;
	if (!bucket_take(w, class)) {
		refuse(w, p, class, DROP_PUNT_RATE, reason);
		return;
	}
	if (unlikely(p->flags & PKT_TRACED)) {
		trace_note(p, trace_stage(p), TRACE_PUNTED, out ? out : p->iface, NAME_NONE, class);
		trace_end(w, p);
	}
	if (!ring_has_room(w, class) || !channel_put(&w->up, &e, sizeof(e))) {
		refuse(w, p, class, DROP_PUNT_FULL, reason);
		return;
	}
	w->stats.punted++;
	w->punts[class].packets++;
}

bool
worker_event(struct worker *w, const struct event *e)
{
	return channel_put(&w->up, e, sizeof(*e));
}
