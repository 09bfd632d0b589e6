/* Filling the rows. Rules that match nothing have no bit in any protocol's row. */
#include "dataplane/rule_rows.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
row_set(uint64_t *row, uint32_t rule)
{
	row[0] |= 1ull << rule / RULES_PER_WORD;
	row[1 + rule / RULES_PER_WORD] |= 1ull << rule % RULES_PER_WORD;
}

static const struct acl_side_spec *
side_of(const struct acl_rule_spec *r, bool destination)
{
	return destination ? &r->destination : &r->source;
}

/* Rows that are to be filled; what all of them may take is bounded. */
static int
rows_make(struct rule_rows *r, enum row_kind kind, uint32_t n, size_t *left)
{
	size_t bytes = (size_t)n * r->words * sizeof(uint64_t);

	if (bytes > *left)
		return -E2BIG;
	*left -= bytes;
	r->row[kind] = aligned_alloc(64, (bytes + 63) / 64 * 64);
	if (r->row[kind] == NULL)
		return -ENOMEM;
	memset(r->row[kind], 0, bytes);
	return 0;
}

static uint64_t *
row_at(const struct rule_rows *r, enum row_kind kind, uint32_t n)
{
	return r->row[kind] + (size_t)n * r->words;
}

/* ---- addresses --------------------------------------------------------------------------- */

#define SET_NONE UINT32_MAX

/* Rules that list the same prefixes (an ASG in many rules) share a set. */
struct side_sets {
	struct prefix_set *set;
	uint32_t n;
	uint32_t *of_rule; /* SET_NONE: any address */
};

static uint32_t
set_find(const struct side_sets *s, const struct acl_side_spec *r)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->set[i].n != r->n_prefixes)
			continue;
		if (s->set[i].prefix == r->prefix ||
			memcmp(s->set[i].prefix, r->prefix, r->n_prefixes * sizeof(*r->prefix)) == 0)
			return i;
	}
	return s->n;
}

static int
sets_gather(struct side_sets *s, const struct acl_spec *spec, bool destination)
{
	s->set = calloc(spec->n, sizeof(*s->set));
	s->of_rule = calloc(spec->n, sizeof(*s->of_rule));
	if (s->set == NULL || s->of_rule == NULL)
		return -ENOMEM;

	for (uint32_t i = 0; i < spec->n; i++) {
		const struct acl_side_spec *r = side_of(&spec->rule[i], destination);

		s->of_rule[i] = SET_NONE;
		if (r->n_prefixes == 0)
			continue;
		s->of_rule[i] = set_find(s, r);
		if (s->of_rule[i] == s->n)
			s->set[s->n++] = (struct prefix_set){r->prefix, r->n_prefixes};
	}
	return 0;
}

static int
fill_addresses(struct rule_rows *r, enum row_kind kind, struct prefix_sets *sets, const struct side_sets *s,
	uint32_t n_rules, size_t *left)
{
	int rc = prefix_sets_build(sets, s->set, s->n);

	if (rc == 0)
		rc = rows_make(r, kind, sets->n_classes, left);
	for (uint32_t class = 0; rc == 0 && class < sets->n_classes; class ++) {
		for (uint32_t i = 0; i < n_rules; i++) {
			if (s->of_rule[i] == SET_NONE || prefix_sets_has(sets, class, s->of_rule[i]))
				row_set(row_at(r, kind, class), i);
		}
	}
	prefix_sets_seal(sets);
	return rc;
}

static int
build_addresses(struct rule_rows *r, const struct acl_spec *spec, bool destination, size_t *left)
{
	struct side_sets s = {0};
	int rc = sets_gather(&s, spec, destination);

	if (rc == 0)
		rc = fill_addresses(r, destination ? ROW_DESTINATION : ROW_SOURCE,
			destination ? &r->destination : &r->source, &s, spec->n, left);
	free(s.set);
	free(s.of_rule);
	return rc;
}

/* ---- ports --------------------------------------------------------------------------------- */

static int
port_compare(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* Every port at which a range begins, or the one after a range. */
static int
port_edges(struct port_intervals *p, const struct acl_spec *spec, bool destination)
{
	size_t most = 1;
	uint32_t n = 0;

	for (uint32_t i = 0; i < spec->n; i++)
		most += 2 * (size_t)side_of(&spec->rule[i], destination)->n_ports;
	p->start = malloc(most * sizeof(*p->start));
	if (p->start == NULL)
		return -ENOMEM;

	p->start[n++] = 0;
	for (uint32_t i = 0; i < spec->n; i++) {
		const struct acl_side_spec *s = side_of(&spec->rule[i], destination);

		for (uint32_t k = 0; k < s->n_ports; k++) {
			p->start[n++] = s->port[k].first;
			if (s->port[k].last != UINT16_MAX)
				p->start[n++] = s->port[k].last + 1;
		}
	}
	qsort(p->start, n, sizeof(*p->start), port_compare);
	p->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || p->start[i] != p->start[i - 1])
			p->start[p->n++] = p->start[i];
	}
	return 0;
}

static void
index_high_bytes(struct port_intervals *p)
{
	uint32_t interval = 0;

	for (uint32_t high = 0; high < 256; high++) {
		while (interval + 1 < p->n && p->start[interval + 1] <= high << 8)
			interval++;
		p->of_high[high] = (uint16_t)interval;
	}
	p->of_high[256] = (uint16_t)(p->n - 1);
}

static void
fill_ports(struct rule_rows *r, enum row_kind kind, const struct port_intervals *p, const struct acl_side_spec *s,
	uint32_t rule)
{
	if (s->n_ports == 0) {
		for (uint32_t i = 0; i < p->n; i++)
			row_set(row_at(r, kind, i), rule);
		return;
	}
	for (uint32_t k = 0; k < s->n_ports; k++) {
		uint32_t last = port_interval(p, s->port[k].last);

		for (uint32_t i = port_interval(p, s->port[k].first); i <= last; i++)
			row_set(row_at(r, kind, i), rule);
	}
}

static int
build_ports(struct rule_rows *r, const struct acl_spec *spec, bool destination, size_t *left)
{
	enum row_kind kind = destination ? ROW_DESTINATION_PORT : ROW_SOURCE_PORT;
	struct port_intervals *p = destination ? &r->destination_port : &r->source_port;
	int rc = port_edges(p, spec, destination);

	if (rc != 0)
		return rc;
	index_high_bytes(p);
	rc = rows_make(r, kind, p->n, left);
	for (uint32_t i = 0; rc == 0 && i < spec->n; i++)
		fill_ports(r, kind, p, side_of(&spec->rule[i], destination), i);
	return rc;
}

/* ---- protocols and tags ------------------------------------------------------------------------ */

/* Icmp is protocol 1 of IPv4 and 58 of IPv6; any other number is the same in both. */
static bool
protocol_matches(int16_t rule, bool v6, uint32_t protocol)
{
	if (rule < 0)
		return true;
	if (rule == IPPROTO_ICMP)
		return protocol == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	return protocol == (uint32_t)rule;
}

/* Protocols that no rule names share row 0. */
static int
build_protocols(struct rule_rows *r, const struct acl_spec *spec, size_t *left)
{
	uint32_t n = 1;
	int rc;

	for (uint32_t v6 = 0; v6 < 2; v6++) {
		for (uint32_t protocol = 0; protocol < 256; protocol++) {
			for (uint32_t i = 0; i < spec->n && r->protocol[v6][protocol] == 0; i++) {
				if (spec->rule[i].protocol >= 0 &&
					protocol_matches(spec->rule[i].protocol, v6, protocol))
					r->protocol[v6][protocol] = (uint16_t)n++;
			}
		}
	}
	rc = rows_make(r, ROW_PROTOCOL, n, left);
	if (rc != 0)
		return rc;

	for (uint32_t i = 0; i < spec->n; i++) {
		const struct acl_rule_spec *rule = &spec->rule[i];

		if (rule->source.nothing || rule->destination.nothing)
			continue;
		if (rule->protocol < 0)
			row_set(row_at(r, ROW_PROTOCOL, 0), i);
		for (uint32_t k = 0; k < 512; k++) {
			uint16_t row = r->protocol[k / 256][k % 256];

			if (row != 0 && protocol_matches(rule->protocol, k / 256, k % 256))
				row_set(row_at(r, ROW_PROTOCOL, row), i);
		}
	}
	return 0;
}

/* A row for each combination of the bits that some rule asks for. */
static int
build_tags(struct rule_rows *r, const struct acl_spec *spec, bool destination, size_t *left)
{
	enum row_kind kind = destination ? ROW_DESTINATION_TAGS : ROW_SOURCE_TAGS;
	uint8_t *row_of = destination ? r->destination_tags : r->source_tags;
	uint8_t used = 0;
	uint32_t n = 0;
	int rc;

	for (uint32_t i = 0; i < spec->n; i++)
		used |= side_of(&spec->rule[i], destination)->tag;
	for (uint32_t bits = 0; bits < 256; bits++) {
		/* combinations come in ascending order: the first time one is met it has no other bits */
		row_of[bits] = (bits & used) == bits ? (uint8_t)n++ : row_of[bits & used];
	}
	rc = rows_make(r, kind, n, left);
	for (uint32_t bits = 0; rc == 0 && bits < 256; bits++) {
		if ((bits & used) != bits)
			continue;
		for (uint32_t i = 0; i < spec->n; i++) {
			uint8_t tag = side_of(&spec->rule[i], destination)->tag;

			if (tag == 0 || (tag & bits))
				row_set(row_at(r, kind, row_of[bits]), i);
		}
	}
	return rc;
}

/* ---- all --------------------------------------------------------------------------------------- */

static int
check_ports(const struct acl_spec *spec, char *error, size_t error_size)
{
	for (uint32_t i = 0; i < spec->n; i++) {
		for (int d = 0; d < 2; d++) {
			const struct acl_side_spec *s = side_of(&spec->rule[i], d);

			for (uint32_t k = 0; k < s->n_ports; k++) {
				if (s->port[k].first <= s->port[k].last)
					continue;
				snprintf(error, error_size, "rule %u: a port range ends before it starts", i);
				return -EINVAL;
			}
		}
	}
	return 0;
}

static int
build_side(struct rule_rows *r, const struct acl_spec *spec, bool destination, size_t *left, char *error,
	size_t error_size)
{
	const char *which = destination ? "destination" : "source";
	int rc = build_addresses(r, spec, destination, left);

	if (rc == 0)
		rc = build_ports(r, spec, destination, left);
	if (rc == 0)
		rc = build_tags(r, spec, destination, left);
	if (rc == -EINVAL)
		snprintf(error, error_size, "a %s prefix is malformed", which);
	else if (rc == -E2BIG)
		snprintf(error, error_size,
			"too many %s prefixes (%u), or too many ways in which %u rules overlap on them", which,
			PREFIX_SETS_MAX, spec->n);
	else if (rc != 0)
		snprintf(error, error_size, "no memory for %u rules", spec->n);
	return rc;
}

int
rule_rows_build(struct rule_rows *r, const struct acl_spec *spec, size_t bytes_max, char *error, size_t error_size)
{
	size_t left = bytes_max;
	int rc;

	*r = (struct rule_rows){.words = 1 + (spec->n + RULES_PER_WORD - 1) / RULES_PER_WORD};
	rc = check_ports(spec, error, error_size);
	if (rc == 0)
		rc = build_side(r, spec, false, &left, error, error_size);
	if (rc == 0)
		rc = build_side(r, spec, true, &left, error, error_size);
	if (rc != 0)
		return rc;
	rc = build_protocols(r, spec, &left);
	if (rc != 0)
		snprintf(error, error_size, "no memory for %u rules", spec->n);
	return rc;
}

void
rule_rows_clear(struct rule_rows *r)
{
	for (int kind = 0; kind < ROW_KINDS; kind++)
		free(r->row[kind]);
	prefix_sets_clear(&r->source);
	prefix_sets_clear(&r->destination);
	free(r->source_port.start);
	free(r->destination_port.start);
	*r = (struct rule_rows){0};
}
