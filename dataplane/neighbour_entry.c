/* Neighbours as entries: found, put into a state, shown to workers, made and forgotten. Control thread. */
#include "dataplane/neighbour_state.h"
#include "dataplane/frame.h"

#include "drivers/clock.h"

#include <rte_random.h>

#include <stdlib.h>

/* ---- entries ------------------------------------------------------------------------------ */

static struct neighbour_chain *
chain(struct neighbours *s, uint16_t iface, const struct ip_addr *a)
{
	uint64_t word[2], h;

	memcpy(word, a->b, sizeof(word));
	h = (word[0] ^ (word[1] + iface) * 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;
	return &s->bucket[(h >> 32) & s->hash_mask];
}

struct neighbour *
neighbour_find(struct neighbours *s, uint16_t iface, const struct ip_addr *a)
{
	struct neighbour *n;

	LIST_FOREACH(n, chain(s, iface, a), chain)
	if (n->iface == iface && address_equal(&n->address, a))
		return n;
	return NULL;
}

bool
neighbour_has_mac(const struct neighbour *n)
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
void
neighbour_enter(struct neighbours *s, struct neighbour *n, enum neighbour_state state, uint64_t after)
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
bool
neighbour_publish(struct dataplane *dp, struct neighbour *n)
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

void
neighbour_unpublish(struct dataplane *dp, struct neighbour *n)
{
	struct neighbours *s = dp->neighbour_state;

	if (n->place == NEIGHBOUR_NO_PLACE)
		return;
	neighbour_place_set(dp->neighbours, n->place, 0);
	s->gathered.place[s->gathered.n++] = n->place;
	n->place = NEIGHBOUR_NO_PLACE;
}

/* ---- coming and going ---------------------------------------------------------------------------- */

void
neighbour_forget(struct dataplane *dp, struct neighbour *n)
{
	struct neighbours *s = dp->neighbour_state;

	neighbour_waiting_drop(dp, n, DROP_NEIGHBOUR_UNRESOLVED);
	neighbour_unpublish(dp, n);
	neighbour_enter(s, n, NEIGHBOUR_FREE, 0);
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
void
neighbour_evict(struct dataplane *dp, bool incomplete_only)
{
	struct neighbours *s = dp->neighbour_state;
	struct neighbour *n = incomplete_only ? NULL : TAILQ_FIRST(&s->failed);

	if (!n)
		n = oldest_incomplete(s);
	if (!n && !incomplete_only)
		n = some_stale(s);
	if (n)
		neighbour_forget(dp, n);
}

struct neighbour *
neighbour_create(struct dataplane *dp, uint16_t iface, const struct ip_addr *a)
{
	struct neighbours *s = dp->neighbour_state;
	struct neighbour *n;

	if (TAILQ_EMPTY(&s->free))
		neighbour_evict(dp, false);
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

		while (neighbour_waiting_take(s, &s->entry[i], &e))
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
