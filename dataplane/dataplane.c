/* The running dataplane: made, started, given views, polled, stopped. Control thread.
 *
 * Publishing is two steps in this order: the view is enqueued to every worker, then the grace period
 * starts. A worker reports quiescence before it drains its orders, so whoever reports after the start
 * takes the new view before its next packet, and the old view may go when all have reported.
 */
#include "dataplane/esp.h"
#include "dataplane/exception.h"
#include "dataplane/flow.h"
#include "dataplane/fragment.h"
#include "dataplane/handoff.h"
#include "dataplane/meter.h"
#include "dataplane/neighbour.h"
#include "dataplane/pipeline.h"
#include "dataplane/state.h"
#include "dataplane/trace.h"

#include "drivers/clock.h"
#include "drivers/crypto.h"
#include "drivers/eal.h"
#include "drivers/port.h"

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHANNEL_SIZE 1024
#define EVENTS_PER_POLL 512
#define FRAGMENTS_PER_WORKER 1024
#define FRAGMENT_TIMEOUT_S 2

/* ---- making ------------------------------------------------------------------------- */

static void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	channel_fini(&w->down);
	channel_fini(&w->up);
	rte_ring_free(w->handoff);
	rte_ring_free(w->outbox);
	crypto_worker_free(w->crypto);
	fragment_table_free(w->fragments);
	rte_free(w->trace);
	rte_free(w);
}

static struct rte_ring *
worker_ring(const char *what, uint16_t id)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u", what, id);
	return rte_ring_create(name, HANDOFF_RING, (int)rte_socket_id(), RING_F_SC_DEQ);
}

/* Queue q of a port belongs to worker q; a port with fewer queues leaves the rest without. */
static void
worker_queues(struct worker *w)
{
	for (uint16_t port = 0; port < w->n_ports; port++) {
		const struct port_caps *caps = port_caps(port);
		uint16_t senders = caps->tx_queues ? caps->tx_queues : 1;

		if (w->id < caps->rx_queues && w->n_queues < WORKER_QUEUES_MAX) {
			w->rx[w->n_queues].port = port;
			w->rx[w->n_queues].queue = w->id;
			w->rx[w->n_queues].spread = w->n_workers > 1 && !caps->rss;
			w->n_queues++;
		}
		w->tx[port].port = port;
		w->tx[port].queue = w->id % senders;
		w->tx[port].owner = w->id % senders;
	}
}

static struct worker *
worker_create(struct dataplane *dp, uint16_t id)
{
	struct worker *w = rte_zmalloc("worker", sizeof(*w), RTE_CACHE_LINE_SIZE);

	if (w == NULL)
		return NULL;
	w->id = id;
	w->lcore = (uint16_t)eal_worker_lcore(id);
	w->n_workers = dp->n_workers;
	w->n_ports = ports_count();
	w->dp = dp;
	w->peer = dp->worker;
	w->qsbr = dp->qsbr;
	w->pool = dp->pool;
	w->flows = dp->flows;
	w->neighbours = dp->neighbours;
	w->meters = dp->meters;
	w->meter_burst = dp->tsc_hz / METER_BURST_PER_SECOND;
	w->tsc_hz = dp->tsc_hz;
	w->start_tsc = dp->start_tsc;
	w->sample_mask = WORKER_SAMPLE_MASK;
	w->busy_poll = dp->appliance.busy_poll;
	w->trace = rte_zmalloc("trace", sizeof(*w->trace), RTE_CACHE_LINE_SIZE);
	w->crypto = crypto_worker_create();
	w->fragments = fragment_table_create(FRAGMENTS_PER_WORKER, FRAGMENT_TIMEOUT_S * dp->tsc_hz);
	w->handoff = worker_ring("handoff", id);
	w->outbox = worker_ring("outbox", id);
	if (!w->trace || !w->crypto || !w->fragments || !w->handoff || !w->outbox ||
		channel_init(&w->down, CHANNEL_SIZE) || channel_init(&w->up, CHANNEL_SIZE)) {
		worker_free(w);
		return NULL;
	}
	worker_queues(w);
	return w;
}

static int
qsbr_create(struct dataplane *dp)
{
	size_t size = rte_rcu_qsbr_get_memsize(dp->n_workers);

	dp->qsbr = rte_zmalloc("qsbr", size, RTE_CACHE_LINE_SIZE);
	if (dp->qsbr == NULL)
		return -ENOMEM;
	rte_rcu_qsbr_init(dp->qsbr, dp->n_workers);
	for (uint16_t i = 0; i < dp->n_workers; i++)
		rte_rcu_qsbr_thread_register(dp->qsbr, i);
	return 0;
}

struct dataplane *
dataplane_create(const struct cfg_appliance *a, struct rte_mempool *pool, char *error, size_t error_size)
{
	struct dataplane *dp = rte_zmalloc("dataplane", sizeof(*dp), RTE_CACHE_LINE_SIZE);

	if (dp == NULL)
		goto memory;
	dp->appliance = *a;
	dp->n_workers = a->workers;
	dp->pool = pool;
	dp->tsc_hz = rte_get_tsc_hz();
	dp->start_tsc = clock_tsc();
	dp->flows = flow_table_create(a->flows);
	dp->neighbours = neighbour_table_create(a->neighbours);
	dp->meters = rte_zmalloc("meters", IFACES_MAX * sizeof(*dp->meters), RTE_CACHE_LINE_SIZE);
	if (!dp->flows || !dp->neighbours || !dp->meters || qsbr_create(dp) != 0)
		goto memory;
	for (uint16_t i = 0; i < dp->n_workers; i++) {
		dp->worker[i] = worker_create(dp, i);
		if (dp->worker[i] == NULL)
			goto memory;
	}
	dp->neighbour_state = neighbours_create(a->neighbours);
	dp->exception = exception_create(dp);
	if (!dp->neighbour_state || !dp->exception)
		goto memory;
	return dp;

memory:
	snprintf(error, error_size, "not enough memory for %u flows, %u neighbours and %u workers", a->flows,
		a->neighbours, a->workers);
	dataplane_free(dp);
	return NULL;
}

int
dataplane_start(struct dataplane *dp, struct view *first, const struct dataplane_events *events)
{
	dataplane_prime(dp, first, events);
	for (uint16_t i = 0; i < dp->n_workers; i++) {
		int rc = rte_eal_remote_launch(worker_main, dp->worker[i], dp->worker[i]->lcore);

		if (rc != 0)
			return rc;
	}
	return 0;
}

void
dataplane_prime(struct dataplane *dp, struct view *first, const struct dataplane_events *events)
{
	if (events)
		dp->events = *events;
	first->generation = ++dp->generation;
	dp->view = first;
	neighbour_view(dp, first);
	for (uint16_t i = 0; i < dp->n_workers; i++) {
		dp->worker[i]->view = first;
		atomic_store_explicit(&dp->worker[i]->published, first, memory_order_release);
		rte_rcu_qsbr_thread_online(dp->qsbr, i);
	}
}

/* ---- orders --------------------------------------------------------------------------- */

static bool
room_everywhere(struct dataplane *dp)
{
	for (uint16_t i = 0; i < dp->n_workers; i++)
		if (channel_room(&dp->worker[i]->down) == 0)
			return false;
	return true;
}

static void
order_all(struct dataplane *dp, const struct command *c)
{
	for (uint16_t i = 0; i < dp->n_workers; i++)
		channel_put(&dp->worker[i]->down, c, sizeof(*c));
}

uint64_t
dataplane_grace_start(struct dataplane *dp)
{
	return rte_rcu_qsbr_start(dp->qsbr);
}

bool
dataplane_grace_over(struct dataplane *dp, uint64_t token)
{
	return rte_rcu_qsbr_check(dp->qsbr, token, false) == 1;
}

int
dataplane_publish(struct dataplane *dp, struct view *v)
{
	if (dp->n_retired == RETIRED_MAX)
		return -EAGAIN;
	v->generation = ++dp->generation;
	if (v->number != dp->view->number)
		neighbour_view(dp, v);
	for (uint16_t i = 0; i < dp->n_workers; i++)
		atomic_store_explicit(&dp->worker[i]->published, v, memory_order_release);
	dp->retired[dp->n_retired++] = (struct retired){dp->view, dataplane_grace_start(dp)};
	dp->view = v;
	return 0;
}

const struct view *
dataplane_view(const struct dataplane *dp)
{
	return dp->view;
}

uint32_t
dataplane_retired(const struct dataplane *dp)
{
	return dp->n_retired;
}

uint64_t
dataplane_generation(const struct dataplane *dp)
{
	return dp->generation;
}

uint64_t
dataplane_settled(const struct dataplane *dp)
{
	uint64_t oldest = dp->generation;

	for (uint32_t i = 0; i < dp->n_retired; i++)
		oldest = RTE_MIN(oldest, dp->retired[i].view->generation);
	return oldest;
}

int
dataplane_trace(struct dataplane *dp, const struct flow_filter *filter, uint32_t count)
{
	struct command c = {.type = COMMAND_TRACE, .count = count};

	if (!room_everywhere(dp))
		return -EAGAIN;
	/* Workers copy the filter when they drain the order; two turns cover an order still under way. */
	dp->filter[++dp->filter_turn & 1] = *filter;
	c.filter = &dp->filter[dp->filter_turn & 1];
	order_all(dp, &c);
	return 0;
}

/* Our own packets are spread by nothing: worker 0 has room for what control makes. */
static void
order_packet(struct dataplane *dp, const struct command *c)
{
	if (!channel_put(&dp->worker[0]->down, c, sizeof(*c)))
		dataplane_drop(dp, c->m, DROP_NO_BUFFER);
}

void
dataplane_send_frame(struct dataplane *dp, uint16_t port, struct rte_mbuf *m, uint64_t until_ns)
{
	struct command c = {.type = COMMAND_FRAME, .port = port, .m = m, .until_ns = until_ns};

	order_packet(dp, &c);
}

static void
send_from(struct dataplane *dp, struct command *c, uint16_t l3_off)
{
	c->type = COMMAND_PACKET;
	if (rte_pktmbuf_adj(c->m, l3_off) == NULL) {
		dataplane_drop(dp, c->m, DROP_TRUNCATED);
		return;
	}
	order_packet(dp, c);
}

void
dataplane_send_packet(struct dataplane *dp, uint16_t iface, struct rte_mbuf *m, uint16_t l3_off)
{
	send_from(dp, &(struct command){.iface = iface, .tunnel = TUNNEL_NONE, .m = m}, l3_off);
}

void
dataplane_send_routed(struct dataplane *dp, uint16_t iface, struct rte_mbuf *m)
{
	send_from(dp, &(struct command){.iface = iface, .routed = true, .tunnel = TUNNEL_NONE, .m = m}, 0);
}

void
dataplane_send_answer(struct dataplane *dp, const struct event *e, struct rte_mbuf *m, uint16_t l3_off)
{
	send_from(dp, &(struct command){.iface = e->iface, .tunnel = e->tunnel, .description = e->description, .m = m},
		l3_off);
}

void
dataplane_drop(struct dataplane *dp, struct rte_mbuf *m, enum drop_reason reason)
{
	dp->drops[reason]++;
	rte_pktmbuf_free(m);
}

/* ---- polling ----------------------------------------------------------------------------- */

static void
reclaim(struct dataplane *dp)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < dp->n_retired; i++) {
		if (dataplane_grace_over(dp, dp->retired[i].token))
			view_free((struct view *)(uintptr_t)dp->retired[i].view);
		else
			dp->retired[kept++] = dp->retired[i];
	}
	dp->n_retired = kept;
}

static void
sa_event(struct dataplane *dp, const struct event *e)
{
	const struct sa_event told = {.kind = e->class,
		.name = e->name,
		.spi = e->spi,
		.outbound = e->out != 0,
		.address = e->address,
		.port = e->remote_port};

	if (dp->events.sa_event)
		dp->events.sa_event(dp->events.context, &told);
}

/* Each worker tells once a second; together, so do they. */
static void
tunnel_miss(struct dataplane *dp, const struct event *e)
{
	struct tunnel_miss told = {.name = e->name,
		.source.family = e->class,
		.destination.family = e->class,
		.protocol = e->protocol,
		.source_port = e->source_port,
		.destination_port = e->destination_port};

	memcpy(told.source.b, e->ends[0], 16);
	memcpy(told.destination.b, e->ends[1], 16);
	if (dp->events.tunnel_miss && miss_due(&dp->misses, e->name, clock_boot_ns(), 1000000000u))
		dp->events.tunnel_miss(dp->events.context, &told);
}

static void
event_take(struct dataplane *dp, struct worker *w, const struct event *e)
{
	struct trace_record record;

	switch ((enum event_type)e->type) {
	case EVENT_PUNT:
		exception_take(dp, e);
		break;
	case EVENT_TRACE:
		trace_read(w, e->trace, &record);
		if (dp->events.trace)
			dp->events.trace(dp->events.context, &record);
		break;
	case EVENT_SA:
		sa_event(dp, e);
		break;
	case EVENT_MISS:
		tunnel_miss(dp, e);
		break;
	case EVENT_STOPPED:
		break;
	}
}

uint32_t
dataplane_poll(struct dataplane *dp)
{
	uint64_t now_ns = clock_boot_ns();
	struct event e;
	uint32_t n = 0;

	for (uint16_t i = 0; i < dp->n_workers; i++)
		for (uint32_t k = 0; k < EVENTS_PER_POLL && channel_get(&dp->worker[i]->up, &e, sizeof(e)); k++, n++)
			event_take(dp, dp->worker[i], &e);
	neighbour_tick(dp, now_ns);
	shared_address_tick(dp, now_ns);
	esp_keepalives(dp, now_ns);
	reclaim(dp);
	return n;
}

/* ---- the end --------------------------------------------------------------------------------- */

void
dataplane_stop(struct dataplane *dp)
{
	struct command c = {.type = COMMAND_STOP};

	for (uint16_t i = 0; i < dp->n_workers; i++) {
		while (!channel_put(&dp->worker[i]->down, &c, sizeof(c)))
			dataplane_poll(dp);
		rte_eal_wait_lcore(dp->worker[i]->lcore);
	}
	dataplane_poll(dp);
}

/* Packets under way in rings are freed; whatever control sent last is too late. */
static void
drain_rings(struct dataplane *dp, struct worker *w)
{
	struct rte_mbuf *m;
	struct command c;
	struct event e;

	while (channel_get(&w->down, &c, sizeof(c)))
		if (c.type == COMMAND_FRAME || c.type == COMMAND_PACKET)
			dataplane_drop(dp, c.m, DROP_NO_BUFFER);
	while (channel_get(&w->up, &e, sizeof(e)))
		if (e.type == EVENT_PUNT)
			dataplane_drop(dp, e.m, DROP_PUNT_FULL);
	while (rte_ring_dequeue(w->handoff, (void **)&m) == 0 || rte_ring_dequeue(w->outbox, (void **)&m) == 0)
		dataplane_drop(dp, m, DROP_HANDOFF_FULL);
}

void
dataplane_free(struct dataplane *dp)
{
	if (dp == NULL)
		return;
	exception_free(dp->exception);
	neighbours_free(dp->neighbour_state);
	for (uint16_t i = 0; i < dp->n_workers; i++) {
		if (dp->worker[i])
			drain_rings(dp, dp->worker[i]);
		worker_free(dp->worker[i]);
	}
	for (uint32_t i = 0; i < dp->n_retired; i++)
		view_free((struct view *)(uintptr_t)dp->retired[i].view);
	view_free(dp->view);
	flow_table_free(dp->flows);
	neighbour_table_free(dp->neighbours);
	rte_free(dp->meters);
	rte_free(dp->qsbr);
	rte_free(dp);
}
