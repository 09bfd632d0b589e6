/* Packets to and from daemons at our own addresses: what is handed over, as what, and what leaves again.
 *
 * The wire stands behind uplink u (port w); the daemon is a function that keeps what it is given.
 */
#include "whole.h"

#include "dataplane/exception.h"
#include "dataplane/worker.h"
#include "lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define US "192.0.2.1"
#define PEER "192.0.2.9"
#define US6 "2001:db8::1"
#define PEER6 "2001:db8::9"
#define TO_US .port = "w", .src = PEER, .dst = US
#define TO_US6 .port = "w", .src = PEER6, .dst = US6

static struct {
	bool deaf;
	uint32_t n[PUNT_CLASS_COUNT], total;
	uint16_t iface, length;
	uint8_t last[2048];
} heard;

/* The wire's other end: answers ARP, keeps the last IP packet. */
static struct {
	uint32_t n;
	uint16_t size;
	uint8_t last[2048];
} wire;

static bool
hear(void *context, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length)
{
	if (heard.deaf)
		return false;
	heard.n[class]++;
	heard.total++;
	heard.iface = iface;
	heard.length = length;
	assert_true(length <= sizeof(heard.last));
	memcpy(heard.last, l3, length);
	return true;
}

static void
start(void)
{
	memset(&heard, 0, sizeof(heard));
	memset(&wire, 0, sizeof(wire));
	whole_start(lab_everything);
	whole_dataplane()->events.local_packet = hear;
}

/* One packet, with `n` zero bytes from `at` on in what follows its UDP header. */
static void
send_marked(const struct pkt *p, uint16_t at, uint16_t n)
{
	struct rte_mbuf *m = pkt_build(p);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *), *l4 = frame + 14 + (frame[14] >> 4 == 6 ? 40 : 20);

	memset(l4 + 8 + at, 0, n);
	pkt_inject(p->port, m);
	whole_settle();
}

/* Exactly this class hears of it; PUNT_CLASS_COUNT: nobody. */
static void
expect_heard(const struct pkt *p, enum punt_class class)
{
	uint32_t before[PUNT_CLASS_COUNT], total = heard.total;

	memcpy(before, heard.n, sizeof(before));
	send_marked(p, 0, p->protocol == 0 && p->payload >= 4 && p->fragment_offset == 0 ? 4 : 0);
	assert_int_equal(heard.total, total + (class != PUNT_CLASS_COUNT));
	if (class != PUNT_CLASS_COUNT)
		assert_int_equal(heard.n[class], before[class] + 1);
}

static void
wire_turn(void)
{
	struct rte_mbuf *m;

	while ((m = port_out("w")) != NULL) {
		uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

		if (frame[12] == 0x08 && frame[13] == 0x06) {
			whole_arp_answer(frame);
			pkt_inject("w", m);
			whole_settle();
			continue;
		}
		wire.n++;
		memcpy(wire.last, frame_l3(m, &wire.size), m->data_len - 14);
		rte_pktmbuf_free(m);
	}
}

/* ---- in -------------------------------------------------------------------------------- */

static void
classes_by_port(void **state)
{
	static const struct {
		uint8_t protocol;
		uint16_t sport, dport;
		enum punt_class class;
	} shape[] = {
		{0, 500, 500, PUNT_IKE},
		{0, 40000, 500, PUNT_IKE}, /* behind a NAT */
		{0, 4500, 4500, PUNT_IKE},
		{0, 500, 501, PUNT_CLASS_COUNT},
		{0, 500, 3783, PUNT_CLASS_COUNT},
		{0, 50000, 3784, PUNT_BFD},
		{0, 50000, 3785, PUNT_BFD},
		{0, 50000, 4784, PUNT_BFD},
		{IPPROTO_TCP, 40000, 179, PUNT_BGP},
		{IPPROTO_TCP, 179, 40000, PUNT_BGP},
		{IPPROTO_TCP, 40000, 500, PUNT_CLASS_COUNT},
		{IPPROTO_TCP, 40000, 180, PUNT_CLASS_COUNT},
		{IPPROTO_ESP, 0, 0, PUNT_CLASS_COUNT},
	};

	start();
	for (size_t i = 0; i < RTE_DIM(shape); i++) {
		struct pkt p = {TO_US, .protocol = shape[i].protocol, .sport = shape[i].sport, .dport = shape[i].dport};

		p.payload = 40;
		expect_heard(&p, shape[i].class);
		if (shape[i].class != PUNT_CLASS_COUNT) {
			assert_int_equal(heard.length, 20 + (p.protocol == IPPROTO_TCP ? 20 : 8) + 40);
			assert_string_equal(whole_name(whole_world()->spec.iface[heard.iface].name), "uplink u");
		}
		p.src = PEER6;
		p.dst = US6;
		expect_heard(&p, shape[i].class);
	}
	whole_stop();
}

/* From anywhere, but to the very address of the uplink it comes in by, and only from outside. */
static void
only_what_is_ours(void **state)
{
	start();
	expect_heard(
		&(struct pkt){.port = "w", .src = "198.51.100.7", .dst = US, .dport = 500, .payload = 28}, PUNT_IKE);
	expect_heard(&(struct pkt){.port = "w", .src = PEER, .dst = "192.0.2.77", .dport = 500, .payload = 28},
		PUNT_CLASS_COUNT);
	expect_heard(&(struct pkt){.port = "pa", .src = "10.0.1.4", .dst = "10.0.1.1", .dport = 500, .payload = 28},
		PUNT_CLASS_COUNT);
	expect_heard(&(struct pkt){.port = "pa", .src = "10.0.1.4", .dst = US, .dport = 500, .payload = 28},
		PUNT_CLASS_COUNT);
	whole_stop();
}

static void
esp_and_keepalives_stay(void **state)
{
	struct pkt p = {TO_US, .sport = 4500, .dport = 4500, .payload = 60};

	start();
	pkt_send(&p); /* bytes 0 1 2 3: an SPI */
	assert_int_equal(drops_of(DROP_ESP_SPI_UNKNOWN), 1);
	p.payload = 1;
	pkt_send(&p);
	p.payload = 3;
	send_marked(&p, 0, 3);
	p.payload = 0;
	pkt_send(&p);
	assert_int_equal(drops_of(DROP_ESP_TRUNCATED), 3);
	p.payload = 60;
	p.src = PEER6;
	p.dst = US6;
	pkt_send(&p);
	assert_int_equal(drops_of(DROP_ESP_SPI_UNKNOWN), 2);
	assert_int_equal(heard.total, 0);
	p.payload = 4; /* the marker alone: IKE, whatever charon makes of it */
	expect_heard(&p, PUNT_IKE);
	whole_stop();
}

static void
fragments_reach_the_daemon(void **state)
{
	struct pkt first = {TO_US, .sport = 500, .dport = 500, .payload = 1472, .more = true, .id = 9},
		   last = {TO_US, .payload = 1000, .fragment_offset = 1480, .id = 9};

	start();
	expect_heard(&first, PUNT_IKE);
	expect_heard(&last, PUNT_IKE);
	assert_int_equal(heard.length, 1020);
	first.id = last.id = 10;
	expect_heard(&last, PUNT_CLASS_COUNT); /* it waits */
	send_marked(&first, 0, 4);
	assert_int_equal(heard.n[PUNT_IKE], 4);
	whole_stop();
}

/* ---- ICMP errors --------------------------------------------------------------------------- */

/* An error of this type whose quote has `size` bytes of a packet from our address `from`, UDP port `port`. */
static void
send_error(bool v6, uint8_t type, const char *from, uint16_t port, uint16_t size, uint8_t first_byte)
{
	struct pkt error = {TO_US, .protocol = IPPROTO_ICMP, .icmp_type = type, .payload = size};
	struct pkt quoted = {.port = "w", .src = from, .dst = v6 ? PEER6 : PEER, .sport = port, .dport = 500};
	struct rte_mbuf *m, *q;

	if (v6) {
		error.src = PEER6;
		error.dst = US6;
		error.protocol = IPPROTO_ICMPV6;
	}
	quoted.payload = 40;
	m = pkt_build(&error);
	q = pkt_build(&quoted);
	memset(rte_pktmbuf_mtod_offset(q, uint8_t *, 14 + (v6 ? 48 : 28)), 0, 4);
	*rte_pktmbuf_mtod_offset(q, uint8_t *, 14 + (v6 ? 48 : 28)) = first_byte;
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + (v6 ? 48 : 28)), rte_pktmbuf_mtod_offset(q, uint8_t *, 14),
		size);
	rte_pktmbuf_free(q);
	pkt_inject("w", m);
	whole_settle();
}

static void
errors_about_ike(void **state)
{
	start();
	for (int v6 = 0; v6 < 2; v6++) {
		const char *us = v6 ? US6 : US, *other = v6 ? PEER6 : PEER;
		uint8_t unreachable = v6 ? 1 : 3, too_big = v6 ? 2 : 3, echo_reply = v6 ? 129 : 0;
		uint16_t header = v6 ? 40 : 20;

		heard.n[PUNT_LOCAL] = 0;
		send_error(v6, unreachable, us, 500, header + 8, 0);
		send_error(v6, too_big, us, 4500, header + 12, 0);
		send_error(v6, too_big, us, 4500, header + 8, 1); /* the marker is not quoted */
		assert_int_equal(heard.n[PUNT_LOCAL], 3);

		send_error(v6, too_big, us, 4500, header + 12, 1); /* ESP in UDP */
		send_error(v6, unreachable, us, 501, header + 8, 0);
		send_error(v6, unreachable, other, 500, header + 8, 0);
		send_error(v6, unreachable, us, 500, header + 7, 0);
		send_error(v6, unreachable, us, 500, 0, 0);
		send_error(v6, echo_reply, us, 500, header + 8, 0);
		assert_int_equal(heard.n[PUNT_LOCAL], 3);
	}
	assert_int_equal(heard.total, 6);
	whole_stop();
}

/* ---- nobody listens ------------------------------------------------------------------------- */

static void
without_a_daemon_the_sender_hears(void **state)
{
	struct pkt p = {TO_US, .sport = 500, .dport = 500, .payload = 28};

	start();
	heard.deaf = true;
	for (int round = 0; round < 2; round++) {
		uint64_t before = drops_of(DROP_NOT_FOR_US);

		pkt_send(&p);
		wire_turn();
		assert_int_equal(drops_of(DROP_NOT_FOR_US), before + 1);
		assert_int_equal(exception_stats(whole_dataplane()->exception)->icmp_errors, round + 1);
		whole_dataplane()->events.local_packet = NULL;
	}
	send_error(false, 3, US, 500, 28, 0);
	assert_int_equal(exception_stats(whole_dataplane()->exception)->icmp_errors, 2);
	whole_stop();
}

/* ---- floods ---------------------------------------------------------------------------------- */

/* Without control's turns: what the worker takes is what its bucket and the ring's shared part have room for. */
static void
flood_leaves_room_for_others(void **state)
{
	struct pkt ike = {TO_US, .sport = 500, .dport = 500, .payload = 28},
		   echo = {TO_US, .protocol = IPPROTO_ICMP, .icmp_type = 8, .payload = 8};
	struct worker *w;
	struct punt_count n;

	start();
	w = whole_dataplane()->worker[0];
	for (int i = 0; i < 3000; i++) {
		pkt_inject("w", pkt_build(&ike));
		worker_turn(w);
	}
	dataplane_punts(whole_dataplane(), PUNT_IKE, &n);
	assert_int_equal(n.packets + n.dropped, 3000);
	assert_in_range(n.packets, 700, 800);
	for (int i = 0; i < 64; i++) {
		pkt_inject("w", pkt_build(&echo));
		worker_turn(w);
	}
	dataplane_punts(whole_dataplane(), PUNT_ECHO, &n);
	assert_int_equal(n.packets, 64);
	assert_int_equal(n.dropped, 0);
	while (dataplane_poll(whole_dataplane()))
		;
	assert_in_range(heard.n[PUNT_IKE], 700, 800);
	whole_settle();
	whole_stop();
}

/* ---- out -------------------------------------------------------------------------------------- */

static uint16_t iface;
static uint8_t own[3000];

/* What a daemon sends: an IP packet without its frame. */
static uint16_t
make_own(const char *src, const char *dst, uint8_t protocol, uint16_t payload)
{
	struct pkt p = {.port = "w", .src = src, .dst = dst, .protocol = protocol, .sport = 500, .dport = 500};
	struct rte_mbuf *m;
	uint16_t n;

	p.payload = payload;
	m = pkt_build(&p);
	n = m->data_len - 14;
	memcpy(own, rte_pktmbuf_mtod_offset(m, uint8_t *, 14), n);
	rte_pktmbuf_free(m);
	return n;
}

static int
send_own(const char *src, const char *dst, uint8_t protocol, uint16_t payload)
{
	return dataplane_send_local(whole_dataplane(), iface, own, make_own(src, dst, protocol, payload));
}

static uint16_t
iface_of(enum iface_kind kind)
{
	for (uint16_t i = 0; i < whole_world()->spec.n_ifaces; i++)
		if (whole_world()->spec.iface[i].kind == kind)
			return i;
	return IFACE_NONE;
}

static void
own_packets_leave_by_the_uplink(void **state)
{
	static const char *const to[] = {PEER, "198.51.100.7"};

	start();
	iface = iface_of(IFACE_UPLINK);
	for (size_t i = 0; i < RTE_DIM(to); i++) {
		uint16_t n = make_own(US, to[i], 0, 300);

		assert_int_equal(dataplane_send_local(whole_dataplane(), iface, own, n), 0);
		whole_settle();
		wire_turn();
		assert_int_equal(wire.n, i + 1);
		assert_int_equal(wire.size, n);
		assert_memory_equal(wire.last, own, n);
	}
	/* IPv6: what leaves first is the solicitation. */
	assert_int_equal(send_own(US6, PEER6, 0, 300), 0);
	whole_settle();
	wire_turn();
	assert_int_equal(wire.n, RTE_DIM(to) + 1);
	assert_int_equal(wire.last[6], IPPROTO_ICMPV6);
	whole_stop();
}

static void
own_packets_are_checked(void **state)
{
	uint16_t n;

	start();
	iface = iface_of(IFACE_UPLINK);
	assert_int_equal(send_own(PEER, US, 0, 10), -EINVAL);         /* not ours */
	assert_int_equal(send_own("10.0.1.1", PEER, 0, 10), -EINVAL); /* ours, but not on this interface */
	assert_int_equal(send_own("fe80::1", PEER6, 0, 10), -EINVAL);
	assert_int_equal(send_own(US, "224.0.0.22", 0, 10), -EINVAL);
	assert_int_equal(send_own(US, "255.255.255.255", 0, 10), -EINVAL);
	assert_int_equal(send_own(US6, "ff02::16", 0, 10), -EINVAL);
	assert_int_equal(send_own(US, PEER, IPPROTO_ESP, 40), -EINVAL);
	assert_int_equal(send_own(US, PEER, 0, 1472), 0);
	assert_int_equal(send_own(US, PEER, 0, 1473), -EMSGSIZE);

	n = make_own(US, PEER, 0, 40);
	for (uint16_t size = 0; size < n; size++)
		assert_int_equal(dataplane_send_local(whole_dataplane(), iface, own, size), -EINVAL);
	assert_int_equal(dataplane_send_local(whole_dataplane(), iface, own, n + 6), 0); /* link padding */
	own[0] = 0x55;
	assert_int_equal(dataplane_send_local(whole_dataplane(), iface, own, n), -EINVAL);
	make_own(US, PEER, 0, 40);
	assert_int_equal(dataplane_send_local(whole_dataplane(), iface_of(IFACE_SUBNET), own, n), -EINVAL);
	assert_int_equal(dataplane_send_local(whole_dataplane(), 4095, own, n), -EINVAL);
	whole_settle();
	wire_turn();
	whole_stop();
}

/* The worker does not turn: what waits fits into a port's queue, and leaves room for views and answers. */
static void
own_packets_wait_in_the_kernel(void **state)
{
	uint32_t sent = 0;
	int r;

	start();
	iface = iface_of(IFACE_UPLINK);
	while ((r = send_own(US, PEER, 0, 10)) == 0 && sent < 5000)
		sent++;
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(sent, 32);
	assert_false(dataplane_send_local_ready(whole_dataplane()));
	whole_settle();
	assert_true(dataplane_send_local_ready(whole_dataplane()));
	wire_turn();
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(classes_by_port, whole_teardown),
		cmocka_unit_test_teardown(only_what_is_ours, whole_teardown),
		cmocka_unit_test_teardown(esp_and_keepalives_stay, whole_teardown),
		cmocka_unit_test_teardown(fragments_reach_the_daemon, whole_teardown),
		cmocka_unit_test_teardown(errors_about_ike, whole_teardown),
		cmocka_unit_test_teardown(without_a_daemon_the_sender_hears, whole_teardown),
		cmocka_unit_test_teardown(flood_leaves_room_for_others, whole_teardown),
		cmocka_unit_test_teardown(own_packets_leave_by_the_uplink, whole_teardown),
		cmocka_unit_test_teardown(own_packets_are_checked, whole_teardown),
		cmocka_unit_test_teardown(own_packets_wait_in_the_kernel, whole_teardown),
	};

	return WHOLE_RUN("local", tests);
}
