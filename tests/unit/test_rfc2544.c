/* The no-drop search of the traffic generator, against devices that are known exactly. */
#include "tests/bench/pktgen/search.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Carries `capacity` and loses what is above; the generator gets to `generator` at most. */
struct device {
	double capacity, generator, share_lost;
	unsigned trials, broken_at, reorders_at;
};

static int
trial_run(void *device, double pps, struct trial *out)
{
	struct device *d = device;

	if (++d->trials == d->broken_at)
		return -EIO;
	out->pps = pps < d->generator ? pps : d->generator;
	out->offered = (uint64_t)(out->pps * 10);
	out->lost = out->pps > d->capacity ? (uint64_t)((out->pps - d->capacity) * 10) + 1 : 0;
	out->lost += (uint64_t)(d->share_lost * (double)out->offered);
	out->sound = d->trials != d->reorders_at;
	return 0;
}

static const struct search usual = {.low = 0, .high = 14880952, .resolution = 0.01, .trials = 20};

static struct search_result
search(const struct search *s, struct device *d)
{
	struct search_result r;

	assert_int_equal(search_no_drop(s, trial_run, d, &r), 0);
	assert_int_equal(r.trials, d->trials);
	return r;
}

/* Never above what the device carries, and below it by no more than the resolution. */
static void
finds_every_capacity(void **unused)
{
	for (double capacity = 30000; capacity < 14000000; capacity *= 1.37) {
		struct device d = {.capacity = capacity, .generator = INFINITY};
		struct search_result r = search(&usual, &d);

		assert_int_equal(r.end, SEARCH_FOUND);
		assert_true(r.pps <= capacity && r.pps >= capacity * 0.99);
		assert_int_equal(r.best.lost, 0);
	}
}

static void
stops_at_the_ceiling(void **unused)
{
	struct device d = {.capacity = 20e6, .generator = INFINITY};
	struct search_result r = search(&usual, &d);

	assert_int_equal(r.end, SEARCH_CEILING);
	assert_int_equal(r.trials, 1);
	assert_true(r.pps == usual.high);
}

static void
says_that_the_generator_was_the_limit(void **unused)
{
	struct device d = {.capacity = 9e6, .generator = 4e6};
	struct search_result r = search(&usual, &d);

	assert_int_equal(r.end, SEARCH_GENERATOR);
	assert_true(r.pps == 4e6);
}

/* An order that was not reached, with loss: the rate offered is the bound, not the order. */
static void
slow_generator_finds_a_slower_device(void **unused)
{
	struct device d = {.capacity = 3e6, .generator = 4e6};
	struct search_result r = search(&usual, &d);

	assert_int_equal(r.end, SEARCH_FOUND);
	assert_true(r.pps <= 3e6 && r.pps >= 2.97e6);
	assert_true(r.trials <= 9);
}

static void
loss_is_weighed_against_the_threshold(void **unused)
{
	struct search s = {.low = 100000, .high = 14880952, .resolution = 0.01, .trials = 20};
	struct device leaks = {.capacity = 5e6, .generator = INFINITY, .share_lost = 0.0005};
	struct search_result r = search(&s, &leaks);

	assert_int_equal(r.end, SEARCH_NONE);
	assert_true(r.pps == 0);

	s.loss = 0.001;
	leaks.trials = 0;
	r = search(&s, &leaks);
	assert_int_equal(r.end, SEARCH_FOUND);
	assert_true(r.pps >= 4.95e6 && r.pps <= 5.01e6);
}

static void
ends_after_the_trials_it_was_given(void **unused)
{
	struct search s = usual;
	struct device d = {.capacity = 1e6, .generator = INFINITY};

	s.trials = 5;
	assert_int_equal(search(&s, &d).trials, 5);
}

static void
disorder_is_no_rate(void **unused)
{
	struct device d = {.capacity = 5e6, .generator = INFINITY, .reorders_at = 3};
	struct search_result r = search(&usual, &d);

	assert_int_equal(r.end, SEARCH_UNSOUND);
	assert_true(r.pps == 0);
	assert_int_equal(r.trials, 3);
}

static void
a_broken_trial_ends_it(void **unused)
{
	struct device d = {.capacity = 5e6, .generator = INFINITY, .broken_at = 2};
	struct search_result r;

	assert_int_equal(search_no_drop(&usual, trial_run, &d, &r), -EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_capacity),
		cmocka_unit_test(stops_at_the_ceiling),
		cmocka_unit_test(says_that_the_generator_was_the_limit),
		cmocka_unit_test(slow_generator_finds_a_slower_device),
		cmocka_unit_test(loss_is_weighed_against_the_threshold),
		cmocka_unit_test(ends_after_the_trials_it_was_given),
		cmocka_unit_test(disorder_is_no_rate),
		cmocka_unit_test(a_broken_trial_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
