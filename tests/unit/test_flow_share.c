/* Flows told to another node and taken from it: what both know then, and that they do not tell each other for ever. */
#include "dataplane/state.h"
#include "drivers/clock.h"
#include "tests/unit/eal.h"
#include "tests/unit/flow_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define IFACE 3
#define NOW_S 1000
#define HZ (1ull << 40) /* no second passes by itself */

/* A dataplane with a table of flows and nothing else. */
struct node {
	struct dataplane *dp;
	struct worker *w;
	struct flow_sharing *s;
};

static struct node a, b;

static struct node
node_make(void)
{
	struct node n = {.dp = calloc(1, sizeof(*n.dp)), .w = aligned_alloc(64, sizeof(*n.w))};

	memset(n.w, 0, sizeof(*n.w));
	n.dp->flows = n.w->flows = flow_table_create(4096);
	n.dp->tsc_hz = HZ;
	n.dp->start_tsc = clock_tsc() - NOW_S * HZ;
	n.w->now_s = NOW_S;
	n.s = dataplane_sharing_create(n.dp);
	assert_non_null(n.s);
	return n;
}

static void
node_free(struct node *n)
{
	dataplane_sharing_free(n->s);
	flow_table_free(n->dp->flows);
	free(n->dp);
	free(n->w);
}

static int
begin(void **state)
{
	a = node_make();
	b = node_make();
	return 0;
}

static int
end(void **state)
{
	node_free(&a);
	node_free(&b);
	return 0;
}

static void
later(uint32_t seconds)
{
	a.w->now_s += seconds;
	b.w->now_s += seconds;
	a.dp->start_tsc -= seconds * HZ;
	b.dp->start_tsc -= seconds * HZ;
}

/* One look at the whole table; how many were told and taken. */
static uint32_t
tell(struct node *from, struct node *to)
{
	struct flow_record r[7];
	uint32_t told = 0;
	bool round = false;

	while (!round) {
		uint32_t n = dataplane_sharing_tell(from->s, r, RTE_DIM(r), &round);

		for (uint32_t i = 0; i < n; i++)
			assert_true(dataplane_sharing_take(to->s, &r[i]));
		told += n;
	}
	return told;
}

static uint8_t
find(struct node *n, struct packet p, bool inbound)
{
	struct packet *pkt[1] = {&p};
	uint16_t end[1] = {IFACE};
	uint8_t result[1];

	find_flows(n->w, pkt, end, inbound, 1, result);
	return result[0];
}

static struct flow_info found;
static uint32_t live;

static void
keep(void *context, const struct flow_info *i)
{
	(void)context;
	found = *i;
}

static const struct flow_info *
only_flow(struct node *n)
{
	live = flow_table_walk(n->dp->flows, n->w->now_s, 10, keep, NULL);
	assert_int_equal(live, 1);
	return &found;
}

static void
the_other_node_lets_answers_in(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet p = udp(v6, 9, 2, 4000, 53);

		assert_int_equal(find(&b, turned(&p), true), FLOW_MISS);
		assert_true(add_flow(a.w, &p, IFACE, false, 100, 77));
		assert_int_equal(tell(&a, &b), 1);
		assert_int_equal(find(&b, turned(&p), true), FLOW_HIT);
		assert_int_equal(find(&b, p, false), FLOW_HIT);
		assert_int_equal(find(&b, turned(&p), false), FLOW_MISS); /* another endpoint's */
	}
}

static void
it_is_the_same_flow(void **state)
{
	struct packet p = tcp(false, 2, 9, 4000, 80, SYN);
	struct flow_info own, other;

	assert_true(add_flow(a.w, &p, IFACE | FLOW_THROUGH, true, 100, 77));
	later(7);
	assert_int_equal(tell(&a, &b), 1);
	own = *only_flow(&a);
	other = *only_flow(&b);
	assert_memory_equal(&own, &other, sizeof(own));
	assert_int_equal(other.idle_s, 7);
	assert_int_equal(other.iface, IFACE);
	assert_int_equal(other.rule_name, 77);
	assert_true(other.inbound);
}

static void
nothing_is_told_twice(void **state)
{
	struct packet p = udp(false, 1, 2, 4000, 53);

	assert_true(add_flow(a.w, &p, IFACE, false, 100, 77));
	assert_int_equal(tell(&a, &b), 1);
	assert_int_equal(tell(&a, &b), 0);
	assert_int_equal(tell(&b, &a), 0);
	later(10);
	assert_int_equal(find(&a, p, false), FLOW_HIT);
	assert_int_equal(tell(&a, &b), 0);
	/* but before it idles out there */
	later(20);
	assert_int_equal(find(&a, p, false), FLOW_HIT);
	assert_int_equal(tell(&a, &b), 1);
	assert_int_equal(only_flow(&b)->idle_s, 0);
	assert_int_equal(tell(&b, &a), 0);
	/* or to whoever comes anew */
	dataplane_sharing_restart(a.s);
	assert_int_equal(tell(&a, &b), 1);
}

/* Each node sees one direction. */
static void
halves_of_a_conversation_come_together(void **state)
{
	struct packet syn = tcp(false, 1, 2, 4000, 80, SYN), ack = syn, fin = syn, answer, bye;

	ack.tcp_flags = ACK;
	fin.tcp_flags = FIN | ACK;
	answer = turned(&syn);
	answer.tcp_flags = SYN | ACK;
	bye = turned(&fin);
	assert_true(add_flow(a.w, &syn, IFACE, false, 100, 77));
	assert_int_equal(tell(&a, &b), 1);
	assert_int_equal(find(&b, answer, true), FLOW_HIT);
	assert_int_equal(find(&a, ack, false), FLOW_HIT);
	assert_int_equal(tell(&a, &b), 1);
	assert_int_equal(tell(&b, &a), 1);
	assert_int_equal(tell(&a, &b), 0);
	assert_int_equal(only_flow(&a)->tcp, FLOW_TCP_ESTABLISHED);
	assert_int_equal(only_flow(&b)->tcp, FLOW_TCP_ESTABLISHED);
	assert_int_equal(find(&a, fin, false), FLOW_HIT);
	assert_int_equal(find(&b, bye, true), FLOW_HIT);
	assert_int_equal(only_flow(&a)->tcp, FLOW_TCP_CLOSING);
	assert_int_equal(tell(&a, &b), 1);
	assert_int_equal(only_flow(&b)->tcp, FLOW_TCP_CLOSED);
	assert_int_equal(tell(&b, &a), 1);
	assert_int_equal(only_flow(&a)->tcp, FLOW_TCP_CLOSED);
	assert_int_equal(tell(&a, &b) + tell(&b, &a), 0);
}

static void
the_end_of_a_flow_stands(void **state)
{
	struct packet p = tcp(false, 1, 2, 4000, 80, ACK), reset = p;

	reset.tcp_flags = RST;
	assert_true(add_flow(a.w, &p, IFACE, false, 100, 77));
	assert_int_equal(tell(&a, &b), 1);
	assert_int_equal(find(&b, reset, false), FLOW_HIT);
	dataplane_sharing_restart(a.s);
	assert_int_equal(tell(&a, &b), 1);
	assert_int_equal(only_flow(&b)->tcp, FLOW_TCP_CLOSED);
	/* a conversation that began later is another one */
	later(5);
	p.tcp_flags = SYN;
	assert_int_equal(tell(&b, &a), 1);
	assert_int_equal(only_flow(&a)->tcp, FLOW_TCP_CLOSED);
	assert_true(add_flow(a.w, &p, IFACE, false, 100, 78));
	assert_int_equal(tell(&a, &b), 1);
	assert_int_equal(only_flow(&b)->tcp, FLOW_TCP_SYN);
	assert_int_equal(only_flow(&b)->rule_name, 78);
}

static void
idle_ones_are_not_told(void **state)
{
	struct packet p = udp(false, 1, 2, 4000, 53);

	assert_true(add_flow(a.w, &p, IFACE, false, 100, 77));
	later(101);
	assert_int_equal(tell(&a, &b), 0);
}

static void
all_of_a_table_are_told(void **state)
{
	for (uint16_t i = 0; i < 3000; i++) {
		struct packet p = udp(i & 1, 1 + i % 50, 200, i, 53);

		assert_true(add_flow(a.w, &p, IFACE, false, 100, i));
	}
	assert_int_equal(tell(&a, &b), 3000);
	assert_int_equal(flow_table_walk(b.dp->flows, NOW_S, 0, keep, NULL), 3000);
	assert_int_equal(tell(&a, &b), 0);
}

/* From a node that errs or lies: refused, and nothing is in the table. */
static void
what_cannot_be_is_refused(void **state)
{
	struct packet p = udp(false, 1, 2, 4000, 53);
	struct flow_record good, r;
	bool round;

	assert_true(add_flow(a.w, &p, IFACE, false, 100, 77));
	assert_int_equal(dataplane_sharing_tell(a.s, &good, 1, &round), 1);
	for (int i = 0; i < 6; i++) {
		r = good;
		r.timeout_s = i == 0 ? 0 : r.timeout_s;
		r.state = i == 1 ? 7 : r.state;
		r.idle_s = i == 2 ? 101 : r.idle_s;
		r.iface = i == 3 ? FLOW_THROUGH | IFACE : r.iface;
		r.word[1] |= i == 4 ? 5u << 16 : 0;
		r.word[1] &= i == 5 ? ~(uint64_t)FLOW_KEY_USED : UINT64_MAX;
		assert_false(dataplane_sharing_take(b.s, &r));
	}
	assert_int_equal(flow_table_walk(b.dp->flows, NOW_S, 0, keep, NULL), 0);
	assert_true(dataplane_sharing_take(b.s, &good));
}

static void
a_full_table_refuses(void **state)
{
	uint32_t refused = 0;
	bool round = false;

	for (uint32_t i = 0; i < 9000; i++) {
		struct packet p = udp(false, 1 + i / 60000, 2, (uint16_t)i, 53);
		struct flow_record r;

		if (!add_flow(a.w, &p, IFACE, false, 100, 1))
			break;
		if (dataplane_sharing_tell(a.s, &r, 1, &round) == 1) {
			/* twice as many as fit: the other half under another port */
			refused += !dataplane_sharing_take(b.s, &r);
			r.word[1] ^= 1ull << 47;
			refused += !dataplane_sharing_take(b.s, &r);
		}
	}
	assert_true(refused > 1000);
}

static int
setup(void **state)
{
	return test_eal_start("flow-share");
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
		STORY(the_other_node_lets_answers_in),
		STORY(it_is_the_same_flow),
		STORY(nothing_is_told_twice),
		STORY(halves_of_a_conversation_come_together),
		STORY(the_end_of_a_flow_stands),
		STORY(idle_ones_are_not_told),
		STORY(all_of_a_table_are_told),
		STORY(what_cannot_be_is_refused),
		STORY(a_full_table_refuses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
