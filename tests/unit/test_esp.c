/* Sealing and opening: what goes in comes out, and whatever was touched on the way is dropped by its name. */
#include "tests/unit/esp_world.h"

#include <rte_random.h>
#include <rte_udp.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V4 "192.0.2.1", "198.51.100.2"
#define V6 "2001:db8:1::1", "2001:db8:2::2"

static struct cfg_sa
gcm(void)
{
	return esp_config(ENC_AES_GCM_128, INTEG_NONE);
}

static void
begin(const struct cfg_sa *c, bool outer_v6)
{
	int rc = outer_v6 ? esp_world_open(c, V6) : esp_world_open(c, V4);

	assert_int_equal(rc, 0);
	esp_burst_clear();
}

static void
end(void)
{
	esp_burst_free();
	esp_world_close();
	assert_int_equal(rte_mempool_avail_count(esp.pool), ESP_BUFFERS);
}

static struct packet *
packet(uint16_t i)
{
	assert_true(i < esp.burst.n);
	return esp.burst.pkt[i];
}

/* The only packet of the burst, copied out: its size. */
static uint16_t
take(uint8_t *to)
{
	struct rte_mbuf *m = packet(0)->m;
	uint16_t n = m->data_len;

	assert_int_equal(esp.burst.n, 1);
	assert_int_equal(m->pkt_len, n);
	memcpy(to, rte_pktmbuf_mtod(m, void *), n);
	esp_burst_free();
	return n;
}

/* Seal one packet; its sealed bytes. */
static uint16_t
seal(const uint8_t *inner, uint16_t n, uint8_t *sealed)
{
	esp_burst_clear();
	assert_true(esp_burst_add(inner, n, ESP_GATEWAY, 0));
	esp_seal(esp.w, &esp.burst);
	return take(sealed);
}

/* Open one packet that came in at the uplink; packets left in the burst. */
static uint16_t
open_bytes(const uint8_t *sealed, uint16_t n)
{
	esp_burst_clear();
	assert_true(esp_burst_add(sealed, n, ESP_UPLINK, TUNNEL_NONE));
	esp_open(esp.w, &esp.burst);
	return esp.burst.n;
}

static void
expect_refused(const uint8_t *sealed, uint16_t n, enum drop_reason reason)
{
	uint64_t before = esp.w->drops[reason], all = esp_drops();

	assert_int_equal(open_bytes(sealed, n), 0);
	if (esp.w->drops[reason] != before + 1)
		for (int r = 0; r < DROP_REASON_COUNT; r++)
			if (esp.w->drops[r])
				print_message("counted: %s %lu\n", drop_name(r), esp.w->drops[r]);
	assert_int_equal(esp.w->drops[reason], before + 1);
	assert_int_equal(esp_drops(), all + 1);
}

static void
expect_opened(const uint8_t *sealed, uint16_t n, const uint8_t *inner, uint16_t inner_n)
{
	uint64_t all = esp_drops();
	struct packet *p;

	assert_int_equal(open_bytes(sealed, n), 1);
	p = packet(0);
	assert_int_equal(esp_drops(), all);
	assert_int_equal(p->iface, ESP_GATEWAY);
	assert_int_equal(p->tunnel, 1);
	assert_true(p->flags & PKT_OPENED);
	assert_ptr_equal(p->l3, rte_pktmbuf_mtod(p->m, uint8_t *));
	assert_int_equal(p->l3_len, inner_n);
	assert_int_equal(p->m->data_len, inner_n);
	assert_memory_equal(p->l3, inner, inner_n);
	esp_burst_free();
}

static void
roundtrip(uint16_t n, bool inner_v6)
{
	uint8_t inner[2048], sealed[2300];
	uint16_t size;

	esp_inner(inner, n, inner_v6, 0, false);
	size = seal(inner, n, sealed);
	assert_true(size <= n + sa_overhead(esp.out, esp.tunnel[0].local.family));
	expect_opened(sealed, size, inner, n);
}

/* ---- round trips -------------------------------------------------------------------- */

static void
every_algorithm(void **unused)
{
	enum cfg_encryption e;
	enum cfg_integrity g;

	for (uint32_t kind = 0; esp_kind(kind, &e, &g); kind++) {
		for (uint32_t variant = 0; variant < 16; variant++) {
			struct cfg_sa c = esp_config(e, g);

			c.esn = variant & 1;
			c.udp_encap = variant & 2;
			begin(&c, variant & 4);
			for (uint16_t n = 60; n < 200; n += 7)
				roundtrip(n, variant & 8);
			roundtrip(1500, variant & 8);
			end();
		}
	}
}

static void
every_length(void **unused)
{
	enum cfg_encryption e;
	enum cfg_integrity g;

	for (uint32_t kind = 0; esp_kind(kind, &e, &g); kind++) {
		struct cfg_sa c = esp_config(e, g);

		c.esn = kind & 1;
		begin(&c, false);
		for (uint16_t n = 20; n <= 1500; n++)
			roundtrip(n, n >= 40 && (n & 1));
		end();
	}
}

/* Bursts of many packets, clear ones between them: order is kept, clear ones are not touched. */
static void
bursts_keep_order(void **unused)
{
	struct cfg_sa c = esp_config(ENC_AES_CBC_128, INTEG_SHA256_128);
	uint8_t inner[1600];

	begin(&c, false);
	for (uint32_t round = 0; round < 200; round++) {
		uint16_t n = 1 + (uint16_t)rte_rand_max(BURST_MAX), size[BURST_MAX];
		bool clear[BURST_MAX];

		esp_burst_clear();
		for (uint16_t i = 0; i < n; i++) {
			clear[i] = rte_rand_max(4) == 0;
			size[i] = 30 + (uint16_t)rte_rand_max(1400);
			esp_inner(inner, size[i], false, 0, false);
			assert_true(esp_burst_add(inner, size[i], ESP_GATEWAY, clear[i] ? TUNNEL_NONE : 0));
		}
		esp_seal(esp.w, &esp.burst);
		assert_int_equal(esp.burst.n, n);
		for (uint16_t i = 0; i < n; i++)
			assert_int_equal(packet(i)->protocol, clear[i] ? IPPROTO_UDP : ESP_PROTOCOL);
		esp_burst_turn_round();
		esp_open(esp.w, &esp.burst);
		assert_int_equal(esp.burst.n, n);
		for (uint16_t i = 0; i < n; i++) {
			esp_inner(inner, size[i], false, 0, false);
			assert_int_equal(packet(i)->iface, clear[i] ? ESP_UPLINK : ESP_GATEWAY);
			assert_memory_equal(packet(i)->l3, inner, size[i]);
		}
		esp_burst_free();
	}
	end();
}

/* ---- the outer packet --------------------------------------------------------------- */

static void
outer_v4(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[200], sealed[400];
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)sealed;
	uint16_t size;

	begin(&c, false);
	esp_inner(inner, 101, false, 0xb9, true);
	size = seal(inner, 101, sealed);
	assert_int_equal(size, 20 + 16 + 104 + 16); /* 101 + 1 + 2 */
	assert_int_equal(ip->version_ihl, 0x45);
	assert_int_equal(ip->type_of_service, 0xb9);
	assert_int_equal(rte_be_to_cpu_16(ip->total_length), size);
	assert_int_equal(rte_be_to_cpu_16(ip->fragment_offset), 0x4000);
	assert_int_equal(ip->time_to_live, 64);
	assert_int_equal(ip->next_proto_id, 50);
	assert_int_equal(rte_raw_cksum(ip, 20), 0xffff);
	assert_int_equal(ip->src_addr, RTE_IPV4(1, 2, 0, 192));
	assert_int_equal(ip->dst_addr, RTE_IPV4(2, 100, 51, 198));
	assert_int_equal(esp_spi(sealed + 20), 0x1234abcd);
	assert_int_equal(esp_sequence(sealed + 20), 1);

	/* The second one counts on; DF and DSCP only when they are to be copied, ECN always. */
	esp.tunnel[0].copy_df = esp.tunnel[0].copy_dscp = false;
	size = seal(inner, 101, sealed);
	assert_int_equal(esp_sequence(sealed + 20), 2);
	assert_int_equal(rte_be_to_cpu_16(ip->packet_id), 2);
	assert_int_equal(ip->fragment_offset, 0);
	assert_int_equal(ip->type_of_service, 0x01);
	assert_int_equal(rte_raw_cksum(ip, 20), 0xffff);
	end();
}

static void
outer_is_a_packet_of_ours(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[200];
	struct packet *p;

	for (int udp = 0; udp < 2; udp++) {
		c.udp_encap = udp;
		c.udp_remote_port = 4501;
		begin(&c, udp);
		esp_inner(inner, 100, false, 0x20, false);
		assert_true(esp_burst_add(inner, 100, ESP_GATEWAY, 0));
		esp_seal(esp.w, &esp.burst);
		p = packet(0);
		assert_int_equal(p->out, ESP_UPLINK);
		assert_int_equal(p->tunnel, TUNNEL_NONE);
		assert_int_equal(p->protocol, udp ? 17 : 50);
		assert_int_equal(p->l4_off, udp ? 40 : 20);
		assert_int_equal(p->destination_port, udp ? 4501 : 0);
		assert_int_equal(p->source_port, udp ? 4500 : 0);
		assert_int_equal(p->flags, udp ? PKT_V6 | PKT_DF : 0);
		assert_int_equal(p->tos, 0x20);
		assert_int_equal(p->l3_len, p->m->data_len);
		assert_ptr_equal(p->l3, rte_pktmbuf_mtod(p->m, uint8_t *));
		if (udp)
			assert_memory_equal(p->v6.dst, esp.tunnel[0].remote.b, 16);
		else
			assert_memory_equal(&p->v4.dst, esp.tunnel[0].remote.b, 4);
		end();
	}
}

static void
udp_headers(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[200], sealed[400];
	const struct rte_udp_hdr *udp;
	uint16_t size, checksum;

	c.udp_encap = true;
	begin(&c, false);
	esp_inner(inner, 100, false, 0, false);
	size = seal(inner, 100, sealed);
	udp = (const struct rte_udp_hdr *)(sealed + 20);
	assert_int_equal(rte_be_to_cpu_16(udp->src_port), 4500);
	assert_int_equal(rte_be_to_cpu_16(udp->dst_port), 4500);
	assert_int_equal(rte_be_to_cpu_16(udp->dgram_len), size - 20);
	assert_int_equal(udp->dgram_cksum, 0);
	end();

	/* Over IPv6 the checksum is there and right, for odd lengths too. */
	begin(&c, true);
	for (uint16_t n = 100; n < 110; n++) {
		esp_inner(inner, n, false, 0, false);
		size = seal(inner, n, sealed);
		udp = (const struct rte_udp_hdr *)(sealed + 40);
		checksum = udp->dgram_cksum;
		memset(sealed + 46, 0, 2); /* the checksum field */
		assert_int_not_equal(checksum, 0);
		assert_int_equal(checksum, rte_ipv6_udptcp_cksum((const struct rte_ipv6_hdr *)sealed, udp));
		assert_int_equal(rte_be_to_cpu_16(udp->dgram_len), size - 40);
	}
	end();
}

/* Inner MTU and overhead are what sealing really does. */
static void
sizes_are_exact(void **unused)
{
	enum cfg_encryption e;
	enum cfg_integrity g;
	uint8_t inner[2048], sealed[2300];

	for (uint32_t kind = 0; esp_kind(kind, &e, &g); kind++) {
		for (uint32_t variant = 0; variant < 4; variant++) {
			struct cfg_sa c = esp_config(e, g);
			uint16_t worst = 0, family, overhead;

			c.udp_encap = variant & 1;
			begin(&c, variant & 2);
			family = esp.tunnel[0].local.family;
			overhead = sa_overhead(esp.out, (uint8_t)family);
			for (uint16_t mtu = 1280; mtu < 1300; mtu++) {
				uint16_t n = sa_inner_mtu(esp.out, (uint8_t)family, mtu);

				esp_inner(inner, n, false, 0, false);
				assert_true(seal(inner, n, sealed) <= mtu);
				esp_inner(inner, n + 1, false, 0, false);
				assert_true(seal(inner, n + 1, sealed) > mtu);
			}
			for (uint16_t n = 100; n < 132; n++) {
				esp_inner(inner, n, false, 0, false);
				worst = RTE_MAX(worst, seal(inner, n, sealed) - n);
			}
			assert_int_equal(worst, overhead);
			assert_int_equal(sa_inner_mtu(esp.out, (uint8_t)family, 40), 0);
			end();
		}
	}
}

static void
room_is_checked(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[2048];

	begin(&c, false);
	esp_inner(inner, 1000, false, 0, false);
	for (int side = 0; side < 2; side++) {
		struct packet *p;

		esp_burst_clear();
		assert_true(esp_burst_add(inner, 1000, ESP_GATEWAY, 0));
		p = packet(0);
		p->l3 = side ? (uint8_t *)p->m->buf_addr + 20 : (uint8_t *)p->m->buf_addr + p->m->buf_len - 1010;
		memcpy(p->l3, inner, 1000);
		esp_seal(esp.w, &esp.burst);
		assert_int_equal(esp.burst.n, 0);
		assert_int_equal(esp.w->drops[DROP_NO_BUFFER], side + 1);
	}
	end();
}

/* ---- ECN ---------------------------------------------------------------------------- */

/* Change the outer TOS of a sealed IPv4 packet. */
static void
outer_tos(uint8_t *sealed, uint8_t tos)
{
	uint16_t sum;

	sealed[1] = tos;
	sealed[10] = sealed[11] = 0;
	sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)sealed);
	memcpy(sealed + 10, &sum, 2);
}

/* RFC 6040 section 4.2, figure 4, written down a second time: what leaves for (inner, outer), -1 = dropped. */
static int
ecn_expected(int inner, int outer)
{
	enum { NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3 };

	if (outer == CE)
		return inner == NOT_ECT ? -1 : CE;
	if (inner == ECT0 && outer == ECT1)
		return ECT1;
	return inner;
}

static void
ecn(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[200], expected[200], sealed[400];

	for (int variant = 0; variant < 16 * 2; variant++) {
		int in = variant & 3, out = variant >> 2 & 3, want = ecn_expected(in, out);
		bool v6 = variant >> 4;
		uint16_t size;

		begin(&c, false);
		esp_inner(inner, 100, v6, 0x50 | in, false);
		size = seal(inner, 100, sealed);
		assert_int_equal(sealed[1], 0x50 | in); /* normal mode: copied, CE too */
		outer_tos(sealed, 0x28 | out);
		if (want < 0) {
			expect_refused(sealed, size, DROP_ESP_ECN);
		} else {
			esp_inner(expected, 100, v6, 0x50 | want, false);
			memcpy(expected + (v6 ? 40 : 20), inner + (v6 ? 40 : 20), 100 - (v6 ? 40 : 20));
			expect_opened(sealed, size, expected, 100);
		}
		end();
	}
}

/* ---- every bit ---------------------------------------------------------------------- */

/* Flip each bit from the ESP header on. Numbers 100..107 were sealed, 104 opened: flips of the number give old, seen
 * or unknown ones. */
static void
flip_all(const struct cfg_sa *c)
{
	uint8_t inner[120], sealed[400], other[400];
	uint16_t size = 0, off = c->udp_encap ? 28 : 20;

	begin(c, false);
	esp_inner(inner, 90, false, 0, false);
	for (int i = 0; i < 104; i++)
		seal(inner, 90, other);
	size = seal(inner, 90, other);
	expect_opened(other, size, inner, 90); /* 105 */
	size = seal(inner, 90, sealed);        /* 106 */
	for (uint16_t bit = 0; bit < (size - off) * 8; bit++) {
		enum drop_reason reason = DROP_ESP_AUTHENTICATION;
		uint32_t number;

		memcpy(other, sealed, size);
		other[off + bit / 8] ^= 0x80 >> bit % 8;
		number = esp_sequence(other + off);
		if (bit < 32)
			reason = DROP_ESP_SPI_UNKNOWN;
		else if (bit < 64 && !c->esn && (number + 64 <= 105 || number == 105))
			reason = DROP_ESP_REPLAY;
		/* With ESN a number left of the window is one of the next 2^32. */
		else if (bit < 64 && c->esn && number == 105)
			reason = DROP_ESP_REPLAY;
		expect_refused(other, size, reason);
	}
	expect_opened(sealed, size, inner, 90);
	end();
}

static void
every_bit(void **unused)
{
	enum cfg_encryption e;
	enum cfg_integrity g;

	for (uint32_t kind = 0; esp_kind(kind, &e, &g); kind++) {
		struct cfg_sa c = esp_config(e, g);

		for (int variant = 0; variant < 4; variant++) {
			c.esn = variant & 1;
			c.udp_encap = variant & 2;
			flip_all(&c);
		}
	}
}

/* Cut anywhere, behind the IP header: named, never read past its end. */
static void
every_cut(void **unused)
{
	enum cfg_encryption e;
	enum cfg_integrity g;
	uint8_t inner[120], sealed[400], cut[400];

	for (uint32_t kind = 0; esp_kind(kind, &e, &g); kind++) {
		struct cfg_sa c = esp_config(e, g);
		uint16_t size, least;

		begin(&c, false);
		esp_inner(inner, 90, false, 0, false);
		size = seal(inner, 90, sealed);
		least = 20 + esp.in->header + esp.in->icv + 2;
		for (uint16_t n = 20; n < size; n++) {
			uint16_t sum, payload = n - 20 - esp.in->header - esp.in->icv;
			enum drop_reason reason = DROP_ESP_AUTHENTICATION;

			memcpy(cut, sealed, n);
			cut[2] = (uint8_t)(n >> 8);
			cut[3] = (uint8_t)n;
			cut[10] = cut[11] = 0;
			sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)cut);
			memcpy(cut + 10, &sum, 2);
			if (n < least)
				reason = DROP_ESP_TRUNCATED;
			else if (payload & esp.in->pad_mask)
				reason = DROP_ESP_LENGTH;
			expect_refused(cut, n, reason);
		}
		end();
	}
}

/* ---- packets that only a peer with the key can make ---------------------------------- */

/* An outer IPv4 packet around this payload (trailer included), sealed by the library beneath. */
static uint16_t
craft(const void *payload, uint16_t n, uint8_t *sealed)
{
	const struct sa *sa = esp.out;
	uint16_t size = 20 + sa->header + n + sa->icv, sum;
	uint64_t number = atomic_fetch_add(&sa->state->next, 1);
	uint32_t spi = rte_cpu_to_be_32(sa->spi), low = rte_cpu_to_be_32((uint32_t)number);
	struct crypto_op op = {.key = sa->key, .esp = sealed + 20, .sequence = number, .length = sa->header + n};

	memcpy(sealed, "\x45\x00\x00\x00\x00\x00\x00\x00\x40\x32\x00\x00", 12);
	sealed[2] = (uint8_t)(size >> 8);
	sealed[3] = (uint8_t)size;
	memcpy(sealed + 12, esp.tunnel[0].local.b, 4);
	memcpy(sealed + 16, esp.tunnel[0].remote.b, 4);
	sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)sealed);
	memcpy(sealed + 10, &sum, 2);
	memcpy(sealed + 20, &spi, 4);
	memcpy(sealed + 24, &low, 4);
	memcpy(sealed + 20 + sa->header, payload, n);
	crypto_seal(esp.w->crypto, &op, 1);
	return size;
}

/* Payload: an inner packet of n bytes, `between` zero bytes of TFC padding, a trailer of this padding. */
static uint16_t
payload_make(uint8_t *to, uint16_t n, uint16_t between, uint8_t padding, uint8_t next, bool v6)
{
	if (n)
		esp_inner(to, n, v6, 0, false);
	memset(to + n, 0, between);
	for (uint8_t i = 0; i < padding; i++)
		to[n + between + i] = i + 1;
	to[n + between + padding] = padding;
	to[n + between + padding + 1] = next;
	return n + between + padding + 2;
}

static void
trailers(void **unused)
{
	struct cfg_sa kinds[2] = {gcm(), esp_config(ENC_AES_CBC_256, INTEG_SHA512_256)};
	uint8_t payload[1024], inner[512], sealed[1200];
	uint16_t n, size;

	for (int k = 0; k < 2; k++) {
		begin(&kinds[k], false);
		esp_inner(inner, 100, false, 0, false);

		/* TFC padding (RFC 4303 section 2.7) and more padding than needed are fine */
		n = payload_make(payload, 100, 300, 14, 4, false);
		size = craft(payload, n, sealed);
		expect_opened(sealed, size, inner, 100);
		n = payload_make(payload, 100, 0, 250, 4, false);
		size = craft(payload, n, sealed);
		expect_opened(sealed, size, inner, 100);

		/* each padding byte is looked at */
		for (int i = 0; i < 250; i++) {
			n = payload_make(payload, 100, 0, 250, 4, false);
			payload[100 + i] ^= 1;
			size = craft(payload, n, sealed);
			expect_refused(sealed, size, DROP_ESP_PADDING);
		}
		/* more padding than payload; exactly all of it leaves nothing to parse */
		n = payload_make(payload, 0, 0, 46, 4, false);
		payload[46] = 47;
		size = craft(payload, n, sealed);
		expect_refused(sealed, size, DROP_ESP_PADDING);
		n = payload_make(payload, 0, 0, 46, 4, false);
		size = craft(payload, n, sealed);
		expect_refused(sealed, size, DROP_ESP_INNER);

		for (int next = 0; next < 256; next++) {
			n = payload_make(payload, 100, 0, 10, (uint8_t)next, false);
			size = craft(payload, n, sealed);
			if (next == 4)
				expect_opened(sealed, size, inner, 100);
			else if (next == 41)
				expect_refused(sealed, size, DROP_ESP_INNER); /* IPv4 inside */
			else
				expect_refused(sealed, size, next == 59 ? DROP_ESP_DUMMY : DROP_ESP_NEXT_HEADER);
		}
		end();
	}
}

static void
malformed_inner(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t payload[1024], sealed[1200];
	uint16_t n;

	begin(&c, false);
	n = payload_make(payload, 100, 0, 2, 4, false);
	payload[3] = 103; /* longer than what is there */
	expect_refused(sealed, craft(payload, n, sealed), DROP_ESP_INNER);
	payload_make(payload, 100, 0, 2, 4, false);
	payload[10] ^= 0x10; /* header checksum */
	expect_refused(sealed, craft(payload, n, sealed), DROP_ESP_INNER);
	payload_make(payload, 100, 0, 2, 4, false);
	payload[0] = 0x55;
	expect_refused(sealed, craft(payload, n, sealed), DROP_ESP_INNER);
	payload_make(payload, 100, 0, 2, 4, true); /* IPv6 in a packet that says IPv4 */
	expect_refused(sealed, craft(payload, n, sealed), DROP_ESP_INNER);
	payload_make(payload, 100, 0, 2, 41, true);
	assert_int_equal(open_bytes(sealed, craft(payload, n, sealed)), 1);
	end();
}

/* ---- numbers ------------------------------------------------------------------------ */

static void
add_inner(uint16_t times)
{
	uint8_t inner[200];

	esp_inner(inner, 100, false, 0, false);
	esp_burst_clear();
	for (uint16_t i = 0; i < times; i++)
		assert_true(esp_burst_add(inner, 100, ESP_GATEWAY, 0));
}

static uint16_t
seal_many(uint16_t times)
{
	add_inner(times);
	esp_seal(esp.w, &esp.burst);
	return esp.burst.n;
}

static uint32_t
number_of(uint16_t i)
{
	return esp_sequence(packet(i)->l3 + 20);
}

static void
expect_event(enum sa_event_kind kind, uint32_t name)
{
	struct event e;

	assert_true(esp_event(&e));
	assert_int_equal(e.type, EVENT_SA);
	assert_int_equal(e.class, kind);
	assert_int_equal(e.name, name);
}

static void
expect_no_event(void)
{
	struct event e;

	assert_false(esp_event(&e));
}

static void
reserve_is_never_passed(void **unused)
{
	struct cfg_sa c = gcm();
	struct sa_counters counters;

	assert_int_equal(esp_world_open_at(&c, V4, 1000, 1050), 0);
	assert_int_equal(seal_many(20), 20);
	assert_int_equal(number_of(0), 1000);
	expect_no_event();
	esp_burst_free();
	assert_int_equal(seal_many(20), 20); /* more than half is gone */
	expect_event(SA_EVENT_RESERVE_LOW, ESP_NAME_OUT);
	esp_burst_free();
	assert_int_equal(seal_many(20), 10);
	assert_int_equal(number_of(9), 1049);
	assert_int_equal(esp.w->drops[DROP_SA_SEQUENCE_WAIT], 10);
	esp_burst_free();
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(seal_many(20), 0);
		esp_burst_free();
	}
	expect_no_event();

	/* Numbers go on behind what was taken; waiting took none. */
	sa_reserve(esp.out, 1090);
	assert_int_equal(seal_many(20), 20);
	assert_int_equal(number_of(0), 1060);
	assert_int_equal(number_of(19), 1079);
	esp_burst_free();
	sa_reserve(esp.out, 1000); /* never goes back */
	sa_counters_read(esp.out, &counters);
	assert_int_equal(counters.sequence, 1080);
	assert_int_equal(counters.reserved, 1090);
	assert_int_equal(counters.packets, 70);
	assert_int_equal(counters.bytes, 7000);
	assert_int_equal(counters.drops, 20010);
	end();
}

static void
numbers_end(void **unused)
{
	struct cfg_sa c = gcm();
	uint64_t last[2] = {UINT32_MAX, SA_SEQUENCE_END_ESN - 1};
	struct sa_counters counters;

	for (int esn = 0; esn < 2; esn++) {
		c.esn = esn;
		assert_int_equal(esp_world_open_at(&c, V4, last[esn] - 9, UINT64_MAX), 0);
		assert_int_equal(seal_many(32), 10);
		assert_int_equal(number_of(9), (uint32_t)last[esn]);
		assert_int_equal(esp.w->drops[DROP_SA_SEQUENCE], 22);
		expect_event(SA_EVENT_EXHAUSTED, ESP_NAME_OUT);
		esp_burst_free();
		for (int i = 0; i < 10000; i++) {
			assert_int_equal(seal_many(64), 0);
			esp_burst_free();
		}
		expect_no_event();
		sa_counters_read(esp.out, &counters);
		assert_true(counters.exhausted);
		assert_true(counters.sequence >= last[esn]);
		end();
	}
}

/* ESN: both ends go on across 2^32, and a packet from before it is still known. */
static void
esn_crosses(void **unused)
{
	enum cfg_encryption e;
	enum cfg_integrity g;
	uint8_t inner[100], late[300], sealed[300];

	for (uint32_t kind = 0; esp_kind(kind, &e, &g); kind++) {
		struct cfg_sa c = esp_config(e, g);
		uint16_t size = 0, late_size = 0;

		c.esn = true;
		assert_int_equal(esp_world_open_at(&c, V4, (7ull << 32) - 20, UINT64_MAX), 0);
		esp_inner(inner, 80, false, 0, false);
		for (int i = 0; i < 40; i++) {
			size = seal(inner, 80, sealed);
			if (i == 10) {
				memcpy(late, sealed, size);
				late_size = size;
			} else {
				expect_opened(sealed, size, inner, 80);
			}
		}
		assert_int_equal(esp_sequence(sealed + 20), 19);
		assert_int_equal(replay_top(&esp.in->state->replay), (7ull << 32) + 19);
		expect_opened(late, late_size, inner, 80);
		expect_refused(late, late_size, DROP_ESP_REPLAY);
		end();
	}
}

static void
replays(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], first[300], sealed[300];
	uint16_t size;

	/* twice in one burst */
	begin(&c, false);
	esp_inner(inner, 80, false, 0, false);
	size = seal(inner, 80, first);
	esp_burst_clear();
	for (int i = 0; i < 5; i++)
		assert_true(esp_burst_add(first, size, ESP_UPLINK, TUNNEL_NONE));
	esp_open(esp.w, &esp.burst);
	assert_int_equal(esp.burst.n, 1);
	assert_int_equal(esp.w->drops[DROP_ESP_REPLAY], 4);
	esp_burst_free();

	/* left of the window, within one burst too */
	seal(inner, 80, first);
	for (int i = 0; i < 64; i++)
		size = seal(inner, 80, sealed);
	esp_burst_clear();
	assert_true(esp_burst_add(sealed, size, ESP_UPLINK, TUNNEL_NONE));
	assert_true(esp_burst_add(first, size, ESP_UPLINK, TUNNEL_NONE));
	esp_open(esp.w, &esp.burst);
	assert_int_equal(esp.burst.n, 1);
	assert_int_equal(esp.w->drops[DROP_ESP_REPLAY], 5);
	esp_burst_free();
	expect_refused(first, size, DROP_ESP_REPLAY);

	/* a forged number moves nothing */
	memcpy(first, sealed, size);
	first[20 + 4] = 0x7f;
	expect_refused(first, size, DROP_ESP_AUTHENTICATION);
	assert_int_equal(replay_top(&esp.in->state->replay), 66);
	end();

	/* protection off: everything goes */
	c.replay_window = 0;
	begin(&c, false);
	size = seal(inner, 80, first);
	for (int i = 0; i < 3; i++)
		expect_opened(first, size, inner, 80);
	end();
}

/* ---- lifetimes ---------------------------------------------------------------------- */

static void
lifetimes_out(void **unused)
{
	struct cfg_sa c = gcm();
	struct sa_counters counters;

	c.life_packets_soft = 30;
	c.life_packets_hard = 50;
	begin(&c, false);
	assert_int_equal(seal_many(20), 20);
	expect_no_event();
	esp_burst_free();
	assert_int_equal(seal_many(20), 20);
	expect_event(SA_EVENT_SOFT, ESP_NAME_OUT);
	esp_burst_free();
	assert_int_equal(seal_many(20), 10);
	expect_event(SA_EVENT_HARD, ESP_NAME_OUT);
	assert_int_equal(esp.w->drops[DROP_SA_LIFETIME], 10);
	esp_burst_free();
	assert_int_equal(seal_many(20), 0);
	expect_no_event();
	sa_counters_read(esp.out, &counters);
	assert_true(counters.soft_expired && counters.hard_expired);
	assert_int_equal(counters.packets, 50);
	end();

	/* bytes: what does not fit is refused, what does is not */
	c = gcm();
	c.life_bytes_soft = 1000;
	c.life_bytes_hard = 2050;
	begin(&c, false);
	assert_int_equal(seal_many(32), 20);
	expect_event(SA_EVENT_HARD, ESP_NAME_OUT);
	expect_event(SA_EVENT_SOFT, ESP_NAME_OUT);
	esp_burst_free();
	{
		uint8_t inner[30];

		esp_inner(inner, 30, false, 0, false);
		assert_true(esp_burst_add(inner, 30, ESP_GATEWAY, 0));
		assert_true(esp_burst_add(inner, 30, ESP_GATEWAY, 0));
		esp_seal(esp.w, &esp.burst);
		assert_int_equal(esp.burst.n, 1);
	}
	end();
}

static void
lifetimes_in(void **unused)
{
	struct cfg_sa c = gcm();

	c.life_packets_soft = 10;
	c.life_packets_hard = 15;
	begin(&c, false);
	esp.out->limited = false;
	assert_int_equal(seal_many(20), 20);
	esp_burst_turn_round();
	esp_open(esp.w, &esp.burst);
	assert_int_equal(esp.burst.n, 15);
	assert_int_equal(esp.w->drops[DROP_SA_LIFETIME], 5);
	expect_event(SA_EVENT_HARD, ESP_NAME_IN);
	expect_event(SA_EVENT_SOFT, ESP_NAME_IN);
	expect_no_event();
	end();
}

/* ---- selectors ---------------------------------------------------------------------- */

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void
selectors(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t v4[100], v6[100], sealed[300];
	struct selector_spec ours[3] = {
		{.local = prefix("10.9.0.0/16"), .remote = prefix("0.0.0.0/0")},
		{.local = prefix("10.1.0.4/30"), .remote = prefix("10.2.0.0/24")},
		{.local = prefix("2001:db8:a::/48"), .remote = prefix("2001:db8:b::6/127")},
	};
	struct selector_spec theirs[3];
	uint16_t size;

	for (int i = 0; i < 3; i++)
		theirs[i] = (struct selector_spec){.local = ours[i].remote, .remote = ours[i].local};
	esp_inner(v4, 80, false, 0, false); /* 10.1.0.5 -> 10.2.0.7 */
	esp_inner(v6, 80, true, 0, false);  /* 2001:db8:a::5 -> 2001:db8:b::7 */

	begin(&c, false);
	esp.tunnel[0].selector = ours;
	esp.tunnel[1].selector = theirs;
	esp.tunnel[0].n_selectors = esp.tunnel[1].n_selectors = 3;
	size = seal(v4, 80, sealed);
	expect_opened(sealed, size, v4, 80);
	size = seal(v6, 80, sealed);
	expect_opened(sealed, size, v6, 80);

	/* what the other end lets out, this end does not let in */
	esp.tunnel[1].n_selectors = 1;
	size = seal(v4, 80, sealed);
	expect_refused(sealed, size, DROP_SELECTOR_IN);
	size = seal(v6, 80, sealed);
	expect_refused(sealed, size, DROP_SELECTOR_IN);

	esp.tunnel[0].n_selectors = 1;
	esp_burst_clear();
	assert_true(esp_burst_add(v4, 80, ESP_GATEWAY, 0));
	assert_true(esp_burst_add(v6, 80, ESP_GATEWAY, 0));
	esp_seal(esp.w, &esp.burst);
	assert_int_equal(esp.burst.n, 0);
	assert_int_equal(esp.w->drops[DROP_SELECTOR_OUT], 2);

	/* no selectors: anything */
	esp.tunnel[0].n_selectors = esp.tunnel[1].n_selectors = 0;
	size = seal(v4, 80, sealed);
	expect_opened(sealed, size, v4, 80);
	end();
}

/* Prefix arithmetic against the plain bitwise one. */
static void
selector_prefixes(void **unused)
{
	for (uint32_t i = 0; i < 200000; i++) {
		struct ip_prefix p = {.addr.family = rte_rand() & 1 ? IP_V4 : IP_V6};
		struct ip_addr a = {.family = p.addr.family};
		uint8_t bits = address_bits(&a), flip = (uint8_t)rte_rand_max(bits);
		bool covered;

		esp_pattern(p.addr.b, bits / 8, (uint32_t)rte_rand());
		p.len = (uint8_t)rte_rand_max(bits + 1u);
		a = p.addr;
		a.b[flip / 8] ^= 0x80 >> flip % 8;
		covered = flip >= p.len;
		if (a.family == IP_V4) {
			rte_be32_t v4;

			memcpy(&v4, a.b, 4);
			assert_int_equal(selector_covers_v4(&p, v4), covered);
			p.addr.family = IP_V6;
			assert_false(selector_covers_v4(&p, v4));
		} else {
			assert_int_equal(selector_covers_v6(&p, a.b), covered);
			p.addr.family = IP_V4;
			assert_false(selector_covers_v6(&p, a.b));
		}
	}
}

static void
no_sa(void **unused)
{
	struct cfg_sa c = gcm();

	begin(&c, false);
	esp.tunnel[0].out = NULL;
	assert_int_equal(seal_many(3), 0);
	assert_int_equal(esp.w->drops[DROP_SA_MISSING], 3);
	end();
}

/* ---- UDP ---------------------------------------------------------------------------- */

/* An IPv4 UDP packet from the peer to our uplink. */
static uint16_t
udp_packet(uint8_t *to, uint16_t port, const void *data, uint16_t n)
{
	uint16_t sum, size = 28 + n;

	memcpy(to, "\x45\x00\x00\x00\x00\x00\x00\x00\x40\x11\x00\x00", 12);
	to[3] = (uint8_t)size;
	memcpy(to + 12, esp.tunnel[0].local.b, 4);
	memcpy(to + 16, esp.tunnel[0].remote.b, 4);
	sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)to);
	memcpy(to + 10, &sum, 2);
	memset(to + 20, 0, 8);
	to[20] = 0x11;
	to[21] = 0x94;
	to[22] = (uint8_t)(port >> 8);
	to[23] = (uint8_t)port;
	to[25] = (uint8_t)(8 + n);
	memcpy(to + 28, data, n);
	return size;
}

static void
udp_garbage(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t to[200];

	c.udp_encap = true;
	c.udp_remote_port = 4999; /* tunnel 1 listens there */
	begin(&c, false);
	for (int i = 0; i < 2; i++) {
		uint16_t port = i ? 4999 : 4500;

		expect_refused(to, udp_packet(to, port, "\xff", 1), DROP_ESP_KEEPALIVE);
		expect_refused(to, udp_packet(to, port, "\xfe", 1), DROP_ESP_TRUNCATED);
		expect_refused(to, udp_packet(to, port, "", 0), DROP_ESP_TRUNCATED);
		expect_refused(to, udp_packet(to, port, "\0\0\0", 3), DROP_ESP_TRUNCATED);
		expect_refused(to, udp_packet(to, port, "\0\0\1\0", 4), DROP_ESP_TRUNCATED);
		expect_refused(to, udp_packet(to, port, "\0\0\1\0abcdefghijkl", 16), DROP_ESP_SPI_UNKNOWN);
		/* IKE goes on to control */
		assert_int_equal(open_bytes(to, udp_packet(to, port, "\0\0\0\0abcdefghijkl", 16)), 1);
		assert_int_equal(packet(0)->iface, ESP_UPLINK);
		esp_burst_free();
		assert_int_equal(open_bytes(to, udp_packet(to, port, "\0\0\0\0", 4)), 1);
		esp_burst_free();
	}
	/* another port is nobody's here */
	assert_int_equal(open_bytes(to, udp_packet(to, 4998, "\0\0\1\0abcdefghijkl", 16)), 1);
	esp_burst_free();
	/* and so is another host */
	udp_packet(to, 4500, "\xff", 1);
	to[19] ^= 1;
	to[10] = to[11] = 0;
	{
		uint16_t sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)to);

		memcpy(to + 10, &sum, 2);
	}
	assert_int_equal(open_bytes(to, 29), 1);
	end();
}

static void
encapsulation_is_agreed(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], sealed[300], moved[300];
	uint16_t size;

	esp_inner(inner, 80, false, 0, false);
	for (int udp = 0; udp < 2; udp++) {
		c.udp_encap = udp;
		begin(&c, false);
		esp.in->udp_encap = !udp;
		size = seal(inner, 80, sealed);
		expect_refused(sealed, size, DROP_ESP_ENCAPSULATION);
		end();
	}

	/* to 4500 where the SA has a port of its own */
	c.udp_remote_port = 4999;
	begin(&c, false);
	size = seal(inner, 80, sealed);
	memcpy(moved, sealed, size);
	moved[22] = 0x11;
	moved[23] = 0x94;
	expect_refused(moved, size, DROP_ESP_ENCAPSULATION);
	expect_opened(sealed, size, inner, 80);
	end();
}

static void
nat_moves(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], sealed[300];
	struct event e;
	uint16_t size;

	esp_inner(inner, 80, false, 0, false);
	c.udp_encap = true;
	begin(&c, false);
	size = seal(inner, 80, sealed);
	expect_opened(sealed, size, inner, 80);
	expect_no_event();

	/* other source port: still opened, told once */
	for (int i = 0; i < 3; i++) {
		size = seal(inner, 80, sealed);
		sealed[20] = 0x30;
		sealed[21] = 0x39;
		expect_opened(sealed, size, inner, 80);
	}
	assert_true(esp_event(&e));
	assert_int_equal(e.class, SA_EVENT_REMOTE_PORT);
	assert_int_equal(e.remote_port, 12345);
	assert_true(address_equal(&e.address, &esp.tunnel[1].remote));
	expect_no_event();

	/* not believed before it is authenticated */
	size = seal(inner, 80, sealed);
	sealed[20] = 0x40;
	sealed[size - 1] ^= 1;
	expect_refused(sealed, size, DROP_ESP_AUTHENTICATION);
	expect_no_event();
	end();

	/* without UDP another source is another SA's */
	c.udp_encap = false;
	begin(&c, false);
	size = seal(inner, 80, sealed);
	sealed[15] ^= 1;
	outer_tos(sealed, 0);
	expect_refused(sealed, size, DROP_ESP_SPI_UNKNOWN);
	end();
}

/* ---- what is not for us ------------------------------------------------------------- */

static void
not_ours(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], sealed[300];
	uint16_t size;

	begin(&c, false);
	esp_inner(inner, 80, false, 0, false);
	size = seal(inner, 80, sealed);

	/* ESP through us, to somebody else, also with an SPI of ours */
	sealed[19] ^= 1;
	outer_tos(sealed, 0);
	assert_int_equal(open_bytes(sealed, size), 1);
	assert_int_equal(packet(0)->iface, ESP_UPLINK);
	esp_burst_free();

	/* ESP inside of a VNet is a host's */
	sealed[19] ^= 1;
	outer_tos(sealed, 0);
	esp_burst_clear();
	assert_true(esp_burst_add(sealed, size, ESP_GATEWAY, TUNNEL_NONE));
	esp_open(esp.w, &esp.burst);
	assert_int_equal(esp.burst.n, 1);
	assert_int_equal(packet(0)->iface, ESP_GATEWAY);
	end();
}

/* ---- renewal ------------------------------------------------------------------------ */

static void
renewal_keeps_numbers(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], first[300], sealed[300];
	struct sa *out, *in;
	uint16_t size;

	begin(&c, false);
	esp_inner(inner, 80, false, 0, false);
	size = seal(inner, 80, first);
	expect_opened(first, size, inner, 80);

	/* one new parameter, same keys */
	c.outbound = true;
	c.life_packets_hard = 1000;
	out = sa_renew(&c, esp.out);
	c.outbound = false;
	in = sa_renew(&c, esp.in);
	assert_non_null(out);
	assert_non_null(in);
	sa_free(esp.out);
	sa_free(esp.in);
	esp.out = out;
	esp.in = in;
	esp_view_set();
	seal(inner, 80, sealed);
	assert_int_equal(esp_sequence(sealed + 20), 2);
	expect_refused(first, size, DROP_ESP_REPLAY);
	expect_opened(sealed, size, inner, 80);

	/* the window may shrink but not outgrow its ring */
	c.replay_window = 4096;
	assert_null(sa_renew(&c, esp.in));
	end();
}

static int
start(void **unused)
{
	return test_eal_start("esp") || esp_world_start();
}

static int
stop(void **unused)
{
	esp_world_stop();
	test_eal_stop();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_algorithm),
		cmocka_unit_test(every_length),
		cmocka_unit_test(bursts_keep_order),
		cmocka_unit_test(outer_v4),
		cmocka_unit_test(outer_is_a_packet_of_ours),
		cmocka_unit_test(udp_headers),
		cmocka_unit_test(sizes_are_exact),
		cmocka_unit_test(room_is_checked),
		cmocka_unit_test(ecn),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(trailers),
		cmocka_unit_test(malformed_inner),
		cmocka_unit_test(reserve_is_never_passed),
		cmocka_unit_test(numbers_end),
		cmocka_unit_test(esn_crosses),
		cmocka_unit_test(replays),
		cmocka_unit_test(lifetimes_out),
		cmocka_unit_test(lifetimes_in),
		cmocka_unit_test(selectors),
		cmocka_unit_test(selector_prefixes),
		cmocka_unit_test(no_sa),
		cmocka_unit_test(udp_garbage),
		cmocka_unit_test(encapsulation_is_agreed),
		cmocka_unit_test(nat_moves),
		cmocka_unit_test(not_ours),
		cmocka_unit_test(renewal_keeps_numbers),
	};

	return cmocka_run_group_tests_name("esp", tests, start, stop);
}
