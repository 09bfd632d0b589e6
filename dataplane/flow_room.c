/* Making room in the flow table, by the policy that flow.h states.
 *
 * Workers. Nothing ages in the background: idle flows are swept out of a bucket when it is crowded.
 *
 * Two workers may insert one flow at the same time in two places. Each looks around after its own entry is
 * visible to all, so at least one sees the other, and the one in the later place goes. (A third worker that just
 * then tries to sweep one of them out may hide it: then both stay until the second, never found, idles out.)
 */
#include "dataplane/flow_entry.h"

#include <rte_prefetch.h>

#define SPARE_WAYS 5 /* fewer free ones: crowded */
#define ROOM_TRIES 4

/* Own an entry in which no packet was noted since. The state may change without a new version, so a flow that has
 * just been used is seen when it is looked at again, owned. */
static bool
own_unused(struct entry *e, const struct snapshot *s)
{
	if (!own(e, s->version))
		return false;
	if (atomic_load_explicit(&e->meta, memory_order_acquire) == s->meta &&
		atomic_load_explicit(&e->seen, memory_order_acquire) == s->seen)
		return true;
	disown(e, s->version);
	return false;
}

/* Of an entry that is owned. */
static void
vacate(const struct flow_half *h, uint32_t bucket, uint32_t way, uint32_t version)
{
	atomic_store_explicit(&h->tags[bucket].way[way], 0, memory_order_release);
	disown(entry_at(h, bucket, way), version);
}

static uint32_t
free_ways(const struct flow_half *h, uint32_t bucket)
{
	return tag_ways(&h->tags[bucket], 0);
}

static void
prefetch_entries(const struct flow_half *h, uint32_t bucket)
{
	const uint8_t *first = (const uint8_t *)entry_at(h, bucket, 0);

	for (uint32_t at = 0; at < WAYS * h->entry_size; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(first + at);
}

/* Free what has idled out. True: something was freed. Once a second is enough: nothing idles out in between. */
static bool
sweep(const struct flow_half *h, uint32_t bucket, uint32_t now_s)
{
	bool freed = false;
	struct snapshot s;

	if (atomic_load_explicit(&h->swept[bucket], memory_order_relaxed) == now_s)
		return false;
	atomic_store_explicit(&h->swept[bucket], now_s, memory_order_relaxed);
	prefetch_entries(h, bucket);
	for (uint32_t way = 0; way < WAYS; way++) {
		struct entry *e = entry_at(h, bucket, way);

		if (!entry_glance(e, &s) || !expired(&s, now_s) || !own_unused(e, &s))
			continue;
		vacate(h, bucket, way, s.version);
		freed = true;
	}
	return freed;
}

/* What may be evicted, the better the larger; 0: nothing. */
static uint64_t
worthless(const struct snapshot *s, uint32_t now_s)
{
	uint64_t age = (uint64_t)idle_s(now_s, s->seen) + 1;

	switch ((enum flow_tcp_state)(meta_state(s->meta) & FLOW_STATE_MASK)) {
	case FLOW_TCP_CLOSED:
		return age << 32;
	case FLOW_TCP_SYN:
		return age;
	case FLOW_NOT_TCP:
	case FLOW_TCP_ESTABLISHED:
	case FLOW_TCP_CLOSING:
	default:
		return 0;
	}
}

/* Own the most worthless entry, its tag set. NULL: another worker was quicker, or there is `nothing` to evict. */
static struct entry *
evict(const struct flow_half *h, const struct place *at, uint32_t now_s, uint32_t *version, bool *nothing)
{
	struct snapshot s, chosen = {0};
	uint32_t bucket = 0, way = 0;
	uint64_t best = 0;
	struct entry *e;

	prefetch_entries(h, at->bucket[0]);
	prefetch_entries(h, at->bucket[1]);
	for (uint32_t i = 0; i < 2 * WAYS; i++) {
		uint64_t value;

		if (!entry_glance(entry_at(h, at->bucket[i / WAYS], i % WAYS), &s))
			continue;
		value = worthless(&s, now_s);
		if (value > best) {
			best = value;
			chosen = s;
			bucket = at->bucket[i / WAYS];
			way = i % WAYS;
		}
	}
	*nothing = best == 0;
	e = entry_at(h, bucket, way);
	if (*nothing || !own_unused(e, &chosen))
		return NULL;
	atomic_store_explicit(&h->tags[bucket].way[way], at->tag, memory_order_release);
	*version = chosen.version;
	return e;
}

/* The first bucket unless it is crowded even when swept; then the emptier one. With four places in five
 * taken, this refuses one flow in millions, where filling the first bucket up refuses one in 200; and few
 * lookups need the second bucket. Returns its free ways, 0: both are full of live flows. */
static uint32_t
find_room(const struct flow_half *h, const struct place *at, uint32_t now_s, uint32_t *bucket)
{
	uint32_t free = free_ways(h, at->bucket[0]), other;

	*bucket = at->bucket[0];
	if (__builtin_popcount(free) < SPARE_WAYS && sweep(h, *bucket, now_s))
		free = free_ways(h, *bucket);
	if (__builtin_popcount(free) < SPARE_WAYS) {
		other = free_ways(h, at->bucket[1]);
		if ((free | other) == 0 && sweep(h, at->bucket[1], now_s))
			other = free_ways(h, at->bucket[1]);
		if (__builtin_popcount(other) > __builtin_popcount(free)) {
			*bucket = at->bucket[1];
			free = other;
		}
	}
	return free;
}

/* Own one of the free ways. Another worker may own or have taken any of them by now. */
static struct entry *
own_one(const struct flow_half *h, uint32_t bucket, uint32_t free, uint16_t tag, uint32_t *version)
{
	for (; free != 0; free &= free - 1) {
		uint32_t way = (uint32_t)__builtin_ctz(free);
		struct entry *e = entry_at(h, bucket, way);

		/* the tag after the version: if the place is taken in between, own() fails */
		*version = atomic_load_explicit(&e->version, memory_order_acquire);
		if (atomic_load_explicit(&h->tags[bucket].way[way], memory_order_acquire) != 0 || !own(e, *version))
			continue;
		atomic_store_explicit(&h->tags[bucket].way[way], tag, memory_order_release);
		return e;
	}
	return NULL;
}

struct entry *
flow_room(const struct flow_half *h, const struct place *at, uint32_t now_s, uint32_t *version)
{
	struct entry *e = NULL;
	bool nothing = false;

	for (int i = 0; i < ROOM_TRIES && e == NULL && !nothing; i++) {
		uint32_t bucket, free = find_room(h, at, now_s, &bucket);

		if (free != 0)
			e = own_one(h, bucket, free, at->tag, version);
		else
			e = evict(h, at, now_s, version, &nothing);
	}
	return e;
}

void
flow_drop_twins(const struct flow_half *h, const struct place *at, const struct flow_key *k)
{
	bool found = false;

	for (int i = 0; i < 2; i++) {
		uint32_t bucket = at->bucket[i], ways = tag_ways(&h->tags[bucket], at->tag);

		for (; ways != 0; ways &= ways - 1) {
			uint32_t way = (uint32_t)__builtin_ctz(ways);
			struct entry *e = entry_at(h, bucket, way);
			struct snapshot s;

			if (!entry_read(e, k->word, h->words, &s))
				continue;
			if (found && own(e, s.version))
				vacate(h, bucket, way, s.version);
			found = true;
		}
	}
}
