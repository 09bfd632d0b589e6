/* Peerings: what the two objects and their flags let through, and where routes and gateways carry further. */
#include "tests/unit/world_text.h"

#include <stdlib.h>

#define APPLIANCE                                                                                                      \
	"appliance:\n"                                                                                                 \
	"  name: test\n"                                                                                               \
	"  ports:\n"                                                                                                   \
	"    - {name: p, driver: 'null'}\n"                                                                            \
	"  attachments:\n"

static const char networks[] =
	"virtualNetworks:\n"
	"  - name: a\n"
	"    location: %s\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
	"    subnets: [{name: one, addressPrefix: 10.1.1.0/24}]\n"
	"    virtualNetworkPeerings: [%s]\n"
	"  - name: b\n"
	"    location: westeurope\n"
	"    addressSpace: {addressPrefixes: [10.2.0.0/16]}\n"
	"    subnets: [{name: one, addressPrefix: 10.2.1.0/24}, {name: away, addressPrefix: 10.2.2.0/24}]\n"
	"    virtualNetworkPeerings: [%s]\n" APPLIANCE "    - {subnet: a/one, port: p, vlan: 1}\n"
	"    - {subnet: b/one, port: p, vlan: 2}\n";

static struct world_text
two_networks(const char *location, const char *a_to_b, const char *b_to_a)
{
	char text[4096];

	snprintf(text, sizeof(text), networks, location, a_to_b, b_to_a);
	return world_from(text);
}

static bool
has_row(const struct world_text *t, const char *vnet, const char *subnet, const char *row)
{
	return strstr(world_print(t, vnet, subnet), row) != NULL;
}

/* ---- states ---- */

static void
only_connected_carries(void **state)
{
	static const struct {
		const char *a_to_b, *b_to_a;
		bool carries;
	} row[] = {
		{"{name: x, remoteVirtualNetwork: {id: b}}", "{name: y, remoteVirtualNetwork: {id: a}}", true},
		{"{name: x, remoteVirtualNetwork: {id: b}}", "", false},
		{"", "{name: y, remoteVirtualNetwork: {id: a}}", false},
		{"{name: x, remoteVirtualNetwork: {id: b}, peeringState: Disconnected}", "", false},
		{"{name: x, remoteVirtualNetwork: {id: b}, peeringState: Disconnected}",
			"{name: y, remoteVirtualNetwork: {id: a}, peeringState: Disconnected}", false},
		{"", "", false},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct world_text t = two_networks("westeurope", row[i].a_to_b, row[i].b_to_a);

		assert_int_equal(has_row(&t, "a", "one", "VNetPeering"), row[i].carries);
		assert_int_equal(has_row(&t, "b", "one", "VNetPeering"), row[i].carries);
		assert_string_equal(world_hop(&t, "a/one", "10.2.1.9"),
			row[i].carries ? "subnet b/one unless forwarded b/virtualNetworkPeerings/y"
				       : "drop route-none system route 10.0.0.0/8");
		world_text_free(&t);
	}
}

/* ---- flags ---- */

static uint8_t
tag_bits(const struct world_text *t, const char *iface, const char *address)
{
	struct tags *tags = world_tags(t->world, t->world->spec.iface[world_iface(t, iface)].tags);
	struct ip_addr a;
	uint8_t bits;

	assert_int_equal(address_parse(address, &a), 0);
	bits = tags_lookup(tags, a.family, a.b);
	tags_free(tags);
	return bits;
}

/* All combinations of the sender's access and strictAccess and the receiver's allowForwardedTraffic, seen from both. */
static void
access_and_forwarded_flags(void **state)
{
	for (int flags = 0; flags < 32; flags++) {
		bool access = flags & 1, strict = flags & 2, a_forwarded = flags & 4, b_forwarded = flags & 8;
		bool b_access = flags & 16;
		char a_to_b[300], b_to_a[300];
		const char *wanted, *back;
		struct world_text t;

		snprintf(a_to_b, sizeof(a_to_b),
			"{name: x, remoteVirtualNetwork: {id: b}, allowVirtualNetworkAccess: %s, "
			"allowForwardedTraffic: %s%s}",
			access ? "true" : "false", a_forwarded ? "true" : "false",
			strict ? ", appliance: {strictAccess: true}" : "");
		snprintf(b_to_a, sizeof(b_to_a),
			"{name: y, remoteVirtualNetwork: {id: a}, allowForwardedTraffic: %s, "
			"allowVirtualNetworkAccess: %s}",
			b_forwarded ? "true" : "false", b_access ? "true" : "false");
		t = two_networks("westeurope", a_to_b, b_to_a);

		wanted = b_forwarded ? "subnet b/one" : "subnet b/one unless forwarded b/virtualNetworkPeerings/y";
		if (!access && strict)
			wanted = "drop peer-access-denied a/virtualNetworkPeerings/x";
		assert_string_equal(world_hop(&t, "a/one", "10.2.1.9"), wanted);
		back = a_forwarded ? "subnet a/one" : "subnet a/one unless forwarded a/virtualNetworkPeerings/x";
		assert_string_equal(world_hop(&t, "b/one", "10.1.1.9"), back);

		/* the flag always takes the remote space out of the tag; Connected stays Connected */
		assert_int_equal(tag_bits(&t, "a/one", "10.2.1.9"), access ? TAG_BIT_VNET : TAG_BIT_INTERNET);
		assert_int_equal(tag_bits(&t, "b/one", "10.1.1.9"), b_access ? TAG_BIT_VNET : TAG_BIT_INTERNET);
		assert_int_equal(tag_bits(&t, "a/one", "10.1.9.9"), TAG_BIT_VNET | TAG_BIT_OWN_VNET);
		assert_true(has_row(&t, "a", "one", "Active Default 10.2.0.0/16 VNetPeering"));
		world_text_free(&t);
	}
}

static void
rest_of_the_space(void **state)
{
	struct world_text t = two_networks("westeurope", "{name: x, remoteVirtualNetwork: {id: b}}",
		"{name: y, remoteVirtualNetwork: {id: a}, allowForwardedTraffic: true}");

	assert_string_equal(world_hop(&t, "a/one", "10.2.2.9"), "drop subnet-not-attached b/away");
	assert_string_equal(world_hop(&t, "a/one", "10.2.9.9"), "drop subnet-not-attached b");
	assert_string_equal(world_hop(&t, "a/one", "10.1.9.9"), "drop subnet-not-attached a");
	assert_string_equal(world_hop(&t, "a/one", "10.1.1.1"), "local");
	assert_string_equal(world_hop(&t, "a/one", "10.2.1.1"), "local");
	assert_string_equal(world_hop(&t, "a/one", "10.2.2.1"), "drop subnet-not-attached b/away");
	world_text_free(&t);
}

static void
global_between_locations(void **state)
{
	static const struct {
		const char *location, *type;
	} row[] = {{"westeurope", "VNetPeering"}, {"West Europe", "VNetPeering"}, {"northeurope", "VNetGlobalPeering"}};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct world_text t = two_networks(row[i].location, "{name: x, remoteVirtualNetwork: {id: b}}",
			"{name: y, remoteVirtualNetwork: {id: a}}");
		char wanted[100];

		snprintf(wanted, sizeof(wanted), "Active Default 10.2.0.0/16 %s - x\n", row[i].type);
		assert_true(has_row(&t, "a", "one", wanted));
		world_text_free(&t);
	}
}

/* Routes are built from what was synced, not from what the remote network has become. */
static void
remote_space_is_as_synced(void **state)
{
	struct world_text t = two_networks("westeurope",
		"{name: x, remoteVirtualNetwork: {id: b}, remoteAddressSpace: {addressPrefixes: [10.2.2.0/23]}}",
		"{name: y, remoteVirtualNetwork: {id: a}, allowForwardedTraffic: true}");

	assert_true(has_row(&t, "a", "one", "Active Default 10.2.2.0/23 VNetPeering - x\n"));
	assert_string_equal(world_hop(&t, "a/one", "10.2.1.9"), "drop route-none system route 10.0.0.0/8");
	assert_string_equal(world_hop(&t, "a/one", "10.2.2.9"), "drop subnet-not-attached b/away");
	assert_string_equal(
		world_hop(&t, "b/one", "10.1.1.9"), "subnet a/one unless forwarded a/virtualNetworkPeerings/x");
	world_text_free(&t);
}

/* ---- further than one peering ---- */

#define PEER(name, remote, flags) "{name: " name ", remoteVirtualNetwork: {id: " remote "}" flags "}"
#define FORWARDED ", allowForwardedTraffic: true"

static void
peering_is_not_transitive(void **state)
{
	struct world_text t = world_from(
		"virtualNetworks:\n"
		"  - name: a\n"
		"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
		"    subnets: [{name: s, addressPrefix: 10.1.1.0/24}]\n"
		"    virtualNetworkPeerings: [" PEER("ab", "b",
			FORWARDED) "]\n"
				   "  - name: b\n"
				   "    addressSpace: {addressPrefixes: [10.2.0.0/16]}\n"
				   "    subnets: [{name: s, addressPrefix: 10.2.1.0/24}]\n"
				   "    virtualNetworkPeerings: [" PEER("ba", "a", FORWARDED) "," PEER("bc", "c",
					   FORWARDED) "]\n"
						      "  - name: c\n"
						      "    addressSpace: {addressPrefixes: [10.3.0.0/16]}\n"
						      "    subnets: [{name: s, addressPrefix: 10.3.1.0/24}]\n"
						      "    virtualNetworkPeerings: [" PEER("cb", "b",
							      FORWARDED) "]\n" APPLIANCE
									 "    - {subnet: a/s, port: p, vlan: 1}\n"
									 "    - {subnet: b/s, port: p, vlan: 2}\n"
									 "    - {subnet: c/s, port: p, vlan: 3}\n");

	assert_string_equal(world_hop(&t, "a/s", "10.2.1.9"), "subnet b/s");
	assert_string_equal(world_hop(&t, "b/s", "10.3.1.9"), "subnet c/s");
	assert_string_equal(world_hop(&t, "a/s", "10.3.1.9"), "drop route-none system route 10.0.0.0/8");
	assert_string_equal(world_hop(&t, "c/s", "10.1.1.9"), "drop route-none system route 10.0.0.0/8");
	assert_null(strstr(world_print(&t, "a", "s"), "10.3."));
	assert_int_equal(tag_bits(&t, "a/s", "10.3.1.9"), TAG_BIT_INTERNET);
	world_text_free(&t);
}

static const char three_levels[] =
	"virtualNetworks:\n"
	"  - name: spoke1\n"
	"    addressSpace: {addressPrefixes: [10.11.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.11.1.0/24, routeTable: {id: from-spoke1}}]\n"
	"    virtualNetworkPeerings: [" PEER("s1-h1", "hub1",
		FORWARDED) "]\n"
			   "  - name: hub1\n"
			   "    addressSpace: {addressPrefixes: [10.10.0.0/16]}\n"
			   "    subnets: [{name: nva, addressPrefix: 10.10.1.0/24, routeTable: {id: "
			   "from-hub1}}]\n"
			   "    virtualNetworkPeerings: [" PEER("h1-s1", "spoke1", FORWARDED) "," PEER("h1-top", "top",
				   FORWARDED) "]\n"
					      "  - name: top\n"
					      "    addressSpace: {addressPrefixes: [10.100.0.0/16]}\n"
					      "    subnets: [{name: nva, addressPrefix: 10.100.1.0/24, "
					      "routeTable: {id: from-top}}]\n"
					      "    virtualNetworkPeerings: [" PEER(
						      "top-h1", "hub1", FORWARDED) "," PEER("top-h2", "hub2",
						      FORWARDED) "]\n"
								 "  - name: hub2\n"
								 "    addressSpace: {addressPrefixes: "
								 "[10.20.0.0/16]}\n"
								 "    subnets: [{name: nva, addressPrefix: "
								 "10.20.1.0/24}]\n"
								 "    virtualNetworkPeerings: [" PEER("h2-top", "top",
									 FORWARDED) "," PEER("h2-s2", "spoke2",
									 FORWARDED) "]\n"
										    "  - name: spoke2\n"
										    "    addressSpace: "
										    "{addressPrefixes: "
										    "[10.21.0.0/16]}\n"
										    "    subnets: [{name: s, "
										    "addressPrefix: "
										    "10.21.1.0/24}]\n"
										    "    "
										    "virtualNetworkPeerings: "
										    "[" PEER("s2-h2", "hub2",
											    "") "]\n"
												"routeTables:\n"
												"  - name: "
												"from-spoke1\n"
												"    routes: "
												"[{name: up, "
												"addressPrefix:"
												" 10.0.0.0/8, "
												"nextHopType: "
												"VirtualApplian"
												"ce, "
												"nextHopIpAddre"
												"ss: "
												"10.10.1.4}]\n"
												"  - name: "
												"from-hub1\n"
												"    routes: "
												"[{name: up, "
												"addressPrefix:"
												" 10.0.0.0/8, "
												"nextHopType: "
												"VirtualApplian"
												"ce, "
												"nextHopIpAddre"
												"ss: "
												"10.100.1.4}]\n"
												"  - name: "
												"from-top\n"
												"    routes: "
												"[{name: "
												"down2, "
												"addressPrefix:"
												" 10.21.0.0/"
												"16, "
												"nextHopType: "
												"VirtualApplian"
												"ce, "
												"nextHopIpAddre"
												"ss: "
												"10.20.1.4}]"
												"\n" APPLIANCE "    - "
												"{subnet: "
												"spoke1/s, "
												"port: p, "
												"vlan: 1}\n"
												"    - "
												"{subnet: "
												"hub1/nva, "
												"port: p, "
												"vlan: 2}\n"
												"    - "
												"{subnet: "
												"top/nva, "
												"port: p, "
												"vlan: 3}\n"
												"    - "
												"{subnet: "
												"hub2/nva, "
												"port: p, "
												"vlan: 4}\n"
												"    - "
												"{subnet: "
												"spoke2/s, "
												"port: p, "
												"vlan: 5}\n";

/* Spoke - hub - upper hub - hub - spoke: an NVA in each hub, user routes at each level. Each leg is one table. */
static void
three_levels_of_hubs(void **state)
{
	struct world_text t = world_from(three_levels);

	assert_string_equal(world_hop(&t, "spoke1/s", "10.21.1.9"), "neighbour hub1/nva 10.10.1.4");
	assert_string_equal(world_hop(&t, "hub1/nva", "10.21.1.9"), "neighbour top/nva 10.100.1.4");
	assert_string_equal(world_hop(&t, "top/nva", "10.21.1.9"), "neighbour hub2/nva 10.20.1.4");
	/* the last link does not allow forwarded traffic: named, on the receiver's object */
	assert_string_equal(world_hop(&t, "hub2/nva", "10.21.1.9"),
		"subnet spoke2/s unless forwarded spoke2/virtualNetworkPeerings/s2-h2");
	/* the hub itself stays reachable past the wide user route: the peering's prefix is longer */
	assert_string_equal(world_hop(&t, "spoke1/s", "10.10.1.9"), "subnet hub1/nva");
	assert_string_equal(world_hop(&t, "hub1/nva", "10.11.1.9"), "subnet spoke1/s");
	world_text_free(&t);
}

/* ---- gateways ---- */

static const char transit[] =
	"virtualNetworks:\n"
	"  - name: hub\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.1.1.0/24}, {name: GatewaySubnet, addressPrefix: 10.1.255.0/27}]\n"
	"    virtualNetworkPeerings: [{name: h-a, remoteVirtualNetwork: {id: a}%s}, {name: h-b, remoteVirtualNetwork: "
	"{id: b}%s}]\n"
	"  - name: a\n"
	"    addressSpace: {addressPrefixes: [10.2.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.2.1.0/24%s}]\n"
	"    virtualNetworkPeerings: [{name: a-h, remoteVirtualNetwork: {id: hub}, allowForwardedTraffic: true%s}]\n"
	"  - name: b\n"
	"    addressSpace: {addressPrefixes: [10.3.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.3.1.0/24}]\n"
	"    virtualNetworkPeerings: [{name: b-h, remoteVirtualNetwork: {id: hub}%s}]\n"
	"routeTables:\n"
	"  - name: alone\n"
	"    disableBgpRoutePropagation: true\n"
	"  - name: by-gateway\n"
	"    routes: [{name: to-b, addressPrefix: 10.3.0.0/16, nextHopType: VirtualNetworkGateway}]\n"
	"publicIPAddresses: [{name: ip, ipAddress: 203.0.113.1}]\n"
	"virtualNetworkGateways:\n"
	"  - name: gw\n"
	"    ipConfigurations: [{subnet: {id: hub/GatewaySubnet}, publicIPAddress: {id: ip}}]\n"
	"localNetworkGateways:\n"
	"  - {name: site, gatewayIpAddress: 198.51.100.1, localNetworkAddressSpace: {addressPrefixes: "
	"[192.168.0.0/16]}}\n"
	"connections:\n"
	"  - {name: to-site, connectionType: IPsec, virtualNetworkGateway1: {id: gw}, localNetworkGateway2: {id: "
	"site}}\n" APPLIANCE "    - {subnet: hub/s, port: p, vlan: 1}\n"
	"    - {subnet: a/s, port: p, vlan: 2}\n"
	"    - {subnet: b/s, port: p, vlan: 3}\n"
	"  uplinks: [{name: wan, port: p, addresses: [203.0.113.1/24], gateway: 203.0.113.254}]\n";

#define GIVES ", allowGatewayTransit: true"
#define TAKES ", useRemoteGateways: true"

static struct world_text
hub_and_two_spokes(const char *hub_a, const char *hub_b, const char *a_table, const char *a_hub, const char *b_hub)
{
	char text[8192];

	snprintf(text, sizeof(text), transit, hub_a, hub_b, a_table, a_hub, b_hub);
	return world_from(text);
}

static void
gateway_transit(void **state)
{
	struct world_text t = hub_and_two_spokes(GIVES FORWARDED, GIVES, "", TAKES, "");

	assert_true(has_row(&t, "hub", "s",
		"Active VirtualNetworkGateway 192.168.0.0/16 VirtualNetworkGateway 203.0.113.1 to-site\n"));
	assert_true(has_row(&t, "a", "s",
		"Active VirtualNetworkGateway 192.168.0.0/16 VirtualNetworkGateway 203.0.113.1 to-site\n"));
	assert_null(strstr(world_print(&t, "b", "s"), "VirtualNetworkGateway"));
	assert_string_equal(world_hop(&t, "hub/s", "192.168.1.1"), "tunnel connection to-site");
	assert_string_equal(world_hop(&t, "a/s", "192.168.1.1"), "tunnel connection to-site");
	assert_string_equal(world_hop(&t, "b/s", "192.168.1.1"), "drop route-none system route 192.168.0.0/16");

	/* out of the tunnel: the hub and the network that uses its gateway, and nothing else */
	assert_string_equal(world_hop(&t, "gateway gw", "10.1.1.9"), "subnet hub/s");
	assert_string_equal(world_hop(&t, "gateway gw", "10.2.1.9"), "subnet a/s");
	assert_string_equal(world_hop(&t, "gateway gw", "10.3.1.9"), "drop no-route hub/virtualNetworkPeerings/h-b");
	assert_string_equal(world_hop(&t, "gateway gw", "192.168.1.1"), "drop no-gateway connection to-site");
	assert_string_equal(world_hop(&t, "gateway gw", "8.8.8.8"), "drop no-internet ");
	assert_int_equal(tag_bits(&t, "a/s", "192.168.1.1"), TAG_BIT_VNET);
	assert_int_equal(tag_bits(&t, "b/s", "192.168.1.1"), TAG_BIT_INTERNET);
	world_text_free(&t);
}

/* Packets that the gateway forwards are exempt from allowForwardedTraffic; those that a spoke forwards to it are not.
 */
static void
forwarded_traffic_and_the_gateway(void **state)
{
	struct world_text t = hub_and_two_spokes(GIVES, GIVES FORWARDED, "", TAKES, TAKES);

	assert_string_equal(world_hop(&t, "gateway gw", "10.3.1.9"), "subnet b/s");
	assert_string_equal(
		world_hop(&t, "hub/s", "10.3.1.9"), "subnet b/s unless forwarded b/virtualNetworkPeerings/b-h");
	assert_string_equal(world_hop(&t, "a/s", "192.168.1.1"),
		"tunnel connection to-site unless forwarded hub/virtualNetworkPeerings/h-a");
	assert_string_equal(world_hop(&t, "b/s", "192.168.1.1"), "tunnel connection to-site");
	/* with the mark and without, hub and b share one; and what comes out of tunnels goes into none */
	assert_int_equal(t.world->spec.n_gateway_tables, 3);
	world_text_free(&t);
}

static void
propagation_off(void **state)
{
	struct world_text t = hub_and_two_spokes(GIVES FORWARDED, GIVES, ", routeTable: {id: alone}", TAKES, "");

	assert_null(strstr(world_print(&t, "a", "s"), "VirtualNetworkGateway"));
	assert_string_equal(world_hop(&t, "a/s", "192.168.1.1"), "drop route-none system route 192.168.0.0/16");
	assert_string_equal(world_hop(&t, "hub/s", "192.168.1.1"), "tunnel connection to-site");
	world_text_free(&t);
}

/* A spoke reaches another through the hub's gateway when a user route says so and both use it. */
static void
spoke_to_spoke_by_the_gateway(void **state)
{
	struct world_text t =
		hub_and_two_spokes(GIVES FORWARDED, GIVES, ", routeTable: {id: by-gateway}", TAKES, TAKES);

	assert_true(has_row(&t, "a", "s", "Active User 10.3.0.0/16 VirtualNetworkGateway - to-b\n"));
	assert_string_equal(world_hop(&t, "a/s", "10.3.1.9"), "subnet b/s");
	assert_string_equal(world_hop(&t, "a/s", "10.3.9.9"), "drop subnet-not-attached b");
	world_text_free(&t);

	t = hub_and_two_spokes(GIVES FORWARDED, GIVES, ", routeTable: {id: by-gateway}", TAKES, "");
	assert_string_equal(world_hop(&t, "a/s", "10.3.1.9"), "drop no-route hub/virtualNetworkPeerings/h-b");
	world_text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_connected_carries),
		cmocka_unit_test(access_and_forwarded_flags),
		cmocka_unit_test(rest_of_the_space),
		cmocka_unit_test(global_between_locations),
		cmocka_unit_test(remote_space_is_as_synced),
		cmocka_unit_test(peering_is_not_transitive),
		cmocka_unit_test(three_levels_of_hubs),
		cmocka_unit_test(gateway_transit),
		cmocka_unit_test(forwarded_traffic_and_the_gateway),
		cmocka_unit_test(propagation_off),
		cmocka_unit_test(spoke_to_spoke_by_the_gateway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
