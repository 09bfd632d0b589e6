/* A traffic generator on the appliance's memif ports, from a process of its own.
 *
 *	generator [OPTION]... LEFT RIGHT [WIRE WIRE]
 *
 * A port is PATH,OWN,APPLIANCE: the socket that the appliance serves, our address there (a host's,
 * or the router's between two uplinks) and the appliance's. UDP flows go into LEFT and are awaited
 * at RIGHT. Without --rate the no-drop rate of each frame size is searched (RFC 2544, section 26.1),
 * with it one trial is run at that rate. One JSON object per frame size goes to stdout.
 *
 *	--frames LIST        sizes with CRC, 64..1518 and "imix"; 64,128,256,512,1024,1280,1518,imix
 *	--seconds S          of one trial; 1
 *	--rate PPS           one trial at this rate instead of a search
 *	--loss SHARE         that a trial may lose and still pass; 0
 *	--resolution SHARE   0.01
 *	--ceiling MBPS       the search begins here, frames with preamble and gap counted; 100000
 *	--destination ADDRESS --destinations N --flows N --seed N
 *	--worker FILE        /proc/PID/task/TID/schedstat of the appliance's worker: its time on the CPU
 *
 * Exit code 0; 1: a trial found disorder, doubles or damage; 2: it could not run, stderr says why.
 */
#include "drivers/clock.h"
#include "drivers/eal.h"
#include "drivers/log.h"
#include "drivers/port.h"
#include "tests/bench/pktgen/peer.h"
#include "tests/bench/pktgen/search.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZES_MAX 32
#define TRIALS_MAX 24
#define WARM_PPS 2000
#define WARM_SECONDS 0.1
#define WARM_TURNS 12
#define BEHIND_MAX 256 /* frames owed that are made good at once; the rest of a pause is not offered */
#define QUIET_MS 200   /* after the last frame: what has not come by then is lost */
#define GAP_BYTES 20   /* preamble and the gap between frames */
#define WIRE_MTU 2000  /* ESP makes frames longer */

struct options {
	uint16_t size[SIZES_MAX], n_sizes;
	double seconds, rate, loss, resolution, ceiling_mbps;
	struct traffic_plan plan;
	const char *worker;
};

/* What a trial is run with, and what is known of the last one. */
struct rig {
	struct options o;
	struct peers peers;
	struct traffic *traffic;
	uint16_t size;
	double trial_s;
	uint64_t offered, refused;
	double worker_share; /* of the trial's time that the appliance's worker was on a CPU; 0 = unknown */
	double overload_pps; /* most frames per second of the worker on a CPU, in trials with loss; 0: in none */
};

static volatile sig_atomic_t stopping;

static void
on_signal(int number)
{
	stopping = 1;
}

/* ---- a trial ---------------------------------------------------------------------- */

/* Make and send n frames. What the appliance's ring refuses is offered and lost, as at a NIC. */
static void
frames_send(struct rig *g, uint16_t n)
{
	struct rte_mbuf *pkts[PEER_BURST];
	uint16_t sent;

	if (rte_pktmbuf_alloc_bulk(g->peers.pool, pkts, n) != 0)
		return;
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *frame = rte_pktmbuf_mtod(pkts[i], uint8_t *);

		pkts[i]->data_len = traffic_make(g->traffic, frame, clock_tsc());
		pkts[i]->pkt_len = pkts[i]->data_len;
	}
	g->offered += n;
	sent = port_tx(PEER_LEFT, 0, pkts, n);
	g->refused += n - sent;
	if (sent < n)
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
}

/* Ticks spent. Frames are due at even distances; whoever was off the CPU does not owe them all. */
static uint64_t
frames_offer(struct rig *g, double pps)
{
	double per_tick = pps / (double)rte_get_tsc_hz();
	uint64_t start = clock_tsc(), length = (uint64_t)(g->trial_s * (double)rte_get_tsc_hz()), passed;
	double forgiven = 0;

	while ((passed = clock_tsc() - start) < length && !stopping) {
		double due = (double)passed * per_tick - (double)g->offered - forgiven;

		if (due > BEHIND_MAX) {
			forgiven += due - BEHIND_MAX;
			due = BEHIND_MAX;
		}
		if (due >= 1)
			frames_send(g, due < PEER_BURST ? (uint16_t)due : PEER_BURST);
		peers_poll(&g->peers, g->traffic);
	}
	return passed;
}

static void
rest_await(struct rig *g)
{
	uint64_t quiet = rte_get_tsc_hz() / 1000 * QUIET_MS, last = clock_tsc();

	while (traffic_counts(g->traffic)->intact < g->offered - g->refused && clock_tsc() - last < quiet)
		if (peers_poll(&g->peers, g->traffic) > 0)
			last = clock_tsc();
}

/* Nanoseconds the worker has run so far; 0: unknown. */
static uint64_t
worker_ns(const struct rig *g)
{
	unsigned long long ns = 0;
	FILE *f = g->o.worker ? fopen(g->o.worker, "r") : NULL;

	if (!f)
		return 0;
	if (fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	fclose(f);
	return ns;
}

static int
trial_run(void *rig, double pps, struct trial *out)
{
	struct rig *g = rig;
	const struct traffic_count *c = traffic_counts(g->traffic);
	uint64_t worker = worker_ns(g), ticks, carried;
	double s, worker_s;

	traffic_begin(g->traffic, g->size);
	g->offered = g->refused = 0;
	ticks = frames_offer(g, pps);
	carried = c->intact;
	s = (double)ticks / (double)rte_get_tsc_hz();
	worker_s = (double)(worker_ns(g) - worker) / 1e9;
	g->worker_share = worker_s / s;
	rest_await(g);
	if (stopping)
		return -EINTR;

	/* Without loss the worker polled in vain part of its time: that says nothing of what it can do. */
	if (c->intact < g->offered && worker_s > 0 && (double)carried / worker_s > g->overload_pps)
		g->overload_pps = (double)carried / worker_s;
	*out = (struct trial){
		.offered = g->offered,
		.lost = g->offered - c->intact,
		.pps = (double)g->offered / s,
		.sound = c->reordered + c->doubled + c->damaged == 0,
	};
	return 0;
}

/* Until neighbours are known and nothing is lost at a rate that anything carries. */
static int
warm_up(struct rig *g)
{
	struct trial t = {.lost = 1};
	int r = 0;

	g->size = 64;
	g->trial_s = WARM_SECONDS;
	for (unsigned turn = 0; turn < WARM_TURNS && t.lost > 0 && r == 0; turn++)
		r = trial_run(g, WARM_PPS, &t);
	if (r == 0 && t.lost > 0)
		fprintf(stderr, "warming up, %" PRIu64 " of %" PRIu64 " frames did not come through\n", t.lost,
			t.offered);
	return r != 0 ? r : t.lost > 0 ? -ETIMEDOUT : 0;
}

/* ---- what is measured ------------------------------------------------------------- */

static double
mbps(uint16_t size, double pps)
{
	return pps * traffic_mean_size(size) * 8 / 1e6;
}

static double
latency_us(const struct rig *g, double part)
{
	return (double)traffic_latency(g->traffic, part) * 1e6 / (double)rte_get_tsc_hz();
}

static void
frame_print(uint16_t size)
{
	if (size == TRAFFIC_IMIX)
		printf("{\"frame\": \"imix\"");
	else
		printf("{\"frame\": %u", size);
}

static void
trial_print(const struct rig *g, const struct trial *t)
{
	const struct traffic_count *c = traffic_counts(g->traffic);

	printf(", \"pps\": %.0f, \"mbps\": %.1f, \"offered\": %" PRIu64 ", \"received\": %" PRIu64
	       ", \"lost\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"reordered\": %" PRIu64 ", \"doubled\": %" PRIu64
	       ", \"damaged\": %" PRIu64,
		t->pps, mbps(g->size, t->pps), t->offered, c->intact, t->lost, g->refused, c->reordered, c->doubled,
		c->damaged);
	printf(", \"latencyUs\": {\"min\": %.2f, \"median\": %.2f, \"p99\": %.2f}, \"workerShare\": %.3f, "
	       "\"overloadPps\": %.0f}\n",
		latency_us(g, 0), latency_us(g, 0.5), latency_us(g, 0.99), g->worker_share, g->overload_pps);
}

/* The trial that is reported is run once more at the rate found: its latencies and counts are of
 * that rate, and whether it holds is told ("confirmed"). */
static int
size_search(struct rig *g)
{
	struct search s = {
		.high = g->o.ceiling_mbps * 1e6 / 8 / (traffic_mean_size(g->size) + GAP_BYTES),
		.resolution = g->o.resolution,
		.loss = g->o.loss,
		.trials = TRIALS_MAX,
	};
	struct search_result found;
	struct trial again = {0};
	int r = search_no_drop(&s, trial_run, g, &found);

	if (r == 0 && found.pps > 0)
		r = trial_run(g, found.pps, &again);
	if (r != 0)
		return r;
	frame_print(g->size);
	printf(", \"noDropPps\": %.0f, \"noDropMbps\": %.1f, \"end\": \"%s\", \"trials\": %u, \"confirmed\": %s",
		found.pps, mbps(g->size, found.pps), search_end_name(found.end), found.trials,
		found.pps > 0 && again.sound && (double)again.lost <= s.loss * (double)again.offered ? "true"
												     : "false");
	trial_print(g, &again);
	return found.end == SEARCH_UNSOUND ? 1 : 0;
}

static int
size_trial(struct rig *g)
{
	struct trial t;
	int r = trial_run(g, g->o.rate, &t);

	if (r != 0)
		return r;
	frame_print(g->size);
	trial_print(g, &t);
	return t.sound ? 0 : 1;
}

static int
sizes_run(struct rig *g)
{
	int r = peers_resolve(&g->peers, 10), worst = 0;

	if (r != 0) {
		fprintf(stderr, "the appliance does not answer ARP on every port\n");
		return r;
	}
	memcpy(g->o.plan.source_mac, port_caps(PEER_LEFT)->mac.b, 6);
	memcpy(g->o.plan.gateway_mac, g->peers.port[PEER_LEFT].appliance_mac.b, 6);
	g->o.plan.source = g->peers.port[PEER_LEFT].own;
	g->traffic = traffic_build(&g->o.plan);
	if (!g->traffic)
		return -EINVAL;
	r = warm_up(g);
	g->trial_s = g->o.seconds;
	for (uint16_t i = 0; i < g->o.n_sizes && r >= 0; i++) {
		g->size = g->o.size[i];
		g->overload_pps = 0;
		r = g->o.rate > 0 ? size_trial(g) : size_search(g);
		worst = r > worst ? r : worst;
	}
	traffic_free(g->traffic);
	return r < 0 ? r : worst;
}

/* ---- options ---------------------------------------------------------------------- */

static uint32_t
address_read(const char *text)
{
	struct in_addr a;

	if (!text || inet_pton(AF_INET, text, &a) != 1)
		fprintf(stderr, "not an IPv4 address: %s\n", text ? text : ""), exit(64);
	return ntohl(a.s_addr);
}

static void
sizes_read(struct options *o, char *text)
{
	char *one;

	o->n_sizes = 0;
	while ((one = strsep(&text, ",")) && o->n_sizes < SIZES_MAX) {
		int size = strcmp(one, "imix") == 0 ? TRAFFIC_IMIX : atoi(one);

		if (size != TRAFFIC_IMIX && (size < 64 || size > TRAFFIC_FRAME_MAX))
			fprintf(stderr, "not a frame size: %s\n", one), exit(64);
		o->size[o->n_sizes++] = (uint16_t)size;
	}
}

static void
options_read(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"frames", required_argument, NULL, 'f'},
		{"seconds", required_argument, NULL, 's'},
		{"rate", required_argument, NULL, 'r'},
		{"loss", required_argument, NULL, 'l'},
		{"resolution", required_argument, NULL, 'e'},
		{"ceiling", required_argument, NULL, 'c'},
		{"destination", required_argument, NULL, 'd'},
		{"destinations", required_argument, NULL, 'n'},
		{"flows", required_argument, NULL, 'w'},
		{"seed", required_argument, NULL, 'x'},
		{"worker", required_argument, NULL, 'k'},
		{0},
	};
	char usual[] = "64,128,256,512,1024,1280,1518,imix";
	int letter;

	*o = (struct options){.seconds = 1, .resolution = 0.01, .ceiling_mbps = 100000};
	o->plan = (struct traffic_plan){.destinations = 16, .flows = 1024, .seed = 1};
	sizes_read(o, usual);
	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'f':
			sizes_read(o, optarg);
			break;
		case 's':
			o->seconds = atof(optarg);
			break;
		case 'r':
			o->rate = atof(optarg);
			break;
		case 'l':
			o->loss = atof(optarg);
			break;
		case 'e':
			o->resolution = atof(optarg);
			break;
		case 'c':
			o->ceiling_mbps = atof(optarg);
			break;
		case 'd':
			o->plan.destination = address_read(optarg);
			break;
		case 'n':
			o->plan.destinations = (uint32_t)atoi(optarg);
			break;
		case 'w':
			o->plan.flows = (uint32_t)atoi(optarg);
			break;
		case 'x':
			o->plan.seed = strtoull(optarg, NULL, 0);
			break;
		case 'k':
			o->worker = optarg;
			break;
		default:
			exit(64);
		}
	}
}

static void
port_read(struct cfg_port *c, struct peer *p, char *name, char *text)
{
	*c = (struct cfg_port){.name = name, .driver = DRIVER_MEMIF, .mtu = WIRE_MTU};
	c->path = strsep(&text, ",");
	p->own = address_read(strsep(&text, ","));
	p->appliance = address_read(text);
}

/* ---- the process ------------------------------------------------------------------ */

static int
ports_run(struct rig *g, const struct cfg_appliance *a)
{
	char error[512] = "";
	int r;

	g->peers.pool = packet_pool_create(a, 0, error, sizeof error);
	r = g->peers.pool ? ports_open(a, g->peers.pool, error, sizeof error) : -ENOMEM;
	if (r == 0) {
		r = ports_start(error, sizeof error);
		if (r == 0)
			r = sizes_run(g);
		ports_stop();
		ports_close();
	}
	if (error[0])
		fprintf(stderr, "%s\n", error);
	return r;
}

int
main(int argc, char **argv)
{
	static char names[PEERS_MAX][8] = {"left", "right", "wire-a", "wire-b"};
	static struct rig g;
	struct cfg_port c[PEERS_MAX];
	struct cfg_appliance a = {.name = "generator", .workers = 1, .flows = 1024, .neighbours = 1024, .ports = c};
	char error[512] = "";
	int r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_open(LOG_LEVEL_WARNING);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	options_read(&g.o, argc, argv);
	g.peers.n = (uint16_t)(argc - optind);
	if (g.peers.n != 2 && g.peers.n != PEERS_MAX)
		return fprintf(stderr, "two ports, or four, are needed\n"), 64;
	for (uint16_t i = 0; i < g.peers.n; i++)
		port_read(&c[i], &g.peers.port[i], names[i], argv[optind + i]);
	a.n_ports = g.peers.n;

	r = eal_start(&a, "isthmus-generator", error, sizeof error);
	if (r != 0)
		return fprintf(stderr, "%s\n", error), 2;
	r = ports_run(&g, &a);
	eal_stop();
	return r < 0 ? 2 : r;
}
