/* Two objects make a peering, one in each VNet. Which of them decides what:
 *
 *   the sender's    remoteAddressSpace (what is routed), allowVirtualNetworkAccess (with strictAccess: whether at all)
 *   the receiver's  allowForwardedTraffic (whether packets with a source foreign to the sender's VNet may enter)
 *   both            state, and gateway transit: useRemoteGateways here, allowGatewayTransit there
 */
#include "control/peering.h"

#include "control/hops.h"
#include "control/hub.h"

#include <ctype.h>

/* "West Europe" and "westeurope" are one location. */
static bool
same_location(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	for (;;) {
		while (*a == ' ')
			a++;
		while (*b == ' ')
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

static uint32_t
peering_name(struct world_build *b, const struct cfg_vnet *v, const struct cfg_peering *p)
{
	return world_name(b, "%s/virtualNetworkPeerings/%s", v->name, p->name);
}

bool
crossing_of(struct world_build *b, int32_t vnet, uint32_t peering, struct crossing *c)
{
	const struct cfg_vnet *v = &b->config->vnets[vnet], *remote;
	const struct cfg_peering *own = &v->peerings[peering];

	*c = (struct crossing){.own = own, .remote = own->remote, .space = &own->remote_space};
	if (own->state != PEERING_CONNECTED)
		return false;
	if (!own->allow_virtual_network_access && own->strict_access)
		c->access_name = peering_name(b, v, own);
	if (own->remote == CFG_NONE)
		return true;

	remote = &b->config->vnets[own->remote];
	c->global = !same_location(v->location, remote->location);
	if (own->remote_space.n == 0)
		c->space = &remote->space;
	if (own->partner != CFG_NONE) {
		c->partner = &remote->peerings[own->partner];
		if (!c->partner->allow_forwarded_traffic)
			c->forwarded_name = peering_name(b, remote, c->partner);
	}
	return true;
}

struct hop_spec
crossing_hop(const struct crossing *c, struct hop_spec hop)
{
	if (c->access_name != NAME_NONE)
		return hop_drop(DROP_PEER_ACCESS_DENIED, c->access_name);
	if (hop.kind != HOP_DROP && c->forwarded_name != NAME_NONE) {
		hop.deny_forwarded = true;
		hop.deny_name = c->forwarded_name;
	}
	return hop;
}

bool
crossing_is_transit(const struct crossing *c)
{
	return c->own->allow_gateway_transit && c->partner != NULL && c->partner->use_remote_gateways;
}

/* Of both types the ExpressRoute gateway has the other's routes, too. */
static int32_t
serving(const struct cfg_vnet *v)
{
	return v->express_route != CFG_NONE ? v->express_route : v->gateway;
}

struct gateway_service
gateway_service_of(struct world_build *b, int32_t vnet)
{
	const struct cfg_vnet *v = &b->config->vnets[vnet];
	struct gateway_service s = {.gateway = serving(v)};

	for (uint32_t i = 0; s.gateway == CFG_NONE && i < v->n_peerings; i++) {
		struct crossing c;

		if (!v->peerings[i].use_remote_gateways || !crossing_of(b, vnet, i, &c))
			continue;
		if (c.partner == NULL || !c.partner->allow_gateway_transit)
			continue;
		s.gateway = serving(&b->config->vnets[c.remote]);
		s.crosses = s.gateway != CFG_NONE;
		s.way = c;
	}
	if (s.gateway != CFG_NONE)
		s.routes = b->config->gateways[s.gateway].hub == CFG_NONE ? &b->gateway[s.gateway]
									  : hub_view_of_vnet(b, vnet);
	return s;
}
