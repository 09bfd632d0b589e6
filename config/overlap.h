/* Which prefixes of a list overlap. Internal to config/. Pure, any thread. */
#pragma once

#include "config/address.h"

struct overlap_item {
	struct ip_prefix prefix;
	uint32_t owner;     /* the caller's */
	const void *at;     /* the caller's: where the prefix is kept */
	int64_t covered_by; /* overlap_each's: the nearest earlier item around this one */
};

/* Calls found() for every two items that overlap, the wider one (or an equal one) first, until it
 * says false. Sorts the items. n log n, and one call per pair. */
void overlap_each(struct overlap_item *items, size_t n,
	bool (*found)(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow), void *arg);
