/* New configurations under traffic: no packet is lost, known flows and SAs go on, old views are freed. */
#include "whole.h"

#include "dataplane/frame.h"
#include "dataplane/worker.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* %s: peerings of a and b, user routes, rules: what comes and goes. */
static const char lab[] =
	"appliance:\n"
	"  name: lab\n"
	"  ports: [{name: pa, driver: ring}, {name: pb, driver: ring}]\n"
	"  attachments: [{subnet: a/s, port: pa}, {subnet: a/t, port: pb}]\n"
	"virtualNetworks:\n"
	"  - name: a\n"
	"    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
	"    subnets:\n"
	"      - {name: s, addressPrefix: 10.0.1.0/24, networkSecurityGroup: {id: n}, routeTable: {id: r}}\n"
	"      - {name: t, addressPrefix: 10.0.2.0/24}\n"
	"    virtualNetworkPeerings: [%s]\n"
	"  - name: b\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.1.0.0/24}]\n"
	"    virtualNetworkPeerings: [%s]\n"
	"routeTables:\n"
	"  - name: r\n"
	"    routes: [%s]\n"
	"networkSecurityGroups:\n"
	"  - name: n\n"
	"    securityRules: [%s]\n"
	"networkInterfaces:\n"
	"  - {name: ht, macAddress: 02-00-00-00-0b-10, ipConfigurations: [{name: c, privateIPAddress: 10.0.2.10, "
	"subnet: a/t}]}\n";

static const struct pkt flow = {
	.port = "pa", .src = "10.0.1.10", .dst = "10.0.2.10", .protocol = IPPROTO_UDP, .sport = 5, .dport = 6};

static const char *
world(unsigned n)
{
	static char yaml[2][8192];
	static int turn;
	char *text = yaml[++turn & 1], route[128], rule[512];

	snprintf(route, sizeof(route), "{name: x%u, addressPrefix: 10.%u.0.0/16, nextHopType: None}", n, 100 + n % 100);
	snprintf(rule, sizeof(rule),
		"{name: r%u, priority: 200, direction: Outbound, access: Deny, protocol: Tcp, sourceAddressPrefix: "
		"'*', "
		"sourcePortRange: '*', destinationAddressPrefix: '*', destinationPortRange: '%u'}",
		n, n + 1);
	snprintf(text, sizeof(yaml[0]), lab, n & 1 ? "{name: b, remoteVirtualNetwork: {id: b}}" : "",
		n & 1 ? "{name: a, remoteVirtualNetwork: {id: a}}" : "", n % 3 ? route : "", n % 4 ? rule : "");
	return text;
}

static void
a_hundred_reloads_lose_no_packet(void **state)
{
	uint64_t sent = 0, came = 0;

	whole_start(world(0));
	for (unsigned n = 1; n <= 100; n++) {
		for (int i = 0; i < 20; i++) {
			pkt_inject("pa", pkt_build(&flow));
			sent++;
			if (i == 7)
				whole_apply(world(n));
			if (i % 5 == 4)
				worker_turn(whole_dataplane()->worker[0]);
		}
		whole_settle();
		for (struct rte_mbuf *m; (m = port_out("pb")) != NULL; came++)
			rte_pktmbuf_free(m);
	}
	assert_int_equal(came, sent);
	assert_int_equal(dataplane_retired(whole_dataplane()), 0);
	whole_stop();
}

static uint16_t
iface_named(const char *name)
{
	const struct view_spec *spec = &whole_world()->spec;

	for (uint16_t i = 1; i < spec->n_ifaces; i++)
		if (strcmp(whole_name(spec->iface[i].name), name) == 0)
			return i;
	fail_msg("no interface %s", name);
	return IFACE_NONE;
}

/* A packet of control's own, UDP from the gateway of a/s. */
static struct rte_mbuf *
own_packet(const char *destination)
{
	struct rte_mbuf *m = pkt_build(&(struct pkt){.port = "pa", .src = "10.0.1.1", .dst = destination});

	rte_pktmbuf_adj(m, RTE_ETHER_HDR_LEN);
	return m;
}

/* Control may free the former view as soon as the worker has said that it holds none of it: what was ordered before the
 * new one was published meets the new one all the same. */
static void
an_order_meets_the_newest_view(void **state)
{
	(void)state;
	whole_start(world(3));
	dataplane_send_packet(whole_dataplane(), iface_named("a/s"), own_packet("10.101.0.9"), 0);
	whole_apply(world(1)); /* a user route for 10.101.0.0/16: who decides tells which view it was */
	assert_int_equal(named_drops_of(DROP_ROUTE_NONE, "r/routes/x1"), 1);
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_hundred_reloads_lose_no_packet, whole_teardown),
		cmocka_unit_test_teardown(an_order_meets_the_newest_view, whole_teardown),
	};

	return WHOLE_RUN("reload", tests);
}
