/* The content of a table in one canonical form: sorted, without duplicates, each with a value.
 *
 * Tables keep theirs, so that "equal to the one the last view has" is a comparison, not a hope.
 * Builder thread.
 */
#pragma once

#include "dataplane/intervals.h"

struct prefix_list {
	struct prefix_value *entry;
	uint32_t n;
};

/* Room for n entries, to be filled by the caller and then closed with prefix_list_sort. -ENOMEM. */
int prefix_list_init(struct prefix_list *l, uint32_t n);
/* Sort; a prefix that stands twice, is too long or has host bits: -EINVAL and a text. */
int prefix_list_sort(struct prefix_list *l, char *error, size_t error_size);
bool prefix_list_equal(const struct prefix_list *a, const struct prefix_list *b);
/* Independent of the order of entries. */
uint64_t prefix_hash(uint64_t hash, const struct ip_prefix *p, uint64_t value);
void prefix_list_clear(struct prefix_list *l);
