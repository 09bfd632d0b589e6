/* Measuring one scenario: packets into the ring, a worker's turn, frames out of the ring; only the turn is timed.
 *
 * Packets are filled in batches. Hot ones: a few hundred buffers, used again and again, so that packets lie in L2 as
 * they would behind a NIC that writes into the cache. Cold ones: so many, in random order, that those filled first
 * have left L2 when they are taken. Nothing touches a packet between its filling and the worker but the ring's
 * count of bytes.
 *
 * The kinds of figures take turns batch by batch, so that whatever disturbs the machine disturbs all of them.
 */
#include "traffic.h"
#include "world.h"

#include "dataplane/pipeline.h"
#include "dataplane/transmit.h"
#include "dataplane/worker.h"
#include "drivers/clock.h"

#include <rte_mbuf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOT 512
#define WARM_UP 8        /* batches */
#define NEVER UINT64_MAX /* as a worker's sample_mask */

struct samples {
	double *kind[KIND_COUNT], *stage[STAGE_COUNT];
	uint32_t n[KIND_COUNT];
};

struct rig {
	const struct scenario *scenario;
	struct worker *worker;
	struct traffic traffic;
	struct rte_mbuf **packet; /* ours between batches */
	uint32_t n, burst;        /* packets of a batch, and ready at once */
	uint16_t in, out;
	uint64_t clock_cost;
	uint32_t wanted; /* samples of each kind */
	struct samples samples;
};

static void
give_up(const struct rig *r, const char *what, uint32_t n, uint32_t of)
{
	fprintf(stderr, "%s: %u of %u packets were %s\n", r->scenario->name, n, of, what);
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++)
		if (drops_of(reason))
			fprintf(stderr, "  drop %s: %lu\n", drop_name(reason), (unsigned long)drops_of(reason));
	exit(1);
}

/* Bursts, each a sample. */
static uint32_t
per_batch(const struct rig *r)
{
	return r->n / r->burst;
}

/* ---- filling and emptying, untimed -------------------------------------------------------------------- */

static void
inject(struct rig *r, uint16_t port, uint32_t first, uint32_t n)
{
	for (uint32_t done = 0; done < n;) {
		uint16_t some = (uint16_t)RTE_MIN(n - done, 1024u);

		if (port_ring_inject(port, 0, r->packet + first + done, some) != some)
			give_up(r, "taken by the port", done, n);
		done += some;
	}
}

static void
collect(struct rig *r, uint16_t port, uint32_t first, uint32_t n, const char *what)
{
	uint32_t got = 0;

	while (got < n) {
		uint16_t some = port_ring_collect(port, 0, r->packet + first + got, (uint16_t)RTE_MIN(n - got, 1024u));

		if (some == 0)
			give_up(r, what, got, n);
		got += some;
	}
}

/* Turn the worker until `n` packets at one port have come out at another. */
static void
pass_through(struct rig *r, uint16_t in, uint16_t out, uint32_t n, const char *what)
{
	for (uint32_t done = 0; done < n; done += HOT) {
		uint32_t some = RTE_MIN(n - done, (uint32_t)HOT);

		inject(r, in, done, some);
		for (uint32_t turned = 0; turned < some; turned += RX_BURST)
			worker_turn(r->worker);
		collect(r, out, done, some, what);
	}
}

/* What the wire between the gateways does: frames that left w0 are for w1. */
static void
cross_wire(struct rig *r, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		memcpy(rte_pktmbuf_mtod(r->packet[i], uint8_t *), port_caps(WIRE_B)->mac.b, 6);
		r->packet[i]->port = WIRE_B;
	}
}

static void
fill(struct rig *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		traffic_fill(&r->traffic, r->packet[i]);
	if (r->scenario->open) {
		pass_through(r, PORT_A, WIRE_A, r->n, "sealed");
		cross_wire(r, r->n);
	}
}

/* ---- one burst, timed ------------------------------------------------------------------------------------ */

static double
per_packet(const struct rig *r, uint64_t cycles, uint32_t intervals)
{
	return ((double)cycles - (double)(intervals * r->clock_cost)) / r->burst;
}

static double
time_total(struct rig *r)
{
	uint64_t start = clock_tsc();

	for (uint32_t done = 0; done < r->burst; done += RX_BURST)
		worker_turn(r->worker);
	return per_packet(r, clock_tsc() - start, 1);
}

static void
flush(struct worker *w)
{
	for (uint16_t port = 0; port < w->n_ports; port++)
		if (w->tx[port].n)
			transmit_flush(w, &w->tx[port]);
}

/* As a worker's turn does it, but for what is around the path. */
static double
time_path(struct rig *r)
{
	struct worker *w = r->worker;
	struct rte_mbuf *m[RX_BURST];
	uint64_t cycles = 0, start;
	uint32_t intervals = 0;

	for (uint32_t done = 0; done < r->burst; done += RX_BURST, intervals++) {
		uint16_t n = port_rx(r->in, 0, m, RX_BURST);

		w->now = clock_tsc();
		w->now_s = (uint32_t)((w->now - w->start_tsc) / w->tsc_hz);
		start = clock_tsc();
		pipeline_run(w, m, n, false);
		cycles += clock_tsc() - start;
		flush(w);
	}
	return per_packet(r, cycles, intervals);
}

static double
time_port(struct rig *r)
{
	struct rte_mbuf *m[RX_BURST];
	uint64_t start = clock_tsc();

	for (uint32_t done = 0; done < r->burst; done += RX_BURST)
		port_tx(r->out, 0, m, port_rx(r->in, 0, m, RX_BURST));
	return per_packet(r, clock_tsc() - start, 1);
}

static double
time_stages(struct rig *r, uint32_t at)
{
	struct worker *w = r->worker;
	uint64_t before[STAGE_COUNT];
	double total;

	w->sample_mask = 0;
	memcpy(before, w->stats.stage_cycles, sizeof(before));
	total = time_total(r);
	w->sample_mask = NEVER;
	for (int i = 0; i < STAGE_COUNT; i++)
		r->samples.stage[i][at] = (double)(w->stats.stage_cycles[i] - before[i]) / r->burst;
	return total;
}

static void
sample(struct rig *r, enum kind kind)
{
	uint32_t at = r->samples.n[kind];
	double cycles = kind == KIND_TOTAL  ? time_total(r)
			: kind == KIND_PATH ? time_path(r)
			: kind == KIND_PORT ? time_port(r)
					    : time_stages(r, at);

	r->samples.kind[kind][at] = cycles;
	r->samples.n[kind]++;
}

/* Small bursts are injected one by one: a turn takes all there is, up to its own burst. */
static void
batch(struct rig *r, enum kind kind)
{
	bool one_by_one = r->burst < RX_BURST;

	fill(r);
	if (!one_by_one)
		inject(r, r->in, 0, r->n);
	for (uint32_t at = 0; at < r->n; at += r->burst) {
		if (one_by_one)
			inject(r, r->in, at, r->burst);
		sample(r, kind);
	}
	collect(r, r->out, 0, r->n, "forwarded");
}

/* ---- a pass -------------------------------------------------------------------------------------------------- */

static void
shuffle(struct rte_mbuf **m, uint32_t n)
{
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t k = (uint32_t)((uint64_t)bench_random() * (i + 1) >> 32);
		struct rte_mbuf *swapped = m[i];

		m[i] = m[k];
		m[k] = swapped;
	}
}

/* Gateways find their neighbours on the wire: one packet makes them ask. */
static void
resolve(struct rig *r)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(whole_pool());

	traffic_fill(&r->traffic, m);
	pkt_inject("pa", m);
	whole_settle();
	whole_wire("w0", "w1", NULL);
	while ((m = port_out("pb")) != NULL)
		rte_pktmbuf_free(m);
}

/* Every conversation is known before the first is timed. */
static void
prime(struct rig *r)
{
	r->traffic.in_turn = true;
	r->traffic.serial = 0;
	while (r->traffic.serial < r->traffic.flows) {
		uint32_t n = RTE_MIN(r->traffic.flows - r->traffic.serial, (uint32_t)HOT);

		for (uint32_t i = 0; i < n; i++)
			traffic_fill(&r->traffic, r->packet[i]);
		pass_through(r, r->in, r->out, n, "forwarded when they opened a flow");
	}
	r->traffic.in_turn = false;
}

static void *
array(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL) {
		fprintf(stderr, "no memory for the bench\n");
		exit(1);
	}
	return p;
}

static void
rig_make(struct rig *r, const struct scenario *s, const struct effort *effort)
{
	*r = (struct rig){
		.scenario = s,
		.worker = whole_dataplane()->worker[0],
		.n = s->cold ? effort->cold : HOT,
		.burst = s->burst ? s->burst : RX_BURST,
		.in = s->open ? WIRE_B : PORT_A,
		.out = s->world.shape == SHAPE_TUNNEL && !s->open ? WIRE_A : PORT_B,
		.clock_cost = bench_clock_cost(),
		.wanted = effort->bursts,
	};
	r->worker->sample_mask = NEVER;
	bench_seed(s->size * 31u + s->flows);
	traffic_init(&r->traffic, s);
	r->packet = array(r->n, sizeof(*r->packet));
	if (rte_pktmbuf_alloc_bulk(whole_pool(), r->packet, r->n) != 0)
		give_up(r, "there", 0, r->n);
	if (s->cold)
		shuffle(r->packet, r->n);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		r->samples.kind[kind] = array(r->wanted + per_batch(r), sizeof(double));
	for (int i = 0; i < STAGE_COUNT; i++)
		r->samples.stage[i] = array(r->wanted + per_batch(r), sizeof(double));
}

static void
rig_free(struct rig *r)
{
	rte_pktmbuf_free_bulk(r->packet, r->n);
	free(r->packet);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		free(r->samples.kind[kind]);
	for (int i = 0; i < STAGE_COUNT; i++)
		free(r->samples.stage[i]);
}

static void
measure(struct rig *r)
{
	for (int i = 0; i < WARM_UP; i++) {
		batch(r, KIND_TOTAL);
		r->samples.n[KIND_TOTAL] = 0;
	}
	for (uint32_t done = 0; done < r->wanted; done += per_batch(r))
		for (int kind = 0; kind < KIND_COUNT; kind++)
			batch(r, kind);
}

void
runner_pass(const struct scenario *s, const struct effort *effort, struct pass *pass)
{
	struct rig r;

	rig_make(&r, s, effort);
	if (s->world.shape == SHAPE_TUNNEL)
		resolve(&r);
	if (s->world.rules && !s->fresh)
		prime(&r);
	measure(&r);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		pass->kind[kind] = bench_figure(r.samples.kind[kind], r.samples.n[kind]);
	for (int i = 0; i < STAGE_COUNT; i++)
		pass->stage[i] = bench_figure(r.samples.stage[i], r.samples.n[KIND_STAGES]);
	rig_free(&r);
}
