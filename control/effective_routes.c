/* Rules of choice: the longest prefix; at equal length User, then VirtualNetworkGateway, then Default; but a route
 * that the gateway brings never wins inside a Default route of the VNet or of a peering, however long it is.
 *
 * A user route whose next hop can not be reached still wins and drops: the vendor black-holes it too, and
 * falling back to the route it was meant to override would send packets where the operator forbade them.
 */
#include "control/effective_routes.h"

#include "control/gateway.h"

#include <stdlib.h>

#define WHY_LEARNED "the gateway has a route with the same prefix"

static struct candidate *
add(struct world_build *b, struct effective *e, const struct ip_prefix *p, enum effective_source source,
	enum effective_type type)
{
	struct candidate *grown = world_grow(b, e->candidate, e->n, sizeof(*grown));

	if (grown == NULL)
		return NULL;
	e->candidate = grown;
	grown[e->n] = (struct candidate){
		.row = {.prefix = *p, .source = source, .type = type, .hop = HOP_NONE}, .peering = CFG_NONE};
	return &grown[e->n++];
}

/* ---- system routes ----------------------------------------------------------------------- */

static bool
has_family(const struct cfg_prefixes *p, uint8_t family)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->p[i].addr.family == family)
			return true;
	}
	return false;
}

static void
add_vnet(struct world_build *b, struct effective *e)
{
	const struct cfg_prefixes *space = &b->config->vnets[e->vnet].space;

	for (uint32_t i = 0; i < space->n; i++)
		add(b, e, &space->p[i], SOURCE_DEFAULT, EFFECTIVE_VNET_LOCAL);
}

static void
add_peerings(struct world_build *b, struct effective *e)
{
	for (uint32_t i = 0; i < b->config->vnets[e->vnet].n_peerings; i++) {
		struct crossing c;

		if (!crossing_of(b, e->vnet, i, &c))
			continue;
		for (uint32_t k = 0; k < c.space->n; k++) {
			struct candidate *r = add(b, e, &c.space->p[k], SOURCE_DEFAULT,
				c.global ? EFFECTIVE_VNET_GLOBAL_PEERING : EFFECTIVE_VNET_PEERING);

			if (r == NULL)
				return;
			r->peering = (int32_t)i;
			r->row.name = c.own->name;
		}
	}
}

/* The subnet has a user route for all IPv4 addresses. */
static bool
overrides_default(const struct world_build *b, const struct effective *e)
{
	const struct cfg_route_table *t;

	if (e->route_table == CFG_NONE)
		return false;
	t = &b->config->route_tables[e->route_table];
	for (uint32_t i = 0; i < t->n_routes; i++) {
		if (t->routes[i].prefix.addr.family == IP_V4 && t->routes[i].prefix.len == 0)
			return true;
	}
	return false;
}

/* Private space that no one uses goes nowhere. A VNet prefix that equals or includes a reserved one replaces it; one
 * inside leaves it; and the vendor takes all four away from a subnet with a user route for 0.0.0.0/0. */
static void
add_reserved(struct world_build *b, struct effective *e)
{
	static const struct {
		uint32_t address;
		uint8_t len;
	} reserved[] = {{0x0a000000, 8}, {0x64400000, 10}, {0xac100000, 12}, {0xc0a80000, 16}};
	const struct cfg_prefixes *space = &b->config->vnets[e->vnet].space;

	if (overrides_default(b, e))
		return;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		struct ip_prefix p = {address_from_v4(reserved[i].address), reserved[i].len};
		bool replaced = false;

		for (uint32_t k = 0; k < space->n; k++)
			replaced |= prefix_covers(&space->p[k], &p);
		if (!replaced)
			add(b, e, &p, SOURCE_DEFAULT, EFFECTIVE_NONE);
	}
}

static void
add_defaults(struct world_build *b, struct effective *e)
{
	struct ip_prefix all4 = {.addr.family = IP_V4}, all6 = {.addr.family = IP_V6};

	add(b, e, &all4, SOURCE_DEFAULT, EFFECTIVE_INTERNET);
	if (has_family(&b->config->vnets[e->vnet].space, IP_V6))
		add(b, e, &all6, SOURCE_DEFAULT, EFFECTIVE_INTERNET);
	add_reserved(b, e);
}

/* ---- gateway and user routes ---------------------------------------------------------------- */

static void
add_gateway(struct world_build *b, struct effective *e)
{
	const struct gateway_state *g;

	if (e->service.gateway == CFG_NONE)
		return;
	g = e->service.routes;
	for (uint32_t i = 0; i < g->n_routes; i++) {
		struct candidate *r = add(
			b, e, &g->route[i].prefix, SOURCE_VIRTUAL_NETWORK_GATEWAY, EFFECTIVE_VIRTUAL_NETWORK_GATEWAY);

		if (r == NULL)
			return;
		r->gateway = &g->route[i];
		r->row.name = gateway_route_name(b->config, e->service.gateway, &g->route[i]);
		r->row.next_hop = gateway_shown(b->config, e->service.gateway);
	}
}

static enum effective_type
user_type(enum cfg_next_hop type)
{
	switch (type) {
	case NEXT_HOP_VIRTUAL_NETWORK_GATEWAY:
		return EFFECTIVE_VIRTUAL_NETWORK_GATEWAY;
	case NEXT_HOP_VNET_LOCAL:
		return EFFECTIVE_VNET_LOCAL;
	case NEXT_HOP_INTERNET:
		return EFFECTIVE_INTERNET;
	case NEXT_HOP_VIRTUAL_APPLIANCE:
		return EFFECTIVE_VIRTUAL_APPLIANCE;
	case NEXT_HOP_NONE:
		break;
	}
	return EFFECTIVE_NONE;
}

static void
add_user(struct world_build *b, struct effective *e)
{
	const struct cfg_route_table *t;

	if (e->route_table == CFG_NONE)
		return;
	t = &b->config->route_tables[e->route_table];
	for (uint32_t i = 0; i < t->n_routes; i++) {
		struct candidate *r = add(b, e, &t->routes[i].prefix, SOURCE_USER, user_type(t->routes[i].type));

		if (r == NULL)
			return;
		r->user = &t->routes[i];
		r->user_name = world_name(b, "%s/routes/%s", t->name, t->routes[i].name);
		r->row.name = t->routes[i].name;
		if (t->routes[i].type == NEXT_HOP_VIRTUAL_APPLIANCE)
			r->row.next_hop = t->routes[i].next_hop;
	}
}

/* ---- the choice ------------------------------------------------------------------------------ */

static int
source_rank(enum effective_source s)
{
	switch (s) {
	case SOURCE_USER:
		return 0;
	case SOURCE_VIRTUAL_NETWORK_GATEWAY:
		return 1;
	case SOURCE_DEFAULT:
		break;
	}
	return 2;
}

/* Among Default routes of one prefix: the VNet's own, a peering's, Internet, None. */
static int
type_rank(enum effective_type t)
{
	switch (t) {
	case EFFECTIVE_VNET_LOCAL:
		return 0;
	case EFFECTIVE_VNET_PEERING:
	case EFFECTIVE_VNET_GLOBAL_PEERING:
		return 1;
	case EFFECTIVE_INTERNET:
		return 2;
	case EFFECTIVE_NONE:
	case EFFECTIVE_VIRTUAL_APPLIANCE:
	case EFFECTIVE_VIRTUAL_NETWORK_GATEWAY:
		break;
	}
	return 3;
}

static int
compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = prefix_compare(&x->row.prefix, &y->row.prefix);

	if (order == 0)
		order = source_rank(x->row.source) - source_rank(y->row.source);
	if (order == 0 && x->row.source == SOURCE_DEFAULT)
		order = type_rank(x->row.type) - type_rank(y->row.type);
	if (order == 0 && x->peering != y->peering)
		order = x->peering < y->peering ? -1 : 1;
	if (order == 0 && x->gateway != y->gateway)
		order = x->gateway < y->gateway ? -1 : 1; /* one array, best first */
	if (order == 0 && x->user != y->user)
		order = x->user < y->user ? -1 : 1;
	return order;
}

bool
effective_strong(const struct effective_route *r)
{
	return r->source == SOURCE_DEFAULT && type_rank(r->type) <= 1;
}

static const char *
why_lost(const struct candidate *loser, const struct candidate *winner)
{
	if (winner->row.source == SOURCE_USER)
		return loser->row.source == SOURCE_USER ? "an earlier route has the same prefix" : WHY_USER;
	if (winner->row.source == SOURCE_VIRTUAL_NETWORK_GATEWAY)
		return loser->row.source == SOURCE_VIRTUAL_NETWORK_GATEWAY ? WHY_ANOTHER_CONNECTION : WHY_LEARNED;
	return "another system route has the same prefix";
}

/* Decide among candidates first..end-1, which have one prefix; a group for them. */
static void
decide(struct effective *e, struct route_group *g, uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++)
		g->strong |= effective_strong(&e->candidate[i].row);
	for (uint32_t i = first; i < end; i++) {
		struct candidate *c = &e->candidate[i];

		if (c->row.source == SOURCE_VIRTUAL_NETWORK_GATEWAY && g->strong) {
			c->row.why = WHY_STRONG;
		} else if (g->winner >= 0) {
			c->row.why = why_lost(c, &e->candidate[g->winner]);
		} else {
			c->row.active = true;
			g->winner = (int32_t)i;
		}
	}
}

/* A Default route of the very prefix that the gateway has loses to it. */
static void
decide_learned(struct effective *e, struct route_group *g, uint32_t first, uint32_t end)
{
	int32_t i = e->learned == NULL || g->strong ? -1 : gateway_around(e->learned, &g->prefix);

	if (i < 0 || !prefix_equal(&e->learned->route[i].prefix, &g->prefix) || g->winner < 0 ||
		e->candidate[g->winner].row.source != SOURCE_DEFAULT)
		return;
	g->winner = -1;
	for (uint32_t k = first; k < end; k++) {
		e->candidate[k].row.active = false;
		e->candidate[k].row.why = WHY_LEARNED;
	}
}

/* Candidates are sorted: groups come out sorted too, each after those around it. */
static void
group_all(struct world_build *b, struct effective *e)
{
	int32_t around = -1;

	e->group = arena_array(b->arena, e->n, sizeof(*e->group));
	if (e->group == NULL) {
		e->n = 0;
		return;
	}
	for (uint32_t first = 0, end; first < e->n; first = end) {
		const struct ip_prefix *p = &e->candidate[first].row.prefix;
		struct route_group *g = &e->group[e->n_groups];

		for (end = first + 1; end < e->n && prefix_equal(&e->candidate[end].row.prefix, p);)
			end++;
		while (around >= 0 && !prefix_covers(&e->group[around].prefix, p))
			around = e->group[around].parent;
		*g = (struct route_group){
			.prefix = *p, .parent = around, .winner = -1, .strong = around >= 0 && e->group[around].strong};
		decide(e, g, first, end);
		decide_learned(e, g, first, end);
		around = (int32_t)e->n_groups++;
	}
}

/* Inside a group the winner comes first in print: a covered gateway route may stand before a Default one. */
static void
winners_first(struct effective *e)
{
	for (uint32_t g = 0, i = 0; g < e->n_groups; g++) {
		uint32_t first = i, w = (uint32_t)e->group[g].winner;

		while (i < e->n && prefix_equal(&e->candidate[i].row.prefix, &e->group[g].prefix))
			i++;
		if (e->group[g].winner < 0 || w == first)
			continue;
		struct candidate winner = e->candidate[w];

		for (; w > first; w--)
			e->candidate[w] = e->candidate[w - 1];
		e->candidate[first] = winner;
		e->group[g].winner = (int32_t)first;
	}
}

/* Thousands of tables share a gateway's routes, which may be very many: they are not copied into each. */
static void
stand_in(struct world_build *b, struct effective *e)
{
	static const struct ip_prefix none;

	if (add(b, e, &none, SOURCE_VIRTUAL_NETWORK_GATEWAY, EFFECTIVE_VIRTUAL_NETWORK_GATEWAY) == NULL)
		e->learned = NULL;
	else
		e->n--;
}

void
effective_collect(struct world_build *b, struct effective *e, int32_t vnet, int32_t subnet, enum viewpoint view,
	const struct gateway_service *service)
{
	const struct cfg_vnet *v = &b->config->vnets[vnet];
	int32_t table = subnet == CFG_NONE ? CFG_NONE : v->subnets[subnet].route_table;
	bool propagation = table == CFG_NONE || !b->config->route_tables[table].disable_bgp_route_propagation;

	*e = (struct effective){.vnet = vnet,
		.subnet = subnet,
		.route_table = table,
		.view = view,
		.service = service ? *service : gateway_service_of(b, vnet)};
	/* the gateway itself always knows its routes */
	if (!propagation && view == VIEW_SUBNET)
		e->service.gateway = CFG_NONE;

	add_vnet(b, e);
	if (!v->implied) /* a hub's networks are among its routes */
		add_peerings(b, e);
	add_defaults(b, e);
	if (view != VIEW_GATEWAY && e->service.gateway != CFG_NONE)
		e->learned = e->service.routes;
	else
		add_gateway(b, e);
	add_user(b, e);
	if (e->n > 0)
		qsort(e->candidate, e->n, sizeof(*e->candidate), compare);
	if (e->learned != NULL)
		stand_in(b, e);
	group_all(b, e);
	winners_first(e);
}

int32_t
effective_around(const struct effective *e, const struct ip_prefix *p)
{
	int32_t low = 0, high = (int32_t)e->n_groups; /* first group behind p */

	while (low < high) {
		int32_t middle = (low + high) / 2;

		if (prefix_compare(&e->group[middle].prefix, p) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	/* the last one not behind p lies inside the nearest group around p, or is it */
	for (low--; low >= 0 && !prefix_covers(&e->group[low].prefix, p);)
		low = e->group[low].parent;
	return low;
}

/* The longest of the gateway's routes that covers p and may win: not inside a strong system route. */
static int32_t
learned_around(const struct effective *e, const struct ip_prefix *p)
{
	int32_t i = e->learned == NULL ? -1 : gateway_around(e->learned, p);

	for (; i >= 0; i = e->learned->route[i].parent) {
		int32_t g = effective_around(e, &e->learned->route[i].prefix);

		if (g < 0 || !e->group[g].strong)
			break;
	}
	return i;
}

int32_t
effective_owner(const struct effective *e, const struct ip_prefix *p)
{
	int32_t g = effective_around(e, p), learned = learned_around(e, p);

	while (g >= 0 && e->group[g].winner < 0)
		g = e->group[g].parent;
	if (learned >= 0 && (g < 0 || e->learned->route[learned].prefix.len > e->group[g].prefix.len))
		return (int32_t)e->n;
	return g < 0 ? -1 : e->group[g].winner;
}
