/* MSS clamping: the value, the checksum, and options of any shape. */
#include "dataplane/mss.h"
#include "dataplane/checksum.h"

#include <rte_random.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define IP 20

static uint8_t d[IP + 60 + 16];

/* A SYN with these options; they begin at offset 20 of the TCP header. */
static struct packet
syn(const uint8_t *options, uint16_t n)
{
	uint16_t header = 20 + RTE_ALIGN_CEIL(n, 4), sum;
	struct packet p = {.l3 = d, .l4_off = IP, .l3_len = IP + header, .protocol = IPPROTO_TCP, .tcp_flags = 2};

	memset(d, 0, sizeof(d));
	d[0] = 0x45;
	d[3] = (uint8_t)p.l3_len;
	d[9] = IPPROTO_TCP;
	memcpy(d + 12, "\x0a\0\0\x01\x0a\0\0\x02\x12\x34\x01\xbb", 12);
	d[IP + 12] = (uint8_t)(header / 4 << 4);
	d[IP + 13] = 2;
	memcpy(d + IP + 20, options, n);
	sum = rte_ipv4_udptcp_cksum((const struct rte_ipv4_hdr *)d, d + IP);
	memcpy(d + IP + 16, &sum, 2);
	return p;
}

/* The TCP checksum of what lies in d is right, as DPDK reckons it. */
static void
assert_checksum(void)
{
	uint16_t stored, whole;

	memcpy(&stored, d + IP + 16, 2);
	memset(d + IP + 16, 0, 2);
	whole = rte_ipv4_udptcp_cksum((const struct rte_ipv4_hdr *)d, d + IP);
	memcpy(d + IP + 16, &stored, 2);
	assert_int_equal(stored, whole);
}

static void
lowers_and_never_raises(void **unused)
{
	struct packet p;

	for (uint32_t mss = 0; mss < 65536; mss += 97)
		for (uint32_t nops = 0; nops < 4; nops++) { /* odd and even offsets */
			uint8_t options[8] = {1, 1, 1, 1};
			uint32_t now;

			memcpy(options + nops, (uint8_t[]){2, 4, (uint8_t)(mss >> 8), (uint8_t)mss}, 4);
			p = syn(options, 8);
			assert_checksum();
			assert_int_equal(mss_clamp(&p, 1360), mss > 1360);
			now = (uint32_t)(d[IP + 20 + nops + 2] << 8 | d[IP + 20 + nops + 3]);
			assert_int_equal(now, mss > 1360 ? 1360 : mss);
			assert_checksum();
			assert_false(mss_clamp(&p, 1360));
		}
}

static void
leaves_others_alone(void **unused)
{
	static const uint8_t mss[4] = {2, 4, 0x05, 0xb4};
	struct packet p = syn(mss, 4);

	p.tcp_flags = 0x10;
	assert_false(mss_clamp(&p, 500));
	p = syn(mss, 4);
	p.protocol = IPPROTO_UDP;
	assert_false(mss_clamp(&p, 500));
	p = syn(mss, 4);
	p.flags = PKT_LATER_FRAGMENT;
	assert_false(mss_clamp(&p, 500));
	p = syn(mss, 4);
	p.l3_len--; /* cut inside of the options */
	assert_false(mss_clamp(&p, 500));
	p = syn(mss, 4);
	d[IP + 12] = 0x40;
	assert_false(mss_clamp(&p, 500));
	p = syn((uint8_t[]){0, 2, 4, 5, 0xb4}, 5); /* behind the end of options */
	assert_false(mss_clamp(&p, 500));
	p = syn((uint8_t[]){2, 3, 5, 0xb4}, 4); /* an MSS of another length */
	assert_false(mss_clamp(&p, 500));
	p = syn((uint8_t[]){8, 0, 2, 4, 5, 0xb4}, 6); /* no length */
	assert_false(mss_clamp(&p, 500));
	p = syn((uint8_t[]){8, 3, 0, 2, 4, 5, 0xb4}, 7);
	assert_true(mss_clamp(&p, 500));
	p.tcp_flags = 0x12; /* SYN and ACK */
	assert_true(mss_clamp(&p, 400));
	assert_checksum();
}

/* Any options: nothing behind the header changes, a change means one clamped value and a right checksum. */
static void
options_garbage(void **unused)
{
	uint8_t options[40], before[sizeof(d)];
	uint32_t clamped = 0;

	for (uint32_t i = 0; i < 500000; i++) {
		uint16_t n = (uint16_t)rte_rand_max(41), differ = 0;
		struct packet p;
		bool changed;

		for (uint16_t k = 0; k < n; k++)
			options[k] = (uint8_t)rte_rand_max(i % 3 ? 6 : 256);
		p = syn(options, n);
		memcpy(before, d, sizeof(d));
		changed = mss_clamp(&p, 1);
		for (uint16_t k = IP + 20; k < sizeof(d); k++)
			differ += d[k] != before[k];
		assert_true(changed ? differ >= 1 && differ <= 2 : differ == 0);
		assert_memory_equal(d, before, IP + 16);
		assert_memory_equal(d + IP + 20 + RTE_ALIGN_CEIL(n, 4), before + IP + 20 + RTE_ALIGN_CEIL(n, 4),
			sizeof(d) - (IP + 20 + RTE_ALIGN_CEIL(n, 4)));
		assert_checksum();
		clamped += changed;
	}
	assert_true(clamped > 1000);
}

/* The incremental sum is the whole sum, at every offset, for random data. */
static void
incremental_is_whole(void **unused)
{
	uint8_t data[64];

	for (uint32_t i = 0; i < 200000; i++) {
		uint16_t at = (uint16_t)rte_rand_max(62), old, new, sum, updated;

		for (unsigned k = 0; k < sizeof(data); k++)
			data[k] = (uint8_t)rte_rand_max(i % 2 ? 2 : 256);
		data[62] = 1; /* not all zero: then 0 and 0xffff are the same sum */
		sum = checksum(data, sizeof(data));
		memcpy(&old, data + at, 2);
		new = (uint16_t)rte_rand_max(i % 4 ? 65536 : 2);
		memcpy(data + at, &new, 2);
		updated = at % 2 ? checksum_update(sum, rte_bswap16(old), rte_bswap16(new))
				 : checksum_update(sum, old, new);
		assert_int_equal(updated, checksum(data, sizeof(data)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowers_and_never_raises),
		cmocka_unit_test(leaves_others_alone),
		cmocka_unit_test(options_garbage),
		cmocka_unit_test(incremental_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
