/* Prefixes nest or are apart. In the order of address, then length, everything around an item
 * came before it, and forms a chain: from its neighbour outwards. So each item walks up the
 * chain of the one before until it finds what covers it, and the rest of that chain does too.
 */
#include "config/overlap.h"

#include <stdlib.h>

static int
item_order(const void *a, const void *b)
{
	const struct overlap_item *x = a, *y = b;
	int order = prefix_compare(&x->prefix, &y->prefix);

	if (order != 0)
		return order;
	return x->owner < y->owner ? -1 : x->owner > y->owner;
}

void
overlap_each(struct overlap_item *items, size_t n,
	bool (*found)(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow), void *arg)
{
	if (n == 0)
		return;
	qsort(items, n, sizeof(*items), item_order);
	for (size_t i = 0; i < n; i++) {
		int64_t up = (int64_t)i - 1;

		while (up >= 0 && !prefix_covers(&items[up].prefix, &items[i].prefix))
			up = items[up].covered_by;
		items[i].covered_by = up;
		for (; up >= 0; up = items[up].covered_by)
			if (!found(arg, &items[up], &items[i]))
				return;
	}
}
