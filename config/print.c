/* A configuration as JSON, by the same tables that read it: flat objects, keys sorted.
 *
 * Key material is never printed: "<hidden>" stands in its place, or the name of its file.
 * But for those, what is printed loads to an equal configuration. Any thread.
 */
#include "config/schemas.h"

#include <stdlib.h>
#include <string.h>

static void print_fields(struct json *j, const struct schema *s, const void *object);

void
print_ref(struct json *j, const char *ref)
{
	json_open(j, '{');
	json_key(j, "id");
	json_text(j, ref);
	json_close(j, '}');
}

static uint64_t
load_number(const void *at, uint8_t size)
{
	if (size == 1)
		return *(const uint8_t *)at;
	if (size == 2)
		return *(const uint16_t *)at;
	if (size == 4)
		return *(const uint32_t *)at;
	return *(const uint64_t *)at;
}

static const char *
text_at(const void *at)
{
	char *text;

	memcpy(&text, at, sizeof(text));
	return text;
}

static bool
address_present(const struct field *f, const void *object, const struct ip_addr *a)
{
	if (f->present != 0)
		return *(const bool *)((const char *)object + f->present);
	return a->family != IP_NONE;
}

static void
print_prefixes(struct json *j, const struct cfg_prefixes *list)
{
	char text[ADDRESS_TEXT_MAX];

	json_open(j, '[');
	for (uint32_t i = 0; i < list->n; i++) {
		json_item(j);
		json_text(j, prefix_text(&list->p[i], text, sizeof(text)));
	}
	json_close(j, ']');
}

static void
print_refs(struct json *j, const struct cfg_strings *refs)
{
	json_open(j, '[');
	for (uint32_t i = 0; i < refs->n; i++) {
		json_item(j);
		print_ref(j, refs->s[i]);
	}
	json_close(j, ']');
}

static void
print_texts(struct json *j, const struct cfg_strings *texts)
{
	json_open(j, '[');
	for (uint32_t i = 0; i < texts->n; i++) {
		json_item(j);
		json_text(j, texts->s[i]);
	}
	json_close(j, ']');
}

static bool
item_is_default_rule(const struct field *f, const void *item)
{
	return f->schema->size == sizeof(struct cfg_rule) && strcmp(f->key, "securityRules") == 0 &&
	       ((const struct cfg_rule *)item)->is_default;
}

/* One that config_check() made. */
static bool
item_is_implied(const struct field *f, const void *item)
{
	return f->schema->implied != 0 && *(const bool *)((const char *)item + f->schema->implied);
}

static void
print_list(struct json *j, const struct field *f, const void *object)
{
	const char *items = text_at((const char *)object + f->offset);
	uint32_t n = (uint32_t)load_number((const char *)object + f->count, sizeof(uint32_t));

	json_open(j, '[');
	for (uint32_t i = 0; i < n; i++) {
		const void *item = items + i * f->schema->size;

		if (item_is_default_rule(f, item) || item_is_implied(f, item))
			continue;
		json_item(j);
		json_open(j, '{');
		print_fields(j, f->schema, item);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static bool
list_is_silent(const struct field *f, const void *object)
{
	const char *items = text_at((const char *)object + f->offset);
	uint32_t n = (uint32_t)load_number((const char *)object + f->count, sizeof(uint32_t));

	while (n > 0 && item_is_implied(f, items + (n - 1) * f->schema->size))
		n--;
	return n == 0;
}

/* Nothing to say: no key at all, as in the cloud's newer exports. */
static bool
field_is_silent(const struct field *f, const void *object)
{
	const char *at = (const char *)object + f->offset;

	switch (f->type) {
	case FIELD_TEXT:
	case FIELD_REF:
		return text_at(at) == NULL;
	case FIELD_ADDRESS:
		return !address_present(f, object, (const struct ip_addr *)at);
	case FIELD_MAC:
		return !*(const bool *)((const char *)object + f->present);
	case FIELD_LIST:
		return list_is_silent(f, object);
	case FIELD_PREFIXES:
		return ((const struct cfg_prefixes *)at)->n == 0;
	case FIELD_REFS:
	case FIELD_TEXTS:
		return ((const struct cfg_strings *)at)->n == 0;
	case FIELD_IGNORED:
	case FIELD_REFUSED:
		return true;
	case FIELD_PART:
		return f->present != 0 && !*(const bool *)((const char *)object + f->present);
	case FIELD_PREFIX:
		return ((const struct ip_prefix *)at)->addr.family == IP_NONE;
	case FIELD_FLAG:
	case FIELD_NUMBER:
	case FIELD_WORD:
	case FIELD_CUSTOM:
		return false;
	}
	return true;
}

static void
print_value(struct json *j, const struct field *f, const void *object)
{
	const char *at = (const char *)object + f->offset;
	char text[ADDRESS_TEXT_MAX];

	switch (f->type) {
	case FIELD_TEXT:
		json_text(j, text_at(at));
		break;
	case FIELD_REF:
		print_ref(j, text_at(at));
		break;
	case FIELD_FLAG:
		json_flag(j, *(const bool *)at);
		break;
	case FIELD_NUMBER:
		json_number(j, load_number(at, f->size) / (f->scale ? f->scale : 1));
		break;
	case FIELD_WORD:
		json_text(j, f->words[load_number(at, f->size)]);
		break;
	case FIELD_ADDRESS:
		json_text(j, address_text((const struct ip_addr *)at, text, sizeof(text)));
		break;
	case FIELD_MAC:
		json_text(j, mac_text((const struct mac_addr *)at, text, sizeof(text)));
		break;
	case FIELD_PREFIX:
		json_text(j, prefix_text((const struct ip_prefix *)at, text, sizeof(text)));
		break;
	case FIELD_PREFIXES:
		print_prefixes(j, (const struct cfg_prefixes *)at);
		break;
	case FIELD_REFS:
		print_refs(j, (const struct cfg_strings *)at);
		break;
	case FIELD_TEXTS:
		print_texts(j, (const struct cfg_strings *)at);
		break;
	case FIELD_LIST:
		print_list(j, f, object);
		break;
	case FIELD_PART:
		json_open(j, '{');
		print_fields(j, f->schema, at);
		json_close(j, '}');
		break;
	case FIELD_CUSTOM:
	case FIELD_IGNORED:
	case FIELD_REFUSED:
		break;
	}
}

static int
key_order(const void *a, const void *b)
{
	const struct field *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static void
print_fields(struct json *j, const struct schema *s, const void *object)
{
	const struct field *sorted[64];
	size_t n = 0;

	for (const struct field *f = s->fields; f->key != NULL; f++)
		if (!f->load_only && !field_is_silent(f, object))
			sorted[n++] = f;
	qsort(sorted, n, sizeof(sorted[0]), key_order);

	for (size_t i = 0; i < n; i++) {
		if (sorted[i]->type == FIELD_CUSTOM) {
			sorted[i]->print(j, sorted[i], object);
			continue;
		}
		json_key(j, sorted[i]->key);
		print_value(j, sorted[i], object);
	}
}

void
config_print(const struct config *c, FILE *to)
{
	struct json j = {.to = to};

	json_open(&j, '{');
	print_fields(&j, &config_schema, c);
	json_close(&j, '}');
	fputc('\n', to);
}
