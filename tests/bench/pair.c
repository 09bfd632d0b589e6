/* Two workers at once: what they carry together, against what one of them carries alone.
 *
 * Each worker has a core, a thread and packets of its own, for conversations that no other worker has; it fills its
 * ring untimed, waits for the other, and both empty their rings at the same time. Rates are packets by the time the
 * thread was on its core: others' use of a shared core does not count. Tables, SAs and windows are shared as they are
 * in the appliance.
 */
#include "rig.h"

#include "dataplane/pipeline.h"
#include "drivers/clock.h"

#include <rte_launch.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define WORKERS 2
#define ROUND 1024    /* packets of a timed stretch */
#define WARM_UP 16    /* stretches */
#define PATIENCE 4096 /* looks before the core is offered to the other thread: there may be one for both */

struct pair;

struct side {
	struct pair *pair;
	struct rig rig;
	double *sample; /* cycles per packet of each stretch */
	uint32_t n;
	uint64_t on_cpu_ns; /* of all stretches */
} __rte_cache_aligned;

struct pair {
	struct side side[WORKERS];
	uint32_t workers, rounds;
	_Atomic uint32_t arrived __rte_cache_aligned;
};

/* Nobody goes on before all are here. */
static void
meet(struct pair *p)
{
	uint32_t looks = 0, turn = atomic_fetch_add(&p->arrived, 1) / p->workers;

	while (atomic_load_explicit(&p->arrived, memory_order_acquire) / p->workers == turn) {
		rte_pause();
		if (++looks % PATIENCE == 0)
			sched_yield();
	}
}

static uint64_t
on_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
stretch(struct side *s, bool counts)
{
	uint64_t began_ns = on_cpu_ns(), start = clock_tsc(), cycles;

	for (uint32_t done = 0; done < ROUND; done += RX_BURST)
		worker_turn(s->rig.worker);
	cycles = clock_tsc() - start;
	if (!counts)
		return;
	s->on_cpu_ns += on_cpu_ns() - began_ns;
	s->sample[s->n++] = (double)cycles / ROUND;
}

static int
side_run(void *side)
{
	struct side *s = side;

	for (uint32_t round = 0; round < s->pair->rounds + WARM_UP; round++) {
		rig_fill(&s->rig);
		rig_inject(&s->rig, s->rig.in, 0, ROUND);
		meet(s->pair);
		stretch(s, round >= WARM_UP);
		rig_collect(&s->rig, s->rig.out, 0, ROUND, "forwarded");
		meet(s->pair);
	}
	return 0;
}

/* Workers first, first + 1, ... of n, each on its core. Returns their packets by nanosecond on a core. */
static double
run_some(struct pair *p, uint32_t first, uint32_t n)
{
	double rate = 0;

	p->workers = n;
	for (uint32_t i = first; i < first + n; i++) {
		p->side[i].n = 0;
		p->side[i].on_cpu_ns = 0;
	}
	for (uint32_t i = RTE_MAX(first, 1u); i < first + n; i++)
		rte_eal_remote_launch(side_run, &p->side[i], i);
	if (first == 0)
		side_run(&p->side[0]);
	rte_eal_mp_wait_lcore();
	for (uint32_t i = first; i < first + n; i++)
		rate += (double)ROUND * p->side[i].n / (double)p->side[i].on_cpu_ns;
	return rate;
}

/* Cycles per packet of all workers taken as one: rates add. */
static struct figure
all_as_one(struct pair *p)
{
	struct figure rate = {0, 0};

	for (uint32_t i = 0; i < WORKERS; i++) {
		struct figure f = figures_of(p->side[i].sample, p->side[i].n);

		rate.min += 1 / f.min;
		rate.median += 1 / f.median;
	}
	return (struct figure){1 / rate.min, 1 / rate.median};
}

/* Cores may differ: one worker alone is the mean of each on its own. */
static void
measure(struct pair *p, struct pass *pass)
{
	double alone = 0;
	struct figure f;

	for (uint32_t i = 0; i < WORKERS; i++)
		alone += run_some(p, i, 1) / WORKERS;
	f = all_as_one(p);
	pass->alone = (struct figure){f.min * WORKERS, f.median * WORKERS};
	pass->speedup = run_some(p, 0, WORKERS) / alone;
	pass->kind[KIND_TOTAL] = all_as_one(p);
}

void
pair_pass(const struct scenario *s, const struct effort *effort, struct pass *pass)
{
	uint32_t rounds = RTE_MAX(effort->bursts / 4, 1u);
	struct pair *p = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*p));

	if (p == NULL)
		exit(1);
	*p = (struct pair){.rounds = rounds};
	for (uint16_t i = 0; i < WORKERS; i++) {
		struct side *side = &p->side[i];

		side->pair = p;
		side->sample = bench_array(rounds, sizeof(double));
		rig_make(&side->rig, s, i, ROUND);
	}
	rig_ready(&p->side[0].rig);
	for (uint16_t i = 0; i < WORKERS; i++)
		traffic_share(&p->side[i].rig.traffic, i, WORKERS);

	measure(p, pass);
	for (uint16_t i = 0; i < WORKERS; i++) {
		rig_free(&p->side[i].rig);
		free(p->side[i].sample);
	}
	free(p);
}
