/* A worker's pauses: the longest ever, and of the last seconds only while they are the last. */
#include "dataplane/pause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
the_longest_of_all_stays(void **state)
{
	struct pauses p = {0};

	pause_note(&p, 1, 10);
	pause_note(&p, 1, 500);
	pause_note(&p, 1, 20);
	pause_note(&p, 1000, 30);
	assert_int_equal(p.longest, 500);
}

static void
recent_is_the_last_seconds(void **state)
{
	struct pauses p = {0};

	pause_note(&p, 5, 500);
	pause_note(&p, 6, 70);
	pause_note(&p, 8, 30);
	assert_int_equal(pause_recent(&p, 8, 4), 500);
	assert_int_equal(pause_recent(&p, 8, 3), 70);
	assert_int_equal(pause_recent(&p, 9, 2), 30);
	assert_int_equal(pause_recent(&p, 20, 3), 0);
}

/* A place is used again a minute later, also when the worker skipped seconds: nothing old shines through. */
static void
places_are_used_again(void **state)
{
	struct pauses p = {0};

	for (uint32_t second = 0; second < PAUSE_SECONDS; second++)
		pause_note(&p, second, 900);
	pause_note(&p, PAUSE_SECONDS + 7, 3);
	assert_int_equal(pause_recent(&p, PAUSE_SECONDS + 7, 1), 3);
	assert_int_equal(pause_recent(&p, PAUSE_SECONDS + 7, 8), 3);
	assert_int_equal(pause_recent(&p, PAUSE_SECONDS + 7, 9), 900);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_of_all_stays),
		cmocka_unit_test(recent_is_the_last_seconds),
		cmocka_unit_test(places_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
