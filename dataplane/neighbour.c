/* The neighbours' state machine: RFC 4861 section 7.3, for ARP the same.
 *
 * INCOMPLETE  asked three times, a second apart, packets wait       -> REACHABLE, STALE or FAILED
 * REACHABLE   confirmed within 15 to 45 s                           -> STALE
 * STALE       the MAC is used, workers are asked to tell when it is -> PROBE, or forgotten
 * PROBE       the MAC is used, its owner is asked alone             -> REACHABLE, or forgotten
 * FAILED      nobody answered: packets are refused for some seconds -> forgotten
 * STATIC      the configuration knows the MAC
 *
 * A router has no upper layer that could confirm a neighbour, so DELAY is left out. Only the states
 * with a MAC have a place in the workers' table. INCOMPLETE and PROBE stand in one list, FAILED in
 * another: all members of a list wait equally long, so its head is always the next one due. The
 * long and random times of the other states are found by a sweep, some entries every tick.
 *
 * Somebody who scans our subnets makes INCOMPLETE and FAILED entries only; their number is
 * limited, the oldest make room, and neighbours with a MAC are never driven out by them.
 */
#include "dataplane/neighbour_state.h"
#include "dataplane/arp.h"
#include "dataplane/frame.h"
#include "dataplane/nd.h"

#include "drivers/clock.h"

#include <rte_random.h>

/* ---- asking -------------------------------------------------------------------------------------- */

static void
solicit_v4(struct dataplane *dp, const struct iface *i, const struct neighbour *n, const struct ip_addr *source)
{
	struct arp a = {.request = true, .sender = *source, .target = n->address};

	frame_send_arp(dp, i, n->state == NEIGHBOUR_PROBE ? &n->mac : &frame_broadcast, &a);
}

static void
solicit_v6(struct dataplane *dp, const struct iface *i, const struct neighbour *n, const struct ip_addr *source)
{
	struct ip_addr group = nd_solicited_node(&n->address);
	bool probe = n->state == NEIGHBOUR_PROBE;
	struct mac_addr own, to = probe ? n->mac : nd_group_mac(&group);
	struct rte_mbuf *m = frame_new(dp);
	uint16_t size;

	if (!m)
		return;
	memcpy(own.b, i->mac.addr_bytes, 6);
	size = (uint16_t)nd_write_solicit(
		rte_pktmbuf_mtod(m, uint8_t *), source, probe ? &n->address : &group, &n->address, &own);
	rte_pktmbuf_append(m, size);
	frame_send(dp, i, source, &to, RTE_ETHER_TYPE_IPV6, m);
}

static void
solicit(struct dataplane *dp, struct neighbour *n, enum neighbour_state state)
{
	const struct iface *i = frame_iface(dp, n->iface);
	struct ip_addr source;

	neighbour_enter(dp->neighbour_state, n, state, RETRANSMIT_NS);
	n->solicits++;
	if (!iface_source(i, &n->address, &source))
		return;
	if (!shared_address_ours(dp, i, &source)) /* hosts would believe that the address is here */
		source = source.family == IP_V6 ? iface_link_local(i) : (struct ip_addr){.family = IP_V4};
	if (n->address.family == IP_V6)
		solicit_v6(dp, i, n, &source);
	else
		solicit_v4(dp, i, n, &source);
}

static struct neighbour *
ask_anew(struct dataplane *dp, uint16_t iface, const struct ip_addr *a)
{
	struct neighbours *s = dp->neighbour_state;
	struct neighbour *n;

	if (s->incomplete >= s->incomplete_max)
		neighbour_evict(dp, true);
	n = neighbour_create(dp, iface, a);
	if (n)
		solicit(dp, n, NEIGHBOUR_INCOMPLETE);
	return n;
}

void
neighbour_wait(struct dataplane *dp, const struct event *e)
{
	struct neighbours *s = dp->neighbour_state;
	struct neighbour *n;

	if (!iface_neighbour(frame_iface(dp, e->out), &e->address)) {
		dataplane_drop(dp, e->m, DROP_BAD_ADDRESS);
		return;
	}
	n = neighbour_find(s, e->out, &e->address);
	if (!n)
		n = ask_anew(dp, e->out, &e->address);
	if (!n)
		dataplane_drop(dp, e->m, DROP_NEIGHBOUR_UNRESOLVED);
	else if (neighbour_has_mac(n))
		neighbour_send(dp, n, e);
	else if (n->state == NEIGHBOUR_FAILED)
		neighbour_refuse(dp, n, e);
	else
		neighbour_waiting_put(dp, n, e);
}

/* ---- hearing ------------------------------------------------------------------------------------- */

static void
confirm(struct dataplane *dp, struct neighbour *n, enum neighbour_state state)
{
	struct neighbours *s = dp->neighbour_state;
	uint64_t reachable = REACHABLE_NS / 2 + rte_rand_max(REACHABLE_NS);

	n->solicits = 0;
	n->confirmed_ns = s->now_ns;
	neighbour_enter(s, n, state, state == NEIGHBOUR_REACHABLE ? reachable : STALE_NS);
	if (neighbour_publish(dp, n))
		neighbour_waiting_send(dp, n);
	else
		neighbour_forget(dp, n);
}

/* RFC 4861 7.2.5, for those whose MAC is known. */
static void
update(struct dataplane *dp, struct neighbour *n, const struct mac_addr *mac, uint8_t hints)
{
	bool solicited = hints & NEIGHBOUR_SOLICITED;

	if (memcmp(&n->mac, mac, sizeof(*mac)) == 0) {
		if (solicited)
			confirm(dp, n, NEIGHBOUR_REACHABLE);
	} else if (hints & NEIGHBOUR_OVERRIDE) {
		n->mac = *mac;
		confirm(dp, n, solicited ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
	} else if (n->state == NEIGHBOUR_REACHABLE) {
		confirm(dp, n, NEIGHBOUR_STALE);
	}
}

void
neighbour_learn(
	struct dataplane *dp, uint16_t iface, const struct ip_addr *a, const struct mac_addr *mac, uint8_t hints)
{
	struct neighbours *s = dp->neighbour_state;
	const struct iface *i = frame_iface(dp, iface);
	struct neighbour *n;

	if (!mac_unicast(mac) || memcmp(mac->b, i->mac.addr_bytes, 6) == 0 || !iface_neighbour(i, a))
		return;
	n = neighbour_find(s, iface, a);
	if (n && n->state == NEIGHBOUR_STATIC)
		return;
	if (n && neighbour_has_mac(n)) {
		update(dp, n, mac, hints);
		return;
	}
	/* Entries nobody of us needs yet must not fill the last quarter. */
	if (!n && (hints & NEIGHBOUR_CREATE) && s->live < s->capacity / 4 * 3)
		n = neighbour_create(dp, iface, a);
	if (!n)
		return;
	n->mac = *mac;
	confirm(dp, n, hints & NEIGHBOUR_SOLICITED ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
}

void
dataplane_neighbour_heard(
	struct dataplane *dp, uint16_t iface, const struct ip_addr *address, const struct mac_addr *mac)
{
	if (frame_iface(dp, iface)->kind == IFACE_SUBNET)
		neighbour_learn(dp, iface, address, mac, NEIGHBOUR_CREATE);
}

/* ---- time ---------------------------------------------------------------------------------------- */

static void
unanswered(struct dataplane *dp, struct neighbour *n)
{
	if (n->solicits < SOLICITS_MAX) {
		solicit(dp, n, n->state);
	} else if (n->state == NEIGHBOUR_PROBE) {
		neighbour_forget(dp, n); /* perhaps another MAC by now: the next packet asks everybody */
	} else {
		neighbour_enter(dp->neighbour_state, n, NEIGHBOUR_FAILED, FAILED_NS);
		neighbour_waiting_refuse(dp, n);
	}
}

/* REACHABLE and STALE: their time, and whether STALE ones are used. */
static void
age(struct dataplane *dp, struct neighbour *n)
{
	struct neighbours *s = dp->neighbour_state;

	if (n->state == NEIGHBOUR_REACHABLE && s->now_ns >= n->deadline_ns) {
		neighbour_enter(s, n, NEIGHBOUR_STALE, STALE_NS);
		neighbour_publish(dp, n);
	} else if (n->state == NEIGHBOUR_STALE) {
		if (neighbour_place_get(dp->neighbours, n->place) & NEIGHBOUR_TOUCHED) {
			n->solicits = 0;
			solicit(dp, n, NEIGHBOUR_PROBE);
			neighbour_publish(dp, n);
		} else if (s->now_ns >= n->deadline_ns) {
			neighbour_forget(dp, n);
		}
	}
}

static void
retire_places(struct dataplane *dp)
{
	struct neighbours *s = dp->neighbour_state;
	struct places empty;

	if (s->in_grace.n && dataplane_grace_over(dp, s->grace_token)) {
		for (uint32_t i = 0; i < s->in_grace.n; i++)
			neighbour_place_give(dp->neighbours, s->in_grace.place[i]);
		s->in_grace.n = 0;
	}
	if (s->in_grace.n || !s->gathered.n)
		return;
	empty = s->in_grace;
	s->in_grace = s->gathered;
	s->gathered = empty;
	s->grace_token = dataplane_grace_start(dp);
}

void
neighbour_tick(struct dataplane *dp, uint64_t now_ns)
{
	struct neighbours *s = dp->neighbour_state;
	struct neighbour *n;

	s->now_ns = now_ns;
	for (int i = 0; i < TICK_EXPIRE && (n = TAILQ_FIRST(&s->solicited)) && n->deadline_ns <= now_ns; i++)
		unanswered(dp, n);
	for (int i = 0; i < TICK_EXPIRE && (n = TAILQ_FIRST(&s->failed)) && n->deadline_ns <= now_ns; i++)
		neighbour_forget(dp, n);
	for (uint32_t i = 0; i < TICK_SWEEP && i < s->capacity; i++) {
		age(dp, &s->entry[s->hand]);
		s->hand = (s->hand + 1) % s->capacity;
	}
	retire_places(dp);
}

/* ---- views --------------------------------------------------------------------------------------- */

static void
set_static(struct dataplane *dp, const struct iface *i, const struct nic *nic)
{
	struct neighbours *s = dp->neighbour_state;
	struct neighbour *n = neighbour_find(s, i->id, &nic->address);

	if (!n)
		n = neighbour_create(dp, i->id, &nic->address);
	if (!n)
		return;
	n->mark = s->mark;
	if (n->state == NEIGHBOUR_STATIC && memcmp(&n->mac, &nic->mac, sizeof(n->mac)) == 0)
		return;
	n->mac = nic->mac;
	confirm(dp, n, NEIGHBOUR_STATIC);
}

/* Does the entry still make sense? A subnet that moved to another port or VLAN starts anew. */
static bool
outlived(const struct neighbours *s, const struct view *v, const struct neighbour *n, const bool *moved)
{
	if (n->state == NEIGHBOUR_STATIC)
		return n->mark != s->mark;
	return n->iface >= v->n_ifaces || moved[n->iface] || !iface_neighbour(&v->iface[n->iface], &n->address);
}

void
neighbour_view(struct dataplane *dp, const struct view *v)
{
	struct neighbours *s = dp->neighbour_state;
	bool moved[IFACES_MAX] = {false};

	s->mark++;
	for (uint32_t id = 0; id < v->n_ifaces && id < IFACES_MAX; id++) {
		const struct iface *i = &v->iface[id];
		uint32_t attached = (uint32_t)i->port << 16 | i->vlan;

		moved[id] = attached != s->attached[id];
		s->attached[id] = attached;
		for (uint32_t k = 0; k < i->n_nics; k++)
			if (i->nic[k].has_mac)
				set_static(dp, i, &i->nic[k]);
	}
	for (uint32_t k = 0; k < s->capacity; k++)
		if (s->entry[k].state != NEIGHBOUR_FREE && outlived(s, v, &s->entry[k], moved))
			neighbour_forget(dp, &s->entry[k]);
}
