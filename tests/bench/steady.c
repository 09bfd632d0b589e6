/* Does the packet rate stay while control changes the world? The worst pause, the drops, the rate, against quiet times.
 *
 * The worker feeds itself (loop.c). Frames go through stateful rules and random routes into a thousand tunnels.
 * Control works on the other core as the daemon does: a change, then polls.
 *
 * Rates are packets per second that the worker was on its core, and pauses are given twice: as the worker measures
 * them itself, and without the time in which the system let others run there. With --smoke no time is taken and nothing
 * may be lost.
 */
#include "loop.h"
#include "turning.h"

#include "dataplane/pipeline.h"
#include "drivers/clock.h"

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_MB 800
#define TUNNELS 1000
#define ROUTES 100000
#define RULES 1000
#define PHASE_S 4
#define SMOKE_ROUNDS 20
#define NEAR 0x0a010104u /* 10.1.1.4 */
#define FAR 0x14000000u  /* a /16 behind each tunnel */
#define SPI 0x10000u

static const char site[] =
	TURNING_SITE "    appliance:\n"
		     "      securityAssociations:\n"
		     "        - {direction: out, spi: 4097, encryption: aes-gcm-128,\n"
		     "           key: '000102030405060708090a0b0c0d0e0f10111213'}\n"
		     "        - {direction: in, spi: 4098, encryption: aes-gcm-128,\n"
		     "           key: '202122232425262728292a2b2c2d2e2f30313233'}\n"
		     "appliance:\n"
		     "  name: bench\n"
		     "  flows: 65536\n"
		     "  ports: [{name: p, driver: ring}, {name: q, driver: ring}]\n"
		     "  attachments: [{subnet: v/s, port: p}]\n"
		     "  uplinks: [{name: wan, port: q, addresses: [203.0.113.1/24], gateway: 203.0.113.254}]\n";

/* ---- the world ---------------------------------------------------------------------------------------------- */

/* Descriptions that changes choose from. */
static struct {
	struct view_spec spec;
	struct gateway_table_spec few, many;
	struct acl_spec acl[3]; /* none, the one in use, another */
	struct sa_spec sa[2 * TUNNELS];
} site_now;

static void *
array(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL) {
		fprintf(stderr, "no memory for the description\n");
		exit(1);
	}
	return p;
}

/* None matches but the last, which allows all. */
static struct acl_spec
rules(uint32_t seed)
{
	struct acl_spec a = {array(RULES, sizeof(*a.rule)), RULES};
	struct ip_prefix *prefix = array((size_t)RULES * 4, sizeof(*prefix));

	for (uint32_t i = 0; i < RULES * 4; i++)
		prefix[i] = (struct ip_prefix){address_from_v4(0xac100000 + ((i * 37 + seed) % 4096 << 8)), 24};
	for (uint32_t i = 0; i < RULES - 1; i++)
		a.rule[i] = (struct acl_rule_spec){
			.protocol = 6, .destination = {.prefix = prefix + (size_t)i * 4, .n_prefixes = 4}};
	a.rule[RULES - 1] = (struct acl_rule_spec){.protocol = -1, .allow = true};
	return a;
}

/* Each tunnel's /16, and `inner` /24s inside. */
static struct gateway_table_spec
table(uint32_t first_hop, uint32_t inner)
{
	struct gateway_table_spec t = {array((size_t)TUNNELS * (1 + inner), sizeof(*t.route)), 0};

	for (uint32_t i = 0; i < TUNNELS; i++) {
		t.route[t.n++] = (struct route_spec){{address_from_v4(FAR + (i << 16)), 16}, first_hop + i, 0};
		for (uint32_t k = 0; k < inner; k++)
			t.route[t.n++] = (struct route_spec){
				{address_from_v4(FAR + (i << 16) + (k << 8)), 24}, first_hop + i, 0};
	}
	return t;
}

/* New SPIs, which the keys' owner would have agreed on. */
static void
name_sas(void)
{
	static uint32_t named;

	for (uint32_t i = 0; i < 2 * TUNNELS; i++) {
		site_now.sa[i].config.spi = SPI + named++;
		site_now.sa[i].sa = sa_create(&site_now.sa[i].config, 1, UINT64_MAX);
		if (site_now.sa[i].sa == NULL)
			exit(1);
	}
}

static void
describe_sas(const struct sa_spec *of)
{
	for (uint32_t i = 0; i < 2 * TUNNELS; i++) {
		site_now.sa[i] = of[i & 1];
		site_now.sa[i].tunnel = (uint16_t)(i / 2);
	}
	name_sas();
}

static void
extend(struct view_spec *spec, void *context)
{
	struct tunnel_spec *tunnel = array(TUNNELS, sizeof(*tunnel));
	struct hop_spec *hop = array(spec->n_hops + TUNNELS, sizeof(*hop));
	uint32_t first_hop = spec->n_hops;

	(void)context;
	whole_one_gateway_table(spec);
	memcpy(hop, spec->hop, spec->n_hops * sizeof(*hop));
	for (uint32_t i = 0; i < TUNNELS; i++) {
		tunnel[i] = spec->tunnel[0];
		hop[spec->n_hops++] = (struct hop_spec){.kind = HOP_TUNNEL, .tunnel = (uint16_t)i};
	}
	site_now.few = table(first_hop, 0);
	site_now.many = table(first_hop, ROUTES / TUNNELS);
	site_now.acl[1] = rules(0);
	site_now.acl[2] = rules(1);
	describe_sas(spec->sa);
	spec->hop = hop;
	spec->tunnel = tunnel;
	spec->n_tunnels = TUNNELS;
	spec->gateway_table = &site_now.few;
	spec->acl = site_now.acl;
	spec->n_acls = 2;
	spec->sa = site_now.sa;
	spec->n_sas = 2 * TUNNELS;
	for (uint32_t i = 0; i < spec->n_ifaces; i++)
		if (spec->iface[i].kind == IFACE_SUBNET)
			spec->iface[i].acl_out = 1;
	site_now.spec = *spec;
}

static void
make_frames(void)
{
	static char destination[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < LOOP_FLOWS; i++) {
		struct ip_addr to =
			address_from_v4(FAR + (((uint32_t)rand() % TUNNELS) << 16) + (uint32_t)rand() % 0x6400);
		struct pkt p = {.port = "p",
			.src = "10.1.1.4",
			.dst = destination,
			.sport = (uint16_t)(1024 + i),
			.dport = 9,
			.payload = LOOP_FRAME - 42};
		struct rte_mbuf *m;

		address_text(&to, destination, sizeof(destination));
		m = pkt_build(&p);
		loop_frame(i, m);
		rte_pktmbuf_free(m);
	}
}

static void
feed(void)
{
	struct worker *w = whole_dataplane()->worker[0];

	make_frames();
	loop_attach(whole_port("p"), whole_port("q"));
	for (uint64_t sent = 0; w->stats.tx_packets < sent + 2 * LOOP_FLOWS;) {
		/* until the far gateway is known: what waited for it or was dropped is made up for */
		loop_fill();
		if (w->drops[DROP_NEIGHBOUR_UNRESOLVED] > 0 && sent == 0)
			sent = w->stats.tx_packets;
		worker_turn(w);
		dataplane_poll(whole_dataplane());
	}
	loop_fill();
	turning_start();
}

/* ---- what control does ---------------------------------------------------------------------------------------- */

static void
nothing(uint32_t n)
{
	(void)n;
}

static void
publish(void)
{
	struct dataplane *dp = whole_dataplane();

	if (dataplane_publish(dp, turning_build(&site_now.spec)) != 0) {
		fprintf(stderr, "a view was not taken\n");
		exit(1);
	}
	do {
		dataplane_poll(dp);
	} while (dataplane_retired(dp) > 0);
}

static void
change_routes(uint32_t n)
{
	site_now.spec.gateway_table = n & 1 ? &site_now.few : &site_now.many;
	publish();
}

static void
change_rules(uint32_t n)
{
	struct acl_spec t = site_now.acl[1];

	if (n & 1)
		return;
	site_now.acl[1] = site_now.acl[2];
	site_now.acl[2] = t;
	publish();
}

static void
change_sas(uint32_t n)
{
	struct sa *old[2 * TUNNELS];

	if (n & 1)
		return;
	for (uint32_t i = 0; i < RTE_DIM(old); i++)
		old[i] = site_now.sa[i].sa;
	name_sas();
	publish();
	for (uint32_t i = 0; i < RTE_DIM(old); i++)
		sa_free(old[i]);
}

/* ---- phases ----------------------------------------------------------------------------------------------------- */

struct seen {
	double rate;             /* million packets a second on the core */
	double share;            /* of the time, on the core */
	double pause_us, cpu_us; /* the worst: as the worker sees it, and on its core */
	double change_ms;        /* of control, the longest */
	uint64_t drops;
};

struct reading {
	uint64_t packets, drops, cpu_ns, wall_ns;
};

static uint64_t
worker_cpu_ns(void)
{
	char path[64];
	unsigned long ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", loop_thread());
	f = fopen(path, "r");
	if (f == NULL || fscanf(f, "%lu", &ns) != 1)
		printf("the worker's time on its core is not known\n");
	if (f != NULL)
		fclose(f);
	return ns;
}

static struct reading
read_now(void)
{
	struct worker_stats s;

	dataplane_worker_stats(whole_dataplane(), 0, &s);
	return (struct reading){s.tx_packets, s.dropped, worker_cpu_ns(), clock_boot_ns()};
}

/* Twice a second a change, and every millisecond a poll. */
static struct seen
phase(void (*change)(uint32_t n))
{
	struct dataplane *dp = whole_dataplane();
	const struct worker *w = dp->worker[0];
	struct reading before, after;
	struct seen seen = {0};

	sleep(1); /* seconds of the former phase are over */
	before = read_now();
	loop_pause_begin();
	for (uint32_t n = 0; n < 2 * PHASE_S; n++) {
		uint64_t due = before.wall_ns + (n + 1) * 500000000ull;

		double start = turning_ms();

		change(n);
		seen.change_ms = RTE_MAX(seen.change_ms, turning_ms() - start);
		while (clock_boot_ns() < due) {
			dataplane_poll(dp);
			usleep(1000);
		}
	}
	after = read_now();
	seen.rate = (double)(after.packets - before.packets) * 1e3 / (double)(after.cpu_ns - before.cpu_ns);
	seen.share = (double)(after.cpu_ns - before.cpu_ns) / (double)(after.wall_ns - before.wall_ns);
	seen.pause_us = (double)pause_recent(&w->turns, w->now_s, PHASE_S) * 1e6 / (double)dp->tsc_hz;
	seen.cpu_us = (double)loop_pause_ns() / 1e3;
	seen.drops = after.drops - before.drops;
	return seen;
}

static void
print(const char *what, const struct seen *s, const struct seen *quiet)
{
	printf("  %-38s %7.3f M/s %+6.2f%%, %5.1f%% on core, worst pause %7.1f us, on core %6.1f us, %lu drops, "
	       "control %.1f ms\n",
		what, s->rate, 100 * (s->rate / quiet->rate - 1), 100 * s->share, s->pause_us, s->cpu_us,
		(unsigned long)s->drops, s->change_ms);
}

static const struct {
	const char *what;
	void (*change)(uint32_t n);
} changes[] = {
	{"100k routes in and out every second", change_routes},
	{"1,000 SAs each way rekeyed every second", change_sas},
	{"1,000 rules replaced every second", change_rules},
};

static void
run(void)
{
	struct seen quiet, disturbed;

	printf("rate, beside the quiet phase before it:\n");
	for (size_t i = 0; i < RTE_DIM(changes); i++) {
		quiet = phase(nothing);
		print("quiet", &quiet, &quiet);
		disturbed = phase(changes[i].change);
		print(changes[i].what, &disturbed, &quiet);
	}
	dataplane_stop(whole_dataplane());
	loop_empty();
}

/* ---- without a clock: a test ------------------------------------------------------------------------------------ */

static size_t
heap_bytes(void)
{
	struct rte_malloc_socket_stats heap = {0};

	rte_malloc_get_socket_stats((int)rte_socket_id(), &heap);
	return heap.heap_allocsz_bytes;
}

/* Every flow meets every view, at full rate: nothing is dropped, every frame comes round, memory comes back. */
static int
smoke(void)
{
	struct dataplane *dp = whole_dataplane();
	struct reading first = read_now(), now = first;
	size_t before = heap_bytes(), after;
	uint32_t frames;
	bool kept;

	for (uint32_t n = 0; n < 2 * SMOKE_ROUNDS * RTE_DIM(changes); n++) {
		uint64_t sent = read_now().packets;

		changes[n / 2 % RTE_DIM(changes)].change(n);
		do {
			dataplane_poll(dp);
			now = read_now();
		} while (now.packets < sent + 2 * LOOP_FLOWS && now.drops == first.drops);
	}
	after = heap_bytes();
	dataplane_stop(dp);
	frames = loop_empty();
	kept = now.drops == first.drops && frames == LOOP_FRAMES && after == before;
	printf("1..1\n%sok 1 - the world changes at full rate and nothing is lost\n", kept ? "" : "not ");
	if (!kept)
		printf("# %lu drops, %u of %u frames left, heap %zu bytes and then %zu\n",
			(unsigned long)(now.drops - first.drops), frames, LOOP_FRAMES, before, after);
	return !kept;
}

int
main(int argc, char **argv)
{
	bool test = argc > 1 && strcmp(argv[1], "--smoke") == 0;
	int status = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (turning_begin("steady", MEMORY_MB, !test && turning_huge_pages(MEMORY_MB)) != 0)
		return 1;
	if (!test)
		printf("the worker's core with nothing to do: worst pause %.1f us in %d s\n",
			turning_bare_pause_us(2 * PHASE_S), 2 * PHASE_S);
	whole_start_extended(site, extend, NULL);
	feed();
	if (test)
		status = smoke();
	else
		run();
	whole_stop();
	whole_end();
	return status;
}
