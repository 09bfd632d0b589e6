/* A traced packet tells its story: every stage's verdict, and for a drop who decided. */
#include "whole.h"

#include <netinet/in.h>
#include <string.h>

static const char lab[] = "appliance:\n"
			  "  name: lab\n"
			  "  ports: [{name: pa, driver: ring}, {name: pb, driver: ring}]\n"
			  "  attachments: [{subnet: v/a, port: pa}, {subnet: v/b, port: pb}]\n"
			  "virtualNetworks:\n"
			  "  - name: v\n"
			  "    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
			  "    subnets:\n"
			  "      - {name: a, addressPrefix: 10.0.1.0/24, routeTable: {id: r}}\n"
			  "      - {name: b, addressPrefix: 10.0.2.0/24, networkSecurityGroup: {id: web}}\n"
			  "routeTables:\n"
			  "  - {name: r, routes: [{name: hole, addressPrefix: 10.7.0.0/16, nextHopType: None}]}\n"
			  "networkSecurityGroups:\n"
			  "  - name: web\n"
			  "    securityRules:\n"
			  "      - {name: no-ssh, priority: 100, direction: Inbound, access: Deny, protocol: Tcp, "
			  "sourceAddressPrefix: '*', "
			  "sourcePortRange: '*', destinationAddressPrefix: '*', destinationPortRange: '22'}\n"
			  "networkInterfaces:\n"
			  "  - {name: hb, macAddress: 02-00-00-00-0b-10, ipConfigurations: [{name: c, "
			  "privateIPAddress: 10.0.2.10, subnet: v/b}]}\n";

static struct trace_record seen[16];
static uint32_t n_seen;

static void
keep(void *context, const struct trace_record *r)
{
	if (n_seen < 16)
		seen[n_seen++] = *r;
}

static const struct trace_step *
step_of(const struct trace_record *r, enum trace_verdict v)
{
	for (uint16_t i = 0; i < r->n_steps; i++)
		if (r->step[i].verdict == v)
			return &r->step[i];
	fail_msg("no such step");
	return NULL;
}

static void
start_trace(uint32_t count)
{
	struct flow_filter f = {.protocol = IPPROTO_TCP};

	n_seen = 0;
	whole_dataplane()->events.trace = keep;
	assert_int_equal(dataplane_trace(whole_dataplane(), &f, count), 0);
}

#define TCP_TO(address, to)                                                                                            \
	(struct pkt)                                                                                                   \
	{                                                                                                              \
		.port = "pa", .src = "10.0.1.10", .dst = address, .protocol = IPPROTO_TCP, .sport = 9, .dport = to     \
	}

static void
a_forwarded_packet_tells_each_stage(void **state)
{
	whole_start(lab);
	start_trace(1);
	expect_forwarded(&TCP_TO("10.0.2.10", 80), "pb");
	expect_forwarded(&TCP_TO("10.0.2.10", 80), "pb");
	assert_int_equal(n_seen, 1);
	assert_int_equal(seen[0].step[0].verdict, TRACE_RECEIVED);
	assert_string_equal(whole_name(step_of(&seen[0], TRACE_ALLOWED_BY_RULE)->name),
		"web/defaultSecurityRules/AllowVnetInBound");
	step_of(&seen[0], TRACE_ROUTED);
	assert_string_equal(whole_name(step_of(&seen[0], TRACE_SENT)->name), "v/b");
	assert_int_equal(seen[0].destination_port, 80);
	whole_stop();
}

static void
a_packet_of_a_known_flow_tells_so(void **state)
{
	whole_start(lab);
	expect_forwarded(&TCP_TO("10.0.2.10", 80), "pb");
	start_trace(1);
	expect_forwarded(&TCP_TO("10.0.2.10", 80), "pb");
	assert_int_equal(n_seen, 1);
	assert_int_equal(step_of(&seen[0], TRACE_ALLOWED_BY_FLOW)->stage, STAGE_NSG_IN);
	whole_stop();
}

static void
a_drop_tells_who_decided(void **state)
{
	const struct trace_step *s;

	whole_start(lab);
	start_trace(2);
	expect_drop(&TCP_TO("10.0.2.10", 22), DROP_NSG_DENY, NULL);
	expect_drop(&TCP_TO("10.7.0.1", 22), DROP_ROUTE_NONE, "r/routes/hole");
	assert_int_equal(n_seen, 2);
	s = step_of(&seen[0], TRACE_DROPPED);
	assert_int_equal(s->value, DROP_NSG_DENY);
	assert_int_equal(s->stage, STAGE_NSG_IN);
	assert_string_equal(whole_name(s->name), "web/securityRules/no-ssh");
	s = step_of(&seen[1], TRACE_DROPPED);
	assert_int_equal(s->value, DROP_ROUTE_NONE);
	assert_string_equal(whole_name(s->name), "r/routes/hole");
	whole_stop();
}

/* A hundred orders one after the other never use up the slots. */
static void
tracing_goes_on_and_on(void **state)
{
	whole_start(lab);
	for (int i = 0; i < 100; i++) {
		start_trace(3);
		for (int k = 0; k < 3; k++)
			expect_forwarded(&TCP_TO("10.0.2.10", 80), "pb");
		assert_int_equal(n_seen, 3);
	}
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_forwarded_packet_tells_each_stage, whole_teardown),
		cmocka_unit_test_teardown(a_packet_of_a_known_flow_tells_so, whole_teardown),
		cmocka_unit_test_teardown(a_drop_tells_who_decided, whole_teardown),
		cmocka_unit_test_teardown(tracing_goes_on_and_on, whole_teardown),
	};

	return WHOLE_RUN("trace", tests);
}
