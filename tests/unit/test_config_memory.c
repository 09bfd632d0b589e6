/* Memory runs out at every allocation in turn: the loader says -ENOMEM, leaks nothing, and does
 * not crash. (Leaks show in the sanitizer's build, where each object is an allocation.)
 */
#include "config_case.h"

#include <errno.h>

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static long left = -1; /* allocations until one fails; -1 = never */

static bool
fails(void)
{
	if (left < 0)
		return false;
	return left-- == 0;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

static long
exhaust(const char *path)
{
	for (long n = 0; n < 100000; n++) {
		struct config *c = (struct config *)1;
		int rc;

		left = n;
		rc = config_load(path, &c, &case_errors);
		if (left >= 0 || rc == 0) { /* it did with fewer */
			left = -1;
			assert_int_equal(rc, 0);
			config_free(c);
			return n;
		}
		assert_null(c);
		assert_int_equal(rc, -ENOMEM);
	}
	fail();
	return -1;
}

static void
every_allocation_may_fail(void **state)
{
	/* a handful of blocks; under a sanitizer, some thousand objects */
	assert_true(exhaust(CONFIG_EXAMPLES "/hub-and-spoke.json") > 3);
	assert_true(exhaust(CONFIG_EXAMPLES "/nsg.yaml") > 3);
	assert_true(exhaust(CONFIG_EXAMPLES "/dual-stack.yaml") > 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
