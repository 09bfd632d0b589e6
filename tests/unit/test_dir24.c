/* A painted DIR-24-8 table against a dumb list, address by address, where prefixes crowd: few /24s, nested lengths on
 * both sides of 24. */
#include "dataplane/dir24.h"

#include "tests/unit/eal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CROWD 0x0a010200u /* the /24s in use stand here side by side */
#define CROWD_BLOCKS 16
#define CROWD_SIZE (CROWD_BLOCKS * DIR24_BLOCK)
#define ENTRIES_MAX 300

static uint32_t
below(uint32_t n)
{
	return (uint32_t)rand() % n;
}

/* Prefixes of lengths 0 to 32, most of them long, in or around the crowd; some of IPv6 stand between. */
static struct prefix_list
random_list(uint32_t n)
{
	struct prefix_list l;
	uint32_t kept = 0;
	char error[128];

	assert_int_equal(prefix_list_init(&l, n), 0);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t len = (uint8_t)(below(4) ? 18 + below(15) : below(33));
		uint32_t mask = len == 0 ? 0 : UINT32_MAX << (32 - len);
		struct ip_prefix p = {address_from_v4((CROWD + below(CROWD_SIZE)) & mask), len};
		bool twice = false;

		if (below(20) == 0)
			p = (struct ip_prefix){{.family = IP_V6, .b = {(uint8_t)below(256)}}, 40};
		for (uint32_t k = 0; k < kept; k++)
			twice |= prefix_equal(&l.entry[k].prefix, &p);
		if (!twice)
			l.entry[kept++] = (struct prefix_value){p, 1 + below(1000000)};
	}
	l.n = kept;
	assert_int_equal(prefix_list_sort(&l, error, sizeof(error)), 0);
	return l;
}

static uint64_t
dumb_find(const struct prefix_list *l, uint32_t address)
{
	const struct prefix_value *best = NULL;
	struct ip_addr a = address_from_v4(address);

	for (uint32_t i = 0; i < l->n; i++)
		if (prefix_has(&l->entry[i].prefix, &a) && (!best || l->entry[i].prefix.len > best->prefix.len))
			best = &l->entry[i];
	return best ? best->value : 0;
}

static void
expect(const struct dir24 *d, const struct prefix_list *l, uint32_t address)
{
	uint64_t wanted = dumb_find(l, address), found = dir24_find(d, address);

	if (found != wanted)
		fail_msg("%08x: %lu, the list says %lu", address, found, wanted);
}

static void
crowded_tables_equal_a_list(void **state)
{
	for (uint32_t round = 0; round < 60; round++) {
		struct prefix_list l = random_list(1 + below(ENTRIES_MAX));
		struct dir24 d;

		assert_int_equal(dir24_build(&d, &l), 0);
		for (uint32_t i = 0; i < CROWD_SIZE; i++)
			expect(&d, &l, CROWD + i);
		for (uint32_t i = 0; i < 2000; i++)
			expect(&d, &l, (uint32_t)rand() << 1 ^ (uint32_t)rand());
		expect(&d, &l, 0);
		expect(&d, &l, UINT32_MAX);
		dir24_clear(&d);
		prefix_list_clear(&l);
	}
}

/* Every length at the very first and the very last address, each inside the one before. */
static void
nested_at_both_ends(void **state)
{
	for (uint32_t end = 0; end < 2; end++) {
		struct prefix_value entry[33];
		struct prefix_list l = {entry, 33};
		char error[128];
		struct dir24 d;

		for (uint32_t len = 0; len <= 32; len++) {
			uint32_t mask = len == 0 ? 0 : UINT32_MAX << (32 - len);

			entry[len] = (struct prefix_value){
				{address_from_v4(end ? mask : 0), (uint8_t)len}, DIR24_DEEPER - 1 - len};
		}
		assert_int_equal(prefix_list_sort(&l, error, sizeof(error)), 0);
		assert_int_equal(dir24_build(&d, &l), 0);
		assert_int_equal(d.n_blocks, 1);
		for (uint32_t len = 0; len < 32; len++)
			expect(&d, &l, (end ? UINT32_MAX : 0) ^ (0x80000000u >> len));
		expect(&d, &l, end ? UINT32_MAX : 0);
		dir24_clear(&d);
	}
}

static void
empty_matches_nothing(void **state)
{
	struct prefix_list none = {NULL, 0};
	struct dir24 d;

	assert_int_equal(dir24_build(&d, &none), 0);
	assert_int_equal(dir24_find(&d, 0), 0);
	assert_int_equal(dir24_find(&d, UINT32_MAX), 0);
	dir24_clear(&d);
	dir24_clear(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crowded_tables_equal_a_list),
		cmocka_unit_test(nested_at_both_ends),
		cmocka_unit_test(empty_matches_nothing),
	};

	srand(24);
	if (test_eal_start_with("dir24", "256") != 0)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	test_eal_stop();
	return failed;
}
