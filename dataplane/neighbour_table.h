/* The neighbours as workers see them: (interface, address) -> one 64-bit word.
 *
 * Control writes, workers read without a lock. Only neighbours with a known MAC stand here, so a
 * scan of empty addresses takes no room. A key has two buckets it may live in; a lookup reads at
 * most those two. Why a reader never gets another neighbour's word: the key of a place is written
 * while its word is 0, the word is published after it (release), and a key counts only when read
 * under a word that is not 0 (acquire); a place given up has its word set to 0 first and gets a
 * new key only after the grace period.
 *
 * The one thing workers write: NEIGHBOUR_TOUCHED, by compare-and-swap, in a word that asks for it.
 */
#pragma once

#include "config/address.h"

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NEIGHBOUR_USABLE (1ull << 63)  /* the MAC in the low 48 bits may be used */
#define NEIGHBOUR_ASK (1ull << 62)     /* usable, but control wants to know whether traffic uses it */
#define NEIGHBOUR_TOUCHED (1ull << 61) /* a worker's answer to NEIGHBOUR_ASK */
#define NEIGHBOUR_MAC ((1ull << 48) - 1)

#define NEIGHBOUR_PLACES 4 /* per bucket */

struct neighbour_bucket_v4 {
	_Atomic uint64_t key[NEIGHBOUR_PLACES];
	_Atomic uint64_t word[NEIGHBOUR_PLACES];
} __rte_cache_aligned;

struct neighbour_key_v6 {
	uint64_t address[2];
	uint64_t iface; /* + 1: a key is never all zero */
};

struct neighbour_bucket_v6 {
	_Atomic uint64_t word[NEIGHBOUR_PLACES];
	struct neighbour_key_v6 key[NEIGHBOUR_PLACES]; /* read only under a word that is not 0 */
} __rte_cache_aligned;

struct neighbour_table {
	/* constant after neighbour_table_create */
	struct neighbour_bucket_v4 *v4;
	struct neighbour_bucket_v6 *v6;
	uint64_t secret[3]; /* of the hash: nobody outside can aim at a bucket */
	uint32_t buckets;   /* of each family, a power of two */
	/* control thread */
	bool *taken; /* by place: v4 first, then v6 */
};

_Static_assert(sizeof(struct neighbour_bucket_v4) == 64, "one cache line answers");
_Static_assert(sizeof(struct neighbour_bucket_v6) == 128, "two cache lines answer");

struct neighbour_table *neighbour_table_create(uint32_t capacity);
void neighbour_table_free(struct neighbour_table *t);

/* The word's MAC: its first byte is the lowest, so that storing six bytes of the word writes it. */
static inline uint64_t
neighbour_mac_word(const struct mac_addr *mac)
{
	uint64_t word = 0;

	memcpy(&word, mac->b, sizeof(mac->b));
	return rte_le_to_cpu_64(word);
}

static inline uint64_t
neighbour_key_v4(uint16_t iface, rte_be32_t address)
{
	return 1ull << 48 | (uint64_t)iface << 32 | address;
}

/* Both halves of the product depend on all bits of both factors, together. */
static inline uint64_t
neighbour_mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two buckets from one hash: its low and its high half. */
static inline struct neighbour_bucket_v4 *
neighbour_bucket_v4(const struct neighbour_table *t, uint64_t key, unsigned choice)
{
	uint64_t h = neighbour_mix(key ^ t->secret[0], t->secret[1]);

	return &t->v4[(h >> 32 * choice) & (t->buckets - 1)];
}

/* Worker. Have the bucket near before neighbour_lookup_v4. */
static inline void
neighbour_prefetch_v4(const struct neighbour_table *t, uint16_t iface, rte_be32_t address)
{
	rte_prefetch0(neighbour_bucket_v4(t, neighbour_key_v4(iface, address), 0));
}

/* The published place of a key in one bucket, NULL: not here. The key is read again under the word:
 * a free place bears its last key and may be taken by another between the two. */
static inline _Atomic uint64_t *
neighbour_find_v4(struct neighbour_bucket_v4 *b, uint64_t key)
{
	for (unsigned i = 0; i < NEIGHBOUR_PLACES; i++)
		if (atomic_load_explicit(&b->key[i], memory_order_relaxed) == key &&
			atomic_load_explicit(&b->word[i], memory_order_acquire) &&
			atomic_load_explicit(&b->key[i], memory_order_relaxed) == key)
			return &b->word[i];
	return NULL;
}

/* A word that asks is told that it is used. Lost when control writes at the same time: it knows better. */
static inline uint64_t
neighbour_touch(_Atomic uint64_t *place)
{
	uint64_t word = atomic_load_explicit(place, memory_order_relaxed);

	if (unlikely((word & (NEIGHBOUR_ASK | NEIGHBOUR_TOUCHED)) == NEIGHBOUR_ASK))
		atomic_compare_exchange_strong_explicit(
			place, &(uint64_t){word}, word | NEIGHBOUR_TOUCHED, memory_order_relaxed, memory_order_relaxed);
	return word;
}

/* Worker. The word of the neighbour, 0 when there is none or it is unresolved. */
static inline uint64_t
neighbour_lookup_v4(struct neighbour_table *t, uint16_t iface, rte_be32_t address)
{
	uint64_t key = neighbour_key_v4(iface, address);
	_Atomic uint64_t *place = neighbour_find_v4(neighbour_bucket_v4(t, key, 0), key);

	if (unlikely(!place)) {
		place = neighbour_find_v4(neighbour_bucket_v4(t, key, 1), key);
		if (!place)
			return 0;
	}
	return neighbour_touch(place);
}

uint64_t neighbour_lookup_v6(struct neighbour_table *t, uint16_t iface, const uint8_t address[16]);
void neighbour_prefetch_v6(const struct neighbour_table *t, uint16_t iface, const uint8_t address[16]);

/* Worker. Either family. */
static inline uint64_t
neighbour_lookup(struct neighbour_table *t, uint16_t iface, const struct ip_addr *a)
{
	rte_be32_t v4;

	if (a->family == IP_V6)
		return neighbour_lookup_v6(t, iface, a->b);
	memcpy(&v4, a->b, sizeof(v4));
	return neighbour_lookup_v4(t, iface, v4);
}

/* ---- control ------------------------------------------------------------------------ */

#define NEIGHBOUR_NO_PLACE UINT32_MAX

/* Places of a table of this capacity, of both families together. */
uint32_t neighbour_table_places(uint32_t capacity);

/* Takes a place for the key, nothing published yet. NEIGHBOUR_NO_PLACE: both buckets are full. */
uint32_t neighbour_place_take(struct neighbour_table *t, uint16_t iface, const struct ip_addr *a);
void neighbour_place_set(struct neighbour_table *t, uint32_t place, uint64_t word);
uint64_t neighbour_place_get(const struct neighbour_table *t, uint32_t place);
/* After neighbour_place_set(place, 0) and a grace period. */
void neighbour_place_give(struct neighbour_table *t, uint32_t place);
