/* Slabs against a list of what is out: nothing overlaps, what was given back comes again as zeros, chunks go home. */
#include "drivers/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OBJECTS 20000
#define LINE 64

struct object {
	uint8_t *at;
	size_t size;
	uint8_t mark;
};

static bool
is_all(const uint8_t *at, size_t size, uint8_t value)
{
	return at[0] == value && memcmp(at, at + 1, size - 1) == 0;
}

static void
take(struct object *o, size_t size, uint8_t mark)
{
	*o = (struct object){.at = slab_alloc(size), .size = size, .mark = mark};
	assert_non_null(o->at);
	assert_int_equal((uintptr_t)o->at % LINE, 0);
	assert_true(is_all(o->at, size, 0));
	memset(o->at, mark, size);
}

static void
give(struct object *o)
{
	assert_true(is_all(o->at, o->size, o->mark));
	slab_free(o->at, o->size);
	o->at = NULL;
}

/* Bytes of address space of this process. */
static size_t
space(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	return pages * 4096;
}

static void
objects_come_and_go(void **state)
{
	static const size_t sizes[] = {64, 100, 128, 1088, 1300, 2048, SLAB_SIZE_MAX};
	static struct object objects[OBJECTS];
	size_t before;

	srand(1);
	before = space();
	for (unsigned round = 0; round < 10 * OBJECTS; round++) {
		struct object *o = &objects[rand() % OBJECTS];

		if (o->at)
			give(o);
		else
			take(o, sizes[rand() % 7], (uint8_t)(1 + rand() % 255));
	}
	for (unsigned i = 0; i < OBJECTS; i++)
		if (objects[i].at)
			give(&objects[i]);
	/* At most one chunk of each size is kept, and what the first scan of a file took. */
	assert_in_range(space(), before, before + (7 + 1) * ((size_t)2 << 20));
}

/* Objects of one size are neighbours, an odd number of lines apart. */
static void
objects_use_all_sets(void **state)
{
	struct object a, b, c;

	take(&a, 4 * LINE, 1);
	take(&b, 4 * LINE, 2);
	take(&c, 3 * LINE + 1, 3);
	assert_int_equal(b.at - a.at, 5 * LINE);
	assert_int_equal(c.at - b.at, 5 * LINE);
	give(&b);
	give(&a);
	give(&c);
}

static void
one_that_comes_and_goes_keeps_its_chunk(void **state)
{
	struct object o;
	uint8_t *first;

	take(&o, 7000, 1);
	first = o.at;
	give(&o);
	for (unsigned i = 0; i < 100; i++) {
		take(&o, 7000, 2);
		assert_ptr_equal(o.at, first);
		give(&o);
	}
}

static void
what_is_too_large_is_refused(void **state)
{
	assert_null(slab_alloc(SLAB_SIZE_MAX + 1));
	slab_free(NULL, 64);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_come_and_go),
		cmocka_unit_test(objects_use_all_sets),
		cmocka_unit_test(one_that_comes_and_goes_keeps_its_chunk),
		cmocka_unit_test(what_is_too_large_is_refused),
	};

	return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
