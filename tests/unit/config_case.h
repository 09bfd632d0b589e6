/* Configurations given as text in a test: load one, or see it refused for the right reason. */
#pragma once

#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct config_errors case_errors;

static inline struct config *
case_load(const char *text)
{
	struct config *c = NULL;
	int rc = config_parse("test.yaml", text, strlen(text), &c, &case_errors);

	if (rc != 0)
		config_errors_print(&case_errors, stderr);
	assert_int_equal(rc, 0);
	assert_non_null(c);
	assert_int_equal(case_errors.total, 0);
	return c;
}

static inline void
case_accept(const char *text)
{
	config_free(case_load(text));
}

static inline const struct config_error *
case_find(const char *code)
{
	for (uint32_t i = 0; i < case_errors.n; i++)
		if (strcmp(case_errors.e[i].code, code) == 0)
			return &case_errors.e[i];
	return NULL;
}

/* Refused with this code, in this line (0 = whichever), with this in its text (NULL = whatever),
 * and with `total` errors in all. */
static inline void
case_refuse_n(const char *text, const char *code, uint32_t line, const char *says, uint32_t total)
{
	struct config *c = (struct config *)1;
	int rc = config_parse("test.yaml", text, strlen(text), &c, &case_errors);
	const struct config_error *e = case_find(code);

	if (e == NULL || (says && strstr(e->text, says) == NULL) || (line && e->mark.line != line) ||
		case_errors.total != total) {
		fprintf(stderr, "wanted %s in line %u (%s), %u in all, got %u:\n", code, line, says ? says : "", total,
			case_errors.total);
		config_errors_print(&case_errors, stderr);
	}
	assert_int_equal(rc, -22);
	assert_null(c);
	assert_non_null(e);
	if (line != 0)
		assert_int_equal(e->mark.line, line);
	if (says != NULL)
		assert_non_null(strstr(e->text, says));
	assert_int_equal(case_errors.total, total);
}

/* The only error there is. */
static inline void
case_refuse(const char *text, const char *code, uint32_t line, const char *says)
{
	case_refuse_n(text, code, line, says, 1);
}

/* A table of such. */
struct case_refusal {
	const char *text, *code;
	uint32_t line;
	const char *says;
};

static inline void
case_refuse_all(const struct case_refusal *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		case_refuse(cases[i].text, cases[i].code, cases[i].line, cases[i].says);
}

#define CASE_REFUSE_ALL(cases) case_refuse_all(cases, sizeof(cases) / sizeof(cases[0]))

/* The configuration printed, to be freed. */
static inline char *
case_print(const struct config *c)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	config_print(c, to);
	fclose(to);
	return text;
}
