/* The worker loop.
 *
 * Worker lcore only. The order inside a turn is the invariant that lets control free views: first report quiescence
 * (nothing of an older view is held), then take the newest view (it was published before the grace period of the one
 * before it started, so it is there), and only then touch packets. Orders are packets, too: what control sends is
 * routed. A view that came as an order among them would be taken too late for those before it.
 */
#include "dataplane/fragment.h"
#include "dataplane/handoff.h"
#include "dataplane/pipeline.h"
#include "dataplane/trace.h"
#include "dataplane/transmit.h"

#include "drivers/clock.h"
#include "drivers/port.h"

#include <time.h>

#define IDLE_LOOPS 256  /* without work, before a worker that may sleep does */
#define IDLE_NS 20000   /* how long it sleeps at a time */
#define ORDERS_MAX 2048 /* more than the ring holds: a turn drains all there was */

/* It may have been stopped between control's order and here. */
static void
send_frame(struct worker *w, const struct command *c)
{
	w->stats.made++;
	if (unlikely(c->until_ns != UINT64_MAX) && clock_boot_ns() >= c->until_ns) {
		w->drops[DROP_NOT_PRIMARY]++;
		rte_pktmbuf_free(c->m);
		return;
	}
	transmit_frame(w, c->port, c->m);
}

static void
obey(struct worker *w, const struct command *c)
{
	switch ((enum command_type)c->type) {
	case COMMAND_TRACE:
		trace_order(w, c->filter, c->count);
		break;
	case COMMAND_FRAME:
		send_frame(w, c);
		break;
	case COMMAND_PACKET:
		pipeline_local(w, c);
		break;
	case COMMAND_STOP:
		w->stopping = true;
		break;
	}
}

static uint32_t
orders(struct worker *w)
{
	struct command c;
	uint64_t start;
	uint32_t n = 0;

	if (likely(!channel_get(&w->down, &c, sizeof(c))))
		return 0;
	start = clock_tsc();
	do {
		obey(w, &c);
		n++;
	} while (n < ORDERS_MAX && channel_get(&w->down, &c, sizeof(c)));
	pause_note(&w->orders, w->now_s, clock_tsc() - start);
	return n;
}

static uint32_t
receive(struct worker *w)
{
	struct rte_mbuf *m[RX_BURST];
	uint32_t work = 0;

	for (uint16_t q = 0; q < w->n_queues; q++) {
		bool sampled = pipeline_sampled(w);
		uint64_t start = unlikely(sampled) ? clock_tsc() : 0;
		uint16_t n = port_rx(w->rx[q].port, w->rx[q].queue, m, RX_BURST);

		if (n == 0)
			continue;
		for (uint16_t i = 0; i < n; i++)
			m[i]->port = w->rx[q].port;
		w->stats.rx_packets += n;
		if (unlikely(sampled)) {
			w->stats.stage_cycles[STAGE_RX] += clock_tsc() - start;
			w->stats.stage_packets[STAGE_RX] += n;
		}
		pipeline_run(w, m, n, w->rx[q].spread);
		work += n;
	}
	return work;
}

static uint32_t
receive_handed(struct worker *w)
{
	struct rte_mbuf *m[RX_BURST];
	uint16_t n;

	if (w->n_workers == 1)
		return 0;
	handoff_outbox(w);
	n = handoff_receive(w, m, RX_BURST);
	if (n)
		pipeline_run(w, m, n, false);
	return n;
}

static void
flush(struct worker *w)
{
	for (uint16_t port = 0; port < w->n_ports; port++)
		if (w->tx[port].n)
			transmit_flush(w, &w->tx[port]);
}

/* On cores that are shared with others a worker may sleep when there is nothing to do (busyPoll: false). */
static void
rest(struct worker *w, uint32_t work)
{
	static const struct timespec nap = {.tv_nsec = IDLE_NS};

	if (work) {
		w->idle = 0;
		w->stats.busy_loops++;
	} else if (!w->busy_poll && ++w->idle > IDLE_LOOPS) {
		nanosleep(&nap, NULL);
		w->turn_start = clock_tsc(); /* a nap is no pause: nothing waits */
	}
}

/* One reading of the clock a turn. */
static void
tick(struct worker *w)
{
	w->now = clock_tsc();
	if (unlikely(w->now >= w->next_second_tsc)) {
		w->now_s = (uint32_t)((w->now - w->start_tsc) / w->tsc_hz);
		w->next_second_tsc = w->start_tsc + (w->now_s + 1) * w->tsc_hz;
	}
	pause_note(&w->turns, w->now_s, w->now - w->turn_start);
	w->turn_start = w->now;
}

bool
worker_turn(struct worker *w)
{
	uint32_t work;

	tick(w);
	rte_rcu_qsbr_quiescent(w->qsbr, w->id);
	w->view = atomic_load_explicit(&w->published, memory_order_acquire);
	work = orders(w);
	if (unlikely(w->stopping)) {
		flush(w);
		return false;
	}
	w->stats.loops++;
	work += receive(w);
	work += receive_handed(w);
	if (unlikely(fragments_due(w->fragments, w->now)))
		pipeline_waiting(w);
	flush(w);
	rest(w, work);
	return true;
}

int
worker_main(void *worker)
{
	struct worker *w = worker;
	struct event stopped = {.type = EVENT_STOPPED};

	w->turn_start = clock_tsc();
	while (worker_turn(w))
		;
	rte_rcu_qsbr_thread_offline(w->qsbr, w->id);
	worker_event(w, &stopped);
	return 0;
}
