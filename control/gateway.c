/* A gateway serves the prefixes of its connections: the local network gateway's, or the other VNet's space, and the
 * address of its BGP peer; what it has learned from these; and the address pool of its point-to-site clients. What the
 * configuration says goes before what was learned. Of several connections to one prefix the one with the highest
 * routingWeight takes all (the first of equals), and the pool before all of them; the others are listed and idle,
 * and the next best stands in while the best has no SA.
 */
#include "control/gateway.h"

#include "control/express_route.h"
#include "control/gateway_bgp.h"
#include "control/gateway_session.h"
#include "control/hops.h"
#include "control/hub.h"
#include "control/vnet.h"

#include "config/sku.h"

#include <errno.h>
#include <stdlib.h>

int
gateway_interfaces(struct world_build *b)
{
	for (uint32_t g = 0; g < b->config->n_gateways; g++) {
		const struct cfg_gateway *gateway = &b->config->gateways[g];
		struct iface_spec *i = vnet_iface_add(
			b, IFACE_GATEWAY, world_text(b, "gateway %s", gateway->name), &b->gateway[g].iface);

		if (i == NULL)
			return -EINVAL;
		if (gateway->limit_rate)
			i->rate_mbps = sku_of(gateway)->aggregate_mbps;
		if (gateway->vnet != CFG_NONE) {
			i->vnet = world_name(b, "%s", b->config->vnets[gateway->vnet].name);
			i->flow_timeout_s = (uint16_t)b->config->vnets[gateway->vnet].flow_timeout_s;
		}
		gateway_bgp_addresses(gateway, i);
	}
	return 0;
}

struct ip_addr
gateway_public_ip(const struct config *c, int32_t gateway)
{
	const struct cfg_gateway *g = &c->gateways[gateway];

	if (g->public_ip_refs.n == 0 || g->public_ips[0] == CFG_NONE)
		return (struct ip_addr){0};
	return c->public_ips[g->public_ips[0]].address;
}

struct ip_addr
gateway_shown(const struct config *c, int32_t gateway)
{
	struct ip_addr a = gateway_public_ip(c, gateway);

	return a.family != IP_NONE || !c->gateways[gateway].express_route ? a : c->gateways[gateway].bgp.address;
}

static void
add_networks(struct world_build *b, struct cfg_prefixes *to, const struct cfg_prefixes *from)
{
	for (uint32_t i = 0; i < from->n; i++) {
		struct ip_prefix *grown = world_grow(b, to->p, to->n, sizeof(*grown));

		if (grown == NULL)
			return;
		to->p = grown;
		grown[to->n++] = from->p[i];
	}
}

struct cfg_prefixes
gateway_networks(struct world_build *b, uint32_t gateway)
{
	int32_t vnet = b->config->gateways[gateway].vnet;
	struct cfg_prefixes all = {0};

	if (vnet == CFG_NONE)
		return all;
	add_networks(b, &all, &b->config->vnets[vnet].space);
	if (b->config->gateways[gateway].hub != CFG_NONE) {
		hub_networks(b, b->config->gateways[gateway].hub, &all);
		return all;
	}
	for (uint32_t i = 0; i < b->config->vnets[vnet].n_peerings; i++) {
		struct crossing c;

		if (crossing_of(b, vnet, i, &c) && crossing_is_transit(&c))
			add_networks(b, &all, c.space);
	}
	return all;
}

/* ---- routes ---------------------------------------------------------------------------- */

struct cfg_prefixes
gateway_remote_prefixes(const struct config *c, const struct cfg_connection *connection)
{
	if (connection->local_gateway != CFG_NONE)
		return c->local_gateways[connection->local_gateway].prefixes;
	if (connection->gateway2 != CFG_NONE && c->gateways[connection->gateway2].vnet != CFG_NONE)
		return c->vnets[c->gateways[connection->gateway2].vnet].space;
	return (struct cfg_prefixes){0};
}

void
gateway_route_add(struct world_build *b, struct gateway_state *g, const struct gateway_route *r)
{
	struct gateway_route *grown = world_grow(b, g->route, g->n_routes, sizeof(*grown));

	if (grown == NULL)
		return;
	g->route = grown;
	grown[g->n_routes++] = *r;
}

/* Each address of the pool is another client's, or nobody's: the dataplane finds its tunnel. */
static void
add_clients(struct world_build *b, uint32_t gateway)
{
	const struct cfg_gateway *c = &b->config->gateways[gateway];
	struct gateway_state *g = &b->gateway[gateway];
	const struct hop_spec hop = {.kind = HOP_CLIENT,
		.iface = g->iface,
		.tunnel = TUNNEL_NONE,
		.name = world_name(b, "gateway %s", c->name)};

	for (uint32_t i = 0; i < c->p2s.pool.n; i++)
		gateway_route_add(b, g,
			&(struct gateway_route){
				.prefix = c->p2s.pool.p[i], .connection = CFG_NONE, .hop = hop, .weight = UINT16_MAX});
}

static void
add_routes(struct world_build *b, uint32_t connection)
{
	const struct cfg_connection *c = &b->config->connections[connection];
	struct gateway_state *g = &b->gateway[c->gateway1];
	struct cfg_prefixes p = gateway_remote_prefixes(b->config, c);
	struct gateway_route r = {.connection = (int32_t)connection, .weight = c->routing_weight};
	uint32_t name = world_name(b, "connection %s", c->name);
	struct gateway_session session;
	struct hop_spec hop = hop_drop(DROP_NO_GATEWAY, name);

	if (b->tunnel[connection] != TUNNEL_NONE)
		hop = (struct hop_spec){.kind = HOP_TUNNEL, .tunnel = b->tunnel[connection], .name = name};
	r.hop = hop;
	for (uint32_t i = 0; i < p.n; i++) {
		r.prefix = p.p[i];
		gateway_route_add(b, g, &r);
	}
	if (!gateway_session_of(b->config, connection, 0, &session))
		return;
	r.peer = true;
	r.prefix = (struct ip_prefix){session.peer, address_bits(&session.peer)};
	gateway_route_add(b, g, &r);
}

static int
compare(const void *a, const void *b)
{
	const struct gateway_route *x = a, *y = b;
	int order = prefix_compare(&x->prefix, &y->prefix);

	if (order != 0)
		return order;
	if (x->learned != y->learned)
		return x->learned - y->learned;
	if (x->weight != y->weight)
		return y->weight - x->weight;
	return x->connection - y->connection;
}

/* Those behind the best route to the same prefix, as many as a hop has room for. */
static void
add_standby(struct gateway_state *s, uint32_t best)
{
	struct hop_spec *hop = &s->route[best].hop;

	for (uint32_t i = best + 1;
		i < s->n_routes && !s->route[i].best && hop->n_standby < sizeof(hop->standby) / sizeof(hop->standby[0]);
		i++)
		if (hop->kind == HOP_TUNNEL && !hop->spread && s->route[i].hop.kind == HOP_TUNNEL)
			hop->standby[hop->n_standby++] = s->route[i].hop.tunnel;
}

static void
link_parents(struct gateway_state *s)
{
	int32_t around = -1;

	for (uint32_t i = 0; i < s->n_routes; i++) {
		struct gateway_route *r = &s->route[i];

		while (r->best && around >= 0 && !prefix_covers(&s->route[around].prefix, &r->prefix))
			around = s->route[around].parent;
		r->parent = around;
		if (r->best)
			around = (int32_t)i;
	}
}

int32_t
gateway_around(const struct gateway_state *g, const struct ip_prefix *p)
{
	int32_t low = 0, high = (int32_t)g->n_routes; /* first route behind p */

	while (low < high) {
		int32_t middle = (low + high) / 2;

		if (prefix_compare(&g->route[middle].prefix, p) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	low--;
	if (low >= 0 && !g->route[low].best)
		low = g->route[low].parent;
	while (low >= 0 && !prefix_covers(&g->route[low].prefix, p))
		low = g->route[low].parent;
	return low;
}

const char *
gateway_route_name(const struct config *c, int32_t gateway, const struct gateway_route *r)
{
	return r->connection == CFG_NONE ? c->gateways[gateway].name : c->connections[r->connection].name;
}

static const char *
why_behind(const struct gateway_route *best, const struct gateway_route *r)
{
	if (r == best)
		return NULL;
	if (best->connection == CFG_NONE)
		return WHY_CLIENTS;
	return r->learned && !best->learned ? WHY_STATIC : WHY_ANOTHER_CONNECTION;
}

static void
print_rows(struct world_build *b, int32_t gateway)
{
	struct gateway_state *s = &b->gateway[gateway];
	struct ip_addr next_hop = gateway_shown(b->config, gateway);
	const struct gateway_route *best = NULL;

	s->row = arena_array(b->arena, s->n_routes, sizeof(*s->row));
	s->n_rows = s->n_routes;
	for (uint32_t i = 0; s->row != NULL && i < s->n_routes; i++) {
		if (s->route[i].best)
			best = &s->route[i];
		s->row[i] = (struct effective_route){.prefix = s->route[i].prefix,
			.source = SOURCE_VIRTUAL_NETWORK_GATEWAY,
			.type = EFFECTIVE_VIRTUAL_NETWORK_GATEWAY,
			.active = s->route[i].best,
			.next_hop = next_hop,
			.name = gateway_route_name(b->config, gateway, &s->route[i]),
			.why = why_behind(best, &s->route[i]),
			.hop = HOP_NONE};
	}
}

void
gateway_link(struct gateway_state *s, bool standby)
{
	for (uint32_t i = 0; i < s->n_routes; i++)
		s->route[i].best = i == 0 || !prefix_equal(&s->route[i - 1].prefix, &s->route[i].prefix);
	link_parents(s);
	for (uint32_t i = 0; standby && i < s->n_routes; i++)
		if (s->route[i].best)
			add_standby(s, i);
}

void
gateway_arrange(struct gateway_state *s)
{
	if (s->n_routes > 0)
		qsort(s->route, s->n_routes, sizeof(*s->route), compare);
	gateway_link(s, false);
}

static void
vpn_routes(struct world_build *b, uint32_t gateway)
{
	struct gateway_state *s = &b->gateway[gateway];

	add_clients(b, gateway);
	gateway_arrange(s);
	if (gateway_bgp_learned(b, gateway))
		gateway_arrange(s);
	if (b->config->gateways[gateway].hub != CFG_NONE) {
		express_route_learned(b, gateway);
		gateway_arrange(s);
		return; /* its views choose */
	}
	gateway_link(s, true);
}

void
gateway_routes(struct world_build *b)
{
	const struct config *c = b->config;

	for (uint32_t i = 0; i < c->n_connections; i++)
		if (c->connections[i].gateway1 != CFG_NONE && c->connections[i].type != CONNECTION_EXPRESS_ROUTE)
			add_routes(b, i);
	for (uint32_t g = 0; g < c->n_gateways; g++)
		if (!c->gateways[g].express_route)
			vpn_routes(b, g);
	hub_learned(b);
	for (uint32_t g = 0; g < c->n_gateways; g++) {
		if (c->gateways[g].express_route) {
			express_route_learned(b, g);
			gateway_arrange(&b->gateway[g]);
		}
		print_rows(b, (int32_t)g);
	}
}

/* ---- the shared table ------------------------------------------------------------------ */

/* Out of one tunnel into another only BGP leads, as the vendor has it. */
static bool
is_transit(const struct config *c, int32_t gateway, const struct gateway_route *r)
{
	return r->connection == CFG_NONE ? c->gateways[gateway].enable_bgp : c->connections[r->connection].enable_bgp;
}

static bool
all_transit(const struct config *c, const struct gateway_service *s)
{
	const struct gateway_state *g = s->routes;

	for (uint32_t i = 0; !g->transit && i < g->n_routes; i++)
		if (g->route[i].best && !is_transit(c, s->gateway, &g->route[i]))
			return false;
	return true;
}

static struct gateway_table_spec
table_spec(struct world_build *b, const struct gateway_service *s, bool from_tunnels)
{
	const struct gateway_state *g = s->routes;
	struct gateway_table_spec t = {.route = arena_array(b->arena, g->n_routes, sizeof(*t.route))};

	for (uint32_t i = 0; t.route != NULL && i < g->n_routes; i++) {
		struct hop_spec hop = s->crosses ? crossing_hop(&s->way, g->route[i].hop) : g->route[i].hop;

		if (from_tunnels && !is_transit(b->config, s->gateway, &g->route[i]))
			hop = hop_drop(DROP_NO_GATEWAY, hop.name);
		if (g->route[i].best)
			t.route[t.n++] = (struct route_spec){.prefix = g->route[i].prefix, .hop = hops_add(b, &hop)};
	}
	return t;
}

int32_t
gateway_table_of(struct world_build *b, const struct gateway_service *s, bool from_tunnels)
{
	struct gateway_table_use use = {.routes = s->routes}, *uses;
	struct gateway_table_spec *grown;
	uint32_t n = b->spec->n_gateway_tables;

	if (s->gateway == CFG_NONE || s->routes->n_routes == 0)
		return -1;
	use.from_tunnels = from_tunnels && !all_transit(b->config, s);
	if (s->crosses) {
		use.access_name = s->way.access_name;
		use.forwarded_name = s->way.forwarded_name;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (b->table_use[i].routes == use.routes && b->table_use[i].from_tunnels == use.from_tunnels &&
			b->table_use[i].access_name == use.access_name &&
			b->table_use[i].forwarded_name == use.forwarded_name)
			return (int32_t)i;
	}
	grown = world_grow(b, b->spec->gateway_table, n, sizeof(*grown));
	uses = world_grow(b, b->table_use, n, sizeof(*uses));
	if (grown == NULL || uses == NULL)
		return -1;
	b->spec->gateway_table = grown;
	b->table_use = uses;
	uses[n] = use;
	grown[n] = table_spec(b, s, use.from_tunnels);
	return (int32_t)b->spec->n_gateway_tables++;
}
