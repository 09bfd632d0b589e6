/* The content of an NSG's rules as one row of bytes, so that two sets of rules can be compared.
 *
 * Builder thread.
 */
#pragma once

#include "dataplane/dataplane.h"

struct acl_content {
	uint8_t *byte;
	size_t n;
	uint64_t hash;
};

/* 0 or -ENOMEM. */
int acl_content_take(struct acl_content *c, const struct acl_spec *spec);
uint64_t acl_content_hash(const struct acl_spec *spec);
bool acl_content_same(const struct acl_content *c, const struct acl_spec *spec);
void acl_content_clear(struct acl_content *c);
