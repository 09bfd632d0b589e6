/* Routes that a gateway's peers have told it, among all others: who uses them, by which connections, and who does not.
 */
#include "tests/unit/world_spokes.h"
#include "tests/unit/world_told.h"

#define CONNECTION(name, more)                                                                                         \
	"  - {name: " name                                                                                             \
	", connectionType: IPsec, virtualNetworkGateway1: {id: gw}, localNetworkGateway2: {id: " name "}" more "}\n"
#define SITE(name, last, prefixes, asn, peer)                                                                          \
	"  - {name: " name ", gatewayIpAddress: 198.51.100." last                                                      \
	", localNetworkAddressSpace: {addressPrefixes: [" prefixes "]}, bgpSettings: {asn: " asn                       \
	", bgpPeeringAddress: " peer "}}\n"

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
	"  - {name: user, routes: [{name: r, addressPrefix: 192.168.10.0/24, nextHopType: None}]}\n"
	"publicIPAddresses: [{name: ip, ipAddress: 203.0.113.1}]\n"
	"virtualNetworkGateways:\n"
	"  - name: gw\n"
	"    sku: {name: VpnGw1}\n"
	"    enableBgp: true\n"
	"    bgpSettings: {asn: 65010, bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.21.1]}]}\n"
	"    ipConfigurations: [{subnet: {id: hub/GatewaySubnet}, publicIPAddress: {id: ip}}]\n"
	"localNetworkGateways:\n" SITE("a", "1", "172.16.1.0/24", "65021", "172.16.9.1") SITE(
		"b", "2", "172.16.2.0/24", "65022", "169.254.21.2") SITE("c", "3", "172.16.3.0/24", "65023",
		"172.16.3.1") "connections:\n" CONNECTION("a", ", enableBgp: true") CONNECTION("b",
		", enableBgp: true, gatewayCustomBgpIpAddresses: [{customBgpIpAddress: 169.254.21.1}]")
		CONNECTION("c", "") "appliance:\n"
				    "  name: test\n"
				    "  ports: [{name: p, driver: null}]\n"
				    "  attachments:\n"
				    "    - {subnet: hub/s, port: p, vlan: 1}\n"
				    "    - {subnet: hub/quiet, port: p, vlan: 2}\n"
				    "    - {subnet: hub/user, port: p, vlan: 3}\n"
				    "    - {subnet: near/s, port: p, vlan: 4}\n"
				    "    - {subnet: far/s, port: p, vlan: 5}\n"
				    "  uplinks: [{name: wan, port: p, addresses: [203.0.113.1/24], internet: true, "
				    "gateway: 203.0.113.254}]\n";

/* "PREFIX VIA ...", as a routing daemon's kernel has them. */
static const char *const told[] = {
	"192.168.10.0/24 172.16.9.1",
	"192.168.20.0/24 172.16.9.1 169.254.21.2", /* both */
	"192.168.30.0/24 172.16.1.77",             /* which a static route leads to */
	"192.168.40.0/24 192.0.2.77",              /* nobody's */
	"192.168.50.0/24 172.16.3.77",             /* by a connection without BGP */
	"10.1.1.128/25 172.16.9.1",                /* inside the VNet */
	"10.3.0.0/16 172.16.9.1",                  /* a peered one's */
	"172.16.3.0/24 172.16.9.1",                /* as a static route of another */
	"172.16.2.128/25 172.16.9.1",
	"0.0.0.0/0 172.16.9.1",
};

static struct world_text
build(void)
{
	struct learned_all *all = calloc(1, sizeof(*all));
	struct world_text t;

	assert_non_null(all);
	told_add(all, "gw", told, sizeof(told) / sizeof(told[0]));
	t = world_learned(config_from(hub), all);

	learned_all_free(all); /* the world does not need it any more */
	return t;
}

static void
hub_and_who_uses_its_gateway_use_them(void **state)
{
	static const char *const from[] = {"hub/s", "near/s"};
	struct world_text t = build();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(world_hop(&t, from[i], "192.168.10.9"), "tunnel connection a");
		assert_string_equal(world_hop(&t, from[i], "192.168.20.9"), "tunnel connection a with connection b");
		assert_string_equal(world_hop(&t, from[i], "192.168.30.9"), "tunnel connection a");
		assert_string_equal(world_hop(&t, from[i], "192.168.50.9"), "tunnel connection c");
		assert_string_equal(world_hop(&t, from[i], "172.16.9.1"), "tunnel connection a"); /* the peers */
		assert_string_equal(world_hop(&t, from[i], "169.254.21.2"), "tunnel connection b");
		assert_string_equal(world_hop(&t, from[i], "172.16.3.9"), "tunnel connection c");
		assert_string_equal(world_hop(&t, from[i], "172.16.2.9"), "tunnel connection b");
		assert_string_equal(world_hop(&t, from[i], "172.16.2.129"), "tunnel connection a");
		assert_string_equal(world_hop(&t, from[i], "8.8.8.8"), "tunnel connection a"); /* forced tunnelling */
		assert_string_equal(world_hop(&t, from[i], "10.1.1.130"), "subnet hub/s");
	}
	/* of nobody's next hop: what is around it */
	assert_string_equal(world_hop(&t, "hub/s", "192.168.40.9"), "drop route-none system route 192.168.0.0/16");
	assert_string_equal(
		world_hop(&t, "hub/s", "10.3.1.9"), "subnet far/s unless forwarded far/virtualNetworkPeerings/to-hub");
	world_text_free(&t);
}

static void
others_do_not(void **state)
{
	struct world_text t = build();

	(void)state;
	assert_string_equal(world_hop(&t, "hub/quiet", "192.168.10.9"), "drop route-none system route 192.168.0.0/16");
	assert_string_equal(world_hop(&t, "hub/quiet", "172.16.9.1"), "drop route-none system route 172.16.0.0/12");
	assert_string_equal(world_hop(&t, "hub/quiet", "8.8.8.8"), "uplink uplink wan");
	assert_string_equal(world_hop(&t, "far/s", "192.168.10.9"), "drop route-none system route 192.168.0.0/16");
	assert_string_equal(world_hop(&t, "hub/user", "192.168.10.9"), "drop route-none user/routes/r");
	assert_string_equal(world_hop(&t, "hub/user", "192.168.20.9"), "tunnel connection a with connection b");
	world_text_free(&t);
}

/* From tunnel to tunnel BGP leads, and nothing else. */
static void
transit_is_by_bgp(void **state)
{
	struct world_text t = build();

	(void)state;
	assert_string_equal(world_hop(&t, "gateway gw", "192.168.20.9"), "tunnel connection a with connection b");
	assert_string_equal(world_hop(&t, "gateway gw", "172.16.1.9"), "tunnel connection a");
	assert_string_equal(world_hop(&t, "gateway gw", "172.16.3.9"), "drop no-gateway connection c");
	assert_string_equal(world_hop(&t, "gateway gw", "192.168.50.9"), "drop no-gateway connection c");
	assert_string_equal(world_hop(&t, "gateway gw", "10.2.1.4"), "subnet near/s");
	assert_string_equal(world_hop(&t, "gateway gw", "10.255.0.1"), "drop route-none system route 10.0.0.0/8");
	assert_string_equal(world_hop(&t, "gateway gw", "10.1.255.30"), "local"); /* its own addresses */
	assert_string_equal(world_hop(&t, "gateway gw", "169.254.21.1"), "local");
	world_text_free(&t);
}

static void
the_gateway_has_addresses(void **state)
{
	struct world_text t = build();
	const struct iface_spec *i = &t.world->spec.iface[world_iface(&t, "gateway gw")];

	(void)state;
	assert_int_equal(i->n_prefixes, 2);
	assert_int_equal(i->mtu, 1400);
	assert_int_equal(i->prefix[0].len, 32);
	assert_int_equal(i->address[1].b[0], 169);
	world_text_free(&t);
}

struct look {
	const char *strong, *by_static;
};

static void
look(void *context, const struct effective_route *r)
{
	struct look *l = context;
	char text[ADDRESS_TEXT_MAX];

	prefix_text(&r->prefix, text, sizeof(text));
	if (strcmp(text, "10.1.1.128/25") == 0)
		l->strong = r->why;
	if (strcmp(text, "172.16.3.0/24") == 0 && !r->active)
		l->by_static = r->why;
}

static void
effective_routes_tell_why(void **state)
{
	struct world_text t = build();
	struct look l = {0};
	const char *text = world_print(&t, "near", "s");

	(void)state;
	assert_non_null(
		strstr(text, "Active VirtualNetworkGateway 192.168.20.0/24 VirtualNetworkGateway 203.0.113.1 a\n"));
	assert_non_null(
		strstr(text, "Active VirtualNetworkGateway 172.16.3.0/24 VirtualNetworkGateway 203.0.113.1 c\n"
			     "Invalid VirtualNetworkGateway 172.16.3.0/24 VirtualNetworkGateway 203.0.113.1 a\n"));
	assert_non_null(strstr(text, "Active VirtualNetworkGateway 0.0.0.0/0 VirtualNetworkGateway 203.0.113.1 a\n"
				     "Invalid Default 0.0.0.0/0 Internet"));
	assert_null(strstr(world_print(&t, "far", "s"), "192.168.20.0"));
	effective_each(world_table(t.world, "hub", "s"), look, &l);
	assert_string_equal(l.strong, WHY_STRONG);
	assert_string_equal(l.by_static, WHY_STATIC);
	world_text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hub_and_who_uses_its_gateway_use_them),
		cmocka_unit_test(others_do_not),
		cmocka_unit_test(transit_is_by_bgp),
		cmocka_unit_test(the_gateway_has_addresses),
		cmocka_unit_test(effective_routes_tell_why),
	};

	return cmocka_run_group_tests_name("world_bgp", tests, NULL, NULL);
}
