/* A view is a table's routes as one kind of user may have them: connected networks that are associated to it, tunnels,
 * circuits. Networks share a view but where their own static routes are not for themselves.
 *
 * What a view refuses stays in it as a drop with a name, so that a packet says why. Inside a route that leads into a
 * network stand that network's subnets, and its appliances' routes, as far as no longer route owns them.
 */
#include "control/hub.h"

#include "control/gateway.h"
#include "control/gateway_bgp.h"
#include "control/hops.h"
#include "control/learned.h"
#include "control/vnet.h"

#include <stdlib.h>

enum user { USER_VNET, USER_TUNNELS, USER_CIRCUITS };

struct hub_view {
	int32_t hub, table;
	enum user user;
	bool internet;                           /* VNET: default routes are for it */
	const struct cfg_hub_connection *except; /* VNET: the one whose own static routes are left out, NULL */
	struct hub_routes logical;
	struct gateway_state state;
};

/* ---- what a view refuses ----------------------------------------------------------------- */

static bool
is_left_out(const struct hub_view *v, const struct hub_route *r)
{
	if (r->prefix.len == 0 && (v->user != USER_VNET || !v->internet))
		return true;
	return v->except != NULL && r->vnet_connection == v->except && r->origin != HUB_ORIGIN_VNET;
}

/* NULL: nothing against it. */
static const char *
refusal(const struct cfg_wan *w, const struct hub_view *v, const struct hub_route *r)
{
	if (v->user == USER_VNET)
		return w->basic && r->origin != HUB_ORIGIN_BRANCH
			       ? "the virtual WAN is Basic: from network to network nothing passes"
			       : NULL;
	if (r->origin != HUB_ORIGIN_BRANCH)
		return NULL;
	if (v->user == USER_TUNNELS && r->peer && !r->remote)
		return NULL; /* the hub's own daemon sends there */
	if (!w->branch_to_branch)
		return "allowBranchToBranchTraffic of the virtual WAN is false";
	return v->user == USER_CIRCUITS && r->circuit ? "from circuit to circuit nothing passes" : NULL;
}

static void
filter(struct world_build *b, struct hub_view *v)
{
	const struct cfg_wan *w = &b->config->wan.wans[b->config->wan.hubs[v->hub].wan];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < v->logical.n; i++) {
		struct hub_route *r = &v->logical.route[i];

		if (is_left_out(v, r))
			continue;
		r->why = refusal(w, v, r);
		if (r->why != NULL)
			r->hop = hop_drop(DROP_HUB_NO_TRANSIT, world_name(b, "virtual WAN %s", w->name));
		v->logical.route[kept++] = *r;
	}
	v->logical.n = kept;
	hub_routes_arrange(b, v->hub, &v->logical);
}

/* ---- inside networks ---------------------------------------------------------------------- */

/* The longest best route around p, -1. */
static int32_t
owner(const struct hub_routes *r, const struct ip_prefix *p)
{
	int32_t low = 0, high = (int32_t)r->n;

	while (low < high) {
		int32_t middle = (low + high) / 2;

		if (prefix_compare(&r->route[middle].prefix, p) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	low--;
	if (low >= 0 && !r->route[low].best)
		low = r->route[low].parent;
	while (low >= 0 && !prefix_covers(&r->route[low].prefix, p))
		low = r->route[low].parent;
	return low;
}

static void
add_inside(struct world_build *b, struct hub_view *v, int32_t route, const struct ip_prefix *p, struct hop_spec hop)
{
	const struct gateway_route r = {.prefix = *p, .connection = CFG_NONE, .hop = hop};

	if (prefix_covers(&v->logical.route[route].prefix, p) && owner(&v->logical, p) == route)
		gateway_route_add(b, &v->state, &r);
}

static void
add_subnet(struct world_build *b, struct hub_view *v, int32_t route, int32_t vnet, int32_t subnet)
{
	const struct cfg_vnet *n = &b->config->vnets[vnet];
	const struct cfg_prefixes *p = &n->subnets[subnet].prefixes;
	struct hop_spec hop = {.kind = HOP_SUBNET, .iface = b->subnet_iface[vnet][subnet], .tunnel = TUNNEL_NONE};
	struct hop_spec local = {.kind = HOP_LOCAL, .tunnel = TUNNEL_NONE};

	if (hop.iface == IFACE_NONE)
		hop = hop_drop(DROP_SUBNET_NOT_ATTACHED, world_name(b, "%s/%s", n->name, n->subnets[subnet].name));
	for (uint32_t i = 0; i < p->n; i++) {
		struct ip_prefix host = {.len = address_bits(&p->p[i].addr)};

		add_inside(b, v, route, &p->p[i], hop);
		if (hop.kind == HOP_SUBNET && vnet_gateway_address(&p->p[i], &host.addr))
			add_inside(b, v, route, &host, local);
	}
}

/* A route of the table leads into the whole network, its appliances' routes included. */
static void
expand(struct world_build *b, struct hub_view *v, int32_t route)
{
	const struct hub_route *r = &v->logical.route[route];
	const struct cfg_hub_routing *routing = &r->vnet_connection->routing;
	int32_t vnet = r->vnet_connection->vnet;

	for (uint32_t s = 0; s < b->config->vnets[vnet].n_subnets; s++)
		add_subnet(b, v, route, vnet, (int32_t)s);
	for (uint32_t i = 0; r->origin == HUB_ORIGIN_TABLE && i < routing->n_statics; i++)
		for (uint32_t n = 0; n < routing->statics[i].prefixes.n; n++) {
			const struct ip_prefix *p = &routing->statics[i].prefixes.p[n];

			if (p->len > r->prefix.len)
				add_inside(b, v, route, p, hub_hop_into(b, r->hub, r->vnet_connection, p));
		}
}

/* ---- a gateway's state of them ------------------------------------------------------------- */

/* By prefix; what is inside a network before the route that leads there. */
static int
compare(const void *a, const void *b)
{
	const struct gateway_route *x = a, *y = b;
	int order = prefix_compare(&x->prefix, &y->prefix);

	return order != 0 ? order : x->parent - y->parent;
}

static struct gateway_route
as_gateway_route(const struct hub_route *r, int32_t place)
{
	return (struct gateway_route){.prefix = r->prefix,
		.connection = r->connection,
		.weight = r->weight,
		.learned = r->learned,
		.parent = place,
		.hop = r->hop};
}

const char *
hub_route_name(const struct config *c, const struct hub_route *r)
{
	if (r->origin != HUB_ORIGIN_BRANCH)
		return r->vnet_connection->name;
	return r->connection == CFG_NONE ? c->wan.hubs[r->hub].name : c->connections[r->connection].name;
}

static void
rows(struct world_build *b, struct hub_view *v)
{
	struct ip_addr next_hop = gateway_shown(b->config, b->config->wan.hubs[v->hub].gateway);
	struct gateway_state *s = &v->state;

	s->row = arena_array(b->arena, v->logical.n, sizeof(*s->row));
	s->n_rows = s->row == NULL ? 0 : v->logical.n;
	for (uint32_t i = 0; i < s->n_rows; i++) {
		const struct hub_route *r = &v->logical.route[i];

		s->row[i] = (struct effective_route){.prefix = r->prefix,
			.source = SOURCE_VIRTUAL_NETWORK_GATEWAY,
			.type = EFFECTIVE_VIRTUAL_NETWORK_GATEWAY,
			.active = r->best && r->why == NULL,
			.next_hop = next_hop,
			.name = hub_route_name(b->config, r),
			.why = r->why != NULL ? r->why
			       : r->best      ? NULL
					      : WHY_ANOTHER_HUB_ROUTE,
			.hop = HOP_NONE};
	}
}

static void
forward(struct world_build *b, struct gateway_state *s)
{
	s->forward = arena_array(b->arena, s->n_routes, sizeof(*s->forward));
	for (uint32_t i = 0; s->forward != NULL && i < s->n_routes; i++)
		if (s->route[i].best)
			s->forward[s->n_forward++] =
				(struct route_spec){.prefix = s->route[i].prefix, .hop = hops_add(b, &s->route[i].hop)};
}

static void
fill(struct world_build *b, struct hub_view *v)
{
	struct gateway_state *s = &v->state;

	v->logical = hub_routes_collect(b, v->hub, v->table);
	filter(b, v);
	for (uint32_t i = 0; i < v->logical.n; i++) {
		struct gateway_route r = as_gateway_route(&v->logical.route[i], (int32_t)i + 1);

		gateway_route_add(b, s, &r);
	}
	for (uint32_t i = 0; i < v->logical.n; i++)
		if (v->logical.route[i].best && v->logical.route[i].why == NULL &&
			(v->logical.route[i].origin == HUB_ORIGIN_VNET ||
				v->logical.route[i].origin == HUB_ORIGIN_TABLE))
			expand(b, v, (int32_t)i);
	if (s->n_routes > 0)
		qsort(s->route, s->n_routes, sizeof(*s->route), compare);
	gateway_link(s, true);
	s->transit = true;
	forward(b, s);
	rows(b, v);
}

/* ---- views ---------------------------------------------------------------------------------- */

static struct hub_view *
find(const struct world_build *b, const struct hub_view *like)
{
	for (uint32_t i = 0; i < b->n_hub_views; i++) {
		struct hub_view *v = b->hub_view[i];

		if (v->hub == like->hub && v->table == like->table && v->user == like->user &&
			v->internet == like->internet && v->except == like->except)
			return v;
	}
	return NULL;
}

static void
view_add(struct world_build *b, struct hub_view like)
{
	struct hub_view *v, **grown;

	if (find(b, &like) != NULL)
		return;
	v = arena_array(b->arena, 1, sizeof(*v));
	grown = world_grow(b, b->hub_view, b->n_hub_views, sizeof(*grown));
	if (v == NULL || grown == NULL)
		return;
	*v = like;
	b->hub_view = grown;
	grown[b->n_hub_views++] = v;
	fill(b, v);
}

/* A route of the table may lead into the very network that asks: not back out of it. */
static bool
has_own_routes(const struct cfg_hub *h, const struct cfg_hub_connection *c)
{
	const struct cfg_hub_table *t = &h->tables[c->routing.associated];

	for (uint32_t i = 0; i < t->n_routes; i++)
		if (&h->connections[t->routes[i].connection] == c)
			return true;
	return c->routing.n_statics > 0;
}

static struct hub_view
of_connection(const struct config *c, int32_t hub, int32_t connection)
{
	const struct cfg_hub *h = &c->wan.hubs[hub];
	const struct cfg_hub_connection *own = &h->connections[connection];

	return (struct hub_view){.hub = hub,
		.table = own->routing.associated,
		.user = USER_VNET,
		.internet = own->internet_security,
		.except = has_own_routes(h, own) ? own : NULL};
}

static struct hub_view
of_branches(int32_t hub, enum user user)
{
	return (struct hub_view){.hub = hub, .table = CFG_HUB_DEFAULT_TABLE, .user = user};
}

void
hub_views(struct world_build *b)
{
	for (uint32_t i = 0; i < b->config->wan.n_hubs; i++) {
		view_add(b, of_branches((int32_t)i, USER_TUNNELS));
		if (b->config->wan.hubs[i].express_route != CFG_NONE)
			view_add(b, of_branches((int32_t)i, USER_CIRCUITS));
		for (uint32_t c = 0; c < b->config->wan.hubs[i].n_connections; c++)
			view_add(b, of_connection(b->config, (int32_t)i, (int32_t)c));
	}
}

static const struct gateway_state *
state_of(const struct world_build *b, const struct hub_view *like)
{
	static const struct gateway_state nothing = {.iface = 0};
	const struct hub_view *v = find(b, like);

	return v == NULL ? &nothing : &v->state; /* memory was out */
}

const struct gateway_state *
hub_view_of_vnet(const struct world_build *b, int32_t vnet)
{
	const struct cfg_vnet *v = &b->config->vnets[vnet];
	struct hub_view like;

	/* a hub has no subnet with hosts, but its GatewaySubnet has a table for print */
	like = v->implied ? of_branches(v->hub, USER_TUNNELS) : of_connection(b->config, v->hub, v->hub_connection);
	return state_of(b, &like);
}

const struct gateway_state *
hub_view_of_tunnels(const struct world_build *b, int32_t hub)
{
	struct hub_view like = of_branches(hub, USER_TUNNELS);

	return state_of(b, &like);
}

const struct gateway_state *
hub_view_of_circuits(const struct world_build *b, int32_t hub)
{
	struct hub_view like = of_branches(hub, USER_CIRCUITS);

	return state_of(b, &like);
}

void
hub_networks(struct world_build *b, int32_t hub, struct cfg_prefixes *to)
{
	struct hub_view like = of_branches(hub, USER_TUNNELS);
	const struct hub_view *v = find(b, &like);

	for (uint32_t i = 0; v != NULL && i < v->logical.n; i++) {
		struct ip_prefix *grown;

		if (v->logical.route[i].origin != HUB_ORIGIN_VNET)
			continue;
		grown = world_grow(b, to->p, to->n, sizeof(*grown));
		if (grown == NULL)
			return;
		to->p = grown;
		grown[to->n++] = v->logical.route[i].prefix;
	}
}

/* ---- BGP ------------------------------------------------------------------------------------- */

static void
told_add(struct world_build *b, struct told_prefixes *to, const struct ip_prefix *p, bool far, bool behind)
{
	struct told_prefix *grown = world_grow(b, to->p, to->n, sizeof(*grown));

	if (grown == NULL)
		return;
	to->p = grown;
	grown[to->n++] = (struct told_prefix){*p, far, behind};
}

/* What was learned is told by the daemon itself. */
struct told_prefixes
hub_told(struct world_build *b, int32_t hub)
{
	struct hub_view like = of_branches(hub, USER_TUNNELS);
	const struct hub_view *v = find(b, &like);
	struct told_prefixes to = {.n = 0};

	told_add(b, &to, &b->config->wan.hubs[hub].prefix, false, false);
	for (uint32_t i = 0; v != NULL && i < v->logical.n; i++) {
		const struct hub_route *r = &v->logical.route[i];

		if (r->best && r->why == NULL && !r->learned && !r->peer)
			told_add(b, &to, &r->prefix, r->remote,
				r->origin == HUB_ORIGIN_BRANCH && !r->remote && r->hop.kind == HOP_TUNNEL);
	}
	return to;
}

/* What the other hub does with a prefix that its own branches have told it; NULL: nobody did. */
static const struct gateway_route *
told_by(const struct world_build *b, const struct cfg_hub *other, int32_t hub, const struct ip_prefix *p)
{
	const struct gateway_state *g = &b->gateway[other->gateway];
	const struct gateway_route *found = NULL;
	int32_t i = gateway_around(g, p);

	if (i < 0 || !prefix_equal(&g->route[i].prefix, p))
		return NULL;
	for (; i < (int32_t)g->n_routes && prefix_equal(&g->route[i].prefix, p); i++) {
		const struct gateway_route *r = &g->route[i];
		bool preferred = (r->hop.kind == HOP_CIRCUIT) == (other->preference != HUB_PREFERS_VPN);

		if (r->learned && r->connection != CFG_NONE &&
			b->config->connections[r->connection].hub_routing->hub == hub && (found == NULL || preferred))
			found = r;
	}
	return found;
}

/* The daemons have chosen: by whose address a route goes, that hub's branches have it. */
static void
learned_of(struct world_build *b, int32_t hub)
{
	const struct cfg_wans *w = &b->config->wan;
	uint32_t gateway = (uint32_t)w->hubs[hub].gateway;
	const struct learned_routes *learned = gateway_bgp_told(b, gateway);

	for (uint32_t i = 0; learned != NULL && i < learned->n; i++)
		for (int32_t h = 0; h < (int32_t)w->n_hubs; h++) {
			const struct ip_addr *other = &b->config->gateways[w->hubs[h].gateway].bgp.address;
			const struct gateway_route *r = NULL;

			if (h != hub && w->hubs[h].wan == w->hubs[hub].wan &&
				address_equal(other, &learned->route[i].via[0].address))
				r = told_by(b, &w->hubs[h], h, &learned->route[i].prefix);
			if (r != NULL)
				gateway_route_add(b, &b->gateway[gateway], r);
		}
}

void
hub_learned(struct world_build *b)
{
	for (uint32_t i = 0; i < b->config->wan.n_hubs; i++) {
		learned_of(b, (int32_t)i);
		gateway_arrange(&b->gateway[b->config->wan.hubs[i].gateway]);
	}
}
