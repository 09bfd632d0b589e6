/* VirtualNetwork is the VNet's space, the spaces of peered VNets whose peering allows access, what lies behind
 * the gateway, its clients' address pool among it, the platform's address, and, as the vendor has it, the prefixes of
 * the subnet's user routes: a user route for 0.0.0.0/0 makes every address VirtualNetwork and none Internet, which
 * deserves a warning.
 *
 * What lies behind a gateway is its table of routes, which all its users share.
 * Tables answer by longest prefix alone, so each prefix gets its own bits and those of all prefixes around it.
 */
#include "control/service_tags.h"

#include "control/gateway.h"

#include <stdlib.h>

#define PLATFORM_ADDRESS 0xa83f8110u /* 168.63.129.16: DHCP, DNS, health probes */

static void
add(struct world_build *b, struct tags_spec *t, const struct ip_prefix *p, uint8_t bits)
{
	struct tag_spec *grown = world_grow(b, t->tag, t->n, sizeof(*grown));

	if (grown == NULL)
		return;
	t->tag = grown;
	grown[t->n++] = (struct tag_spec){*p, bits};
}

static void
add_all(struct world_build *b, struct tags_spec *t, const struct cfg_prefixes *p, uint8_t bits)
{
	for (uint32_t i = 0; i < p->n; i++)
		add(b, t, &p->p[i], bits);
}

static void
add_peers(struct world_build *b, struct tags_spec *t, int32_t vnet)
{
	for (uint32_t i = 0; i < b->config->vnets[vnet].n_peerings; i++) {
		struct crossing c;

		/* a hub's circuits bring nothing from the networks that are connected to it */
		if (crossing_of(b, vnet, i, &c) && c.own->allow_virtual_network_access)
			add_all(b, t, c.space,
				b->config->vnets[vnet].implied ? TAG_BIT_VNET | TAG_BIT_OWN_VNET : TAG_BIT_VNET);
	}
}

static void
add_gateway(struct world_build *b, struct tags_spec *t, int32_t vnet)
{
	struct gateway_service s = gateway_service_of(b, vnet);

	if (s.gateway == CFG_NONE)
		return;
	s.crosses = false; /* where a packet may go is no matter here: one table for all */
	t->gateway = (uint32_t)(gateway_table_of(b, &s, false) + 1);
}

static void
add_user_routes(struct world_build *b, struct tags_spec *t, int32_t route_table)
{
	const struct cfg_route_table *table = &b->config->route_tables[route_table];

	for (uint32_t i = 0; i < table->n_routes; i++) {
		const struct cfg_route *r = &table->routes[i];

		add(b, t, &r->prefix, TAG_BIT_VNET);
		if (r->prefix.len == 0)
			world_warn(b, r->mark,
				"route %s/%s: its prefix counts as VirtualNetwork in NSG rules of its subnets, so "
				"every address "
				"is VirtualNetwork there and none is Internet",
				table->name, r->name);
	}
}

static int
compare(const void *a, const void *b)
{
	return prefix_compare(&((const struct tag_spec *)a)->prefix, &((const struct tag_spec *)b)->prefix);
}

/* Sorted, equal prefixes merged, bits of the prefixes around added. */
static void
nest(struct tags_spec *t)
{
	uint32_t around[130], depth = 0, kept = 0;

	qsort(t->tag, t->n, sizeof(*t->tag), compare);
	for (uint32_t i = 0; i < t->n; i++) {
		struct tag_spec tag = t->tag[i];

		while (depth > 0 && !prefix_covers(&t->tag[around[depth - 1]].prefix, &tag.prefix))
			depth--;
		if (depth > 0)
			tag.bits |= t->tag[around[depth - 1]].bits;
		if (depth > 0 && prefix_equal(&t->tag[around[depth - 1]].prefix, &tag.prefix)) {
			t->tag[around[depth - 1]].bits = tag.bits;
			continue;
		}
		around[depth++] = kept;
		t->tag[kept++] = tag;
	}
	t->n = kept;
}

static struct tags_spec
collect(struct world_build *b, int32_t vnet, int32_t route_table)
{
	struct ip_prefix platform = {address_from_v4(PLATFORM_ADDRESS), 32};
	struct tags_spec t = {0};

	add_all(b, &t, &b->config->vnets[vnet].space, TAG_BIT_VNET | TAG_BIT_OWN_VNET);
	add_peers(b, &t, vnet);
	add_gateway(b, &t, vnet);
	add(b, &t, &platform, TAG_BIT_VNET | TAG_BIT_LOAD_BALANCER);
	if (route_table != CFG_NONE)
		add_user_routes(b, &t, route_table);
	nest(&t);
	return t;
}

uint32_t
service_tags_of(struct world_build *b, int32_t vnet, int32_t route_table)
{
	struct tags_spec *grown;
	struct tags_use *use;

	for (uint32_t i = 1; i < b->spec->n_tags; i++) {
		if (b->tags_use[i].vnet == vnet && b->tags_use[i].route_table == route_table)
			return i;
	}
	grown = world_grow(b, b->spec->tags, b->spec->n_tags, sizeof(*grown));
	if (grown == NULL)
		return 0;
	b->spec->tags = grown;
	use = world_grow(b, b->tags_use, b->spec->n_tags, sizeof(*use));
	if (use == NULL)
		return 0;
	b->tags_use = use;
	use[b->spec->n_tags] = (struct tags_use){vnet, route_table};
	grown[b->spec->n_tags] = collect(b, vnet, route_table);
	return b->spec->n_tags++;
}
