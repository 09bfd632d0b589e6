/* A gateway's address pool of clients among the routes: who reaches it, who does not, and what counts as
 * VirtualNetwork. */
#include "tests/unit/world_spokes.h"
#include "tests/unit/world_text.h"

static const char hub[] =
	"virtualNetworks:\n"
	"  - name: hub\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
	"    subnets:\n"
	"      - {name: s, addressPrefix: 10.1.1.0/24}\n"
	"      - {name: GatewaySubnet, addressPrefix: 10.1.255.0/27}\n"
	"    virtualNetworkPeerings:\n"
	"      - {name: to-near, remoteVirtualNetwork: {id: near}, allowGatewayTransit: true, "
	"allowForwardedTraffic: true}\n"
	"      - {name: to-far, remoteVirtualNetwork: {id: far}, allowGatewayTransit: true}\n" WORLD_SPOKES
	"publicIPAddresses: [{name: ip, ipAddress: 203.0.113.1}]\n"
	"virtualNetworkGateways:\n"
	"  - name: gw\n"
	"    ipConfigurations: [{subnet: {id: hub/GatewaySubnet}, publicIPAddress: {id: ip}}]\n"
	"localNetworkGateways:\n"
	"  - {name: site, gatewayIpAddress: 198.51.100.1, "
	"localNetworkAddressSpace: {addressPrefixes: [172.16.0.0/12, 172.16.5.0/24]}}\n"
	"connections:\n"
	"  - {name: c, connectionType: IPsec, virtualNetworkGateway1: {id: gw}, localNetworkGateway2: {id: site}, "
	"routingWeight: 100}\n"
	"appliance:\n"
	"  name: test\n"
	"  ports: [{name: p, driver: null}]\n"
	"  attachments:\n"
	"    - {subnet: hub/s, port: p, vlan: 1}\n"
	"    - {subnet: near/s, port: p, vlan: 2}\n"
	"    - {subnet: far/s, port: p, vlan: 3}\n"
	"  uplinks: [{name: wan, port: p, addresses: [203.0.113.1/24], internet: true, gateway: 203.0.113.254}]\n";

/* The pool: one prefix that the site has as well, one inside what it has, one of IPv6. */
static struct ip_prefix pool[3];

static struct world_text
build(void)
{
	struct config *c = config_from(hub);

	assert_int_equal(prefix_parse("172.16.5.0/24", &pool[0]), 0);
	assert_int_equal(prefix_parse("172.16.6.0/24", &pool[1]), 0);
	assert_int_equal(prefix_parse("fd00:c::/64", &pool[2]), 0);
	c->gateways[0].p2s.pool = (struct cfg_prefixes){pool, 3};
	return world_from_config(c);
}

static void
hub_and_who_uses_its_gateway_reach_clients(void **state)
{
	static const char *const from[] = {"hub/s", "near/s"};
	struct world_text t = build();

	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(world_hop(&t, from[i], "172.16.5.9"), "client of gateway gw");
		assert_string_equal(world_hop(&t, from[i], "172.16.6.9"), "client of gateway gw");
		assert_string_equal(world_hop(&t, from[i], "fd00:c::9"), "client of gateway gw");
		assert_string_equal(world_hop(&t, from[i], "172.16.7.9"), "tunnel connection c");
	}
	assert_string_equal(world_hop(&t, "far/s", "172.16.5.9"), "drop route-none system route 172.16.0.0/12");
	/* out of a tunnel into another: not without BGP */
	assert_string_equal(world_hop(&t, "gateway gw", "172.16.6.9"), "drop no-gateway gateway gw");
	assert_string_equal(world_hop(&t, "gateway gw", "10.2.1.4"), "subnet near/s");
	assert_string_equal(world_hop(&t, "gateway gw", "10.3.1.4"), "drop no-route hub/virtualNetworkPeerings/to-far");
	world_text_free(&t);
}

struct look {
	const char *why;
	uint32_t pools;
};

static void
look(void *context, const struct effective_route *r)
{
	struct look *l = context;

	if (prefix_equal(&r->prefix, &pool[0]) && !r->active)
		l->why = r->why;
	l->pools += r->active && strcmp(r->name ? r->name : "", "gw") == 0;
}

static void
effective_routes_name_the_gateway(void **state)
{
	struct world_text t = build();
	struct look l = {0};

	assert_non_null(strstr(world_print(&t, "near", "s"),
		"Active VirtualNetworkGateway 172.16.5.0/24 VirtualNetworkGateway 203.0.113.1 gw\n"
		"Invalid VirtualNetworkGateway 172.16.5.0/24 VirtualNetworkGateway 203.0.113.1 c\n"));
	assert_null(strstr(world_print(&t, "far", "s"), "gw"));
	effective_each(world_table(t.world, "hub", "s"), look, &l);
	assert_int_equal(l.pools, 3);
	assert_string_equal(l.why, WHY_CLIENTS);
	world_text_free(&t);
}

static uint8_t
tag_of(const struct world_text *t, const char *iface, const char *address)
{
	struct tags *tags = world_tags(t->world, t->world->spec.iface[world_iface(t, iface)].tags);
	struct ip_addr a;
	uint8_t bits;

	assert_int_equal(address_parse(address, &a), 0);
	bits = tags_lookup(tags, a.family, a.b);
	tags_free(tags);
	return bits;
}

static void
clients_are_virtual_network(void **state)
{
	struct world_text t = build();

	assert_int_equal(tag_of(&t, "hub/s", "172.16.6.9"), TAG_BIT_VNET);
	assert_int_equal(tag_of(&t, "near/s", "172.16.6.9"), TAG_BIT_VNET);
	assert_int_equal(tag_of(&t, "gateway gw", "fd00:c::9"), TAG_BIT_VNET);
	assert_int_equal(tag_of(&t, "far/s", "172.16.6.9"), TAG_BIT_INTERNET);
	world_text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hub_and_who_uses_its_gateway_reach_clients),
		cmocka_unit_test(effective_routes_name_the_gateway),
		cmocka_unit_test(clients_are_virtual_network),
	};

	return cmocka_run_group_tests_name("world_clients", tests, NULL, NULL);
}
