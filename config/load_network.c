/* Schemas of virtual networks, subnets, peerings and route tables. */
#include "config/schemas.h"

const char *const peering_state_words[] = {"Initiated", "Connected", "Disconnected", NULL};
const char *const next_hop_words[] = {
	"VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None", NULL};

static const char *const only_true[] = {"true", NULL};

/* ---- subnets --------------------------------------------------------------------- */

static const struct field subnet_fields[] = {
	NAME(struct cfg_subnet),
	{.key = "addressPrefix",
		.type = FIELD_PREFIXES,
		.load_only = true,
		.offset = offsetof(struct cfg_subnet, prefixes),
		.max = 1},
	PREFIXES("addressPrefixes", struct cfg_subnet, prefixes, LIMIT_SUBNET_PREFIXES),
	REF("networkSecurityGroup", struct cfg_subnet, nsg_ref),
	REF("routeTable", struct cfg_subnet, route_table_ref),
	/* Hosts outside the appliance's knowledge; nothing here changes what a packet meets. */
	IGNORED("applicationGatewayIPConfigurations"),
	IGNORED("delegations"),
	IGNORED("ipAllocations"),
	IGNORED("ipConfigurationProfiles"),
	IGNORED("ipConfigurations"),
	IGNORED("privateEndpointNetworkPolicies"),
	IGNORED("privateEndpoints"),
	IGNORED("privateLinkServiceNetworkPolicies"),
	IGNORED("purpose"),
	IGNORED("resourceNavigationLinks"),
	IGNORED("serviceAssociationLinks"),
	IGNORED("sharingScope"),
	REFUSED_UNLESS("defaultOutboundAccess", only_true),
	REFUSED("ipamPoolPrefixAllocations"),
	REFUSED("natGateway"),
	REFUSED("serviceEndpointPolicies"),
	REFUSED("serviceEndpoints"),
	REFUSED("serviceGateway"),
	END_OF_FIELDS,
};

static void
subnet_init(void *object)
{
	struct cfg_subnet *s = object;

	s->nsg = s->route_table = CFG_NONE;
}

static const struct schema subnet_schema = {.noun = "subnet",
	.fields = subnet_fields,
	.size = sizeof(struct cfg_subnet),
	.init = subnet_init,
	.resource = true};

/* ---- peerings -------------------------------------------------------------------- */

static int
bind_peering_state(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_peering *p = object;
	int state = bind_word(b, f->key, peering_state_words, n);

	if (state < 0)
		return 0;
	p->has_state = true;
	p->stated = (enum cfg_peering_state)state;
	return bind_mark(b, &p->stated, n);
}

static void
print_peering_state(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_peering *p = object;

	json_key(j, f->key);
	json_text(j, peering_state_words[p->state]);
}

static const struct field remote_space_fields[] = {
	PREFIXES("addressPrefixes", struct cfg_peering, remote_space, LIMIT_SPACE_PREFIXES),
	REFUSED("ipamPoolPrefixAllocations"),
	END_OF_FIELDS,
};

static const struct schema remote_space_schema = {.noun = "remote address space", .fields = remote_space_fields};

static const struct field peering_appliance_fields[] = {
	FLAG("strictAccess", struct cfg_peering, strict_access),
	END_OF_FIELDS,
};

static const struct schema peering_appliance_schema = {
	.noun = "peering's appliance part", .fields = peering_appliance_fields};

static const struct field peering_fields[] = {
	NAME(struct cfg_peering),
	{.key = "remoteVirtualNetwork",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_peering, remote_ref)},
	FLAG("allowVirtualNetworkAccess", struct cfg_peering, allow_virtual_network_access),
	FLAG("allowForwardedTraffic", struct cfg_peering, allow_forwarded_traffic),
	FLAG("allowGatewayTransit", struct cfg_peering, allow_gateway_transit),
	FLAG("useRemoteGateways", struct cfg_peering, use_remote_gateways),
	FLAG("doNotVerifyRemoteGateways", struct cfg_peering, do_not_verify_remote_gateways),
	CUSTOM("peeringState", bind_peering_state, print_peering_state),
	PART("remoteAddressSpace", &remote_space_schema),
	PART("appliance", &peering_appliance_schema),
	/* Derived: what the networks themselves say now. */
	IGNORED("localAddressSpace"),
	IGNORED("localVirtualNetworkAddressSpace"),
	IGNORED("peeringSyncLevel"),
	IGNORED("remoteBgpCommunities"),
	IGNORED("remoteGateways"),
	IGNORED("remoteVirtualNetworkAddressSpace"),
	IGNORED("remoteVirtualNetworkEncryption"),
	IGNORED("routeServiceVips"),
	REFUSED_UNLESS("peerCompleteVnets", only_true),
	REFUSED("enableOnlyIPv6Peering"),
	REFUSED("localSubnetNames"),
	REFUSED("remoteSubnetNames"),
	END_OF_FIELDS,
};

static void
peering_init(void *object)
{
	struct cfg_peering *p = object;

	p->remote = p->partner = CFG_NONE;
	p->allow_virtual_network_access = true;
}

static const struct schema peering_schema = {.noun = "peering",
	.fields = peering_fields,
	.size = sizeof(struct cfg_peering),
	.init = peering_init,
	.implied = offsetof(struct cfg_peering, implied),
	.resource = true};

/* ---- virtual networks ------------------------------------------------------------ */

static const struct field space_fields[] = {
	PREFIXES("addressPrefixes", struct cfg_vnet, space, LIMIT_SPACE_PREFIXES),
	REFUSED("ipamPoolPrefixAllocations"),
	END_OF_FIELDS,
};

static const struct schema space_schema = {.noun = "address space", .fields = space_fields};

static const struct field vnet_encryption_fields[] = {
	REFUSED("enabled"),
	IGNORED("enforcement"),
	END_OF_FIELDS,
};

static const struct schema vnet_encryption_schema = {.noun = "encryption of a VNet", .fields = vnet_encryption_fields};

static const struct field vnet_appliance_fields[] = {
	TEXT("cloud", struct cfg_vnet, cloud, LIMIT_NAME),
	END_OF_FIELDS,
};

static const struct schema vnet_appliance_schema = {.noun = "VNet's appliance part", .fields = vnet_appliance_fields};

static const struct field vnet_fields[] = {
	NAME(struct cfg_vnet),
	ID(struct cfg_vnet),
	TEXT("location", struct cfg_vnet, location, LIMIT_NAME),
	{.key = "addressSpace", .type = FIELD_PART, .required = true, .schema = &space_schema},
	LIST("subnets", struct cfg_vnet, subnets, LIMIT_SUBNETS, &subnet_schema),
	{.key = "virtualNetworkPeerings",
		.type = FIELD_LIST,
		.offset = offsetof(struct cfg_vnet, peerings),
		.count = offsetof(struct cfg_vnet, n_peerings),
		.max = LIMIT_PEERINGS,
		.schema = &peering_schema},
	{.key = "flowTimeoutInMinutes",
		.type = FIELD_NUMBER,
		.offset = offsetof(struct cfg_vnet, flow_timeout_s),
		.size = MEMBER_SIZE(struct cfg_vnet, flow_timeout_s),
		.scale = 60,
		.min = 4,
		.max = 30},
	PART("appliance", &vnet_appliance_schema),
	PART("encryption", &vnet_encryption_schema),
	IGNORED("defaultPublicNatGateway"),
	IGNORED("dhcpOptions"),
	IGNORED("flowLogs"),
	IGNORED("ipAllocations"),
	IGNORED("privateEndpointVNetPolicies"),
	REFUSED("bgpCommunities"),
	REFUSED("ddosProtectionPlan"),
	REFUSED("enableDdosProtection"),
	REFUSED("enableVmProtection"),
	END_OF_FIELDS,
};

static void
vnet_init(void *object)
{
	struct cfg_vnet *v = object;

	v->cloud = "AzureCloud";
	v->flow_timeout_s = 240;
	v->gateway = v->express_route = v->hub = v->hub_connection = CFG_NONE;
}

const struct schema vnet_schema = {.noun = "virtual network",
	.fields = vnet_fields,
	.size = sizeof(struct cfg_vnet),
	.init = vnet_init,
	.implied = offsetof(struct cfg_vnet, implied),
	.resource = true};

/* ---- route tables ---------------------------------------------------------------- */

static const struct field route_fields[] = {
	NAME(struct cfg_route),
	{.key = "addressPrefix", .type = FIELD_PREFIX, .required = true, .offset = offsetof(struct cfg_route, prefix)},
	{.key = "nextHopType",
		.type = FIELD_WORD,
		.required = true,
		.offset = offsetof(struct cfg_route, type),
		.size = MEMBER_SIZE(struct cfg_route, type),
		.words = next_hop_words},
	{.key = "nextHopIpAddress",
		.type = FIELD_ADDRESS,
		.or_empty = true,
		.offset = offsetof(struct cfg_route, next_hop)},
	REFUSED("hasBgpOverride"),
	REFUSED("nextHop"),
	END_OF_FIELDS,
};

static const struct schema route_schema = {
	.noun = "route", .fields = route_fields, .size = sizeof(struct cfg_route), .resource = true};

static const struct field route_table_fields[] = {
	NAME(struct cfg_route_table),
	ID(struct cfg_route_table),
	FLAG("disableBgpRoutePropagation", struct cfg_route_table, disable_bgp_route_propagation),
	LIST("routes", struct cfg_route_table, routes, LIMIT_ROUTES, &route_schema),
	IGNORED("subnets"),
	END_OF_FIELDS,
};

const struct schema route_table_schema = {
	.noun = "route table", .fields = route_table_fields, .size = sizeof(struct cfg_route_table), .resource = true};
