/* What the ESP stories say again and again. */
#pragma once

#include "tests/unit/esp_world.h"

#include <rte_random.h>
#include <rte_udp.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V4 "192.0.2.1", "198.51.100.2"
#define V6 "2001:db8:1::1", "2001:db8:2::2"

static inline struct cfg_sa
gcm(void)
{
	return esp_config(ENC_AES_GCM_128, INTEG_NONE);
}

static inline void
begin(const struct cfg_sa *c, bool outer_v6)
{
	int rc = outer_v6 ? esp_world_open(c, V6) : esp_world_open(c, V4);

	assert_int_equal(rc, 0);
	esp_burst_clear();
}

static inline void
end(void)
{
	esp_burst_free();
	esp_world_close();
	assert_int_equal(rte_mempool_avail_count(esp.pool), ESP_BUFFERS);
}

static inline struct packet *
packet(uint16_t i)
{
	assert_true(i < esp.burst.n);
	return esp.burst.pkt[i];
}

/* The only packet of the burst, copied out: its size. */
static inline uint16_t
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
static inline uint16_t
seal(const uint8_t *inner, uint16_t n, uint8_t *sealed)
{
	esp_burst_clear();
	assert_true(esp_burst_add(inner, n, ESP_GATEWAY, 0));
	esp_world_seal();
	return take(sealed);
}

/* Open one packet that came in at the uplink; packets left in the burst. */
static inline uint16_t
open_bytes(const uint8_t *sealed, uint16_t n)
{
	esp_burst_clear();
	assert_true(esp_burst_add(sealed, n, ESP_UPLINK, TUNNEL_NONE));
	esp_open(esp.w, &esp.burst);
	return esp.burst.n;
}

static inline void
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

static inline void
expect_opened(const uint8_t *sealed, uint16_t n, const uint8_t *inner, uint16_t inner_n)
{
	uint64_t all = esp_drops();
	struct packet *p;

	assert_int_equal(open_bytes(sealed, n), 1);
	p = packet(0);
	assert_int_equal(esp_drops(), all);
	assert_int_equal(p->iface, ESP_GATEWAY);
	assert_int_equal(p->tunnel, ESP_OPENED);
	assert_true(p->flags & PKT_OPENED);
	assert_ptr_equal(p->l3, rte_pktmbuf_mtod(p->m, uint8_t *));
	assert_int_equal(p->l3_len, inner_n);
	assert_int_equal(p->m->data_len, inner_n);
	assert_memory_equal(p->l3, inner, inner_n);
	esp_burst_free();
}

static inline void
roundtrip(uint16_t n, bool inner_v6)
{
	uint8_t inner[2048], sealed[2300];
	uint16_t size;

	esp_inner(inner, n, inner_v6, 0, false);
	size = seal(inner, n, sealed);
	assert_true(size <= n + sa_overhead(esp.out, esp.inbound.remote.family));
	expect_opened(sealed, size, inner, n);
}

static inline void
add_inner(uint16_t times)
{
	uint8_t inner[200];

	esp_inner(inner, 100, false, 0, false);
	esp_burst_clear();
	for (uint16_t i = 0; i < times; i++)
		assert_true(esp_burst_add(inner, 100, ESP_GATEWAY, 0));
}

static inline uint16_t
seal_many(uint16_t times)
{
	add_inner(times);
	esp_world_seal();
	return esp.burst.n;
}

static inline uint32_t
number_of(uint16_t i)
{
	return esp_sequence(packet(i)->l3 + 20);
}

static inline void
expect_event(enum sa_event_kind kind, uint32_t name)
{
	struct event e;

	assert_true(esp_event(&e));
	assert_int_equal(e.type, EVENT_SA);
	assert_int_equal(e.class, kind);
	assert_int_equal(e.name, name);
}

static inline void
expect_no_event(void)
{
	struct event e;

	assert_false(esp_event(&e));
}

/* Change the outer TOS of a sealed IPv4 packet. */
static inline void
outer_tos(uint8_t *sealed, uint8_t tos)
{
	uint16_t sum;

	sealed[1] = tos;
	sealed[10] = sealed[11] = 0;
	sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)sealed);
	memcpy(sealed + 10, &sum, 2);
}
