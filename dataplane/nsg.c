/* Compiling rules for rte_acl, and asking it.
 *
 * Tricky: rte_acl gives back one user word per match, 0 for none, so it holds the rule's index and one.
 */
#include "dataplane/nsg.h"

#include "dataplane/acl_content.h"
#include "dataplane/acl_rule.h"
#include "dataplane/prefix_sets.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERDICT_BATCH BURST_MAX

#define FIELD(id, form, member, word)                                                                                  \
	[FIELD_##id] = {RTE_ACL_FIELD_TYPE_##form, sizeof(((struct acl_key *)NULL)->member), FIELD_##id, word,         \
		offsetof(struct acl_key, member)}

static const struct rte_acl_config acl_config = {
	.num_categories = 1,
	.num_fields = FIELD_COUNT,
	.max_size = ACL_BYTES_MAX,
	.defs =
		{
			FIELD(PROTOCOL, BITMASK, protocol, 0),
			FIELD(SOURCE_TAGS, BITMASK, source_tags, 1),
			FIELD(DESTINATION_TAGS, BITMASK, destination_tags, 1),
			FIELD(SOURCE_CLASS, RANGE, source_class, 1),
			FIELD(DESTINATION_CLASS, RANGE, destination_class, 2),
			FIELD(SOURCE_PORT, RANGE, source_port, 2),
			FIELD(DESTINATION_PORT, RANGE, destination_port, 3),
			FIELD(FAMILY, BITMASK, family, 3),
			FIELD(FILLER, BITMASK, filler, 3),
		},
};

struct acl {
	struct rte_acl_ctx *context; /* NULL: nothing can match */
	struct prefix_sets source, destination;
	struct nsg_verdict *verdict; /* by user word; [0] is no match: deny */
	uint32_t n_rules, n_entries;
	struct acl_content content;
	atomic_uint references;
};

/* ---- the sets of one side ------------------------------------------------------------- */

/* Rules that list the same prefixes (an ASG in many rules) share a set. */
struct side {
	struct prefix_set *set;
	uint32_t n;
	uint32_t *of_rule; /* SET_NONE: any address */
};

static void
side_clear(struct side *s)
{
	free(s->set);
	free(s->of_rule);
}

static uint32_t
side_find(const struct side *s, const struct acl_side_spec *r)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->set[i].n == r->n_prefixes &&
			memcmp(s->set[i].prefix, r->prefix, r->n_prefixes * sizeof(*r->prefix)) == 0)
			return i;
	}
	return s->n;
}

static const struct acl_side_spec *
side_of(const struct acl_rule_spec *r, bool destination)
{
	return destination ? &r->destination : &r->source;
}

static bool
rule_matches_nothing(const struct acl_rule_spec *r)
{
	return r->source.nothing || r->destination.nothing;
}

static int
side_gather(struct side *s, const struct acl_spec *spec, bool destination)
{
	s->set = calloc(spec->n, sizeof(*s->set));
	s->of_rule = calloc(spec->n, sizeof(*s->of_rule));
	if (s->set == NULL || s->of_rule == NULL)
		return -ENOMEM;

	for (uint32_t i = 0; i < spec->n; i++) {
		const struct acl_side_spec *r = side_of(&spec->rule[i], destination);

		s->of_rule[i] = SET_NONE;
		if (r->n_prefixes == 0 || rule_matches_nothing(&spec->rule[i]))
			continue;
		s->of_rule[i] = side_find(s, r);
		if (s->of_rule[i] == s->n)
			s->set[s->n++] = (struct prefix_set){r->prefix, r->n_prefixes};
	}
	return 0;
}

/* ---- all rules -------------------------------------------------------------------------- */

struct entries {
	struct acl_entry *e;
	uint32_t n, room;
};

static int
entries_add(struct entries *l, const struct factors *f, uint32_t rule)
{
	uint32_t n = (uint32_t)factors_product(f);

	if (l->n + n > l->room) {
		uint32_t room = RTE_MAX(2 * l->room, l->n + n + 64);
		struct acl_entry *bigger = realloc(l->e, room * sizeof(*l->e));

		if (bigger == NULL)
			return -ENOMEM;
		l->e = bigger;
		l->room = room;
	}
	for (uint32_t k = 0; k < n; k++) {
		struct acl_entry *e = &l->e[l->n++];

		e->data = (struct rte_acl_rule_data){
			.category_mask = 1, .priority = (int32_t)(ACL_RULES_MAX - rule), .userdata = rule + 1};
		factors_entry(f, k, e);
	}
	return 0;
}

static int
compile_rule(struct entries *l, const struct acl_spec *spec, uint32_t rule, struct rule_side source,
	struct rule_side destination, char *error, size_t error_size)
{
	struct factors f;
	int rc = factors_build(&f, &spec->rule[rule], source, destination);

	if (rc == -EINVAL) {
		snprintf(error, error_size, "rule %u: a port range ends before it starts", rule);
	} else if (rc != 0) {
		snprintf(error, error_size, "rule %u: no memory", rule);
	} else if (l->n + factors_product(&f) > ACL_ENTRIES_MAX) {
		snprintf(error, error_size,
			"rule %u: its addresses and ports multiply to %llu entries (%u x %u classes of addresses, %u x "
			"%u port "
			"ranges); with the rules before it that is more than the %u an NSG may have",
			rule, (unsigned long long)factors_product(&f), f.source_class.n, f.destination_class.n,
			f.source_port.n, f.destination_port.n, ACL_ENTRIES_MAX);
		rc = -E2BIG;
	} else {
		rc = entries_add(l, &f, rule);
		if (rc != 0)
			snprintf(error, error_size, "rule %u: no memory", rule);
	}
	factors_clear(&f);
	return rc;
}

static int
compile_rules(struct entries *l, const struct acl *a, const struct acl_spec *spec, const struct side *source,
	const struct side *destination, char *error, size_t error_size)
{
	for (uint32_t i = 0; i < spec->n; i++) {
		struct rule_side s = {&a->source, source->of_rule[i]}, d = {&a->destination, destination->of_rule[i]};
		int rc;

		if (rule_matches_nothing(&spec->rule[i]))
			continue;
		rc = compile_rule(l, spec, i, s, d, error, error_size);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Names of contexts are global in EAL, and a second one of the same name would be the first one again. */
static int
build_context(struct acl *a, const struct entries *l, char *error, size_t error_size)
{
	static atomic_uint serial;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = {.name = name, .socket_id = SOCKET_ID_ANY, .rule_size = sizeof(struct acl_entry)};
	int rc;

	snprintf(name, sizeof(name), "nsg-%u", atomic_fetch_add(&serial, 1));
	param.max_rule_num = l->n;
	a->context = rte_acl_create(&param);
	if (a->context == NULL) {
		snprintf(error, error_size, "no memory for %u compiled rules", l->n);
		return -ENOMEM;
	}
	rc = rte_acl_add_rules(a->context, (const struct rte_acl_rule *)l->e, l->n);
	if (rc == 0)
		rc = rte_acl_build(a->context, &acl_config);
	if (rc != 0)
		snprintf(error, error_size, "%u compiled rules do not fit: %s", l->n, strerror(-rc));
	a->n_entries = l->n;
	return rc;
}

static int
build_sets(struct prefix_sets *s, const struct side *side, const char *which, char *error, size_t error_size)
{
	int rc = prefix_sets_build(s, side->set, side->n);

	if (rc == -EINVAL)
		snprintf(error, error_size, "a %s prefix is malformed", which);
	else if (rc == -E2BIG)
		snprintf(error, error_size,
			"more than %u %s prefixes, or more than %u ways in which rules overlap on them",
			PREFIX_SETS_MAX, which, PREFIX_CLASSES_MAX);
	else if (rc != 0)
		snprintf(error, error_size, "no memory for %s prefixes", which);
	return rc;
}

static int
compile(struct acl *a, const struct acl_spec *spec, char *error, size_t error_size)
{
	struct side source = {0}, destination = {0};
	struct entries l = {0};
	int rc = side_gather(&source, spec, false);

	if (rc == 0)
		rc = side_gather(&destination, spec, true);
	if (rc != 0) {
		snprintf(error, error_size, "no memory for %u rules", spec->n);
		goto out;
	}
	rc = build_sets(&a->source, &source, "source", error, error_size);
	if (rc == 0)
		rc = build_sets(&a->destination, &destination, "destination", error, error_size);
	if (rc == 0)
		rc = compile_rules(&l, a, spec, &source, &destination, error, error_size);
	if (rc == 0 && l.n > 0)
		rc = build_context(a, &l, error, error_size);
	prefix_sets_seal(&a->source);
	prefix_sets_seal(&a->destination);
out:
	free(l.e);
	side_clear(&source);
	side_clear(&destination);
	return rc;
}

static int
take_verdicts(struct acl *a, const struct acl_spec *spec)
{
	a->n_rules = spec->n;
	a->verdict = calloc(spec->n + 1, sizeof(*a->verdict));
	if (a->verdict == NULL)
		return -ENOMEM;
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
	if (take_verdicts(a, spec) != 0 || (spec->n > 0 && compile(a, spec, error, error_size) != 0)) {
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
	rte_acl_free(a->context);
	prefix_sets_clear(&a->source);
	prefix_sets_clear(&a->destination);
	acl_content_clear(&a->content);
	free(a->verdict);
	free(a);
}

bool
acl_same(const struct acl *a, const struct acl_spec *spec)
{
	return a->n_rules == spec->n && acl_content_same(&a->content, spec);
}

/* ---- asking ------------------------------------------------------------------------------ */

static void
classes_of(const struct acl *a, const struct nsg_key *k, struct acl_key *out)
{
	*out = (struct acl_key){
		.protocol = k->protocol,
		.source_tags = k->source_tags,
		.destination_tags = k->destination_tags,
		.source_class = rte_cpu_to_be_16(prefix_sets_class(&a->source, k->family, k->source)),
		.destination_class = rte_cpu_to_be_16(prefix_sets_class(&a->destination, k->family, k->destination)),
		.source_port = rte_cpu_to_be_16(k->source_port),
		.destination_port = rte_cpu_to_be_16(k->destination_port),
		.family = k->family,
	};
}

static void
verdicts(const struct acl *a, const struct nsg_key *key, uint32_t n, struct nsg_verdict *out)
{
	struct acl_key word[VERDICT_BATCH];
	const uint8_t *data[VERDICT_BATCH];
	uint32_t match[VERDICT_BATCH];

	for (uint32_t i = 0; i < n; i++) {
		classes_of(a, &key[i], &word[i]);
		data[i] = (const uint8_t *)&word[i];
	}

	rte_acl_classify(a->context, data, match, n, 1);

	for (uint32_t i = 0; i < n; i++)
		out[i] = a->verdict[match[i]];
}

void
acl_verdicts(const struct acl *a, const struct nsg_key *key, uint32_t n, struct nsg_verdict *out)
{
	if (a->context == NULL) {
		for (uint32_t i = 0; i < n; i++)
			out[i] = a->verdict[0];
		return;
	}
	for (uint32_t i = 0; i < n; i += VERDICT_BATCH)
		verdicts(a, key + i, RTE_MIN(n - i, (uint32_t)VERDICT_BATCH), out + i);
}
