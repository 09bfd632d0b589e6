/* In which of many sets of prefixes does an address lie? The answer is one small number, its class.
 *
 * Two addresses have the same class when they lie in the same sets. There are never more classes than
 * distinct prefixes and one, and mostly far fewer: a list of 4,000 prefixes that only one rule uses
 * is a single class.
 *
 * Build: builder thread (libc memory). prefix_sets_class: any thread that keeps the object.
 */
#pragma once

#include "dataplane/intervals.h"

#include <stdbool.h>

#define PREFIX_CLASSES_MAX 65536
#define PREFIX_SETS_MAX 4000000 /* prefixes of all sets together */

struct prefix_set {
	const struct ip_prefix *prefix;
	uint32_t n;
};

struct prefix_sets {
	struct intervals4 v4;
	struct intervals6 v6;
	uint32_t n_classes;
	/* while building only */
	uint64_t *member; /* per class a row of `words`: bit s = lies in set s */
	uint32_t words;
};

/* 0, -ENOMEM, -EINVAL (a malformed prefix) or -E2BIG (too many prefixes or classes). prefix_sets_clear is legal after
 * each. */
int prefix_sets_build(struct prefix_sets *s, const struct prefix_set *set, uint32_t n_sets);
/* The membership of classes is known until this is called. */
void prefix_sets_seal(struct prefix_sets *s);
void prefix_sets_clear(struct prefix_sets *s);

static inline bool
prefix_sets_has(const struct prefix_sets *s, uint32_t class, uint32_t set)
{
	return s->member[(size_t) class * s->words + set / 64] >> set % 64 & 1;
}

static inline uint16_t
prefix_sets_class(const struct prefix_sets *s, uint8_t family, const uint8_t address[16])
{
	if (family == IP_V6)
		return (uint16_t)intervals6_find(&s->v6, intervals6_key(address));

	return (uint16_t)intervals4_find(&s->v4, intervals4_key(address));
}
