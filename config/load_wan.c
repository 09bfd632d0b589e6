/* Schemas of virtual WANs, hubs with their connections and route tables, and sites. */
#include "config/schemas.h"

#include <string.h>

static const char *const type_words[] = {"Standard", "Basic", NULL};
static const char *const preference_words[] = {"ExpressRoute", "VpnGateway", "ASPath", NULL};
static const char *const override_words[] = {"Equal", "Contains", NULL};
static const char *const only_true[] = {"true", NULL};
static const char *const only_cidr[] = {"CIDR", NULL};
static const char *const only_resource_id[] = {"ResourceId", NULL};

/* ---- virtual WANs ---------------------------------------------------------------- */

static const struct field wan_fields[] = {
	NAME(struct cfg_wan),
	ID(struct cfg_wan),
	WORD("type", struct cfg_wan, basic, type_words),
	{.key = "typePropertiesType", /* as the command line prints it */
		.type = FIELD_WORD,
		.load_only = true,
		.offset = offsetof(struct cfg_wan, basic),
		.size = MEMBER_SIZE(struct cfg_wan, basic),
		.words = type_words},
	FLAG("allowBranchToBranchTraffic", struct cfg_wan, branch_to_branch),
	IGNORED("allowVnetToVnetTraffic"),
	IGNORED("office365LocalBreakoutCategory"),
	IGNORED("virtualHubs"),
	IGNORED("vpnSites"),
	REFUSED("disableVpnEncryption"),
	END_OF_FIELDS,
};

static void
wan_init(void *object)
{
	((struct cfg_wan *)object)->branch_to_branch = true;
}

const struct schema wan_schema = {.noun = "virtual WAN",
	.fields = wan_fields,
	.size = sizeof(struct cfg_wan),
	.init = wan_init,
	.resource = true};

/* ---- routing of a connection ------------------------------------------------------ */

static const struct field propagated_fields[] = {
	TEXTS("labels", struct cfg_hub_routing, labels, LIMIT_HUB_LABELS),
	REFS("ids", struct cfg_hub_routing, table_refs, LIMIT_HUB_TABLES),
	END_OF_FIELDS,
};

static const struct schema propagated_schema = {.noun = "set of propagated route tables", .fields = propagated_fields};

static const struct field static_fields[] = {
	NAME(struct cfg_hub_static),
	PREFIXES("addressPrefixes", struct cfg_hub_static, prefixes, LIMIT_HUB_PREFIXES),
	{.key = "nextHopIpAddress",
		.type = FIELD_ADDRESS,
		.required = true,
		.offset = offsetof(struct cfg_hub_static, next_hop)},
	END_OF_FIELDS,
};

static const struct schema static_schema = {
	.noun = "static route", .fields = static_fields, .size = sizeof(struct cfg_hub_static)};

static const struct field statics_config_fields[] = {
	FLAG("propagateStaticRoutes", struct cfg_hub_routing, propagate_statics),
	WORD("vnetLocalRouteOverrideCriteria", struct cfg_hub_routing, contains, override_words),
	END_OF_FIELDS,
};

static const struct schema statics_config_schema = {
	.noun = "configuration of static routes", .fields = statics_config_fields};

static const struct field vnet_routes_fields[] = {
	LIST_AT("staticRoutes", struct cfg_hub_routing, statics, n_statics, LIMIT_HUB_STATICS, &static_schema),
	PART("staticRoutesConfig", &statics_config_schema),
	REFUSED("bgpConnections"),
	END_OF_FIELDS,
};

static const struct schema vnet_routes_schema = {.noun = "set of routes into a VNet", .fields = vnet_routes_fields};

static const struct field hub_routing_fields[] = {
	REF("associatedRouteTable", struct cfg_hub_routing, associated_ref),
	PART("propagatedRouteTables", &propagated_schema),
	PART("vnetRoutes", &vnet_routes_schema),
	REFUSED("inboundRouteMap"),
	REFUSED("outboundRouteMap"),
	END_OF_FIELDS,
};

const struct schema hub_routing_schema = {.noun = "routing configuration", .fields = hub_routing_fields};

void
hub_routing_init(struct cfg_hub_routing *r)
{
	r->propagate_statics = true;
	r->hub = r->associated = CFG_NONE;
}

/* ---- hubs ------------------------------------------------------------------------ */

static const struct field hub_connection_fields[] = {
	NAME(struct cfg_hub_connection),
	ID(struct cfg_hub_connection),
	{.key = "remoteVirtualNetwork",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_hub_connection, vnet_ref)},
	FLAG("enableInternetSecurity", struct cfg_hub_connection, internet_security),
	OPTIONAL_PART("routingConfiguration", struct cfg_hub_connection, routing, &hub_routing_schema),
	REFUSED_UNLESS("allowHubToRemoteVnetTransit", only_true),
	REFUSED_UNLESS("allowRemoteVnetToUseHubVnetGateways", only_true),
	END_OF_FIELDS,
};

static void
hub_connection_init(void *object)
{
	struct cfg_hub_connection *c = object;

	c->vnet = CFG_NONE;
	c->internet_security = true; /* as the cloud's command line has it */
	hub_routing_init(&c->routing);
}

static const struct schema hub_connection_schema = {.noun = "hub's connection of a virtual network",
	.fields = hub_connection_fields,
	.size = sizeof(struct cfg_hub_connection),
	.init = hub_connection_init,
	.resource = true};

static const struct field hub_route_fields[] = {
	NAME(struct cfg_hub_route),
	PREFIXES("destinations", struct cfg_hub_route, destinations, LIMIT_HUB_PREFIXES),
	{.key = "nextHop", .type = FIELD_REF, .required = true, .offset = offsetof(struct cfg_hub_route, next_hop_ref)},
	REFUSED_UNLESS("destinationType", only_cidr),
	REFUSED_UNLESS("nextHopType", only_resource_id),
	END_OF_FIELDS,
};

static void
hub_route_init(void *object)
{
	((struct cfg_hub_route *)object)->connection = CFG_NONE;
}

static const struct schema hub_route_schema = {.noun = "hub's route",
	.fields = hub_route_fields,
	.size = sizeof(struct cfg_hub_route),
	.init = hub_route_init};

static const struct field hub_table_fields[] = {
	NAME(struct cfg_hub_table),
	ID(struct cfg_hub_table),
	TEXTS("labels", struct cfg_hub_table, labels, LIMIT_HUB_LABELS),
	LIST("routes", struct cfg_hub_table, routes, LIMIT_HUB_ROUTES, &hub_route_schema),
	IGNORED("associatedConnections"),
	IGNORED("propagatingConnections"),
	END_OF_FIELDS,
};

static const struct schema hub_table_schema = {.noun = "hub's route table",
	.fields = hub_table_fields,
	.size = sizeof(struct cfg_hub_table),
	.implied = offsetof(struct cfg_hub_table, implied),
	.resource = true};

static const struct field hub_fields[] = {
	NAME(struct cfg_hub),
	ID(struct cfg_hub),
	TEXT("location", struct cfg_hub, location, LIMIT_NAME),
	{.key = "virtualWan", .type = FIELD_REF, .required = true, .offset = offsetof(struct cfg_hub, wan_ref)},
	{.key = "addressPrefix", .type = FIELD_PREFIX, .required = true, .offset = offsetof(struct cfg_hub, prefix)},
	WORD("hubRoutingPreference", struct cfg_hub, preference, preference_words),
	NUMBER("virtualRouterAsn", struct cfg_hub, asn, 1, UINT32_MAX),
	LIST("hubVirtualNetworkConnections", struct cfg_hub, connections, LIMIT_HUB_CONNECTIONS,
		&hub_connection_schema),
	LIST("hubRouteTables", struct cfg_hub, tables, LIMIT_HUB_TABLES, &hub_table_schema),
	IGNORED("allowBranchToBranchTraffic"), /* the virtual WAN's decides */
	IGNORED("expressRouteGateway"),        /* which says itself what its hub is */
	IGNORED("ipConfigurations"),
	IGNORED("p2SVpnGateway"),
	IGNORED("preferredRoutingGateway"),
	IGNORED("routingState"),
	IGNORED("sku"),
	IGNORED("virtualHubRouteTableV2s"),
	IGNORED("virtualRouterAutoScaleConfiguration"),
	IGNORED("virtualRouterIps"),
	IGNORED("vpnGateway"),
	REFUSED("azureFirewall"),
	REFUSED("bgpConnections"),
	REFUSED("routeMaps"),
	REFUSED_TO("routeTable", "routes stand in hubRouteTables, or at the connection of a virtual network"),
	REFUSED("routingIntent"),
	REFUSED("securityPartnerProvider"),
	REFUSED("securityProviderName"),
	END_OF_FIELDS,
};

static void
hub_init(void *object)
{
	struct cfg_hub *h = object;

	h->asn = CFG_BGP_ASN;
	h->wan = h->vnet = h->gateway = h->vpn = h->express_route = h->p2s = CFG_NONE;
}

const struct schema hub_schema = {.noun = "virtual hub",
	.fields = hub_fields,
	.size = sizeof(struct cfg_hub),
	.init = hub_init,
	.resource = true};

/* ---- sites ----------------------------------------------------------------------- */

#define SITE_LINK(s, m)                                                                                                \
	{.key = "ipAddress", .type = FIELD_ADDRESS, .or_empty = true, .offset = offsetof(s, m.address)},               \
		{.key = "fqdn",                                                                                        \
			.type = FIELD_TEXT,                                                                            \
			.or_empty = true,                                                                              \
			.offset = offsetof(s, m.fqdn),                                                                 \
			.max = LIMIT_FQDN},                                                                            \
		OPTIONAL_PART("bgpProperties", s, m.bgp, &bgp_peer_schema)

struct link_object {
	struct cfg_site_link link;
};

static const struct field site_link_fields[] = {
	NAME(struct cfg_site_link),
	ID(struct cfg_site_link),
	SITE_LINK(struct link_object, link),
	IGNORED("linkProperties"),
	END_OF_FIELDS,
};

static const struct schema site_link_schema = {
	.noun = "site's link", .fields = site_link_fields, .size = sizeof(struct cfg_site_link), .resource = true};

static const struct field site_space_fields[] = {
	PREFIXES("addressPrefixes", struct cfg_site, prefixes, LIMIT_LOCAL_PREFIXES),
	REFUSED("ipamPoolPrefixAllocations"),
	END_OF_FIELDS,
};

static const struct schema site_space_schema = {.noun = "site's address space", .fields = site_space_fields};

static const struct field site_fields[] = {
	NAME(struct cfg_site),
	ID(struct cfg_site),
	{.key = "virtualWan", .type = FIELD_REF, .required = true, .offset = offsetof(struct cfg_site, wan_ref)},
	PART("addressSpace", &site_space_schema),
	LIST("vpnSiteLinks", struct cfg_site, links, LIMIT_SITE_LINKS, &site_link_schema),
	SITE_LINK(struct cfg_site, own),
	IGNORED("deviceProperties"),
	IGNORED("o365Policy"),
	IGNORED("siteKey"),
	REFUSED("isSecuritySite"),
	END_OF_FIELDS,
};

static void
site_init(void *object)
{
	((struct cfg_site *)object)->wan = CFG_NONE;
}

const struct schema site_schema = {.noun = "VPN site",
	.fields = site_fields,
	.size = sizeof(struct cfg_site),
	.init = site_init,
	.resource = true};
