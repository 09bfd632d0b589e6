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
#include "dataplane/neighbour.h"
#include "dataplane/arp.h"
#include "dataplane/exception.h"
#include "dataplane/frame.h"
#include "dataplane/icmp.h"
#include "dataplane/nd.h"

#include "drivers/clock.h"

#include <rte_random.h>

#include <stdlib.h>
#include <sys/queue.h>

#define SECOND 1000000000ull
#define RETRANSMIT_NS SECOND
#define SOLICITS_MAX 3
#define REACHABLE_NS (30 * SECOND) /* times 0.5 to 1.5 */
#define STALE_NS (600 * SECOND)    /* unused for so long: forgotten */
#define FAILED_NS (3 * SECOND)
#define WAITING_MAX 1024   /* packets, of all neighbours */
#define WAITING_EACH_MAX 8 /* packets for one neighbour; the oldest goes */
#define INCOMPLETE_MAX 1024
#define TICK_SWEEP 256  /* entries looked at per tick */
#define TICK_EXPIRE 128 /* entries of each list acted upon per tick */
#define EVICT_LOOK 64   /* entries looked at to find a STALE one to give up */

struct waiting {
	STAILQ_ENTRY(waiting) link;
	struct event e;
};

STAILQ_HEAD(waiting_list, waiting);

struct neighbour {
	TAILQ_ENTRY(neighbour) link; /* free, solicited or failed */
	LIST_ENTRY(neighbour) chain;
	struct ip_addr address;
	struct mac_addr mac;
	uint8_t state; /* enum neighbour_state */
	uint8_t solicits;
	uint16_t iface;
	uint16_t n_waiting;
	uint32_t place; /* in the workers' table */
	uint32_t mark;  /* neighbour_view: seen in this view */
	uint64_t deadline_ns, confirmed_ns;
	struct waiting_list waiting;
};

TAILQ_HEAD(neighbour_list, neighbour);
LIST_HEAD(neighbour_chain, neighbour);

/* Places whose word was set to 0: first gathered, then in their grace period together. */
struct places {
	uint32_t *place;
	uint32_t n;
};

struct neighbours {
	uint64_t now_ns;
	uint32_t capacity, live, incomplete, incomplete_max;
	uint32_t hash_mask, hand, mark;
	struct neighbour *entry;
	struct neighbour_chain *bucket;
	struct neighbour_list free, solicited, failed;
	struct waiting *waiting;
	struct waiting_list waiting_free;
	struct places gathered, in_grace;
	uint64_t grace_token;
	uint32_t attached[IFACES_MAX]; /* port and VLAN when its neighbours were learned */
};

/* ---- entries ------------------------------------------------------------------------------ */

static struct neighbour_chain *
chain(struct neighbours *s, uint16_t iface, const struct ip_addr *a)
{
	uint64_t word[2], h;

	memcpy(word, a->b, sizeof(word));
	h = (word[0] ^ (word[1] + iface) * 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;
	return &s->bucket[(h >> 32) & s->hash_mask];
}

static struct neighbour *
find(struct neighbours *s, uint16_t iface, const struct ip_addr *a)
{
	struct neighbour *n;

	LIST_FOREACH(n, chain(s, iface, a), chain)
	if (n->iface == iface && address_equal(&n->address, a))
		return n;
	return NULL;
}

static bool
has_mac(const struct neighbour *n)
{
	return n->state == NEIGHBOUR_REACHABLE || n->state == NEIGHBOUR_STALE || n->state == NEIGHBOUR_PROBE ||
	       n->state == NEIGHBOUR_STATIC;
}

static struct neighbour_list *
list_of(struct neighbours *s, uint8_t state)
{
	if (state == NEIGHBOUR_INCOMPLETE || state == NEIGHBOUR_PROBE)
		return &s->solicited;
	return state == NEIGHBOUR_FAILED ? &s->failed : NULL;
}

/* Enter a state, due after `after` ns; behind those of its list that are due earlier. */
static void
enter(struct neighbours *s, struct neighbour *n, enum neighbour_state state, uint64_t after)
{
	struct neighbour_list *from = list_of(s, n->state), *to = list_of(s, state);

	if (from)
		TAILQ_REMOVE(from, n, link);
	if (to)
		TAILQ_INSERT_TAIL(to, n, link);
	s->incomplete += (state == NEIGHBOUR_INCOMPLETE) - (n->state == NEIGHBOUR_INCOMPLETE);
	n->state = state;
	n->deadline_ns = s->now_ns + after;
}

/* What workers see follows the state. False: no place in their table. */
static bool
publish(struct dataplane *dp, struct neighbour *n)
{
	uint64_t word = NEIGHBOUR_USABLE | neighbour_mac_word(&n->mac);

	if (n->place == NEIGHBOUR_NO_PLACE)
		n->place = neighbour_place_take(dp->neighbours, n->iface, &n->address);
	if (n->place == NEIGHBOUR_NO_PLACE)
		return false;
	if (n->state == NEIGHBOUR_STALE)
		word |= NEIGHBOUR_ASK;
	neighbour_place_set(dp->neighbours, n->place, word);
	return true;
}

static void
unpublish(struct dataplane *dp, struct neighbour *n)
{
	struct neighbours *s = dp->neighbour_state;

	if (n->place == NEIGHBOUR_NO_PLACE)
		return;
	neighbour_place_set(dp->neighbours, n->place, 0);
	s->gathered.place[s->gathered.n++] = n->place;
	n->place = NEIGHBOUR_NO_PLACE;
}

/* ---- packets that wait ------------------------------------------------------------------------ */

static bool
waiting_take(struct neighbours *s, struct neighbour *n, struct event *e)
{
	struct waiting *p = STAILQ_FIRST(&n->waiting);

	if (!p)
		return false;
	STAILQ_REMOVE_HEAD(&n->waiting, link);
	n->n_waiting--;
	*e = p->e;
	STAILQ_INSERT_HEAD(&s->waiting_free, p, link);
	return true;
}

static void
waiting_put(struct dataplane *dp, struct neighbour *n, const struct event *e)
{
	struct neighbours *s = dp->neighbour_state;
	struct waiting *p;
	struct event oldest;

	if (n->n_waiting == WAITING_EACH_MAX && waiting_take(s, n, &oldest))
		dataplane_drop(dp, oldest.m, DROP_NEIGHBOUR_QUEUE_FULL);
	p = STAILQ_FIRST(&s->waiting_free);
	if (!p) {
		dataplane_drop(dp, e->m, DROP_NEIGHBOUR_QUEUE_FULL);
		return;
	}
	STAILQ_REMOVE_HEAD(&s->waiting_free, link);
	p->e = *e;
	STAILQ_INSERT_TAIL(&n->waiting, p, link);
	n->n_waiting++;
}

/* The packet alone: neither the old link header nor padding behind it. */
static bool
strip(struct rte_mbuf *m, uint16_t l3_off, struct ip_summary *ip)
{
	if (l3_off > m->data_len || m->nb_segs != 1)
		return false;
	rte_pktmbuf_adj(m, l3_off);
	if (!ip_read(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, ip))
		return false;
	rte_pktmbuf_trim(m, m->data_len - ip->length);
	return true;
}

static void
send_to(struct dataplane *dp, const struct neighbour *n, const struct event *e)
{
	struct ip_summary ip;

	if (!strip(e->m, e->l3_off, &ip)) {
		dataplane_drop(dp, e->m, DROP_TRUNCATED);
		return;
	}
	frame_send(dp, frame_iface(dp, n->iface), &n->mac, ip.v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4, e->m);
}

/* Nobody answers. The sender is told, unless that is ourselves (packets sealed by us). */
static void
refuse(struct dataplane *dp, const struct neighbour *n, const struct event *e)
{
	struct event error = *e;
	struct ip_summary ip;

	error.reason = DROP_NEIGHBOUR_UNRESOLVED;
	if (e->l3_off > e->m->data_len ||
		!ip_read(rte_pktmbuf_mtod_offset(e->m, const uint8_t *, e->l3_off), e->m->data_len - e->l3_off, &ip) ||
		iface_owns(frame_iface(dp, n->iface), &ip.source))
		dataplane_drop(dp, e->m, DROP_NEIGHBOUR_UNRESOLVED);
	else
		exception_error(dp, &error);
}

static void
send_waiting(struct dataplane *dp, struct neighbour *n)
{
	struct event e;

	while (waiting_take(dp->neighbour_state, n, &e))
		send_to(dp, n, &e);
}

static void
refuse_waiting(struct dataplane *dp, struct neighbour *n)
{
	struct event e;

	while (waiting_take(dp->neighbour_state, n, &e))
		refuse(dp, n, &e);
}

static void
drop_waiting(struct dataplane *dp, struct neighbour *n, enum drop_reason reason)
{
	struct event e;

	while (waiting_take(dp->neighbour_state, n, &e))
		dataplane_drop(dp, e.m, reason);
}

/* ---- coming and going ---------------------------------------------------------------------------- */

static void
forget(struct dataplane *dp, struct neighbour *n)
{
	struct neighbours *s = dp->neighbour_state;

	drop_waiting(dp, n, DROP_NEIGHBOUR_UNRESOLVED);
	unpublish(dp, n);
	enter(s, n, NEIGHBOUR_FREE, 0);
	LIST_REMOVE(n, chain);
	TAILQ_INSERT_TAIL(&s->free, n, link);
	s->live--;
}

static struct neighbour *
oldest_incomplete(struct neighbours *s)
{
	struct neighbour *n;

	TAILQ_FOREACH(n, &s->solicited, link)
	if (n->state == NEIGHBOUR_INCOMPLETE)
		return n;
	return NULL;
}

/* A STALE one near the sweep's hand; which one is as good as random. */
static struct neighbour *
some_stale(struct neighbours *s)
{
	for (uint32_t i = 0; i < EVICT_LOOK; i++) {
		struct neighbour *n = &s->entry[(s->hand + i) % s->capacity];

		if (n->state == NEIGHBOUR_STALE)
			return n;
	}
	return NULL;
}

/* Make room: what never answered goes first. */
static void
evict(struct dataplane *dp, bool incomplete_only)
{
	struct neighbours *s = dp->neighbour_state;
	struct neighbour *n = incomplete_only ? NULL : TAILQ_FIRST(&s->failed);

	if (!n)
		n = oldest_incomplete(s);
	if (!n && !incomplete_only)
		n = some_stale(s);
	if (n)
		forget(dp, n);
}

static struct neighbour *
create(struct dataplane *dp, uint16_t iface, const struct ip_addr *a)
{
	struct neighbours *s = dp->neighbour_state;
	struct neighbour *n;

	if (TAILQ_EMPTY(&s->free))
		evict(dp, false);
	n = TAILQ_FIRST(&s->free);
	if (!n)
		return NULL;
	TAILQ_REMOVE(&s->free, n, link);
	*n = (struct neighbour){
		.address = *a,
		.iface = iface,
		.place = NEIGHBOUR_NO_PLACE,
		.confirmed_ns = s->now_ns,
	};
	STAILQ_INIT(&n->waiting);
	LIST_INSERT_HEAD(chain(s, iface, a), n, chain);
	s->live++;
	return n;
}

/* ---- asking -------------------------------------------------------------------------------------- */

static void
solicit_v4(struct dataplane *dp, const struct iface *i, const struct neighbour *n, const struct ip_addr *source)
{
	static const struct mac_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	const struct mac_addr *to = n->state == NEIGHBOUR_PROBE ? &n->mac : &broadcast;
	struct arp a = {.request = true, .sender = *source, .target = n->address};
	struct rte_mbuf *m = frame_new(dp);

	if (!m)
		return;
	memcpy(a.sender_mac.b, i->mac.addr_bytes, 6);
	arp_write((uint8_t *)rte_pktmbuf_append(m, ARP_LENGTH), &a);
	frame_send(dp, i, to, RTE_ETHER_TYPE_ARP, m);
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
	frame_send(dp, i, &to, RTE_ETHER_TYPE_IPV6, m);
}

static void
solicit(struct dataplane *dp, struct neighbour *n, enum neighbour_state state)
{
	const struct iface *i = frame_iface(dp, n->iface);
	struct ip_addr source;

	enter(dp->neighbour_state, n, state, RETRANSMIT_NS);
	n->solicits++;
	if (!iface_source(i, &n->address, &source))
		return;
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
		evict(dp, true);
	n = create(dp, iface, a);
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
	n = find(s, e->out, &e->address);
	if (!n)
		n = ask_anew(dp, e->out, &e->address);
	if (!n)
		dataplane_drop(dp, e->m, DROP_NEIGHBOUR_UNRESOLVED);
	else if (has_mac(n))
		send_to(dp, n, e);
	else if (n->state == NEIGHBOUR_FAILED)
		refuse(dp, n, e);
	else
		waiting_put(dp, n, e);
}

/* ---- hearing ------------------------------------------------------------------------------------- */

static void
confirm(struct dataplane *dp, struct neighbour *n, enum neighbour_state state)
{
	struct neighbours *s = dp->neighbour_state;
	uint64_t reachable = REACHABLE_NS / 2 + rte_rand_max(REACHABLE_NS);

	n->solicits = 0;
	n->confirmed_ns = s->now_ns;
	enter(s, n, state, state == NEIGHBOUR_REACHABLE ? reachable : STALE_NS);
	if (publish(dp, n))
		send_waiting(dp, n);
	else
		forget(dp, n);
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
	n = find(s, iface, a);
	if (n && n->state == NEIGHBOUR_STATIC)
		return;
	if (n && has_mac(n)) {
		update(dp, n, mac, hints);
		return;
	}
	/* Entries nobody of us needs yet must not fill the last quarter. */
	if (!n && (hints & NEIGHBOUR_CREATE) && s->live < s->capacity / 4 * 3)
		n = create(dp, iface, a);
	if (!n)
		return;
	n->mac = *mac;
	confirm(dp, n, hints & NEIGHBOUR_SOLICITED ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
}

/* ---- time ---------------------------------------------------------------------------------------- */

static void
unanswered(struct dataplane *dp, struct neighbour *n)
{
	if (n->solicits < SOLICITS_MAX) {
		solicit(dp, n, n->state);
	} else if (n->state == NEIGHBOUR_PROBE) {
		forget(dp, n); /* perhaps another MAC by now: the next packet asks everybody */
	} else {
		enter(dp->neighbour_state, n, NEIGHBOUR_FAILED, FAILED_NS);
		refuse_waiting(dp, n);
	}
}

/* REACHABLE and STALE: their time, and whether STALE ones are used. */
static void
age(struct dataplane *dp, struct neighbour *n)
{
	struct neighbours *s = dp->neighbour_state;

	if (n->state == NEIGHBOUR_REACHABLE && s->now_ns >= n->deadline_ns) {
		enter(s, n, NEIGHBOUR_STALE, STALE_NS);
		publish(dp, n);
	} else if (n->state == NEIGHBOUR_STALE) {
		if (neighbour_place_get(dp->neighbours, n->place) & NEIGHBOUR_TOUCHED) {
			n->solicits = 0;
			solicit(dp, n, NEIGHBOUR_PROBE);
			publish(dp, n);
		} else if (s->now_ns >= n->deadline_ns) {
			forget(dp, n);
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
		forget(dp, n);
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
	struct neighbour *n = find(s, i->id, &nic->address);

	if (!n)
		n = create(dp, i->id, &nic->address);
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
			forget(dp, &s->entry[k]);
}

/* ---- beginning, end, looking -------------------------------------------------------------------- */

static bool
allocate(struct neighbours *s, uint32_t places)
{
	s->entry = calloc(s->capacity, sizeof(*s->entry));
	s->bucket = calloc(s->hash_mask + 1, sizeof(*s->bucket));
	s->waiting = calloc(WAITING_MAX, sizeof(*s->waiting));
	s->gathered.place = calloc(places, sizeof(*s->gathered.place));
	s->in_grace.place = calloc(places, sizeof(*s->in_grace.place));
	return s->entry && s->bucket && s->waiting && s->gathered.place && s->in_grace.place;
}

struct neighbours *
neighbours_create(uint32_t capacity)
{
	struct neighbours *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->now_ns = clock_boot_ns();
	s->capacity = capacity < 4 ? 4 : capacity;
	s->incomplete_max = s->capacity / 4 < INCOMPLETE_MAX ? s->capacity / 4 : INCOMPLETE_MAX;
	s->hash_mask = rte_align32pow2(s->capacity) - 1;
	TAILQ_INIT(&s->free);
	TAILQ_INIT(&s->solicited);
	TAILQ_INIT(&s->failed);
	STAILQ_INIT(&s->waiting_free);

	/* A place may be gathered once only until it is given back: never more than there are. */
	if (!allocate(s, neighbour_table_places(capacity))) {
		neighbours_free(s);
		return NULL;
	}
	for (uint32_t i = 0; i < s->capacity; i++) {
		STAILQ_INIT(&s->entry[i].waiting);
		TAILQ_INSERT_TAIL(&s->free, &s->entry[i], link);
	}
	for (uint32_t i = 0; i < WAITING_MAX; i++)
		STAILQ_INSERT_TAIL(&s->waiting_free, &s->waiting[i], link);
	return s;
}

void
neighbours_free(struct neighbours *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; s->entry && i < s->capacity; i++) {
		struct event e;

		while (waiting_take(s, &s->entry[i], &e))
			rte_pktmbuf_free(e.m);
	}
	free(s->entry);
	free(s->bucket);
	free(s->waiting);
	free(s->gathered.place);
	free(s->in_grace.place);
	free(s);
}

uint32_t
dataplane_neighbours(
	const struct dataplane *dp, uint32_t max, void (*each)(void *, const struct neighbour_info *), void *context)
{
	const struct neighbours *s = dp->neighbour_state;
	uint32_t told = 0;

	for (uint32_t i = 0; i < s->capacity && told < max; i++) {
		const struct neighbour *n = &s->entry[i];
		struct neighbour_info info = {
			.iface = n->iface,
			.address = n->address,
			.mac = n->mac,
			.state = n->state,
			.age_s = (uint32_t)((s->now_ns - n->confirmed_ns) / SECOND),
			.waiting = n->n_waiting,
		};

		if (n->state == NEIGHBOUR_FREE)
			continue;
		each(context, &info);
		told++;
	}
	return s->live;
}
