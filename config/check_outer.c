/* The outer addresses of tunnels: one of ours on an uplink, the peer's of the same family. */
#include "config/check.h"

bool
address_is_ours(const struct check *k, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < k->c->appliance.n_uplinks; i++)
		for (uint32_t j = 0; j < k->c->appliance.uplinks[i].addresses.n; j++)
			if (address_equal(&k->c->appliance.uplinks[i].address[j], a))
				return true;
	return false;
}

/* IP_NONE: of whichever family. */
static const struct ip_addr *
gateway_address(const struct check *k, const struct cfg_gateway *g, uint8_t family)
{
	for (uint32_t i = 0; i < g->public_ip_refs.n; i++) {
		const struct ip_addr *a;

		if (g->public_ips[i] == CFG_NONE)
			continue;
		a = &k->c->public_ips[g->public_ips[i]].address;
		if (a->family != IP_NONE && (family == IP_NONE || a->family == family))
			return a;
	}
	return NULL;
}

/* The peer is a name: any of our addresses may fit. */
static enum outer
outer_of_name(const struct check *k, const struct cfg_gateway *g, const struct ip_addr **ours)
{
	static const uint8_t families[] = {IP_V4, IP_V6};

	for (size_t i = 0; i < sizeof(families); i++) {
		const struct ip_addr *a = gateway_address(k, g, families[i]);

		*ours = a ? a : *ours;
		if (a != NULL && address_is_ours(k, a))
			return OUTER_OURS;
	}
	return *ours ? OUTER_AWAY : OUTER_UNKNOWN;
}

enum outer
outer_find(const struct check *k, const struct cfg_connection *c, const struct ip_addr **ours)
{
	const struct cfg_gateway *g = &k->c->gateways[c->gateway1];
	const struct ip_addr *peer = NULL;

	*ours = NULL;
	if (c->type == CONNECTION_IPSEC && c->local_gateway != CFG_NONE &&
		k->c->local_gateways[c->local_gateway].fqdn != NULL)
		return outer_of_name(k, g, ours);
	for (int i = 0; i < 2 && *ours == NULL; i++) {
		uint8_t family = i == 0 ? IP_V4 : IP_V6;

		if (c->type == CONNECTION_VNET2VNET && c->gateway2 != CFG_NONE)
			peer = gateway_address(k, &k->c->gateways[c->gateway2], family);
		else if (c->type == CONNECTION_IPSEC && c->local_gateway != CFG_NONE)
			peer = &k->c->local_gateways[c->local_gateway].address;
		if (peer != NULL && peer->family == family)
			*ours = gateway_address(k, g, family);
	}
	if (peer == NULL || peer->family == IP_NONE)
		return OUTER_UNKNOWN;
	if (*ours == NULL)
		return OUTER_OTHER_FAMILY;
	return address_is_ours(k, *ours) ? OUTER_OURS : OUTER_AWAY;
}

void
check_outer(struct check *k, const struct cfg_connection *c, const char *why)
{
	const struct cfg_gateway *g = &k->c->gateways[c->gateway1];
	const struct ip_addr *ours;
	enum outer found = outer_find(k, c, &ours);
	char text[ADDRESS_TEXT_MAX];

	if (found == OUTER_OTHER_FAMILY)
		config_error(k->b->errors, c->mark, "TunnelAddressFamily",
			"connection '%.80s': gateway '%.80s' has no public address of its peer's family", c->name,
			g->name);
	if (found == OUTER_AWAY)
		config_error(k->b->errors, c->mark, "TunnelAddressNotOnUplink",
			"connection '%.80s' %s, but %s of gateway '%.80s' is no address of an uplink", c->name, why,
			address_text(ours, text, sizeof(text)), g->name);
}
