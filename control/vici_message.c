/* Wire format of vici's messages; see vici_message.h. */
#include "control/vici_message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LENGTH_MAX 255
#define VALUE_LENGTH_MAX 65535
#define TEXT_MAX 2048

/* ---- building ------------------------------------------------------------------------ */

/* Not realloc: what it leaves behind would not be wiped. */
static bool
room(struct vici_message *m, size_t n)
{
	size_t size = m->size ? m->size : 512;
	uint8_t *grown;

	if (m->failed || m->len + n > VICI_MESSAGE_MAX) {
		m->failed = true;
		return false;
	}
	if (m->len + n <= m->size)
		return true;
	while (size < m->len + n)
		size *= 2;
	grown = malloc(size);
	if (!grown) {
		m->failed = true;
		return false;
	}
	if (m->data) {
		memcpy(grown, m->data, m->len);
		explicit_bzero(m->data, m->size);
		free(m->data);
	}
	m->data = grown;
	m->size = size;
	return true;
}

static void
put(struct vici_message *m, const void *bytes, size_t n)
{
	if (n == 0 || !room(m, n))
		return;
	memcpy(m->data + m->len, bytes, n);
	m->len += n;
}

static void
put_type(struct vici_message *m, enum vici_type type)
{
	uint8_t byte = (uint8_t)type;

	put(m, &byte, 1);
}

static void
put_name(struct vici_message *m, const char *name)
{
	size_t n = strlen(name);
	uint8_t length = (uint8_t)n;

	if (n > NAME_LENGTH_MAX) {
		m->failed = true;
		return;
	}
	put(m, &length, 1);
	put(m, name, n);
}

static void
put_value(struct vici_message *m, const void *value, size_t n)
{
	uint8_t length[2] = {(uint8_t)(n >> 8), (uint8_t)n};

	if (n > VALUE_LENGTH_MAX) {
		m->failed = true;
		return;
	}
	put(m, length, 2);
	put(m, value, n);
}

void
vici_section(struct vici_message *m, const char *name)
{
	if (m->in_list || m->depth == VICI_DEPTH_MAX)
		m->failed = true;
	m->depth++;
	put_type(m, VICI_SECTION_START);
	put_name(m, name);
}

void
vici_section_end(struct vici_message *m)
{
	if (m->in_list || m->depth == 0)
		m->failed = true;
	else
		m->depth--;
	put_type(m, VICI_SECTION_END);
}

void
vici_value(struct vici_message *m, const char *key, const void *value, size_t n)
{
	if (m->in_list)
		m->failed = true;
	put_type(m, VICI_KEY_VALUE);
	put_name(m, key);
	put_value(m, value, n);
}

/* -1: it does not fit. */
static int __attribute__((format(printf, 2, 0))) print(char text[TEXT_MAX], const char *format, va_list arguments)
{
	int n = vsnprintf(text, TEXT_MAX, format, arguments);

	return n < 0 || n >= TEXT_MAX ? -1 : n;
}

void
vici_text(struct vici_message *m, const char *key, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = print(text, format, arguments);
	va_end(arguments);
	if (n < 0)
		m->failed = true;
	else
		vici_value(m, key, text, (size_t)n);
}

void
vici_list(struct vici_message *m, const char *name)
{
	if (m->in_list)
		m->failed = true;
	m->in_list = true;
	put_type(m, VICI_LIST_START);
	put_name(m, name);
}

void
vici_item_value(struct vici_message *m, const void *value, size_t n)
{
	if (!m->in_list)
		m->failed = true;
	put_type(m, VICI_LIST_ITEM);
	put_value(m, value, n);
}

void
vici_item(struct vici_message *m, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = print(text, format, arguments);
	va_end(arguments);
	if (n < 0)
		m->failed = true;
	else
		vici_item_value(m, text, (size_t)n);
}

void
vici_list_end(struct vici_message *m)
{
	if (!m->in_list)
		m->failed = true;
	m->in_list = false;
	put_type(m, VICI_LIST_END);
}

bool
vici_message_ok(const struct vici_message *m)
{
	return !m->failed && !m->in_list && m->depth == 0;
}

void
vici_message_clear(struct vici_message *m)
{
	if (m->data)
		explicit_bzero(m->data, m->size);
	free(m->data);
	*m = (struct vici_message){0};
}

/* ---- reading ------------------------------------------------------------------------- */

void
vici_read(struct vici_reader *r, const struct vici_body *b)
{
	*r = (struct vici_reader){.at = b->data, .end = b->data + b->len};
}

static size_t
left(const struct vici_reader *r)
{
	return (size_t)(r->end - r->at);
}

static bool
take_name(struct vici_reader *r, struct vici_element *e)
{
	size_t n;

	if (left(r) < 1)
		return false;
	n = *r->at++;
	if (n == 0 || left(r) < n)
		return false;
	memcpy(e->name, r->at, n);
	e->name[n] = '\0';
	r->at += n;
	return true;
}

static bool
take_value(struct vici_reader *r, struct vici_element *e)
{
	if (left(r) < 2)
		return false;
	e->len = (size_t)r->at[0] << 8 | r->at[1];
	r->at += 2;
	if (left(r) < e->len)
		return false;
	e->value = r->at;
	r->at += e->len;
	return true;
}

/* An element of this type may stand here, and what follows its type is whole. */
static bool
take(struct vici_reader *r, struct vici_element *e)
{
	switch (e->type) {
	case VICI_SECTION_START:
		return !r->in_list && r->depth++ < VICI_DEPTH_MAX && take_name(r, e);
	case VICI_SECTION_END:
		return !r->in_list && r->depth-- > 0;
	case VICI_KEY_VALUE:
		return !r->in_list && take_name(r, e) && take_value(r, e);
	case VICI_LIST_START:
		if (r->in_list)
			return false;
		r->in_list = true;
		return take_name(r, e);
	case VICI_LIST_ITEM:
		return r->in_list && take_value(r, e);
	case VICI_LIST_END:
		if (!r->in_list)
			return false;
		r->in_list = false;
		return true;
	}
	return false;
}

int
vici_next(struct vici_reader *r, struct vici_element *e)
{
	if (left(r) == 0)
		return r->depth == 0 && !r->in_list ? 0 : -EBADMSG;
	e->type = (enum vici_type) * r->at++;
	e->name[0] = '\0';
	e->value = NULL;
	e->len = 0;
	return take(r, e) ? 1 : -EBADMSG;
}

bool
vici_well_formed(const struct vici_body *b)
{
	struct vici_element e;
	struct vici_reader r;
	int more;

	vici_read(&r, b);
	do
		more = vici_next(&r, &e);
	while (more > 0);
	return more == 0;
}

bool
vici_get(const struct vici_body *b, const char *key, char *out, size_t n)
{
	struct vici_element e;
	struct vici_reader r;
	bool found = false;
	int more;

	vici_read(&r, b);
	while ((more = vici_next(&r, &e)) > 0) {
		if (found || r.depth > 0 || e.type != VICI_KEY_VALUE || strcmp(e.name, key) != 0)
			continue;
		snprintf(out, n, "%.*s", (int)e.len, (const char *)e.value);
		found = true;
	}
	return more == 0 && found;
}

bool
vici_succeeded(int result, const struct vici_body *answer, char *error, size_t n)
{
	char success[8] = "";

	if (result != 0) {
		snprintf(error, n, "%s", strerror(-result));
		return false;
	}
	if (vici_get(answer, "success", success, sizeof(success)) && strcmp(success, "yes") == 0)
		return true;
	if (!vici_get(answer, "errmsg", error, n))
		snprintf(error, n, "charon gives no reason");
	return false;
}

/* Into the object or array that is open. */
static int
json_put(json_t *into, const char *name, json_t *value)
{
	if (json_is_array(into))
		return json_array_append_new(into, value);
	return json_object_set_new_nocheck(into, name, value);
}

static json_t *
json_value(const struct vici_element *e)
{
	json_t *text = json_stringn((const char *)e->value, e->len);

	return text ? text : json_null();
}

json_t *
vici_json(const struct vici_body *b)
{
	json_t *open[VICI_DEPTH_MAX + 3] = {json_object()}, *made;
	struct vici_element e;
	struct vici_reader r;
	unsigned top = 0;
	int more, failed = open[0] == NULL;

	vici_read(&r, b);
	while ((more = vici_next(&r, &e)) > 0 && !failed) {
		switch (e.type) {
		case VICI_SECTION_START:
		case VICI_LIST_START:
			made = e.type == VICI_LIST_START ? json_array() : json_object();
			failed = json_put(open[top], e.name, made) != 0;
			open[++top] = made;
			break;
		case VICI_SECTION_END:
		case VICI_LIST_END:
			top--;
			break;
		case VICI_KEY_VALUE:
		case VICI_LIST_ITEM:
			failed = json_put(open[top], e.name, json_value(&e)) != 0;
			break;
		}
	}
	if (more == 0 && !failed)
		return open[0];
	json_decref(open[0]);
	return NULL;
}

static bool
is_hidden(const struct vici_element *e)
{
	return strcmp(e->name, "secret") == 0 || strcmp(e->name, "data") == 0;
}

/* Text as it is, anything else by its length. */
static void
print_value(const struct vici_element *e, FILE *to)
{
	for (size_t i = 0; i < e->len; i++) {
		if (e->value[i] < 0x20 || e->value[i] > 0x7e) {
			fprintf(to, "<%zu bytes>\n", e->len);
			return;
		}
	}
	fprintf(to, "%.*s\n", (int)e->len, (const char *)e->value);
}

static void
print_element(const struct vici_element *e, FILE *to)
{
	switch (e->type) {
	case VICI_SECTION_START:
		fprintf(to, "%s {\n", e->name);
		break;
	case VICI_SECTION_END:
		fprintf(to, "}\n");
		break;
	case VICI_LIST_START:
		fprintf(to, "%s [\n", e->name);
		break;
	case VICI_LIST_END:
		fprintf(to, "]\n");
		break;
	case VICI_KEY_VALUE:
		fprintf(to, "%s = ", e->name);
		if (is_hidden(e))
			fprintf(to, "<hidden>\n");
		else
			print_value(e, to);
		break;
	case VICI_LIST_ITEM:
		print_value(e, to);
		break;
	}
}

void
vici_print(const struct vici_body *b, FILE *to)
{
	struct vici_element e;
	struct vici_reader r;
	int more;

	vici_read(&r, b);
	for (unsigned before = 0; (more = vici_next(&r, &e)) > 0; before = r.depth + r.in_list) {
		unsigned now = r.depth + r.in_list, indent = now < before ? now : before;

		for (unsigned i = 0; i < indent; i++)
			fputc('\t', to);
		print_element(&e, to);
	}
	if (more < 0)
		fprintf(to, "<malformed>\n");
}
