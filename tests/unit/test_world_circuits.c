/* What ExpressRoute gateways have learned: who uses it, by which links, beside a VPN gateway and without one. */
#include "tests/unit/world_spokes.h"
#include "tests/unit/world_told.h"

/* Two circuits, the first of two links, beside a VPN gateway with a site, static prefixes and clients. */
static const char hub[] =
	"virtualNetworks:\n"
	"  - name: hub\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
	"    subnets:\n"
	"      - {name: s, addressPrefix: 10.1.1.0/24}\n"
	"      - {name: quiet, addressPrefix: 10.1.2.0/24, routeTable: {id: quiet}}\n"
	"      - {name: user, addressPrefix: 10.1.3.0/24, routeTable: {id: user}}\n"
	"      - {name: GatewaySubnet, addressPrefix: 10.1.255.0/27}\n"
	"    virtualNetworkPeerings:\n"
	"      - {name: to-near, remoteVirtualNetwork: {id: near}, allowGatewayTransit: true, "
	"allowForwardedTraffic: true}\n"
	"      - {name: to-far, remoteVirtualNetwork: {id: far}, allowGatewayTransit: true}\n" WORLD_SPOKES
	"routeTables:\n"
	"  - {name: quiet, disableBgpRoutePropagation: true}\n"
	"  - {name: user, routes: [{name: r, addressPrefix: 192.168.0.0/16, nextHopType: VirtualNetworkGateway}]}\n"
	"publicIPAddresses: [{name: ip, ipAddress: 203.0.113.1}]\n"
	"virtualNetworkGateways:\n"
	"  - name: er\n"
	"    gatewayType: ExpressRoute\n"
	"    ipConfigurations: [{subnet: {id: hub/GatewaySubnet}}]\n"
	"  - name: vpn\n"
	"    sku: {name: VpnGw1}\n"
	"    ipConfigurations: [{subnet: {id: hub/GatewaySubnet}, publicIPAddress: {id: ip}}]\n"
	"localNetworkGateways:\n"
	"  - {name: site, gatewayIpAddress: 198.51.100.1, localNetworkAddressSpace: {addressPrefixes: "
	"[172.20.0.0/16, 192.168.30.0/24]}}\n"
	"expressRouteCircuits:\n"
	"  - name: one\n"
	"    peerings: [{name: AzurePrivatePeering, peerASN: 65001, vlanId: 30, primaryPeerAddressPrefix: "
	"172.16.0.0/30, "
	"secondaryPeerAddressPrefix: 172.16.0.4/30}]\n"
	"    appliance: {primaryPort: p, secondaryPort: q}\n"
	"  - name: two\n"
	"    peerings: [{name: AzurePrivatePeering, peerASN: 65002, vlanId: 31, primaryPeerAddressPrefix: "
	"172.16.0.8/30}]\n"
	"    appliance: {primaryPort: p}\n"
	"connections:\n"
	"  - {name: one, connectionType: ExpressRoute, virtualNetworkGateway1: er, peer: one}\n"
	"  - {name: two, connectionType: ExpressRoute, virtualNetworkGateway1: er, peer: two}\n"
	"  - {name: site, connectionType: IPsec, virtualNetworkGateway1: vpn, localNetworkGateway2: site}\n"
	"appliance:\n"
	"  name: test\n"
	"  ports: [{name: p, driver: null}, {name: q, driver: null}]\n"
	"  attachments:\n"
	"    - {subnet: hub/s, port: p, vlan: 1}\n"
	"    - {subnet: hub/quiet, port: p, vlan: 2}\n"
	"    - {subnet: hub/user, port: p, vlan: 3}\n"
	"    - {subnet: near/s, port: p, vlan: 4}\n"
	"    - {subnet: far/s, port: p, vlan: 5}\n"
	"  uplinks: [{name: wan, port: p, addresses: [203.0.113.1/24], internet: true, gateway: 203.0.113.254}]\n";

static const char *const told[] = {
	"192.168.10.0/24 172.16.0.5 172.16.0.1", /* by both links */
	"192.168.11.0/24 172.16.0.5",            /* by the secondary */
	"192.168.12.0/24 172.16.0.9",            /* by the other circuit */
	"192.168.30.0/24 172.16.0.1",            /* as a site of the VPN gateway */
	"192.168.40.0/24 172.16.0.2",            /* to ourselves */
	"172.20.0.0/16 10.1.255.30",             /* by the VPN gateway */
	"172.21.0.0/16 10.1.255.30",             /* which knows nothing of it any more */
	"10.1.1.128/25 172.16.0.1",              /* inside the VNet */
};

static struct world_text
build(void)
{
	struct learned_all *all = calloc(1, sizeof(*all));
	struct world_text t;

	assert_non_null(all);
	told_add(all, "er", told, sizeof(told) / sizeof(told[0]));
	t = world_learned(config_from(hub), all);
	learned_all_free(all);
	return t;
}

static void
subnets_use_both_gateways(void **state)
{
	static const char *const from[] = {"hub/s", "near/s"};
	struct world_text t = build();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(
			world_hop(&t, from[i], "192.168.10.9"), "circuit circuit one primary, circuit one secondary");
		assert_string_equal(world_hop(&t, from[i], "192.168.11.9"), "circuit circuit one secondary");
		assert_string_equal(world_hop(&t, from[i], "192.168.12.9"), "circuit circuit two primary");
		assert_string_equal(world_hop(&t, from[i], "192.168.30.9"), "circuit circuit one primary");
		assert_string_equal(world_hop(&t, from[i], "172.20.9.9"), "tunnel connection site");
		assert_string_equal(world_hop(&t, from[i], "172.21.9.9"), "drop route-none system route 172.16.0.0/12");
		assert_string_equal(
			world_hop(&t, from[i], "192.168.40.9"), "drop route-none system route 192.168.0.0/16");
		assert_string_equal(world_hop(&t, from[i], "10.1.1.130"), "subnet hub/s");
	}
	assert_string_equal(world_hop(&t, "far/s", "192.168.10.9"), "drop route-none system route 192.168.0.0/16");
	assert_string_equal(world_hop(&t, "hub/quiet", "192.168.10.9"), "drop route-none system route 192.168.0.0/16");
	/* user routes lead to VPN gateways alone */
	assert_string_equal(world_hop(&t, "hub/user", "192.168.77.9"), "drop no-gateway user/routes/r");
	assert_string_equal(world_hop(&t, "hub/user", "192.168.11.9"), "circuit circuit one secondary");
	assert_int_equal(t.world->circuit_routes[0], 4);
	assert_int_equal(t.world->circuit_routes[1], 1);
	world_text_free(&t);
}

/* Nothing is told, the session between the gateways included: tunnels are up, and nobody uses them. */
static void
what_is_not_told_is_not_there(void **state)
{
	struct world_text t = world_from(hub);

	(void)state;
	assert_string_equal(world_hop(&t, "hub/s", "172.20.9.9"), "drop route-none system route 172.16.0.0/12");
	assert_string_equal(world_hop(&t, "hub/s", "192.168.10.9"), "drop route-none system route 192.168.0.0/16");
	world_text_free(&t);
}

/* From a circuit only networks are reached; from a tunnel, no circuit. */
static void
no_transit(void **state)
{
	static const char *const from[] = {"circuit one primary", "circuit one secondary", "circuit two primary"};
	struct world_text t = build();

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(world_hop(&t, from[i], "10.1.1.9"), "subnet hub/s");
		assert_string_equal(world_hop(&t, from[i], "10.2.1.9"), "subnet near/s");
		assert_string_equal(
			world_hop(&t, from[i], "10.3.1.9"), "drop no-route hub/virtualNetworkPeerings/to-far");
		assert_string_equal(
			world_hop(&t, from[i], "192.168.12.9"), "drop route-none system route 192.168.0.0/16");
		assert_string_equal(world_hop(&t, from[i], "172.20.9.9"), "drop route-none system route 172.16.0.0/12");
		assert_string_equal(world_hop(&t, from[i], "8.8.8.8"), "drop no-internet ");
	}
	assert_string_equal(world_hop(&t, "circuit one primary", "172.16.0.2"), "local");
	assert_string_equal(
		world_hop(&t, "circuit one primary", "172.16.0.6"), "drop route-none system route 172.16.0.0/12");
	assert_string_equal(world_hop(&t, "gateway vpn", "10.1.1.9"), "subnet hub/s");
	assert_string_equal(
		world_hop(&t, "gateway vpn", "192.168.10.9"), "drop route-none system route 192.168.0.0/16");
	world_text_free(&t);
}

static void
as_tools_show_them(void **state)
{
	struct world_text t = build();
	const char *text = world_print(&t, "hub", "s");

	(void)state;
	assert_non_null(
		strstr(text, "Active VirtualNetworkGateway 192.168.10.0/24 VirtualNetworkGateway 10.1.255.29 one\n"));
	assert_non_null(
		strstr(text, "Active VirtualNetworkGateway 172.20.0.0/16 VirtualNetworkGateway 10.1.255.29 site\n"));
	assert_non_null(
		strstr(text, "Invalid VirtualNetworkGateway 10.1.1.128/25 VirtualNetworkGateway 10.1.255.29 one\n"));
	world_text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subnets_use_both_gateways),
		cmocka_unit_test(what_is_not_told_is_not_there),
		cmocka_unit_test(no_transit),
		cmocka_unit_test(as_tools_show_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
