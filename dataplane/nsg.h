/* Network security groups, compiled: rte_acl over one NSG's rules in one direction.
 *
 * acl_build: builder thread. acl_verdicts: a worker (bursts) or any thread that keeps the view (one).
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/view.h"

/* Refcounted by the builder. Returns NULL and a text on error. */
struct acl *acl_build(const struct acl_spec *spec, char *error, size_t error_size);
void acl_free(struct acl *a);
/* Content hash of a spec, for sharing between views. */
uint64_t acl_spec_hash(const struct acl_spec *spec);

/* What the rules look at. Tag bits of the two addresses come from the endpoint's tag table. */
struct nsg_key {
	uint8_t family; /* 4 or 6 */
	uint8_t protocol;
	uint8_t source_tags, destination_tags;
	uint16_t source_port, destination_port; /* host order */
	uint8_t source[16], destination[16];    /* network order */
};

struct nsg_verdict {
	bool allow;
	uint32_t name; /* the rule, NAME_NONE when none matched */
};

void acl_verdicts(const struct acl *a, const struct nsg_key *key, uint32_t n, struct nsg_verdict *out);
