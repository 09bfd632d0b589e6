#include "control/next_hop.h"

#include "control/appliance_hop.h"
#include "control/hops.h"
#include "control/vnet.h"

/* ---- into VNets ------------------------------------------------------------------------ */

int32_t
next_hop_vnet(const struct world_build *b, const struct effective *e, const struct candidate *c)
{
	return c->peering == CFG_NONE ? e->vnet : b->config->vnets[e->vnet].peerings[c->peering].remote;
}

/* The hop behind the candidate's peering, as packets of this viewpoint meet it. */
static struct hop_spec
across(struct world_build *b, const struct effective *e, const struct candidate *c, struct hop_spec hop)
{
	struct crossing way;

	if (c->peering == CFG_NONE || !crossing_of(b, e->vnet, (uint32_t)c->peering, &way))
		return hop;
	if (e->view == VIEW_SUBNET)
		return crossing_hop(&way, hop);

	/* Packets that the gateway forwards are exempt from allowForwardedTraffic, but reach only VNets that use it. */
	way.forwarded_name = NAME_NONE;
	if (!crossing_is_transit(&way))
		return hop_drop(DROP_NO_ROUTE,
			world_name(b, "%s/virtualNetworkPeerings/%s", b->config->vnets[e->vnet].name, way.own->name));
	return crossing_hop(&way, hop);
}

/* What a drop in the VNet is called: the user route that led there, or the place. */
static uint32_t
place_name(struct world_build *b, const struct candidate *c, int32_t vnet, int32_t subnet)
{
	if (c->user != NULL)
		return c->user_name;
	if (vnet == CFG_NONE)
		return world_name(b, "%s", c->row.name);
	if (subnet == SUBNET_NONE)
		return world_name(b, "%s", b->config->vnets[vnet].name);
	return world_name(b, "%s/%s", b->config->vnets[vnet].name, b->config->vnets[vnet].subnets[subnet].name);
}

struct hop_spec
next_hop_into(struct world_build *b, const struct effective *e, const struct candidate *c, int32_t subnet)
{
	int32_t vnet = next_hop_vnet(b, e, c);
	uint16_t iface = vnet == CFG_NONE || subnet == SUBNET_NONE ? IFACE_NONE : b->subnet_iface[vnet][subnet];
	struct hop_spec hop = {.kind = HOP_SUBNET, .iface = iface, .tunnel = TUNNEL_NONE, .name = c->user_name};

	if (iface == IFACE_NONE)
		hop = hop_drop(DROP_SUBNET_NOT_ATTACHED, place_name(b, c, vnet, subnet));
	return across(b, e, c, hop);
}

struct hop_spec
next_hop_local(struct world_build *b, const struct effective *e, const struct candidate *c)
{
	return across(b, e, c, (struct hop_spec){.kind = HOP_LOCAL, .tunnel = TUNNEL_NONE});
}

/* The whole prefix may lie in one subnet. */
static struct hop_spec
vnet_hop(struct world_build *b, const struct effective *e, const struct candidate *c)
{
	int32_t vnet = next_hop_vnet(b, e, c), subnet = SUBNET_NONE;
	const struct ip_prefix *covers = NULL;

	if (vnet != CFG_NONE)
		subnet = vnet_subnet_of(b->config, vnet, &c->row.prefix.addr, &covers);
	if (covers == NULL || !prefix_covers(covers, &c->row.prefix))
		subnet = SUBNET_NONE;
	return next_hop_into(b, e, c, subnet);
}

/* ---- Internet ---------------------------------------------------------------------------- */

static bool
uplink_serves(const struct cfg_uplink *u, uint8_t family)
{
	for (uint32_t i = 0; i < u->addresses.n; i++) {
		if (u->address[i].family == family)
			return u->internet;
	}
	return false;
}

static bool
uplink_lists(const struct cfg_uplink *u, int32_t vnet)
{
	for (uint32_t i = 0; i < u->vnet_refs.n; i++) {
		if (u->vnets[i] == vnet)
			return true;
	}
	return false;
}

/* An uplink that lets Internet packets into this VNet is the way out too; else the first that carries Internet. */
struct hop_spec
next_hop_internet(struct world_build *b, int32_t vnet, uint8_t family, uint32_t name)
{
	const struct cfg_appliance *a = &b->config->appliance;
	struct hop_spec hop = {.kind = HOP_UPLINK, .iface = IFACE_NONE, .tunnel = TUNNEL_NONE, .name = name};

	for (uint32_t u = 0; u < a->n_uplinks; u++) {
		if (!uplink_serves(&a->uplinks[u], family))
			continue;
		if (hop.iface == IFACE_NONE)
			hop.iface = b->uplink_iface[u];
		if (uplink_lists(&a->uplinks[u], vnet)) {
			hop.iface = b->uplink_iface[u];
			break;
		}
	}
	return hop.iface == IFACE_NONE ? hop_drop(DROP_NO_INTERNET, name) : hop;
}

/* Nobody reaches the Internet through a gateway's tunnel: there is no address translation to come back by. */
static struct hop_spec
internet_hop(struct world_build *b, const struct effective *e, const struct candidate *c)
{
	if (e->view != VIEW_SUBNET)
		return hop_drop(DROP_NO_INTERNET, c->user_name);
	return next_hop_internet(b, e->vnet, c->row.prefix.addr.family, c->user_name);
}

/* ---- user routes -------------------------------------------------------------------------- */

static void
invalid(struct world_build *b, struct candidate *c, const char *why)
{
	c->row.active = false;
	c->row.why = world_text(b, "%s; packets are dropped", why);
	world_warn(b, c->user->mark, "route %s: %s; packets are dropped", names_text(b->names, c->user_name), why);
}

static struct hop_spec
virtual_appliance_hop(struct world_build *b, struct effective *e, struct candidate *c)
{
	struct hop_spec hop;
	const char *why = appliance_hop(b, e, c, &hop);

	if (why != NULL)
		invalid(b, c, why);
	return hop;
}

/* The smallest entry of the gateway's forwarding list around p: what the gateway does with all of p. */
static const struct route_spec *
forward_around(const struct gateway_state *g, const struct ip_prefix *p)
{
	const struct route_spec *best = NULL;

	for (uint32_t i = 0; i < g->n_forward; i++) {
		if (prefix_covers(&g->forward[i].prefix, p) &&
			(best == NULL || best->prefix.len < g->forward[i].prefix.len))
			best = &g->forward[i];
	}
	return best;
}

/* A user route to the VPN gateway: the gateway forwards by its own table, see route_compile.c for what lies inside. */
static struct hop_spec
gateway_user_hop(struct world_build *b, struct effective *e, struct candidate *c)
{
	struct gateway_service s = gateway_service_of(b, e->vnet);
	struct hop_spec drop = hop_drop(DROP_NO_GATEWAY, c->user_name);
	const struct route_spec *around;

	if (e->view != VIEW_SUBNET) {
		invalid(b, c, "the gateway would send to itself");
		return hop_drop(DROP_ROUTE_INVALID, c->user_name);
	}
	if (s.gateway == CFG_NONE) {
		invalid(b, c, "no VPN gateway serves this virtual network");
		return drop;
	}
	if (b->config->gateways[s.gateway].express_route) {
		invalid(b, c, "VirtualNetworkGateway is no next hop where an ExpressRoute gateway serves");
		return drop;
	}
	around = forward_around(s.routes, &c->row.prefix);
	if (around == NULL)
		return s.crosses ? crossing_hop(&s.way, drop) : drop;
	return s.crosses ? crossing_hop(&s.way, b->spec->hop[around->hop]) : b->spec->hop[around->hop];
}

static struct hop_spec
none_hop(struct world_build *b, const struct candidate *c)
{
	char text[ADDRESS_TEXT_MAX];

	if (c->user != NULL)
		return hop_drop(DROP_ROUTE_NONE, c->user_name);
	return hop_drop(
		DROP_ROUTE_NONE, world_name(b, "system route %s", prefix_text(&c->row.prefix, text, sizeof(text))));
}

static struct hop_spec
hop_of(struct world_build *b, struct effective *e, struct candidate *c)
{
	switch (c->row.type) {
	case EFFECTIVE_VNET_LOCAL:
	case EFFECTIVE_VNET_PEERING:
	case EFFECTIVE_VNET_GLOBAL_PEERING:
		return vnet_hop(b, e, c);
	case EFFECTIVE_INTERNET:
		return internet_hop(b, e, c);
	case EFFECTIVE_VIRTUAL_APPLIANCE:
		return virtual_appliance_hop(b, e, c);
	case EFFECTIVE_VIRTUAL_NETWORK_GATEWAY:
		/* what the gateway has is no candidate of others than itself */
		return c->user != NULL ? gateway_user_hop(b, e, c) : c->gateway->hop;
	case EFFECTIVE_NONE:
		break;
	}
	return none_hop(b, c);
}

struct hop_spec
next_hop_of(struct world_build *b, struct effective *e, struct candidate *c)
{
	struct hop_spec hop = hop_of(b, e, c);

	c->row.hop = hops_add(b, &hop);
	return hop;
}
