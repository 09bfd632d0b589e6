/* From tree to structs by tables: each resource is a schema, each key a field. Internal to config/.
 *
 * The same tables print a configuration (print.c), so what is written is what is read.
 * A schema with `resource` set takes its keys flat, under `properties`, or both mixed, and
 * accepts the keys that every exported resource carries (etag, id, tags, ...).
 */
#pragma once

#include "config/arena.h"
#include "config/errors.h"
#include "config/json.h"
#include "config/tree.h"

#include <stddef.h>

enum field_type {
	FIELD_TEXT,     /* char * */
	FIELD_FLAG,     /* bool */
	FIELD_NUMBER,   /* unsigned or signed integer of `size` bytes, min..max, stored times scale */
	FIELD_WORD,     /* enum: index into words */
	FIELD_ADDRESS,  /* struct ip_addr, and the flag at `present` */
	FIELD_MAC,      /* struct mac_addr, and the flag at `present` */
	FIELD_PREFIX,   /* struct ip_prefix */
	FIELD_PREFIXES, /* struct cfg_prefixes, appended to: one text or a list */
	FIELD_REF,      /* char *: {id: REF} or REF */
	FIELD_REFS,     /* struct cfg_strings of such */
	FIELD_TEXTS,    /* struct cfg_strings: one text or a list */
	FIELD_LIST,     /* pointer at offset, count at `count`: objects of `schema` */
	FIELD_PART,     /* an object whose fields belong to this struct, or the one at offset; with `present`
			 * that one starts with its mark, and absent it is not printed */
	FIELD_CUSTOM,   /* bind() and print() of its own */
	FIELD_IGNORED,  /* read-only or without meaning on metal: accepted, dropped */
	FIELD_REFUSED,  /* would change what packets do: only empty, or one of words */
};

struct binder;
struct schema;

struct field {
	const char *key;
	enum field_type type;
	bool required;
	bool load_only;    /* a second spelling: not printed */
	bool or_zero;      /* 0 is fine too, though below min */
	bool or_empty;     /* exports write "" for absent */
	bool null_is_text; /* a bare null is a word here */
	uint8_t size;
	uint32_t scale; /* stored = written * scale; 0 = 1 */
	size_t offset, count, present;
	uint64_t min, max; /* of a number; max also bounds lists and lengths of text */
	const char *const *words;
	const char *instead; /* of a refused key: what does its work */
	const struct schema *schema;
	int (*bind)(struct binder *b, const struct field *f, const struct node *value, void *object);
	void (*print)(struct json *j, const struct field *f, const void *object);
};

struct schema {
	const char *noun;           /* "subnet", for messages */
	const struct field *fields; /* ends with a NULL key; at most 63 */
	size_t size;
	void (*init)(void *object); /* defaults that are not zero */
	bool resource;
	bool hide;      /* holds keys: values are not quoted in errors */
	size_t implied; /* of a bool, not 0: objects that have it set are not printed */
};

#define MEMBER_SIZE(s, m) sizeof(((s *)0)->m)
#define TEXT(k, s, m, longest)                                                                                         \
	{                                                                                                              \
		.key = k, .type = FIELD_TEXT, .offset = offsetof(s, m), .max = longest                                 \
	}
#define NAME(s)                                                                                                        \
	{                                                                                                              \
		.key = "name", .type = FIELD_TEXT, .required = true, .offset = offsetof(s, name), .max = LIMIT_PATH    \
	}
#define ID(s)                                                                                                          \
	{                                                                                                              \
		.key = "id", .type = FIELD_TEXT, .offset = offsetof(s, id), .max = 1024                                \
	}
#define FLAG(k, s, m)                                                                                                  \
	{                                                                                                              \
		.key = k, .type = FIELD_FLAG, .offset = offsetof(s, m)                                                 \
	}
#define NUMBER(k, s, m, least, most)                                                                                   \
	{                                                                                                              \
		.key = k, .type = FIELD_NUMBER, .offset = offsetof(s, m), .size = MEMBER_SIZE(s, m), .min = least,     \
		.max = most                                                                                            \
	}
#define ZERO_OR(k, s, m, least, most)                                                                                  \
	{                                                                                                              \
		.key = k, .type = FIELD_NUMBER, .offset = offsetof(s, m), .size = MEMBER_SIZE(s, m), .min = least,     \
		.max = most, .or_zero = true                                                                           \
	}
#define WORD(k, s, m, list)                                                                                            \
	{                                                                                                              \
		.key = k, .type = FIELD_WORD, .offset = offsetof(s, m), .size = MEMBER_SIZE(s, m), .words = list       \
	}
#define PREFIXES(k, s, m, most)                                                                                        \
	{                                                                                                              \
		.key = k, .type = FIELD_PREFIXES, .offset = offsetof(s, m), .max = most                                \
	}
#define REF(k, s, m)                                                                                                   \
	{                                                                                                              \
		.key = k, .type = FIELD_REF, .offset = offsetof(s, m)                                                  \
	}
#define REFS(k, s, m, most)                                                                                            \
	{                                                                                                              \
		.key = k, .type = FIELD_REFS, .offset = offsetof(s, m), .max = most                                    \
	}
#define TEXTS(k, s, m, most)                                                                                           \
	{                                                                                                              \
		.key = k, .type = FIELD_TEXTS, .offset = offsetof(s, m), .max = most                                   \
	}
#define LIST(k, s, m, most, of)                                                                                        \
	{                                                                                                              \
		.key = k, .type = FIELD_LIST, .offset = offsetof(s, m), .count = offsetof(s, n_##m), .max = most,      \
		.schema = of                                                                                           \
	}
#define LIST_AT(k, s, m, c, most, of)                                                                                  \
	{                                                                                                              \
		.key = k, .type = FIELD_LIST, .offset = offsetof(s, m), .count = offsetof(s, c), .max = most,          \
		.schema = of                                                                                           \
	}
#define PART(k, of)                                                                                                    \
	{                                                                                                              \
		.key = k, .type = FIELD_PART, .schema = of                                                             \
	}
#define PART_AT(k, s, m, of)                                                                                           \
	{                                                                                                              \
		.key = k, .type = FIELD_PART, .offset = offsetof(s, m), .schema = of                                   \
	}
#define OPTIONAL_PART(k, s, m, of)                                                                                     \
	{                                                                                                              \
		.key = k, .type = FIELD_PART, .offset = offsetof(s, m), .present = offsetof(s, m.given), .schema = of  \
	}
#define CUSTOM(k, b, p)                                                                                                \
	{                                                                                                              \
		.key = k, .type = FIELD_CUSTOM, .bind = b, .print = p                                                  \
	}
#define IGNORED(k)                                                                                                     \
	{                                                                                                              \
		.key = k, .type = FIELD_IGNORED                                                                        \
	}
#define REFUSED(k)                                                                                                     \
	{                                                                                                              \
		.key = k, .type = FIELD_REFUSED                                                                        \
	}
#define REFUSED_TO(k, way)                                                                                             \
	{                                                                                                              \
		.key = k, .type = FIELD_REFUSED, .instead = way                                                        \
	}
#define REFUSED_UNLESS(k, list)                                                                                        \
	{                                                                                                              \
		.key = k, .type = FIELD_REFUSED, .words = list                                                         \
	}
#define END_OF_FIELDS                                                                                                  \
	{                                                                                                              \
		.key = NULL                                                                                            \
	}

/* Where each bound value stood, by the address of the member that holds it. */
struct value_mark {
	const void *at;
	struct cfg_mark mark;
};

struct extent {
	struct cfg_mark start, end;
};

struct binder {
	struct arena *arena; /* of the configuration */
	struct config_errors *errors;
	const char *folder; /* key files resolve against it */
	bool private;       /* the text is for the owner's eyes only: keys may stand in it */
	struct value_mark *marks;
	size_t n_marks, marks_size;
	unsigned int hide; /* >0: inside an object with keys */
	/* Objects of lists in which something could not be bound: what the checks then find in them
	 * follows from that, mostly, and is left for the next run. */
	struct extent *broken;
	size_t n_broken, broken_size;
	uint32_t explained; /* errors that belong to broken objects found so far */
};

/* Bind an object and, through its fields, all below it. Errors are collected; -ENOMEM stops. */
int bind_object(struct binder *b, const struct schema *s, const struct node *n, void *object);

/* For custom fields. */
int bind_text(struct binder *b, const struct node *n, size_t longest, char **out);
int bind_number(struct binder *b, const struct field *f, const struct node *n, uint64_t *out);
int bind_prefix(struct binder *b, const struct node *n, struct ip_prefix *out);
int bind_ref(struct binder *b, const struct node *n, char **out);
/* Index of the text in words (ends with NULL), either case; -1 and an error otherwise. */
int bind_word(struct binder *b, const char *key, const char *const *words, const struct node *n);
/* The value for a message: clipped, and "<hidden>" where keys may stand. */
const char *bind_quote(const struct binder *b, const struct node *n);
int bind_mark(struct binder *b, const void *at, const struct node *n);
/* Where the value held at this address stood, or else the given mark. */
struct cfg_mark binder_mark(const struct binder *b, const void *at, struct cfg_mark otherwise);
/* What was bound at `from` is at `to` now: its values keep their places in the file. */
void binder_moved(struct binder *b, const void *from, size_t size, const void *to);
/* A list value's items, or the value itself when it is no list. */
uint32_t node_count(const struct node *n);
const struct node *node_item(const struct node *n, uint32_t i);
