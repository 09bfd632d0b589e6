/* The command channel and the freeing of views: the design's rules 1 to 3.
 *
 * Threads run the real thing (build with TSan for the whole proof); a model walks every interleaving
 * of one publication with three turns of a worker, in the right order and in two wrong ones, and must
 * find stale reads in the wrong ones: that is the proof that the test can fail.
 */
#include "dataplane/channel.h"

#include <rte_config.h>
#include <rte_rcu_qsbr.h>

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ELEMENTS 300000
#define VIEWS 2000

/* ---- values go through whole and in order -------------------------------------------- */

struct order {
	uint64_t number, twice;
};

static void *
produce(void *channel)
{
	for (uint64_t i = 0; i < ELEMENTS;) {
		struct order o = {i, 2 * i};

		if (channel_put(channel, &o, sizeof(o)))
			i++;
		else
			sched_yield();
	}
	return NULL;
}

static void
values_arrive_in_order(void **state)
{
	struct channel c;
	pthread_t producer;
	struct order o;

	assert_int_equal(channel_init(&c, 256), 0);
	pthread_create(&producer, NULL, produce, &c);
	for (uint64_t i = 0; i < ELEMENTS;) {
		if (!channel_get(&c, &o, sizeof(o))) {
			sched_yield();
			continue;
		}
		assert_int_equal(o.number, i);
		assert_int_equal(o.twice, 2 * i);
		i++;
	}
	pthread_join(producer, NULL);
	assert_false(channel_get(&c, &o, sizeof(o)));
	channel_fini(&c);
}

static void
a_full_ring_refuses_and_keeps_what_it_has(void **state)
{
	struct channel c;
	struct order o;

	assert_int_equal(channel_init(&c, 8), 0);
	for (uint64_t round = 0; round < 5; round++) {
		for (uint64_t i = 0; i < 8; i++)
			assert_true(channel_put(&c, &(struct order){i, round}, sizeof(o)));
		assert_int_equal(channel_room(&c), 0);
		assert_false(channel_put(&c, &(struct order){99, 99}, sizeof(o)));
		for (uint64_t i = 0; i < 8; i++) {
			assert_true(channel_get(&c, &o, sizeof(o)));
			assert_int_equal(o.number, i);
			assert_int_equal(o.twice, round);
		}
		assert_false(channel_get(&c, &o, sizeof(o)));
	}
	channel_fini(&c);
}

/* ---- views under threads --------------------------------------------------------------- */

/* A "freed" view is poisoned instead, with a plain store: TSan sees it race with any late reader. */
struct world {
	uint64_t alive;
};

struct rig {
	_Atomic(const struct world *) published;
	struct rte_rcu_qsbr *qsbr;
	uint64_t stale, reads;
	_Atomic bool stop;
};

static struct rte_rcu_qsbr *
qsbr_make(uint32_t threads)
{
	struct rte_rcu_qsbr *q = aligned_alloc(64, (rte_rcu_qsbr_get_memsize(threads) + 63) / 64 * 64);

	rte_rcu_qsbr_init(q, threads);
	for (uint32_t i = 0; i < threads; i++) {
		rte_rcu_qsbr_thread_register(q, i);
		rte_rcu_qsbr_thread_online(q, i);
	}
	return q;
}

static void *
worker(void *rig)
{
	struct rig *r = rig;

	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		const struct world *view;

		rte_rcu_qsbr_quiescent(r->qsbr, 0);
		view = atomic_load_explicit(&r->published, memory_order_acquire);
		for (int packet = 0; packet < 32; packet++, r->reads++)
			r->stale += view->alive != 1;
	}
	rte_rcu_qsbr_thread_offline(r->qsbr, 0);
	return NULL;
}

static void
no_worker_reads_a_freed_view(void **state)
{
	struct world *views = calloc(VIEWS, sizeof(*views));
	struct rig r = {.published = &views[0], .qsbr = qsbr_make(1)};
	pthread_t thread;

	views[0].alive = 1;
	pthread_create(&thread, NULL, worker, &r);
	for (int i = 1; i < VIEWS; i++) {
		uint64_t token;

		views[i].alive = 1;
		atomic_store_explicit(&r.published, &views[i], memory_order_release);
		token = rte_rcu_qsbr_start(r.qsbr);
		while (!rte_rcu_qsbr_check(r.qsbr, token, false))
			sched_yield();
		views[i - 1].alive = 0;
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(r.stale, 0);
	assert_true(r.reads > 0);
	free(r.qsbr);
	free(views);
}

/* ---- every interleaving, in a model on the real QSBR ---------------------------------------- */

#define CONTROL_STEPS 5 /* publish, start, check, check, check */
#define TURNS 3
#define TURN_STEPS 4
#define WORKER_STEPS (TURNS * TURN_STEPS)

enum variant { RIGHT, TAKES_FIRST, TAKES_AMONG_ORDERS, STARTS_BEFORE_PUBLISHING };

enum step { QUIESCENT, TAKE, ORDER, PACKETS }; /* an order may be a packet of control's */

struct model {
	enum variant variant;
	struct rte_rcu_qsbr *qsbr;
	struct world old, new;
	const struct world *published, *seen;
	uint64_t token;
	bool stale;
};

static void
model_control(struct model *m, int step)
{
	bool publish = m->variant == STARTS_BEFORE_PUBLISHING ? step == 1 : step == 0;

	if (step >= 2) {
		if (rte_rcu_qsbr_check(m->qsbr, m->token, false))
			m->old.alive = 0;
	} else if (publish) {
		m->published = &m->new;
	} else {
		m->token = rte_rcu_qsbr_start(m->qsbr);
	}
}

static void
model_worker(struct model *m, int step)
{
	static const enum step turn[][TURN_STEPS] = {
		[RIGHT] = {QUIESCENT, TAKE, ORDER, PACKETS},
		[TAKES_FIRST] = {TAKE, QUIESCENT, ORDER, PACKETS},
		[TAKES_AMONG_ORDERS] = {QUIESCENT, ORDER, TAKE, PACKETS},
		[STARTS_BEFORE_PUBLISHING] = {QUIESCENT, TAKE, ORDER, PACKETS},
	};

	switch (turn[m->variant][step % TURN_STEPS]) {
	case QUIESCENT:
		rte_rcu_qsbr_quiescent(m->qsbr, 0);
		break;
	case TAKE:
		m->seen = m->published;
		break;
	case ORDER:
	case PACKETS:
		m->stale |= m->seen->alive != 1;
		break;
	}
}

/* Bit i of the schedule: step i is control's. */
static bool
schedule_is_stale(enum variant variant, uint32_t schedule)
{
	struct model m = {.variant = variant, .qsbr = qsbr_make(1), .old = {1}, .new = {1}};
	int control = 0, work = 0;

	m.published = m.seen = &m.old;
	for (int i = 0; i < CONTROL_STEPS + WORKER_STEPS; i++) {
		if (schedule >> i & 1)
			model_control(&m, control++);
		else
			model_worker(&m, work++);
	}
	free(m.qsbr);
	return m.stale;
}

static uint32_t
stale_schedules(enum variant variant)
{
	uint32_t stale = 0, walked = 0;

	for (uint32_t s = 0; s < 1u << (CONTROL_STEPS + WORKER_STEPS); s++) {
		if (__builtin_popcount(s) != CONTROL_STEPS)
			continue;
		walked++;
		stale += schedule_is_stale(variant, s);
	}
	assert_int_equal(walked, 6188);
	return stale;
}

static void
quiescence_then_the_view_then_packets_is_never_stale(void **state)
{
	assert_int_equal(stale_schedules(RIGHT), 0);
}

static void
taking_before_quiescence_is_caught(void **state)
{
	assert_true(stale_schedules(TAKES_FIRST) > 0);
}

/* As it was: the view came through the ring of orders, behind packets that control had sent. */
static void
taking_among_orders_is_caught(void **state)
{
	assert_true(stale_schedules(TAKES_AMONG_ORDERS) > 0);
}

static void
starting_the_grace_period_before_publishing_is_caught(void **state)
{
	assert_true(stale_schedules(STARTS_BEFORE_PUBLISHING) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_arrive_in_order),
		cmocka_unit_test(a_full_ring_refuses_and_keeps_what_it_has),
		cmocka_unit_test(no_worker_reads_a_freed_view),
		cmocka_unit_test(quiescence_then_the_view_then_packets_is_never_stale),
		cmocka_unit_test(taking_before_quiescence_is_caught),
		cmocka_unit_test(taking_among_orders_is_caught),
		cmocka_unit_test(starting_the_grace_period_before_publishing_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
