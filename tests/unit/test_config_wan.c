/* Virtual WANs in a configuration: what hubs imply, what is printed of it, and what is refused. */
#include "config_case.h"

/* Line 1 is the virtual WAN, 3 the hub h, 4 the hub g, 6 the networks, 8 the sites, 9 the site s, 10 the VPN gateway,
 * 13 what follows. */
#define ALL(wan, h, g, v, s, connection, more)                                                                         \
	"virtualWans: [{name: w" wan "}]\n"                                                                            \
	"virtualHubs:\n"                                                                                               \
	"- {name: h, virtualWan: w, addressPrefix: 10.100.0.0/24" h "}\n"                                              \
	"- {name: g, virtualWan: w, addressPrefix: 10.101.0.0/24" g "}\n"                                              \
	"virtualNetworks:\n"                                                                                           \
	"- {name: v, addressSpace: {addressPrefixes: [10.1.0.0/16]}, subnets: [{name: a, addressPrefix: "              \
	"10.1.1.0/24}]" v "}\n"                                                                                        \
	"- {name: u, addressSpace: {addressPrefixes: [10.2.0.0/16]}}\n"                                                \
	"vpnSites:\n"                                                                                                  \
	"- {name: s, virtualWan: w, addressSpace: {addressPrefixes: [192.168.1.0/24]}" s "}\n"                         \
	"vpnGateways: [{name: vpn, virtualHub: h, appliance: {publicIPAddresses: [i]}, connections: [\n"               \
	"   {name: c, remoteVpnSite: s" connection "}]}]\n"                                                            \
	"publicIPAddresses: [{name: i, ipAddress: 203.0.113.1}]\n" more
#define CONNECTED(more) ", hubVirtualNetworkConnections: [{name: x, remoteVirtualNetwork: v" more "}]"
#define ROUTING(more) CONNECTED(", routingConfiguration: {" more "}")
#define ADDRESS ", ipAddress: 198.51.100.1"
#define HUB(more) ALL("", more, "", "", ADDRESS, "", "")
#define SITE(s, connection) ALL("", "", "", "", s, connection, "")
#define MORE(more) ALL("", CONNECTED(""), "", "", ADDRESS, "", more)
#define BASIC(h, more) ALL(", type: Basic", h, "", "", ADDRESS, "", more)
#define CIRCUIT                                                                                                        \
	"expressRouteCircuits: [{name: k, peerings: [{name: AzurePrivatePeering, peerASN: 65001, "                     \
	"primaryPeerAddressPrefix: 172.16.0.0/30}]}]\n"
#define ER                                                                                                             \
	CIRCUIT "expressRouteGateways: [{name: e, virtualHub: h, expressRouteConnections: [{name: line, "              \
		"expressRouteCircuitPeering: k}]}]\n"
#define P2S(pool)                                                                                                      \
	"vpnServerConfigurations: [{name: sc, vpnClientRootCertificates: [{name: r, publicCertData: AAAA}]}]\n"        \
	"p2sVpnGateways: [{name: p, virtualHub: g, vpnServerConfiguration: sc, customDnsServers: [10.1.1.5], "         \
	"p2SConnectionConfigurations: [{name: pc, vpnClientAddressPool: {addressPrefixes: [" pool "]}}]}]\n"

static const struct cfg_connection *
connection_named(const struct config *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_connections; i++)
		if (strcmp(c->connections[i].name, name) == 0)
			return &c->connections[i];
	fail_msg("no connection %s", name);
	return NULL;
}

static void
hubs_are_networks_with_gateways(void **state)
{
	struct config *c = case_load(ALL("", CONNECTED(""), "", "", ADDRESS, "", ER P2S("10.9.0.0/24")));
	const struct cfg_hub *h = &c->wan.hubs[0], *g = &c->wan.hubs[1];
	const struct cfg_peering *in, *out;
	const struct cfg_connection *k = connection_named(c, "c");

	(void)state;
	assert_true(c->vnets[h->vnet].implied && c->gateways[h->gateway].implied);
	assert_string_equal(c->vnets[h->vnet].name, "h");
	assert_int_equal(c->gateways[h->gateway].vnet, h->vnet);
	assert_int_equal(c->vnets[0].hub, 0);
	assert_int_equal(c->vnets[1].hub, CFG_NONE);
	out = &c->vnets[0].peerings[0];
	in = &c->vnets[h->vnet].peerings[0];
	assert_string_equal(out->name, "RemoteVnetToHubPeering_h");
	assert_string_equal(in->name, "x");
	assert_true(out->use_remote_gateways && in->allow_gateway_transit);
	assert_int_equal(out->state, PEERING_CONNECTED);
	assert_int_equal(k->gateway1, h->gateway);
	assert_string_equal(c->local_gateways[k->local_gateway].name, "s");
	assert_int_equal(connection_named(c, "line")->circuit, 0);
	assert_int_equal(connection_named(c, "line")->gateway1, h->gateway);
	/* h has a circuit, so both hubs speak: with each other */
	assert_true(c->gateways[h->gateway].speaks_bgp && c->gateways[g->gateway].speaks_bgp);
	assert_int_equal(c->gateways[g->gateway].p2s.pool.n, 1);
	assert_int_equal(c->gateways[g->gateway].p2s.n_roots, 1);
	assert_int_equal(g->of_clients->n_to, 2);
	/* to the default tables of both hubs */
	assert_int_equal(h->connections[0].routing.associated, CFG_HUB_DEFAULT_TABLE);
	assert_int_equal(h->connections[0].routing.n_to, 2);
	config_free(c);
}

static void
tables_and_labels(void **state)
{
	struct config *c = case_load(ALL("",
		ROUTING("associatedRouteTable: apart, propagatedRouteTables: {labels: [Shared, default], ids: "
			"[/subscriptions/0/resourceGroups/r/providers/Microsoft.Network/virtualHubs/g/"
			"hubRouteTables/far, noneRouteTable]}") ", hubRouteTables: [{name: apart, labels: [shared]}]",
		", hubRouteTables: [{name: far}, {name: defaultRouteTable, labels: [shared]}]", "", ADDRESS, "", ""));
	const struct cfg_hub_routing *r = &c->wan.hubs[0].connections[0].routing;

	(void)state;
	assert_int_equal(c->wan.hubs[1].n_tables, 3);
	assert_string_equal(c->wan.hubs[1].tables[CFG_HUB_DEFAULT_TABLE].name, "defaultRouteTable");
	assert_false(c->wan.hubs[1].tables[CFG_HUB_DEFAULT_TABLE].implied);
	assert_true(c->wan.hubs[1].tables[CFG_HUB_NONE_TABLE].implied);
	assert_int_equal(r->associated, 2);
	assert_int_equal(r->n_to, 4); /* h: apart, default; g: default, far */
	config_free(c);
}

static void
links_of_sites(void **state)
{
	struct config *c = case_load(SITE(", vpnSiteLinks: [{name: l1, ipAddress: 198.51.100.1}, {name: l2, fqdn: "
					  "x.example.com, bgpProperties: {asn: 65001, bgpPeeringAddress: 172.16.0.1}}]",
		", vpnLinkConnections: [{name: one, vpnSiteLink: s/l1, routingWeight: 5}, {name: two, vpnSiteLink: "
		"l2, enableBgp: true, vpnConnectionProtocolType: IKEv2}]"));
	const struct cfg_connection *one = connection_named(c, "c.one"), *two = connection_named(c, "c.two");

	(void)state;
	assert_int_equal(one->routing_weight, 5);
	assert_string_equal(c->local_gateways[one->local_gateway].name, "s.l1");
	assert_string_equal(c->local_gateways[two->local_gateway].fqdn, "x.example.com");
	assert_true(two->enable_bgp && c->gateways[two->gateway1].enable_bgp);
	assert_ptr_equal(one->hub_routing, two->hub_routing);
	config_free(c);
}

/* As `az` prints them: what the cloud says of its instances, and its own object in a connected network. */
static void
as_exported(void **state)
{
	struct config *c = case_load(
		"virtualWans:\n"
		"- {name: w, type: Microsoft.Network/virtualWans, typePropertiesType: Standard, "
		"allowVnetToVnetTraffic: false, disableVpnEncryption: false, virtualHubs: [{id: x}], etag: e}\n"
		"virtualHubs:\n"
		"- {name: h, type: Microsoft.Network/virtualHubs, properties: {virtualWan: {id: w}, addressPrefix: "
		"10.100.0.0/24, sku: Standard, virtualRouterAsn: 65515, virtualRouterIps: [10.100.0.68], routeTable: "
		"{routes: []}, hubVirtualNetworkConnections: [{name: x, remoteVirtualNetwork: {id: v}, "
		"allowHubToRemoteVnetTransit: true, allowRemoteVnetToUseHubVnetGateways: true}]}}\n"
		"virtualNetworks:\n"
		"- {name: v, addressSpace: {addressPrefixes: [10.1.0.0/16]}, virtualNetworkPeerings: [{name: "
		"RemoteVnetToHubPeering_b43c, useRemoteGateways: true, peeringState: Connected, remoteVirtualNetwork: "
		"{id: /subscriptions/1/resourceGroups/RG_h/providers/Microsoft.Network/virtualNetworks/HV_h}}]}\n"
		"vpnGateways:\n"
		"- {name: vpn, virtualHub: {id: h}, bgpSettings: {asn: 65515, bgpPeeringAddresses: "
		"[{ipconfigurationId: "
		"Instance0, defaultBgpIpAddresses: [10.100.0.13], tunnelIpAddresses: [20.1.2.3]}, {ipconfigurationId: "
		"Instance1, defaultBgpIpAddresses: [10.100.0.12]}]}, vpnGatewayScaleUnit: 1, ipConfigurations: [{id: "
		"Instance0, publicIpAddress: 20.1.2.3}]}\n");
	struct ip_addr first;

	(void)state;
	assert_false(c->wan.wans[0].basic);
	assert_int_equal(c->vnets[0].n_peerings, 1);
	assert_true(c->vnets[0].peerings[0].implied);
	assert_int_equal(c->vnets[0].peerings[0].state, PEERING_CONNECTED);
	assert_int_equal(address_parse("10.100.0.13", &first), 0);
	assert_memory_equal(&c->gateways[0].bgp.address, &first, sizeof(first));
	config_free(c);
}

static void
printed_as_read(void **state)
{
	static const char *const texts[] = {
		ALL(", type: Basic", "", "", "", ADDRESS, "", ""),
		ALL("",
			ROUTING("vnetRoutes: {staticRoutes: [{name: r, addressPrefixes: [0.0.0.0/0], nextHopIpAddress: "
				"10.1.1.9}]}") ", hubRouteTables: [{name: t, labels: [a, b], routes: [{name: r, "
					       "destinations: [172.16.0.0/12], nextHop: x}]}], hubRoutingPreference: "
					       "ASPath",
			"", "", ", vpnSiteLinks: [{name: l, ipAddress: 198.51.100.1}]",
			", vpnLinkConnections: [{name: one, vpnSiteLink: l}]", ER P2S("10.9.0.0/24")),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config *c = case_load(texts[i]), *d;
		char *text = case_print(c), *again;

		assert_non_null(strstr(text, "virtualHubs"));
		assert_null(strstr(text, "GatewaySubnet"));
		assert_null(strstr(text, "RemoteVnetToHubPeering"));
		assert_null(strstr(text, "localNetworkGateways"));
		d = case_load(text);
		again = case_print(d);
		assert_string_equal(text, again);
		free(text);
		free(again);
		config_free(c);
		config_free(d);
	}
}

static void
hubs_refused(void **state)
{
	static const struct case_refusal cases[] = {
		{ALL(", disableVpnEncryption: true", "", "", "", ADDRESS, "", ""), "NotSupported", 1, NULL},
		{ALL(", type: Large", "", "", "", ADDRESS, "", ""), "InvalidValue", 1, "Standard"},
		{HUB(", azureFirewall: {id: f}"), "NotSupported", 3, "azureFirewall"},
		{HUB(", routingIntent: {id: f}"), "NotSupported", 3, "routingIntent"},
		{HUB(", bgpConnections: [{id: f}]"), "NotSupported", 3, "bgpConnections"},
		{HUB(", routeMaps: [{id: f}]"), "NotSupported", 3, "routeMaps"},
		{HUB(", routeTable: {routes: [{addressPrefixes: [10.0.0.0/8]}]}"), "NotSupported", 3, "hubRouteTables"},
		{HUB(", virtualRouterAsn: 65010"), "BgpAsnNotAllowed", 3, "65515"},
		{HUB("}\n- {name: i, virtualWan: w, addressPrefix: 10.102.0.0/25"), "InvalidAddressPrefix", 4, "/24"},
		{HUB("}\n- {name: i, virtualWan: w, addressPrefix: 'fd00::/64'"), "InvalidAddressPrefix", 4, "IPv4"},
		{HUB("}\n- {name: i, virtualWan: z, addressPrefix: 10.102.0.0/24"), "InvalidResourceReference", 4, "z"},
		{HUB("}\n- {name: i, virtualWan: w, addressPrefix: 10.100.0.0/16"), "WanAddressSpacesOverlap", 4,
			"10.100.0.0/24"},
		{HUB("}\n- {name: v, virtualWan: w, addressPrefix: 10.102.0.0/24"), "DuplicateName", 4,
			"virtual network"},
		{HUB(CONNECTED("}, {name: y, remoteVirtualNetwork: v")), "VnetConnectedTwice", 3, "hub 'h'"},
		{ALL("", CONNECTED(""), CONNECTED(""), "", ADDRESS, "", ""), "VnetConnectedTwice", 4, "hub 'h'"},
		{HUB(CONNECTED("}, {name: x, remoteVirtualNetwork: u")), "DuplicateName", 3, NULL},
		{HUB(", hubVirtualNetworkConnections: [{name: x, remoteVirtualNetwork: z}]"),
			"InvalidResourceReference", 3, "z"},
		{HUB(CONNECTED("") "}\n- {name: i, virtualWan: w, addressPrefix: 10.1.8.0/24"),
			"WanAddressSpacesOverlap", 4, "virtual network 'v'"},
		{ALL("", CONNECTED(""), "", ", virtualNetworkPeerings: [{name: p, remoteVirtualNetwork: g}]", ADDRESS,
			 "", ""),
			"InvalidReference", 6, "virtual hub"},
		{HUB(CONNECTED(", allowHubToRemoteVnetTransit: false")), "NotSupported", 3, NULL},
	};

	(void)state;
	CASE_REFUSE_ALL(cases);
}

static void
routing_refused(void **state)
{
	static const struct case_refusal cases[] = {
		{HUB(ROUTING("inboundRouteMap: {id: m}")), "NotSupported", 3, "inboundRouteMap"},
		{HUB(ROUTING("associatedRouteTable: t")), "InvalidResourceReference", 3, "'t'"},
		{ALL("", ROUTING("associatedRouteTable: g/t"), ", hubRouteTables: [{name: t}]", "", ADDRESS, "", ""),
			"InvalidReference", 3, "another hub"},
		{HUB(ROUTING("associatedRouteTable: a/b/c")), "InvalidReference", 3, "HUB/NAME"},
		{HUB(ROUTING("propagatedRouteTables: {labels: [red]}")), "InvalidResourceReference", 3, "'red'"},
		{HUB(ROUTING("propagatedRouteTables: {ids: [z/defaultRouteTable]}")), "InvalidResourceReference", 3,
			"z"},
		{HUB(ROUTING("vnetRoutes: {staticRoutes: [{name: r, addressPrefixes: [0.0.0.0/0], nextHopIpAddress: "
			     "10.2.1.9}]}")),
			"NextHopNotInVnet", 3, "10.2.1.9"},
		{HUB(ROUTING("vnetRoutes: {staticRoutes: [{name: r, addressPrefixes: ['fd00::/8'], nextHopIpAddress: "
			     "10.1.1.9}]}")),
			"InvalidAddressPrefix", 3, "families"},
		{HUB(ROUTING("vnetRoutes: {staticRoutes: [{name: r, addressPrefixes: [10.0.0.0/8], nextHopIpAddress: "
			     "10.1.1.9}], staticRoutesConfig: {vnetLocalRouteOverrideCriteria: Contains}}")),
			"NotSupported", 3, "Equal"},
		{HUB(CONNECTED("") ", hubRouteTables: [{name: t, routes: [{name: r, destinations: [10.0.0.0/8], "
				   "nextHop: y}]}]"),
			"InvalidResourceReference", 3, "'y'"},
		{HUB(CONNECTED("") ", hubRouteTables: [{name: t, routes: [{name: r, destinations: [10.0.0.0/8], "
				   "nextHop: x}, {name: q, destinations: [10.0.0.0/8], nextHop: x}]}]"),
			"DuplicateRoute", 3, NULL},
		{HUB(CONNECTED("") ", hubRouteTables: [{name: t, routes: [{name: r, destinations: [10.0.0.0/8], "
				   "nextHop: x, nextHopType: IPAddress}]}]"),
			"NotSupported", 3, "ResourceId"},
		{HUB(CONNECTED("") ", hubRouteTables: [{name: noneRouteTable, routes: [{name: r, destinations: "
				   "[10.0.0.0/8], nextHop: x}]}]"),
			"InvalidValue", 3, "noneRouteTable"},
		{HUB(", hubRouteTables: [{name: t}, {name: T}]"), "DuplicateName", 3, NULL},
		{SITE(ADDRESS, ", routingConfiguration: {associatedRouteTable: noneRouteTable}"),
			"RouteTableNotAllowed", 11, "defaultRouteTable"},
		{SITE(ADDRESS, ", routingConfiguration: {propagatedRouteTables: {labels: [none]}}"),
			"RouteTableNotAllowed", 11, "propagate"},
		{SITE(ADDRESS, ", routingConfiguration: {vnetRoutes: {staticRoutes: [{name: r, nextHopIpAddress: "
			       "10.1.1.9}]}}"),
			"InvalidValue", 11, "no static routes"},
		{ALL("", ", hubRouteTables: [{name: t}]", ", hubRouteTables: [{name: t, labels: [red]}]", "", ADDRESS,
			 ", routingConfiguration: {propagatedRouteTables: {labels: [red], ids: [defaultRouteTable]}}",
			 ""),
			"RouteTableNotAllowed", 11, "each other hub"},
		{BASIC(", hubRouteTables: [{name: t}]", ""), "WanTypeNotSupported", 3, "'t'"},
		{BASIC(ROUTING("vnetRoutes: {staticRoutes: [{name: r, addressPrefixes: [0.0.0.0/0], nextHopIpAddress: "
			       "10.1.1.9}]}"),
			 ""),
			"WanTypeNotSupported", 3, "'x'"},
		{BASIC(ROUTING("propagatedRouteTables: {ids: [g/defaultRouteTable]}"), ""), "InvalidReference", 3,
			"tells nothing"},
	};

	(void)state;
	CASE_REFUSE_ALL(cases);
}

static void
gateways_refused(void **state)
{
	static const struct case_refusal cases[] = {
		{BASIC("", "expressRouteGateways: [{name: e, virtualHub: h}]\n"), "WanTypeNotSupported", 13, "Basic"},
		{BASIC("", P2S("10.9.0.0/24")), "WanTypeNotSupported", 14, "Basic"},
		{MORE("expressRouteGateways: [{name: e, virtualHub: h}, {name: f, virtualHub: h}]\n"), "HubHasGateway",
			13, "'f'"},
		{MORE("expressRouteGateways: [{name: e, virtualHub: h, allowNonVirtualWanTraffic: true}]\n"),
			"NotSupported", 13, NULL},
		{MORE("expressRouteGateways: [{name: e, virtualHub: z}]\n"), "InvalidResourceReference", 13, "z"},
		{MORE("expressRouteGateways: [{name: e, virtualHub: h, expressRouteConnections: [{name: c, "
		      "expressRouteCircuitPeering: k}]}]\n" CIRCUIT),
			"DuplicateName", 13, "'c'"},
		{MORE(P2S("10.1.5.0/24")), "WanAddressSpacesOverlap", 14, "virtual network 'v'"},
		{MORE("p2sVpnGateways: [{name: p, virtualHub: g, vpnServerConfiguration: z, "
		      "p2SConnectionConfigurations: [{name: pc, vpnClientAddressPool: {addressPrefixes: "
		      "[10.9.0.0/24]}}], appliance: {p2sUsers: [{name: n, passwordFile: f}]}}]\n"),
			"InvalidResourceReference", 13, "z"},
		{MORE("vpnServerConfigurations: [{name: sc, aadAuthenticationParameters: {aadTenant: t}}]\n"),
			"NotSupported", 13, NULL},
		{MORE("virtualNetworkGateways: [{name: h2, ipConfigurations: [{subnet: h/GatewaySubnet, "
		      "publicIPAddress: i}]}]\n"),
			"InvalidReference", 13, "virtual hub"},
		{MORE("connections: [{name: q, connectionType: IPsec, virtualNetworkGateway1: h, localNetworkGateway2: "
		      "l}]\nlocalNetworkGateways: [{name: l, gatewayIpAddress: 198.51.100.7, localNetworkAddressSpace: "
		      "{addressPrefixes: [192.168.7.0/24]}}]\n"),
			"GatewayTypeNotSupported", 13, "virtual hub"},
		{MORE("localNetworkGateways: [{name: s, gatewayIpAddress: 198.51.100.7, localNetworkAddressSpace: "
		      "{addressPrefixes: [192.168.7.0/24]}}]\n"),
			"DuplicateName", 9, "'s'"},
		{SITE(ADDRESS ", vpnSiteLinks: [{name: l, ipAddress: 198.51.100.1}]",
			 ", vpnLinkConnections: [{name: o, vpnSiteLink: l}]"),
			"InvalidValue", 9, "vpnSiteLinks"},
		{SITE(ADDRESS, ", vpnLinkConnections: [{name: o, vpnSiteLink: l}]"), "MissingKey", 11, "vpnSiteLinks"},
		{SITE(", vpnSiteLinks: [{name: l, ipAddress: 198.51.100.1}]",
			 ", vpnLinkConnections: [{name: o, vpnSiteLink: m}]"),
			"InvalidResourceReference", 11, "'m'"},
		{SITE(", vpnSiteLinks: [{name: l, ipAddress: 198.51.100.1, bgpProperties: {asn: 65001, "
		      "bgpPeeringAddress: 172.16.0.1}}]",
			 ", enableBgp: true, vpnLinkConnections: [{name: o, vpnSiteLink: l}]"),
			"InvalidValue", 11, "are theirs"},
		{SITE("", ""), "MissingKey", 9, "gatewayIpAddress"},
		{SITE(ADDRESS ", isSecuritySite: true", ""), "NotSupported", 9, NULL},
		{SITE(ADDRESS, ", enableInternetSecurity: true"), "NotSupported", 11, "no default route"},
		{SITE(ADDRESS, ", usePolicyBasedTrafficSelectors: true"), "NotSupported", 11,
			"trafficSelectorPolicies"},
		{SITE(ADDRESS ", bgpProperties: {asn: 65515, bgpPeeringAddress: 172.16.0.1}", ", enableBgp: true"),
			"BgpAsnNotAllowed", 9, "65515"},
		{ALL("}, {name: w2", "", "", "",
			 ADDRESS "}\n- {name: s2, virtualWan: w2, ipAddress: 198.51.100.2, addressSpace: "
				 "{addressPrefixes: [192.168.2.0/24]}",
			 "}, {name: d, remoteVpnSite: s2", ""),
			"InvalidReference", 12, "different virtual WANs"},
		{MORE("vpnGateways2: []\n"), "UnknownKey", 13, "vpnGateways"},
	};

	(void)state;
	CASE_REFUSE_ALL(cases);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hubs_are_networks_with_gateways),
		cmocka_unit_test(tables_and_labels),
		cmocka_unit_test(links_of_sites),
		cmocka_unit_test(as_exported),
		cmocka_unit_test(printed_as_read),
		cmocka_unit_test(hubs_refused),
		cmocka_unit_test(routing_refused),
		cmocka_unit_test(gateways_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
