/* An overlay holds every winner but the gateway's routes, which are in the gateway's shared table, and inside the
 * winners that lead into a VNet the subnets of that VNet: a VNet is not one wire but a wire for each subnet.
 *
 * Tricky: a subnet's prefix goes into the overlay only where the route that led there owns it, that is, where no
 * longer route (a user route, say) stands between. The rest of an address space drops.
 */
#include "control/route_compile.h"

#include "control/gateway.h"
#include "control/hops.h"
#include "control/next_hop.h"
#include "control/vnet.h"

#include <stdlib.h>

struct entry {
	struct route_spec route;
	uint32_t order; /* of adding */
};

struct overlay {
	struct entry *entry;
	uint32_t n;
};

/* `owner` is the candidate the entry comes from. */
static void
add(struct world_build *b, struct overlay *o, const struct effective *e, const struct candidate *owner,
	const struct ip_prefix *p, const struct hop_spec *hop)
{
	struct entry *grown = world_grow(b, o->entry, o->n, sizeof(*grown));
	int32_t around = effective_around(e, p);
	uint8_t rank = owner->row.source == SOURCE_USER ? ROUTE_USER : ROUTE_SYSTEM;

	if (grown == NULL)
		return;
	if (around >= 0 && e->group[around].strong)
		rank = ROUTE_STRONG;
	o->entry = grown;
	grown[o->n] = (struct entry){{.prefix = *p, .hop = hops_add(b, hop), .rank = rank}, o->n};
	o->n++;
}

static bool
owns(const struct effective *e, const struct candidate *c, const struct ip_prefix *p)
{
	return effective_owner(e, p) == c - e->candidate;
}

/* The appliance's own address in a subnet. */
static void
add_local(struct world_build *b, struct overlay *o, const struct effective *e, const struct candidate *c,
	const struct ip_prefix *subnet)
{
	struct ip_prefix host = {.len = address_bits(&subnet->addr)};
	struct hop_spec hop = next_hop_local(b, e, c);

	if (vnet_gateway_address(subnet, &host.addr) && owns(e, c, &host))
		add(b, o, e, c, &host, &hop);
}

static void
add_subnet(struct world_build *b, struct overlay *o, const struct effective *e, const struct candidate *c, int32_t vnet,
	int32_t subnet)
{
	const struct cfg_prefixes *p = &b->config->vnets[vnet].subnets[subnet].prefixes;
	struct hop_spec hop = next_hop_into(b, e, c, subnet);

	for (uint32_t i = 0; i < p->n; i++) {
		if (prefix_covers(&c->row.prefix, &p->p[i]) && owns(e, c, &p->p[i]))
			add(b, o, e, c, &p->p[i], &hop);
		if (b->subnet_iface[vnet][subnet] != IFACE_NONE && prefix_overlaps(&c->row.prefix, &p->p[i]))
			add_local(b, o, e, c, &p->p[i]);
	}
}

static void
add_vnet(struct world_build *b, struct overlay *o, const struct effective *e, const struct candidate *c)
{
	int32_t vnet = next_hop_vnet(b, e, c);

	if (vnet == CFG_NONE)
		return;
	for (uint32_t s = 0; s < b->config->vnets[vnet].n_subnets; s++)
		add_subnet(b, o, e, c, vnet, (int32_t)s);
}

/* A user route to the gateway: what the gateway itself tells apart inside the route's prefix. */
static void
add_forward(struct world_build *b, struct overlay *o, const struct effective *e, const struct candidate *c)
{
	struct gateway_service s = gateway_service_of(b, e->vnet);
	const struct gateway_state *g;

	if (s.gateway == CFG_NONE || !c->row.active)
		return;
	g = s.routes;
	for (uint32_t i = 0; i < g->n_forward; i++) {
		struct hop_spec hop = b->spec->hop[g->forward[i].hop];

		if (s.crosses)
			hop = crossing_hop(&s.way, hop);
		if (prefix_covers(&c->row.prefix, &g->forward[i].prefix) && owns(e, c, &g->forward[i].prefix))
			add(b, o, e, c, &g->forward[i].prefix, &hop);
	}
}

static void
add_winner(struct world_build *b, struct overlay *o, struct effective *e, struct candidate *c)
{
	struct hop_spec hop = next_hop_of(b, e, c);

	add(b, o, e, c, &c->row.prefix, &hop);
	switch (c->row.type) {
	case EFFECTIVE_VNET_LOCAL:
	case EFFECTIVE_VNET_PEERING:
	case EFFECTIVE_VNET_GLOBAL_PEERING:
		add_vnet(b, o, e, c);
		break;
	case EFFECTIVE_VIRTUAL_NETWORK_GATEWAY:
		if (c->row.source == SOURCE_USER)
			add_forward(b, o, e, c);
		break;
	case EFFECTIVE_INTERNET:
	case EFFECTIVE_NONE:
	case EFFECTIVE_VIRTUAL_APPLIANCE:
		break;
	}
}

/* A host must reach its gateway whatever user routes say of the subnet. */
static void
add_own_addresses(struct world_build *b, struct overlay *o, const struct effective *e)
{
	const struct cfg_prefixes *p;
	struct hop_spec hop = {.kind = HOP_LOCAL, .tunnel = TUNNEL_NONE};

	if (e->subnet == CFG_NONE || b->subnet_iface[e->vnet][e->subnet] == IFACE_NONE)
		return;
	p = &b->config->vnets[e->vnet].subnets[e->subnet].prefixes;
	for (uint32_t i = 0; i < p->n; i++) {
		struct ip_prefix host = {.len = address_bits(&p->p[i].addr)};
		int32_t owner;

		if (!vnet_gateway_address(&p->p[i], &host.addr))
			continue;
		owner = effective_owner(e, &host);
		if (owner >= 0)
			add(b, o, e, &e->candidate[owner], &host, &hop);
	}
}

/* The BGP peers of a gateway or circuit speak to its own addresses. */
static void
add_interface_addresses(struct world_build *b, struct overlay *o, const struct effective *e)
{
	struct hop_spec hop = {.kind = HOP_LOCAL, .tunnel = TUNNEL_NONE};
	const struct iface_spec *i;

	if (e->own == IFACE_NONE)
		return;
	i = &b->spec->iface[e->own];
	for (uint16_t n = 0; n < i->n_prefixes; n++) {
		struct entry *grown = world_grow(b, o->entry, o->n, sizeof(*grown));
		struct ip_prefix host = {i->address[n], address_bits(&i->address[n])};

		if (grown == NULL)
			return;
		o->entry = grown;
		grown[o->n] = (struct entry){{.prefix = host, .hop = hops_add(b, &hop), .rank = ROUTE_STRONG}, o->n};
		o->n++;
	}
}

/* By prefix; of equal ones the one added last comes first. */
static int
compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = prefix_compare(&x->route.prefix, &y->route.prefix);

	if (order != 0)
		return order;
	return x->order > y->order ? -1 : x->order < y->order;
}

/* Sorted routes; of equal prefixes the one added last stays. */
static struct route_spec *
finish(struct world_build *b, struct overlay *o, uint32_t *n)
{
	struct route_spec *route = arena_array(b->arena, o->n, sizeof(*route));

	*n = 0;
	if (route == NULL)
		return NULL;
	if (o->n > 0)
		qsort(o->entry, o->n, sizeof(*o->entry), compare);
	for (uint32_t i = 0; i < o->n; i++) {
		if (i == 0 || !prefix_equal(&o->entry[i - 1].route.prefix, &o->entry[i].route.prefix))
			route[(*n)++] = o->entry[i].route;
	}
	return route;
}

uint32_t
route_compile(struct world_build *b, struct effective *e)
{
	struct routes_spec *grown = world_grow(b, b->spec->routes, b->spec->n_routes, sizeof(*grown));
	struct routes_spec spec = {.gateway = -1};
	struct overlay o = {0};

	for (uint32_t g = 0; g < e->n_groups; g++) {
		if (e->group[g].winner >= 0)
			add_winner(b, &o, e, &e->candidate[e->group[g].winner]);
	}
	add_own_addresses(b, &o, e);
	add_interface_addresses(b, &o, e);
	spec.overlay = finish(b, &o, &spec.n_overlay);
	if (e->learned != NULL)
		spec.gateway = gateway_table_of(b, &e->service, e->view == VIEW_TUNNEL);
	if (grown == NULL)
		return 0;
	b->spec->routes = grown;
	grown[b->spec->n_routes] = spec;
	return b->spec->n_routes++;
}

void
route_resolve(struct world_build *b, struct effective *e)
{
	for (uint32_t g = 0; g < e->n_groups; g++) {
		if (e->group[g].winner >= 0)
			next_hop_of(b, e, &e->candidate[e->group[g].winner]);
	}
}

/* The gateway's own way to the Internet and its None routes are not for others: what only they cover drops by the name
 * of the route that sent it here. */
void
route_compile_forward(struct world_build *b, struct effective *e, struct gateway_state *g)
{
	struct overlay o = {0};

	for (uint32_t i = 0; i < e->n_groups; i++) {
		struct candidate *c = e->group[i].winner < 0 ? NULL : &e->candidate[e->group[i].winner];

		if (c == NULL || (c->row.source == SOURCE_DEFAULT &&
					 (c->row.type == EFFECTIVE_INTERNET || c->row.type == EFFECTIVE_NONE)))
			continue;
		add_winner(b, &o, e, c);
	}
	g->forward = finish(b, &o, &g->n_forward);
}
