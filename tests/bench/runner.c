/* Measuring one scenario with one worker: packets into the ring, a worker's turn, frames out of the ring; only the turn
 * is timed. The kinds of figures take turns batch by batch, so that whatever disturbs the machine disturbs all of them.
 */
#include "rig.h"

#include "dataplane/pipeline.h"
#include "dataplane/transmit.h"
#include "drivers/clock.h"

#include <stdlib.h>
#include <string.h>

#define HOT 512 /* packets */
/* Figures are the same from 512 packets to 8,192 (13 MB of 1400 bytes), since they are pushed out of L2 besides; from
 * 24,576 on they are in part DRAM's. */
#define COLD 4096
#define WARM_UP 8 /* batches */

struct samples {
	double *kind[KIND_COUNT], *stage[STAGE_COUNT];
	uint32_t n[KIND_COUNT];
};

struct run {
	struct rig rig;
	uint32_t burst;    /* packets ready at once */
	uint32_t together; /* bursts in a sample */
	uint64_t clock_cost;
	struct samples samples;
};

/* ---- one burst, timed ----------------------------------------------------------------------------------- */

static double
per_packet(const struct run *r, uint64_t cycles, uint32_t intervals)
{
	return ((double)cycles - (double)(intervals * r->clock_cost)) / r->burst;
}

static double
time_total(struct run *r)
{
	uint64_t start = clock_tsc();

	for (uint32_t done = 0; done < r->burst; done += RX_BURST)
		worker_turn(r->rig.worker);
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
time_path(struct run *r)
{
	struct worker *w = r->rig.worker;
	struct rte_mbuf *m[RX_BURST];
	uint64_t cycles = 0, start;
	uint32_t intervals = 0;

	for (uint32_t done = 0; done < r->burst; done += RX_BURST, intervals++) {
		uint16_t n = port_rx(r->rig.in, 0, m, RX_BURST);

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
time_port(struct run *r)
{
	struct rte_mbuf *m[RX_BURST];
	uint64_t start = clock_tsc();

	for (uint32_t done = 0; done < r->burst; done += RX_BURST)
		port_tx(r->rig.out, 0, m, port_rx(r->rig.in, 0, m, RX_BURST));
	return per_packet(r, clock_tsc() - start, 1);
}

static double
time_stages(struct run *r, uint32_t at)
{
	struct worker *w = r->rig.worker;
	uint64_t before[STAGE_COUNT];
	double total;

	w->sample_mask = 0;
	memcpy(before, w->stats.stage_cycles, sizeof(before));
	total = time_total(r);
	w->sample_mask = NEVER;
	for (int i = 0; i < STAGE_COUNT; i++)
		r->samples.stage[i][at] += (double)(w->stats.stage_cycles[i] - before[i]) / r->burst / r->together;
	return total;
}

static double
time_kind(struct run *r, enum kind kind, uint32_t at)
{
	return kind == KIND_TOTAL  ? time_total(r)
	       : kind == KIND_PATH ? time_path(r)
	       : kind == KIND_PORT ? time_port(r)
				   : time_stages(r, at);
}

/* Small bursts are injected one by one: a turn takes all there is, up to its own burst. */
static void
sample(struct run *r, enum kind kind, uint32_t first)
{
	uint32_t at = r->samples.n[kind]++;

	for (uint32_t i = 0; i < r->together; i++) {
		if (r->burst < RX_BURST)
			rig_inject(&r->rig, r->rig.in, first + i * r->burst, r->burst);
		r->samples.kind[kind][at] += time_kind(r, kind, at) / r->together;
	}
}

static void
batch(struct run *r, enum kind kind)
{
	rig_fill(&r->rig);
	if (r->burst >= RX_BURST)
		rig_inject(&r->rig, r->rig.in, 0, r->rig.n);
	if (r->rig.scenario->cold)
		rig_push_out();
	for (uint32_t first = 0; first < r->rig.n; first += r->burst * r->together)
		sample(r, kind, first);
	rig_collect(&r->rig, r->rig.out, 0, r->rig.n, "forwarded");
}

/* ---- a pass -------------------------------------------------------------------------------------------------- */

static void
samples_make(struct samples *s, uint32_t n)
{
	for (int kind = 0; kind < KIND_COUNT; kind++)
		s->kind[kind] = bench_array(n, sizeof(double));
	for (int i = 0; i < STAGE_COUNT; i++)
		s->stage[i] = bench_array(n, sizeof(double));
}

static void
samples_free(struct samples *s)
{
	for (int kind = 0; kind < KIND_COUNT; kind++)
		free(s->kind[kind]);
	for (int i = 0; i < STAGE_COUNT; i++)
		free(s->stage[i]);
}

static void
measure(struct run *r, uint32_t bursts)
{
	for (int i = 0; i < WARM_UP; i++) {
		batch(r, KIND_TOTAL);
		memset(r->samples.kind[KIND_TOTAL], 0, r->samples.n[KIND_TOTAL] * sizeof(double));
		r->samples.n[KIND_TOTAL] = 0;
	}
	for (uint32_t done = 0; done < bursts; done += r->rig.n / r->burst)
		for (int kind = 0; kind < KIND_COUNT; kind++)
			batch(r, kind);
}

void
runner_pass(const struct scenario *s, const struct effort *effort, struct pass *pass)
{
	struct run r = {.burst = s->burst ? s->burst : RX_BURST, .clock_cost = bench_clock_cost()};
	uint32_t packets = s->cold ? COLD : HOT;

	/* Whole cycles: each sample is as heavy as the other. */
	r.together = s->size == SIZE_IMIX ? IMIX_CYCLE / 4 : 1;
	rig_make(&r.rig, s, 0, packets - packets % (r.burst * r.together));
	rig_ready(&r.rig);
	samples_make(&r.samples, effort->bursts + r.rig.n / r.burst);
	measure(&r, effort->bursts);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		pass->kind[kind] = figures_of(r.samples.kind[kind], r.samples.n[kind]);
	for (int i = 0; i < STAGE_COUNT; i++)
		pass->stage[i] = figures_of(r.samples.stage[i], r.samples.n[KIND_STAGES]);
	samples_free(&r.samples);
	rig_free(&r.rig);
}
