/* Interface ids of IKE: a name's own number, the next free one where two hash alike, and never 0. */
#include "control/ike_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Names that were looked for: "connection " and each of these hash to the same number, but the last to the next. */
#define ALIKE 0x87a784e4u
static const char *const alike[] = {"poxefwb", "tvilyeaa", "wpellab"};
static const char beside[] = "lhwyidda"; /* a gateway: ALIKE + 1 */
static const char zero[] = "pvbbkgla";   /* a connection */

static struct cfg_connection connection[2000];
static struct cfg_gateway gateway[2000];
static char text[4000][32];

static struct ike_ids
ids_of(uint32_t n_connections, uint32_t n_gateways)
{
	struct config c = {.connections = connection,
		.n_connections = n_connections,
		.gateways = gateway,
		.n_gateways = n_gateways};
	struct ike_ids ids;

	assert_int_equal(ike_ids_make(&c, &ids), 0);
	return ids;
}

/* The number of this connection among others, which come first. */
static uint32_t
id_among(const char *name, const char *const *others, uint32_t n)
{
	struct ike_ids ids;
	uint32_t id;

	for (uint32_t i = 0; i < n; i++)
		connection[i].name = (char *)(uintptr_t)others[i];
	connection[n].name = (char *)(uintptr_t)name;
	ids = ids_of(n + 1, 0);
	id = ids.connection[n];
	ike_ids_free(&ids);
	return id;
}

static void
a_name_has_its_number(void **state)
{
	static const char *const others[] = {"a", "zz", "site-2"};
	struct ike_ids ids;

	(void)state;
	assert_int_equal(id_among("site", NULL, 0), 662829680); /* charon may have lived on since an earlier version */
	assert_int_equal(id_among("site", others, 3), 662829680);

	/* a gateway of the same name is somebody else */
	connection[0].name = gateway[0].name = (char *)(uintptr_t) "site";
	ids = ids_of(1, 1);
	assert_int_equal(ids.connection[0], 662829680);
	assert_int_not_equal(ids.gateway[0], 662829680);
	ike_ids_free(&ids);
}

static void
zero_is_nobodys(void **state)
{
	(void)state;
	assert_int_equal(id_among(zero, NULL, 0), 1);
}

/* Whatever the order of the file, the first by name keeps the number, and whoever has the next one moves on, too. */
static void
names_that_hash_alike(void **state)
{
	static const uint8_t order[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(alike); i++)
		assert_int_equal(id_among(alike[i], NULL, 0), ALIKE);
	for (size_t o = 0; o < COUNT(order); o++) {
		struct ike_ids ids;

		for (size_t i = 0; i < COUNT(alike); i++)
			connection[i].name = (char *)(uintptr_t)alike[order[o][i]];
		gateway[0].name = (char *)(uintptr_t)beside;
		ids = ids_of(0, 1);
		assert_int_equal(ids.gateway[0], ALIKE + 1);
		ike_ids_free(&ids);

		ids = ids_of(COUNT(alike), 1);
		for (size_t i = 0; i < COUNT(alike); i++)
			assert_int_equal(ids.connection[i], ALIKE + order[o][i]);
		assert_int_equal(ids.gateway[0], ALIKE + 3);
		ike_ids_free(&ids);
	}
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
many_are_all_different(void **state)
{
	static uint32_t all[4000];
	struct ike_ids ids;

	(void)state;
	for (uint32_t i = 0; i < COUNT(text); i++) {
		snprintf(text[i], sizeof(text[i]), "name-%u", i / 2);
		if (i % 2)
			gateway[i / 2].name = text[i];
		else
			connection[i / 2].name = text[i];
	}
	ids = ids_of(COUNT(connection), COUNT(gateway));
	memcpy(all, ids.connection, sizeof(all) / 2);
	memcpy(all + COUNT(connection), ids.gateway, sizeof(all) / 2);
	ike_ids_free(&ids);
	qsort(all, COUNT(all), sizeof(*all), by_value);
	assert_int_not_equal(all[0], 0);
	for (size_t i = 1; i < COUNT(all); i++)
		assert_int_not_equal(all[i], all[i - 1]);
}

static void
nothing_is_legal(void **state)
{
	struct ike_ids ids = ids_of(0, 0);

	(void)state;
	ike_ids_free(&ids);
	ike_ids_free(&ids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_its_number),
		cmocka_unit_test(zero_is_nobodys),
		cmocka_unit_test(names_that_hash_alike),
		cmocka_unit_test(many_are_all_different),
		cmocka_unit_test(nothing_is_legal),
	};

	return cmocka_run_group_tests_name("ike_id", tests, NULL, NULL);
}
