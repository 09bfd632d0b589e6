/* make bench: cycles per packet of the whole path, of its parts, and of what lies under it, without a NIC.
 *
 * Usage: bench [--quick | --full | --smoke] [--json FILE] [--list] [NAME...]; a NAME is part of a scenario's name, or
 * several parts with commas between them.
 *
 * Every scenario is measured in several passes, each after all others have had theirs. No figure passes or fails: on a
 * shared machine compare within one run. README.md tells what the columns mean.
 */
#include "bench.h"
#include "world.h"

#include "drivers/clock.h"
#include "drivers/eal.h"
#include "drivers/log.h"

#include <rte_common.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MB 1024
#define MEMORY_NO_HUGE_MB 4096 /* address space; pages come when touched */
#define BUFFERS 32767
#define CPUS 2 /* as many as scenarios have workers */

static const struct effort efforts[] = {
	[DEPTH_QUICK] = {.bursts = 500, .at_most = UINT32_MAX},
	[DEPTH_DEFAULT] = {.bursts = 600, .at_most = UINT32_MAX},
	[DEPTH_FULL] = {.bursts = 2000, .at_most = UINT32_MAX},
};
/* Does every scenario's packet come out? Every line of the table, little of each. */
static const struct effort smoke = {.bursts = 4, .at_most = 1000};

static struct {
	enum bench_depth depth;
	bool smoke, list;
	const char *json;
	char **name;
	int n_names;
} options = {.depth = DEPTH_DEFAULT};

/* What there is to run on. */
static struct {
	uint16_t cpus;
	bool huge;
	unsigned long huge_free_mb;
} machine;

/* ---- what all parts use ---------------------------------------------------------------------------------- */

uint32_t
bench_random(uint32_t *state)
{
	uint32_t x = *state ? *state : 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

void *
bench_array(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (p == NULL) {
		fprintf(stderr, "no memory for the bench\n");
		exit(1);
	}
	return p;
}

uint64_t
bench_clock_cost(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 10000; i++) {
		uint64_t start = clock_tsc(), took = clock_tsc() - start;

		least = RTE_MIN(least, took);
	}
	return least;
}

/* ---- which, and how much ---------------------------------------------------------------------------------- */

/* parts: "seal,whole path": any of them is part of the name. */
static bool
has_part(const char *name, const char *parts)
{
	char part[128];

	for (size_t n; *parts; parts += n + (parts[n] == ',')) {
		n = strcspn(parts, ",");
		snprintf(part, sizeof(part), "%.*s", (int)n, parts);
		if (n && strstr(name, part))
			return true;
	}
	return false;
}

static bool
wanted(const struct scenario *s)
{
	if (s->world.workers > machine.cpus)
		return false;
	for (int i = 0; i < options.n_names; i++)
		if (has_part(s->name, options.name[i]))
			return true;
	return options.n_names == 0 && (options.smoke || s->depth <= options.depth);
}

/* Huge pages grow with their use, as far as there are any; small ones are always enough. */
static bool
fits(const struct scenario *s)
{
	return !machine.huge || options.list || s->memory_mb <= machine.huge_free_mb;
}

static uint32_t
choose(struct result *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < bench_scenarios_n; i++) {
		const struct scenario *s = &bench_scenarios[i];

		if (wanted(s) && fits(s))
			r[n++].scenario = s;
		else if (wanted(s))
			printf("%s: left out, it wants %u MB of free huge pages and there are %lu\n", s->name,
				s->memory_mb, machine.huge_free_mb);
	}
	return n;
}

/* As much of the scenario as the effort allows. */
static struct scenario
reduced(const struct scenario *s, const struct effort *effort)
{
	struct scenario less = *s;

	less.world.routes = RTE_MIN(s->world.routes, effort->at_most);
	less.world.tunnels = RTE_MIN(s->world.tunnels, effort->at_most);
	less.flows = RTE_MIN(s->flows, effort->at_most);
	return less;
}

static void
one_pass(const struct scenario *of, struct pass *pass)
{
	const struct effort *effort = options.smoke ? &smoke : &efforts[options.depth];
	const struct scenario s = reduced(of, effort);

	world_start(&s);
	*pass = (struct pass){0};
	if (s.world.workers > 1)
		pair_pass(&s, effort, pass);
	else
		runner_pass(&s, effort, pass);
	world_stop();
	floor_pass(&s, effort, pass);
}

/* Does the bench work: every scenario's packets come out. TAP; what fails ends the program without the rest. */
static void
run_smoke(const struct result *r, uint32_t n)
{
	printf("1..%u\n", n);
	for (uint32_t i = 0; i < n; i++) {
		struct pass pass;

		one_pass(r[i].scenario, &pass);
		report_smoke(i + 1, r[i].scenario, &pass);
	}
}

static void
run(struct result *r, uint32_t n)
{
	for (int pass = 0; pass < PASSES - 1; pass++)
		for (uint32_t i = 0; i < n; i++)
			one_pass(r[i].scenario, &r[i].pass[pass]);
	report_head();
	for (uint32_t i = 0; i < n; i++) {
		one_pass(r[i].scenario, &r[i].pass[PASSES - 1]);
		figures_conclude(&r[i]);
		report_line(&r[i]);
	}
	report_end(r, n);
}

/* A smoke test does not mind two workers on one core, nor small pages. */
static void
machine_look(void)
{
	struct eal_machine *m = bench_array(1, sizeof(*m));

	eal_machine_read(m);
	machine.cpus = options.smoke ? CPUS : RTE_MIN(m->n_cpus, CPUS);
	machine.huge_free_mb = (unsigned long)m->huge_free_mb;
	machine.huge = m->huge_free_mb >= MEMORY_MB && !options.smoke;
	if (!machine.huge && !options.smoke && !options.list)
		printf("no huge pages (%u MB of free ones wanted, %lu there): TLB misses are in the figures\n",
			MEMORY_MB, (unsigned long)m->huge_free_mb);
	if (machine.cpus < CPUS && !options.list)
		printf("one core: nothing is measured with two workers\n");
	free(m);
}

static bool
parse_options(int argc, char **argv)
{
	static const struct option known[] = {{"quick", no_argument, NULL, 'q'}, {"full", no_argument, NULL, 'f'},
		{"smoke", no_argument, NULL, 's'}, {"list", no_argument, NULL, 'l'},
		{"json", required_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};

	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		if (c == 'q')
			options.depth = DEPTH_QUICK;
		else if (c == 'f')
			options.depth = DEPTH_FULL;
		else if (c == 's')
			options.smoke = true;
		else if (c == 'l')
			options.list = true;
		else if (c == 'j')
			options.json = optarg;
		else
			return false;
	}
	options.name = argv + optind;
	options.n_names = argc - optind;
	return true;
}

int
main(int argc, char **argv)
{
	struct result *r = bench_array(bench_scenarios_n, sizeof(*r));
	uint32_t n;
	int rc = 0;

	if (!parse_options(argc, argv)) {
		fprintf(stderr, "usage: bench [--quick | --full | --smoke] [--json FILE] [--list] [NAME...]\n");
		return 2;
	}
	machine_look();
	n = choose(r);
	if (options.list) {
		for (uint32_t i = 0; i < n; i++)
			printf("%s\n", r[i].scenario->name);
		return 0;
	}
	log_open(LOG_LEVEL_WARNING);
	if (whole_begin("bench", &(struct whole_setup){.huge = machine.huge,
					 .memory_mb = machine.huge ? MEMORY_MB : MEMORY_NO_HUGE_MB,
					 .buffers = BUFFERS,
					 .lcores = machine.cpus}) != 0)
		return 1;
	if (options.smoke)
		run_smoke(r, n);
	else
		run(r, n);
	if (options.json)
		rc = report_json(options.json, r, n, machine.huge) == 0 ? 0 : 1;
	whole_end();
	free(r);
	return rc;
}
