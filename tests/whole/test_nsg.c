/* Network security groups on the path: both ends, both stages, and flows that outlive rules. */
#include "whole.h"

#include <rte_tcp.h>

#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

/* %s: rules of the NSG on b's subnet; %s: rules of the NSG on the NIC of b's host. */
static const char lab[] =
	"appliance:\n"
	"  name: lab\n"
	"  ports: [{name: pa, driver: ring}, {name: pb, driver: ring}]\n"
	"  attachments: [{subnet: v/a, port: pa}, {subnet: v/b, port: pb}]\n"
	"virtualNetworks:\n"
	"  - name: v\n"
	"    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
	"    subnets:\n"
	"      - {name: a, addressPrefix: 10.0.1.0/24}\n"
	"      - {name: b, addressPrefix: 10.0.2.0/24, networkSecurityGroup: {id: web}}\n"
	"networkSecurityGroups:\n"
	"  - name: web\n"
	"    securityRules: [%s]\n"
	"  - name: nic\n"
	"    securityRules: [%s]\n"
	"networkInterfaces:\n"
	"  - {name: ha, macAddress: 02-00-00-00-0a-10, ipConfigurations: [{name: c, privateIPAddress: 10.0.1.10, "
	"subnet: v/a}]}\n"
	"  - {name: hb, macAddress: 02-00-00-00-0b-10, networkSecurityGroup: {id: nic}, ipConfigurations: "
	"[{name: c, privateIPAddress: 10.0.2.10, subnet: v/b}]}\n";

#define DENY(name, port, priority)                                                                                     \
	"{name: " name ", priority: " priority                                                                         \
	", direction: Inbound, access: Deny, protocol: Tcp, sourceAddressPrefix: '*', "                                \
	"sourcePortRange: '*', destinationAddressPrefix: '*', destinationPortRange: '" port "'}"
#define DENY_OUT(name)                                                                                                 \
	"{name: " name ", priority: 200, direction: Outbound, access: Deny, protocol: '*', sourceAddressPrefix: '*', " \
	"sourcePortRange: '*', destinationAddressPrefix: '*', destinationPortRange: '*'}"

static const char *
world(const char *subnet_rules, const char *nic_rules)
{
	static char yaml[2][8192];
	static int turn;
	char *text = yaml[++turn & 1];

	snprintf(text, sizeof(yaml[0]), lab, subnet_rules, nic_rules);
	return text;
}

#define TCP_AB(s, d, f)                                                                                                \
	(struct pkt)                                                                                                   \
	{                                                                                                              \
		.port = "pa", .src = "10.0.1.10", .dst = "10.0.2.10", .protocol = IPPROTO_TCP, .sport = s, .dport = d, \
		.tcp_flags = f                                                                                         \
	}
#define TCP_BA(s, d, f)                                                                                                \
	(struct pkt)                                                                                                   \
	{                                                                                                              \
		.port = "pb", .src = "10.0.2.10", .dst = "10.0.1.10", .protocol = IPPROTO_TCP, .sport = s, .dport = d, \
		.tcp_flags = f                                                                                         \
	}
#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG

static void
a_denied_port_names_its_rule(void **state)
{
	whole_start(world(DENY("no-ssh", "22", "100"), DENY("no-smtp", "25", "100")));
	expect_forwarded(&TCP_AB(1000, 80, SYN), "pb");
	expect_drop(&TCP_AB(1000, 22, SYN), DROP_NSG_DENY, "web/securityRules/no-ssh");
	expect_drop(&TCP_AB(1000, 25, SYN), DROP_NSG_DENY, "nic/securityRules/no-smtp");
	whole_stop();
}

static void
replies_pass_whatever_the_other_direction_says(void **state)
{
	whole_start(world(DENY_OUT("nothing-out"), ""));
	expect_drop(&TCP_BA(80, 999, SYN), DROP_NSG_DENY, "web/securityRules/nothing-out");
	expect_forwarded(&TCP_AB(1000, 80, SYN), "pb");
	expect_forwarded(&TCP_BA(80, 1000, SYN | ACK), "pa");
	expect_drop(&TCP_BA(80, 1001, SYN | ACK), DROP_NSG_DENY, "web/securityRules/nothing-out");
	whole_stop();
}

static void
a_new_rule_leaves_known_flows_alone(void **state)
{
	whole_start(world("", ""));
	expect_forwarded(&TCP_AB(1000, 80, SYN), "pb");
	expect_forwarded(&TCP_BA(80, 1000, SYN | ACK), "pa");
	whole_apply(world(DENY("no-web", "80", "100"), ""));
	expect_forwarded(&TCP_AB(1000, 80, ACK), "pb");
	expect_drop(&TCP_AB(1001, 80, SYN), DROP_NSG_DENY, "web/securityRules/no-web");
	whole_apply(world("", ""));
	expect_forwarded(&TCP_AB(1001, 80, SYN), "pb");
	whole_stop();
}

/* Counters go by name: the same rule in a later configuration keeps its count. */
static void
drops_keep_their_names_over_a_reload(void **state)
{
	whole_start(world(DENY("no-ssh", "22", "100"), ""));
	expect_drop(&TCP_AB(1000, 22, SYN), DROP_NSG_DENY, "web/securityRules/no-ssh");
	whole_apply(world(DENY("other", "23", "100") ", " DENY("no-ssh", "22", "110"), ""));
	expect_drop(&TCP_AB(1000, 22, SYN), DROP_NSG_DENY, "web/securityRules/no-ssh");
	assert_int_equal(named_drops_of(DROP_NSG_DENY, "web/securityRules/no-ssh"), 2);
	whole_stop();
}

static void
the_verdict_is_the_packets_fate(void **state)
{
	struct verdict_packet p = {.protocol = IPPROTO_TCP, .source_port = 5};
	struct acl_verdict v;

	whole_start(world(DENY("no-ssh", "22", "100"), ""));
	address_parse("10.0.1.10", &p.source);
	address_parse("10.0.2.10", &p.destination);
	p.iface = world_iface_of(whole_world(), 0, &p.destination);
	for (uint16_t port = 20; port < 25; port++) {
		p.destination_port = port;
		verdict_nsg(dataplane_view(whole_dataplane()), &p, true, &v);
		if (v.allow)
			expect_forwarded(&TCP_AB(5, port, SYN), "pb");
		else
			expect_drop(&TCP_AB(5, port, SYN), DROP_NSG_DENY, whole_name(v.rule_name));
		assert_int_equal(v.allow, port != 22);
	}
	whole_stop();
}

/* Both fragments of a denied datagram are denied by the rule on ports, in whatever order they come. */
static void
fragments_share_the_verdict(void **state)
{
	struct pkt first = {.port = "pa",
		.src = "10.0.1.10",
		.dst = "10.0.2.10",
		.protocol = IPPROTO_TCP,
		.sport = 1,
		.dport = 22,
		.tcp_flags = SYN,
		.payload = 100,
		.more = true,
		.id = 7};
	struct pkt later = {.port = "pa",
		.src = "10.0.1.10",
		.dst = "10.0.2.10",
		.protocol = IPPROTO_TCP,
		.payload = 64,
		.fragment_offset = 120,
		.id = 7};

	whole_start(world(DENY("no-ssh", "22", "100"), ""));
	expect_drop(&first, DROP_NSG_DENY, "web/securityRules/no-ssh");
	expect_drop(&later, DROP_NSG_DENY, "web/securityRules/no-ssh");

	first.id = later.id = 8;
	pkt_send(&later);
	pkt_send(&first);
	assert_null(port_out("pb"));
	assert_int_equal(drops_of(DROP_NSG_DENY), 4);

	first.id = later.id = 9;
	first.dport = 80;
	pkt_send(&later);
	assert_null(port_out("pb"));
	pkt_send(&first);
	for (int i = 0; i < 2; i++) {
		struct rte_mbuf *m = port_out("pb");

		assert_non_null(m);
		rte_pktmbuf_free(m);
	}
	whole_stop();
}

/* Nobody else needs to come: a fragment whose first one stays away is dropped in time. */
static void
a_lonely_fragment_times_out_by_itself(void **state)
{
	struct pkt later = {.port = "pa",
		.src = "10.0.1.10",
		.dst = "10.0.2.10",
		.protocol = IPPROTO_UDP,
		.payload = 64,
		.fragment_offset = 120,
		.id = 7};

	whole_start(world("", ""));
	pkt_send(&later);
	assert_int_equal(drops_of(DROP_FRAGMENT_TIMEOUT), 0);
	for (int i = 0; i < 40 && drops_of(DROP_FRAGMENT_TIMEOUT) == 0; i++) {
		usleep(100000);
		whole_settle();
	}
	assert_int_equal(drops_of(DROP_FRAGMENT_TIMEOUT), 1);
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_denied_port_names_its_rule, whole_teardown),
		cmocka_unit_test_teardown(replies_pass_whatever_the_other_direction_says, whole_teardown),
		cmocka_unit_test_teardown(a_new_rule_leaves_known_flows_alone, whole_teardown),
		cmocka_unit_test_teardown(drops_keep_their_names_over_a_reload, whole_teardown),
		cmocka_unit_test_teardown(the_verdict_is_the_packets_fate, whole_teardown),
		cmocka_unit_test_teardown(fragments_share_the_verdict, whole_teardown),
		cmocka_unit_test_teardown(a_lonely_fragment_times_out_by_itself, whole_teardown),
	};

	return WHOLE_RUN("nsg", tests);
}
