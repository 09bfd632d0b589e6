/* A table holds what propagates to it, from whichever hub of the virtual WAN, and routes of its own. Of equal prefixes:
 *
 *   the table's own route, a network's space, a network's static route, branches;
 *   of the same kind that of this hub before another hub's;
 *   of branches as hubRoutingPreference says, then static before learned, then by routingWeight.
 *
 * With ASPath static routes, whose path is empty, go first whichever hub they are of; of learned ones the daemon has
 * chosen already.
 */
#include "control/hub.h"

#include "control/hops.h"
#include "control/vnet.h"

#include <stdlib.h>

static bool
propagates(const struct cfg_hub_routing *r, int32_t hub, int32_t table)
{
	for (uint32_t i = 0; r != NULL && i < r->n_to; i++)
		if (r->to[i].hub == hub && r->to[i].table == table)
			return true;
	return false;
}

/* A default route stays in its hub, as the cloud has it. */
static void
add(struct world_build *b, struct hub_routes *r, const struct hub_route *route)
{
	struct hub_route *grown = world_grow(b, r->route, r->n, sizeof(*grown));

	if (grown == NULL || (route->remote && route->prefix.len == 0))
		return;
	r->route = grown;
	grown[r->n++] = *route;
}

/* ---- networks ------------------------------------------------------------------------- */

static uint32_t
connection_name(struct world_build *b, int32_t hub, const struct cfg_hub_connection *c)
{
	return world_name(b, "%s/hubVirtualNetworkConnections/%s", b->config->wan.hubs[hub].name, c->name);
}

/* Nothing but the network's own routes decides what is beyond its appliance. */
static struct hop_spec
appliance(struct world_build *b, int32_t hub, const struct cfg_hub_connection *c, const struct cfg_hub_static *s)
{
	uint32_t name = connection_name(b, hub, c);
	int32_t subnet = vnet_subnet_of(b->config, c->vnet, &s->next_hop, NULL);
	const struct cfg_nic *nic = vnet_nic_of(b, c->vnet, &s->next_hop);
	char text[ADDRESS_TEXT_MAX];
	const char *why = NULL;

	if (subnet == SUBNET_NONE || b->subnet_iface[c->vnet][subnet] == IFACE_NONE)
		why = "is in no subnet that is attached to a port here";
	else if (nic != NULL && !nic->enable_ip_forwarding)
		why = "is a networkInterface without enableIPForwarding";
	if (why == NULL)
		return (struct hop_spec){.kind = HOP_NEIGHBOUR,
			.iface = b->subnet_iface[c->vnet][subnet],
			.address = s->next_hop,
			.tunnel = TUNNEL_NONE,
			.name = name};
	world_warn(b, s->mark, "hub connection %s: next hop %s of static route %s %s; packets are dropped", c->name,
		address_text(&s->next_hop, text, sizeof(text)), s->name, why);
	return hop_drop(DROP_ROUTE_INVALID, name);
}

/* Its space has its subnets (hub.c), beyond are static routes. */
struct hop_spec
hub_hop_into(struct world_build *b, int32_t hub, const struct cfg_hub_connection *c, const struct ip_prefix *p)
{
	struct hop_spec hop = hop_drop(DROP_NO_ROUTE, connection_name(b, hub, c));
	const struct ip_prefix *longest = NULL;

	for (uint32_t i = 0; i < c->routing.n_statics; i++) {
		const struct cfg_hub_static *s = &c->routing.statics[i];

		for (uint32_t n = 0; n < s->prefixes.n; n++)
			if (prefix_covers(&s->prefixes.p[n], p) &&
				(longest == NULL || longest->len < s->prefixes.p[n].len)) {
				longest = &s->prefixes.p[n];
				hop = appliance(b, hub, c, s);
			}
	}
	return hop;
}

static void
add_vnet(struct world_build *b, struct hub_routes *r, struct hub_route route)
{
	const struct cfg_hub_connection *c = route.vnet_connection;
	const struct cfg_prefixes *space = &b->config->vnets[c->vnet].space;

	route.origin = HUB_ORIGIN_VNET;
	route.hop = hop_drop(DROP_NO_ROUTE, world_name(b, "%s", b->config->vnets[c->vnet].name));
	for (uint32_t i = 0; i < space->n; i++) {
		route.prefix = space->p[i];
		add(b, r, &route);
	}
	route.origin = HUB_ORIGIN_STATIC;
	for (uint32_t i = 0; c->routing.propagate_statics && i < c->routing.n_statics; i++) {
		const struct cfg_hub_static *s = &c->routing.statics[i];

		route.hop = appliance(b, route.hub, c, s);
		for (uint32_t n = 0; n < s->prefixes.n; n++) {
			route.prefix = s->prefixes.p[n];
			add(b, r, &route);
		}
	}
}

static void
add_vnets(struct world_build *b, struct hub_routes *r, struct hub_route route, int32_t hub, int32_t table)
{
	const struct cfg_hub *from = &b->config->wan.hubs[route.hub];

	for (uint32_t i = 0; i < from->n_connections; i++) {
		route.vnet_connection = &from->connections[i];
		if (propagates(&from->connections[i].routing, hub, table))
			add_vnet(b, r, route);
	}
}

static void
add_own(struct world_build *b, struct hub_routes *r, int32_t hub, int32_t table)
{
	const struct cfg_hub *h = &b->config->wan.hubs[hub];
	const struct cfg_hub_table *t = &h->tables[table];
	struct hub_route route = {.origin = HUB_ORIGIN_TABLE, .hub = hub, .connection = CFG_NONE};

	for (uint32_t i = 0; i < t->n_routes; i++) {
		route.vnet_connection = &h->connections[t->routes[i].connection];
		for (uint32_t n = 0; n < t->routes[i].destinations.n; n++) {
			route.prefix = t->routes[i].destinations.p[n];
			route.hop = hub_hop_into(b, hub, route.vnet_connection, &route.prefix);
			add(b, r, &route);
		}
	}
}

/* ---- branches ------------------------------------------------------------------------- */

/* A connection's, whichever hub it belongs to. */
static const struct cfg_hub_routing *
routing_of(const struct config *c, int32_t hub, const struct gateway_route *g)
{
	return g->connection == CFG_NONE ? c->wan.hubs[hub].of_clients : c->connections[g->connection].hub_routing;
}

/* What a hub has learned from another one is among its own gateway's routes. */
static void
add_branches(struct world_build *b, struct hub_routes *r, struct hub_route route, int32_t hub, int32_t table)
{
	int32_t at = route.hub;
	const struct gateway_state *g = &b->gateway[b->config->wan.hubs[at].gateway];

	bool elsewhere = at != hub;

	route.origin = HUB_ORIGIN_BRANCH;
	for (uint32_t i = 0; i < g->n_routes; i++) {
		const struct gateway_route *from = &g->route[i];
		const struct cfg_hub_routing *routing = routing_of(b->config, at, from);

		if (!propagates(routing, hub, table) || (elsewhere && from->learned))
			continue;
		route.hub = routing->hub;
		route.remote = routing->hub != hub;
		route.prefix = from->prefix;
		route.connection = from->connection;
		route.learned = from->learned;
		route.peer = from->peer;
		route.weight = from->weight;
		route.hop = from->hop;
		route.circuit = from->hop.kind == HOP_CIRCUIT;
		add(b, r, &route);
	}
}

/* ---- order ---------------------------------------------------------------------------- */

static int
branch_order(const struct hub_route *x, const struct hub_route *y, enum cfg_hub_preference preference)
{
	int type = preference == HUB_PREFERS_VPN ? x->circuit - y->circuit : y->circuit - x->circuit;

	if (preference == HUB_PREFERS_AS_PATH && x->learned != y->learned)
		return x->learned - y->learned;
	if (x->remote != y->remote)
		return x->remote - y->remote;
	if (type != 0)
		return type;
	if (x->learned != y->learned)
		return x->learned - y->learned;
	if (x->weight != y->weight)
		return y->weight - x->weight;
	return x->connection - y->connection;
}

static int
order(const void *a, const void *b, void *preference)
{
	const struct hub_route *x = a, *y = b;
	int by = prefix_compare(&x->prefix, &y->prefix);

	if (by == 0)
		by = (x->why != NULL) - (y->why != NULL);
	if (by == 0 && x->origin != y->origin)
		by = x->origin < y->origin ? -1 : 1;
	if (by == 0 && x->origin == HUB_ORIGIN_BRANCH)
		by = branch_order(x, y, *(const enum cfg_hub_preference *)preference);
	if (by == 0 && x->remote != y->remote)
		by = x->remote - y->remote;
	if (by == 0 && x->vnet_connection != y->vnet_connection)
		by = x->vnet_connection < y->vnet_connection ? -1 : 1;
	return by;
}

void
hub_routes_arrange(const struct world_build *b, int32_t hub, struct hub_routes *r)
{
	enum cfg_hub_preference preference = b->config->wan.hubs[hub].preference;
	int32_t around = -1;

	if (r->n > 0)
		qsort_r(r->route, r->n, sizeof(*r->route), order, &preference);
	for (uint32_t i = 0; i < r->n; i++) {
		struct hub_route *route = &r->route[i];

		route->best = i == 0 || !prefix_equal(&r->route[i - 1].prefix, &route->prefix);
		while (route->best && around >= 0 && !prefix_covers(&r->route[around].prefix, &route->prefix))
			around = r->route[around].parent;
		route->parent = around;
		if (route->best)
			around = (int32_t)i;
	}
}

struct hub_routes
hub_routes_collect(struct world_build *b, int32_t hub, int32_t table)
{
	const struct cfg_wans *w = &b->config->wan;
	struct hub_routes r = {.n = 0};

	if (table == CFG_HUB_NONE_TABLE)
		return r;
	add_own(b, &r, hub, table);
	for (uint32_t i = 0; i < w->n_hubs; i++) {
		struct hub_route route = {.hub = (int32_t)i, .remote = (int32_t)i != hub, .connection = CFG_NONE};

		if (w->hubs[i].wan != w->hubs[hub].wan || (route.remote && w->wans[w->hubs[hub].wan].basic))
			continue;
		add_vnets(b, &r, route, hub, table);
		add_branches(b, &r, route, hub, table);
	}
	return r;
}
