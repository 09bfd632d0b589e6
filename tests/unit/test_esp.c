/* Sealing and opening: what goes in comes out, in a packet as the RFCs want it. */
#include "tests/unit/esp_check.h"

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

static bool
is_des(enum cfg_encryption e)
{
	return e == ENC_DES_CBC || e == ENC_3DES_CBC;
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
		/* DES is slow: of its long packets some. */
		for (uint16_t n = 20; n <= 1500; n += is_des(e) && n > 150 ? 149 : 1)
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
		esp_world_seal();
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
	esp.tunnel.copy_df = esp.tunnel.copy_dscp = false;
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
		esp_world_seal();
		p = packet(0);
		assert_int_equal(p->out, ESP_UPLINK);
		assert_int_equal(p->tunnel, TUNNEL_NONE);
		assert_int_equal(p->protocol, udp ? 17 : 50);
		assert_int_equal(p->l4_off, udp ? 40 : 20);
		assert_int_equal(p->flags, udp ? PKT_V6 : 0);
		assert_int_equal(p->l3_len, p->m->data_len);
		assert_ptr_equal(p->l3, rte_pktmbuf_mtod(p->m, uint8_t *));
		if (udp)
			assert_memory_equal(p->l3 + 24, esp.inbound.local.b, 16);
		else
			assert_memory_equal(p->l3 + 16, esp.inbound.local.b, 4);
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
			family = esp.inbound.remote.family;
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
		esp_world_seal();
		assert_int_equal(esp.burst.n, 0);
		assert_int_equal(esp.w->drops[DROP_NO_BUFFER], side + 1);
	}
	end();
}

/* ---- ECN ---------------------------------------------------------------------------- */

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
	esp.tunnel.selector = ours;
	esp.inbound.selector = theirs;
	esp.tunnel.n_selectors = esp.inbound.n_selectors = 3;
	size = seal(v4, 80, sealed);
	expect_opened(sealed, size, v4, 80);
	size = seal(v6, 80, sealed);
	expect_opened(sealed, size, v6, 80);

	/* what the other end lets out, this end does not let in */
	esp.inbound.n_selectors = 1;
	size = seal(v4, 80, sealed);
	expect_refused(sealed, size, DROP_SELECTOR_IN);
	size = seal(v6, 80, sealed);
	expect_refused(sealed, size, DROP_SELECTOR_IN);

	esp.tunnel.n_selectors = 1;
	esp_burst_clear();
	assert_true(esp_burst_add(v4, 80, ESP_GATEWAY, 0));
	assert_true(esp_burst_add(v6, 80, ESP_GATEWAY, 0));
	esp_world_seal();
	assert_int_equal(esp.burst.n, 0);
	assert_int_equal(esp.w->drops[DROP_SELECTOR_OUT], 2);

	/* no selectors: anything */
	esp.tunnel.n_selectors = esp.inbound.n_selectors = 0;
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
	esp.tunnel.path = NULL;
	assert_int_equal(seal_many(3), 0);
	assert_int_equal(esp.w->drops[DROP_SA_MISSING], 3);
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
		cmocka_unit_test(selectors),
		cmocka_unit_test(selector_prefixes),
		cmocka_unit_test(no_sa),
	};

	return cmocka_run_group_tests_name("esp", tests, start, stop);
}
