/* The grammar: isthmus [options] VERB [arguments and options]. A verb is one to three words; what follows
 * is read by the table of verbs. Global options are taken anywhere; a verb's own option of the same name wins.
 */
#include "control/cli/command_line.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reader {
	int argc, at;
	char *const *argv;
	struct command_line *c;
	char *error;
	size_t n;
	bool plain; /* after --: no more options */
};

static int refuse(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int
refuse(struct reader *r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(r->error, r->n, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* ---- verbs -------------------------------------------------------------------------- */

int
verb_words(int n, char *const *words, enum verb *verb)
{
	char name[128] = "";
	int used = 0;

	*verb = VERB_COUNT;
	for (int i = 0; i < n && i < 3; i++) {
		size_t length = strlen(name);
		bool begins = false;
		enum verb v;

		if (length + strlen(words[i]) + 2 > sizeof name)
			break;
		snprintf(name + length, sizeof name - length, "%s%s", i ? " " : "", words[i]);
		v = verb_find(name);
		length = strlen(name);
		for (int k = 0; k < VERB_COUNT && !begins; k++)
			begins = strncmp(verbs[k].name, name, length) == 0 && verbs[k].name[length] == ' ';
		if (v == VERB_COUNT && !begins)
			break;
		used = i + 1;
		if (v != VERB_COUNT)
			*verb = v;
	}
	return used;
}

/* ---- values ------------------------------------------------------------------------- */

static json_t *
number_value(const char *text)
{
	char *end;
	long long value;

	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	value = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0 ? json_integer(value) : NULL;
}

/* The daemon's working directory is not ours. */
static json_t *
file_value(const char *text)
{
	char folder[PATH_MAX], path[2 * PATH_MAX];

	if (text[0] == '/')
		return json_string(text);
	if (!getcwd(folder, sizeof folder))
		return NULL;
	snprintf(path, sizeof path, "%s/%s", folder, text);
	return json_string(path);
}

static int
argument_set(struct reader *r, const struct parameter *p, const char *text)
{
	json_t *value;

	if (json_object_get(r->c->arguments, p->name))
		return refuse(r, "\"%s\" is given twice", p->name);
	if (p->kind == PARAMETER_NUMBER)
		value = number_value(text);
	else if (p->kind == PARAMETER_FILE)
		value = file_value(text);
	else
		value = json_string(text);
	if (!value)
		return refuse(r, "--%s takes %s, not \"%s\"", p->name, parameter_kind_text(p->kind), text);
	json_object_set_new(r->c->arguments, p->name, value);
	return 0;
}

/* ---- options ------------------------------------------------------------------------ */

/* The value of an option: behind '=' or the next word. */
static const char *
option_value(struct reader *r, const char *behind)
{
	if (behind)
		return behind;
	return r->at < r->argc ? r->argv[r->at++] : NULL;
}

static int
verb_option(struct reader *r, const struct parameter *p, const char *behind)
{
	const char *value;

	if (p->kind == PARAMETER_FLAG) {
		if (behind)
			return refuse(r, "--%s takes no value", p->name);
		json_object_set_new(r->c->arguments, p->name, json_true());
		return 0;
	}
	value = option_value(r, behind);
	if (!value)
		return refuse(r, "--%s needs %s", p->name, parameter_kind_text(p->kind));
	return argument_set(r, p, value);
}

static int
output_set(struct reader *r, const char *value)
{
	if (value && strcmp(value, "json") == 0)
		r->c->output = OUTPUT_JSON;
	else if (value && strcmp(value, "table") == 0)
		r->c->output = OUTPUT_TABLE;
	else
		return refuse(r, "-o takes json or table");
	return 0;
}

/* name: without its dashes, `length` bytes of it. */
static bool
is(const char *name, size_t length, const char *longer, const char *shorter)
{
	return (strlen(longer) == length && strncmp(name, longer, length) == 0) ||
	       (shorter && length == 1 && *name == *shorter);
}

static int
offline_set(struct reader *r, const char *value)
{
	int file = r->c->verb == VERB_COUNT ? -1 : parameter_find(r->c->verb, "file");

	if (!value)
		return refuse(r, "-f needs a file");
	if (file >= 0)
		return argument_set(r, &verbs[r->c->verb].parameter[file], value);
	r->c->offline = value;
	return 0;
}

static int
global_option(struct reader *r, const char *name, size_t length, const char *behind)
{
	if (is(name, length, "help", "h")) {
		r->c->help = true;
	} else if (is(name, length, "version", "V")) {
		r->c->version = true;
	} else if (is(name, length, "output", "o")) {
		return output_set(r, option_value(r, behind));
	} else if (is(name, length, "file", "f")) {
		return offline_set(r, option_value(r, behind));
	} else if (is(name, length, "socket", "s")) {
		r->c->socket = option_value(r, behind);
		if (!r->c->socket)
			return refuse(r, "-s needs a socket");
	} else {
		return refuse(r, "unknown option %s%.*s%s%s", length > 1 ? "--" : "-", (int)length, name,
			r->c->verb == VERB_COUNT ? "" : "; see isthmus --help ",
			r->c->verb == VERB_COUNT ? "; see isthmus --help" : verbs[r->c->verb].name);
	}
	return 0;
}

static int
option_take(struct reader *r, const char *word)
{
	bool is_long = word[1] == '-';
	const char *name = word + (is_long ? 2 : 1), *equals = is_long ? strchr(name, '=') : NULL;
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const struct parameter *p = r->c->verb == VERB_COUNT ? NULL : verbs[r->c->verb].parameter;

	/* -ojson */
	if (!is_long && length > 1)
		return global_option(r, name, 1, name + 1);
	for (; is_long && p && p->name; p++)
		if (strlen(p->name) == length && strncmp(p->name, name, length) == 0)
			return verb_option(r, p, equals ? equals + 1 : NULL);
	return global_option(r, name, length, equals ? equals + 1 : NULL);
}

/* ---- words -------------------------------------------------------------------------- */

static int
positional_take(struct reader *r, const char *word)
{
	const struct parameter *p = verbs[r->c->verb].parameter;

	for (; p->name; p++)
		if (p->positional && !json_object_get(r->c->arguments, p->name))
			return argument_set(r, p, word);
	return refuse(r, "\"%s\" takes no further argument: \"%s\"", verbs[r->c->verb].name, word);
}

static int
verb_take(struct reader *r)
{
	char *const *words = r->argv + r->at - 1;
	int n = 0, used;

	while (r->at - 1 + n < r->argc && words[n][0] != '-')
		n++;
	used = verb_words(n, words, &r->c->verb);
	if (r->c->verb != VERB_COUNT) {
		/* Words that only begin a longer verb are arguments of the shorter one. */
		int taken = 1;

		for (const char *blank = verbs[r->c->verb].name; (blank = strchr(blank, ' ')); blank++)
			taken++;
		r->at += taken - 1;
		return 0;
	}
	for (int i = 0; i < (used ? used + 1 : 1) && i < n; i++) {
		size_t length = strlen(r->c->verb_words);

		snprintf(r->c->verb_words + length, sizeof r->c->verb_words - length, "%s%s", i ? " " : "", words[i]);
	}
	r->at = r->argc;
	return 0;
}

static int
word_take(struct reader *r)
{
	const char *word = r->argv[r->at++];

	if (!r->plain && strcmp(word, "--") == 0) {
		r->plain = true;
		return 0;
	}
	if (!r->plain && word[0] == '-' && word[1] != '\0')
		return option_take(r, word);
	return r->c->verb == VERB_COUNT ? verb_take(r) : positional_take(r, word);
}

static int
together_check(struct reader *r)
{
	const struct command_line *c = r->c;

	if (c->verb == VERB_COUNT || !c->offline || verbs[c->verb].offline)
		return 0;
	return refuse(
		r, "\"%s\" asks a running daemon; -f works with verdicts and configurations", verbs[c->verb].name);
}

int
command_line_parse(int argc, char *const *argv, struct command_line *c, char *error, size_t n)
{
	struct reader r = {.argc = argc, .at = 1, .argv = argv, .c = c, .error = error, .n = n};
	int rc = 0;

	*c = (struct command_line){.verb = VERB_COUNT, .arguments = json_object()};
	while (rc == 0 && r.at < argc)
		rc = word_take(&r);
	return rc == 0 ? together_check(&r) : rc;
}

void
command_line_free(struct command_line *c)
{
	json_decref(c->arguments);
	c->arguments = NULL;
}

json_t *
command_line_request(const struct command_line *c)
{
	json_t *o = json_object(), *arguments = json_object(), *value;
	const char *key;

	json_object_foreach(c->arguments, key, value)
	{
		if (!verbs[c->verb].parameter[parameter_find(c->verb, key)].local)
			json_object_set(arguments, key, value);
	}
	json_object_set_new(o, "version", json_integer(API_VERSION));
	json_object_set_new(o, "verb", json_string(verbs[c->verb].name));
	json_object_set_new(o, "arguments", arguments);
	return o;
}

uint32_t
command_line_number(const struct command_line *c, const char *name, uint32_t without)
{
	json_t *value = json_object_get(c->arguments, name);

	if (json_is_true(value))
		return 1;
	return json_is_integer(value) ? (uint32_t)json_integer_value(value) : without;
}
