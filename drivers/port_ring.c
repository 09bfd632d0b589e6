/* Ports without a wire: `ring` (tests and benches hold the far end) and `null` (the bin).
 *
 * A ring port is two rte_rings per worker. Packets pass by reference and unchecked, so that a
 * bench measures the dataplane and not the port; bytes are counted at the far end, where the
 * packet is touched anyway. Each ring has one producer and one consumer.
 */
#include "drivers/port_kind.h"

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include <errno.h>
#include <string.h>

struct ring_end {
	struct rte_ring *ring;
	uint64_t bytes; /* far end */
};

static void
ring_close(struct port *p)
{
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++) {
		for (int way = 0; way < 2; way++) {
			struct ring_end *e = way ? p->tx[i] : p->rx[i];
			struct rte_mbuf *m;

			while (e && e->ring && rte_ring_dequeue(e->ring, (void **)&m) == 0)
				rte_pktmbuf_free(m);
			if (e)
				rte_ring_free(e->ring);
			rte_free(e);
		}
		p->rx[i] = p->tx[i] = NULL;
	}
}

static struct ring_end *
ring_make(const struct port *p, uint16_t queue, const char *way)
{
	struct ring_end *e = rte_zmalloc("ring_end", sizeof *e, RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (!e)
		return NULL;
	snprintf(name, sizeof name, "port%u_%s%u", p->id, way, queue);
	e->ring = rte_ring_create(name, p->descriptors, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (!e->ring) {
		rte_free(e);
		return NULL;
	}
	return e;
}

static int
ring_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	uint16_t queues = c->queues && c->queues < p->workers ? c->queues : p->workers;

	for (uint16_t i = 0; i < queues; i++) {
		p->rx[i] = ring_make(p, i, "rx");
		p->tx[i] = ring_make(p, i, "tx");
		if (!p->rx[i] || !p->tx[i]) {
			snprintf(error, n, "no memory for its rings: %s", rte_strerror(rte_errno));
			ring_close(p);
			return -ENOMEM;
		}
	}
	p->caps.rx_queues = p->caps.tx_queues = queues;
	p->caps.rss = queues == p->workers;
	return 0;
}

static int
nothing_starts(struct port *p, char *error, size_t n)
{
	return 0;
}

static void
nothing_stops(struct port *p)
{
}

static bool
always_up(const struct port *p, uint32_t *mbps)
{
	*mbps = 0;
	return true;
}

static uint16_t
ring_receive(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct ring_end *e = q->rx;
	uint16_t got;

	if (unlikely(!e))
		return 0;
	got = (uint16_t)rte_ring_sc_dequeue_burst(e->ring, (void **)pkts, n, NULL);
	port_count(&q->count.rx_packets, got);
	return got;
}

static uint16_t
ring_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct ring_end *e = q->tx;
	uint16_t sent;

	if (unlikely(q->tx_lock))
		rte_spinlock_lock(q->tx_lock);
	sent = (uint16_t)rte_ring_sp_enqueue_burst(e->ring, (void *const *)pkts, n, NULL);
	if (unlikely(q->tx_lock))
		rte_spinlock_unlock(q->tx_lock);
	port_count(&q->count.tx_packets, sent);
	return sent;
}

static void
ring_stats(const struct port *p, struct port_stats *sum)
{
	for (uint16_t i = 0; i < p->caps.rx_queues; i++) {
		sum->rx_bytes += port_counted(&((const struct ring_end *)p->rx[i])->bytes);
		sum->tx_bytes += port_counted(&((const struct ring_end *)p->tx[i])->bytes);
	}
}

static struct port *
ring_port(uint16_t port, uint16_t queue)
{
	struct port *p = port < ports_count() && port_fast[port].queue[0] ? port_fast[port].queue[0]->port : NULL;

	return p && p->kind == &port_ring && queue < p->caps.rx_queues ? p : NULL;
}

uint16_t
port_ring_inject(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct port *p = ring_port(port, queue);
	struct ring_end *e = p ? p->rx[queue] : NULL;
	uint64_t bytes = 0;
	uint16_t room;

	if (!e)
		return 0;
	/* Room only grows while we look: the worker takes. */
	room = (uint16_t)RTE_MIN(rte_ring_free_count(e->ring), (unsigned)n);
	for (uint16_t i = 0; i < room; i++)
		bytes += pkts[i]->pkt_len;
	port_count(&e->bytes, bytes);
	return (uint16_t)rte_ring_sp_enqueue_bulk(e->ring, (void *const *)pkts, room, NULL);
}

uint16_t
port_ring_collect(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct port *p = ring_port(port, queue);
	struct ring_end *e = p ? p->tx[queue] : NULL;
	uint64_t bytes = 0;
	uint16_t got;

	if (!e)
		return 0;
	got = (uint16_t)rte_ring_sc_dequeue_burst(e->ring, (void **)pkts, n, NULL);
	for (uint16_t i = 0; i < got; i++)
		bytes += pkts[i]->pkt_len;
	port_count(&e->bytes, bytes);
	return got;
}

const struct port_kind port_ring = {
	.name = "ring",
	.open = ring_open,
	.start = nothing_starts,
	.stop = nothing_stops,
	.close = ring_close,
	.link = always_up,
	.stats = ring_stats,
	.receive = ring_receive,
	.send = ring_send,
	.bare = true,
};

/* ---- null ------------------------------------------------------------------------- */

static int
null_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	p->caps.rx_queues = p->caps.tx_queues = p->workers;
	p->caps.rss = true;
	return 0;
}

static void
null_close(struct port *p)
{
}

static uint16_t
null_receive(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	return 0;
}

static uint16_t
null_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

const struct port_kind port_null = {
	.name = "null",
	.open = null_open,
	.start = nothing_starts,
	.stop = nothing_stops,
	.close = null_close,
	.link = always_up,
	.receive = null_receive,
	.send = null_send,
};
