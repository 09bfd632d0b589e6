/* libyaml's events to a tree, within bounds.
 *
 * JSON is read by the same code, as the subset of YAML it is. Everything that could make a
 * small file large or ambiguous is refused here: aliases, tags, a second document, duplicate
 * keys, NUL bytes, depth, number of values. Recursion is bounded by LIMIT_DEPTH.
 *
 * Scalars may be keys. The tree's arena is wiped when freed, and so are libyaml's buffers and
 * each event; what libyaml itself frees while a scalar grows is out of reach (the manual
 * recommends keyFile for that reason).
 */
#include "config/tree.h"
#include "config/errors.h"
#include "config/limit.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

struct tree_parser {
	yaml_parser_t yaml;
	struct arena *arena;
	struct config_errors *errors;
	uint32_t values;
};

static struct cfg_mark
mark_from(const yaml_mark_t *m)
{
	return (struct cfg_mark){.line = (uint32_t)m->line + 1, .column = (uint32_t)m->column + 1};
}

static int
syntax_error(struct tree_parser *p)
{
	const yaml_parser_t *y = &p->yaml;
	struct cfg_mark mark = mark_from(&y->problem_mark);

	if (y->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	/* A bad byte is known by its offset only; the parser's own mark is near it. */
	if (y->error == YAML_READER_ERROR) {
		config_error(p->errors, mark_from(&y->mark), "SyntaxError", "%s (byte %zu)",
			y->problem ? y->problem : "unreadable", y->problem_offset);
		return -EINVAL;
	}
	config_error(p->errors, mark, "SyntaxError", "%s%s%s", y->problem ? y->problem : "cannot be parsed",
		y->context ? " " : "", y->context ? y->context : "");
	return -EINVAL;
}

/* The next event; the caller ends it with event_done. */
static int
event_next(struct tree_parser *p, yaml_event_t *e)
{
	if (!yaml_parser_parse(&p->yaml, e))
		return syntax_error(p);
	return 0;
}

static void
event_done(yaml_event_t *e)
{
	if (e->type == YAML_SCALAR_EVENT)
		explicit_bzero(e->data.scalar.value, e->data.scalar.length);
	yaml_event_delete(e);
}

static int
refuse(struct tree_parser *p, const yaml_event_t *e, const char *code, const char *text)
{
	config_error(p->errors, mark_from(&e->start_mark), code, "%s", text);
	return -EINVAL;
}

static const yaml_char_t *
event_tag(const yaml_event_t *e)
{
	if (e->type == YAML_SCALAR_EVENT)
		return e->data.scalar.tag;
	if (e->type == YAML_SEQUENCE_START_EVENT)
		return e->data.sequence_start.tag;
	if (e->type == YAML_MAPPING_START_EVENT)
		return e->data.mapping_start.tag;
	return NULL;
}

static int node_parse(struct tree_parser *p, yaml_event_t *e, unsigned int depth, struct node **out);

static int
scalar_parse(struct tree_parser *p, const yaml_event_t *e, struct node *n)
{
	n->kind = NODE_SCALAR;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (memchr(e->data.scalar.value, '\0', e->data.scalar.length) != NULL)
		return refuse(p, e, "InvalidValue", "a NUL byte inside text");
	n->text = arena_text(p->arena, (const char *)e->data.scalar.value, e->data.scalar.length);
	return n->text ? 0 : -ENOMEM;
}

/* Make room for one element more in an array that grows by doubling. */
static int
array_grow(struct arena *a, void *array, uint32_t n, size_t size)
{
	void *old, *new;

	if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
		return 0;
	new = arena_array(a, n < 4 ? 4 : 2 * (size_t)n, size);
	if (new == NULL)
		return -ENOMEM;
	memcpy(&old, array, sizeof(old));
	if (n > 0)
		memcpy(new, old, n * size);
	memcpy(array, &new, sizeof(new));
	return 0;
}

static int
list_parse(struct tree_parser *p, struct node *n, unsigned int depth)
{
	n->kind = NODE_LIST;
	for (;;) {
		yaml_event_t e;
		bool end;
		int rc = event_next(p, &e);

		if (rc < 0)
			return rc;
		end = e.type == YAML_SEQUENCE_END_EVENT;
		n->end = mark_from(&e.end_mark);
		if (!end) {
			rc = array_grow(p->arena, &n->items, n->n, sizeof(*n->items));
			if (rc == 0)
				rc = node_parse(p, &e, depth, &n->items[n->n]);
		}
		event_done(&e);
		if (rc < 0 || end)
			return rc;
		n->n++;
	}
}

static int
key_check(struct tree_parser *p, const struct node *map, const struct node *key)
{
	if (key->kind != NODE_SCALAR) {
		config_error(
			p->errors, key->mark, "InvalidValue", "a key must be text, this is a %s", node_kind_text(key));
		return -EINVAL;
	}
	if (map->n == LIMIT_KEYS) {
		config_error(p->errors, key->mark, "LimitExceeded", "more than %d keys in one object", LIMIT_KEYS);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < map->n; i++) {
		if (strcmp(map->pairs[i].key->text, key->text) != 0)
			continue;
		config_error(p->errors, key->mark, "DuplicateKey", "key '%.60s' stands twice, first in line %u",
			text_may_be_key(key->text) ? "<hidden>" : key->text, map->pairs[i].key->mark.line);
		return -EINVAL;
	}
	return 0;
}

static int
pair_parse(struct tree_parser *p, yaml_event_t *key_event, struct node *map, unsigned int depth)
{
	struct node_pair *pair;
	yaml_event_t e;
	int rc = array_grow(p->arena, &map->pairs, map->n, sizeof(*map->pairs));

	if (rc < 0)
		return rc;
	pair = &map->pairs[map->n];
	rc = node_parse(p, key_event, depth, &pair->key);
	if (rc == 0)
		rc = key_check(p, map, pair->key);
	if (rc == 0)
		rc = event_next(p, &e);
	if (rc < 0)
		return rc;
	rc = node_parse(p, &e, depth, &pair->value);
	event_done(&e);
	return rc;
}

static int
map_parse(struct tree_parser *p, struct node *n, unsigned int depth)
{
	n->kind = NODE_MAP;
	for (;;) {
		yaml_event_t e;
		bool end;
		int rc = event_next(p, &e);

		if (rc < 0)
			return rc;
		end = e.type == YAML_MAPPING_END_EVENT;
		n->end = mark_from(&e.end_mark);
		if (!end)
			rc = pair_parse(p, &e, n, depth);
		event_done(&e);
		if (rc < 0 || end)
			return rc;
		n->n++;
	}
}

/* One value, whose first event was read already. */
static int
node_parse(struct tree_parser *p, yaml_event_t *e, unsigned int depth, struct node **out)
{
	struct node *n;

	if (e->type == YAML_ALIAS_EVENT)
		return refuse(p, e, "AliasNotAllowed", "aliases are not allowed: write the value out");
	if (event_tag(e) != NULL)
		return refuse(p, e, "TagNotAllowed", "tags are not allowed: each key knows the type of its value");
	if (depth >= LIMIT_DEPTH)
		return refuse(p, e, "LimitExceeded", "nested deeper than 32 levels");
	if (p->values++ >= LIMIT_VALUES)
		return refuse(p, e, "LimitExceeded", "more than 4000000 values");

	n = arena_alloc(p->arena, sizeof(*n));
	if (n == NULL)
		return -ENOMEM;
	n->mark = mark_from(&e->start_mark);
	*out = n;
	if (e->type == YAML_SCALAR_EVENT)
		return scalar_parse(p, e, n);
	if (e->type == YAML_SEQUENCE_START_EVENT)
		return list_parse(p, n, depth + 1);
	return map_parse(p, n, depth + 1);
}

/* Take one event that must be of this type. */
static int
expect(struct tree_parser *p, yaml_event_type_t type)
{
	yaml_event_t e;
	int rc = event_next(p, &e);

	if (rc < 0)
		return rc;
	if (e.type != type && type == YAML_DOCUMENT_START_EVENT)
		rc = refuse(p, &e, "EmptyFile", "nothing in it: an empty configuration is written as {}");
	else if (e.type != type && type == YAML_STREAM_END_EVENT)
		rc = refuse(p, &e, "MultipleDocuments", "a second document starts here: one file holds one");
	else if (e.type != type)
		rc = refuse(p, &e, "SyntaxError", "not a document");
	event_done(&e);
	return rc;
}

static int
document_parse(struct tree_parser *p, struct node **root)
{
	yaml_event_t e;
	int rc = expect(p, YAML_STREAM_START_EVENT);

	if (rc == 0)
		rc = expect(p, YAML_DOCUMENT_START_EVENT);
	if (rc == 0)
		rc = event_next(p, &e);
	if (rc < 0)
		return rc;
	rc = node_parse(p, &e, 0, root);
	event_done(&e);
	if (rc == 0)
		rc = expect(p, YAML_DOCUMENT_END_EVENT);
	if (rc == 0)
		rc = expect(p, YAML_STREAM_END_EVENT);
	return rc;
}

/* libyaml keeps copies of the text: they may hold keys. */
static void
parser_wipe(yaml_parser_t *y)
{
	if (y->raw_buffer.start != NULL)
		explicit_bzero(y->raw_buffer.start, (size_t)(y->raw_buffer.end - y->raw_buffer.start));
	if (y->buffer.start != NULL)
		explicit_bzero(y->buffer.start, (size_t)(y->buffer.end - y->buffer.start));
	for (yaml_token_t *t = y->tokens.head; t != y->tokens.tail; t++)
		if (t->type == YAML_SCALAR_TOKEN)
			explicit_bzero(t->data.scalar.value, t->data.scalar.length);
	yaml_parser_delete(y);
}

int
tree_parse(struct arena *arena, const char *text, size_t size, struct node **root, struct config_errors *errors)
{
	struct tree_parser p = {.arena = arena, .errors = errors};
	int rc;

	*root = NULL;
	if (size > LIMIT_FILE_BYTES) {
		config_error(errors, (struct cfg_mark){1, 1}, "LimitExceeded", "larger than 64 MiB");
		return -EINVAL;
	}
	if (!yaml_parser_initialize(&p.yaml))
		return -ENOMEM;
	yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p.yaml, (const unsigned char *)text, size);
	rc = document_parse(&p, root);
	parser_wipe(&p.yaml);
	return rc;
}

bool
node_is_null(const struct node *n)
{
	if (n->kind != NODE_SCALAR || !n->plain)
		return false;
	return n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcasecmp(n->text, "null") == 0;
}

bool
node_is_blank(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->text[0] == '\0';
}

bool
node_is_empty(const struct node *n)
{
	if (n->kind == NODE_SCALAR)
		return node_is_null(n) || n->text[0] == '\0' || strcasecmp(n->text, "false") == 0 ||
		       strcmp(n->text, "0") == 0;
	for (uint32_t i = 0; i < n->n; i++)
		if (!node_is_empty(n->kind == NODE_LIST ? n->items[i] : n->pairs[i].value))
			return false;
	return true;
}

const char *
node_kind_text(const struct node *n)
{
	switch (n->kind) {
	case NODE_SCALAR:
		return "text";
	case NODE_LIST:
		return "list";
	case NODE_MAP:
		return "object";
	}
	return "value";
}
