/* Several workers on one flow table: no torn entry is ever seen, no flow that nobody inserted, and in the
 * end no flow twice. Built with -Db_sanitize=thread this is also the proof that nothing is read but atomics.
 */
#include "dataplane/flow.h"
#include "dataplane/state.h"
#include "drivers/clock.h"
#include "tests/unit/eal.h"
#include "tests/unit/flow_packet.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#define WORKERS 3
#if defined(__SANITIZE_THREAD__)
#define ROUNDS 40000
#else
#define ROUNDS 200000
#endif
#define PLACES 32 /* of each family, the smallest table there is */
#define FLOWS_MAX 200

struct racer {
	struct worker *w;
	unsigned seed;
	uint32_t flows; /* of them are used */
	bool ages;      /* its clock moves, out of step with the others' */
	uint32_t hits, false_hits, inserted, refused;
};

/* What must be told of a flow, whoever made it: rule and ports follow from its number. */
static struct packet
flow_number(uint32_t n, uint8_t flags)
{
	struct packet p = tcp(n & 1, 1 + n % 7, 100 + n % 5, (uint16_t)(1000 + n), (uint16_t)(2000 + 3 * n), flags);

	return n & 2 ? turned(&p) : p;
}

static uint32_t
rule_of(const struct flow_info *i)
{
	uint16_t port = i->source_port < i->destination_port ? i->source_port : i->destination_port;

	return 5000u + (port - 1000u);
}

static void *
race(void *argument)
{
	static const uint8_t flags[] = {SYN, SYN | ACK, ACK, ACK, FIN | ACK, RST};
	struct racer *r = argument;

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t n = (uint32_t)rand_r(&r->seed) % r->flows;
		struct packet p = flow_number(n, flags[rand_r(&r->seed) % 6]), never, *pkt[2] = {&p, &never};
		uint16_t iface[2] = {3, 3};
		uint8_t result[2];

		never = flow_number(FLOWS_MAX + n, ACK);
		find_flows(r->w, pkt, iface, false, 2, result);
		r->hits += result[0] == FLOW_HIT;
		r->false_hits += result[1] == FLOW_HIT;
		if (result[0] != FLOW_MISS)
			continue;
		if (add_flow(r->w, &p, 3, false, 240, 5000 + n))
			r->inserted++;
		else
			r->refused++;
		if (r->ages && i % 64 == 0)
			r->w->now_s += (uint32_t)(rand_r(&r->seed) % 8);
	}
	return NULL;
}

static atomic_bool over;
static uint32_t listed, torn;

static void
check_listed(void *context, const struct flow_info *i)
{
	struct packet p;
	uint32_t n = rule_of(i) - 5000;
	struct ip_addr a, b;
	bool forth, back;

	(void)context;
	listed++;
	p = flow_number(n, 0);
	a = packet_address(&p, true);
	b = packet_address(&p, false);
	forth = address_equal(&a, &i->source) && address_equal(&b, &i->destination) && i->source_port == p.source_port;
	back = address_equal(&b, &i->source) && address_equal(&a, &i->destination) &&
	       i->source_port == p.destination_port;
	if (n >= FLOWS_MAX || i->rule_name != 5000 + n || i->iface != 3 || i->protocol != IPPROTO_TCP || i->inbound ||
		!(forth || back))
		torn++;
}

static void *
list(void *table)
{
	while (!atomic_load(&over))
		flow_table_walk(table, 1000, UINT32_MAX, check_listed, NULL);
	return NULL;
}

static uint32_t times_seen[FLOWS_MAX];

static void
count_flow(void *context, const struct flow_info *i)
{
	(void)context;
	times_seen[rule_of(i) - 5000]++;
}

static struct racer
racer(struct flow_table *t, unsigned seed, uint32_t flows, bool ages)
{
	struct racer r = {.w = aligned_alloc(64, sizeof(*r.w)), .seed = seed, .flows = flows, .ages = ages};

	memset(r.w, 0, sizeof(*r.w));
	r.w->flows = t;
	r.w->now_s = 1000;
	return r;
}

/* Returns how often the most repeated flow stands in the table at the end. */
static uint32_t
run(uint32_t flows, bool ages)
{
	struct flow_table *t = flow_table_create(1);
	struct racer r[WORKERS];
	pthread_t thread[WORKERS], lister;
	uint32_t most = 0;

	assert_non_null(t);
	atomic_store(&over, false);
	listed = torn = 0;
	for (int i = 0; i < WORKERS; i++)
		r[i] = racer(t, (unsigned)i + 1, flows, ages);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, race, &r[i]), 0);
	assert_int_equal(pthread_create(&lister, NULL, list, t), 0);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	atomic_store(&over, true);
	pthread_join(lister, NULL);

	memset(times_seen, 0, sizeof(times_seen));
	flow_table_walk(t, r[0].w->now_s, UINT32_MAX, count_flow, NULL);
	for (int i = 0; i < FLOWS_MAX; i++)
		most = times_seen[i] > most ? times_seen[i] : most;
	for (int i = 0; i < WORKERS; i++) {
		assert_true(r[i].hits > 1000);
		assert_true(r[i].inserted > 100);
		assert_int_equal(r[i].false_hits, 0);
		free(r[i].w);
	}
	assert_true(listed > 1000);
	assert_int_equal(torn, 0);
	flow_table_free(t);
	return most;
}

/* ---- another node's flows --------------------------------------------------------------------------- */

/* What is told comes back from another node whose flows are the same: its entries are made beside the workers'. */
static void *
share(void *dataplane)
{
	struct flow_sharing *from = dataplane_sharing_create(dataplane), *to = dataplane_sharing_create(dataplane);
	struct flow_record r[8];
	bool round;

	while (!atomic_load(&over)) {
		uint32_t n = dataplane_sharing_tell(from, r, RTE_DIM(r), &round);

		for (uint32_t i = 0; i < n; i++)
			dataplane_sharing_take(to, &r[i]);
	}
	dataplane_sharing_free(from);
	dataplane_sharing_free(to);
	return NULL;
}

static void
flows_of_another_node_come_beside(void **state)
{
	struct dataplane *dp = calloc(1, sizeof(*dp));
	struct racer r[WORKERS];
	pthread_t thread[WORKERS], sharer;

	dp->flows = flow_table_create(1);
	dp->tsc_hz = 1ull << 40;
	dp->start_tsc = clock_tsc() - 1000 * dp->tsc_hz;
	atomic_store(&over, false);
	listed = torn = 0;
	for (int i = 0; i < WORKERS; i++)
		r[i] = racer(dp->flows, (unsigned)i + 1, 40, false);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, race, &r[i]), 0);
	assert_int_equal(pthread_create(&sharer, NULL, share, dp), 0);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	atomic_store(&over, true);
	pthread_join(sharer, NULL);
	flow_table_walk(dp->flows, 1000, UINT32_MAX, check_listed, NULL);
	for (int i = 0; i < WORKERS; i++) {
		assert_int_equal(r[i].false_hits, 0);
		free(r[i].w);
	}
	assert_true(listed > 0);
	assert_int_equal(torn, 0);
	flow_table_free(dp->flows);
	free(dp);
}

/* ---- twins ----------------------------------------------------------------------------------------- */

#define SALVOES 5000
#define FIRING 2
#define SALVO 4 /* flows that all workers insert at the same moment */

static atomic_uint arrived;

/* All leave within a few cycles of each other, if they run at all: a sleeping barrier wakes them one by one. */
static void
meet(uint32_t workers, uint32_t salvo)
{
	atomic_fetch_add(&arrived, 1);
	for (int i = 0; atomic_load(&arrived) < workers * (salvo + 1); i++) {
		if (i % 1000 == 999)
			sched_yield();
	}
}

static void *
fire(void *argument)
{
	struct racer *r = argument;

	for (uint32_t i = 0; i < SALVOES * SALVO; i++) {
		struct packet p = udp(false, 1, 2, (uint16_t)(1 + i), 53);

		if (i % SALVO == 0)
			meet(FIRING, i / SALVO);
		r->inserted += add_flow(r->w, &p, 3, false, 240, 1);
	}
	return NULL;
}

static void
ignore(void *context, const struct flow_info *i)
{
	(void)context;
	(void)i;
}

static void
one_flow_inserted_by_all_at_once_stands_once(void **state)
{
	struct flow_table *t = flow_table_create(SALVOES * SALVO);
	struct racer r[FIRING];
	pthread_t thread[FIRING];

	assert_non_null(t);
	atomic_store(&arrived, 0);
	for (int i = 0; i < FIRING; i++)
		r[i] = racer(t, 1, 0, false);
	for (int i = 0; i < FIRING; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, fire, &r[i]), 0);
	for (int i = 0; i < FIRING; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(r[i].inserted, SALVOES * SALVO);
		free(r[i].w);
	}
	assert_int_equal(flow_table_walk(t, 1000, 0, ignore, NULL), SALVOES * SALVO);
	flow_table_free(t);
}

/* Room for all, but each is closed and opened anew all the time, by whoever comes first. */
static void
no_flow_stands_twice(void **state)
{
	assert_int_equal(run(PLACES, false), 1);
}

/* Many more flows than places, and clocks that disagree: entries change hands while they are read. */
static void
entries_are_never_torn(void **state)
{
	run(FLOWS_MAX, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_flow_inserted_by_all_at_once_stands_once),
		cmocka_unit_test(no_flow_stands_twice),
		cmocka_unit_test(entries_are_never_torn),
		cmocka_unit_test(flows_of_another_node_come_beside),
	};
	int failed;

	if (test_eal_start_with("flow-race", "64") != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	test_eal_stop();
	return failed;
}
