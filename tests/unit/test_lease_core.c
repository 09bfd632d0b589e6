/* One node's part in a lease, by explicit times: 15 s with a margin of 1.5 s, from second 100 on. */
#include "control/lease_core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S 1000000000ull
#define MS 1000000ull
#define START (100 * S)

static struct lease_core
fresh(uint64_t wait_ns)
{
	const struct lease_terms terms = {15 * S, 1500 * MS, 200 * MS, wait_ns};
	struct lease_core c;

	lease_core_init(&c, &terms, START);
	return c;
}

static void
answer(struct lease_core *c, enum lease_verdict verdict, uint64_t epoch, const char *holder, uint64_t now_ns)
{
	struct lease_answer a = {.verdict = verdict, .epoch = epoch};

	snprintf(a.holder, sizeof(a.holder), "%s", holder);
	snprintf(a.error, sizeof(a.error), "%s", verdict == LEASE_FAILED ? "no answer" : "");
	lease_core_answer(c, &a, now_ns);
}

/* Primary of epoch 7 by a request from START to START + 1 s. */
static struct lease_core
primary(void)
{
	struct lease_core c = fresh(0);

	assert_true(lease_core_tick(&c, START));
	answer(&c, LEASE_GRANTED, 7, "A", START + S);
	assert_int_equal(c.role, LEASE_PRIMARY);
	return c;
}

static void
a_grant_counts_from_before_its_request(void **state)
{
	struct lease_core c = primary();

	(void)state;
	assert_int_equal(c.epoch, 7);
	assert_int_equal(c.deadline_ns, START + 13500 * MS);
	assert_false(lease_core_tick(&c, START + 5 * S - 1));
	assert_true(lease_core_tick(&c, START + 5 * S));
	assert_false(lease_core_tick(&c, START + 6 * S));
	answer(&c, LEASE_GRANTED, 7, "A", START + 7 * S);
	assert_int_equal(c.deadline_ns, START + 18500 * MS);
	assert_int_equal(c.transitions, 1);
}

static void
a_role_ends_at_its_deadline(void **state)
{
	struct lease_core c = primary();

	(void)state;
	assert_true(lease_core_tick(&c, START + 5 * S)); /* hangs */
	assert_false(lease_core_tick(&c, START + 13500 * MS - 1));
	assert_int_equal(c.role, LEASE_PRIMARY);
	assert_false(lease_core_tick(&c, START + 13500 * MS));
	assert_int_equal(c.role, LEASE_FOLLOWER);
	assert_int_equal(c.deadline_ns, 0);

	/* the answer is a grant of a time that is over: ours still, but not to act by */
	answer(&c, LEASE_GRANTED, 7, "A", START + 30 * S);
	assert_int_equal(c.role, LEASE_FOLLOWER);
	assert_int_equal(c.deadline_ns, 0);
	assert_false(lease_core_tick(&c, START + 30 * S));
	assert_true(lease_core_tick(&c, START + 30750 * MS));
	answer(&c, LEASE_GRANTED, 7, "A", START + 31 * S);
	assert_int_equal(c.role, LEASE_PRIMARY);
	assert_int_equal(c.transitions, 3);
}

/* Failures change nothing before the deadline; they are repeated after 0.75, 1.5 and then 2.5 s. */
static void
failures_are_repeated(void **state)
{
	static const uint64_t wait_ms[] = {750, 1500, 2500, 2500};
	struct lease_core c = primary();
	uint64_t now = START + 5 * S;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(lease_core_tick(&c, now));
		answer(&c, LEASE_FAILED, 0, "", now);
		assert_string_equal(c.error, "no answer");
		assert_int_equal(c.role, LEASE_PRIMARY);
		assert_false(lease_core_tick(&c, now + wait_ms[i] * MS - 1));
		now += wait_ms[i] * MS;
	}
	assert_true(lease_core_tick(&c, now));
	answer(&c, LEASE_GRANTED, 7, "A", now);
	assert_string_equal(c.error, "");
	assert_int_equal(c.failures, 0);
}

static void
another_holder_ends_it(void **state)
{
	struct lease_core c = primary();

	(void)state;
	assert_true(lease_core_tick(&c, START + 5 * S));
	answer(&c, LEASE_DENIED, 8, "B", START + 5 * S);
	assert_int_equal(c.role, LEASE_FOLLOWER);
	assert_int_equal(c.deadline_ns, 0);
	assert_int_equal(c.epoch, 0);
	assert_int_equal(c.epoch_seen, 8);
	assert_string_equal(c.holder, "B");
	assert_false(lease_core_tick(&c, START + 5200 * MS - 1));
	assert_true(lease_core_tick(&c, START + 5200 * MS));
}

/* Two roles, not one: between its epochs it may have been another's. */
static void
a_new_epoch_is_a_new_role(void **state)
{
	struct lease_core c = primary();

	(void)state;
	assert_true(lease_core_tick(&c, START + 5 * S));
	answer(&c, LEASE_GRANTED, 9, "A", START + 5 * S);
	assert_int_equal(c.role, LEASE_PRIMARY);
	assert_int_equal(c.epoch, 9);
	assert_int_equal(c.transitions, 3);
}

static void
epochs_never_go_back(void **state)
{
	struct lease_core c = primary();

	(void)state;
	assert_true(lease_core_tick(&c, START + 5 * S));
	answer(&c, LEASE_GRANTED, 6, "A", START + 5 * S);
	assert_int_equal(c.role, LEASE_FOLLOWER);
	assert_int_equal(c.deadline_ns, 0);
	assert_non_null(strstr(c.error, "epoch went back"));
}

static void
whoever_leaves_asks_no_more(void **state)
{
	struct lease_core c = primary();

	(void)state;
	assert_true(lease_core_tick(&c, START + 5 * S));
	lease_core_leave(&c);
	assert_int_equal(c.role, LEASE_FOLLOWER);
	assert_int_equal(c.deadline_ns, 0);
	answer(&c, LEASE_GRANTED, 7, "A", START + 5 * S);
	assert_int_equal(c.role, LEASE_FOLLOWER);
	assert_int_equal(c.deadline_ns, 0);
	assert_false(lease_core_tick(&c, START + 60 * S));
}

/* As whoever starts, but for what it has seen: an older epoch is not believed. */
static void
whoever_left_may_resume(void **state)
{
	struct lease_core c = primary();

	(void)state;
	lease_core_leave(&c);
	lease_core_resume(&c, START + 20 * S);
	assert_int_equal(c.role, LEASE_FOLLOWER);
	assert_true(lease_core_tick(&c, START + 20 * S));
	answer(&c, LEASE_GRANTED, 6, "A", START + 20 * S);
	assert_int_equal(c.role, LEASE_FOLLOWER);
	assert_true(lease_core_tick(&c, START + 30 * S));
	answer(&c, LEASE_GRANTED, 9, "A", START + 30 * S);
	assert_int_equal(c.role, LEASE_PRIMARY);
	assert_int_equal(c.epoch, 9);
	assert_int_equal(c.transitions, 3);
}

static void
a_head_start_for_the_preferred(void **state)
{
	struct lease_core c = fresh(S);

	(void)state;
	assert_false(lease_core_tick(&c, START + S - 1));
	assert_true(lease_core_tick(&c, START + S));
}

/* The kind static: no end, and no second request. */
static void
a_lease_without_end(void **state)
{
	const struct lease_terms terms = {.duration_ns = LEASE_INFINITE, .poll_ns = LEASE_INFINITE};
	struct lease_core c;

	(void)state;
	lease_core_init(&c, &terms, START);
	assert_true(lease_core_tick(&c, START));
	answer(&c, LEASE_GRANTED, 0, "A", START);
	assert_int_equal(c.role, LEASE_PRIMARY);
	assert_int_equal(c.deadline_ns, LEASE_INFINITE);
	assert_false(lease_core_tick(&c, LEASE_INFINITE / 4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_grant_counts_from_before_its_request),
		cmocka_unit_test(a_role_ends_at_its_deadline),
		cmocka_unit_test(failures_are_repeated),
		cmocka_unit_test(another_holder_ends_it),
		cmocka_unit_test(a_new_epoch_is_a_new_role),
		cmocka_unit_test(epochs_never_go_back),
		cmocka_unit_test(whoever_leaves_asks_no_more),
		cmocka_unit_test(whoever_left_may_resume),
		cmocka_unit_test(a_head_start_for_the_preferred),
		cmocka_unit_test(a_lease_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
