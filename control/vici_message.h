/* Messages of strongSwan's vici protocol: sections of key/value pairs and lists, in wire format.
 *
 * A builder never fails half way: what does not fit (no memory, a name beyond 255 or a value beyond 65535 bytes, a
 * message beyond VICI_MESSAGE_MAX) is remembered and told by vici_message_ok. A reader believes nothing: lengths and
 * nesting are checked before they are used. Any thread; a message belongs to one.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VICI_MESSAGE_MAX (512 * 1024 - 512) /* charon's bound, less the head of a packet */
#define VICI_DEPTH_MAX 16

struct vici_message {
	uint8_t *data;
	size_t len, size;
	unsigned depth; /* of open sections */
	bool in_list, failed;
};

/* What came in: not owned. */
struct vici_body {
	const uint8_t *data;
	size_t len;
};

/* ---- building ------------------------------------------------------------------------ */

void vici_section(struct vici_message *m, const char *name);
void vici_section_end(struct vici_message *m);
void vici_value(struct vici_message *m, const char *key, const void *value, size_t n);
void vici_text(struct vici_message *m, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
void vici_list(struct vici_message *m, const char *name);
void vici_item(struct vici_message *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vici_item_value(struct vici_message *m, const void *value, size_t n);
void vici_list_end(struct vici_message *m);
/* Complete, and nothing was lost. */
bool vici_message_ok(const struct vici_message *m);
/* Wipes what it held. */
void vici_message_clear(struct vici_message *m);

/* ---- reading ------------------------------------------------------------------------- */

enum vici_type {
	VICI_SECTION_START = 1,
	VICI_SECTION_END = 2,
	VICI_KEY_VALUE = 3,
	VICI_LIST_START = 4,
	VICI_LIST_ITEM = 5,
	VICI_LIST_END = 6,
};

struct vici_element {
	enum vici_type type;
	char name[256]; /* "" for what has none; a NUL inside ends it */
	const uint8_t *value;
	size_t len;
};

struct vici_reader {
	const uint8_t *at, *end;
	unsigned depth;
	bool in_list;
};

void vici_read(struct vici_reader *r, const struct vici_body *b);
/* 1: *e is the next one; 0: the end of a well-formed message; -EBADMSG. */
int vici_next(struct vici_reader *r, struct vici_element *e);
bool vici_well_formed(const struct vici_body *b);
/* The value of a key of the root section as text, cut to n - 1 bytes. False: none, or the message is malformed. */
bool vici_get(const struct vici_body *b, const char *key, char *out, size_t n);
/* `success` is yes; else *error has charon's errmsg, or why there is none. */
bool vici_succeeded(int result, const struct vici_body *answer, char *error, size_t n);
/* The whole as an object: sections as objects, lists as arrays, values as strings (what is not UTF-8 as null).
 * NULL: malformed, or no memory. */
json_t *vici_json(const struct vici_body *b);
/* For people and tests: one element a line, indented; the values of `secret` and `data` hidden. */
void vici_print(const struct vici_body *b, FILE *to);
