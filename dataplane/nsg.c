/* Compiled rules: what is kept of them, who shares them, and asking them.
 *
 * Tricky: rules are counted from 1 where 0 means that none matched.
 */
#include "dataplane/nsg.h"

#include "dataplane/acl_content.h"
#include "dataplane/rule_rows.h"

#include <rte_prefetch.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(ACL_RULES_MAX <= 64 * RULES_PER_WORD, "a row's summary is one word");

#define VERDICT_BATCH 16 /* packets whose rows are fetched together */

struct acl {
	struct rule_rows rows;
	struct nsg_verdict *verdict; /* by rule + 1; [0] is no match: deny */
	uint32_t n_rules;
	struct acl_content content;
	atomic_uint references;
};

static int
take_verdicts(struct acl *a, const struct acl_spec *spec)
{
	a->n_rules = spec->n;
	a->verdict = calloc(spec->n + 1, sizeof(*a->verdict));
	if (a->verdict == NULL)
		return -1;
	a->verdict[0] = (struct nsg_verdict){false, NAME_NONE};
	for (uint32_t i = 0; i < spec->n; i++)
		a->verdict[i + 1] = (struct nsg_verdict){spec->rule[i].allow, spec->rule[i].name};
	return acl_content_take(&a->content, spec);
}

struct acl *
acl_build(const struct acl_spec *spec, char *error, size_t error_size)
{
	struct acl *a;

	if (spec->n > ACL_RULES_MAX) {
		snprintf(error, error_size, "%u rules in one direction; an NSG may have %u", spec->n, ACL_RULES_MAX);
		return NULL;
	}
	snprintf(error, error_size, "no memory for %u rules", spec->n);
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	atomic_init(&a->references, 1);
	if (take_verdicts(a, spec) != 0 ||
		(spec->n > 0 && rule_rows_build(&a->rows, spec, ACL_BYTES_MAX, error, error_size) != 0)) {
		acl_free(a);
		return NULL;
	}
	return a;
}

struct acl *
acl_ref(struct acl *a)
{
	atomic_fetch_add_explicit(&a->references, 1, memory_order_relaxed);
	return a;
}

void
acl_free(struct acl *a)
{
	if (a == NULL || atomic_fetch_sub_explicit(&a->references, 1, memory_order_acq_rel) > 1)
		return;
	rule_rows_clear(&a->rows);
	acl_content_clear(&a->content);
	free(a->verdict);
	free(a);
}

uint64_t
acl_spec_hash(const struct acl_spec *spec)
{
	return acl_content_hash(spec);
}

uint64_t
acl_hash(const struct acl *a)
{
	return a->content.hash;
}

bool
acl_same(const struct acl *a, const struct acl_spec *spec)
{
	return a->n_rules == spec->n && acl_content_same(&a->content, spec);
}

/* ---- asking ---- */

/* The seven rows of one packet. */
struct rows_of {
	const uint64_t *row[ROW_KINDS];
};

static inline void
row_take(const struct rule_rows *r, struct rows_of *o, enum row_kind kind, uint32_t n)
{
	o->row[kind] = r->row[kind] + (size_t)n * r->words;
	rte_prefetch0(o->row[kind]);
}

static void
rows_take(const struct rule_rows *r, const struct nsg_key *k, struct rows_of *o)
{
	row_take(r, o, ROW_SOURCE, prefix_sets_class(&r->source, k->family, k->source));
	row_take(r, o, ROW_DESTINATION, prefix_sets_class(&r->destination, k->family, k->destination));
	row_take(r, o, ROW_SOURCE_PORT, port_interval(&r->source_port, k->source_port));
	row_take(r, o, ROW_DESTINATION_PORT, port_interval(&r->destination_port, k->destination_port));
	row_take(r, o, ROW_PROTOCOL, r->protocol[k->family == IP_V6][k->protocol]);
	row_take(r, o, ROW_SOURCE_TAGS, r->source_tags[k->source_tags]);
	row_take(r, o, ROW_DESTINATION_TAGS, r->destination_tags[k->destination_tags]);
}

static inline uint64_t
in_all_rows(const struct rows_of *o, uint32_t word)
{
	uint64_t bits = o->row[0][word];

	for (int kind = 1; kind < ROW_KINDS; kind++)
		bits &= o->row[kind][word];
	return bits;
}

/* The first rule that is content in every respect, and one; 0: none is. */
static uint32_t
first_rule(const struct rows_of *o)
{
	for (uint64_t words = in_all_rows(o, 0); words != 0; words &= words - 1) {
		uint32_t word = (uint32_t)__builtin_ctzll(words);
		uint64_t rules = in_all_rows(o, 1 + word);

		if (rules != 0)
			return word * RULES_PER_WORD + (uint32_t)__builtin_ctzll(rules) + 1;
	}
	return 0;
}

static void
verdicts(const struct acl *a, const struct nsg_key *const *key, uint32_t n, struct nsg_verdict *out)
{
	struct rows_of rows[VERDICT_BATCH];

	for (uint32_t i = 0; i < n; i++)
		rows_take(&a->rows, key[i], &rows[i]);
	for (uint32_t i = 0; i < n; i++)
		out[i] = a->verdict[first_rule(&rows[i])];
}

void
acl_verdicts(const struct acl *a, const struct nsg_key *const *key, uint32_t n, struct nsg_verdict *out)
{
	if (a->n_rules == 0) {
		for (uint32_t i = 0; i < n; i++)
			out[i] = a->verdict[0];
		return;
	}
	for (uint32_t i = 0; i < n; i += VERDICT_BATCH)
		verdicts(a, key + i, RTE_MIN(n - i, (uint32_t)VERDICT_BATCH), out + i);
}
