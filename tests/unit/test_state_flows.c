/* Flows as frames between two nodes whose ids differ, and what becomes of frames that are none. */
#include "control/state_flows.h"
#include "dataplane/flow.h"
#include "dataplane/state.h"
#include "drivers/clock.h"
#include "tests/unit/eal.h"
#include "tests/unit/flow_packet.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HZ (1ull << 40)

struct node {
	struct dataplane *dp;
	struct worker *w;
	struct names *names;
	struct state_flows *flows;
};

static struct node a, b;
static uint8_t buffer[STATE_FILL_ROOM];

static struct state_neighbour heard;
static uint32_t times_heard;

static void
hear(void *context, const struct state_neighbour *n)
{
	*(struct state_neighbour *)context = *n;
	times_heard++;
}

/* Its subnets "net/x" for each letter, from the interface id 1 on. */
static void
subnets(struct node *n, const char *letters)
{
	struct iface_spec iface[8] = {0};
	struct world w = {.spec = {.iface = iface, .n_ifaces = (uint32_t)strlen(letters) + 1}};
	char name[] = "net/?";

	for (uint32_t i = 0; letters[i]; i++) {
		name[4] = letters[i];
		iface[i + 1].name = names_id(n->names, name);
	}
	state_flows_interfaces(n->flows, interface_names_of(&w, n->names));
}

static struct node
node_make(const char *letters)
{
	struct node n = {.dp = calloc(1, sizeof(*n.dp)), .w = aligned_alloc(64, sizeof(*n.w))};

	memset(n.w, 0, sizeof(*n.w));
	n.dp->flows = n.w->flows = flow_table_create(4096);
	n.dp->tsc_hz = HZ;
	n.dp->start_tsc = clock_tsc() - 1000 * HZ;
	n.w->now_s = 1000;
	n.names = names_create();
	n.flows = state_flows_create(n.dp, n.names, hear, &heard);
	assert_non_null(n.flows);
	state_flows_restart(n.flows);
	subnets(&n, letters);
	return n;
}

static void
node_free(struct node *n)
{
	state_flows_free(n->flows);
	names_free(n->names);
	flow_table_free(n->dp->flows);
	free(n->dp);
	free(n->w);
}

static int
begin(void **state)
{
	a = node_make("xyz");
	b = node_make("zx");
	return 0;
}

static int
end(void **state)
{
	node_free(&a);
	node_free(&b);
	return 0;
}

/* 0, or what the first frame that was refused got. */
static int
deliver(struct node *to, const uint8_t *frames, size_t n)
{
	int r = 0;

	while (r == 0 && n >= STATE_HEADER) {
		size_t body = (size_t)(frames[0] << 8 | frames[1]);

		if (STATE_HEADER + body > n)
			return -EMSGSIZE;
		r = state_flows_take(to->flows, (enum state_frame)frames[2], frames + STATE_HEADER, body);
		frames += STATE_HEADER + body;
		n -= STATE_HEADER + body;
	}
	return r;
}

static void
tell(struct node *from, struct node *to)
{
	bool round = false;

	while (!round)
		assert_int_equal(deliver(to, buffer, state_flows_fill(from->flows, buffer, &round)), 0);
}

static struct flow_info found[8];
static uint32_t listed;

static void
keep(void *context, const struct flow_info *i)
{
	(void)context;
	if (listed < 8)
		found[listed++] = *i;
}

static uint32_t
flows(struct node *n)
{
	listed = 0;
	return flow_table_walk(n->dp->flows, 1000, 8, keep, NULL);
}

static void
names_are_what_counts(void **state)
{
	struct packet p = udp(false, 1, 2, 4000, 53), q = udp(true, 1, 2, 4001, 53), r = udp(false, 1, 2, 4002, 53);

	assert_true(add_flow(a.w, &p, 1, false, 100, names_id(a.names, "nsg/first")));
	assert_true(add_flow(a.w, &q, 3, false, 100, names_id(a.names, "nsg/second")));
	assert_true(add_flow(a.w, &r, 2, false, 100, NAME_NONE)); /* net/y is not there */
	tell(&a, &b);
	assert_int_equal(flows(&b), 2);
	for (uint32_t i = 0; i < 2; i++) {
		bool x = found[i].source_port == 4000 || found[i].destination_port == 4000;

		assert_int_equal(found[i].iface, x ? 2 : 1);
		assert_string_equal(names_text(b.names, found[i].rule_name), x ? "nsg/first" : "nsg/second");
	}
}

static void
counted(void **state)
{
	struct packet p = udp(false, 1, 2, 4000, 53), r = udp(false, 1, 2, 4002, 53);
	struct state_flows_count count;

	assert_true(add_flow(a.w, &p, 1, false, 100, NAME_NONE));
	assert_true(add_flow(a.w, &r, 2, false, 100, NAME_NONE));
	tell(&a, &b);
	state_flows_count(a.flows, &count);
	assert_int_equal(count.told, 2);
	state_flows_count(b.flows, &count);
	assert_int_equal(count.taken, 1);
	assert_int_equal(count.refused, 1);
}

static void
a_subnet_that_moves_is_found(void **state)
{
	struct packet p = udp(false, 1, 2, 4000, 53), q = udp(false, 1, 2, 4001, 53);

	assert_true(add_flow(a.w, &p, 1, false, 100, NAME_NONE));
	tell(&a, &b);
	subnets(&b, "wvx");
	subnets(&a, "xz");
	assert_true(add_flow(a.w, &q, 1, false, 100, NAME_NONE));
	tell(&a, &b);
	assert_int_equal(flows(&b), 2);
	assert_int_equal(found[0].iface + found[1].iface, 2 + 3); /* the first one stays where it was */
}

static void
neighbours_go_along(void **state)
{
	const struct state_neighbour told[] = {
		{1, host(false, 7), {{2, 0, 0, 0, 0, 7}}},
		{2, host(false, 8), {{2, 0, 0, 0, 0, 8}}}, /* net/y is not there */
		{3, host(true, 9), {{2, 0, 0, 0, 0, 9}}},
	};

	times_heard = 0;
	assert_int_equal(deliver(&b, buffer, state_neighbours_fill(a.flows, told, 3, buffer)), 0);
	assert_int_equal(times_heard, 2);
	assert_int_equal(heard.iface, 1);
	assert_true(address_equal(&heard.address, &told[2].address));
	assert_memory_equal(&heard.mac, &told[2].mac, sizeof(heard.mac));
	assert_int_equal(deliver(&b, buffer, state_neighbours_fill(a.flows, told, 1, buffer)), 0);
	assert_int_equal(heard.iface, 2);
	assert_int_equal(state_flows_take(b.flows, STATE_NEIGHBOURS, buffer, 27), -EPROTO);
}

static void
many_go_in_several_fillings(void **state)
{
	char rule[32];

	for (uint32_t i = 0; i < 2500; i++) {
		struct packet p = udp(i & 1, 1 + i % 9, 2, (uint16_t)i, 53);

		snprintf(rule, sizeof(rule), "rule %u", i);
		assert_true(add_flow(a.w, &p, 1 + 2 * (i & 1), false, 100, names_id(a.names, rule)));
	}
	tell(&a, &b);
	assert_int_equal(flows(&b), 2500);
	assert_int_equal(strncmp(names_text(b.names, found[0].rule_name), "rule ", 5), 0);
}

static void
what_is_no_frame_is_refused(void **state)
{
	static const uint8_t zeros[STATE_BODY_MAX], far[] = {0, 0, 0x40, 0, 'x'}, rule[] = {0, 2, 0, 0, 'x'};
	static const uint8_t nul[] = {0, 0, 0, 1, 'a', 0, 'b'};

	assert_int_equal(state_flows_take(b.flows, STATE_FLOWS, zeros, 55), -EPROTO);
	assert_int_equal(state_flows_take(b.flows, STATE_INTERFACE, zeros, 3), -EPROTO);
	assert_int_equal(state_flows_take(b.flows, STATE_INTERFACE, far, sizeof(far)), -EPROTO);
	assert_int_equal(state_flows_take(b.flows, STATE_INTERFACE, nul, sizeof(nul)), -EPROTO);
	assert_int_equal(state_flows_take(b.flows, STATE_RULE, rule, sizeof(rule)), -EPROTO);
	assert_int_equal(state_flows_take(b.flows, STATE_RULE, zeros, STATE_BODY_MAX), -EPROTO);
	assert_int_equal(state_flows_take(b.flows, STATE_HELLO, zeros, 10), -EPROTO);
	assert_int_equal(state_flows_take(b.flows, (enum state_frame)99, zeros, 10), -EPROTO);
	assert_int_equal(state_flows_take(b.flows, STATE_FLOWS, zeros, 0), 0);
	/* flows that could not be are counted, and are no reason to part */
	assert_int_equal(state_flows_take(b.flows, STATE_FLOWS, zeros, 56 * 10), 0);
	assert_int_equal(flows(&b), 0);
}

/* Whatever another version or a broken machine says. */
static void
garbage_harms_nobody(void **state)
{
	unsigned seed = 1;
	bool round;

	for (uint32_t i = 0; i < 200; i++) {
		struct packet p = udp(i & 1, 1 + i % 9, 2, (uint16_t)i, 53);

		assert_true(add_flow(a.w, &p, 1 + 2 * (i & 1), false, 100, names_id(a.names, "rule")));
	}
	for (int i = 0; i < 2000; i++) {
		size_t n;

		state_flows_restart(a.flows);
		n = state_flows_fill(a.flows, buffer, &round);
		for (int k = 0; k < 5; k++)
			buffer[(size_t)rand_r(&seed) % n] ^= (uint8_t)(1 << rand_r(&seed) % 8);
		deliver(&b, buffer, n);
		if (i % 100 == 0)
			state_flows_restart(b.flows);
	}
	assert_true(flows(&b) > 0);
}

static int
setup(void **state)
{
	return test_eal_start("state-flows");
}

static int
teardown(void **state)
{
	test_eal_stop();
	return 0;
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(names_are_what_counts),
		STORY(counted),
		STORY(a_subnet_that_moves_is_found),
		STORY(neighbours_go_along),
		STORY(many_go_in_several_fillings),
		STORY(what_is_no_frame_is_refused),
		STORY(garbage_harms_nobody),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
