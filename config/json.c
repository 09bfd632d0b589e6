/* See json.h. Errors of the stream stay in the stream (ferror), as with printf. */
#include "config/json.h"

static void
next_line(struct json *j)
{
	fputs(j->first ? "\n" : ",\n", j->to);
	for (unsigned int i = 0; i < j->depth; i++)
		fputs("  ", j->to);
	j->first = false;
}

void
json_open(struct json *j, char bracket)
{
	fputc(bracket, j->to);
	j->depth++;
	j->first = true;
}

void
json_close(struct json *j, char bracket)
{
	bool empty = j->first;

	j->depth--;
	if (!empty) {
		j->first = true;
		next_line(j);
	}
	fputc(bracket, j->to);
	j->first = false;
}

void
json_key(struct json *j, const char *key)
{
	next_line(j);
	json_text(j, key);
	fputs(": ", j->to);
}

void
json_item(struct json *j)
{
	next_line(j);
}

void
json_text(struct json *j, const char *text)
{
	fputc('"', j->to);
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(j->to, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(j->to, "\\u%04x", *p);
		else
			fputc(*p, j->to);
	}
	fputc('"', j->to);
}

void
json_number(struct json *j, uint64_t n)
{
	fprintf(j->to, "%llu", (unsigned long long)n);
}

void
json_flag(struct json *j, bool flag)
{
	fputs(flag ? "true" : "false", j->to);
}
