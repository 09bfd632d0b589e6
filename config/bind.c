/* Binding objects: which keys there are, where they may stand, what happens to each.
 *
 * Scalars are read in bind_value.c. Addresses of bound members stay valid as long as the
 * marks do, since lists are allocated once, in their final size.
 */
#include "config/bind.h"
#include "config/bind_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What any exported resource may carry beside its own keys. */
static const char *const common_keys[] = {"apiVersion", "etag", "extendedLocation", "id", "identity", "kind",
	"location", "managedBy", "name", "provisioningState", "resourceGroup", "resourceGuid", "systemData", "tags",
	"type", "zones", NULL};

int
bind_mark(struct binder *b, const void *at, const struct node *n)
{
	if (b->n_marks == b->marks_size) {
		size_t size = b->marks_size ? 2 * b->marks_size : 256;
		struct value_mark *grown = reallocarray(b->marks, size, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		b->marks = grown;
		b->marks_size = size;
	}
	b->marks[b->n_marks++] = (struct value_mark){.at = at, .mark = n->mark};
	return 0;
}

/* Only asked for errors that are kept, so a walk is cheap enough. */
struct cfg_mark
binder_mark(const struct binder *b, const void *at, struct cfg_mark otherwise)
{
	if (config_errors_full(b->errors))
		return otherwise;
	for (size_t i = 0; i < b->n_marks; i++)
		if (b->marks[i].at == at)
			return b->marks[i].mark;
	return otherwise;
}

void
binder_moved(struct binder *b, const void *from, size_t size, const void *to)
{
	for (size_t i = 0; i < b->n_marks; i++) {
		uintptr_t at = (uintptr_t)b->marks[i].at - (uintptr_t)from;

		if (at < size)
			b->marks[i].at = (const char *)to + at;
	}
}

uint32_t
node_count(const struct node *n)
{
	return n->kind == NODE_LIST ? n->n : 1;
}

const struct node *
node_item(const struct node *n, uint32_t i)
{
	return n->kind == NODE_LIST ? n->items[i] : n;
}

static bool
is_common_key(const char *key)
{
	for (const char *const *k = common_keys; *k != NULL; k++)
		if (strcmp(*k, key) == 0)
			return true;
	return false;
}

static const struct field *
field_find(const struct schema *s, const char *key)
{
	for (const struct field *f = s->fields; f->key != NULL; f++)
		if (strcmp(f->key, key) == 0)
			return f;
	return NULL;
}

static void
unknown_key(struct binder *b, const struct schema *s, const struct node *key)
{
	struct suggestion near;
	char text[128];

	if (config_errors_full(b->errors)) {
		b->errors->total++;
		return;
	}
	suggestion_start(&near, key->text);
	for (const struct field *f = s->fields; f->key != NULL; f++)
		suggestion_offer(&near, f->key);
	for (const char *const *k = common_keys; s->resource && *k != NULL; k++)
		suggestion_offer(&near, *k);
	config_error(b->errors, key->mark, "UnknownKey", "a %s has no key '%s'%s", s->noun,
		text_may_be_key(key->text) ? "<hidden>" : key->text, suggestion_text(&near, text, sizeof(text)));
}

static bool
word_accepted(const char *const *words, const struct node *n)
{
	if (words == NULL || n->kind != NODE_SCALAR)
		return false;
	for (; *words != NULL; words++)
		if (strcasecmp(*words, n->text) == 0)
			return true;
	return false;
}

/* Never drop silently what the writer believed to be in force. A list of words is what may
 * stand; without one, what asks for nothing may. */
static void
bind_refused(struct binder *b, const struct field *f, const struct node *n)
{
	if (f->words == NULL ? node_is_empty(n) : word_accepted(f->words, n))
		return;
	if (f->words == NULL)
		config_error(b->errors, n->mark, "NotSupported", "'%s' is not supported by this version: %s", f->key,
			f->instead ? f->instead : "leave it out");
	else
		config_error(b->errors, n->mark, "NotSupported",
			"'%s' is not supported by this version but for the value '%s'", f->key, f->words[0]);
}

/* Remember the innermost object that the new errors stand in. */
static int
note_broken(struct binder *b, const struct node *n, uint32_t total_before, uint32_t explained_before)
{
	uint32_t own = (b->errors->total - total_before) - (b->explained - explained_before);

	if (own == 0 || config_errors_full(b->errors))
		return 0;
	b->explained += own;
	if (b->n_broken == b->broken_size) {
		size_t size = b->broken_size ? 2 * b->broken_size : 16;
		struct extent *grown = reallocarray(b->broken, size, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		b->broken = grown;
		b->broken_size = size;
	}
	b->broken[b->n_broken++] = (struct extent){.start = n->mark, .end = n->end};
	return 0;
}

static int
bind_item(struct binder *b, const struct schema *s, const struct node *n, void *item)
{
	uint32_t total = b->errors->total, explained = b->explained;
	int rc;

	*(struct cfg_mark *)item = n->mark;
	if (s->init != NULL)
		s->init(item);
	rc = bind_object(b, s, n, item);
	return rc < 0 ? rc : note_broken(b, n, total, explained);
}

static int
bind_list(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	char *items;
	uint32_t count = 0;

	if (n->kind != NODE_LIST) {
		config_error(b->errors, n->mark, "InvalidValue", "'%s' is a list of objects, not %s", f->key,
			node_kind_text(n));
		return 0;
	}
	if (n->n > f->max) {
		config_error(b->errors, n->mark, "LimitExceeded", "%u entries in '%s', at most %llu are allowed", n->n,
			f->key, (unsigned long long)f->max);
		return 0;
	}
	items = arena_array(b->arena, n->n, f->schema->size);
	if (items == NULL)
		return -ENOMEM;
	memcpy((char *)object + f->offset, &items, sizeof(items));
	for (uint32_t i = 0; i < n->n; i++) {
		void *item = items + count * f->schema->size;
		int rc;

		if (n->items[i]->kind != NODE_MAP) {
			config_error(b->errors, n->items[i]->mark, "InvalidValue", "a %s is an object, not %s",
				f->schema->noun, node_kind_text(n->items[i]));
			continue;
		}
		rc = bind_item(b, f->schema, n->items[i], item);
		if (rc < 0)
			return rc;
		count++;
	}
	memcpy((char *)object + f->count, &count, sizeof(count));
	return 0;
}

static int
bind_part(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	void *part = (char *)object + f->offset;

	if (f->present != 0) {
		*(bool *)((char *)object + f->present) = true;
		*(struct cfg_mark *)part = n->mark;
	}
	return bind_object(b, f->schema, n, part);
}

static int
bind_field(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	switch (f->type) {
	case FIELD_LIST:
		return bind_list(b, f, n, object);
	case FIELD_PART:
		return bind_part(b, f, n, object);
	case FIELD_CUSTOM:
		return f->bind(b, f, n, object);
	case FIELD_REFUSED:
		bind_refused(b, f, n);
		return 0;
	case FIELD_IGNORED:
		return 0;
	case FIELD_TEXT:
	case FIELD_FLAG:
	case FIELD_NUMBER:
	case FIELD_WORD:
	case FIELD_ADDRESS:
	case FIELD_MAC:
	case FIELD_PREFIX:
	case FIELD_PREFIXES:
	case FIELD_REF:
	case FIELD_REFS:
	case FIELD_TEXTS:
		return bind_value(b, f, n, object);
	}
	return 0;
}

/* "type": "Microsoft.Network/..." of an exported resource, whose own key of this name stands under properties. */
static bool
is_resource_type(const struct schema *s, const struct node *key, const struct node *value)
{
	return s->resource && strcmp(key->text, "type") == 0 && value->kind == NODE_SCALAR &&
	       strncasecmp(value->text, "Microsoft.", strlen("Microsoft.")) == 0;
}

static int
bind_keys(struct binder *b, const struct schema *s, const struct node *n, void *object, uint64_t *seen, bool properties)
{
	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *key = n->pairs[i].key, *value = n->pairs[i].value;
		const struct field *f = field_find(s, key->text);
		uint64_t bit = f ? UINT64_C(1) << (f - s->fields) : 0;
		int rc = 0;

		if (f == NULL && s->resource && !properties && strcmp(key->text, "properties") == 0) {
			if (value->kind == NODE_MAP)
				rc = bind_keys(b, s, value, object, seen, true);
			else if (!node_is_null(value))
				config_error(b->errors, value->mark, "InvalidValue", "'properties' is an object");
		} else if (f == NULL) {
			if (!s->resource || !is_common_key(key->text))
				unknown_key(b, s, key);
		} else if ((node_is_null(value) && !f->null_is_text) || (f->or_empty && node_is_blank(value)) ||
			   is_resource_type(s, key, value)) {
			continue;
		} else if (*seen & bit) {
			config_error(b->errors, key->mark, "DuplicateKey",
				"'%s' stands both beside and under 'properties'", f->key);
		} else {
			*seen |= bit;
			rc = bind_field(b, f, value, object);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
bind_object(struct binder *b, const struct schema *s, const struct node *n, void *object)
{
	uint64_t seen = 0;
	int rc;

	if (n->kind != NODE_MAP) {
		config_error(
			b->errors, n->mark, "InvalidValue", "a %s is an object, not %s", s->noun, node_kind_text(n));
		return 0;
	}
	b->hide += s->hide;
	rc = bind_keys(b, s, n, object, &seen, false);
	b->hide -= s->hide;
	if (rc < 0)
		return rc;

	for (const struct field *f = s->fields; f->key != NULL; f++)
		if (f->required && !(seen & UINT64_C(1) << (f - s->fields)))
			config_error(b->errors, n->mark, "MissingKey", "a %s needs '%s'", s->noun, f->key);
	return 0;
}
