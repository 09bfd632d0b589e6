/* Building the classes: one sweep over all prefixes of all sets, outer ones first.
 *
 * Prefixes nest or are disjoint, so an address lies in exactly the sets of the longest prefix that
 * covers it and of the prefixes around that one. The sweep keeps the open prefixes on a stack, each
 * with the union of its own sets and those around it; equal unions are one class. Class 0 lies in none.
 */
#include "dataplane/prefix_sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 131 /* /0 to /128, and the space outside of every prefix */

struct member {
	struct ip_prefix prefix;
	uint32_t set;
};

/* Rows of bits; equal rows are kept once. */
struct rows {
	uint64_t *row;
	uint32_t n, room, words;
	uint32_t *slot; /* open addressing, row + 1, 0 = free */
	uint32_t n_slots;
};

static uint64_t
row_hash(const uint64_t *row, uint32_t words)
{
	uint64_t h = words;

	for (uint32_t i = 0; i < words; i++) {
		h = (h ^ row[i]) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	return h;
}

/* Room for every row there can be. */
static int
rows_init(struct rows *r, uint32_t most, uint32_t words)
{
	*r = (struct rows){.words = words, .n_slots = 16};
	if (most > PREFIX_CLASSES_MAX)
		most = PREFIX_CLASSES_MAX;
	while (r->n_slots < 2 * most)
		r->n_slots *= 2;
	r->slot = calloc(r->n_slots, sizeof(*r->slot));
	return r->slot == NULL ? -ENOMEM : 0;
}

static void
rows_clear(struct rows *r)
{
	free(r->row);
	free(r->slot);
	*r = (struct rows){0};
}

static int
rows_append(struct rows *r, const uint64_t *row)
{
	if (r->n == PREFIX_CLASSES_MAX)
		return -E2BIG;
	if (r->n == r->room) {
		uint32_t room = r->room ? 2 * r->room : 64;
		uint64_t *bigger = realloc(r->row, (size_t)room * r->words * sizeof(*row));

		if (bigger == NULL)
			return -ENOMEM;
		r->row = bigger;
		r->room = room;
	}
	memcpy(r->row + (size_t)r->n++ * r->words, row, r->words * sizeof(*row));
	return 0;
}

/* The number of this row, or -errno. */
static int64_t
rows_number(struct rows *r, const uint64_t *row)
{
	uint32_t at = (uint32_t)row_hash(row, r->words) & (r->n_slots - 1);
	int rc;

	for (; r->slot[at] != 0; at = (at + 1) & (r->n_slots - 1)) {
		uint32_t n = r->slot[at] - 1;

		if (memcmp(r->row + (size_t)n * r->words, row, r->words * sizeof(*row)) == 0)
			return n;
	}
	rc = rows_append(r, row);
	if (rc != 0)
		return rc;
	r->slot[at] = r->n;
	return r->n - 1;
}

/* ---- the sweep -------------------------------------------------------------------- */

static int
member_compare(const void *a, const void *b)
{
	const struct member *l = a, *r = b;
	int order = prefix_compare(&l->prefix, &r->prefix);

	return order != 0 ? order : (l->set > r->set) - (l->set < r->set);
}

/* Host bits would break the nesting. */
static bool
take_prefix(struct ip_prefix *to, const struct ip_prefix *from)
{
	*to = *from;
	if (from->addr.family != IP_V4 && from->addr.family != IP_V6)
		return false;
	if (from->len > address_bits(&from->addr))
		return false;
	for (uint32_t bit = from->len; bit < 128; bit++)
		to->addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return true;
}

/* Every prefix of every set, sorted. */
static int
gather(const struct prefix_set *set, uint32_t n_sets, struct member **out, uint32_t *count)
{
	uint64_t total = 0;
	uint32_t n = 0;

	for (uint32_t s = 0; s < n_sets; s++)
		total += set[s].n;
	if (total > PREFIX_SETS_MAX)
		return -E2BIG;
	*out = malloc((total + 1) * sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;

	for (uint32_t s = 0; s < n_sets; s++) {
		for (uint32_t i = 0; i < set[s].n; i++) {
			if (!take_prefix(&(*out)[n].prefix, &set[s].prefix[i]))
				return -EINVAL;
			(*out)[n++].set = s;
		}
	}
	qsort(*out, n, sizeof(**out), member_compare);
	*count = n;
	return 0;
}

struct sweep {
	struct rows *rows;
	struct ip_prefix open[OPEN_MAX];
	uint64_t *row; /* OPEN_MAX of them, by depth; [0] is empty */
	uint32_t depth;
};

/* Open the prefix of m[0]: its row is the one around it and the sets of all equal prefixes. */
static uint32_t
open_prefix(struct sweep *s, const struct member *m, uint32_t n)
{
	uint32_t words = s->rows->words, used = 0;
	uint64_t *row;

	while (s->depth > 1 && !prefix_covers(&s->open[s->depth - 1], &m->prefix))
		s->depth--;
	row = s->row + (size_t)s->depth * words;
	memcpy(row, row - words, words * sizeof(*row));
	s->open[s->depth++] = m->prefix;

	for (; used < n && prefix_equal(&m[used].prefix, &m->prefix); used++)
		row[m[used].set / 64] |= 1ull << m[used].set % 64;
	return used;
}

/* Distinct prefixes with the number of their row; row 0 is the empty one. */
static int
sweep(struct rows *rows, const struct member *m, uint32_t n, struct prefix_value *out, uint32_t *count)
{
	struct sweep s = {.rows = rows, .depth = 1};
	int64_t number;

	s.row = calloc((size_t)OPEN_MAX * rows->words, sizeof(*s.row));
	if (s.row == NULL)
		return -ENOMEM;
	number = rows_number(rows, s.row);

	*count = 0;
	for (uint32_t i = 0; i < n && number >= 0;) {
		out[*count].prefix = m[i].prefix;
		i += open_prefix(&s, m + i, n - i);
		number = rows_number(rows, s.row + (size_t)(s.depth - 1) * rows->words);
		out[(*count)++].value = (uint64_t)number;
	}
	free(s.row);
	return number < 0 ? (int)number : 0;
}

/* ---- all ---- */

/* The class of an address is the number of its row. */
static int
build_intervals(struct prefix_sets *s, const struct prefix_value *entry, uint32_t n)
{
	if (intervals4_build(&s->v4, entry, n, 0) != 0)
		return -ENOMEM;
	return intervals6_build(&s->v6, entry, n, 0);
}

int
prefix_sets_build(struct prefix_sets *s, const struct prefix_set *set, uint32_t n_sets)
{
	struct prefix_value *entry = NULL;
	struct member *member = NULL;
	struct rows rows = {0};
	uint32_t n = 0, distinct;
	int rc;

	*s = (struct prefix_sets){0};
	rc = gather(set, n_sets, &member, &n);
	if (rc != 0)
		goto out;
	rc = rows_init(&rows, n + 1, n_sets ? (n_sets + 63) / 64 : 1);
	entry = malloc((n + 1) * sizeof(*entry));
	if (rc != 0 || entry == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	rc = sweep(&rows, member, n, entry, &distinct);
	if (rc == 0)
		rc = build_intervals(s, entry, distinct);
	if (rc == 0) {
		s->member = rows.row;
		s->n_classes = rows.n;
		s->words = rows.words;
		rows.row = NULL;
	}
out:
	rows_clear(&rows);
	free(entry);
	free(member);
	return rc;
}

void
prefix_sets_seal(struct prefix_sets *s)
{
	free(s->member);
	s->member = NULL;
}

void
prefix_sets_clear(struct prefix_sets *s)
{
	intervals4_clear(&s->v4);
	intervals6_clear(&s->v6);
	free(s->member);
	*s = (struct prefix_sets){0};
}
