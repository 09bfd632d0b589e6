/* Longest prefix match over a modest number of prefixes, flattened to disjoint intervals.
 *
 * Nested prefixes become a sorted list of intervals that cover the whole address space; a lookup
 * finds the first interval whose last address is not below the key. IPv4 keys lie in a static B+ tree
 * of 16 keys per node (one node is one cache line), so tens of prefixes cost two nodes and
 * thousands four; IPv6 keys are searched by halving, without branches.
 *
 * Built once by the builder thread (libc memory, no EAL needed), then only read: lookups from any
 * thread that keeps the object. Values are 64 bits of the owner's choice.
 */
#pragma once

#include "config/address.h"

#include <emmintrin.h>
#include <stdint.h>

#define INTERVALS_NODE 16  /* keys per node of the IPv4 tree */
#define INTERVALS_LEVELS 7 /* 17^7 intervals: more than IPv4 has prefixes worth storing */

struct prefix_value {
	struct ip_prefix prefix;
	uint64_t value;
};

/* One family's intervals. All zero is legal and matches nothing (value 0). */
struct intervals4 {
	uint32_t levels;                   /* of the tree, leaves included */
	uint32_t offset[INTERVALS_LEVELS]; /* first key of each level, leaves are level 0 */
	int32_t *key;                      /* last address of each interval, biased to compare signed */
	uint64_t *value;                   /* by leaf position */
};

struct intervals6 {
	uint32_t n;
	unsigned __int128 *last; /* last address of each interval, host order */
	uint64_t *value;
};

/* Entries of the other family are skipped; entries must be sorted by prefix_compare and have no
 * duplicates. `fallback` is the value where no prefix covers. Returns 0 or -ENOMEM. */
int intervals4_build(struct intervals4 *t, const struct prefix_value *entry, uint32_t n, uint64_t fallback);
int intervals6_build(struct intervals6 *t, const struct prefix_value *entry, uint32_t n, uint64_t fallback);
void intervals4_clear(struct intervals4 *t);
void intervals6_clear(struct intervals6 *t);

typedef int32_t intervals_lane __attribute__((vector_size(16)));

/* How many of a node's 16 keys are below the wanted one. */
static inline uint32_t
intervals4_below(const int32_t *node, int32_t wanted)
{
	const intervals_lane *k = __builtin_assume_aligned(node, 64);
	intervals_lane w = {wanted, wanted, wanted, wanted};
	__m128i low = _mm_packs_epi32((__m128i)(k[0] < w), (__m128i)(k[1] < w));
	__m128i high = _mm_packs_epi32((__m128i)(k[2] < w), (__m128i)(k[3] < w));

	/* keys are sorted: those below come first */
	return (uint32_t)__builtin_ctz(~(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high)));
}

/* address in host order */
static inline uint64_t
intervals4_find(const struct intervals4 *t, uint32_t address)
{
	int32_t wanted = (int32_t)(address ^ 0x80000000u);
	uint32_t at = 0; /* position inside the level, in keys */

	for (uint32_t level = t->levels - 1; level > 0; level--) {
		uint32_t below = intervals4_below(t->key + t->offset[level] + at, wanted);

		at = at * (INTERVALS_NODE + 1) + below * INTERVALS_NODE;
	}
	return t->value[at + intervals4_below(t->key + at, wanted)];
}

static inline uint32_t
intervals4_key(const uint8_t address[4])
{
	return (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 | (uint32_t)address[2] << 8 | address[3];
}

static inline unsigned __int128
intervals6_key(const uint8_t address[16])
{
	uint64_t high, low;

	__builtin_memcpy(&high, address, 8);
	__builtin_memcpy(&low, address + 8, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	high = __builtin_bswap64(high);
	low = __builtin_bswap64(low);
#endif
	return (unsigned __int128)high << 64 | low;
}

static inline uint64_t
intervals6_find(const struct intervals6 *t, unsigned __int128 wanted)
{
	const unsigned __int128 *base = t->last;
	uint32_t n = t->n;

	while (n > 1) {
		uint32_t half = n / 2;

		base += half & -(uint32_t)(base[half - 1] < wanted); /* a mask: compilers like to branch here */
		n -= half;
	}
	return t->value[base - t->last];
}
