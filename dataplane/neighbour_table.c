/* The neighbour table: making it, the lookup of IPv6, control's side.
 *
 * Buckets are sized for twice the capacity, so that a key with two buckets to choose from finds a
 * place; should it not, the neighbour is refused and its packets are dropped by name.
 */
#include "dataplane/neighbour_table.h"

#include <rte_malloc.h>
#include <rte_random.h>

#include <stdlib.h>

#define BUCKETS_MIN 16

struct neighbour_table *
neighbour_table_create(uint32_t capacity)
{
	struct neighbour_table *t = calloc(1, sizeof(*t));
	uint32_t buckets = rte_align32pow2(2 * (capacity / NEIGHBOUR_PLACES) + 1);

	if (!t)
		return NULL;
	t->buckets = buckets < BUCKETS_MIN ? BUCKETS_MIN : buckets;
	t->shift = 64 - rte_log2_u32(t->buckets);
	for (unsigned i = 0; i < RTE_DIM(t->multiplier); i++)
		t->multiplier[i] = rte_rand() | 1;

	t->v4 = rte_zmalloc("neighbour_v4", t->buckets * sizeof(*t->v4), RTE_CACHE_LINE_SIZE);
	t->v6 = rte_zmalloc("neighbour_v6", t->buckets * sizeof(*t->v6), RTE_CACHE_LINE_SIZE);
	t->taken = calloc(2 * (size_t)t->buckets * NEIGHBOUR_PLACES, sizeof(*t->taken));
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
	const uint64_t *m = &t->multiplier[choice];
	uint64_t h = (k->address[0] + m[0]) * m[1] ^ (k->address[1] * m[2] + k->iface * m[1]);

	return &t->v6[(h * m[0]) >> t->shift];
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

/* The first free place of a bucket, by the number of the bucket's first place. */
static uint32_t
place_free(const struct neighbour_table *t, uint32_t first)
{
	for (uint32_t place = first; place < first + NEIGHBOUR_PLACES; place++)
		if (!t->taken[place])
			return place;
	return NEIGHBOUR_NO_PLACE;
}

static uint32_t
take_v4(struct neighbour_table *t, uint16_t iface, const struct ip_addr *a)
{
	rte_be32_t address;
	uint64_t key;

	memcpy(&address, a->b, sizeof(address));
	key = neighbour_key_v4(iface, address);
	for (unsigned choice = 0; choice < 2; choice++) {
		struct neighbour_bucket_v4 *b = neighbour_bucket_v4(t, key, choice);
		uint32_t place = place_free(t, (uint32_t)(b - t->v4) * NEIGHBOUR_PLACES);

		if (place == NEIGHBOUR_NO_PLACE)
			continue;
		atomic_store_explicit(&b->key[place % NEIGHBOUR_PLACES], key, memory_order_release);
		return place;
	}
	return NEIGHBOUR_NO_PLACE;
}

static uint32_t
take_v6(struct neighbour_table *t, uint16_t iface, const struct ip_addr *a)
{
	struct neighbour_key_v6 key = key_v6(iface, a->b);

	for (unsigned choice = 0; choice < 2; choice++) {
		struct neighbour_bucket_v6 *b = bucket_v6(t, &key, choice);
		uint32_t place = place_free(t, (t->buckets + (uint32_t)(b - t->v6)) * NEIGHBOUR_PLACES);

		if (place == NEIGHBOUR_NO_PLACE)
			continue;
		b->key[place % NEIGHBOUR_PLACES] = key;
		return place;
	}
	return NEIGHBOUR_NO_PLACE;
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
