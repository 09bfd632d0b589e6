/* A worker that feeds itself: its ports are a loop that makes every frame it sends into a new one of the next flow. So
 * it is always busy, and nobody else's speed is in the figures.
 */
#include "loop.h"

#include "drivers/port.h"
#include "tests/whole/whole.h"

#include <rte_mbuf.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- worker ------------------------------------------------------------------------------------------ */

static struct {
	uint8_t frame[LOOP_FLOWS][LOOP_FRAME];
	struct rte_mbuf *ready[LOOP_FRAMES], *answer[64];
	uint32_t n_ready, n_answers, next;
	pid_t thread;
	uint64_t cpu_ns;           /* of the thread, at the last turn */
	_Atomic uint64_t worst_ns; /* on its core between two turns; control sets it to 0 */
} loop;

static uint64_t
thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
note_turn(void)
{
	uint64_t now = thread_ns();

	if (loop.thread != gettid()) {
		loop.thread = gettid();
	} else if (now - loop.cpu_ns > loop.worst_ns) {
		loop.worst_ns = now - loop.cpu_ns;
	}
	loop.cpu_ns = now;
}

static uint16_t
near_rx(struct port_queue *q, struct rte_mbuf **m, uint16_t n)
{
	(void)q;
	note_turn();
	n = (uint16_t)RTE_MIN(n, loop.n_ready);
	for (uint16_t i = 0; i < n; i++) {
		m[i] = loop.ready[--loop.n_ready];
		m[i]->data_off = RTE_PKTMBUF_HEADROOM;
		m[i]->pkt_len = m[i]->data_len = LOOP_FRAME;
		m[i]->ol_flags = 0;
		memcpy(rte_pktmbuf_mtod(m[i], void *), loop.frame[loop.next++ % LOOP_FLOWS], LOOP_FRAME);
	}
	return n;
}

static uint16_t
far_tx(struct port_queue *q, struct rte_mbuf **m, uint16_t n)
{
	(void)q;
	for (uint16_t i = 0; i < n; i++) {
		bool arp = rte_pktmbuf_mtod(m[i], uint8_t *)[13] == 0x06;

		if (arp && loop.n_answers < RTE_DIM(loop.answer)) {
			whole_arp_answer(rte_pktmbuf_mtod(m[i], uint8_t *)); /* the far gateway answers for all */
			loop.answer[loop.n_answers++] = m[i];
		} else if (!arp && loop.n_ready < LOOP_FRAMES) {
			loop.ready[loop.n_ready++] = m[i];
		} else {
			rte_pktmbuf_free(m[i]);
		}
	}
	return n;
}

static uint16_t
far_rx(struct port_queue *q, struct rte_mbuf **m, uint16_t n)
{
	(void)q;
	n = (uint16_t)RTE_MIN(n, loop.n_answers);
	for (uint16_t i = 0; i < n; i++)
		m[i] = loop.answer[--loop.n_answers];
	return n;
}

static uint16_t
near_tx(struct port_queue *q, struct rte_mbuf **m, uint16_t n)
{
	(void)q;
	for (uint16_t i = 0; i < n; i++)
		rte_pktmbuf_free(m[i]);
	return n;
}

/* ---- control ----------------------------------------------------------------------------------------- */

void
loop_frame(uint32_t flow, struct rte_mbuf *m)
{
	memcpy(loop.frame[flow], rte_pktmbuf_mtod(m, void *), LOOP_FRAME);
}

void
loop_attach(uint16_t near, uint16_t far)
{
	port_fast[near].rx = near_rx;
	port_fast[near].tx = near_tx;
	port_fast[far].rx = far_rx;
	port_fast[far].tx = far_tx;
}

void
loop_fill(void)
{
	while (loop.n_ready < LOOP_FRAMES) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(whole_pool());

		if (m == NULL)
			abort();
		loop.ready[loop.n_ready++] = m;
	}
}

uint32_t
loop_empty(void)
{
	uint32_t frames = loop.n_ready;

	rte_pktmbuf_free_bulk(loop.ready, loop.n_ready);
	rte_pktmbuf_free_bulk(loop.answer, loop.n_answers);
	loop.n_ready = loop.n_answers = 0;
	return frames;
}

pid_t
loop_thread(void)
{
	return loop.thread;
}

void
loop_pause_begin(void)
{
	loop.worst_ns = 0;
}

uint64_t
loop_pause_ns(void)
{
	return loop.worst_ns;
}
