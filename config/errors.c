/* Errors are collected, not printed, so that one run tells all that is wrong with a file.
 *
 * Texts can quote the file, and end in terminals and JSON: anything but printable ASCII
 * becomes '?'. Any thread; the caller owns the collection.
 */
#include "config/errors.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define SUGGEST_LENGTH_MAX 80

bool
config_errors_full(const struct config_errors *e)
{
	return e->n == CONFIG_ERRORS_MAX;
}

bool
text_may_be_key(const char *text)
{
	return strspn(text, "0123456789abcdefABCDEF") >= 16;
}

static bool
mark_before(struct cfg_mark a, struct cfg_mark b)
{
	return a.line < b.line || (a.line == b.line && a.column < b.column);
}

void
config_errors_forget(struct config_errors *e, uint32_t from, struct cfg_mark start, struct cfg_mark end)
{
	uint32_t kept = from;

	for (uint32_t i = from; i < e->n; i++)
		if (mark_before(e->e[i].mark, start) || !mark_before(e->e[i].mark, end))
			e->e[kept++] = e->e[i];
	e->total -= e->n - kept;
	e->n = kept;
}

static void
make_printable(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
}

void
config_error(struct config_errors *e, struct cfg_mark mark, const char *code, const char *format, ...)
{
	struct config_error *error;
	va_list args;

	e->total++;
	if (config_errors_full(e))
		return;
	error = &e->e[e->n++];
	error->mark = mark;
	snprintf(error->code, sizeof(error->code), "%s", code);
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	make_printable(error->text);
}

void
config_errors_print(const struct config_errors *errors, FILE *to)
{
	const char *path = errors->path ? errors->path : "configuration";

	for (uint32_t i = 0; i < errors->n; i++) {
		const struct config_error *e = &errors->e[i];

		fprintf(to, "%s:%u:%u: %s: %s\n", path, e->mark.line, e->mark.column, e->code, e->text);
	}
	if (errors->total > errors->n)
		fprintf(to, "%s: %u more errors\n", path, errors->total - errors->n);
}

void
suggestion_start(struct suggestion *s, const char *wanted)
{
	size_t n = strlen(wanted);

	s->wanted = wanted;
	s->best = NULL;
	/* A third of the word may be wrong; beyond that it is another word. */
	s->distance = n > SUGGEST_LENGTH_MAX ? 0 : (unsigned int)n / 3 + 2;
}

/* Levenshtein, letters of either case alike, one row at a time. */
static unsigned int
edit_distance(const char *a, const char *b)
{
	unsigned int row[SUGGEST_LENGTH_MAX + 1];
	size_t n = strlen(b);

	for (unsigned int j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned int i = 1; a[i - 1] != '\0'; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
			unsigned int best = diagonal + (same ? 0 : 1);

			best = row[j] + 1 < best ? row[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[n];
}

void
suggestion_offer(struct suggestion *s, const char *candidate)
{
	unsigned int d;

	if (s->distance == 0 || candidate == NULL || strlen(candidate) > SUGGEST_LENGTH_MAX)
		return;
	d = edit_distance(s->wanted, candidate);
	if (d < s->distance) {
		s->distance = d;
		s->best = candidate;
	}
}

const char *
suggestion_text(const struct suggestion *s, char *text, size_t size)
{
	if (s->best == NULL)
		snprintf(text, size, "%s", "");
	else
		snprintf(text, size, " (did you mean '%s'?)", s->best);
	return text;
}
