/* SPIs of our own: unique, never a reserved one, given back, taken back in time, and an end where all are taken. */
#include "control/ike_spi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000ull
#define INDEXES (1u << 20) /* the low bits of an SPI */
#define MOST (1u << 18)    /* half of the indexes that there may be room for */
#define FIRST 256u         /* RFC 4303 section 2.1 */

static struct ike_spis *spis;

static int
begin(void **unused)
{
	(void)unused;
	spis = ike_spis_create();
	return spis ? 0 : -1;
}

static int
end(void **unused)
{
	(void)unused;
	ike_spis_free(spis);
	return 0;
}

static uint32_t
take(uint64_t now_ns)
{
	return ike_spi_take(spis, now_ns, NULL, NULL);
}

static uint32_t
index_of(uint32_t spi)
{
	return spi % INDEXES;
}

/* Is it somebody's? Asked by claiming it, and undone. */
static bool
is_free(uint32_t spi)
{
	bool claimed = ike_spi_claim(spis, spi);

	if (claimed)
		ike_spi_give(spis, spi);
	return claimed;
}

static void
all_differ_until_none_is_left(void **unused)
{
	static bool seen[INDEXES];
	uint32_t n = 0, spi, last = 0, highest = 0;

	(void)unused;
	memset(seen, 0, sizeof(seen));
	while ((spi = take(0)) != 0) {
		assert_true(spi >= FIRST && index_of(spi) >= FIRST);
		assert_false(seen[index_of(spi)]); /* so no two share a place of the view's table */
		seen[index_of(spi)] = true;
		if (index_of(spi) > highest)
			highest = index_of(spi);
		last = spi;
		n++;
	}
	assert_int_equal(n, MOST);
	assert_true(highest < FIRST + 2 * MOST); /* dense */
	assert_int_equal(take(0), 0);
	ike_spi_give(spis, last);
	assert_int_not_equal(take(0), 0);
	assert_int_equal(take(0), 0);
}

static void
a_place_is_given_to_another_spi(void **unused)
{
	uint32_t first = take(0), n = 0, spi;

	(void)unused;
	ike_spi_give(spis, first);
	assert_false(ike_spi_use(spis, first));
	do {
		spi = take(0);
		ike_spi_give(spis, spi);
		n++;
	} while (index_of(spi) != index_of(first));
	assert_true(n > 500); /* as late as possible */
}

static void
only_what_was_reserved_is_used(void **unused)
{
	uint32_t spi = take(0);

	(void)unused;
	assert_false(ike_spi_use(spis, spi ^ INDEXES)); /* the same place */
	assert_false(ike_spi_use(spis, spi + 1));
	assert_false(ike_spi_use(spis, 0));
	assert_false(ike_spi_use(spis, 255));
	assert_false(ike_spi_use(spis, UINT32_MAX));
	assert_true(ike_spi_use(spis, spi));
	assert_false(ike_spi_use(spis, spi)); /* one SA each */
	ike_spi_give(spis, spi ^ INDEXES);
	assert_false(is_free(spi));
	ike_spi_give(spis, spi);
	assert_true(is_free(spi));
}

static void
reservations_end_and_uses_do_not(void **unused)
{
	uint32_t forgotten = take(SECOND), used = take(SECOND), claimed = 0x12300777;

	(void)unused;
	assert_true(ike_spi_use(spis, used));
	assert_true(ike_spi_claim(spis, claimed));
	ike_spis_expire(spis, 181 * SECOND);
	assert_false(is_free(forgotten));
	ike_spis_expire(spis, 181 * SECOND + 1);
	assert_true(is_free(forgotten));
	assert_false(ike_spi_use(spis, forgotten));
	ike_spis_expire(spis, UINT64_MAX);
	assert_false(is_free(used));
	assert_false(is_free(claimed));
}

/* charon deletes SAs that we do not know (any more); the peer's SPI of one may be ours of another. */
static void
what_an_sa_uses_is_not_cancelled(void **unused)
{
	uint32_t reserved = take(0), used = take(0);

	(void)unused;
	assert_true(ike_spi_use(spis, used));
	ike_spi_cancel(spis, used);
	ike_spi_cancel(spis, reserved);
	ike_spi_cancel(spis, 255);
	ike_spi_cancel(spis, UINT32_MAX);
	assert_false(is_free(used));
	assert_true(is_free(reserved));
}

static void
claims_make_room_but_take_nothing_twice(void **unused)
{
	(void)unused;
	assert_true(ike_spi_claim(spis, 0xabc00100 + 400000));
	assert_false(ike_spi_claim(spis, 0xabc00100 + 400000));
	assert_false(ike_spi_claim(spis, 0xdef00100 + 400000)); /* its place is taken */
	assert_true(ike_spi_claim(spis, 0x00100 + 524287));
	assert_false(ike_spi_claim(spis, 0x00100 + 524288)); /* beyond any room */
	assert_false(ike_spi_claim(spis, UINT32_MAX));
	assert_false(ike_spi_claim(spis, 0xff));
	assert_false(ike_spi_claim(spis, 0xabc000ff)); /* an index that no SPI of ours has */
	assert_true(ike_spi_claim(spis, 0x100));
}

/* Claims may fill the first room wholly: the next one that is taken finds more. */
static void
a_full_room_grows(void **unused)
{
	(void)unused;
	for (uint32_t i = 0; i < 1024; i++)
		assert_true(ike_spi_claim(spis, 0x55500000 + FIRST + i));
	assert_true(index_of(take(0)) >= FIRST + 1024);
}

struct by_hand {
	uint32_t asked[40], n, allow_after;
};

static bool
taken(void *context, uint32_t spi)
{
	struct by_hand *h = context;

	h->asked[h->n++] = spi;
	return h->n <= h->allow_after;
}

static void
spis_by_hand_are_passed_over(void **unused)
{
	struct by_hand h = {.allow_after = 3}, none = {.allow_after = UINT32_MAX};
	uint32_t spi = ike_spi_take(spis, 0, taken, &h);

	(void)unused;
	assert_int_equal(h.n, 4);
	assert_int_equal(spi, h.asked[3]);
	for (int i = 0; i < 3; i++)
		assert_true(is_free(h.asked[i]));
	assert_int_equal(ike_spi_take(spis, 0, taken, &none), 0);
	assert_int_equal(none.n, 16);
	for (int i = 0; i < 16; i++)
		assert_true(is_free(none.asked[i]));
}

/* Random steps against a dumb list of what is given out. */
static void
against_a_list(void **unused)
{
	enum { MAX = 3000 };
	static uint32_t list[MAX];
	uint32_t n = 0, random = 3, claims = 0;

	(void)unused;
	for (int step = 0; step < 60000; step++) {
		uint32_t at;

		random = random * 1664525u + 1013904223u;
		at = n ? (random >> 8) % n : 0;
		if (n < MAX && random >> 30 != 0) {
			list[n] = take(0);
			assert_int_not_equal(list[n++], 0);
		} else if (n < MAX && n > 0 && (random >> 28 & 3) == 0) {
			/* the place of one that is in use, or a new one */
			uint32_t spi = list[at] + (random >> 20 & 1) * 7;
			bool mine = true;

			for (uint32_t i = 0; i < n; i++)
				mine &= index_of(list[i]) != index_of(spi);
			assert_int_equal(ike_spi_claim(spis, spi), mine);
			claims += mine;
			if (mine)
				list[n++] = spi;
		} else if (n > 0) {
			ike_spi_give(spis, list[at]);
			list[at] = list[--n];
		}
	}
	assert_true(claims > 100);
	for (uint32_t i = 0; i < n; i++)
		assert_false(ike_spi_claim(spis, list[i]));
	while (n > 0)
		ike_spi_give(spis, list[--n]);
	while (take(0) != 0)
		n++;
	assert_int_equal(n, MOST); /* none was lost, none counted twice */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_differ_until_none_is_left, begin, end),
		cmocka_unit_test_setup_teardown(a_place_is_given_to_another_spi, begin, end),
		cmocka_unit_test_setup_teardown(only_what_was_reserved_is_used, begin, end),
		cmocka_unit_test_setup_teardown(reservations_end_and_uses_do_not, begin, end),
		cmocka_unit_test_setup_teardown(what_an_sa_uses_is_not_cancelled, begin, end),
		cmocka_unit_test_setup_teardown(claims_make_room_but_take_nothing_twice, begin, end),
		cmocka_unit_test_setup_teardown(a_full_room_grows, begin, end),
		cmocka_unit_test_setup_teardown(spis_by_hand_are_passed_over, begin, end),
		cmocka_unit_test_setup_teardown(against_a_list, begin, end),
	};

	return cmocka_run_group_tests_name("ike_spi", tests, NULL, NULL);
}
