/* The checks of gateways, connections and the appliance's part. Their keys: test_config_keys.c. */
#include "config_case.h"
#include "config_tunnel.h"

/* ---- gateways and connections ---------------------------------------------------- */

static void
gateways(void **state)
{
	static const struct case_refusal cases[] = {
		{BASE GATEWAY("g", "v", "i", "") GATEWAY("h", "v", "j", ""), "VnetHasGateway", 11, "'g' already"},
		{BASE "- {name: g, ipConfigurations: [{subnet: v/a, publicIPAddress: i}]}\n", "GatewaySubnetMissing",
			10, NULL},
		{BASE GATEWAY("g", "x", "i", ""), "InvalidResourceReference", 10, NULL},
		{BASE GATEWAY("g", "v", "x", ""), "InvalidResourceReference", 10, "public IP"},
		{BASE GATEWAY("g", "v", "i", ", gatewayType: LocalGateway"), "NotSupported", 10, "Vpn or ExpressRoute"},
		{BASE GATEWAY("g", "v", "i", ", vpnType: Other"), "InvalidValue", 10, "PolicyBased"},
		{BASE GATEWAY("g", "v", "i", ", activeActive: true"), "NotSupported", 10, "activeActive"},
		{BASE GATEWAY("g", "v", "i", ", natRules: [{name: x}]"), "NotSupported", 10, "natRules"},
		{BASE "- {name: g, ipConfigurations: []}\n", "InvalidValue", 10, "one entry"},
		{BASE "- {name: g}\n", "MissingKey", 10, "ipConfigurations"},
		{BASE "- {name: g, ipConfigurations: [{subnet: v/GatewaySubnet, publicIPAddress: i},\n"
		      "    {subnet: v/GatewaySubnet, publicIPAddress: j}]}\n",
			"NotSupported", 11, "active-active"},
		{BASE "- {name: g, ipConfigurations: [{subnet: v/GatewaySubnet, publicIPAddress: i},\n"
		      "    {subnet: w/GatewaySubnet, publicIPAddress: k}]}\n",
			"InvalidValue", 11, "one GatewaySubnet"},
		{"publicIPAddresses:\n- {name: i, ipAddress: 192.0.2.1}\n- {name: j, ipAddress: 192.0.2.1}\n",
			"PublicIPAddressInUse", 3, "'j' is in use by 'i'"},
		{"localNetworkGateways: [{name: l, gatewayIpAddress: 192.0.2.9}]", "MissingKey", 1,
			"localNetworkAddressSpace"},
	};
	struct config *c;

	CASE_REFUSE_ALL(cases);
	c = case_load(BASE GATEWAY("g", "v", "i",
		", enableBgp: false, activeActive: false, bgpSettings: {asn: 65515}, "
		"sku: {name: VpnGw1, tier: VpnGw1}, disableIPSecReplayProtection: true"));
	assert_int_equal(c->vnets[0].gateway, 0);
	assert_int_equal(c->vnets[1].gateway, CFG_NONE);
	assert_string_equal(c->gateways[0].sku, "VpnGw1");
	assert_true(c->gateways[0].disable_replay_protection);
	config_free(c);
	case_accept(BASE "- {name: g, ipConfigurations: [{subnet: v/GatewaySubnet, publicIPAddress: i},\n"
			 "    {subnet: v/GatewaySubnet, publicIPAddress: k}]}\n");
}

static void
connections(void **state)
{
	static const struct case_refusal cases[] = {
		{CONNECTION("connectionType: IPsec"), "MissingKey", 13, "localNetworkGateway2"},
		{CONNECTION("connectionType: Vnet2Vnet"), "MissingKey", 13, "virtualNetworkGateway2"},
		{CONNECTION("connectionType: IPsec, localNetworkGateway2: l, virtualNetworkGateway2: h"),
			"InvalidValue", 13, NULL},
		{CONNECTION("connectionType: Vnet2Vnet, localNetworkGateway2: l, virtualNetworkGateway2: h"),
			"InvalidValue", 13, NULL},
		{CONNECTION("connectionType: Vnet2Vnet, virtualNetworkGateway2: g"), "InvalidReference", 13, "itself"},
		{CONNECTION("connectionType: Vnet2Vnet, virtualNetworkGateway2: gg"), "InvalidResourceReference", 13,
			NULL},
		{CONNECTION("connectionType: VPNClient"), "InvalidValue", 13, "IPsec, Vnet2Vnet"},
		{CONNECTION("localNetworkGateway2: l"), "MissingKey", 13, "connectionType"},
		{CONNECTION("connectionType: IPsec, localNetworkGateway2: l, trafficSelectorPolicies: "
			    "[{localAddressRanges: "
			    "[10.0.0.0/16]}]"),
			"MissingKey", 13, "remoteAddressRanges"},
		{CONNECTION("connectionType: IPsec, localNetworkGateway2: l, appliance: {mtu: 500}"), "InvalidValue",
			13, "576"},
		{CONNECTION("connectionType: IPsec, localNetworkGateway2: l, appliance: {mtu: 1000, tcpMss: 1200}"),
			"InvalidValue", 13, "does not fit"},
		{BASE GATEWAY("g", "v", "i", ", vpnType: PolicyBased")
				GATEWAY("h", "w", "j", "") "connections:\n- {name: c, virtualNetworkGateway1: g, "
							   "virtualNetworkGateway2: h, connectionType: Vnet2Vnet}\n",
			"VpnTypeNotSupported", 13, "RouteBased"},
		{TWO "connections:\n- {name: c, virtualNetworkGateway1: g, localNetworkGateway2: m, connectionType: "
		     "IPsec}\n"
		     "networkSecurityGroups: []\n",
			"InvalidResourceReference", 13, "local network gateway"},
	};
	struct config *c;

	CASE_REFUSE_ALL(cases);
	c = case_load(CONNECTION(
		"connectionType: ipsec, localNetworkGateway2: l, sharedKey: null, enableBgp: false, routingWeight: 10, "
		"usePolicyBasedTrafficSelectors: true, trafficSelectorPolicies: [{localAddressRanges: [10.0.0.0/16], "
		"remoteAddressRanges: [192.168.0.0/16]}], connectionProtocol: IKEv2, dpdTimeoutSeconds: 45, "
		"appliance: {copyDf: false, mtu: 1400, tcpMss: 1350}"));
	assert_int_equal(c->connections[0].gateway1, 0);
	assert_int_equal(c->connections[0].gateway2, CFG_NONE);
	assert_int_equal(c->connections[0].local_gateway, 0);
	assert_int_equal(c->connections[0].routing_weight, 10);
	assert_true(c->connections[0].policy_based);
	assert_int_equal(c->connections[0].n_selectors, 1);
	assert_true(c->connections[0].copy_dscp);
	assert_false(c->connections[0].copy_df);
	config_free(c);

	c = case_load(BASE GATEWAY(
		"g", "v", "i", ", vpnType: PolicyBased") "connections: [{name: c, connectionType: IPsec, "
							 "virtualNetworkGateway1: g, localNetworkGateway2: l}]\n");
	assert_true(c->connections[0].policy_based);
	config_free(c);
}

static void
spaces_through_tunnels(void **state)
{
	case_refuse("virtualNetworks:\n"
		    "- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/16]}, subnets: [{name: GatewaySubnet, "
		    "addressPrefix: "
		    "10.0.0.0/27}]}\n"
		    "- {name: w, addressSpace: {addressPrefixes: [10.0.0.0/8]}, subnets: [{name: GatewaySubnet, "
		    "addressPrefix: "
		    "10.1.0.0/27}]}\n"
		    "publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}, {name: j, ipAddress: 192.0.2.2}]\n"
		    "virtualNetworkGateways:\n" GATEWAY("g", "v", "i", "")
			    GATEWAY("h", "w", "j", "") "connections:\n- {name: c, connectionType: Vnet2Vnet, "
						       "virtualNetworkGateway1: g, virtualNetworkGateway2: h}\n",
		"VnetAddressSpacesOverlap", 9, "10.0.0.0/16, 10.0.0.0/8");
	case_refuse("localNetworkGateways:\n"
		    "- {name: m, gatewayIpAddress: 192.0.2.8, localNetworkAddressSpace: {addressPrefixes: [10.0.0.0/8, "
		    "10.0.7.0/24]}}\n"
		    "virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/16]}, subnets: [{name: "
		    "GatewaySubnet, "
		    "addressPrefix: 10.0.0.0/27}]}]\n"
		    "publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}]\n"
		    "virtualNetworkGateways:\n" GATEWAY(
			    "g", "v", "i", "") "connections:\n- {name: c, connectionType: IPsec, "
					       "virtualNetworkGateway1: g, localNetworkGateway2: m}\n",
		"LocalNetworkInsideVnet", 2, "10.0.7.0/24");
}

/* ---- the appliance --------------------------------------------------------------- */

#define APPLIANCE(more) "appliance:\n  ports:\n" more
#define LAB                                                                                                            \
	"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/16, 'fd00::/48']}, subnets: [{name: "   \
	"a, "                                                                                                          \
	"addressPrefixes: [10.0.0.0/24, 'fd00::/64']}, {name: b, addressPrefix: 10.0.1.0/24}, {name: GatewaySubnet, "  \
	"addressPrefix: 10.0.2.0/24}]}, {name: w, addressSpace: {addressPrefixes: [10.0.0.0/8]}}]\n"
#define PORTS                                                                                                          \
	APPLIANCE("  - {name: p, driver: ring}\n  - {name: q, driver: 'null'}\n  - {name: s, driver: null, mtu: "      \
		  "600}\n")

static void
ports(void **state)
{
	static const struct case_refusal cases[] = {
		{APPLIANCE("  - {name: p, driver: pci}\n"), "MissingKey", 3, "driver pci needs address"},
		{APPLIANCE("  - {name: p, driver: af_packet}\n"), "MissingKey", 3, "interface"},
		{APPLIANCE("  - {name: p, driver: af_xdp}\n"), "MissingKey", 3, "interface"},
		{APPLIANCE("  - {name: p, driver: memif}\n"), "MissingKey", 3, "path"},
		{APPLIANCE("  - {name: p, driver: vhost_user}\n"), "MissingKey", 3, "path"},
		{APPLIANCE("  - {name: p, driver: virtio_user}\n"), "MissingKey", 3, "path"},
		{APPLIANCE("  - {name: p, driver: pcap}\n"), "MissingKey", 3, "rxPath"},
		{APPLIANCE("  - {name: p, driver: ring, path: /x}\n"), "KeyNotForDriver", 3, "path"},
		{APPLIANCE("  - {name: p, driver: ring, skbMode: true}\n"), "KeyNotForDriver", 3, "skbMode"},
		{APPLIANCE("  - {name: p, driver: dpdk}\n"), "InvalidValue", 3, "af_xdp"},
		{APPLIANCE("  - {name: p}\n"), "MissingKey", 3, "driver"},
		{APPLIANCE("  - {name: p, driver: pci, address: '01:00.0'}\n"), "InvalidValue", 3, "0000:01:00.0"},
		{APPLIANCE("  - {name: p, driver: pci, address: '0000:01:00.8'}\n"), "InvalidValue", 3, NULL},
		{APPLIANCE("  - {name: p, driver: af_packet, interface: 'a b'}\n"), "InvalidValue", 3, NULL},
		{APPLIANCE("  - {name: p, driver: af_packet, interface: 'a,b=c'}\n"), "InvalidValue", 3, NULL},
		{APPLIANCE("  - {name: p, driver: af_packet, interface: abcdefghijklmnop}\n"), "LimitExceeded", 3,
			"15"},
		{APPLIANCE("  - {name: p, driver: memif, path: '/x,y'}\n"), "InvalidValue", 3, "comma"},
		{APPLIANCE("  - {name: p, driver: ring, mtu: 67}\n"), "InvalidValue", 3, NULL},
		{APPLIANCE("  - {name: p, driver: ring, mtu: 9001}\n"), "InvalidValue", 3, NULL},
		{APPLIANCE("  - {name: p, driver: ring}\n  - {name: P, driver: ring}\n"), "DuplicateName", 4, NULL},
		{APPLIANCE("  - {name: p, driver: af_packet, interface: x}\n  - {name: q, driver: af_xdp, interface: "
			   "x}\n"),
			"PortInUse", 4, "in use by port 'p'"},
		{APPLIANCE("  - {name: 'p q', driver: ring}\n"), "InvalidName", 3, NULL},
	};
	struct config *c;

	CASE_REFUSE_ALL(cases);
	c = case_load(APPLIANCE("  - {name: t, driver: tap}\n  - {name: u, driver: tap, interface: v}\n"
				"  - {name: m, driver: memif, path: /run/m, server: true, queues: 4}\n"
				"  - {name: c, driver: pcap, rxPath: a.pcap, macAddress: '02-00-00-00-00-01'}\n"
				"  - {name: x, driver: af_xdp, interface: y, skbMode: true, forceCopy: true}\n"
				"  - {name: h, driver: pci, address: '0000:0A:1f.7', descriptors: 1024}\n"));
	assert_string_equal(c->appliance.ports[0].interface, "t");
	assert_true(c->appliance.ports[2].server);
	assert_int_equal(c->appliance.ports[3].mtu, 1500);
	assert_true(c->appliance.ports[3].has_mac);
	config_free(c);
}

static void
attachments_and_uplinks(void **state)
{
	static const struct case_refusal cases[] = {
		{LAB PORTS "  attachments:\n  - {subnet: v/x, port: p}\n", "InvalidResourceReference", 8, "subnet"},
		{LAB PORTS "  attachments:\n  - {subnet: v/a, port: x}\n", "InvalidResourceReference", 8, "port"},
		{LAB PORTS "  attachments:\n  - {subnet: v/a, port: p, vlan: 4095}\n", "InvalidValue", 8, "4094"},
		{LAB PORTS "  attachments:\n  - {subnet: v/a, port: p}\n  - {subnet: v/b, port: p}\n", "VlanInUse", 9,
			"line 8"},
		{LAB PORTS "  attachments:\n  - {subnet: v/a, port: p}\n  - {subnet: v/a, port: q}\n",
			"SubnetAttachedTwice", 9, "line 8"},
		{LAB PORTS "  attachments:\n  - {subnet: v/GatewaySubnet, port: p}\n", "GatewaySubnetHost", 8, NULL},
		{LAB PORTS "  attachments:\n  - {subnet: v/a, port: s}\n", "MtuTooSmall", 8, "1280"},
		{LAB PORTS "  attachments:\n  - {subnet: v/a, port: p, vlan: 5}\n  uplinks:\n  - {name: u, port: p, "
			   "vlan: 5, "
			   "addresses: [192.0.2.1/24]}\n",
			"VlanInUse", 10, "VLAN 5"},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: []}\n", "MissingKey", 8, NULL},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p}\n", "MissingKey", 8, "addresses"},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.1/33]}\n", "InvalidAddress", 8,
			NULL},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.0/24]}\n", "InvalidAddress", 8,
			"host"},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.255/24]}\n", "InvalidAddress", 8,
			"host"},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.1/24], gateway: 192.0.3.1}\n",
			"UplinkGatewayUnreachable", 8, NULL},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.1/24], gateway: 192.0.2.1}\n",
			"UplinkGatewayUnreachable", 8, NULL},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.1/24], gateway6: 192.0.2.2}\n",
			"InvalidAddress", 8, "IPv6"},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.1/24]}\n  - {name: t, port: q, "
			   "addresses: "
			   "[192.0.2.130/25]}\n",
			"UplinkAddressesOverlap", 9, NULL},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.1/24, 192.0.2.1/24]}\n",
			"UplinkAddressesOverlap", 8, NULL},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.1/24], internet: true, "
			   "virtualNetworks: [v, w]}\n",
			"UplinkVnetsOverlap", 8, "10.0.0.0/16"},
		{LAB PORTS "  uplinks:\n  - {name: u, port: p, addresses: [192.0.2.1/24], virtualNetworks: [v]}\n",
			"InvalidValue", 8, "'internet' is false"},
		{LAB PORTS "  uplinks:\n  - {name: u, port: s, addresses: ['2001:db8::1/64']}\n", "MtuTooSmall", 8,
			NULL},
	};
	struct config *c;

	CASE_REFUSE_ALL(cases);
	c = case_load(LAB PORTS
		"  attachments:\n  - {subnet: v/a, port: p}\n  - {subnet: v/b, port: p, vlan: 7}\n"
		"  uplinks:\n  - {name: u, port: q, addresses: [192.0.2.1/24, 192.0.2.2/24, '2001:db8::5/64'], "
		"gateway: 192.0.2.254, gateway6: '2001:db8::1', internet: true, virtualNetworks: [v]}\n"
		"  - {name: t, port: p, vlan: 8, addresses: [198.51.100.1/31]}\n");
	assert_int_equal(c->appliance.attachments[1].subnet, 1);
	assert_int_equal(c->appliance.attachments[1].vlan, 7);
	assert_int_equal(c->appliance.uplinks[0].addresses.n, 3);
	assert_int_equal(c->appliance.uplinks[0].address[1].b[3], 2);
	assert_int_equal(c->appliance.uplinks[0].addresses.p[1].addr.b[3], 0);
	assert_true(c->appliance.uplinks[0].has_gateway4 && c->appliance.uplinks[0].has_gateway6);
	assert_int_equal(c->appliance.uplinks[0].vnets[0], 0);
	assert_int_equal(c->appliance.uplinks[0].port, 1);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gateways),
		cmocka_unit_test(connections),
		cmocka_unit_test(spaces_through_tunnels),
		cmocka_unit_test(ports),
		cmocka_unit_test(attachments_and_uplinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
