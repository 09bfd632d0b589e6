/* make bench: cycles per packet of the whole path and of each stage, in process, without a NIC.
 *
 * Packets of a seeded generator go through pipeline_run() in bursts of 32 and come out of ring
 * ports; filling and emptying the rings is not timed. Every figure is minimum and median over many
 * bursts, in TSC cycles per packet. ESP stands beside the raw IPsec-MB call at the same lengths,
 * measured in the same run. No figure passes or fails: on a shared machine compare within one run.
 *
 * Usage: bench [--json FILE] [SCENARIO...]
 */
#include "bench.h"

#include "dataplane/pipeline.h"
#include "dataplane/transmit.h"
#include "drivers/clock.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP 200

static uint32_t seed = 0x15781;

uint32_t
bench_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct figure
bench_figure(double *sample, uint32_t n)
{
	if (n == 0)
		return (struct figure){0, 0};
	qsort(sample, n, sizeof(*sample), compare);
	return (struct figure){sample[0], sample[n / 2]};
}

/* ---- one burst through the path ------------------------------------------------------------ */

struct sampler {
	double total[BENCH_BURSTS], stage[STAGE_COUNT][BENCH_BURSTS];
	uint32_t n;
};

static void
flush_all(struct worker *w)
{
	for (uint16_t port = 0; port < w->n_ports; port++)
		if (w->tx[port].n)
			transmit_flush(w, &w->tx[port]);
}

/* The worker's clock stands still in a bench but for what is told here. */
static void
tick(struct worker *w)
{
	w->now = clock_tsc();
	w->now_s = (uint32_t)((w->now - w->start_tsc) / w->tsc_hz);
}

static void
timed_burst(struct worker *w, struct rte_mbuf **m, uint16_t n, struct sampler *s)
{
	uint64_t before[STAGE_COUNT], start;

	memcpy(before, w->stats.stage_cycles, sizeof(before));
	tick(w);
	start = clock_tsc();
	pipeline_run(w, m, n, false);
	flush_all(w);
	if (s == NULL)
		return;
	s->total[s->n] = (double)(clock_tsc() - start) / n;
	for (int i = 0; i < STAGE_COUNT; i++)
		s->stage[i][s->n] = (double)(w->stats.stage_cycles[i] - before[i]) / n;
	s->n++;
}

/* What left through the port, at most BURST_MAX frames. */
static uint16_t
collect(const char *port, struct rte_mbuf **m)
{
	uint16_t n = 0;

	while (n < BURST_MAX && (m[n] = port_out(port)) != NULL)
		n++;
	return n;
}

static void
build_burst(const struct scenario *s, struct rte_mbuf **m, uint32_t number)
{
	for (uint16_t i = 0; i < RX_BURST; i++) {
		struct pkt p = s->packet;
		struct bench_addresses text;

		s->vary(s, &p, &text, number * RX_BURST + i);
		m[i] = pkt_build(&p);
		m[i]->port = bench_port(p.port);
	}
}

/* The sealed form of a burst, as it would come from the peer's wire. */
static void
seal_burst(const struct scenario *s, struct worker *w, struct rte_mbuf **m)
{
	struct rte_mbuf *sealed[BURST_MAX];
	uint16_t n;

	timed_burst(w, m, RX_BURST, NULL);
	n = collect(s->wire_out, sealed);
	if (n != RX_BURST) {
		fprintf(stderr, "%s: %u of %u packets were sealed\n", s->name, n, RX_BURST);
		exit(1);
	}
	for (uint16_t i = 0; i < n; i++) {
		const char *to;

		m[i] = whole_route(sealed[i], s->wire_out, s->wire_in, &to);
		m[i]->port = bench_port(s->wire_in);
	}
}

static void
scenario_run(const struct scenario *s, struct result *r)
{
	static struct sampler sampler;
	struct rte_mbuf *m[BURST_MAX];
	struct worker *w;

	memset(&sampler, 0, sizeof(sampler));
	whole_start(s->world());
	bench_resolve(s);
	w = whole_dataplane()->worker[0];
	for (uint32_t b = 0; b < BENCH_BURSTS + WARM_UP; b++) {
		uint16_t out;

		build_burst(s, m, b);
		if (s->opens)
			seal_burst(s, w, m);
		timed_burst(w, m, RX_BURST, b < WARM_UP ? NULL : &sampler);
		out = collect(s->out, m);
		if (out != RX_BURST) {
			fprintf(stderr, "%s: %u of %u packets came out\n", s->name, out, RX_BURST);
			exit(1);
		}
		rte_pktmbuf_free_bulk(m, out);
	}
	r->total = bench_figure(sampler.total, sampler.n);
	for (int i = 0; i < STAGE_COUNT; i++)
		r->stage[i] = bench_figure(sampler.stage[i], sampler.n);
	whole_stop();
}

/* ---- telling --------------------------------------------------------------------------------- */

static void
head(void)
{
	printf("%-34s %9s %7s", "cycles per packet", "min", "median");
	for (int i = STAGE_PARSE; i < STAGE_COUNT; i++)
		printf(" %8s", stage_name(i));
	printf(" %9s %6s\n", "IPsec-MB", "ratio");
}

static void
tell(const struct scenario *s, const struct result *r)
{
	printf("%-34s %9.0f %7.0f", s->name, r->total.min, r->total.median);
	for (int i = STAGE_PARSE; i < STAGE_COUNT; i++)
		printf(" %8.0f", r->stage[i].min);
	if (r->raw.min > 0)
		printf(" %9.0f %6.2f", r->raw.min, r->total.min / r->raw.min);
	printf("\n");
	fflush(stdout);
}

static void
tell_json(FILE *f, const struct scenario *s, const struct result *r, bool first)
{
	fprintf(f,
		"%s\n "
		"{\"scenario\":\"%s\",\"min\":%.1f,\"median\":%.1f,\"rawMin\":%.1f,\"rawMedian\":%.1f,\"stages\":{",
		first ? "[" : ",", s->name, r->total.min, r->total.median, r->raw.min, r->raw.median);
	for (int i = STAGE_PARSE; i < STAGE_COUNT; i++)
		fprintf(f, "%s\"%s\":[%.1f,%.1f]", i == STAGE_PARSE ? "" : ",", stage_name(i), r->stage[i].min,
			r->stage[i].median);
	fprintf(f, "}}");
}

static bool
wanted(const struct scenario *s, char **names, int n)
{
	for (int i = 0; i < n; i++)
		if (strstr(s->name, names[i]))
			return true;
	return n == 0;
}

int
main(int argc, char **argv)
{
	FILE *json = NULL;
	bool first = true;
	int at = 1;

	if (argc > 2 && strcmp(argv[1], "--json") == 0) {
		json = fopen(argv[2], "w");
		if (json == NULL) {
			perror(argv[2]);
			return 1;
		}
		at = 3;
	}
	if (whole_begin("bench", bench_huge_pages()) != 0)
		return 1;
	head();
	for (uint32_t i = 0; i < bench_scenarios_n; i++) {
		const struct scenario *s = &bench_scenarios[i];
		struct result r = {0};

		if (!wanted(s, argv + at, argc - at))
			continue;
		scenario_run(s, &r);
		if (s->raw)
			s->raw(s, &r.raw);
		tell(s, &r);
		if (json)
			tell_json(json, s, &r, first);
		first = false;
	}
	if (json) {
		fprintf(json, "%s\n]\n", first ? "[" : "");
		fclose(json);
	}
	whole_end();
	return 0;
}
