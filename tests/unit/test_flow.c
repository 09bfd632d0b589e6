/* The flow table against a dumb list with a clock; TCP states; what happens when it is full; ICMP errors.
 *
 * How it behaves under several workers at once is test_flow_race.c.
 */
#include "dataplane/flow.h"
#include "tests/unit/eal.h"
#include "tests/unit/flow_packet.h"
#include "tests/unit/sanitized.h"

#include <rte_cycles.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define RULE 77
#define TIMEOUT 240

static struct worker *w;

static void
table(uint32_t capacity)
{
	flow_table_free(w->flows);
	w->flows = flow_table_create(capacity);
	w->now_s = 1000;
	assert_non_null(w->flows);
}

static enum flow_result
look(const struct packet *p, uint16_t iface, bool inbound)
{
	struct packet copy = *p, *pkt = &copy;
	uint8_t result;

	find_flows(w, &pkt, &iface, inbound, 1, &result);
	return result;
}

static bool
insert(const struct packet *p, uint16_t iface, bool inbound)
{
	return add_flow(w, p, iface, inbound, TIMEOUT, RULE);
}

static void
ignore(void *context, const struct flow_info *info)
{
	(void)context;
	(void)info;
}

static uint32_t
live(void)
{
	return flow_table_walk(w->flows, w->now_s, 0, ignore, NULL);
}

static struct flow_info only;

static void
keep(void *context, const struct flow_info *info)
{
	(void)context;
	only = *info;
}

/* The single flow there is. */
static const struct flow_info *
the_flow(void)
{
	assert_int_equal(flow_table_walk(w->flows, w->now_s, 1, keep, NULL), 1);
	return &only;
}

/* ---- finding ------------------------------------------------------------------------------------------- */

static void
both_directions_find_one_flow(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet p = udp(v6, 1, 2, 1000, 53), reply = turned(&p);

		table(1024);
		assert_int_equal(look(&p, 5, false), FLOW_MISS);
		assert_true(insert(&p, 5, false));
		assert_int_equal(look(&p, 5, false), FLOW_HIT);
		assert_int_equal(look(&reply, 5, true), FLOW_HIT);

		/* the same from the other end */
		table(1024);
		assert_true(insert(&reply, 5, true));
		assert_int_equal(look(&p, 5, false), FLOW_HIT);
		assert_int_equal(live(), 1);
	}
}

static void
every_part_of_the_key_counts(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet p = udp(v6, 1, 2, 1000, 53), q;

		table(1024);
		assert_true(insert(&p, 5, false));
		q = udp(v6, 3, 2, 1000, 53);
		assert_int_equal(look(&q, 5, false), FLOW_MISS);
		q = udp(v6, 1, 3, 1000, 53);
		assert_int_equal(look(&q, 5, false), FLOW_MISS);
		q = udp(v6, 1, 2, 1001, 53);
		assert_int_equal(look(&q, 5, false), FLOW_MISS);
		q = udp(v6, 1, 2, 1000, 54);
		assert_int_equal(look(&q, 5, false), FLOW_MISS);
		q = udp(v6, 1, 2, 53, 1000);
		assert_int_equal(look(&q, 5, false), FLOW_MISS);
		q = p;
		q.protocol = IPPROTO_UDPLITE;
		assert_int_equal(look(&q, 5, false), FLOW_MISS);
		assert_int_equal(look(&p, 6, false), FLOW_MISS);
		q = udp(!v6, 1, 2, 1000, 53);
		assert_int_equal(look(&q, 5, false), FLOW_MISS);
	}
}

/* Both hosts in one subnet: what the sender's rules allowed says nothing about the receiver's. */
static void
the_two_ends_inside_one_subnet_are_two_flows(void **state)
{
	struct packet p = udp(false, 1, 2, 1000, 53), reply = turned(&p);

	table(1024);
	assert_true(insert(&p, 5, false));
	assert_int_equal(look(&p, 5, true), FLOW_MISS);
	assert_int_equal(look(&reply, 5, false), FLOW_MISS);
	assert_int_equal(look(&reply, 5, true), FLOW_HIT);

	assert_true(insert(&p, 5, true));
	assert_int_equal(look(&p, 5, true), FLOW_HIT);
	assert_int_equal(look(&reply, 5, false), FLOW_HIT);
	assert_int_equal(live(), 2);
}

static void
a_listed_flow_reads_as_it_was_opened(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct packet p = udp(i & 1, i & 2 ? 1 : 9, 4, 1000, 53);
		const struct flow_info *f;
		struct ip_addr source = host(i & 1, i & 2 ? 1 : 9), destination = host(i & 1, 4);

		table(1024);
		assert_true(insert(&p, 5, i & 1));
		w->now_s += 7;
		f = the_flow();
		assert_true(address_equal(&f->source, &source));
		assert_true(address_equal(&f->destination, &destination));
		assert_int_equal(f->source_port, 1000);
		assert_int_equal(f->destination_port, 53);
		assert_int_equal(f->iface, 5);
		assert_int_equal(f->protocol, IPPROTO_UDP);
		assert_int_equal(f->inbound, i & 1);
		assert_int_equal(f->idle_s, 7);
		assert_int_equal(f->timeout_s, TIMEOUT);
		assert_int_equal(f->rule_name, RULE);
		assert_int_equal(f->tcp, FLOW_NOT_TCP);
	}
}

/* Two first packets of one flow in one burst: both miss, both are inserted, one flow. */
static void
one_burst_makes_one_flow(void **state)
{
	struct packet p = udp(false, 1, 2, 1000, 53), q = p, *pkt[2] = {&p, &q};
	uint16_t iface[2] = {5, 5};
	uint8_t result[2];

	table(1024);
	find_flows(w, pkt, iface, false, 2, result);
	assert_int_equal(result[0], FLOW_MISS);
	assert_int_equal(result[1], FLOW_MISS);
	assert_true(insert(&p, 5, false));
	assert_true(insert(&q, 5, false));
	assert_int_equal(live(), 1);
}

/* ---- time ------------------------------------------------------------------------------------------------ */

static void
a_flow_lives_while_it_is_used(void **state)
{
	struct packet p = udp(false, 1, 2, 1000, 53), reply = turned(&p);

	table(1024);
	assert_true(insert(&p, 5, false));
	for (int i = 0; i < 10; i++) {
		w->now_s += TIMEOUT;
		assert_int_equal(look(i & 1 ? &p : &reply, 5, !(i & 1)), FLOW_HIT);
	}
	w->now_s += TIMEOUT + 1;
	assert_int_equal(live(), 0);
	assert_int_equal(look(&p, 5, false), FLOW_MISS);
	assert_true(insert(&p, 5, false));
	assert_int_equal(live(), 1);
}

/* ---- TCP --------------------------------------------------------------------------------------------------- */

/* One step of a conversation between 1 (the opener) and 2. */
static enum flow_result
step(bool reply, uint8_t flags)
{
	struct packet p = tcp(false, 1, 2, 1000, 80, flags);

	if (reply)
		p = turned(&p);
	return look(&p, 5, reply);
}

static bool
open_flow(uint8_t flags)
{
	struct packet p = tcp(false, 1, 2, 1000, 80, flags);

	return insert(&p, 5, false);
}

static void
expect_state(enum flow_tcp_state tcp, uint32_t timeout_s)
{
	assert_int_equal(the_flow()->tcp, tcp);
	assert_int_equal(the_flow()->timeout_s, timeout_s);
}

static void
established(void)
{
	table(1024);
	assert_true(open_flow(SYN));
	assert_int_equal(step(true, SYN | ACK), FLOW_HIT);
	assert_int_equal(step(false, ACK), FLOW_HIT);
}

static void
the_handshake_ends_the_short_timeout(void **state)
{
	table(1024);
	assert_true(open_flow(SYN));
	expect_state(FLOW_TCP_SYN, 30);
	assert_int_equal(step(false, SYN), FLOW_HIT);
	expect_state(FLOW_TCP_SYN, 30);
	assert_int_equal(step(true, SYN | ACK), FLOW_HIT);
	expect_state(FLOW_TCP_SYN, 30);
	assert_int_equal(step(false, ACK), FLOW_HIT);
	expect_state(FLOW_TCP_ESTABLISHED, TIMEOUT);

	/* an answer that took another way: the opener's ACK is proof enough, the other end's is not */
	table(1024);
	assert_true(open_flow(SYN));
	assert_int_equal(step(true, ACK), FLOW_HIT);
	expect_state(FLOW_TCP_SYN, 30);
	assert_int_equal(step(false, ACK), FLOW_HIT);
	expect_state(FLOW_TCP_ESTABLISHED, TIMEOUT);
}

static void
an_unanswered_syn_is_forgotten_soon(void **state)
{
	table(1024);
	assert_true(open_flow(SYN));
	w->now_s += 31;
	assert_int_equal(step(true, SYN | ACK), FLOW_MISS);
}

static void
fin_both_ways_closes(void **state)
{
	established();
	assert_int_equal(step(false, FIN | ACK), FLOW_HIT);
	expect_state(FLOW_TCP_CLOSING, TIMEOUT);
	assert_int_equal(step(false, FIN | ACK), FLOW_HIT);
	expect_state(FLOW_TCP_CLOSING, TIMEOUT);
	assert_int_equal(step(true, ACK), FLOW_HIT);
	assert_int_equal(step(true, FIN | ACK), FLOW_HIT);
	expect_state(FLOW_TCP_CLOSED, 10);

	/* the last ACK passes and does not keep it alive */
	w->now_s += 6;
	assert_int_equal(step(false, ACK), FLOW_HIT);
	w->now_s += 5;
	assert_int_equal(step(false, ACK), FLOW_MISS);
}

static void
reset_closes(void **state)
{
	for (int reply = 0; reply < 2; reply++) {
		established();
		assert_int_equal(step(reply, RST), FLOW_HIT);
		expect_state(FLOW_TCP_CLOSED, 10);
	}
	table(1024);
	assert_true(open_flow(SYN));
	assert_int_equal(step(true, RST | ACK), FLOW_HIT);
	expect_state(FLOW_TCP_CLOSED, 10);
}

/* After the close the rules decide anew, from either end; a denied SYN leaves the old flow to end. */
static void
a_syn_after_the_close_is_a_new_conversation(void **state)
{
	struct packet p = tcp(false, 1, 2, 1000, 80, SYN);

	established();
	assert_int_equal(step(true, RST), FLOW_HIT);
	assert_int_equal(step(false, SYN), FLOW_MISS);
	assert_int_equal(step(true, SYN), FLOW_MISS);
	expect_state(FLOW_TCP_CLOSED, 10);

	p = turned(&p);
	assert_true(add_flow(w, &p, 5, true, 300, 78));
	assert_int_equal(live(), 1);
	assert_int_equal(the_flow()->rule_name, 78);
	assert_true(the_flow()->inbound);
	assert_int_equal(the_flow()->source_port, 80);
	expect_state(FLOW_TCP_SYN, 30);
}

static void
a_conversation_may_be_met_in_its_middle(void **state)
{
	table(1024);
	assert_int_equal(step(false, ACK), FLOW_MISS);
	assert_true(open_flow(ACK));
	expect_state(FLOW_TCP_ESTABLISHED, TIMEOUT);

	/* met at the SYN+ACK: either end completes it */
	table(1024);
	assert_true(open_flow(SYN | ACK));
	expect_state(FLOW_TCP_SYN, 30);
	assert_int_equal(step(true, ACK), FLOW_HIT);
	expect_state(FLOW_TCP_ESTABLISHED, TIMEOUT);
}

static void
fin_and_reset_open_nothing(void **state)
{
	table(1024);
	assert_true(open_flow(RST));
	assert_true(open_flow(RST | ACK));
	assert_true(open_flow(FIN | ACK));
	assert_int_equal(live(), 0);
}

static void
impossible_flags_are_told_from_a_miss(void **state)
{
	established();
	assert_int_equal(step(false, 0), FLOW_BAD_STATE);
	assert_int_equal(step(false, PSH), FLOW_BAD_STATE);
	assert_int_equal(step(false, SYN | FIN), FLOW_BAD_STATE);
	assert_int_equal(step(true, SYN | RST), FLOW_BAD_STATE);
	assert_int_equal(step(true, FIN | PSH | URG), FLOW_HIT);
	expect_state(FLOW_TCP_CLOSING, TIMEOUT);
}

/* Later fragments have ports, but no flags: they ride along and change nothing. */
static void
later_fragments_follow_and_open_nothing(void **state)
{
	struct packet p = tcp(false, 1, 2, 1000, 80, 0);

	p.flags |= PKT_FRAGMENT | PKT_LATER_FRAGMENT;
	established();
	assert_int_equal(look(&p, 5, false), FLOW_HIT);
	expect_state(FLOW_TCP_ESTABLISHED, TIMEOUT);
	table(1024);
	assert_int_equal(look(&p, 5, false), FLOW_MISS);
	assert_true(insert(&p, 5, false));
	assert_int_equal(live(), 0);
}

/* ---- ICMP --------------------------------------------------------------------------------------------------- */

static void
echo_and_its_answer_are_one_flow(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct icmp_packet request, reply;

		icmp_echo(&request, v6, 1, 2, true, 0xbeef);
		icmp_echo(&reply, v6, 2, 1, false, 0xbeef);
		table(1024);
		assert_true(insert(&request.p, 5, false));
		assert_int_equal(look(&reply.p, 5, true), FLOW_HIT);
		icmp_echo(&reply, v6, 2, 1, false, 0xbeee);
		assert_int_equal(look(&reply.p, 5, true), FLOW_MISS);
	}
}

static void
errors_about_a_flow_pass_with_it(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet sent[3] = {
			udp(v6, 1, 2, 1000, 53), tcp(v6, 1, 2, 1000, 80, SYN), udp(v6, 1, 2, 4500, 4500)};
		struct icmp_packet error;

		for (int i = 0; i < 3; i++) {
			table(1024);
			/* host 1 sent it; a router, 9, or host 2 complains to host 1 */
			icmp_error(&error, v6, 9, 1, v6 ? 3 : 11, &sent[i]);
			assert_int_equal(look(&error.p, 5, true), FLOW_MISS);
			assert_true(insert(&error.p, 5, true));
			assert_int_equal(live(), 0);
			assert_true(insert(&sent[i], 5, false));
			assert_int_equal(look(&error.p, 5, true), FLOW_HIT);
			icmp_error(&error, v6, 2, 1, v6 ? 1 : 3, &sent[i]);
			assert_int_equal(look(&error.p, 5, true), FLOW_HIT);
			assert_int_equal(the_flow()->idle_s, 0);

			/* at the receiver's endpoint it goes out */
			assert_true(insert(&sent[i], 6, true));
			assert_int_equal(look(&error.p, 6, false), FLOW_HIT);
			/* not through another endpoint, nor the other way */
			assert_int_equal(look(&error.p, 7, true), FLOW_MISS);
			assert_int_equal(look(&error.p, 5, false), FLOW_MISS);
			/* not to another host */
			icmp_error(&error, v6, 9, 3, v6 ? 1 : 3, &sent[i]);
			assert_int_equal(look(&error.p, 5, true), FLOW_MISS);
			/* not of another type: redirect, neighbour solicitation */
			icmp_error(&error, v6, 9, 1, v6 ? 135 : 5, &sent[i]);
			assert_int_equal(look(&error.p, 5, true), FLOW_MISS);
		}
	}
}

static void
errors_keep_nothing_alive_and_change_no_state(void **state)
{
	struct packet syn = tcp(false, 1, 2, 1000, 80, SYN);
	struct icmp_packet error;

	table(1024);
	assert_true(open_flow(SYN));
	icmp_error(&error, false, 2, 1, 3, &syn);
	w->now_s += 20;
	assert_int_equal(look(&error.p, 5, true), FLOW_HIT);
	expect_state(FLOW_TCP_SYN, 30);
	w->now_s += 11;
	assert_int_equal(look(&error.p, 5, true), FLOW_MISS);
}

/* Any prefix of the quote may be all there is; any garbage may stand there. */
static void
quotes_are_never_trusted(void **state)
{
	struct packet sent = udp(false, 1, 2, 1000, 53);
	struct icmp_packet error;

	for (int v6 = 0; v6 < 2; v6++) {
		uint16_t whole;

		sent = udp(v6, 1, 2, 1000, 53);
		table(1024);
		assert_true(insert(&sent, 5, false));
		icmp_error(&error, v6, 9, 1, v6 ? 1 : 3, &sent);
		whole = error.p.l3_len;
		for (uint16_t cut = 0; cut <= whole - error.p.l4_off; cut++) {
			/* a copy that ends with the packet, so that a byte too far is seen by the sanitizer */
			uint8_t *exact = malloc(whole - cut);
			struct packet p = error.p;

			memcpy(exact, p.l3, whole - cut);
			p.l3 = exact;
			p.l3_len = whole - cut;
			assert_int_equal(look(&p, 5, true), cut <= 4 ? FLOW_HIT : FLOW_MISS);
			free(exact);
		}
		srand(1);
		for (int i = 0; i < 200000; i++) {
			uint16_t from = error.p.l4_off + 8;

			icmp_error(&error, v6, 9, 1, v6 ? 1 : 3, &sent);
			for (int k = 0; k < 1 + i % 7; k++)
				error.p.l3[from + rand() % (whole - from)] = (uint8_t)rand();
			look(&error.p, 5, true);
		}
	}
}

/* ---- full --------------------------------------------------------------------------------------------------- */

#define SMALL 32 /* places of the smallest table: two buckets */

static uint32_t
fill(struct packet (*make)(uint32_t), uint32_t first, uint32_t tries)
{
	uint32_t inserted = 0;

	for (uint32_t i = 0; i < tries; i++) {
		struct packet p = make(first + i);

		inserted += insert(&p, 5, false);
	}
	return inserted;
}

static struct packet
make_udp(uint32_t i)
{
	return udp(false, 1, 2, (uint16_t)(1 + i), 53);
}

static struct packet
make_syn(uint32_t i)
{
	return tcp(false, 1, 2, (uint16_t)(1 + i), 80, SYN);
}

static struct packet
make_syn_answer(uint32_t i)
{
	struct packet p = tcp(false, 1, 2, (uint16_t)(1 + i), 80, RST);

	return turned(&p);
}

static void
live_flows_are_never_evicted(void **state)
{
	table(1);
	assert_int_equal(fill(make_udp, 0, 1000), SMALL);
	assert_int_equal(live(), SMALL);
	assert_int_equal(fill(make_syn, 0, 1), 0);

	/* the refused found no place; the old ones are all there: as many hits as places */
	uint32_t hits = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		struct packet p = make_udp(i);

		hits += look(&p, 5, false) == FLOW_HIT;
	}
	assert_int_equal(hits, SMALL);
}

static void
idle_flows_make_room_first(void **state)
{
	struct packet p;

	table(1);
	assert_int_equal(fill(make_syn, 0, 1), 1); /* half-open, but still alive later */
	assert_int_equal(fill(make_udp, 0, SMALL - 1), SMALL - 1);
	w->now_s += TIMEOUT + 1 - 20;
	p = make_syn(0);
	assert_true(insert(&p, 5, false)); /* again: the first one idled out long ago */
	w->now_s += 20;
	assert_int_equal(fill(make_udp, 2000, SMALL - 1), SMALL - 1);
	assert_int_equal(look(&p, 5, false), FLOW_HIT);
}

static void
the_oldest_half_open_goes_when_nothing_is_idle(void **state)
{
	struct packet p;
	uint32_t found[3] = {0};

	table(1);
	assert_int_equal(fill(make_syn, 0, 16), 16);
	w->now_s += 10;
	assert_int_equal(fill(make_syn, 100, 16), 16);
	w->now_s += 10;
	assert_int_equal(fill(make_syn, 200, 8), 8);
	for (uint32_t i = 0; i < 16; i++) {
		p = make_syn(i);
		found[0] += look(&p, 5, false) == FLOW_HIT;
		p = make_syn(100 + i);
		found[1] += look(&p, 5, false) == FLOW_HIT;
		p = make_syn(200 + i);
		found[2] += look(&p, 5, false) == FLOW_HIT;
	}
	assert_int_equal(found[0], 8);
	assert_int_equal(found[1], 16);
	assert_int_equal(found[2], 8);
}

static void
closed_flows_go_before_half_open_ones(void **state)
{
	struct packet p;

	table(1);
	assert_int_equal(fill(make_syn, 0, SMALL), SMALL);
	w->now_s += 5;
	p = make_syn_answer(20); /* closed later than all others were opened */
	assert_int_equal(look(&p, 5, true), FLOW_HIT);
	assert_int_equal(fill(make_udp, 0, 1), 1);
	for (uint32_t i = 0; i < SMALL; i++) {
		p = make_syn(i);
		assert_int_equal(look(&p, 5, false), i == 20 ? FLOW_MISS : FLOW_HIT);
	}
}

/* The capacity asked for is there, not on average but to the last flow. */
static void
capacity_is_kept(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		table(20000);
		for (uint32_t i = 0; i < 20000; i++) {
			struct packet p = udp(v6, 1 + i / 1000, 2, (uint16_t)(1 + i % 1000), 53);

			assert_true(insert(&p, 5, false));
		}
		assert_int_equal(live(), 20000);
	}
}

/* ---- the oracle ----------------------------------------------------------------------------------------------- */

/* What a flow is, said plainly: a list of these, searched from the start. */
struct known {
	struct ip_addr opener, other;
	uint16_t opener_port, other_port, iface;
	uint8_t protocol;
	bool local_is_opener;
	bool syn, answered, fin[2], closed;
	uint32_t seen;
};

#define KNOWN_MAX 4096
static struct known known[KNOWN_MAX];
static uint32_t n_known;

static uint32_t
known_timeout(const struct known *f)
{
	if (f->closed)
		return 10;
	return f->syn ? 30 : TIMEOUT;
}

static bool
known_over(const struct known *f)
{
	return w->now_s - f->seen > known_timeout(f);
}

static bool
known_is(const struct known *f, const struct packet *p, uint16_t iface, bool inbound, bool *from_opener)
{
	struct ip_addr source = packet_address(p, true), destination = packet_address(p, false);
	bool forth = address_equal(&f->opener, &source) && address_equal(&f->other, &destination) &&
		     f->opener_port == p->source_port && f->other_port == p->destination_port &&
		     f->local_is_opener == !inbound;
	bool back = address_equal(&f->other, &source) && address_equal(&f->opener, &destination) &&
		    f->other_port == p->source_port && f->opener_port == p->destination_port &&
		    f->local_is_opener == inbound;

	*from_opener = forth;
	return f->iface == iface && f->protocol == p->protocol && (forth || back);
}

static void
known_packet(struct known *f, const struct packet *p, bool from_opener)
{
	uint8_t flags = p->tcp_flags;

	if (f->closed)
		return;
	f->seen = w->now_s;
	if (p->protocol != IPPROTO_TCP)
		return;
	if (flags & RST) {
		f->closed = true;
		return;
	}
	if ((flags & (SYN | ACK)) == (SYN | ACK))
		f->answered = true;
	if (f->syn && !(flags & SYN) && (flags & ACK) && (from_opener || f->answered))
		f->syn = false;
	if (flags & FIN) {
		f->fin[from_opener] = true;
		f->syn = false;
	}
	f->closed = f->fin[0] && f->fin[1];
}

static enum flow_result
known_look(const struct packet *p, uint16_t iface, bool inbound)
{
	bool from_opener;

	if (p->protocol == IPPROTO_TCP &&
		(!(p->tcp_flags & (SYN | ACK | FIN | RST)) || ((p->tcp_flags & SYN) && (p->tcp_flags & (FIN | RST)))))
		return FLOW_BAD_STATE;
	for (uint32_t i = 0; i < n_known; i++) {
		struct known *f = &known[i];

		if (!known_is(f, p, iface, inbound, &from_opener))
			continue;
		if (known_over(f) || (f->closed && (p->tcp_flags & SYN) && !(p->tcp_flags & ACK)))
			return FLOW_MISS;
		known_packet(f, p, from_opener);
		return FLOW_HIT;
	}
	return FLOW_MISS;
}

static void
known_insert(const struct packet *p, uint16_t iface, bool inbound)
{
	struct known f = {packet_address(p, true), packet_address(p, false), p->source_port, p->destination_port, iface,
		p->protocol, !inbound, p->tcp_flags & SYN, (p->tcp_flags & SYN) && (p->tcp_flags & ACK), {false, false},
		false, w->now_s};
	bool unused;

	if (p->protocol == IPPROTO_TCP && (p->tcp_flags & (FIN | RST)))
		return;
	for (uint32_t i = 0; i < n_known; i++) {
		if (known_is(&known[i], p, iface, inbound, &unused)) {
			known[i] = f;
			return;
		}
	}
	assert_true(n_known < KNOWN_MAX);
	known[n_known++] = f;
}

static uint32_t
known_live(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_known; i++)
		n += !known_over(&known[i]);
	return n;
}

static struct packet
random_packet(void)
{
	static const uint8_t flags[] = {SYN, SYN | ACK, ACK, ACK, ACK | PSH, FIN | ACK, FIN | ACK, RST, RST | ACK, 0,
		SYN | FIN, FIN, SYN | ACK | PSH};
	bool v6 = rand() & 1;
	uint8_t a = (uint8_t)(1 + rand() % 4), b = (uint8_t)(1 + rand() % 4);
	uint16_t from = (uint16_t)(1000 + rand() % 3), to = (uint16_t)(1000 + rand() % 3);

	/* with one address and port at both ends there is no direction to tell */
	if (a == b && from == to)
		to++;
	return rand() % 3 ? tcp(v6, a, b, from, to, flags[rand() % 13]) : udp(v6, a, b, from, to);
}

static void
the_table_equals_a_list(void **state)
{
	uint32_t count[3] = {0};

	srand(7);
	table(8192);
	n_known = 0;
	for (int i = 0; i < (SANITIZED ? 200000 : 400000); i++) {
		struct packet p = random_packet();
		uint16_t iface = (uint16_t)(1 + rand() % 2);
		bool inbound = rand() & 1;
		enum flow_result want = known_look(&p, iface, inbound), got = look(&p, iface, inbound);

		assert_int_equal(got, want);
		count[got]++;
		if (want == FLOW_MISS && rand() % 4) {
			assert_true(insert(&p, iface, inbound));
			known_insert(&p, iface, inbound);
		}
		if (rand() % 20 == 0)
			w->now_s += (uint32_t)(rand() % 12);
		if (rand() % 4000 == 0)
			w->now_s += (uint32_t)(rand() % 300);
		if (i % 500 == 0)
			assert_int_equal(live(), known_live());
	}
	for (int i = 0; i < 3; i++)
		assert_true(count[i] > 10000);
}

/* ---- figures, on demand -------------------------------------------------------------------------------------- */

#define ROUNDS 20000
static uint64_t took[ROUNDS];

static int
by_size(const void *a, const void *b)
{
	uint64_t l = *(const uint64_t *)a, r = *(const uint64_t *)b;

	return (l > r) - (l < r);
}

static void
figures(void)
{
	static const uint32_t sizes[] = {1 << 16, 1 << 20};

	for (int s = 0; s < 4; s++) {
		uint32_t n = sizes[s / 2], hits = 0;
		bool v6 = s & 1;
		uint64_t start;

		flow_table_free(w->flows);
		w->flows = flow_table_create(n);
		if (w->flows == NULL)
			continue;
		start = rte_rdtsc();
		for (uint32_t i = 0; i < n; i++) {
			struct packet p = udp(v6, 1 + i / 60000, 2, (uint16_t)(1 + i % 60000), 53);

			insert(&p, 5, false);
		}
		printf("%u %s flows: insert %.0f cycles\n", n, v6 ? "IPv6" : "IPv4", (double)(rte_rdtsc() - start) / n);
		for (uint32_t round = 0; round < ROUNDS; round++) {
			struct packet p[32], *pkt[32];
			uint16_t iface[32];
			uint8_t result[32];

			for (int i = 0; i < 32; i++) {
				uint32_t k = (uint32_t)rand() % n;

				p[i] = udp(v6, 1 + k / 60000, 2, (uint16_t)(1 + k % 60000), 53);
				pkt[i] = &p[i];
				iface[i] = 5;
			}
			start = rte_rdtsc();
			find_flows(w, pkt, iface, false, 32, result);
			took[round] = rte_rdtsc() - start;
			for (int i = 0; i < 32; i++)
				hits += result[i] == FLOW_HIT;
		}
		qsort(took, ROUNDS, sizeof(*took), by_size);
		printf("  lookup %.0f/%.0f cycles (best/median); %u of %u hit\n", (double)took[0] / 32,
			(double)took[ROUNDS / 2] / 32, hits, ROUNDS * 32);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_find_one_flow),
		cmocka_unit_test(every_part_of_the_key_counts),
		cmocka_unit_test(the_two_ends_inside_one_subnet_are_two_flows),
		cmocka_unit_test(a_listed_flow_reads_as_it_was_opened),
		cmocka_unit_test(one_burst_makes_one_flow),
		cmocka_unit_test(a_flow_lives_while_it_is_used),
		cmocka_unit_test(the_handshake_ends_the_short_timeout),
		cmocka_unit_test(an_unanswered_syn_is_forgotten_soon),
		cmocka_unit_test(fin_both_ways_closes),
		cmocka_unit_test(reset_closes),
		cmocka_unit_test(a_syn_after_the_close_is_a_new_conversation),
		cmocka_unit_test(a_conversation_may_be_met_in_its_middle),
		cmocka_unit_test(fin_and_reset_open_nothing),
		cmocka_unit_test(impossible_flags_are_told_from_a_miss),
		cmocka_unit_test(later_fragments_follow_and_open_nothing),
		cmocka_unit_test(echo_and_its_answer_are_one_flow),
		cmocka_unit_test(errors_about_a_flow_pass_with_it),
		cmocka_unit_test(errors_keep_nothing_alive_and_change_no_state),
		cmocka_unit_test(quotes_are_never_trusted),
		cmocka_unit_test(live_flows_are_never_evicted),
		cmocka_unit_test(idle_flows_make_room_first),
		cmocka_unit_test(the_oldest_half_open_goes_when_nothing_is_idle),
		cmocka_unit_test(closed_flows_go_before_half_open_ones),
		cmocka_unit_test(capacity_is_kept),
		cmocka_unit_test(the_table_equals_a_list),
	};
	int failed;

	if (test_eal_start_with("flow", getenv("FIGURES") != NULL ? "512" : "64") != 0)
		return 1;
	w = aligned_alloc(64, sizeof(*w));
	memset(w, 0, sizeof(*w));
	if (getenv("FIGURES") != NULL)
		figures();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	flow_table_free(w->flows);
	free(w);
	test_eal_stop();
	return failed;
}
