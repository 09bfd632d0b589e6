/* Connections: two ends that exist and fit, selectors in pairs. Their SAs: check_sa.c. */
#include "config/check.h"
#include "config/schemas.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

bool
gateway_is_route_based(const struct cfg_gateway *g)
{
	return strcasecmp(g->vpn_type, "RouteBased") == 0;
}

static void
check_ipsec_ends(struct check *k, const struct cfg_connection *c)
{
	if (c->local_gateway_ref == NULL)
		config_error(k->b->errors, c->mark, "MissingKey",
			"connection '%.80s' of type IPsec needs localNetworkGateway2", c->name);
	if (c->gateway2_ref != NULL)
		config_error(k->b->errors, MARK(k, &c->gateway2_ref, c), "InvalidValue",
			"connection '%.80s' of type IPsec has no virtualNetworkGateway2", c->name);
}

static void
check_vnet_ends(struct check *k, const struct cfg_connection *c)
{
	const struct cfg_gateway *a, *b;

	if (c->gateway2_ref == NULL)
		config_error(k->b->errors, c->mark, "MissingKey",
			"connection '%.80s' of type Vnet2Vnet needs virtualNetworkGateway2", c->name);
	if (c->local_gateway_ref != NULL)
		config_error(k->b->errors, MARK(k, &c->local_gateway_ref, c), "InvalidValue",
			"connection '%.80s' of type Vnet2Vnet has no localNetworkGateway2", c->name);
	if (c->gateway1 == CFG_NONE || c->gateway2 == CFG_NONE)
		return;
	a = &k->c->gateways[c->gateway1];
	b = &k->c->gateways[c->gateway2];
	if (a == b)
		config_error(k->b->errors, MARK(k, &c->gateway2_ref, c), "InvalidReference",
			"connection '%.80s' leads from gateway '%.80s' to itself", c->name, a->name);
	if (!gateway_is_route_based(a) || !gateway_is_route_based(b))
		config_error(k->b->errors, c->mark, "VpnTypeNotSupported",
			"connection '%.80s' of type Vnet2Vnet needs RouteBased gateways at both ends", c->name);
}

static bool
session_is_set(const struct cfg_bgp_session *s)
{
	struct cfg_bgp_session none;

	memset(&none, 0, sizeof(none));
	bgp_session_init(&none);
	return memcmp(s, &none, sizeof(none)) != 0;
}

static void
check_circuit_ends(struct check *k, const struct cfg_connection *c)
{
	const char *has = c->gateway2_ref != NULL        ? "virtualNetworkGateway2"
			  : c->local_gateway_ref != NULL ? "localNetworkGateway2"
			  : c->enable_bgp                ? "enableBgp: its circuit has BGP always"
			  : c->n_sas > 0                 ? "securityAssociations"
			  : c->n_selectors > 0           ? "trafficSelectorPolicies"
			  : c->policy_based              ? "usePolicyBasedTrafficSelectors"
			  : c->mtu != 0 || c->tcp_mss    ? "appliance.mtu and tcpMss"
			  : session_is_set(&c->bgp)      ? "appliance.bgp: its circuit has"
							 : NULL;

	if (c->circuit_ref == NULL)
		config_error(k->b->errors, c->mark, "MissingKey",
			"connection '%.80s' of type ExpressRoute needs peer: its circuit", c->name);
	if (has != NULL)
		config_error(k->b->errors, c->mark, "InvalidValue", "connection '%.80s' of type ExpressRoute has no %s",
			c->name, has);
}

/* Each type of connection has its type of gateway. */
static void
check_gateway_type(struct check *k, const struct cfg_connection *c, int32_t gateway)
{
	bool express_route = c->type == CONNECTION_EXPRESS_ROUTE;

	if (gateway != CFG_NONE && k->c->gateways[gateway].implied && !c->implied)
		config_error(k->b->errors, c->mark, "GatewayTypeNotSupported",
			"connection '%.80s': '%.80s' is a virtual hub, whose gateways have their connections "
			"themselves",
			c->name, k->c->gateways[gateway].name);
	if (gateway != CFG_NONE && k->c->gateways[gateway].hub == CFG_NONE &&
		k->c->gateways[gateway].express_route != express_route)
		config_error(k->b->errors, c->mark, "GatewayTypeNotSupported",
			"connection '%.80s' needs a gateway of type %s, which '%.80s' is not", c->name,
			express_route ? "ExpressRoute" : "Vpn", k->c->gateways[gateway].name);
}

static void
check_ends(struct check *k, const struct cfg_connection *c)
{
	check_gateway_type(k, c, c->gateway1);
	check_gateway_type(k, c, c->gateway2);
	if (c->type != CONNECTION_EXPRESS_ROUTE && c->circuit_ref != NULL)
		config_error(k->b->errors, MARK(k, &c->circuit_ref, c), "InvalidValue",
			"connection '%.80s' has peer, but is not of type ExpressRoute", c->name);
	switch (c->type) {
	case CONNECTION_IPSEC:
		check_ipsec_ends(k, c);
		break;
	case CONNECTION_VNET2VNET:
		check_vnet_ends(k, c);
		break;
	case CONNECTION_EXPRESS_ROUTE:
		check_circuit_ends(k, c);
		break;
	}
}

/* Two networks with common addresses cannot be told apart through a tunnel. */
static void
check_spaces_apart(struct check *k, const struct cfg_connection *c)
{
	const struct cfg_gateway *a = &k->c->gateways[c->gateway1], *b = &k->c->gateways[c->gateway2];
	char x[ADDRESS_TEXT_MAX], y[ADDRESS_TEXT_MAX];
	const struct cfg_vnet *v, *w;

	if (a->vnet == CFG_NONE || b->vnet == CFG_NONE || a->vnet == b->vnet)
		return;
	v = &k->c->vnets[a->vnet];
	w = &k->c->vnets[b->vnet];
	for (uint32_t i = 0; i < v->space.n; i++)
		for (uint32_t j = 0; j < w->space.n; j++)
			if (prefix_overlaps(&v->space.p[i], &w->space.p[j]))
				config_error(k->b->errors, c->mark, "VnetAddressSpacesOverlap",
					"'%.80s' and '%.80s' cannot be connected. Overlapping address prefixes: %s, %s",
					v->name, w->name, prefix_text(&v->space.p[i], x, sizeof(x)),
					prefix_text(&w->space.p[j], y, sizeof(y)));
}

/* A prefix inside the VNet's own space would never be used: the system route wins. */
static void
check_local_prefixes(struct check *k, const struct cfg_connection *c)
{
	const struct cfg_local_gateway *l = &k->c->local_gateways[c->local_gateway];
	const struct cfg_gateway *g = &k->c->gateways[c->gateway1];
	char text[ADDRESS_TEXT_MAX];
	const struct cfg_vnet *v;

	if (g->vnet == CFG_NONE)
		return;
	v = &k->c->vnets[g->vnet];
	for (uint32_t i = 0; i < l->prefixes.n; i++)
		for (uint32_t j = 0; j < v->space.n; j++)
			if (prefix_covers(&v->space.p[j], &l->prefixes.p[i]))
				config_error(k->b->errors, MARK(k, &l->prefixes.p[i], l), "LocalNetworkInsideVnet",
					"%s of local network gateway '%.80s' lies inside virtual network '%.80s', "
					"which connection '%.80s' "
					"leaves from",
					prefix_text(&l->prefixes.p[i], text, sizeof(text)), l->name, v->name, c->name);
}

static void
check_selectors(struct check *k, const struct cfg_connection *c)
{
	for (uint32_t i = 0; i < c->n_selectors; i++) {
		const struct cfg_selector *s = &c->selectors[i];

		if (s->local.n == 0 || s->remote.n == 0)
			config_error(k->b->errors, s->mark, "MissingKey",
				"a traffic selector policy needs localAddressRanges and remoteAddressRanges");
	}
}

static void
check_sizes(struct check *k, const struct cfg_connection *c)
{
	if (c->mtu != 0 && c->tcp_mss >= c->mtu)
		config_error(k->b->errors, MARK(k, &c->tcp_mss, c), "InvalidValue",
			"connection '%.80s': tcpMss %u does not fit in mtu %u", c->name, c->tcp_mss, c->mtu);
}

int
check_connections(struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_connections; i++) {
		struct cfg_connection *c = &k->c->connections[i];

		c->gateway1 = reference_resolve(k, KIND_GATEWAY, &c->gateway1_ref, c->mark);
		c->gateway2 = reference_resolve(k, KIND_GATEWAY, &c->gateway2_ref, c->mark);
		c->local_gateway = reference_resolve(k, KIND_LOCAL_GATEWAY, &c->local_gateway_ref, c->mark);
		/* a policy-based gateway knows no other selectors */
		if (c->type != CONNECTION_EXPRESS_ROUTE && c->gateway1 != CFG_NONE &&
			!gateway_is_route_based(&k->c->gateways[c->gateway1]))
			c->policy_based = true;
		c->circuit = reference_resolve(k, KIND_CIRCUIT, &c->circuit_ref, c->mark);
		check_ends(k, c);
		if (c->local_gateway != CFG_NONE && k->c->local_gateways[c->local_gateway].implied && !c->implied)
			config_error(k->b->errors, MARK(k, &c->local_gateway_ref, c), "InvalidReference",
				"connection '%.80s': '%.80s' is a VPN site, not a local network gateway", c->name,
				k->c->local_gateways[c->local_gateway].name);
		if (c->gateway1 != CFG_NONE && c->gateway2 != CFG_NONE)
			check_spaces_apart(k, c);
		if (c->gateway1 != CFG_NONE && c->local_gateway != CFG_NONE)
			check_local_prefixes(k, c);
		check_selectors(k, c);
		check_sizes(k, c);
	}
	return 0;
}
