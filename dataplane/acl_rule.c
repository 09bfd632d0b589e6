/* Lists become ranges, ranges become combinations.
 *
 * Ranges of source classes x of destination classes x source ports x destination ports x tag bits x
 * families. Classes keep the first two factors near 1; the caller bounds the product.
 */
#include "dataplane/acl_rule.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#define RANGE_ANY ((struct range){0, UINT16_MAX})

static int
range_compare(const void *a, const void *b)
{
	return (int)((const struct range *)a)->first - (int)((const struct range *)b)->first;
}

/* Overlapping and adjacent ranges become one. */
static void
ranges_merge(struct ranges *l)
{
	uint32_t kept = 0;

	qsort(l->r, l->n, sizeof(*l->r), range_compare);
	for (uint32_t i = 1; i < l->n; i++) {
		struct range *last = &l->r[kept];

		if (l->r[i].first <= (uint32_t)last->last + 1)
			last->last = RTE_MAX(last->last, l->r[i].last);
		else
			l->r[++kept] = l->r[i];
	}
	l->n = kept + 1;
}

static int
ranges_any(struct ranges *l)
{
	l->r = malloc(sizeof(*l->r));
	if (l->r == NULL)
		return -ENOMEM;
	l->r[0] = RANGE_ANY;
	l->n = 1;
	return 0;
}

static int
port_ranges(struct ranges *l, const struct acl_side_spec *side)
{
	if (side->n_ports == 0)
		return ranges_any(l);
	l->r = malloc(side->n_ports * sizeof(*l->r));
	if (l->r == NULL)
		return -ENOMEM;
	for (l->n = 0; l->n < side->n_ports; l->n++) {
		if (side->port[l->n].first > side->port[l->n].last)
			return -EINVAL;
		l->r[l->n] = (struct range){side->port[l->n].first, side->port[l->n].last};
	}
	ranges_merge(l);
	return 0;
}

/* The classes whose addresses lie in this set. */
static int
class_ranges(struct ranges *l, struct rule_side side)
{
	const struct prefix_sets *s = side.sets;
	uint32_t set = side.set, n = 0;

	if (set == SET_NONE)
		return ranges_any(l);
	for (uint32_t c = 0; c < s->n_classes; c++)
		n += prefix_sets_has(s, c, set) && (c == 0 || !prefix_sets_has(s, c - 1, set));
	l->r = malloc((n + 1) * sizeof(*l->r));
	if (l->r == NULL)
		return -ENOMEM;

	for (uint32_t c = 0; c < s->n_classes; c++) {
		if (!prefix_sets_has(s, c, set))
			continue;
		if (c == 0 || !prefix_sets_has(s, c - 1, set))
			l->r[l->n++].first = (uint16_t)c;
		l->r[l->n - 1].last = (uint16_t)c;
	}
	return 0;
}

void
factors_clear(struct factors *f)
{
	free(f->source_class.r);
	free(f->destination_class.r);
	free(f->source_port.r);
	free(f->destination_port.r);
}

/* A packet matches when it has any of the bits: one entry for each. No bits: one entry that asks for none. */
static uint32_t
tag_bits(uint8_t tag, uint8_t bit[8])
{
	uint32_t n = 0;

	for (uint32_t b = 0; b < 8; b++) {
		if (tag >> b & 1)
			bit[n++] = (uint8_t)(1 << b);
	}
	if (n == 0)
		bit[n++] = 0;
	return n;
}

int
factors_build(struct factors *f, const struct acl_rule_spec *r, struct rule_side source, struct rule_side destination)
{
	int rc;

	*f = (struct factors){.protocol = r->protocol, .n_families = r->protocol == IPPROTO_ICMP ? 2 : 1};
	f->n_source_tags = tag_bits(r->source.tag, f->source_tag);
	f->n_destination_tags = tag_bits(r->destination.tag, f->destination_tag);

	rc = port_ranges(&f->source_port, &r->source);
	if (rc == 0)
		rc = port_ranges(&f->destination_port, &r->destination);
	if (rc == 0)
		rc = class_ranges(&f->source_class, source);
	if (rc == 0)
		rc = class_ranges(&f->destination_class, destination);
	return rc;
}

/* Each factor is below 2^17: three of them stay below 2^64, then the product is cut. */
uint64_t
factors_product(const struct factors *f)
{
	uint64_t classes = (uint64_t)f->source_class.n * f->destination_class.n;
	uint64_t ports = (uint64_t)f->source_port.n * f->destination_port.n;
	uint64_t rest = (uint64_t)f->n_source_tags * f->n_destination_tags * f->n_families;

	return RTE_MIN(classes, 1u << 20) * RTE_MIN(ports, 1u << 20) * rest;
}

static struct rte_acl_field
field_bits8(uint8_t value, uint8_t mask)
{
	return (struct rte_acl_field){.value.u8 = value, .mask_range.u8 = mask};
}

static struct rte_acl_field
field_range(const struct range *r)
{
	return (struct rte_acl_field){.value.u16 = r->first, .mask_range.u16 = r->last};
}

/* Icmp is protocol 1 of IPv4 and 58 of IPv6; any other number is the same in both. */
static void
entry_protocol(struct acl_entry *e, int16_t protocol, uint32_t family)
{
	e->field[FIELD_PROTOCOL] = field_bits8(protocol < 0 ? 0 : (uint8_t)protocol, protocol < 0 ? 0 : 0xff);
	e->field[FIELD_FAMILY] = field_bits8(0, 0);
	if (protocol != IPPROTO_ICMP)
		return;
	if (family == 1)
		e->field[FIELD_PROTOCOL].value.u8 = IPPROTO_ICMPV6;
	e->field[FIELD_FAMILY] = field_bits8(family == 1 ? IP_V6 : IP_V4, 0xff);
}

/* The combination's number is read like one of mixed radix: a digit for each list. */
static uint32_t
digit(uint64_t *number, uint32_t base)
{
	uint32_t d = (uint32_t)(*number % base);

	*number /= base;
	return d;
}

static struct rte_acl_field
range_digit(uint64_t *number, const struct ranges *l)
{
	return field_range(&l->r[digit(number, l->n)]);
}

void
factors_entry(const struct factors *f, uint64_t k, struct acl_entry *e)
{
	uint8_t source_tag, destination_tag;

	e->field[FIELD_SOURCE_CLASS] = range_digit(&k, &f->source_class);
	e->field[FIELD_DESTINATION_CLASS] = range_digit(&k, &f->destination_class);
	e->field[FIELD_SOURCE_PORT] = range_digit(&k, &f->source_port);
	e->field[FIELD_DESTINATION_PORT] = range_digit(&k, &f->destination_port);
	source_tag = f->source_tag[digit(&k, f->n_source_tags)];
	destination_tag = f->destination_tag[digit(&k, f->n_destination_tags)];
	e->field[FIELD_SOURCE_TAGS] = field_bits8(source_tag, source_tag);
	e->field[FIELD_DESTINATION_TAGS] = field_bits8(destination_tag, destination_tag);
	e->field[FIELD_FILLER] = field_bits8(0, 0);
	entry_protocol(e, f->protocol, digit(&k, f->n_families));
}
