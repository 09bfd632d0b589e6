/* NAT keepalives: to whom, when, and what exactly. The way out is faked. */
#include "tests/unit/eal.h"

#include "dataplane/checksum.h"
#include "dataplane/esp.h"
#include "dataplane/sa.h"
#include "dataplane/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct dataplane dp;
static struct view view;
/* Of four tunnels; of the last, two SAs. Those of one SA have it in both places. */
static struct path path[4][2];
static uint64_t now_ns = 1000000000u;

static struct sent {
	uint16_t iface, size;
	uint8_t bytes[64];
} sent[8];
static uint32_t n_sent;

void
dataplane_send_packet(struct dataplane *to, uint16_t iface, struct rte_mbuf *m, uint16_t l3_off)
{
	struct sent *s = &sent[n_sent++];

	assert_ptr_equal(to, &dp);
	assert_int_equal(l3_off, 0);
	s->iface = iface;
	s->size = m->data_len;
	memcpy(s->bytes, rte_pktmbuf_mtod(m, void *), m->data_len);
	rte_pktmbuf_free(m);
}

static struct sa *
sa_make(bool udp, uint16_t remote_port)
{
	struct cfg_sa c = {.outbound = true,
		.spi = 0x1000,
		.encryption = ENC_AES_GCM_128,
		.enc_key_len = 20,
		.udp_encap = udp,
		.udp_local_port = 4501,
		.udp_remote_port = remote_port,
		.keepalive_s = 20};

	return sa_create(&c, 1, 100);
}

static void
path_make(uint16_t i, uint16_t k, const char *local, const char *remote, struct sa *out)
{
	struct ip_addr from, to;

	assert_int_equal(address_parse(local, &from), 0);
	assert_int_equal(address_parse(remote, &to), 0);
	path[i][k].sa = out;
	esp_outer_build(&path[i][k].outer, &from, &to, out);
	path[i][k].outer.uplink = (uint16_t)(7 + k);
}

/* Look a second later. Returns how many were sent. */
static uint32_t
look(void)
{
	n_sent = 0;
	esp_keepalives(&dp, now_ns += 1000000000u);
	return n_sent;
}

/* The SA's last packet, and its last keepalive, were so long ago. */
static void
silent(uint16_t i, uint32_t seconds)
{
	uint64_t then = rte_rdtsc() - seconds * dp.tsc_hz;

	for (uint32_t k = 0; k < 2; k++) {
		atomic_store(&path[i][k].sa->state->used_tsc, then);
		path[i][k].sa->state->keepalive_tsc = then;
	}
}

static void
only_the_silent_behind_nat(void **unused)
{
	look();
	assert_int_equal(look(), 0);
	for (uint16_t i = 0; i < 3; i++)
		silent(i, 19);
	assert_int_equal(look(), 0);
	for (uint16_t i = 0; i < 3; i++)
		silent(i, 21);
	assert_int_equal(look(), 2); /* tunnel 2 is not in UDP */
	assert_int_equal(look(), 0);

	/* a packet of the tunnel does as well as a keepalive */
	silent(0, 21);
	silent(1, 21);
	atomic_store(&path[1][0].sa->state->used_tsc, rte_rdtsc() - 5 * dp.tsc_hz);
	assert_int_equal(look(), 1);
	assert_int_equal(sent[0].bytes[0], 0x45);

	/* four looks a second at most */
	silent(0, 21);
	n_sent = 0;
	esp_keepalives(&dp, now_ns + 100000000u);
	assert_int_equal(n_sent, 0);
}

static void
bytes_are_right(void **unused)
{
	static const uint8_t v4[] = {0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17};
	const uint8_t *b;

	silent(0, 100);
	silent(1, 100);
	assert_int_equal(look(), 2);
	b = sent[0].bytes;
	assert_int_equal(sent[0].iface, 7);
	assert_int_equal(sent[0].size, 29);
	assert_memory_equal(b, v4, sizeof(v4));
	assert_memory_equal(b + 12, "\xc0\x00\x02\x01\xc6\x33\x64\x02", 8);
	assert_int_equal(checksum(b, 20), 0);
	assert_memory_equal(b + 20, "\x11\x95\x11\x96\x00\x09\x00\x00\xff", 9);

	b = sent[1].bytes;
	assert_int_equal(sent[1].size, 49);
	assert_memory_equal(b, "\x60\0\0\0\0\x09\x11\x40", 8);
	assert_memory_equal(b + 40, "\x11\x95\x11\x96\x00\x09", 6);
	assert_int_equal(b[48], 0xff);
	assert_true(b[46] || b[47]);
	assert_int_equal(checksum_fold(checksum_add(checksum_pseudo_v6(b + 8, b + 24, 9, 17), b + 40, 9)), 0);
}

/* Paths may have addresses and ports of their own, and each its place in the NAT. */
static void
each_silent_path(void **unused)
{
	silent(0, 1);
	silent(1, 1);
	silent(3, 21);
	assert_int_equal(look(), 2);
	assert_memory_equal(sent[0].bytes + 16, "\xc6\x33\x64\x05\x11\x95\x11\x96", 8);
	assert_memory_equal(sent[1].bytes + 16, "\xc6\x33\x64\x06\x11\x95\x11\x97", 8);
	assert_int_equal(sent[0].iface, 7);
	assert_int_equal(sent[1].iface, 8);

	silent(3, 21);
	atomic_store(&path[3][0].sa->state->used_tsc, rte_rdtsc());
	assert_int_equal(look(), 1);
	assert_memory_equal(sent[0].bytes + 20, "\x11\x95\x11\x97", 4);
}

static int
start(void **unused)
{
	if (test_eal_start("keepalive"))
		return -1;
	dp.pool = rte_pktmbuf_pool_create("keepalive", 63, 0, 0, 512, SOCKET_ID_ANY);
	dp.tsc_hz = rte_get_tsc_hz();
	dp.view = &view;
	view.path_store = path[0];
	view.n_paths = 8;
	path_make(0, 0, "192.0.2.1", "198.51.100.2", sa_make(true, 4502));
	path_make(1, 0, "2001:db8::1", "2001:db8::2", sa_make(true, 4502));
	path_make(2, 0, "192.0.2.1", "198.51.100.3", sa_make(false, 4502));
	for (uint16_t i = 0; i < 3; i++)
		path[i][1] = path[i][0];
	path_make(3, 0, "192.0.2.1", "198.51.100.5", sa_make(true, 4502));
	path_make(3, 1, "192.0.2.1", "198.51.100.6", sa_make(true, 4503));
	return dp.pool ? 0 : -1;
}

static int
stop(void **unused)
{
	unsigned left = rte_mempool_avail_count(dp.pool);

	for (uint16_t i = 0; i < 4; i++)
		sa_free(path[i][0].sa);
	sa_free(path[3][1].sa);
	rte_mempool_free(dp.pool);
	test_eal_stop();
	return left == 63 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_silent_behind_nat),
		cmocka_unit_test(bytes_are_right),
		cmocka_unit_test(each_silent_path),
	};

	return cmocka_run_group_tests_name("esp_keepalive", tests, start, stop);
}
