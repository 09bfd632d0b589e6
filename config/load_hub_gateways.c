/* Schemas of the gateways of virtual hubs: site-to-site, ExpressRoute, point-to-site. */
#include "config/hub_gateway.h"
#include "config/schemas.h"

#include <string.h>

/* ---- what metal needs ------------------------------------------------------------ */

#define METAL(s)                                                                                                       \
	REFS("publicIPAddresses", s, metal.public_ip_refs, LIMIT_GATEWAY_IP_CONFIGS), CREDENTIALS(s, metal.credentials)

static const struct field vpn_appliance_fields[] = {
	METAL(struct cfg_hub_vpn_gateway),
	END_OF_FIELDS,
};

static const struct schema vpn_appliance_schema = {
	.noun = "VPN gateway's appliance part", .fields = vpn_appliance_fields};

static const struct field p2s_appliance_fields[] = {
	METAL(struct cfg_hub_p2s_gateway),
	LIST_AT("p2sUsers", struct cfg_hub_p2s_gateway, users, n_users, LIMIT_P2S_USERS, &p2s_user_schema),
	END_OF_FIELDS,
};

static const struct schema p2s_appliance_schema = {
	.noun = "P2S VPN gateway's appliance part", .fields = p2s_appliance_fields};

/* ---- site-to-site ---------------------------------------------------------------- */

/* What a link's connection says of its tunnel: a struct cfg_connection. */
#define TUNNEL_FIELDS                                                                                                  \
	NUMBER("routingWeight", struct cfg_connection, routing_weight, 0, 32000),                                      \
		FLAG("enableBgp", struct cfg_connection, enable_bgp),                                                  \
		CUSTOM("sharedKey", bind_shared_key, print_shared_key),                                                \
		LIST_AT("ipsecPolicies", struct cfg_connection, ike.policies, ike.n_policies, LIMIT_POLICIES,          \
			&policy_schema),                                                                               \
		WORD("vpnConnectionProtocolType", struct cfg_connection, ike.protocol, connection_protocol_words),     \
		FLAG("usePolicyBasedTrafficSelectors", struct cfg_connection, policy_based),                           \
		ZERO_OR("dpdTimeoutSeconds", struct cfg_connection, ike.dpd_s, 9, 3600),                               \
		PART("appliance", &connection_appliance_schema), IGNORED("connectionBandwidth"),                       \
		IGNORED("connectionStatus"), IGNORED("egressBytesTransferred"), IGNORED("ingressBytesTransferred"),    \
		REFUSED("enableRateLimiting"), REFUSED("useLocalAzureIpAddress")

static const struct field vpn_link_fields[] = {
	NAME(struct cfg_connection),
	ID(struct cfg_connection),
	{.key = "vpnSiteLink",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_hub_vpn_link, link_ref)},
	TUNNEL_FIELDS,
	WORD("vpnLinkConnectionMode", struct cfg_connection, ike.mode, connection_mode_words),
	{.key = "vpnGatewayCustomBgpAddresses",
		.type = FIELD_CUSTOM,
		.schema = &custom_bgp_address_schema,
		.bind = bind_custom_bgp_address,
		.print = print_custom_bgp_address},
	REFUSED("egressNatRules"),
	REFUSED("ingressNatRules"),
	END_OF_FIELDS,
};

/* A hub's gateway is RouteBased. */
static void
vpn_link_init(void *object)
{
	connection_init(object);
	((struct cfg_connection *)object)->ike.protocol = PROTOCOL_IKEV2;
}

static const struct schema vpn_link_schema = {.noun = "connection of a site's link",
	.fields = vpn_link_fields,
	.size = sizeof(struct cfg_hub_vpn_link),
	.init = vpn_link_init,
	.resource = true};

static const struct field vpn_connection_fields[] = {
	NAME(struct cfg_connection),
	ID(struct cfg_connection),
	{.key = "remoteVpnSite",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_hub_vpn_connection, site_ref)},
	LIST("vpnLinkConnections", struct cfg_hub_vpn_connection, links, LIMIT_SITE_LINKS, &vpn_link_schema),
	LIST_AT("trafficSelectorPolicies", struct cfg_connection, selectors, n_selectors, LIMIT_SELECTORS,
		&selector_schema),
	OPTIONAL_PART("routingConfiguration", struct cfg_hub_vpn_connection, routing, &hub_routing_schema),
	TUNNEL_FIELDS,
	REFUSED_TO("enableInternetSecurity", "branches are told no default route"),
	END_OF_FIELDS,
};

static void
vpn_connection_init(void *object)
{
	vpn_link_init(object);
	hub_routing_init(&((struct cfg_hub_vpn_connection *)object)->routing);
}

static const struct schema vpn_connection_schema = {.noun = "connection of a site",
	.fields = vpn_connection_fields,
	.size = sizeof(struct cfg_hub_vpn_connection),
	.init = vpn_connection_init,
	.resource = true};

static const struct field vpn_gateway_fields[] = {
	NAME(struct cfg_hub_vpn_gateway),
	ID(struct cfg_hub_vpn_gateway),
	{.key = "virtualHub",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_hub_vpn_gateway, hub_ref)},
	OPTIONAL_PART("bgpSettings", struct cfg_hub_vpn_gateway, bgp, &hub_bgp_settings_schema),
	LIST("connections", struct cfg_hub_vpn_gateway, connections, LIMIT_HUB_SITES, &vpn_connection_schema),
	PART("appliance", &vpn_appliance_schema),
	IGNORED("ipConfigurations"),
	IGNORED("isRoutingPreferenceInternet"),
	IGNORED("vpnGatewayScaleUnit"),
	REFUSED("enableBgpRouteTranslationForNat"),
	REFUSED("natRules"),
	END_OF_FIELDS,
};

static void
vpn_gateway_init(void *object)
{
	((struct cfg_hub_vpn_gateway *)object)->bgp.asn = CFG_BGP_ASN;
}

const struct schema hub_vpn_gateway_schema = {.noun = "VPN gateway of a virtual hub",
	.fields = vpn_gateway_fields,
	.size = sizeof(struct cfg_hub_vpn_gateway),
	.init = vpn_gateway_init,
	.resource = true};

/* ---- ExpressRoute ---------------------------------------------------------------- */

static const struct field circuit_fields[] = {
	NAME(struct cfg_hub_circuit),
	ID(struct cfg_hub_circuit),
	{.key = "expressRouteCircuitPeering",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_hub_circuit, circuit_ref)},
	NUMBER("routingWeight", struct cfg_hub_circuit, routing_weight, 0, 32000),
	OPTIONAL_PART("routingConfiguration", struct cfg_hub_circuit, routing, &hub_routing_schema),
	REFUSED("authorizationKey"),
	REFUSED_TO("enableInternetSecurity", "branches are told no default route"),
	REFUSED("enablePrivateLinkFastPath"),
	REFUSED("expressRouteGatewayBypass"),
	END_OF_FIELDS,
};

static void
circuit_init(void *object)
{
	hub_routing_init(&((struct cfg_hub_circuit *)object)->routing);
}

static const struct schema hub_circuit_schema = {.noun = "connection of a circuit",
	.fields = circuit_fields,
	.size = sizeof(struct cfg_hub_circuit),
	.init = circuit_init,
	.resource = true};

static const struct field er_gateway_fields[] = {
	NAME(struct cfg_hub_er_gateway),
	ID(struct cfg_hub_er_gateway),
	{.key = "virtualHub",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_hub_er_gateway, hub_ref)},
	LIST_AT("expressRouteConnections", struct cfg_hub_er_gateway, connections, n_connections, LIMIT_HUB_CIRCUITS,
		&hub_circuit_schema),
	IGNORED("autoScaleConfiguration"),
	REFUSED("allowNonVirtualWanTraffic"),
	END_OF_FIELDS,
};

const struct schema hub_er_gateway_schema = {.noun = "ExpressRoute gateway of a virtual hub",
	.fields = er_gateway_fields,
	.size = sizeof(struct cfg_hub_er_gateway),
	.resource = true};

/* ---- point-to-site --------------------------------------------------------------- */

static const struct field client_pool_fields[] = {
	PREFIXES("addressPrefixes", struct cfg_hub_clients, pool, LIMIT_P2S_POOLS),
	REFUSED("ipamPoolPrefixAllocations"),
	END_OF_FIELDS,
};

static const struct schema client_pool_schema = {.noun = "client address pool", .fields = client_pool_fields};

static const struct field clients_fields[] = {
	NAME(struct cfg_hub_clients),
	ID(struct cfg_hub_clients),
	{.key = "vpnClientAddressPool", .type = FIELD_PART, .required = true, .schema = &client_pool_schema},
	OPTIONAL_PART("routingConfiguration", struct cfg_hub_clients, routing, &hub_routing_schema),
	IGNORED("previousConfigurationPolicyGroupAssociations"),
	REFUSED("configurationPolicyGroupAssociations"),
	REFUSED_TO("enableInternetSecurity", "branches are told no default route"),
	END_OF_FIELDS,
};

static void
clients_init(void *object)
{
	hub_routing_init(&((struct cfg_hub_clients *)object)->routing);
}

static const struct schema clients_schema = {.noun = "configuration of P2S connections",
	.fields = clients_fields,
	.size = sizeof(struct cfg_hub_clients),
	.init = clients_init,
	.resource = true};

static const struct field p2s_gateway_fields[] = {
	NAME(struct cfg_hub_p2s_gateway),
	ID(struct cfg_hub_p2s_gateway),
	{.key = "virtualHub",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_hub_p2s_gateway, hub_ref)},
	{.key = "vpnServerConfiguration",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_hub_p2s_gateway, server_ref)},
	LIST_AT("p2SConnectionConfigurations", struct cfg_hub_p2s_gateway, clients, n_clients, 1, &clients_schema),
	PREFIXES("customDnsServers", struct cfg_hub_p2s_gateway, dns, LIMIT_P2S_DNS),
	PART("appliance", &p2s_appliance_schema),
	IGNORED("isRoutingPreferenceInternet"),
	IGNORED("vpnClientConnectionHealth"),
	IGNORED("vpnGatewayScaleUnit"),
	END_OF_FIELDS,
};

const struct schema hub_p2s_gateway_schema = {.noun = "P2S VPN gateway",
	.fields = p2s_gateway_fields,
	.size = sizeof(struct cfg_hub_p2s_gateway),
	.resource = true};
