/* Envelopes around results and failures. */
#include "control/api_answer.h"

#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

json_t *
failure_set(struct failure *f, const char *code, const char *format, ...)
{
	va_list arguments;

	snprintf(f->code, sizeof f->code, "%s", code);
	va_start(arguments, format);
	vsnprintf(f->message, sizeof f->message, format, arguments);
	va_end(arguments);
	return NULL;
}

void
failure_clear(struct failure *f)
{
	json_decref(f->details);
	*f = (struct failure){0};
}

/* Text from outside may be cut inside a character: JSON takes UTF-8 only. */
static json_t *
text_json(const char *text)
{
	json_t *s = json_string(text);
	char plain[512];
	size_t n = 0;

	if (s)
		return s;
	for (; text[n] && n < sizeof plain - 1; n++)
		plain[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
	plain[n] = '\0';
	return json_string(plain);
}

json_t *
errors_json(const struct config_errors *errors)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < errors->n; i++) {
		const struct config_error *e = &errors->e[i];
		json_t *o = json_object();

		json_object_set_new(o, "file", text_json(errors->path ? errors->path : ""));
		json_object_set_new(o, "line", json_integer(e->mark.line));
		json_object_set_new(o, "column", json_integer(e->mark.column));
		json_object_set_new(o, "code", text_json(e->code));
		json_object_set_new(o, "message", text_json(e->text));
		json_array_append_new(list, o);
	}
	return list;
}

/* One code stands for all when all have it: NeedsRestart is another thing than a mistake. */
static const char *
common_code(const struct config_errors *errors)
{
	for (uint32_t i = 1; i < errors->n; i++)
		if (strcmp(errors->e[i].code, errors->e[0].code) != 0)
			return "ConfigurationRefused";
	return errors->n > 0 ? errors->e[0].code : "ConfigurationRefused";
}

void
failure_from_errors(struct failure *f, const struct config_errors *errors)
{
	const char *file = errors->path ? errors->path : "the configuration";

	failure_clear(f);
	if (errors->total == 1)
		failure_set(f, errors->e[0].code, "%s:%u:%u: %s", file, errors->e[0].mark.line,
			errors->e[0].mark.column, errors->e[0].text);
	else
		failure_set(f, common_code(errors), "%s: %u errors", file, errors->total);
	f->details = errors_json(errors);
}

static json_t *
envelope(json_t *id)
{
	json_t *o = json_object();

	json_object_set_new(o, "version", json_integer(API_VERSION));
	if (id)
		json_object_set(o, "id", id);
	return o;
}

json_t *
answer_result(json_t *id, json_t *result)
{
	json_t *o = envelope(id);

	json_object_set_new(o, "result", result);
	return o;
}

json_t *
answer_record(json_t *id, json_t *record)
{
	json_t *o = envelope(id);

	json_object_set_new(o, "record", record);
	return o;
}

json_t *
answer_failure(json_t *id, struct failure *f)
{
	json_t *o = envelope(id), *error = json_object();

	json_object_set_new(error, "code", text_json(f->code[0] ? f->code : "InternalError"));
	json_object_set_new(error, "message", text_json(f->message));
	if (f->details)
		json_object_set_new(error, "details", f->details);
	f->details = NULL;
	json_object_set_new(o, "error", error);
	return o;
}
