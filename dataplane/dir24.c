/* Painting a table: see dir24.h.
 *
 * Tricky: an inner prefix stands behind all that is around it, and before the next disjoint one. So when a /24 gets
 * its block, the word it had is the answer for the whole of it, and no shorter prefix paints over a block later.
 */
#include "dataplane/dir24.h"

#include <rte_malloc.h>

#include <errno.h>

static bool
is_deep(const struct prefix_value *e)
{
	return e->prefix.addr.family == IP_V4 && e->prefix.len > 24;
}

/* One block for each /24 that holds something longer. */
static uint32_t
count_blocks(const struct prefix_list *l)
{
	uint32_t blocks = 0, last = UINT32_MAX;

	for (uint32_t i = 0; i < l->n; i++) {
		uint32_t at = address_v4(&l->entry[i].prefix.addr) >> 8;

		if (!is_deep(&l->entry[i]) || at == last)
			continue;
		last = at;
		blocks++;
	}
	return blocks;
}

static void
fill(uint32_t *word, uint32_t n, uint32_t value)
{
	for (uint32_t i = 0; i < n; i++)
		word[i] = value;
}

static void
paint(struct dir24 *d, const struct prefix_value *e)
{
	uint32_t address = address_v4(&e->prefix.addr), *word = &d->word[address >> 8], *block;

	if (!is_deep(e)) {
		fill(word, 1u << (24 - e->prefix.len), (uint32_t)e->value);
		return;
	}
	if (!(*word & DIR24_DEEPER)) {
		fill(d->block + (size_t)d->n_blocks * DIR24_BLOCK, DIR24_BLOCK, *word);
		*word = DIR24_DEEPER | d->n_blocks++;
	}
	block = d->block + (size_t)(*word & ~DIR24_DEEPER) * DIR24_BLOCK;
	fill(block + (address & 0xff), 1u << (32 - e->prefix.len), (uint32_t)e->value);
}

int
dir24_build(struct dir24 *d, const struct prefix_list *sorted)
{
	uint32_t blocks = count_blocks(sorted);

	*d = (struct dir24){.word = rte_zmalloc("dir24", DIR24_WORDS * sizeof(*d->word), RTE_CACHE_LINE_SIZE)};
	if (blocks > 0)
		d->block = rte_malloc("dir24", (size_t)blocks * DIR24_BLOCK * sizeof(*d->block), RTE_CACHE_LINE_SIZE);
	if (d->word == NULL || (blocks > 0 && d->block == NULL))
		return -ENOMEM;

	for (uint32_t i = 0; i < sorted->n; i++) {
		if (sorted->entry[i].prefix.addr.family == IP_V4)
			paint(d, &sorted->entry[i]);
	}
	return 0;
}

void
dir24_clear(struct dir24 *d)
{
	rte_free(d->word);
	rte_free(d->block);
	*d = (struct dir24){0};
}
