/* Network security groups, compiled: the rules of one NSG in one direction.
 *
 * acl_build: builder thread (registered with EAL: the compiled rules live on its heap).
 * acl_verdicts: a worker (bursts) or any thread that keeps the view (one).
 *
 * Compiled in two steps. Each side's address becomes a class, a number that stands for "lies in the
 * prefixes of these rules and of no others" (prefix_sets.h). What rte_acl then classifies is the
 * protocol, the two classes, tags and ports: sixteen bytes for either family. A rule with
 * 4,000 prefixes on each side is one entry there, where prefixes times prefixes would be 16 million.
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/view.h"

#define ACL_RULES_MAX 4096        /* of one NSG in one direction */
#define ACL_ENTRIES_MAX 65536     /* of its compiled form: rules times what is left of their lists */
#define ACL_BYTES_MAX (64u << 20) /* of its compiled form */

/* One reference is the caller's. NULL and a text on error; a rule that is to blame is named by its index. */
struct acl *acl_build(const struct acl_spec *spec, char *error, size_t error_size);
struct acl *acl_ref(struct acl *a);
void acl_free(struct acl *a); /* drops a reference; NULL is legal */

/* For sharing between views. The content itself is compared, not a hash of it: a rule set that is shared by
 * mistake would be a hole. */
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
void acl_verdicts(const struct acl *a, const struct nsg_key *key, uint32_t n, struct nsg_verdict *out);
