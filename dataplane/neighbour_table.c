/* The neighbour table: making it, the lookup of IPv6, control's side.
 *
 * There are as many buckets as neighbours. A key goes to its first bucket while that is less than
 * half full, else to the emptier of its two: so lookups mostly end in the first, and practically
 * never are both full. Should they be, the neighbour is refused and its packets dropped by name.
 */
#include "dataplane/neighbour_table.h"

#include <rte_malloc.h>
#include <rte_random.h>

#include <stdlib.h>

#define BUCKETS_MIN 16

static uint32_t
buckets_for(uint32_t capacity)
{
	return capacity < BUCKETS_MIN ? BUCKETS_MIN : rte_align32pow2(capacity);
}

uint32_t
neighbour_table_places(uint32_t capacity)
{
	return 2 * buckets_for(capacity) * NEIGHBOUR_PLACES;
}

struct neighbour_table *
neighbour_table_create(uint32_t capacity)
{
	struct neighbour_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->buckets = buckets_for(capacity);
	for (unsigned i = 0; i < RTE_DIM(t->secret); i++)
		t->secret[i] = rte_rand() | 1;

	t->v4 = rte_zmalloc("neighbour_v4", t->buckets * sizeof(*t->v4), RTE_CACHE_LINE_SIZE);
	t->v6 = rte_zmalloc("neighbour_v6", t->buckets * sizeof(*t->v6), RTE_CACHE_LINE_SIZE);
	t->taken = calloc(neighbour_table_places(capacity), sizeof(*t->taken));
	if (!t->v4 || !t->v6 || !t->taken) {
		neighbour_table_free(t);
		return NULL;
	}
	return t;
}

void
neighbour_table_free(struct neighbour_table *t)
{
	if (!t)
		return;
	rte_free(t->v4);
	rte_free(t->v6);
	free(t->taken);
	free(t);
}

static struct neighbour_key_v6
key_v6(uint16_t iface, const uint8_t address[16])
{
	struct neighbour_key_v6 key = {.iface = iface + 1u};

	memcpy(key.address, address, sizeof(key.address));
	return key;
}

static struct neighbour_bucket_v6 *
bucket_v6(const struct neighbour_table *t, const struct neighbour_key_v6 *k, unsigned choice)
{
	uint64_t h = neighbour_mix(k->address[0] ^ t->secret[0], k->address[1] ^ t->secret[1]);

	h = neighbour_mix(h ^ k->iface, t->secret[2]);
	return &t->v6[(h >> 32 * choice) & (t->buckets - 1)];
}

static bool
key_v6_equal(const struct neighbour_key_v6 *a, const struct neighbour_key_v6 *b)
{
	return a->address[0] == b->address[0] && a->address[1] == b->address[1] && a->iface == b->iface;
}

static _Atomic uint64_t *
find_v6(struct neighbour_bucket_v6 *b, const struct neighbour_key_v6 *key)
{
	for (unsigned i = 0; i < NEIGHBOUR_PLACES; i++)
		if (atomic_load_explicit(&b->word[i], memory_order_acquire) && key_v6_equal(&b->key[i], key))
			return &b->word[i];
	return NULL;
}

void
neighbour_prefetch_v6(const struct neighbour_table *t, uint16_t iface, const uint8_t address[16])
{
	struct neighbour_key_v6 key = key_v6(iface, address);
	struct neighbour_bucket_v6 *b = bucket_v6(t, &key, 0);

	rte_prefetch0(b);
	rte_prefetch0((uint8_t *)b + RTE_CACHE_LINE_SIZE);
}

uint64_t
neighbour_lookup_v6(struct neighbour_table *t, uint16_t iface, const uint8_t address[16])
{
	struct neighbour_key_v6 key = key_v6(iface, address);
	_Atomic uint64_t *place = find_v6(bucket_v6(t, &key, 0), &key);

	if (unlikely(!place)) {
		place = find_v6(bucket_v6(t, &key, 1), &key);
		if (!place)
			return 0;
	}
	return neighbour_touch(place);
}

/* ---- control ------------------------------------------------------------------------ */

static bool
place_is_v6(const struct neighbour_table *t, uint32_t place)
{
	return place >= t->buckets * NEIGHBOUR_PLACES;
}

static _Atomic uint64_t *
place_word(const struct neighbour_table *t, uint32_t place)
{
	uint32_t bucket = place / NEIGHBOUR_PLACES, i = place % NEIGHBOUR_PLACES;

	return place_is_v6(t, place) ? &t->v6[bucket - t->buckets].word[i] : &t->v4[bucket].word[i];
}

static unsigned
bucket_load(const struct neighbour_table *t, uint32_t bucket)
{
	const bool *taken = &t->taken[bucket * NEIGHBOUR_PLACES];
	unsigned n = 0;

	for (unsigned i = 0; i < NEIGHBOUR_PLACES; i++)
		n += taken[i];
	return n;
}

/* A free place in one of two buckets. */
static uint32_t
place_choose(const struct neighbour_table *t, uint32_t first, uint32_t second)
{
	unsigned load = bucket_load(t, first);
	uint32_t bucket = load < NEIGHBOUR_PLACES / 2 || load <= bucket_load(t, second) ? first : second;

	for (uint32_t place = bucket * NEIGHBOUR_PLACES; place < (bucket + 1) * NEIGHBOUR_PLACES; place++)
		if (!t->taken[place])
			return place;
	return NEIGHBOUR_NO_PLACE;
}

static uint32_t
take_v4(struct neighbour_table *t, uint16_t iface, const struct ip_addr *a)
{
	rte_be32_t address;
	uint32_t place;
	uint64_t key;

	memcpy(&address, a->b, sizeof(address));
	key = neighbour_key_v4(iface, address);
	place = place_choose(t, (uint32_t)(neighbour_bucket_v4(t, key, 0) - t->v4),
		(uint32_t)(neighbour_bucket_v4(t, key, 1) - t->v4));
	if (place != NEIGHBOUR_NO_PLACE)
		atomic_store_explicit(
			&t->v4[place / NEIGHBOUR_PLACES].key[place % NEIGHBOUR_PLACES], key, memory_order_relaxed);
	return place;
}

static uint32_t
take_v6(struct neighbour_table *t, uint16_t iface, const struct ip_addr *a)
{
	struct neighbour_key_v6 key = key_v6(iface, a->b);
	uint32_t place = place_choose(t, t->buckets + (uint32_t)(bucket_v6(t, &key, 0) - t->v6),
		t->buckets + (uint32_t)(bucket_v6(t, &key, 1) - t->v6));

	if (place != NEIGHBOUR_NO_PLACE)
		t->v6[place / NEIGHBOUR_PLACES - t->buckets].key[place % NEIGHBOUR_PLACES] = key;
	return place;
}

uint32_t
neighbour_place_take(struct neighbour_table *t, uint16_t iface, const struct ip_addr *a)
{
	uint32_t place = a->family == IP_V6 ? take_v6(t, iface, a) : take_v4(t, iface, a);

	if (place != NEIGHBOUR_NO_PLACE)
		t->taken[place] = true;
	return place;
}

void
neighbour_place_set(struct neighbour_table *t, uint32_t place, uint64_t word)
{
	atomic_store_explicit(place_word(t, place), word, memory_order_release);
}

uint64_t
neighbour_place_get(const struct neighbour_table *t, uint32_t place)
{
	return atomic_load_explicit(place_word(t, place), memory_order_relaxed);
}

void
neighbour_place_give(struct neighbour_table *t, uint32_t place)
{
	t->taken[place] = false;
}
