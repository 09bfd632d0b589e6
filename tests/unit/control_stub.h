/* The dataplane around the exception path, faked: what control sends or drops is kept and counted.
 *
 * Three interfaces: 1 and 2 are subnets of VNet 7 (1 untagged, 2 on VLAN 20), 3 is an uplink, 4 a
 * gateway interface of VNet 7 without addresses. Every mbuf of the pool has to come back.
 */
#pragma once

#include "dataplane/exception.h"
#include "dataplane/frame.h"
#include "dataplane/neighbour.h"
#include "dataplane/state.h"
#include "tests/unit/eal.h"

#include <rte_mempool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STUB_MBUFS 4095
#define STUB_SENT_MAX 4096
#define STUB_SECOND 1000000000ull

struct stub_sent {
	bool frame; /* else a packet to be routed from iface */
	uint16_t port, iface, n;
	uint8_t d[2048];
};

static struct {
	struct dataplane dp;
	struct view view;
	struct iface iface[8];
	struct nic nic[4];
	struct stub_sent sent[STUB_SENT_MAX];
	uint32_t n_sent;
	uint64_t now;
	uint64_t grace_tokens;
	bool grace_holds; /* a worker sits in its burst */
	bool worker_behind;
	uint64_t until_ns; /* of the last frame */
} stub;

/* ---- what dataplane.c does in the product ------------------------------------------------------- */

static void
stub_keep(bool frame, uint16_t port, uint16_t iface, struct rte_mbuf *m)
{
	struct stub_sent *s = &stub.sent[stub.n_sent++ % STUB_SENT_MAX];

	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->pkt_len, m->data_len);
	assert_true(m->data_len <= sizeof(s->d));
	s->frame = frame;
	s->port = port;
	s->iface = iface;
	s->n = m->data_len;
	memcpy(s->d, rte_pktmbuf_mtod(m, void *), m->data_len);
	rte_pktmbuf_free(m);
}

void
dataplane_send_frame(struct dataplane *dp, uint16_t port, struct rte_mbuf *m, uint64_t until_ns)
{
	stub.until_ns = until_ns;
	stub_keep(true, port, 0, m);
}

void
dataplane_send_answer(struct dataplane *dp, const struct event *e, struct rte_mbuf *m, uint16_t l3_off)
{
	rte_pktmbuf_adj(m, l3_off);
	stub_keep(false, 0, e->iface, m);
}

void
dataplane_drop(struct dataplane *dp, struct rte_mbuf *m, enum drop_reason reason)
{
	dp->drops[reason]++;
	rte_pktmbuf_free(m);
}

bool
dataplane_send_local_ready(struct dataplane *dp)
{
	return !stub.worker_behind;
}

uint64_t
dataplane_grace_start(struct dataplane *dp)
{
	return ++stub.grace_tokens;
}

bool
dataplane_grace_over(struct dataplane *dp, uint64_t token)
{
	return !stub.grace_holds;
}

/* ---- the world ------------------------------------------------------------------------------------ */

static inline struct ip_addr
stub_address(const char *text)
{
	struct ip_addr a;

	assert_int_equal(address_parse(text, &a), 0);
	return a;
}

static void
stub_iface_add(uint16_t id, const char *address, uint8_t len)
{
	struct iface *i = &stub.iface[id];
	struct ip_prefix p = {.addr = stub_address(address), .len = len};
	uint8_t n = i->n_prefixes++;

	i->address[n] = p.addr;
	for (unsigned bit = len; bit < address_bits(&p.addr); bit++)
		p.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	i->prefix[n] = p;
}

static inline void
stub_start(uint32_t capacity)
{
	memset(&stub.dp, 0, sizeof(stub.dp));
	memset(&stub.view, 0, sizeof(stub.view));
	memset(stub.iface, 0, sizeof(stub.iface));
	stub.n_sent = 0;
	stub.grace_holds = stub.worker_behind = false;
	for (uint16_t id = 0; id < 8; id++) {
		stub.iface[id].id = id;
		stub.iface[id].mtu = 1500;
		stub.iface[id].vnet = 7;
		stub.iface[id].mac = (struct rte_ether_addr){{0x02, 0, 0, 0, 0, (uint8_t)id}};
	}
	stub.iface[1].kind = stub.iface[2].kind = IFACE_SUBNET;
	stub.iface[3].kind = IFACE_UPLINK;
	stub.iface[3].vnet = 0;
	stub.iface[4].kind = IFACE_GATEWAY;
	stub.iface[2].port = 1;
	stub.iface[2].vlan = 20;
	stub.iface[3].port = 2;
	stub_iface_add(1, "10.1.0.1", 24);
	stub_iface_add(1, "2001:db8:1::1", 64);
	stub_iface_add(2, "10.2.0.1", 16);
	stub_iface_add(3, "192.0.2.1", 24);
	stub_iface_add(3, "2001:db8:f::1", 64);
	stub.iface[3].gateway4 = stub_address("192.0.2.254");
	stub.view.iface = stub.iface;
	stub.view.iface_mask = 7;
	stub.view.n_ifaces = 5;

	stub.dp.view = &stub.view;
	stub.dp.pool = rte_mempool_lookup("stub");
	if (!stub.dp.pool)
		stub.dp.pool = rte_pktmbuf_pool_create("stub", STUB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	assert_non_null(stub.dp.pool);
	stub.dp.neighbours = neighbour_table_create(capacity);
	stub.dp.neighbour_state = neighbours_create(capacity);
	stub.dp.exception = exception_create(&stub.dp);
	assert_true(stub.dp.neighbours && stub.dp.neighbour_state && stub.dp.exception);
	stub.now = 1000 * STUB_SECOND;
	neighbour_view(&stub.dp, &stub.view);
	neighbour_tick(&stub.dp, stub.now);
}

/* Everything comes back, or the test fails. */
static inline void
stub_stop(void)
{
	neighbours_free(stub.dp.neighbour_state);
	neighbour_table_free(stub.dp.neighbours);
	exception_free(stub.dp.exception);
	assert_int_equal(rte_mempool_in_use_count(stub.dp.pool), 0);
}

/* Time passes in ticks of 10 ms. */
static inline void
stub_pass(uint64_t ms)
{
	for (uint64_t end = stub.now + ms * 1000000; stub.now < end;) {
		stub.now += 10 * 1000000;
		neighbour_tick(&stub.dp, stub.now);
	}
}

static inline uint64_t
stub_drops(enum drop_reason r)
{
	return stub.dp.drops[r];
}

/* A buffer with `head` bytes of 0xee before the packet, as events carry it. */
static inline struct rte_mbuf *
stub_mbuf(uint16_t head, const void *packet, uint16_t n)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(stub.dp.pool);
	uint8_t *d;

	assert_non_null(m);
	d = (uint8_t *)rte_pktmbuf_append(m, head + n);
	if (!d) /* also for gcc, which follows NULL into memcpy */
		abort();
	memset(d, 0xee, head);
	memcpy(d + head, packet, n);
	return m;
}

static const struct mac_addr host_mac = {{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc}};

/* A packet that a worker hands to control, from a host of that MAC. */
static inline void
stub_punt(uint16_t iface, enum punt_class class, uint16_t flags, const void *packet, uint16_t n)
{
	struct event e = {.type = EVENT_PUNT, .class = class, .iface = iface, .l3_off = 14, .flags = flags};

	e.m = stub_mbuf(14, packet, n);
	memcpy(rte_pktmbuf_mtod_offset(e.m, void *, 6), host_mac.b, 6);
	exception_take(&stub.dp, &e);
}

static inline const struct stub_sent *
stub_last(void)
{
	assert_true(stub.n_sent > 0);
	return &stub.sent[(stub.n_sent - 1) % STUB_SENT_MAX];
}
