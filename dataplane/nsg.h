/* Network security groups, compiled: the rules of one NSG in one direction.
 *
 * acl_build: builder thread (libc memory). acl_verdicts: a worker (bursts) or any thread that keeps the
 * view (one).
 *
 * A packet has seven properties: two addresses, two ports, the protocol, the tags of each address. Each is looked up
 * by itself and gives a row of bits, one for each rule that is content with it (rule_rows.h); the lowest
 * bit set in all seven is the rule. Lists are never multiplied: 1,000 rules with 4,000 prefixes and ports on each side
 * take some 100 KB to 3 MB and some ms to build. Multiplied out for rte_acl, 100 rules with lists took 50 MB and
 * seconds, and a verdict three to seven times as many cycles.
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/view.h"

#define ACL_RULES_MAX 4096        /* of one NSG in one direction */
#define ACL_BYTES_MAX (64u << 20) /* of its compiled form */

/* One reference is the caller's. NULL and a text on error. */
struct acl *acl_build(const struct acl_spec *spec, char *error, size_t error_size);
struct acl *acl_ref(struct acl *a);
void acl_free(struct acl *a); /* drops a reference; NULL is legal */

/* For sharing between views. The content itself is compared: a rule set that is shared by mistake would be a hole. The
 * hash finds those worth a comparison: acl_hash is the acl_spec_hash of what the object was built from. */
uint64_t acl_spec_hash(const struct acl_spec *spec);
uint64_t acl_hash(const struct acl *a);
bool acl_same(const struct acl *a, const struct acl_spec *spec);

/* What the rules look at. Tag bits of the two addresses come from the endpoint's tag table. */
struct nsg_key {
	uint8_t family; /* 4 or 6 */
	uint8_t protocol;
	uint8_t source_tags, destination_tags;
	uint16_t source_port, destination_port; /* host order; 0 for protocols without ports */
	uint8_t source[16], destination[16];    /* network order */
};

struct nsg_verdict {
	bool allow;
	uint32_t name; /* the rule, NAME_NONE when none matched */
};

/* Any n, both families mixed. */
void acl_verdicts(const struct acl *a, const struct nsg_key *const *key, uint32_t n, struct nsg_verdict *out);
