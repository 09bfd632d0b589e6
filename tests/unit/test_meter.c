/* The meter against arithmetic: what passes in a time is the burst and the rate, whoever asks and how. */
#include "dataplane/meter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define HZ 2500000000ull
#define BURST (HZ / METER_BURST_PER_SECOND)

/* Bytes that pass when packets come without a pause from `start` on for `cycles`. */
static uint64_t
pass(struct meter *m, uint32_t mbps, uint64_t start, uint64_t cycles, uint32_t size)
{
	uint32_t cost = meter_cost(mbps, HZ);
	uint64_t bytes = 0;

	for (uint64_t now = start; now < start + cycles; now += 200)
		if (meter_take(m, cost, BURST, now, size))
			bytes += size;
	return bytes;
}

static void
the_rate_and_one_burst_pass(void **unused)
{
	static const uint32_t rates[] = {10, 100, 650, 1000, 1250, 5000, 10000};
	static const uint32_t sizes[] = {64, 577, 1500, 9000};

	(void)unused;
	for (size_t r = 0; r < sizeof(rates) / sizeof(*rates); r++) {
		for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
			uint64_t expected = (uint64_t)rates[r] * 125000 / 10 + (uint64_t)rates[r] * 125000 / 100;
			uint64_t offered = HZ / 10 / 200 * sizes[s], passed;
			struct meter m = {0};

			if (offered < expected * 2)
				continue;
			passed = pass(&m, rates[r], 1000000, HZ / 10, sizes[s]);
			assert_in_range(passed, expected - expected / 200 - 2 * sizes[s], expected + expected / 200);
		}
	}
}

static void
a_pause_is_not_saved_up(void **unused)
{
	struct meter m = {0};
	uint64_t first = pass(&m, 100, HZ, HZ / 10, 1000);

	(void)unused;
	assert_in_range(pass(&m, 100, 100 * HZ, HZ / 10, 1000), first - 1000, first + 1000);
}

static void
a_new_rate_holds_at_once(void **unused)
{
	struct meter m = {0};
	uint64_t passed;

	(void)unused;
	pass(&m, 10000, HZ, HZ / 10, 1500);
	passed = pass(&m, 100, HZ + HZ / 10, HZ / 10, 1500); /* no burst is left */
	assert_in_range(passed, 1250000 - 10000, 1250000 + 10000);
}

static void
what_is_larger_than_the_burst_never_passes(void **unused)
{
	struct meter m = {0};

	(void)unused;
	assert_false(meter_take(&m, meter_cost(1, HZ), BURST, HZ, 9000));
	assert_true(meter_take(&m, meter_cost(1, HZ), BURST, HZ, 1000));
}

/* A worker whose clock was read earlier than another's neither gains nor breaks anything. */
static void
time_may_lag(void **unused)
{
	struct meter m = {0};
	uint32_t cost = meter_cost(100, HZ);
	uint64_t before;

	(void)unused;
	assert_true(meter_take(&m, cost, BURST, HZ, 1000));
	before = m.busy_until;
	assert_true(meter_take(&m, cost, BURST, HZ - 1000, 1000));
	assert_int_equal(m.busy_until - before, before - HZ);
}

#define TAKERS 4
#define EACH 200000
static struct meter shared;
static _Atomic uint64_t taken;

static void *
taker(void *unused)
{
	uint64_t mine = 0;

	(void)unused;
	for (int i = 0; i < EACH; i++)
		mine += meter_take(&shared, 1 << METER_FRACTION, EACH, HZ, 1);
	taken += mine;
	return NULL;
}

/* Time stands still: exactly the burst passes, however many ask. */
static void
many_workers_share_it(void **unused)
{
	pthread_t thread[TAKERS];

	(void)unused;
	for (int i = 0; i < TAKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, taker, NULL), 0);
	for (int i = 0; i < TAKERS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(taken, EACH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_and_one_burst_pass),
		cmocka_unit_test(a_pause_is_not_saved_up),
		cmocka_unit_test(a_new_rate_holds_at_once),
		cmocka_unit_test(what_is_larger_than_the_burst_never_passes),
		cmocka_unit_test(time_may_lag),
		cmocka_unit_test(many_workers_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
