/* One NSG rule, multiplied out for rte_acl.
 *
 * Builder thread.
 */
#pragma once

#include "dataplane/dataplane.h"
#include "dataplane/prefix_sets.h"

#include <rte_acl.h>
#include <rte_byteorder.h>

/* What rte_acl sees of a packet, in network order. It walks a byte, then words of four. */
struct acl_key {
	uint8_t protocol, unused[3];
	uint8_t source_tags, destination_tags;
	rte_be16_t source_class;
	rte_be16_t destination_class;
	rte_be16_t source_port;
	rte_be16_t destination_port;
	uint8_t family, filler;
};

_Static_assert(sizeof(struct acl_key) == 16, "four words of four bytes");

enum field {
	FIELD_PROTOCOL,
	FIELD_SOURCE_TAGS,
	FIELD_DESTINATION_TAGS,
	FIELD_SOURCE_CLASS,
	FIELD_DESTINATION_CLASS,
	FIELD_SOURCE_PORT,
	FIELD_DESTINATION_PORT,
	FIELD_FAMILY,
	FIELD_FILLER,
	FIELD_COUNT
};

RTE_ACL_RULE_DEF(acl_entry, FIELD_COUNT);

struct range {
	uint16_t first, last;
};

struct ranges {
	struct range *r;
	uint32_t n;
};

/* What a rule lists; its entries are every combination. */
struct factors {
	int16_t protocol;
	struct ranges source_class, destination_class, source_port, destination_port;
	uint8_t source_tag[8], destination_tag[8];
	uint32_t n_source_tags, n_destination_tags;
	uint32_t n_families; /* of protocols: Icmp is another one in each family */
};

/* Which of the side's sets the rule asks for. */
struct rule_side {
	const struct prefix_sets *sets;
	uint32_t set; /* SET_NONE: any address */
};

#define SET_NONE UINT32_MAX

/* 0, -ENOMEM, or -EINVAL: a port range ends before it starts. factors_clear is legal after each. */
int factors_build(
	struct factors *f, const struct acl_rule_spec *r, struct rule_side source, struct rule_side destination);
void factors_clear(struct factors *f);
/* How many entries; very large numbers are cut, but stay larger than any bound. */
uint64_t factors_product(const struct factors *f);
/* The fields of the k-th entry. */
void factors_entry(const struct factors *f, uint64_t k, struct acl_entry *e);
