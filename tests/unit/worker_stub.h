/* A worker without a loop: what a stage drops is counted, every mbuf has to come back. */
#pragma once

#include "dataplane/trace.h"
#include "dataplane/worker.h"
#include "tests/unit/eal.h"

#include <rte_mempool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define STUB_MBUFS 8191

static struct worker stub_worker;
static struct view stub_view;
static struct iface stub_iface[4];
static uint32_t stub_punts[PUNT_CLASS_COUNT];

void
drop(struct worker *w, struct packet *p, enum drop_reason reason)
{
	w->drops[reason]++;
	rte_pktmbuf_free(p->m);
}

void
punt(struct worker *w, struct packet *p, enum punt_class class, enum drop_reason reason, uint16_t out,
	const struct ip_addr *address, uint16_t mtu)
{
	stub_punts[class]++;
	drop(w, p, reason);
}

void
trace_end(struct worker *w, struct packet *p)
{
	p->flags &= ~PKT_TRACED;
}

static inline struct worker *
stub_worker_start(void)
{
	struct worker *w = &stub_worker;

	memset(w, 0, sizeof(*w));
	memset(stub_iface, 0, sizeof(stub_iface));
	memset(stub_punts, 0, sizeof(stub_punts));
	stub_view = (struct view){.iface = stub_iface, .iface_mask = 3, .n_ifaces = 4};
	w->view = &stub_view;
	w->now = 1000;
	w->pool = rte_mempool_lookup("stub");
	if (!w->pool)
		w->pool = rte_pktmbuf_pool_create("stub", STUB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	assert_non_null(w->pool);
	return w;
}

static inline void
stub_worker_stop(struct worker *w)
{
	assert_int_equal(rte_mempool_in_use_count(w->pool), 0);
}
