/* Bytes from the wire may be anything: no crash, no lost buffer, every frame accounted for.
 *
 * Half the frames are random bytes behind a link header that is ours, half are sound packets with a
 * few bytes changed. GARBAGE_FRAMES sets how many (2,000,000 by default).
 */
#include "lab.h"
#include "whole.h"

#include "dataplane/worker.h"

#include <rte_cycles.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 0x9e3779b97f4a7c15ull;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static const char *const ports[] = {"pa", "pb", "w"};

static struct rte_mbuf *
random_bytes(const char *port, uint16_t id)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8100, 0x1234};
	struct rte_mbuf *m = rte_pktmbuf_alloc(whole_pool());
	uint16_t size = 14 + rnd() % (rnd() % 16 ? 160 : 1500), type = types[rnd() % 5];
	uint8_t *frame;

	assert_non_null(m);
	frame = (uint8_t *)rte_pktmbuf_append(m, size);
	for (uint16_t i = 0; i < size; i++)
		frame[i] = (uint8_t)rnd();
	memcpy(frame, port_caps(id)->mac.b, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	if (type == 0x0800 && size > 34)
		frame[14] = 0x45;
	if (type == 0x86dd && size > 54)
		frame[14] = 0x60;
	return m;
}

static struct rte_mbuf *
changed_packet(const char *port, uint16_t id)
{
	static const char *const v4[] = {"10.0.1.10", "10.0.2.10", "10.9.0.1", "192.0.2.9", "192.0.2.1", "10.0.1.1"};
	static const char *const v6[] = {
		"fd00:0:0:1::10", "fd00:0:0:2::10", "2001:db8::1", "fe80::1", "ff02::1", "fd00:0:0:1::1"};
	static const uint8_t protocols[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_ESP, IPPROTO_FRAGMENT, 0, 43, 60};
	const char *const *address = rnd() & 1 ? v4 : v6;
	struct pkt p = {.port = port,
		.vlan = id == 1 ? 5 : 0,
		.src = address[rnd() % 6],
		.dst = address[rnd() % 6],
		.protocol = protocols[rnd() % sizeof(protocols)],
		.sport = (uint16_t)rnd(),
		.dport = rnd() & 1 ? 4500 : (uint16_t)rnd(),
		.payload = rnd() % 8 ? rnd() % 80 : rnd() % 1400,
		.ttl = 1 + rnd() % 3,
		.icmp_type = (uint8_t)(rnd() & 1 ? 133 + rnd() % 5 : rnd()),
		.more = address == v4 && rnd() % 8 == 0,
		.fragment_offset = address == v4 && rnd() % 8 == 0 ? rnd() % 64 * 8 : 0,
		.id = rnd() % 64,
		.df = rnd() & 1};
	struct rte_mbuf *m = pkt_build(&p);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	for (uint64_t changes = rnd() % 4; changes; changes--)
		frame[14 + rnd() % (m->data_len - 14)] = (uint8_t)rnd();
	if (rnd() % 16 == 0)
		rte_pktmbuf_trim(m, rnd() % (m->data_len - 13));
	return m;
}

static void
throw_away_output(void)
{
	struct rte_mbuf *m;

	for (size_t i = 0; i < 3; i++)
		while ((m = port_out(ports[i])) != NULL)
			rte_pktmbuf_free(m);
}

static void
garbage_is_survived_and_counted(void **state)
{
	const char *said = getenv("GARBAGE_FRAMES");
	uint64_t frames = said ? strtoull(said, NULL, 10) : 2000000;
	struct worker_stats s;

	whole_start(lab_everything);
	for (uint64_t i = 0; i < frames; i++) {
		uint16_t port = rnd() % 3;

		pkt_inject(
			ports[port], rnd() & 1 ? random_bytes(ports[port], port) : changed_packet(ports[port], port));
		if (i % 16 == 15) {
			worker_turn(whole_dataplane()->worker[0]);
			dataplane_poll(whole_dataplane());
			throw_away_output();
		}
	}
	whole_settle();
	dataplane_worker_stats(whole_dataplane(), 0, &s);
	assert_int_equal(s.rx_packets, frames);
	assert_true(s.dropped > frames / 3);
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(garbage_is_survived_and_counted, whole_teardown),
	};

	return WHOLE_RUN("garbage", tests);
}
