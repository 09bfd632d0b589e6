/* Schemas of public addresses, VPN gateways and local network gateways. */
#include "config/schemas.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- public addresses ------------------------------------------------------------ */

static const struct field public_ip_fields[] = {
	NAME(struct cfg_public_ip),
	ID(struct cfg_public_ip),
	{.key = "ipAddress",
		.type = FIELD_ADDRESS,
		.required = true,
		.offset = offsetof(struct cfg_public_ip, address)},
	IGNORED("ddosSettings"),
	IGNORED("deleteOption"),
	IGNORED("dnsSettings"),
	IGNORED("idleTimeoutInMinutes"),
	IGNORED("ipConfiguration"),
	IGNORED("ipTags"),
	IGNORED("linkedPublicIPAddress"),
	IGNORED("migrationPhase"),
	IGNORED("publicIPAddressVersion"),
	IGNORED("publicIPAllocationMethod"),
	IGNORED("publicIPPrefix"),
	IGNORED("servicePublicIPAddress"),
	IGNORED("sku"),
	REFUSED("natGateway"),
	END_OF_FIELDS,
};

const struct schema public_ip_schema = {.noun = "public IP address",
	.fields = public_ip_fields,
	.size = sizeof(struct cfg_public_ip),
	.resource = true};

/* ---- VPN gateways ---------------------------------------------------------------- */

/* One of a gateway's ipConfigurations; struct cfg_gateway keeps the references only. */
struct gateway_ip_config {
	struct cfg_mark mark;
	char *name, *subnet_ref, *public_ip_ref;
};

static const struct field gateway_ip_config_fields[] = {
	TEXT("name", struct gateway_ip_config, name, LIMIT_PATH),
	{.key = "subnet",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct gateway_ip_config, subnet_ref)},
	{.key = "publicIPAddress", /* of an ExpressRoute gateway the cloud keeps it */
		.type = FIELD_REF,
		.offset = offsetof(struct gateway_ip_config, public_ip_ref)},
	IGNORED("privateIPAddress"),
	IGNORED("privateIPAllocationMethod"),
	END_OF_FIELDS,
};

static const struct schema gateway_ip_config_schema = {.noun = "gateway's IP configuration",
	.fields = gateway_ip_config_fields,
	.size = sizeof(struct gateway_ip_config),
	.resource = true};

static int
gateway_ip_config_bind(struct binder *b, const struct node *n, struct cfg_gateway *g)
{
	struct gateway_ip_config ip = {.mark = n->mark};

	if (bind_object(b, &gateway_ip_config_schema, n, &ip) < 0)
		return -ENOMEM;
	if (ip.subnet_ref == NULL)
		return 0;
	if (g->subnet_ref == NULL) {
		g->subnet_ref = ip.subnet_ref;
		if (bind_mark(b, &g->subnet_ref, n) < 0)
			return -ENOMEM;
	} else if (strcasecmp(g->subnet_ref, ip.subnet_ref) != 0) {
		config_error(b->errors, n->mark, "InvalidValue",
			"all IP configurations of a gateway stand in one GatewaySubnet");
	}
	if (ip.public_ip_ref == NULL)
		return 0;
	g->public_ip_refs.s[g->public_ip_refs.n] = ip.public_ip_ref;
	return bind_mark(b, &g->public_ip_refs.s[g->public_ip_refs.n++], n);
}

static int
bind_gateway_ip_configs(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_gateway *g = object;

	if (n->kind != NODE_LIST || n->n == 0 || n->n > LIMIT_GATEWAY_IP_CONFIGS) {
		config_error(b->errors, n->mark, "InvalidValue",
			"'%s' is a list of one entry, or of two of different address families", f->key);
		return 0;
	}
	g->public_ip_refs.s = arena_array(b->arena, n->n, sizeof(char *));
	if (g->public_ip_refs.s == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n->n; i++)
		if (gateway_ip_config_bind(b, n->items[i], g) < 0)
			return -ENOMEM;
	return 0;
}

static void
print_gateway_ip_configs(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_gateway *g = object;

	json_key(j, f->key);
	json_open(j, '[');
	for (uint32_t i = 0; i == 0 || i < g->public_ip_refs.n; i++) {
		json_item(j);
		json_open(j, '{');
		if (i < g->public_ip_refs.n) {
			json_key(j, "publicIPAddress");
			print_ref(j, g->public_ip_refs.s[i]);
		}
		json_key(j, "subnet");
		print_ref(j, g->subnet_ref);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static const struct field sku_fields[] = {
	TEXT("name", struct cfg_gateway, sku, LIMIT_NAME),
	IGNORED("capacity"),
	IGNORED("tier"),
	END_OF_FIELDS,
};

static const struct schema sku_schema = {.noun = "sku", .fields = sku_fields};

static const struct field gateway_appliance_fields[] = {
	CREDENTIALS(struct cfg_gateway, credentials),
	FLAG("limitRate", struct cfg_gateway, limit_rate),
	LIST_AT("p2sUsers", struct cfg_gateway, p2s.users, p2s.n_users, LIMIT_P2S_USERS, &p2s_user_schema),
	PREFIXES("p2sDnsServers", struct cfg_gateway, p2s.dns, LIMIT_P2S_DNS),
	END_OF_FIELDS,
};

static const struct schema gateway_appliance_schema = {
	.noun = "gateway's appliance part", .fields = gateway_appliance_fields};

static const struct field custom_routes_fields[] = {
	PREFIXES("addressPrefixes", struct cfg_gateway, custom_routes, LIMIT_LOCAL_PREFIXES),
	REFUSED("ipamPoolPrefixAllocations"),
	END_OF_FIELDS,
};

static const struct schema custom_routes_schema = {.noun = "list of custom routes", .fields = custom_routes_fields};

static const char *const generation_words[] = {"None", "Generation1", "Generation2", NULL};
static const char *const enabled_only[] = {"Enabled", NULL};

static const struct field gateway_fields[] = {
	NAME(struct cfg_gateway),
	ID(struct cfg_gateway),
	TEXT("gatewayType", struct cfg_gateway, gateway_type, LIMIT_NAME),
	TEXT("vpnType", struct cfg_gateway, vpn_type, LIMIT_NAME),
	PART("sku", &sku_schema),
	FLAG("disableIPSecReplayProtection", struct cfg_gateway, disable_replay_protection),
	{.key = "ipConfigurations",
		.type = FIELD_CUSTOM,
		.required = true,
		.bind = bind_gateway_ip_configs,
		.print = print_gateway_ip_configs},
	WORD("vpnGatewayGeneration", struct cfg_gateway, generation, generation_words),
	PART_AT("vpnClientConfiguration", struct cfg_gateway, p2s, &p2s_schema),
	PART("customRoutes", &custom_routes_schema),
	FLAG("enableBgp", struct cfg_gateway, enable_bgp),
	OPTIONAL_PART("bgpSettings", struct cfg_gateway, bgp, &bgp_settings_schema), /* exports always have it */
	PART("appliance", &gateway_appliance_schema),
	IGNORED("autoScaleConfiguration"),
	IGNORED("inboundDnsForwardingEndpoint"),
	IGNORED("resiliencyModel"),
	IGNORED("vNetExtendedLocationResourceId"),
	IGNORED("virtualNetworkGatewayMigrationStatus"),
	REFUSED("activeActive"),
	REFUSED_UNLESS("adminState", enabled_only),
	REFUSED("allowRemoteVnetTraffic"),
	REFUSED("allowVirtualWanTraffic"),
	REFUSED("enableBgpRouteTranslationForNat"),
	REFUSED("enableDnsForwarding"),
	REFUSED("enableHighBandwidthVpnGateway"),
	REFUSED("enablePrivateIpAddress"),
	REFUSED("gatewayDefaultSite"),
	REFUSED("natRules"),
	REFUSED("virtualNetworkGatewayPolicyGroups"),
	END_OF_FIELDS,
};

static void
gateway_init(void *object)
{
	struct cfg_gateway *g = object;

	g->gateway_type = "Vpn";
	g->vpn_type = "RouteBased";
	g->vnet = g->subnet = g->hub = CFG_NONE;
	g->bgp.asn = CFG_BGP_ASN;
}

const struct schema gateway_schema = {.noun = "virtual network gateway",
	.fields = gateway_fields,
	.size = sizeof(struct cfg_gateway),
	.init = gateway_init,
	.implied = offsetof(struct cfg_gateway, implied),
	.resource = true};

/* ---- local network gateways ------------------------------------------------------ */

static const struct field local_space_fields[] = {
	PREFIXES("addressPrefixes", struct cfg_local_gateway, prefixes, LIMIT_LOCAL_PREFIXES),
	REFUSED("ipamPoolPrefixAllocations"),
	END_OF_FIELDS,
};

static const struct schema local_space_schema = {.noun = "local network's address space", .fields = local_space_fields};

static const struct field local_gateway_fields[] = {
	NAME(struct cfg_local_gateway),
	ID(struct cfg_local_gateway),
	{.key = "gatewayIpAddress",
		.type = FIELD_ADDRESS,
		.or_empty = true,
		.offset = offsetof(struct cfg_local_gateway, address)},
	{.key = "fqdn",
		.type = FIELD_TEXT,
		.or_empty = true,
		.offset = offsetof(struct cfg_local_gateway, fqdn),
		.max = LIMIT_FQDN},
	PART("localNetworkAddressSpace", &local_space_schema),
	OPTIONAL_PART("bgpSettings", struct cfg_local_gateway, bgp, &bgp_peer_schema),
	END_OF_FIELDS,
};

const struct schema local_gateway_schema = {.noun = "local network gateway",
	.fields = local_gateway_fields,
	.size = sizeof(struct cfg_local_gateway),
	.implied = offsetof(struct cfg_local_gateway, implied),
	.resource = true};
