/* Handoff between workers: see handoff.h. Rings have many producers and one consumer. */
#include "dataplane/handoff.h"
#include "dataplane/esp_place.h"
#include "dataplane/transmit.h"

#include "drivers/port.h"

#include <rte_ring.h>

_Static_assert(WORKERS_MAX <= 64, "targets are a bit each");

/* An SA's packets have one sequence and one window and go to one worker; those of many SAs between the same two
 * addresses, or in the same two UDP ports, go to many. SPIs in a row are spread evenly. */
static inline uint32_t
spread_hash(const struct view *v, const struct packet *p)
{
	struct esp_place e;

	if (likely(!esp_locate(v, p, &e)) || e.length < 4)
		return p->hash;
	return esp_spi(e.esp) * 0x9e3779b1u;
}

/* The burst's packets for one other worker, in order. */
static void
give(struct worker *w, const struct burst *b, const uint8_t *target, uint8_t to)
{
	struct packet *p[BURST_MAX];
	void *m[BURST_MAX];
	uint16_t n = 0, taken;

	for (uint16_t i = 0; i < b->n; i++) {
		p[n] = b->pkt[i];
		m[n] = b->pkt[i]->m;
		n += target[i] == to;
	}
	taken = (uint16_t)rte_ring_mp_enqueue_burst(w->peer[to]->handoff, m, n, NULL);
	for (uint16_t i = taken; i < n; i++)
		drop(w, p[i], DROP_HANDOFF_FULL);
}

void
handoff_spread(struct worker *w, struct burst *b)
{
	uint8_t target[BURST_MAX];
	uint64_t others = 0;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		target[i] = (uint8_t)(((uint64_t)spread_hash(w->view, b->pkt[i]) * w->n_workers) >> 32);
		others |= 1ull << target[i];
	}

	others &= ~(1ull << w->id);
	for (; others; others &= others - 1)
		give(w, b, target, (uint8_t)__builtin_ctzll(others));

	for (uint16_t i = 0; i < b->n; i++)
		if (target[i] == w->id)
			b->pkt[kept++] = b->pkt[i];
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
