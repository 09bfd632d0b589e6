#include "turning.h"

#include "drivers/clock.h"
#include "drivers/eal.h"

#include <rte_launch.h>
#include <rte_lcore.h>

#include <stdio.h>
#include <stdlib.h>

#define BUFFERS 16384
#define LCORES 2

bool
turning_huge_pages(uint32_t memory_mb)
{
	struct eal_machine *machine = calloc(1, sizeof(*machine));
	bool enough;

	if (machine == NULL)
		return false;
	eal_machine_read(machine);
	enough = machine->huge_free_mb >= memory_mb;
	if (!enough)
		printf("no huge pages (%u MB of free ones wanted, %lu there)\n", memory_mb,
			(unsigned long)machine->huge_free_mb);
	if (machine->n_cpus < LCORES)
		printf("one CPU: control and the worker share it\n");
	free(machine);
	return enough;
}

int
turning_begin(const char *name, uint32_t memory_mb, bool huge)
{
	return whole_begin(name,
		&(struct whole_setup){.huge = huge, .memory_mb = memory_mb, .buffers = BUFFERS, .lcores = LCORES});
}

/* On the worker's lcore. */
static int
watch(void *seconds)
{
	uint64_t before = clock_tsc(), end = before + *(uint32_t *)seconds * rte_get_tsc_hz(), worst = 0;

	while (before < end) {
		uint64_t now = clock_tsc();

		worst = RTE_MAX(worst, now - before);
		before = now;
	}
	return (int)RTE_MIN(worst, (uint64_t)INT32_MAX);
}

double
turning_bare_pause_us(uint32_t seconds)
{
	unsigned lcore = rte_get_next_lcore(-1, 1, 0);

	if (rte_eal_remote_launch(watch, &seconds, lcore) != 0)
		return 0;
	return (double)rte_eal_wait_lcore(lcore) * 1e6 / (double)rte_get_tsc_hz();
}

void
turning_start(void)
{
	struct worker *w = whole_dataplane()->worker[0];

	if (rte_eal_remote_launch(worker_main, w, w->lcore) != 0) {
		fprintf(stderr, "the worker does not start\n");
		exit(1);
	}
}

void
turning_stop(void)
{
	dataplane_stop(whole_dataplane());
	whole_stop();
}

double
turning_ms(void)
{
	return (double)clock_boot_ns() / 1e6;
}

struct view *
turning_build(const struct view_spec *spec)
{
	char error[400];
	struct view *v = view_build(spec, dataplane_view(whole_dataplane()), error, sizeof(error));

	if (v == NULL) {
		fprintf(stderr, "view: %s\n", error);
		exit(1);
	}
	return v;
}

struct published
turning_publish(struct view *v)
{
	struct dataplane *dp = whole_dataplane();
	double start = turning_ms();
	struct worker_stats stats;
	struct published p;

	if (dataplane_publish(dp, v) != 0) {
		fprintf(stderr, "a view was not taken\n");
		exit(1);
	}
	do {
		dataplane_worker_stats(dp, 0, &stats);
	} while (stats.view_generation != v->generation);
	p.seen_ms = turning_ms() - start;
	while (dataplane_retired(dp) > 0)
		dataplane_poll(dp);
	p.freed_ms = turning_ms() - start;
	return p;
}
