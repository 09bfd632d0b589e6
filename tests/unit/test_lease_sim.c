/* Hundreds of random schedules of faults over two or three nodes, with a checker over what each of them could do: never
 * two primaries, never an epoch of two holders, and a primary again once the faults end. And the checker finds each
 * thing that is broken on purpose. */
#include "tests/unit/lease_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SCHEDULES 300
#define SECONDS 260

static struct sim sim;

static void
sound(enum sim_kind kind)
{
	uint64_t epochs = 0, acting_ns = 0, faults = 0;

	for (long seed = 1; seed <= SCHEDULES; seed++) {
		sim_run(&sim, kind, SIM_SOUND, seed, SECONDS);
		if (sim.two_primaries + sim.shared_epochs > 0)
			fail_msg("seed %ld: %lu steps with two primaries, %lu with an epoch of two holders", seed,
				(unsigned long)sim.two_primaries, (unsigned long)sim.shared_epochs);
		if (sim.primaries != 1)
			fail_msg("seed %ld: %d primaries a minute after the last fault", seed, sim.primaries);
		epochs += sim.epochs;
		acting_ns += sim.acting_ns;
		faults += sim.faults;
	}
	print_message("%d schedules: %lu faults, %lu epochs, a primary for %lu s of %d\n", SCHEDULES,
		(unsigned long)faults, (unsigned long)epochs, (unsigned long)(acting_ns / SIM_S), SCHEDULES * SECONDS);
	assert_true(faults > 10 * SCHEDULES);
	assert_true(epochs > 2 * SCHEDULES);
}

static void
a_server(void **state)
{
	(void)state;
	sound(SIM_SERVER);
}

static void
files(void **state)
{
	(void)state;
	sound(SIM_FILES);
}

/* One of the schedules at least shows it. */
static void
finds(enum sim_kind kind, enum sim_defect defect)
{
	for (long seed = 1; seed <= SCHEDULES; seed++) {
		sim_run(&sim, kind, defect, seed, SECONDS);
		if (sim.two_primaries > 0) {
			print_message("seed %ld shows it\n", seed);
			return;
		}
	}
	fail_msg("%d schedules did not find defect %d", SCHEDULES, (int)defect);
}

static void
the_checker_finds_no_margin(void **state)
{
	(void)state;
	finds(SIM_SERVER, SIM_NO_MARGIN);
	finds(SIM_FILES, SIM_NO_MARGIN);
}

static void
the_checker_finds_no_deadline(void **state)
{
	(void)state;
	finds(SIM_SERVER, SIM_NO_DEADLINE);
	finds(SIM_FILES, SIM_NO_DEADLINE);
}

static void
the_checker_finds_a_late_start(void **state)
{
	(void)state;
	finds(SIM_SERVER, SIM_LATE_START);
	finds(SIM_FILES, SIM_LATE_START);
}

static void
the_checker_finds_a_challenge_too_early(void **state)
{
	(void)state;
	finds(SIM_FILES, SIM_EARLY_CHALLENGE);
}

static void
the_checker_finds_no_second_look(void **state)
{
	(void)state;
	finds(SIM_FILES, SIM_NO_SECOND_LOOK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server),
		cmocka_unit_test(files),
		cmocka_unit_test(the_checker_finds_no_margin),
		cmocka_unit_test(the_checker_finds_no_deadline),
		cmocka_unit_test(the_checker_finds_a_late_start),
		cmocka_unit_test(the_checker_finds_a_challenge_too_early),
		cmocka_unit_test(the_checker_finds_no_second_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
