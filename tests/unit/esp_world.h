/* A world of two tunnel ends in one process: what tunnel 0 seals, the inbound SA opens, as of a tunnel ESP_OPENED.
 *
 * One worker without a lcore, a hand-made view. Interface 1 is an uplink that owns both tunnel
 * addresses, interface 2 the gateway where opened packets enter. For tests, the fuzz target, the
 * interop tool and benches.
 */
#pragma once

#include "tests/unit/eal.h"
#include "tests/unit/esp_kind.h"

#include "dataplane/sa.h"
#include "dataplane/selector.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"
#include "drivers/crypto.h"
#include "drivers/eal.h"

#include <rte_ip.h>
#include <rte_mempool.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ESP_UPLINK 1
#define ESP_GATEWAY 2
#define ESP_NAME_OUT 71
#define ESP_NAME_IN 72
#define ESP_NAME_TUNNEL 73
#define ESP_OPENED 1
#define ESP_SLOTS 64
#define ESP_BUFFERS 1023

struct esp_world {
	struct worker *w;
	struct rte_mempool *pool;
	struct view view;
	struct iface iface[4];
	struct tunnel tunnel;
	struct inbound inbound;
	struct hop hop;
	struct path path;
	struct sa_slot slot[ESP_SLOTS];
	struct sa *out, *in;
	struct burst burst;
};

static struct esp_world esp;

/* Once per process, after EAL. 0 on success. */
static inline int
esp_world_start(void)
{
	esp.w = aligned_alloc(64, (sizeof(*esp.w) + 63) & ~(size_t)63);
	if (!esp.w)
		return -1;
	memset(esp.w, 0, sizeof(*esp.w));
	esp.w->crypto = crypto_worker_create();
	esp.w->tsc_hz = rte_get_tsc_hz();
	esp.w->now = rte_rdtsc();
	esp.w->view = &esp.view;
	esp.pool = rte_pktmbuf_pool_create("esp", ESP_BUFFERS, 0, 0, 2048 + 512, SOCKET_ID_ANY);
	esp.w->pool = esp.pool;
	esp.view.iface = esp.iface;
	esp.view.iface_mask = 3;
	esp.view.tunnel = &esp.tunnel;
	esp.view.inbound = &esp.inbound;
	esp.view.hop = &esp.hop;
	esp.view.spi = esp.slot;
	esp.view.spi_mask = ESP_SLOTS - 1;
	return esp.w->crypto && esp.pool && channel_init(&esp.w->up, 256) == 0 ? 0 : -1;
}

static inline void
esp_world_stop(void)
{
	channel_fini(&esp.w->up);
	crypto_worker_free(esp.w->crypto);
	rte_mempool_free(esp.pool);
	free(esp.w);
	esp.w = NULL;
}

/* Bytes that are not all alike. */
static inline void
esp_pattern(void *to, size_t n, uint32_t seed)
{
	uint8_t *b = to;

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		b[i] = (uint8_t)(seed >> 24);
	}
}

/* An SA of this kind with keys of the right length. */
static inline struct cfg_sa
esp_config(enum cfg_encryption encryption, enum cfg_integrity integrity)
{
	struct cfg_sa c = {.spi = 0x1234abcd, .encryption = encryption, .integrity = integrity, .replay_window = 64};

	c.enc_key_len = algorithm_key_length(encryption);
	c.auth_key_len = algorithm_integrity[integrity].key;
	esp_pattern(c.enc_key, c.enc_key_len, 1);
	esp_pattern(c.auth_key, c.auth_key_len, 2);
	return c;
}

static inline void
esp_view_set(void)
{
	struct inbound *in = &esp.inbound;

	if (esp.out)
		esp_outer_build(&esp.path.outer, &in->remote, &in->local, esp.out);
	esp.path.sa = esp.out;
	esp.path.outer.uplink = ESP_UPLINK;
	esp.tunnel.path = esp.out ? &esp.path : NULL;
	memset(esp.slot, 0, sizeof(esp.slot));
	esp.view.n_encap_ports = 0;
	if (!esp.in)
		return;
	esp.slot[esp.in->spi & esp.view.spi_mask] = (struct sa_slot){esp.in->spi, 0, esp.in};
	if (esp.in->udp_encap && esp.in->udp_local_port != ESP_PORT) {
		esp.view.encap_port[0] = esp.in->udp_local_port;
		esp.view.n_encap_ports = 1;
	}
}

/* The tunnel seals for this SA, numbers first..reserved-1; the inbound end opens. */
static inline int
esp_world_open_at(const struct cfg_sa *config, const char *local, const char *remote, uint64_t first, uint64_t reserved)
{
	struct cfg_sa c = *config;
	struct inbound *in = &esp.inbound;

	memset(&esp.tunnel, 0, sizeof(esp.tunnel));
	memset(in, 0, sizeof(*in));
	memset(esp.iface, 0, sizeof(esp.iface));
	if (address_parse(local, &in->remote) || address_parse(remote, &in->local))
		return -EINVAL;
	in->gateway = ESP_GATEWAY;
	in->tunnel = ESP_OPENED;
	esp.tunnel.gateway = ESP_GATEWAY;
	esp.tunnel.uplink = ESP_UPLINK;
	esp.tunnel.name = ESP_NAME_TUNNEL;
	esp.tunnel.copy_dscp = esp.tunnel.copy_df = true;
	esp.hop.kind = HOP_TUNNEL;
	esp.iface[ESP_UPLINK].kind = IFACE_UPLINK;
	esp.iface[ESP_UPLINK].n_prefixes = 2;
	esp.iface[ESP_UPLINK].address[0] = in->remote;
	esp.iface[ESP_UPLINK].address[1] = in->local;
	esp.iface[ESP_GATEWAY].kind = IFACE_GATEWAY;

	c.outbound = true;
	esp.out = sa_create(&c, first, reserved);
	c.outbound = false;
	c.udp_local_port = config->udp_remote_port;
	c.udp_remote_port = config->udp_local_port;
	esp.in = sa_create(&c, first, 0);
	if (!esp.out || !esp.in)
		return -ENOMEM;
	sa_set_name(esp.out, ESP_NAME_OUT);
	sa_set_name(esp.in, ESP_NAME_IN);
	esp_view_set();
	return 0;
}

static inline int
esp_world_open(const struct cfg_sa *config, const char *local, const char *remote)
{
	return esp_world_open_at(config, local, remote, 1, UINT64_MAX);
}

static inline void
esp_world_close(void)
{
	struct event e;

	sa_free(esp.out);
	sa_free(esp.in);
	esp.out = esp.in = NULL;
	while (channel_get(&esp.w->up, &e, sizeof(e)))
		;
	memset(esp.w->drops, 0, sizeof(esp.w->drops));
	memset(esp.w->named, 0, sizeof(esp.w->named));
}

/* ---- bursts ------------------------------------------------------------------------- */

static inline void
esp_burst_clear(void)
{
	esp.burst.n = esp.burst.used = 0;
}

/* Put an IP packet into the burst as parse() would have. False: not an IP packet. */
static inline bool
esp_burst_add(const void *bytes, uint16_t n, uint16_t iface, uint16_t tunnel)
{
	struct packet *p = &esp.burst.slot[esp.burst.used++];
	struct rte_mbuf *m = rte_pktmbuf_alloc(esp.pool);
	uint8_t *l3;

	memset(p, 0, sizeof(*p));
	if (!m)
		return false;
	l3 = (uint8_t *)rte_pktmbuf_append(m, n);
	if (!l3) {
		rte_pktmbuf_free(m);
		return false;
	}
	memcpy(l3, bytes, n);
	p->m = m;
	p->iface = iface;
	p->tunnel = tunnel;
	if (parse_ip(p, l3, n) != PARSE_OK) {
		rte_pktmbuf_free(m);
		return false;
	}
	esp.burst.pkt[esp.burst.n++] = p;
	return true;
}

static inline void
esp_burst_free(void)
{
	for (uint16_t i = 0; i < esp.burst.n; i++)
		rte_pktmbuf_free(esp.burst.pkt[i]->m);
	esp_burst_clear();
}

/* What left as an outer packet comes in at the uplink. */
static inline void
esp_burst_turn_round(void)
{
	for (uint16_t i = 0; i < esp.burst.n; i++) {
		struct packet *p = esp.burst.pkt[i];

		p->iface = ESP_UPLINK;
		p->tunnel = TUNNEL_NONE;
		if (parse_ip(p, rte_pktmbuf_mtod(p->m, uint8_t *), p->m->data_len) != PARSE_OK)
			abort();
	}
}

/* A UDP packet of n bytes in all; patterned payload. Returns n. */
static inline uint16_t
esp_inner(uint8_t *to, uint16_t n, bool v6, uint8_t tos, bool df)
{
	uint16_t header = v6 ? 40 : 20, udp = n - header;

	esp_pattern(to, n, n);
	memset(to, 0, header);
	if (v6) {
		to[0] = 0x60 | tos >> 4;
		to[1] = (uint8_t)(tos << 4);
		to[4] = (uint8_t)(udp >> 8);
		to[5] = (uint8_t)udp;
		to[6] = udp >= 8 ? IPPROTO_UDP : 59;
		to[7] = 61;
		memcpy(to + 8, "\x20\x01\x0d\xb8\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05", 16);
		memcpy(to + 24, "\x20\x01\x0d\xb8\x00\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07", 16);
	} else {
		uint16_t sum;

		memcpy(to, "\x45\x00\x00\x00\x12\x34\x00\x00\x3d\xfd\x00\x00\x0a\x01\x00\x05\x0a\x02\x00\x07", 20);
		to[1] = tos;
		to[2] = (uint8_t)(n >> 8);
		to[3] = (uint8_t)n;
		to[6] = df ? 0x40 : 0;
		to[9] = udp >= 8 ? IPPROTO_UDP : 253;
		sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)to);
		memcpy(to + 10, &sum, 2);
	}
	if (udp >= 8) {
		to[header + 4] = (uint8_t)(udp >> 8);
		to[header + 5] = (uint8_t)udp;
	}
	return n;
}

static inline bool
esp_event(struct event *e)
{
	return channel_get(&esp.w->up, e, sizeof(*e));
}

static inline uint64_t
esp_drops(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < DROP_REASON_COUNT; i++)
		sum += esp.w->drops[i];
	return sum;
}

/* Seal the burst, and make its buffers fit the packets, as sending them does. */
static inline void
esp_world_seal(void)
{
	esp_seal(esp.w, &esp.burst);
	for (uint16_t i = 0; i < esp.burst.n; i++)
		packet_trim(esp.burst.pkt[i], 0);
}
