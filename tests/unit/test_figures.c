/* The bench's figures: of samples, of passes, and when it calls the machine noisy. */
#include "tests/bench/bench.h"

static struct result five;

/* Five passes with these minima of the path; all else is alike in all of them. */
static void
passes(double a, double b, double c, double d, double e)
{
	const double path[PASSES] = {a, b, c, d, e};

	five = (struct result){0};
	for (int i = 0; i < PASSES; i++) {
		five.pass[i].kind[KIND_PATH] = (struct figure){path[i], 2 * path[i]};
		five.pass[i].kind[KIND_TOTAL] = (struct figure){200, 220};
		five.pass[i].raw = (struct figure){50, 55};
	}
}

static void
concludes(double path, bool noisy)
{
	figures_conclude(&five);
	assert_true(five.middle.kind[KIND_PATH].min == path);
	assert_true(five.middle.kind[KIND_PATH].median == 2 * path);
	assert_true(five.middle.kind[KIND_TOTAL].min == 200 && five.middle.raw.median == 55);
	assert_int_equal(five.noisy, noisy);
}

static void
samples_have_a_least_and_a_middle(void **state)
{
	double sample[] = {9, 2, 7, 4, 100}, two[] = {8, 6};
	struct figure f = figures_of(sample, 5);

	(void)state;
	assert_true(f.min == 2 && f.median == 7);
	f = figures_of(two, 2);
	assert_true(f.min == 6 && f.median == 8);
	f = figures_of(sample, 0);
	assert_true(f.min == 0 && f.median == 0);
}

static void
the_middle_pass_counts(void **state)
{
	(void)state;
	passes(104, 100, 102, 103, 101);
	concludes(102, false);
}

/* One bad moment and one lucky one are no noise; more are. */
static void
one_pass_astray_is_forgiven(void **state)
{
	(void)state;
	passes(100, 900, 100, 100, 100);
	concludes(100, false);
	passes(10, 100, 900, 101, 100);
	concludes(100, false);
	passes(100, 110, 100, 100, 110);
	concludes(100, true);
	passes(90, 100, 100, 90, 100);
	concludes(100, true);
}

static void
five_percent_is_agreement(void **state)
{
	(void)state;
	passes(100, 100, 100, 104.9, 200);
	concludes(100, false);
	passes(100, 100, 100, 105.1, 200);
	concludes(100, true);
}

/* Where packets are steady and the floor, the turn or the worker alone is not, ratios are no good. */
static void
noise_anywhere_counts(void **state)
{
	(void)state;
	for (int what = 0; what < 3; what++) {
		passes(100, 100, 100, 100, 100);
		for (int i = 0; i < 2; i++) {
			struct pass *p = &five.pass[i];

			*(what == 0         ? &p->kind[KIND_TOTAL]
				: what == 1 ? &p->raw
					    : &p->alone) = (struct figure){999, 999};
		}
		figures_conclude(&five);
		assert_true(five.noisy);
	}
}

static void
ratios_are_of_the_stage_that_works(void **state)
{
	struct pass p = {.raw = {50, 60}};
	struct ratios q;

	(void)state;
	p.kind[KIND_PATH].min = 100;
	p.kind[KIND_TOTAL].min = 120;
	p.kind[KIND_PORT].min = 10;
	p.stage[STAGE_ESP_SEAL].min = 60;
	p.stage[STAGE_ESP_OPEN].min = 75;
	q = figures_ratios(&p, false);
	assert_true(q.esp_by_mb == 1.2 && q.path_by_mb == 2 && q.total_by_floor == 2);
	q = figures_ratios(&p, true);
	assert_true(q.esp_by_mb == 1.5 && q.path_by_mb == 2);
	p.raw.min = 0;
	q = figures_ratios(&p, false);
	assert_true(q.esp_by_mb == 0 && q.path_by_mb == 0 && q.total_by_floor == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_have_a_least_and_a_middle),
		cmocka_unit_test(the_middle_pass_counts),
		cmocka_unit_test(one_pass_astray_is_forgiven),
		cmocka_unit_test(five_percent_is_agreement),
		cmocka_unit_test(noise_anywhere_counts),
		cmocka_unit_test(ratios_are_of_the_stage_that_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
