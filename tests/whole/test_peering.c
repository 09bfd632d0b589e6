/* Peerings: two objects, their states and flags, and that they do not chain. */
#include "whole.h"

#include <stdio.h>
#include <string.h>

/* Three VNets in a row, one host each; NVA n (10.1.0.9, forwarding) beside b's host. %s: peerings of a, b, c. */
static const char row[] = "appliance:\n"
			  "  name: row\n"
			  "  ports: [{name: pa, driver: ring}, {name: pb, driver: ring}, {name: pc, driver: ring}]\n"
			  "  attachments: [{subnet: a/s, port: pa}, {subnet: b/s, port: pb}, {subnet: c/s, port: pc}]\n"
			  "virtualNetworks:\n"
			  "  - name: a\n"
			  "    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
			  "    subnets: [{name: s, addressPrefix: 10.0.0.0/24}]\n"
			  "    virtualNetworkPeerings: [%s]\n"
			  "  - name: b\n"
			  "    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
			  "    subnets: [{name: s, addressPrefix: 10.1.0.0/24}]\n"
			  "    virtualNetworkPeerings: [%s]\n"
			  "  - name: c\n"
			  "    addressSpace: {addressPrefixes: [10.2.0.0/16]}\n"
			  "    subnets: [{name: s, addressPrefix: 10.2.0.0/24}]\n"
			  "    virtualNetworkPeerings: [%s]\n"
			  "networkInterfaces:\n"
			  "  - {name: ha, macAddress: 02-00-00-00-0a-10, ipConfigurations: [{name: c, "
			  "privateIPAddress: 10.0.0.10, subnet: a/s}]}\n"
			  "  - {name: hb, macAddress: 02-00-00-00-0b-10, ipConfigurations: [{name: c, "
			  "privateIPAddress: 10.1.0.10, subnet: b/s}]}\n"
			  "  - {name: hc, macAddress: 02-00-00-00-0c-10, ipConfigurations: [{name: c, "
			  "privateIPAddress: 10.2.0.10, subnet: c/s}]}\n"
			  "  - {name: nva, macAddress: 02-00-00-00-0b-09, enableIPForwarding: true, "
			  "ipConfigurations: [{name: c, privateIPAddress: 10.1.0.9, subnet: b/s}]}\n";

#define TO(v) "{name: to-" v ", remoteVirtualNetwork: {id: " v "}}"
#define TO_FORWARDED(v) "{name: to-" v ", remoteVirtualNetwork: {id: " v "}, allowForwardedTraffic: true}"
#define TO_STRICT(v)                                                                                                   \
	"{name: to-" v ", remoteVirtualNetwork: {id: " v                                                               \
	"}, allowVirtualNetworkAccess: false, appliance: {strictAccess: true}}"

static const struct pkt a_to_b = {.port = "pa", .src = "10.0.0.10", .dst = "10.1.0.10"};
static const struct pkt a_to_c = {.port = "pa", .src = "10.0.0.10", .dst = "10.2.0.10"};
static const struct pkt b_to_a = {.port = "pb", .src = "10.1.0.10", .dst = "10.0.0.10"};
/* the NVA in b passes on what a host of a sent to c */
static const struct pkt forwarded = {.port = "pb", .smac = "02:00:00:00:0b:09", .src = "10.0.0.10", .dst = "10.2.0.10"};

static const char *
world(const char *a, const char *b, const char *c)
{
	static char yaml[2][8192];
	static int turn;
	char *text = yaml[++turn & 1];

	snprintf(text, sizeof(yaml[0]), row, a, b, c);
	return text;
}

static void
connected_forwards_both_ways(void **state)
{
	whole_start(world(TO("b"), TO("a"), ""));
	expect_forwarded(&a_to_b, "pb");
	expect_forwarded(&b_to_a, "pa");
	whole_stop();
}

static void
one_side_alone_is_initiated_and_carries_nothing(void **state)
{
	whole_start(world(TO("b"), "", ""));
	expect_drop(&a_to_b, DROP_ROUTE_NONE, NULL);
	expect_drop(&b_to_a, DROP_ROUTE_NONE, NULL);
	whole_apply(world(TO("b"), TO("a"), ""));
	expect_forwarded(&a_to_b, "pb");
	whole_apply(world("", TO("a"), ""));
	expect_drop(&a_to_b, DROP_ROUTE_NONE, NULL);
	whole_stop();
}

static void
peering_is_not_transitive(void **state)
{
	whole_start(world(TO("b"), TO("a") ", " TO("c"), TO("b")));
	expect_forwarded(&a_to_b, "pb");
	expect_drop(&a_to_c, DROP_ROUTE_NONE, NULL);
	whole_stop();
}

static void
forwarded_traffic_needs_the_receiving_sides_flag(void **state)
{
	whole_start(world(TO("b"), TO("a") ", " TO_FORWARDED("c"), TO("b")));
	expect_drop(&forwarded, DROP_PEER_FWD_DENIED, "c/virtualNetworkPeerings/to-b");
	whole_apply(world(TO("b"), TO("a") ", " TO("c"), TO_FORWARDED("b")));
	expect_forwarded(&forwarded, "pc");
	/* and only the NVA's frames may carry foreign sources at all */
	expect_drop(&(struct pkt){.port = "pb", .smac = "02:00:00:00:0b:10", .src = "10.0.0.10", .dst = "10.2.0.10"},
		DROP_SOURCE_CHECK, "b/s");
	whole_stop();
}

static void
strict_access_drops_and_names_the_peering(void **state)
{
	whole_start(world(TO_STRICT("b"), TO("a"), ""));
	expect_drop(&a_to_b, DROP_PEER_ACCESS_DENIED, "a/virtualNetworkPeerings/to-b");
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(connected_forwards_both_ways, whole_teardown),
		cmocka_unit_test_teardown(one_side_alone_is_initiated_and_carries_nothing, whole_teardown),
		cmocka_unit_test_teardown(peering_is_not_transitive, whole_teardown),
		cmocka_unit_test_teardown(forwarded_traffic_needs_the_receiving_sides_flag, whole_teardown),
		cmocka_unit_test_teardown(strict_access_drops_and_names_the_peering, whole_teardown),
	};

	return WHOLE_RUN("peering", tests);
}
