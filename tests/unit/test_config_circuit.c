/* The checks of ExpressRoute circuits, their connections and gateways. */
#include "config_bgp.h"

/* Line 9 is the port list's, 10 the circuit, 11 the gateways, 13 the connection, 14 what follows. */
#define NETWORK(space)                                                                                                 \
	"virtualNetworks:\n"                                                                                           \
	"- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/16]}, subnets: [{name: a, addressPrefix: "              \
	"10.0.1.0/24},\n"                                                                                              \
	"   {name: GatewaySubnet, addressPrefix: " space "}]}\n"                                                       \
	"publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}]\n"                                                       \
	"\n"                                                                                                           \
	"appliance:\n"                                                                                                 \
	"  attachments: [{subnet: v/a, port: p, vlan: 7}]\n"                                                           \
	"  ports: [{name: p, driver: tap}, {name: q, driver: tap}]\n"
#define CIRCUIT(peerings, appliance)                                                                                   \
	"expressRouteCircuits:\n- {name: c, peerings: [" peerings "], appliance: {" appliance "}}\n"
#define PEERING(more)                                                                                                  \
	"{name: AzurePrivatePeering, peerASN: 65001, primaryPeerAddressPrefix: 172.16.0.0/30, "                        \
	"secondaryPeerAddressPrefix: 172.16.0.4/30" more "}"
#define EXPRESS_ROUTE(more)                                                                                            \
	"virtualNetworkGateways:\n- {name: e, gatewayType: ExpressRoute, ipConfigurations: [{subnet: "                 \
	"v/GatewaySubnet}]" more "}\n"
#define CONNECTED(more)                                                                                                \
	"connections:\n- {name: x, connectionType: ExpressRoute, virtualNetworkGateway1: e, peer: {id: c}" more "}\n"
#define ALL                                                                                                            \
	NETWORK("10.0.0.0/27")                                                                                         \
	CIRCUIT(PEERING(", vlanId: 100"), "primaryPort: p, secondaryPort: q") EXPRESS_ROUTE("") CONNECTED("")
#define WITH(peering, appliance, gateway, connection)                                                                  \
	NETWORK("10.0.0.0/27")                                                                                         \
	CIRCUIT(PEERING(peering), appliance) EXPRESS_ROUTE(gateway) CONNECTED(connection)

static void
circuit(void **state)
{
	struct config *c = case_load(ALL);
	const struct cfg_circuit *k = &c->circuits[0];

	assert_int_equal(c->n_circuits, 1);
	assert_ptr_equal(k->private_peering, &k->peerings[0]);
	assert_int_equal(k->private_peering->asn, 12076);
	assert_int_equal(k->private_peering->vlan, 100);
	assert_int_equal(k->port[0], 0);
	assert_int_equal(k->port[1], 1);
	assert_int_equal(k->connection, 0);
	assert_true(k->bgp.bfd);
	assert_int_equal(c->connections[0].type, CONNECTION_EXPRESS_ROUTE);
	assert_int_equal(c->connections[0].circuit, 0);
	assert_false(c->connections[0].uses_ike);
	assert_int_equal(c->vnets[0].express_route, 0);
	assert_int_equal(c->vnets[0].gateway, CFG_NONE);
	assert_true(c->gateways[0].express_route && c->gateways[0].speaks_bgp && c->gateways[0].is_ours);
	address_is(&c->gateways[0].bgp.address, "10.0.0.29");
	config_free(c);
}

static void
as_exported(void **state)
{
	struct config *c = case_load(NETWORK("10.0.0.0/27") CIRCUIT(
		"{name: AzurePrivatePeering, peeringType: AzurePrivatePeering, state: Enabled, azureASN: 12076, "
		"peerASN: "
		"65001, primaryAzurePort: x, secondaryAzurePort: y, sharedKey: null, ipv6PeeringConfig: null, "
		"primaryPeerAddressPrefix: 172.16.0.0/30, vlanId: 0}, {name: MicrosoftPeering, state: Disabled, "
		"peerASN: 65001}",
		"") EXPRESS_ROUTE(", vpnType: RouteBased, enableBgp: false, sku: {name: Standard, tier: Standard}, "
				  "bgpSettings: {asn: 65515, bgpPeeringAddress: 10.0.0.13}") CONNECTED(", enableBgp: "
												       "false"));

	assert_false(c->gateways[0].is_ours);
	assert_int_equal(c->circuits[0].port[0], CFG_NONE);
	address_is(&c->gateways[0].bgp.address, "10.0.0.13");
	config_free(c);
}

static void
printed_as_read(void **state)
{
	struct config *c = case_load(ALL);
	char *text = case_print(c), *again;
	struct config *d;

	assert_non_null(strstr(text, "AzurePrivatePeering"));
	d = case_load(text);
	again = case_print(d);
	assert_string_equal(text, again);
	free(text);
	free(again);
	config_free(c);
	config_free(d);
}

static void
refused(void **state)
{
	static const struct case_refusal cases[] = {
		{WITH(", ipv6PeeringConfig: {x: y}", "", "", ""), "NotSupported", 10, "ipv6PeeringConfig"},
		{WITH(", sharedKey: secret", "", "", ""), "NotSupported", 10, "appliance.bgp.passwordFile"},
		{WITH("}, {name: MicrosoftPeering, peerASN: 65001", "", "", ""), "NotSupported", 10,
			"not AzurePrivatePeering"},
		{WITH("}, {name: AzurePrivatePeering, peerASN: 65001", "", "", ""), "InvalidValue", 10, "twice"},
		{WITH(", peeringType: Other", "", "", ""), "NotSupported", 10, "Other"},
		{WITH(", azureASN: 65001", "", "", ""), "BgpAsnNotAllowed", 10, "65001"},
		{NETWORK("10.0.0.0/27") CIRCUIT("{name: AzurePrivatePeering, peerASN: 65515}", ""), "BgpAsnNotAllowed",
			10, "65515"},
		{NETWORK("10.0.0.0/27") CIRCUIT(
			 "{name: AzurePrivatePeering, peerASN: 65001, primaryPeerAddressPrefix: 172.16.0.0/29}", ""),
			"InvalidAddressPrefix", 10, "length 30"},
		{NETWORK("10.0.0.0/27") CIRCUIT(
			 "{name: AzurePrivatePeering, peerASN: 65001, primaryPeerAddressPrefix: 172.16.0.0/30}",
			 "secondaryPort: p"),
			"MissingKey", 10, "secondaryPeerAddressPrefix"},
		{NETWORK("10.0.0.0/27") CIRCUIT(
			 "{name: AzurePrivatePeering, peerASN: 65001, primaryPeerAddressPrefix: 172.16.0.0/30, "
			 "secondaryPeerAddressPrefix: 172.16.0.0/30}",
			 ""),
			"InvalidAddressPrefix", 10, "overlap"},
		{NETWORK("10.0.0.0/27") CIRCUIT(
			 "{name: AzurePrivatePeering, peerASN: 65001, primaryPeerAddressPrefix: 10.0.9.0/30}", "")
				EXPRESS_ROUTE("") CONNECTED(""),
			"InvalidAddressPrefix", 10, "overlaps virtual network 'v'"},
		{WITH(", vlanId: 7", "primaryPort: p", "", ""), "VlanInUse", 10, NULL},
		{WITH("", "primaryPort: p, secondaryPort: p", "", ""), "VlanInUse", 10, NULL},
		{WITH("", "primaryPort: z", "", ""), "InvalidResourceReference", 10, NULL},
		{WITH("", "bgp: {keepaliveSeconds: 60, holdSeconds: 90}", "", ""), "InvalidValue", 10, "circuit 'c'"},
		{WITH("", "", ", bgpSettings: {asn: 65010}", ""), "BgpAsnNotAllowed", 12, "65515"},
		{WITH("", "", ", bgpSettings: {bgpPeeringAddress: 10.0.1.9}", ""), "PrivateIPAddressNotInSubnet", 12,
			NULL},
		{WITH("", "", ", vpnClientConfiguration: {vpnClientAddressPool: {addressPrefixes: [10.9.0.0/24]}}", ""),
			"InvalidValue", 12, "no tunnels"},
		{WITH("", "", "", ", enableBgp: true"), "InvalidValue", 14, "enableBgp"},
		{WITH("", "", "", ", sharedKey: secret-of-sixteen"), "InvalidValue", 14, "no keys"},
		{WITH("", "", "", ", authenticationType: Certificate"), "InvalidValue", 14, "no keys"},
		{WITH("", "", "", ", appliance: {bgp: {bfd: true}}"), "InvalidValue", 14, "appliance.bgp"},
		{WITH("", "", "", ", appliance: {mtu: 1400}"), "InvalidValue", 14, "mtu"},
		{WITH("", "", "", ", usePolicyBasedTrafficSelectors: true"), "InvalidValue", 14,
			"usePolicyBasedTrafficSelectors"},
		{WITH("", "", ", appliance: {limitRate: true}, sku: {name: VpnGw1}", ""), "InvalidValue", 12,
			"limitRate"},
		{WITH("", "", "", ", authorizationKey: x"), "NotSupported", 14, NULL},
		{WITH("", "", "", "}\n- {name: y, connectionType: ExpressRoute, virtualNetworkGateway1: e, peer: c"),
			"NotSupported", 15, "in use by connection 'x'"},
		{WITH("", "", "", "}\n- {name: y, connectionType: ExpressRoute, virtualNetworkGateway1: e"),
			"MissingKey", 15, "peer"},
		{CONNECTION("connectionType: ExpressRoute, peer: c") "expressRouteCircuits: [{name: c}]\n",
			"GatewayTypeNotSupported", 13, "ExpressRoute"},
		{CONNECTION("connectionType: IPsec, localNetworkGateway2: l, peer: c") "expressRouteCircuits: [{name: "
										       "c}]\n",
			"InvalidValue", 13, "peer"},
	};

	CASE_REFUSE_ALL(cases);
}

#define BESIDE(space, vpn, own)                                                                                        \
	NETWORK(space)                                                                                                 \
	CIRCUIT(PEERING(""), "")                                                                                       \
	EXPRESS_ROUTE(own) GATEWAY("g", "v", "i", vpn) CONNECTED("")

static void
beside_a_vpn_gateway(void **state)
{
	static const struct case_refusal cases[] = {
		{BESIDE("10.0.0.0/28", "", ""), "GatewaySubnetTooSmall", 3, "/27"},
		{BESIDE("10.0.0.0/27", ", vpnType: PolicyBased", ""), "VpnTypeNotSupported", 13, NULL},
		{BESIDE("10.0.0.0/27", ", sku: {name: Basic}", ""), "GatewaySkuNotSupported", 13, NULL},
		{BESIDE("10.0.0.0/27", "", ", bgpSettings: {bgpPeeringAddress: 10.0.0.30}"), "BgpAddressNotAllowed", 12,
			"each needs its own"},
		{BESIDE("10.0.0.0/27",
			 "}\n- {name: f, gatewayType: ExpressRoute, ipConfigurations: [{subnet: "
			 "v/GatewaySubnet}]",
			 ""),
			"VnetHasGateway", 14, "one ExpressRoute gateway"},
		{NETWORK("10.0.0.0/27") "virtualNetworkGateways:\n- {name: g, ipConfigurations: [{subnet: "
					"v/GatewaySubnet}]}\n",
			"MissingKey", 10, "publicIPAddress"},
	};
	struct config *c = case_load(BESIDE("10.0.0.0/27", "", ""));

	assert_true(c->gateways[1].speaks_bgp);
	assert_false(c->gateways[1].enable_bgp);
	address_is(&c->gateways[0].bgp.address, "10.0.0.29");
	address_is(&c->gateways[1].bgp.address, "10.0.0.30");
	config_free(c);
	CASE_REFUSE_ALL(cases);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(circuit),
		cmocka_unit_test(as_exported),
		cmocka_unit_test(printed_as_read),
		cmocka_unit_test(refused),
		cmocka_unit_test(beside_a_vpn_gateway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
