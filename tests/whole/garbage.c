/* Frames of random bytes, and sound packets with a few bytes changed: see garbage.h. */
#include "garbage.h"

#include <netinet/in.h>
#include <string.h>

static uint64_t seed = 0x9e3779b97f4a7c15ull;

uint64_t
garbage_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct rte_mbuf *
random_bytes(const struct mac_addr *mac)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8100, 0x1234};
	struct rte_mbuf *m = rte_pktmbuf_alloc(whole_pool());
	uint16_t size = 14 + garbage_random() % (garbage_random() % 16 ? 160 : 1500),
		 type = types[garbage_random() % 5];
	uint8_t *frame;

	assert_non_null(m);
	frame = (uint8_t *)rte_pktmbuf_append(m, size);
	for (uint16_t i = 0; i < size; i++)
		frame[i] = (uint8_t)garbage_random();
	memcpy(frame, mac->b, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	if (type == 0x0800 && size > 34)
		frame[14] = 0x45;
	if (type == 0x86dd && size > 54)
		frame[14] = 0x60;
	return m;
}

static struct rte_mbuf *
changed_packet(const char *port)
{
	static const char *const v4[] = {"10.0.1.10", "10.0.2.10", "10.9.0.1", "192.0.2.9", "192.0.2.1", "10.0.1.1"};
	static const char *const v6[] = {
		"fd00:0:0:1::10", "fd00:0:0:2::10", "2001:db8::1", "fe80::1", "ff02::1", "fd00:0:0:1::1"};
	static const uint8_t protocols[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_ESP, IPPROTO_FRAGMENT, 0, 43, 60};
	const char *const *address = garbage_random() & 1 ? v4 : v6;
	struct pkt p = {.port = port,
		.vlan = strcmp(port, "pb") == 0 ? 5 : 0,
		.src = address[garbage_random() % 6],
		.dst = address[garbage_random() % 6],
		.protocol = protocols[garbage_random() % sizeof(protocols)],
		.sport = (uint16_t)garbage_random(),
		.dport = garbage_random() & 1 ? 4500 : (uint16_t)garbage_random(),
		.payload = garbage_random() % 8 ? garbage_random() % 80 : garbage_random() % 1400,
		.ttl = 1 + garbage_random() % 3,
		.icmp_type = (uint8_t)(garbage_random() & 1 ? 133 + garbage_random() % 5 : garbage_random()),
		.more = address == v4 && garbage_random() % 8 == 0,
		.fragment_offset = address == v4 && garbage_random() % 8 == 0 ? garbage_random() % 64 * 8 : 0,
		.id = garbage_random() % 64,
		.df = garbage_random() & 1};
	struct rte_mbuf *m = pkt_build(&p);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	for (uint64_t changes = garbage_random() % 4; changes; changes--)
		frame[14 + garbage_random() % (m->data_len - 14)] = (uint8_t)garbage_random();
	if (garbage_random() % 16 == 0)
		rte_pktmbuf_trim(m, garbage_random() % (m->data_len - 13));
	return m;
}

struct rte_mbuf *
garbage_frame(const char *port)
{
	return garbage_random() & 1 ? random_bytes(&port_caps(whole_port(port))->mac) : changed_packet(port);
}
