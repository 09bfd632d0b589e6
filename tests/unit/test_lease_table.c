/* The vendor's table of a lease's states, cell by cell, and what the table does not say: clocks and epochs. */
#include "control/lease_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S 1000000000ull
#define NOW (100 * S)

/* A lease of A's in a state; time does not end it before NOW + 30 s. */
static struct lease
lease_in(enum lease_state state)
{
	struct lease l = {.state = state, .epoch = 7, .duration_ns = 30 * S, .end_ns = NOW + 30 * S};

	if (state == LEASE_BREAKING)
		l.end_ns = NOW + 10 * S;
	if (state != LEASE_AVAILABLE)
		strcpy(l.holder, "A");
	return l;
}

/* "": refused; else the state's letter (Available, Leased, breakinG, broKen, Expired) and its holder. */
static const char *
outcome(const struct lease *l, int result)
{
	static char text[LEASE_NAME_MAX + 2];

	assert_true(result == 0 || result == -EBUSY);
	if (result != 0)
		return "";
	snprintf(text, sizeof(text), "%c%s", "ALGKE"[l->state], l -> holder);
	return text;
}

static const struct {
	const char *name;
	struct lease_request request;
	const char *cell[LEASE_STATES];
} table[] = {
	{"acquire (A)", {LEASE_ACQUIRE, "A", NULL, 60 * S}, {"LA", "LA", "", "LA", "LA"}},
	{"acquire (B)", {LEASE_ACQUIRE, "B", NULL, 60 * S}, {"LB", "", "", "LB", "LB"}},
	{"renew (A)", {LEASE_RENEW, "A", NULL, 0}, {"", "LA", "", "", "LA"}},
	{"renew (B)", {LEASE_RENEW, "B", NULL, 0}, {"", "", "", "", ""}},
	{"change (A to B)", {LEASE_CHANGE, "A", "B", 0}, {"", "LB", "", "", ""}},
	{"change (B to C)", {LEASE_CHANGE, "B", "C", 0}, {"", "", "", "", ""}},
	{"break 0", {LEASE_BREAK, "B", NULL, 0}, {"", "KA", "KA", "KA", "KA"}},
	{"break 5 s", {LEASE_BREAK, "B", NULL, 5 * S}, {"", "GA", "GA", "KA", "KA"}},
	{"break by the holder", {LEASE_BREAK, "A", NULL, 0}, {"", "KA", "KA", "KA", "KA"}},
	{"release (A)", {LEASE_RELEASE, "A", NULL, 0}, {"", "A", "A", "A", "A"}},
	{"release (B)", {LEASE_RELEASE, "B", NULL, 0}, {"", "", "", "", ""}},
	{"duration expires", {LEASE_EXPIRE, "", NULL, 0}, {"A", "EA", "KA", "KA", "EA"}},
};

static void
every_cell(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (int s = 0; s < LEASE_STATES; s++) {
			struct lease l = lease_in((enum lease_state)s), before = l;
			int r = lease_apply(&l, &table[i].request, NOW);

			if (strcmp(outcome(&l, r), table[i].cell[s]) != 0)
				fail_msg("%s in state %c: \"%s\" instead of \"%s\"", table[i].name, "ALGKE"[s],
					outcome(&l, r), table[i].cell[s]);
			if (r != 0)
				assert_memory_equal(&l, &before, sizeof(l));
			assert_true(l.epoch >= before.epoch);
		}
	}
}

/* Whoever gets it gets a number nobody had; who keeps it keeps the number. */
static void
epochs_grow(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (int s = 0; s < LEASE_STATES; s++) {
			struct lease l = lease_in((enum lease_state)s);
			enum lease_operation o = table[i].request.operation;
			bool kept = o == LEASE_RENEW || (o == LEASE_ACQUIRE && s == LEASE_LEASED);

			if (lease_apply(&l, &table[i].request, NOW) == 0)
				assert_int_equal(l.epoch,
					(o == LEASE_ACQUIRE || o == LEASE_CHANGE || o == LEASE_RENEW) && !kept ? 8 : 7);
		}
	}
}

static uint64_t
end_after(enum lease_state state, enum lease_operation operation, uint64_t duration_ns)
{
	struct lease l = lease_in(state);

	assert_int_equal(lease_apply(&l, &(struct lease_request){operation, "A", "B", duration_ns}, NOW + S), 0);
	return l.end_ns;
}

static void
clocks(void **state)
{
	(void)state;
	assert_int_equal(end_after(LEASE_LEASED, LEASE_ACQUIRE, 15 * S), NOW + 16 * S);
	assert_int_equal(end_after(LEASE_AVAILABLE, LEASE_ACQUIRE, LEASE_INFINITE), LEASE_INFINITE);
	assert_int_equal(end_after(LEASE_LEASED, LEASE_RENEW, 0), NOW + 31 * S);
	assert_int_equal(end_after(LEASE_EXPIRED, LEASE_RENEW, 0), NOW + 31 * S);
	/* a break brings the end nearer, never farther */
	assert_int_equal(end_after(LEASE_LEASED, LEASE_BREAK, 5 * S), NOW + 6 * S);
	assert_int_equal(end_after(LEASE_LEASED, LEASE_BREAK, 60 * S), NOW + 30 * S);
	assert_int_equal(end_after(LEASE_BREAKING, LEASE_BREAK, 5 * S), NOW + 6 * S);
	assert_int_equal(end_after(LEASE_BREAKING, LEASE_BREAK, 20 * S), NOW + 10 * S);
}

/* An operation meets the state that time has made. */
static void
time_passes_first(void **state)
{
	const struct lease_request other = {LEASE_ACQUIRE, "B", NULL, 30 * S}, own = {LEASE_RENEW, "A", NULL, 0};
	struct lease l = lease_in(LEASE_LEASED);

	(void)state;
	assert_int_equal(lease_apply(&l, &other, NOW + 30 * S - 1), -EBUSY);
	assert_int_equal(lease_apply(&l, &other, NOW + 30 * S), 0);
	assert_int_equal(lease_apply(&l, &own, NOW + 30 * S), -EBUSY);

	l = lease_in(LEASE_BREAKING);
	assert_int_equal(lease_apply(&l, &other, NOW + 10 * S - 1), -EBUSY);
	assert_int_equal(lease_apply(&l, &other, NOW + 10 * S), 0);

	l = lease_in(LEASE_LEASED);
	l.end_ns = LEASE_INFINITE;
	lease_pass(&l, LEASE_INFINITE);
	assert_int_equal(l.state, LEASE_LEASED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell),
		cmocka_unit_test(epochs_grow),
		cmocka_unit_test(clocks),
		cmocka_unit_test(time_passes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
