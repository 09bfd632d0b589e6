/* Effective routes: the vendor's rules and worked examples, row by row, and what the winners compile to. */
#include "tests/unit/world_text.h"

#include <stdlib.h>

#define APPLIANCE                                                                                                      \
	"appliance:\n"                                                                                                 \
	"  name: test\n"                                                                                               \
	"  ports:\n"                                                                                                   \
	"    - {name: p, driver: 'null'}\n"                                                                            \
	"  attachments:\n"

/* ---- the vendor's worked example: two networks, a VPN, one subnet that sends all through an NVA ---- */

static const char worked_example[] =
	"virtualNetworks:\n"
	"  - name: virtual-network-1\n"
	"    location: westeurope\n"
	"    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
	"    subnets:\n"
	"      - {name: Subnet1, addressPrefix: 10.0.0.0/24, routeTable: {id: table}}\n"
	"      - {name: Subnet2, addressPrefix: 10.0.1.0/24}\n"
	"      - {name: nva, addressPrefix: 10.0.100.0/24}\n"
	"      - {name: GatewaySubnet, addressPrefix: 10.0.255.0/27}\n"
	"    virtualNetworkPeerings: [{name: to-2, remoteVirtualNetwork: {id: virtual-network-2}}]\n"
	"  - name: virtual-network-2\n"
	"    location: westeurope\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16, 10.2.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.1.0.0/24}]\n"
	"    virtualNetworkPeerings: [{name: to-1, remoteVirtualNetwork: {id: virtual-network-1}}]\n"
	"routeTables:\n"
	"  - name: table\n"
	"    routes:\n"
	"      - {name: Within-VNet1, addressPrefix: 10.0.0.0/16, nextHopType: VirtualAppliance, nextHopIpAddress: "
	"10.0.100.4}\n"
	"      - {name: Within-Subnet1, addressPrefix: 10.0.0.0/24, nextHopType: VnetLocal}\n"
	"      - {name: ToVNet2-1-Drop, addressPrefix: 10.1.0.0/16, nextHopType: None}\n"
	"      - {name: ToVNet2-2-Drop, addressPrefix: 10.2.0.0/16, nextHopType: None}\n"
	"      - {name: To-On-Prem, addressPrefix: 10.10.0.0/16, nextHopType: VirtualAppliance, nextHopIpAddress: "
	"10.0.100.4}\n"
	"      - {name: Default-NVA, addressPrefix: 0.0.0.0/0, nextHopType: VirtualAppliance, nextHopIpAddress: "
	"10.0.100.4}\n"
	"publicIPAddresses: [{name: ip, ipAddress: 203.0.113.1}]\n"
	"virtualNetworkGateways:\n"
	"  - name: gw\n"
	"    ipConfigurations: [{subnet: {id: virtual-network-1/GatewaySubnet}, publicIPAddress: {id: ip}}]\n"
	"localNetworkGateways:\n"
	"  - {name: site, gatewayIpAddress: 198.51.100.1, localNetworkAddressSpace: {addressPrefixes: "
	"[10.10.0.0/16]}}\n"
	"connections:\n"
	"  - {name: to-site, connectionType: IPsec, virtualNetworkGateway1: {id: gw}, localNetworkGateway2: {id: "
	"site}}\n" APPLIANCE "    - {subnet: virtual-network-1/Subnet1, port: p, vlan: 1}\n"
	"    - {subnet: virtual-network-1/Subnet2, port: p, vlan: 2}\n"
	"    - {subnet: virtual-network-1/nva, port: p, vlan: 3}\n"
	"    - {subnet: virtual-network-2/s, port: p, vlan: 4}\n"
	"  uplinks: [{name: wan, port: p, addresses: [203.0.113.1/24], internet: true, gateway: 203.0.113.254}]\n";

static void
worked_example_subnet1(void **state)
{
	struct world_text t = world_from(worked_example);

	/* the example's rows but its service endpoint, which we do not have; a user route for 0.0.0.0/0 took the
	 * reserved ranges away */
	assert_string_equal(world_print(&t, "virtual-network-1", "Subnet1"),
		"Active User 0.0.0.0/0 VirtualAppliance 10.0.100.4 Default-NVA\n"
		"Invalid Default 0.0.0.0/0 Internet - -\n"
		"Active User 10.0.0.0/16 VirtualAppliance 10.0.100.4 Within-VNet1\n"
		"Invalid Default 10.0.0.0/16 VnetLocal - -\n"
		"Active User 10.0.0.0/24 VnetLocal - Within-Subnet1\n"
		"Active User 10.1.0.0/16 None - ToVNet2-1-Drop\n"
		"Invalid Default 10.1.0.0/16 VNetPeering - to-2\n"
		"Active User 10.2.0.0/16 None - ToVNet2-2-Drop\n"
		"Invalid Default 10.2.0.0/16 VNetPeering - to-2\n"
		"Active User 10.10.0.0/16 VirtualAppliance 10.0.100.4 To-On-Prem\n"
		"Invalid VirtualNetworkGateway 10.10.0.0/16 VirtualNetworkGateway 203.0.113.1 to-site\n");
	assert_string_equal(
		world_hop(&t, "virtual-network-1/Subnet1", "10.0.1.9"), "neighbour virtual-network-1/nva 10.0.100.4");
	assert_string_equal(world_hop(&t, "virtual-network-1/Subnet1", "10.0.0.9"), "subnet virtual-network-1/Subnet1");
	assert_string_equal(world_hop(&t, "virtual-network-1/Subnet1", "10.0.0.1"), "local");
	assert_string_equal(
		world_hop(&t, "virtual-network-1/Subnet1", "10.1.0.9"), "drop route-none table/routes/ToVNet2-1-Drop");
	assert_string_equal(
		world_hop(&t, "virtual-network-1/Subnet1", "10.10.1.1"), "neighbour virtual-network-1/nva 10.0.100.4");
	assert_string_equal(
		world_hop(&t, "virtual-network-1/Subnet1", "8.8.8.8"), "neighbour virtual-network-1/nva 10.0.100.4");
	/* the foot-gun is told */
	assert_int_equal(t.world->n_warnings, 1);
	assert_non_null(strstr(t.world->warning[0].text, "table/Default-NVA"));
	world_text_free(&t);
}

static void
worked_example_subnet2(void **state)
{
	struct world_text t = world_from(worked_example);

	assert_string_equal(world_print(&t, "virtual-network-1", "Subnet2"),
		"Active Default 0.0.0.0/0 Internet - -\n"
		"Active Default 10.0.0.0/8 None - -\n"
		"Active Default 10.0.0.0/16 VnetLocal - -\n"
		"Active Default 10.1.0.0/16 VNetPeering - to-2\n"
		"Active Default 10.2.0.0/16 VNetPeering - to-2\n"
		"Active VirtualNetworkGateway 10.10.0.0/16 VirtualNetworkGateway 203.0.113.1 to-site\n"
		"Active Default 100.64.0.0/10 None - -\n"
		"Active Default 172.16.0.0/12 None - -\n"
		"Active Default 192.168.0.0/16 None - -\n");
	assert_string_equal(world_hop(&t, "virtual-network-1/Subnet2", "10.10.1.1"), "tunnel connection to-site");
	assert_string_equal(world_hop(&t, "virtual-network-1/Subnet2", "8.8.8.8"), "uplink uplink wan");
	assert_string_equal(
		world_hop(&t, "virtual-network-1/Subnet2", "10.77.0.1"), "drop route-none system route 10.0.0.0/8");
	assert_string_equal(
		world_hop(&t, "virtual-network-1/Subnet2", "100.64.0.1"), "drop route-none system route 100.64.0.0/10");
	world_text_free(&t);
}

/* ---- one network, one subnet, and what stands around it ---- */

static const char single[] =
	"virtualNetworks:\n"
	"  - name: v\n"
	"    addressSpace: {addressPrefixes: [%s]}\n"
	"    subnets: [{name: s, addressPrefixes: [%s], routeTable: {id: table}}, {name: n, addressPrefix: %s}]\n"
	"routeTables:\n"
	"  - name: table\n"
	"    routes: [%s]\n"
	"networkInterfaces: [%s]\n" APPLIANCE "    - {subnet: v/s, port: p, vlan: 1}\n"
	"    - {subnet: v/n, port: p, vlan: 2}\n"
	"  uplinks: [%s]\n";

static struct world_text
one_network(const char *space, const char *subnet, const char *second, const char *routes, const char *nics,
	const char *uplinks)
{
	char text[8192];

	snprintf(text, sizeof(text), single, space, subnet, second, routes, nics, uplinks);
	return world_from(text);
}

/* Equal to a reserved range: VnetLocal in its place. Including it: removed. Inside it: it stays. */
static void
reserved_ranges(void **state)
{
	static const struct {
		const char *space, *subnet, *second;
		bool has[4]; /* 10/8, 100.64/10, 172.16/12, 192.168/16 as None */
	} row[] = {
		{"203.0.113.0/24", "203.0.113.0/26", "203.0.113.64/26", {true, true, true, true}},
		{"172.20.2.0/24", "172.20.2.0/26", "172.20.2.64/26", {true, true, true, true}},
		{"10.0.0.0/8", "10.1.0.0/24", "10.2.0.0/24", {false, true, true, true}},
		{"172.16.0.0/12", "172.16.0.0/24", "172.17.0.0/24", {true, true, false, true}},
		{"192.0.0.0/8", "192.168.0.0/24", "192.168.1.0/24", {true, true, true, false}},
		{"100.0.0.0/8, 10.0.0.0/8", "10.1.0.0/24", "10.2.0.0/24", {false, false, true, true}},
	};
	static const char *const reserved[] = {"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct world_text t = one_network(row[i].space, row[i].subnet, row[i].second, "", "", "");
		const char *print = world_print(&t, "v", "s");

		for (int k = 0; k < 4; k++) {
			char none[80];

			snprintf(none, sizeof(none), "Active Default %s None - -\n", reserved[k]);
			assert_int_equal(strstr(print, none) != NULL, row[i].has[k]);
		}
		world_text_free(&t);
	}
}

static void
ipv6_has_a_default_only_with_ipv6_space(void **state)
{
	struct world_text t = one_network("10.1.0.0/16", "10.1.1.0/24", "10.1.2.0/24", "", "", "");

	assert_null(strstr(world_print(&t, "v", "s"), "::/0"));
	assert_string_equal(world_hop(&t, "v/s", "2001:db8::1"), "drop no-route ");
	world_text_free(&t);

	t = one_network("10.1.0.0/16, 'fd00:1::/48'", "10.1.1.0/24, 'fd00:1:0:1::/64'", "10.1.2.0/24", "", "",
		"{name: wan, port: p, addresses: ['2001:db8::1/64'], internet: true}");
	assert_non_null(strstr(world_print(&t, "v", "s"), "Active Default ::/0 Internet - -\n"));
	assert_non_null(strstr(world_print(&t, "v", "s"), "Active Default fd00:1::/48 VnetLocal - -\n"));
	assert_string_equal(world_hop(&t, "v/s", "2001:db8:9::1"), "uplink uplink wan");
	assert_string_equal(world_hop(&t, "v/s", "fd00:1:0:1::9"), "subnet v/s");
	assert_string_equal(world_hop(&t, "v/s", "fd00:1:0:1::1"), "local");
	assert_string_equal(world_hop(&t, "v/s", "fd00:1:0:2::9"), "drop subnet-not-attached v");
	/* an uplink without an IPv4 address carries no IPv4 */
	assert_string_equal(world_hop(&t, "v/s", "8.8.8.8"), "drop no-internet ");
	world_text_free(&t);
}

#define ROUTE(name, prefix, type, more) "{name: " name ", addressPrefix: '" prefix "', nextHopType: " type more "}"
#define NVA(address) ", nextHopIpAddress: '" address "'"

static void
user_route_types(void **state)
{
	struct world_text t = one_network("10.1.0.0/16", "10.1.1.0/24", "10.1.2.0/24",
		ROUTE("none", "198.51.100.0/24", "None", "") "," ROUTE("out", "10.1.2.128/25", "Internet",
			"") "," ROUTE("nva", "10.9.0.0/16", "VirtualAppliance", NVA("10.1.2.4")) "," ROUTE("gateway",
			"10.8.0.0/16", "VirtualNetworkGateway", "") "," ROUTE("local", "10.1.2.16/28", "VnetLocal",
			"") "," ROUTE("outside", "10.7.0.0/16", "VnetLocal", ""),
		"", "{name: wan, port: p, addresses: [203.0.113.1/24], internet: true}");

	assert_string_equal(world_hop(&t, "v/s", "198.51.100.1"), "drop route-none table/routes/none");
	assert_string_equal(world_hop(&t, "v/s", "10.1.2.129"), "uplink uplink wan");
	assert_string_equal(world_hop(&t, "v/s", "10.1.2.9"), "subnet v/n");
	assert_string_equal(world_hop(&t, "v/s", "10.1.2.17"), "subnet v/n");
	assert_string_equal(world_hop(&t, "v/s", "10.9.1.1"), "neighbour v/n 10.1.2.4");
	assert_string_equal(world_hop(&t, "v/s", "10.8.1.1"), "drop no-gateway table/routes/gateway");
	assert_string_equal(world_hop(&t, "v/s", "10.7.1.1"), "drop subnet-not-attached table/routes/outside");
	/* the table is on one subnet alone */
	assert_string_equal(world_hop(&t, "v/n", "10.1.2.129"), "subnet v/n");
	assert_string_equal(world_hop(&t, "v/n", "10.9.1.1"), "drop route-none system route 10.0.0.0/8");
	world_text_free(&t);
}

static const struct effective_route *
user_row(const struct world_text *t)
{
	const struct effective_table *table = world_table(t->world, "v", "s");

	for (uint32_t i = 0; i < table->n; i++) {
		if (table->route[i].source == SOURCE_USER)
			return &table->route[i];
	}
	fail_msg("no user route");
	return NULL;
}

/* Next hops that can not be reached: Invalid with a reason, and a drop by the route's name, not the route it hid. */
static void
next_hops_out_of_reach(void **state)
{
	static const struct {
		const char *next_hop, *nics, *why;
	} row[] = {
		{"10.1.2.4", "", NULL},
		{"10.1.2.4",
			"{name: n1, enableIPForwarding: true, ipConfigurations: [{name: i, subnet: {id: v/n}, "
			"privateIPAddress: 10.1.2.4}]}",
			NULL},
		{"10.1.2.4", "{name: n1, ipConfigurations: [{name: i, subnet: {id: v/n}, privateIPAddress: 10.1.2.4}]}",
			"enableIPForwarding is false on networkInterface n1"},
		{"10.1.1.4", "", "in the subnet the route is for"},
		{"10.1.2.1", "", "this appliance's own address"},
		{"10.1.2.0", "", "network or broadcast address"},
		{"10.1.2.255", "", "network or broadcast address"},
		{"10.1.3.4", "", "in no subnet of the virtual network"},
		{"10.2.3.4", "", "neither in this virtual network nor in one directly peered"},
		{"8.8.8.8", "", "neither in this virtual network nor in one directly peered"},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char route[200];
		struct world_text t;

		snprintf(route, sizeof(route),
			"{name: r, addressPrefix: 0.0.0.0/0, nextHopType: VirtualAppliance, nextHopIpAddress: %s}",
			row[i].next_hop);
		t = one_network("10.1.0.0/16", "10.1.1.0/24", "10.1.2.0/24", route, row[i].nics,
			"{name: wan, port: p, addresses: [203.0.113.1/24], internet: true}");
		assert_int_equal(user_row(&t)->active, row[i].why == NULL);
		assert_non_null(strstr(world_print(&t, "v", "s"), "Invalid Default 0.0.0.0/0 Internet - -\n"));
		if (row[i].why == NULL) {
			assert_null(user_row(&t)->why);
			assert_string_equal(world_hop(&t, "v/s", "8.8.8.8"), "neighbour v/n 10.1.2.4");
		} else {
			assert_non_null(strstr(user_row(&t)->why, row[i].why));
			assert_string_equal(world_hop(&t, "v/s", "8.8.8.8"), "drop route-invalid table/routes/r");
		}
		world_text_free(&t);
	}
}

/* A subnet's own gateway address answers whatever user routes say of the subnet. */
static void
own_gateway_stays_reachable(void **state)
{
	struct world_text t = one_network("10.1.0.0/16", "10.1.1.0/24", "10.1.2.0/24",
		ROUTE("r", "10.1.1.0/24", "VirtualAppliance", NVA("10.1.2.4")) "," ROUTE(
			"all", "10.1.2.0/24", "None", ""),
		"", "");

	assert_string_equal(world_hop(&t, "v/s", "10.1.1.1"), "local");
	assert_string_equal(world_hop(&t, "v/s", "10.1.1.9"), "neighbour v/n 10.1.2.4");
	assert_string_equal(world_hop(&t, "v/s", "10.1.2.1"), "drop route-none table/routes/all");
	assert_string_equal(world_hop(&t, "v/n", "10.1.2.1"), "local");
	world_text_free(&t);
}

/* ---- the gateway's routes against the others ---- */

static const char with_gateway[] =
	"virtualNetworks:\n"
	"  - name: v\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
	"    subnets:\n"
	"      - {name: s, addressPrefix: 10.1.1.0/24, routeTable: {id: table}}\n"
	"      - {name: GatewaySubnet, addressPrefix: 10.1.255.0/27}\n"
	"    virtualNetworkPeerings: [{name: to-w, remoteVirtualNetwork: {id: w}}]\n"
	"  - name: w\n"
	"    addressSpace: {addressPrefixes: [10.2.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.2.1.0/24}]\n"
	"    virtualNetworkPeerings: [{name: to-v, remoteVirtualNetwork: {id: v}, allowForwardedTraffic: true}]\n"
	"routeTables:\n"
	"  - name: table\n"
	"    routes: [%s]\n"
	"publicIPAddresses: [{name: ip, ipAddress: 203.0.113.1}]\n"
	"virtualNetworkGateways:\n"
	"  - name: gw\n"
	"    ipConfigurations: [{subnet: {id: v/GatewaySubnet}, publicIPAddress: {id: ip}}]\n"
	"localNetworkGateways:\n"
	"  - {name: one, gatewayIpAddress: 198.51.100.1, localNetworkAddressSpace: {addressPrefixes: [%s]}}\n"
	"  - {name: two, gatewayIpAddress: 198.51.100.2, localNetworkAddressSpace: {addressPrefixes: [%s]}}\n"
	"connections:\n"
	"  - {name: c1, connectionType: IPsec, virtualNetworkGateway1: {id: gw}, localNetworkGateway2: {id: one}, "
	"routingWeight: %d}\n"
	"  - {name: c2, connectionType: IPsec, virtualNetworkGateway1: {id: gw}, localNetworkGateway2: {id: two}, "
	"routingWeight: %d}\n" APPLIANCE "    - {subnet: v/s, port: p, vlan: 1}\n"
	"    - {subnet: w/s, port: p, vlan: 2}\n"
	"  uplinks: [{name: wan, port: p, addresses: [%s], internet: true}]\n";

static struct world_text
gateway_network(const char *routes, const char *one, const char *two, int weight1, int weight2, const char *uplink)
{
	char text[8192];

	snprintf(text, sizeof(text), with_gateway, routes, one, two, weight1, weight2, uplink);
	return world_from(text);
}

/* A longer route of the gateway inside a peered network's space loses to the peering; elsewhere the longer one wins. */
static void
system_routes_beat_longer_gateway_routes(void **state)
{
	struct world_text t = gateway_network(
		"", "10.2.1.0/24, 10.3.0.0/16, 10.0.0.0/8", "10.3.3.0/24, 0.0.0.0/0", 0, 0, "203.0.113.1/24");

	assert_non_null(strstr(world_print(&t, "v", "s"),
		"Invalid VirtualNetworkGateway 10.2.1.0/24 VirtualNetworkGateway 203.0.113.1 c1\n"));
	assert_string_equal(world_hop(&t, "v/s", "10.2.1.9"), "subnet w/s");
	assert_string_equal(world_hop(&t, "v/s", "10.3.1.9"), "tunnel connection c1");
	assert_string_equal(world_hop(&t, "v/s", "10.3.3.9"), "tunnel connection c2");
	/* at equal length the gateway's routes beat Default ones */
	assert_string_equal(world_hop(&t, "v/s", "10.99.1.9"), "tunnel connection c1");
	assert_string_equal(world_hop(&t, "v/s", "8.8.8.8"), "tunnel connection c2");
	assert_non_null(
		strstr(world_print(&t, "v", "s"), "Active VirtualNetworkGateway 10.0.0.0/8 VirtualNetworkGateway "
						  "203.0.113.1 c1\nInvalid Default 10.0.0.0/8 None - -\n"));
	world_text_free(&t);
}

static void
user_routes_against_gateway_routes(void **state)
{
	struct world_text t = gateway_network(
		ROUTE("same", "10.3.0.0/16", "None", "") "," ROUTE("longer", "10.4.4.0/24", "None", "") "," ROUTE(
			"inside", "10.2.1.0/24", "None", "") "," ROUTE("shorter", "10.5.0.0/16", "None", ""),
		"10.3.0.0/16, 10.4.0.0/16, 10.5.5.0/24, 10.2.1.128/25", "172.20.0.0/16", 0, 0, "203.0.113.1/24");

	assert_string_equal(world_hop(&t, "v/s", "10.3.1.9"), "drop route-none table/routes/same");
	assert_string_equal(world_hop(&t, "v/s", "10.4.4.9"), "drop route-none table/routes/longer");
	assert_string_equal(world_hop(&t, "v/s", "10.4.1.9"), "tunnel connection c1");
	assert_string_equal(world_hop(&t, "v/s", "10.5.5.9"), "tunnel connection c1");
	assert_string_equal(world_hop(&t, "v/s", "10.5.1.9"), "drop route-none table/routes/shorter");
	/* inside a peered space the gateway's longer route is out, so the user's shorter one decides */
	assert_string_equal(world_hop(&t, "v/s", "10.2.1.200"), "drop route-none table/routes/inside");
	assert_string_equal(world_hop(&t, "v/s", "172.20.1.1"), "tunnel connection c2");
	world_text_free(&t);
}

static void
routing_weight_decides(void **state)
{
	static const struct {
		int weight1, weight2;
		const char *winner;
	} row[] = {{10, 20, "c2"}, {20, 10, "c1"}, {10, 10, "c1"}};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct world_text t = gateway_network(
			"", "10.3.0.0/16", "10.3.0.0/16", row[i].weight1, row[i].weight2, "203.0.113.1/24");
		char wanted[200];

		snprintf(wanted, sizeof(wanted), "tunnel connection %s", row[i].winner);
		assert_string_equal(world_hop(&t, "v/s", "10.3.1.9"), wanted);
		snprintf(wanted, sizeof(wanted),
			"Active VirtualNetworkGateway 10.3.0.0/16 VirtualNetworkGateway 203.0.113.1 %s\n"
			"Invalid VirtualNetworkGateway 10.3.0.0/16",
			row[i].winner);
		assert_non_null(strstr(world_print(&t, "v", "s"), wanted));
		world_text_free(&t);
	}
}

/* A user route to the gateway lets the gateway tell apart; what it has no route for drops by the user route's name. */
static void
user_route_to_the_gateway(void **state)
{
	struct world_text t = gateway_network(ROUTE("force", "0.0.0.0/0", "VirtualNetworkGateway", ""), "10.3.0.0/16",
		"10.3.3.0/24", 0, 0, "203.0.113.1/24");

	assert_string_equal(world_hop(&t, "v/s", "10.3.1.9"), "tunnel connection c1");
	assert_string_equal(world_hop(&t, "v/s", "10.3.3.9"), "tunnel connection c2");
	assert_string_equal(world_hop(&t, "v/s", "8.8.8.8"), "drop no-gateway table/routes/force");
	assert_string_equal(world_hop(&t, "v/s", "10.2.1.9"), "subnet w/s");
	world_text_free(&t);

	/* all of the user route inside one connection's prefix */
	t = gateway_network(ROUTE("part", "10.2.1.0/25", "VirtualNetworkGateway", ""), "0.0.0.0/0", "10.3.3.0/24", 0, 0,
		"203.0.113.1/24");
	assert_string_equal(world_hop(&t, "v/s", "10.2.1.9"), "drop no-route v/virtualNetworkPeerings/to-w");
	assert_string_equal(world_hop(&t, "v/s", "10.2.1.200"), "subnet w/s");
	world_text_free(&t);
}

static void
connection_without_an_uplink_address(void **state)
{
	struct world_text t = gateway_network("", "10.3.0.0/16", "10.4.0.0/16", 0, 0, "203.0.113.77/24");

	assert_string_equal(world_hop(&t, "v/s", "10.3.1.9"), "drop no-gateway connection c1");
	assert_int_equal(t.world->spec.n_tunnels, 0);
	assert_int_equal(t.world->n_warnings, 2);
	world_text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worked_example_subnet1),
		cmocka_unit_test(worked_example_subnet2),
		cmocka_unit_test(reserved_ranges),
		cmocka_unit_test(ipv6_has_a_default_only_with_ipv6_space),
		cmocka_unit_test(user_route_types),
		cmocka_unit_test(next_hops_out_of_reach),
		cmocka_unit_test(own_gateway_stays_reachable),
		cmocka_unit_test(system_routes_beat_longer_gateway_routes),
		cmocka_unit_test(user_routes_against_gateway_routes),
		cmocka_unit_test(routing_weight_decides),
		cmocka_unit_test(user_route_to_the_gateway),
		cmocka_unit_test(connection_without_an_uplink_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
