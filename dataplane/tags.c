/* Service tags: which tags an address carries as seen from one subnet, by longest prefix.
 *
 * What lies behind a gateway is VirtualNetwork for all who use it, and may be very much: the table of its routes is
 * asked, which they share, where the own prefixes have not said so already.
 */
#include "dataplane/gateway_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tags {
	struct intervals4 v4;
	struct intervals6 v6;
	struct gateway_table *gateway; /* a reference, or NULL */
	struct prefix_list content;    /* value = bits */
	uint64_t hash;                 /* of the spec */
	uint32_t references;
};

uint64_t
tags_spec_hash(const struct tags_spec *spec)
{
	uint64_t hash = spec->n;

	for (uint32_t i = 0; i < spec->n; i++)
		hash = prefix_hash(hash, &spec->tag[i].prefix, spec->tag[i].bits);
	return hash;
}

static int
take_content(struct tags *t, const struct tags_spec *spec, char *error, size_t error_size)
{
	if (prefix_list_init(&t->content, spec->n) != 0) {
		snprintf(error, error_size, "no memory for %u tags", spec->n);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < spec->n; i++)
		t->content.entry[i] = (struct prefix_value){spec->tag[i].prefix, spec->tag[i].bits};
	return prefix_list_sort(&t->content, error, error_size);
}

struct tags *
tags_build(const struct tags_spec *spec, struct gateway_table *gateway, char *error, size_t error_size)
{
	struct tags *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		snprintf(error, error_size, "no memory for a tag table");
		return NULL;
	}
	t->references = 1;
	t->hash = tags_spec_hash(spec);
	t->gateway = gateway == NULL ? NULL : gateway_table_ref(gateway);
	if (take_content(t, spec, error, error_size) != 0)
		goto fail;
	if (intervals4_build(&t->v4, t->content.entry, t->content.n, TAG_BIT_INTERNET) != 0 ||
		intervals6_build(&t->v6, t->content.entry, t->content.n, TAG_BIT_INTERNET) != 0) {
		snprintf(error, error_size, "no memory for a tag table of %u prefixes", spec->n);
		goto fail;
	}
	return t;
fail:
	tags_free(t);
	return NULL;
}

struct tags *
tags_ref(struct tags *t)
{
	__atomic_add_fetch(&t->references, 1, __ATOMIC_RELAXED);
	return t;
}

void
tags_free(struct tags *t)
{
	if (t == NULL || __atomic_sub_fetch(&t->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	gateway_table_free(t->gateway);
	intervals4_clear(&t->v4);
	intervals6_clear(&t->v6);
	prefix_list_clear(&t->content);
	free(t);
}

uint64_t
tags_hash(const struct tags *t)
{
	return t->hash;
}

bool
tags_same(const struct tags *t, const struct tags_spec *spec, const struct gateway_table *gateway)
{
	struct tags other = {0};
	char error[128];
	bool same;

	if (t->gateway != gateway || t->content.n != spec->n)
		return false;
	same = take_content(&other, spec, error, sizeof(error)) == 0 && prefix_list_equal(&other.content, &t->content);
	prefix_list_clear(&other.content);
	return same;
}

static bool
behind_gateway(const struct gateway_table *g, uint8_t family, const uint8_t address[16])
{
	uint32_t address4 = intervals4_key(address);
	uint8_t address6[1][16];
	uint64_t strength;

	if (family == IP_V4) {
		gateway_table_lookup_v4(g, &address4, &strength, 1);
	} else {
		memcpy(address6[0], address, sizeof(address6[0]));
		gateway_table_lookup_v6(g, address6, &strength, 1);
	}
	return strength != 0;
}

uint8_t
tags_lookup(const struct tags *t, uint8_t family, const uint8_t address[16])
{
	uint8_t bits = family == IP_V6 ? (uint8_t)intervals6_find(&t->v6, intervals6_key(address))
				       : (uint8_t)intervals4_find(&t->v4, intervals4_key(address));

	if (t->gateway != NULL && !(bits & TAG_BIT_VNET) && behind_gateway(t->gateway, family, address))
		bits = (uint8_t)((bits | TAG_BIT_VNET) & ~TAG_BIT_INTERNET);
	return bits;
}
