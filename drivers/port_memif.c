/* Ports on shared memory (memif): another process on this machine, VPP for instance.
 *
 * Not DPDK's driver of that name: its client never comes back to a restarted server, it frees the
 * memory under a running worker when the peer goes, and it believes whatever descriptors say.
 *
 * Positions. Let `at` be our count of slots passed. Receiving, `theirs - at` packets wait; what we
 * publish is how far the peer may go: `at` in c2s rings (taken), `at + size` in s2c rings (empty
 * buffers given). Sending, `theirs + bias - at` slots are free: bias is the ring's size for a
 * client, whose buffers are all its own at first, and 0 for a server, which only gets the buffers
 * that were given.
 */
#include "drivers/memif_link.h"
#include "drivers/port_kind.h"
#include "drivers/socket_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_MIN 2048

/* ---- buffers ---------------------------------------------------------------------- */

/* Read once: the peer may write at any time. */
static struct memif_descriptor
descriptor_read(const struct memif_end *e, uint16_t slot)
{
	const uint64_t *shared = (const uint64_t *)&e->ring->descriptor[slot & (e->size - 1)];
	uint64_t copy[2] = {
		__atomic_load_n(&shared[0], __ATOMIC_RELAXED),
		__atomic_load_n(&shared[1], __ATOMIC_RELAXED),
	};
	struct memif_descriptor d;

	memcpy(&d, copy, sizeof d);
	return d;
}

/* A client knows its buffers; a server takes what is within a region. NULL: outside. */
static uint8_t *
buffer_of(const struct memif_end *e, uint16_t slot, const struct memif_descriptor *d)
{
	if (e->buffer_size)
		return d->length <= e->buffer_size
			       ? e->region[0].base + e->own_offset + (size_t)(slot & (e->size - 1)) * e->buffer_size
			       : NULL;
	if (d->region >= e->n_regions || (uint64_t)d->offset + d->length > e->region[d->region].size)
		return NULL;
	return e->region[d->region].base + d->offset;
}

/* An empty buffer goes back to the server as it was made. */
static void
buffer_renew(struct memif_end *e, uint16_t slot)
{
	uint32_t number = slot & (e->size - 1u);

	e->ring->descriptor[number] = (struct memif_descriptor){
		.length = e->buffer_size,
		.offset = e->own_offset + number * e->buffer_size,
	};
}

static void
peer_wake(const struct memif_end *e)
{
	const uint64_t one = 1;

	if (__atomic_load_n(&e->ring->flags, __ATOMIC_RELAXED) & MEMIF_RING_POLLED)
		return;
	/* A full counter wakes as well. */
	if (write(e->event, &one, sizeof one) < 0)
		return;
}

/* ---- receiving -------------------------------------------------------------------- */

/* Collects one packet of up to `waiting` slots. Returns the slots passed; *fit says whether the
 * packet is whole and within bounds. */
static uint16_t
packet_take(struct memif_end *e, uint16_t waiting, struct rte_mbuf *m, bool *fit)
{
	uint16_t used = 0;
	bool more = true;

	*fit = true;
	while (more && used < waiting) {
		struct memif_descriptor d = descriptor_read(e, e->at);
		const uint8_t *data = buffer_of(e, e->at, &d);

		if (data && d.length <= rte_pktmbuf_tailroom(m))
			rte_memcpy(rte_pktmbuf_append(m, (uint16_t)d.length), data, d.length);
		else
			*fit = false;
		if (e->buffer_size)
			buffer_renew(e, e->at);
		more = d.flags & MEMIF_DESCRIPTOR_NEXT;
		e->at++;
		used++;
	}
	if (more)
		*fit = false;
	return used;
}

static uint16_t
end_receive(struct port_queue *q, struct memif_end *e, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t waiting = __atomic_load_n(e->theirs, __ATOMIC_ACQUIRE) - e->at, got = 0;

	/* More than the ring holds: not a peer to follow. */
	if (unlikely(waiting > e->size))
		return 0;
	while (waiting > 0 && got < n) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(q->port->pool);
		bool fit;

		if (unlikely(!m)) {
			port_count(&q->count.rx_nombuf, 1);
			break;
		}
		waiting -= packet_take(e, waiting, m, &fit);
		if (likely(fit)) {
			pkts[got++] = m;
			continue;
		}
		rte_pktmbuf_free(m);
		port_count(&q->count.rx_errors, 1);
	}
	__atomic_store_n(e->ours, (uint16_t)(e->at + e->bias), __ATOMIC_RELEASE);
	return got;
}

static uint16_t
memif_port_receive(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct memif_link *l = q->rx;
	struct memif_end *e = &l->receive[q->rx_index];
	uint16_t got = 0;

	if (!rte_spinlock_trylock(&e->lock))
		return 0;
	if (e->ring)
		got = end_receive(q, e, pkts, n);
	rte_spinlock_unlock(&e->lock);
	return got;
}

/* ---- sending ---------------------------------------------------------------------- */

/* Spreads a packet over as many buffers as it needs. Returns the slots used; 0: not enough are
 * free, or what the peer gave is not usable. */
static uint16_t
packet_give(struct memif_end *e, uint16_t free, const struct rte_mbuf *m)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t left = m->data_len;
	uint16_t used = 0;

	do {
		uint16_t slot = e->at + used;
		struct memif_descriptor d = descriptor_read(e, slot);
		uint8_t *buffer;
		uint32_t part;

		if (e->buffer_size)
			d.length = e->buffer_size;
		buffer = used < free ? buffer_of(e, slot, &d) : NULL;
		part = RTE_MIN(left, d.length);
		if (!buffer || part == 0)
			return 0;
		rte_memcpy(buffer, data, part);
		data += part;
		left -= part;
		d.flags = left ? MEMIF_DESCRIPTOR_NEXT : 0;
		d.length = part;
		if (e->buffer_size)
			d.offset = (uint32_t)(buffer - e->region[0].base);
		e->ring->descriptor[slot & (e->size - 1)] = d;
		used++;
	} while (left > 0);
	return used;
}

static uint16_t
end_send(struct memif_end *e, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t free = __atomic_load_n(e->theirs, __ATOMIC_ACQUIRE) + e->bias - e->at, sent = 0;

	if (unlikely(free > e->size))
		return 0;
	while (sent < n) {
		uint16_t used = packet_give(e, free, pkts[sent]);

		if (used == 0)
			break;
		e->at += used;
		free -= used;
		sent++;
	}
	__atomic_store_n(e->ours, e->at, __ATOMIC_RELEASE);
	if (sent > 0)
		peer_wake(e);
	return sent;
}

static uint16_t
memif_port_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct memif_link *l = q->tx;
	uint16_t rings = __atomic_load_n(&l->n_send, __ATOMIC_ACQUIRE), sent = 0;
	struct memif_end *e;

	if (rings == 0)
		return 0;
	/* The peer may have fewer rings than we have workers; whoever shares one waits. */
	e = &l->send[q->tx_index % rings];
	rte_spinlock_lock(&e->lock);
	if (e->ring)
		sent = end_send(e, pkts, n);
	rte_spinlock_unlock(&e->lock);
	rte_pktmbuf_free_bulk(pkts, sent);
	return sent;
}

/* ---- the kind --------------------------------------------------------------------- */

static void
memif_close(struct port *p)
{
	if (p->state)
		memif_link_close(p->state);
	free(p->state);
	p->state = NULL;
}

static int
memif_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	uint16_t queues = c->queues && c->queues < p->workers ? c->queues : p->workers;
	struct memif_link *l;
	int r = socket_path_check(c->path, c->server, error, n);

	if (r != 0)
		return r;
	l = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof *l, 64));
	if (!l)
		return -ENOMEM;
	memset(l, 0, sizeof *l);
	snprintf(l->name, sizeof l->name, "%.31s", p->name);
	snprintf(l->path, sizeof l->path, "%s", c->path);
	l->server = c->server;
	l->queues = queues;
	l->log2_size = (uint8_t)__builtin_ctz(RTE_MIN(p->descriptors, 1u << MEMIF_LOG2_SIZE_MAX));
	l->buffer_size = RTE_MAX((uint32_t)BUFFER_MIN, RTE_ALIGN_CEIL((uint32_t)p->frame_max, 64));
	r = memif_link_open(l, error, n);
	if (r != 0) {
		free(l);
		return r;
	}

	p->state = l;
	p->caps.rx_queues = p->caps.tx_queues = queues;
	p->caps.rss = p->workers == 1;
	for (uint16_t i = 0; i < queues; i++)
		p->rx[i] = p->tx[i] = l;
	return 0;
}

static int
memif_start(struct port *p, char *error, size_t n)
{
	return memif_link_start(p->state);
}

static void
memif_stop(struct port *p)
{
	memif_link_stop(p->state);
}

static bool
memif_link_up(const struct port *p, uint32_t *mbps)
{
	*mbps = 0;
	return memif_link_is_up(p->state);
}

const struct port_kind port_memif = {
	.name = "memif",
	.open = memif_open,
	.start = memif_start,
	.stop = memif_stop,
	.close = memif_close,
	.link = memif_link_up,
	.receive = memif_port_receive,
	.send = memif_port_send,
};
