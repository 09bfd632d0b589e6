/* Longest prefix match over very many IPv4 prefixes (DIR-24-8): a word for each /24, and a block of 256 words for each
 * /24 that holds something longer. A lookup is one read, two below /24.
 *
 * Built whole by the builder thread, then only read, by any thread that keeps the object. A build paints the prefixes
 * in their order, outer ones before what lies in them, so it costs little more than writing the words. A changed table
 * is built anew beside the live one; nothing is edited under a reader. (rte_fib takes one route at a time, so a whole
 * table costs it six to ten times as much, and it keeps a second copy of the routes in a tree.)
 */
#pragma once

#include "dataplane/prefix_list.h"

#define DIR24_WORDS (1u << 24)
#define DIR24_BLOCK 256
#define DIR24_DEEPER 0x80000000u /* the word is the number of a block */

struct dir24 {
	uint32_t *word;  /* by the first 24 bits; NULL: not built */
	uint32_t *block; /* [number * DIR24_BLOCK + last 8 bits] */
	uint32_t n_blocks;
};

/* The IPv4 entries of a sorted list (prefix_list_sort); values are below DIR24_DEEPER, 0 where no prefix covers.
 * EAL's heap. 0 or -ENOMEM; dir24_clear is legal after both. */
int dir24_build(struct dir24 *d, const struct prefix_list *sorted);
void dir24_clear(struct dir24 *d);

/* address in host order */
static inline uint32_t
dir24_find(const struct dir24 *d, uint32_t address)
{
	uint32_t word = d->word[address >> 8];

	if (__builtin_expect(word & DIR24_DEEPER, 0))
		word = d->block[(size_t)(word & ~DIR24_DEEPER) * DIR24_BLOCK + (address & 0xff)];
	return word;
}
