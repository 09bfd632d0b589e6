/* Handoff between workers: see handoff.h. Rings have many producers and one consumer. */
#include "dataplane/handoff.h"
#include "dataplane/transmit.h"

#include "drivers/port.h"

#include <rte_ring.h>

void
handoff_spread(struct worker *w, struct burst *b)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];
		uint16_t target = (uint16_t)(((uint64_t)p->hash * w->n_workers) >> 32);

		if (target == w->id)
			b->pkt[kept++] = p;
		else if (rte_ring_mp_enqueue(w->peer[target]->handoff, p->m) != 0)
			drop(w, p, DROP_HANDOFF_FULL);
	}
	b->n = kept;
}

uint16_t
handoff_receive(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	return (uint16_t)rte_ring_sc_dequeue_burst(w->handoff, (void **)m, n, NULL);
}

uint16_t
handoff_tx(struct worker *w, struct tx_buffer *t)
{
	struct worker *owner = w->peer[t->owner];

	if (likely(owner == w))
		return port_tx(t->port, t->queue, t->m, t->n);
	for (uint16_t i = 0; i < t->n; i++)
		t->m[i]->port = t->port;
	return (uint16_t)rte_ring_mp_enqueue_burst(owner->outbox, (void *const *)t->m, t->n, NULL);
}

void
handoff_outbox(struct worker *w)
{
	struct rte_mbuf *m[BURST_MAX];
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(w->outbox, (void **)m, BURST_MAX, NULL);

	for (uint16_t i = 0; i < n; i++)
		transmit_frame(w, m[i]->port, m[i]);
}
