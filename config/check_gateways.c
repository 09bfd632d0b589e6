/* Public addresses, gateways (one of each type per VNet, in its GatewaySubnet), local network gateways. */
#include "config/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int
public_ip_order(const void *a, const void *b)
{
	const struct cfg_public_ip *const *x = a, *const *y = b;
	int order = memcmp(&(*x)->address, &(*y)->address, sizeof((*x)->address));

	return order != 0 ? order : (*x < *y ? -1 : 1);
}

static void
check_public_ips(struct check *k)
{
	const struct cfg_public_ip *sorted[LIMIT_PUBLIC_IPS];
	char text[ADDRESS_TEXT_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->c->n_public_ips; i++)
		if (k->c->public_ips[i].address.family != IP_NONE)
			sorted[n++] = &k->c->public_ips[i];
	if (n > 1)
		qsort(sorted, n, sizeof(sorted[0]), public_ip_order);
	for (uint32_t i = 1; i < n; i++)
		if (address_equal(&sorted[i]->address, &sorted[i - 1]->address))
			config_error(k->b->errors, MARK(k, &sorted[i]->address, sorted[i]), "PublicIPAddressInUse",
				"%s of public IP address '%.80s' is in use by '%.80s'",
				address_text(&sorted[i]->address, text, sizeof(text)), sorted[i]->name,
				sorted[i - 1]->name);
}

static void
check_types(struct check *k, const struct cfg_gateway *g)
{
	if (!g->express_route && strcasecmp(g->gateway_type, "Vpn") != 0)
		config_error(k->b->errors, MARK(k, &g->gateway_type, g), "NotSupported",
			"gateway '%.80s': gatewayType is Vpn or ExpressRoute, not '%.40s'", g->name, g->gateway_type);
	if (g->express_route && (g->p2s.pool.n > 0 || g->bgp.custom.n > 0))
		config_error(k->b->errors, g->mark, "InvalidValue",
			"gateway '%.80s' of type ExpressRoute has no %s: it has no tunnels", g->name,
			g->p2s.pool.n > 0 ? "vpnClientConfiguration" : "customBgpIpAddresses");
	if (g->express_route && g->limit_rate)
		config_error(k->b->errors, MARK(k, &g->limit_rate, g), "InvalidValue",
			"gateway '%.80s' of type ExpressRoute has no limitRate: a circuit has its provider's rate",
			g->name);
	if (!g->express_route && g->hub == CFG_NONE && g->subnet_ref != NULL && g->public_ip_refs.n == 0)
		config_error(k->b->errors, g->mark, "MissingKey",
			"gateway '%.80s' of type Vpn needs a publicIPAddress in its ipConfigurations", g->name);
	if (strcasecmp(g->vpn_type, "RouteBased") != 0 && strcasecmp(g->vpn_type, "PolicyBased") != 0)
		config_error(k->b->errors, MARK(k, &g->vpn_type, g), "InvalidValue",
			"gateway '%.80s': vpnType is RouteBased or PolicyBased, not '%.40s'", g->name, g->vpn_type);
}

static int
check_public_refs(struct check *k, struct cfg_gateway *g)
{
	const struct cfg_public_ip *first, *second;

	if (reference_resolve_all(k, KIND_PUBLIC_IP, &g->public_ip_refs, g->mark, &g->public_ips) < 0)
		return -ENOMEM;
	if (g->public_ip_refs.n < 2 || g->public_ips[0] == CFG_NONE || g->public_ips[1] == CFG_NONE)
		return 0;
	first = &k->c->public_ips[g->public_ips[0]];
	second = &k->c->public_ips[g->public_ips[1]];
	if (first->address.family == second->address.family)
		config_error(k->b->errors, MARK(k, &g->public_ip_refs.s[1], g), "NotSupported",
			"gateway '%.80s' has two public addresses of one family: active-active is not supported by "
			"this version",
			g->name);
	return 0;
}

static void
check_place(struct check *k, struct cfg_gateway *g, int32_t index)
{
	int32_t *place;
	struct cfg_vnet *v;

	reference_resolve_subnet(k, &g->subnet_ref, g->mark, &g->vnet, &g->subnet);
	if (g->subnet == CFG_NONE)
		return;
	v = &k->c->vnets[g->vnet];
	if (!v->subnets[g->subnet].is_gateway)
		config_error(k->b->errors, MARK(k, &g->subnet_ref, g), "GatewaySubnetMissing",
			"gateway '%.80s' stands in subnet '%.80s': it must be GatewaySubnet", g->name,
			v->subnets[g->subnet].name);
	if (v->implied && !g->implied) {
		config_error(k->b->errors, MARK(k, &g->subnet_ref, g), "InvalidReference",
			"gateway '%.80s': '%.80s' is a virtual hub, which has gateways of its own kinds", g->name,
			v->name);
		return;
	}
	place = g->express_route ? &v->express_route : &v->gateway;
	if (*place != CFG_NONE)
		config_error(k->b->errors, g->mark, "VnetHasGateway",
			"virtual network '%.80s' has gateway '%.80s' already: one %s gateway per virtual network",
			v->name, k->c->gateways[*place].name, g->express_route ? "ExpressRoute" : "VPN");
	else
		*place = index;
}

/* Circuits have BGP, and where both types of gateway are they tell each other. */
static bool
needs_bgp(const struct check *k, const struct cfg_gateway *g)
{
	return g->enable_bgp || g->express_route ||
	       (g->vnet != CFG_NONE && k->c->vnets[g->vnet].express_route != CFG_NONE);
}

/* Dots between labels of letters, digits and hyphens. */
static bool
is_host_name(const char *name)
{
	size_t label = 0;

	for (const char *p = name; *p != '\0'; p++) {
		bool inside = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *p) != NULL;

		if (*p == '.' && (label == 0 || p[-1] == '-'))
			return false;
		if (*p != '.' && !inside && (*p != '-' || label == 0))
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0 && name[strlen(name) - 1] != '-';
}

static void
check_peer(struct check *k, const struct cfg_local_gateway *l)
{
	struct ip_addr address;

	if (l->address.family == IP_NONE && l->fqdn == NULL)
		config_error(k->b->errors, l->mark, "MissingKey",
			"local network gateway '%.80s' needs gatewayIpAddress or fqdn", l->name);
	if (l->address.family != IP_NONE && l->fqdn != NULL)
		config_error(k->b->errors, MARK(k, &l->fqdn, l), "InvalidValue",
			"local network gateway '%.80s' has gatewayIpAddress and fqdn: one of them", l->name);
	if (l->fqdn != NULL && (!is_host_name(l->fqdn) || address_parse(l->fqdn, &address) == 0))
		config_error(k->b->errors, MARK(k, &l->fqdn, l), "InvalidValue",
			"local network gateway '%.80s': fqdn is a name like vpn.example.com, not '%.80s'", l->name,
			l->fqdn);
}

int
check_gateways(struct check *k)
{
	check_public_ips(k);
	for (uint32_t i = 0; i < k->c->n_gateways; i++) {
		struct cfg_gateway *g = &k->c->gateways[i];

		g->express_route = strcasecmp(g->gateway_type, "ExpressRoute") == 0;
		check_types(k, g);
		if (check_public_refs(k, g) < 0)
			return -ENOMEM;
		check_place(k, g, (int32_t)i);
	}
	for (uint32_t i = 0; i < k->c->n_gateways; i++)
		k->c->gateways[i].speaks_bgp = needs_bgp(k, &k->c->gateways[i]);
	for (uint32_t i = 0; i < k->c->n_local_gateways; i++)
		check_peer(k, &k->c->local_gateways[i]);
	return 0;
}
