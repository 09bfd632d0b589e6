/* Reading values strictly: text, flags, numbers, words, addresses, prefixes, references.
 *
 * A value that is wrong is reported and left at its default, and loading goes on: the file is
 * refused as a whole in the end. Functions return 0 or -ENOMEM, but for those that say more.
 */
#include "config/bind_value.h"
#include "config/limit.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define QUOTE_MAX 60 /* as in "%.60s" below */

const char *
bind_quote(const struct binder *b, const struct node *n)
{
	if (n->kind != NODE_SCALAR)
		return node_kind_text(n);
	if (b->hide > 0 && (text_may_be_key(n->text) || strlen(n->text) > QUOTE_MAX))
		return "<hidden>";
	return n->text;
}

static void
invalid(struct binder *b, const char *key, const struct node *n, const char *wanted)
{
	config_error(b->errors, n->mark, "InvalidValue", "'%s' is %s, not '%.60s'", key, wanted, bind_quote(b, n));
}

int
bind_text(struct binder *b, const struct node *n, size_t longest, char **out)
{
	if (n->kind != NODE_SCALAR) {
		config_error(b->errors, n->mark, "InvalidValue", "expected text, not %s", node_kind_text(n));
		return 0;
	}
	if (strlen(n->text) > longest) {
		config_error(b->errors, n->mark, "LimitExceeded", "text of %zu bytes, at most %zu are allowed",
			strlen(n->text), longest);
		return 0;
	}
	*out = arena_text(b->arena, n->text, strlen(n->text));
	return *out ? 0 : -ENOMEM;
}

static int
bind_flag(struct binder *b, const struct field *f, const struct node *n, bool *out)
{
	if (n->kind == NODE_SCALAR && strcasecmp(n->text, "true") == 0)
		*out = true;
	else if (n->kind == NODE_SCALAR && strcasecmp(n->text, "false") == 0)
		*out = false;
	else
		invalid(b, f->key, n, "true or false");
	return 0;
}

/* Decimal, or hexadecimal with 0x. A leading zero is octal to some and decimal to others: refused. */
static bool
number_parse(const char *text, uint64_t *out)
{
	unsigned int base = 10;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	} else if (text[0] == '0' && text[1] != '\0') {
		return false;
	}
	if (text[0] == '\0')
		return false;
	*out = 0;
	for (; *text != '\0'; text++) {
		unsigned int digit = *text >= '0' && *text <= '9' ? (unsigned int)(*text - '0') : 99;

		if (base == 16 && (*text | 0x20) >= 'a' && (*text | 0x20) <= 'f')
			digit = (unsigned int)((*text | 0x20) - 'a') + 10;
		if (digit >= base || __builtin_mul_overflow(*out, base, out) ||
			__builtin_add_overflow(*out, digit, out))
			return false;
	}
	return true;
}

/* 0 and *out, 1 when refused (and told). */
int
bind_number(struct binder *b, const struct field *f, const struct node *n, uint64_t *out)
{
	uint64_t v;

	if (n->kind == NODE_SCALAR && number_parse(n->text, &v) &&
		((v >= f->min && v <= f->max) || (v == 0 && f->or_zero))) {
		*out = v;
		return 0;
	}
	config_error(b->errors, n->mark, "InvalidValue", "'%s' is a number from %llu to %llu%s, not '%.60s'", f->key,
		(unsigned long long)f->min, (unsigned long long)f->max, f->or_zero ? ", or 0" : "", bind_quote(b, n));
	return 1;
}

static void
store_number(void *at, uint8_t size, uint64_t v)
{
	if (size == 1)
		*(uint8_t *)at = (uint8_t)v;
	else if (size == 2)
		*(uint16_t *)at = (uint16_t)v;
	else if (size == 4)
		*(uint32_t *)at = (uint32_t)v;
	else
		*(uint64_t *)at = v;
}

int
bind_word(struct binder *b, const char *key, const char *const *words, const struct node *n)
{
	struct suggestion near;
	char list[200] = "", text[128];

	for (int i = 0; n->kind == NODE_SCALAR && words[i] != NULL; i++)
		if (strcasecmp(words[i], n->text) == 0)
			return i;

	suggestion_start(&near, n->kind == NODE_SCALAR ? n->text : "");
	for (int i = 0; words[i] != NULL; i++) {
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", words[i]);
		suggestion_offer(&near, words[i]);
	}
	config_error(b->errors, n->mark, "InvalidValue", "'%s' is one of %s, not '%.60s'%s", key, list,
		bind_quote(b, n), suggestion_text(&near, text, sizeof(text)));
	return -1;
}

static int
bind_address(struct binder *b, const struct field *f, const struct node *n, struct ip_addr *out, bool *present)
{
	if (n->kind != NODE_SCALAR || address_parse(n->text, out) < 0) {
		config_error(b->errors, n->mark, "InvalidAddress", "'%s' is an IPv4 or IPv6 address, not '%.60s'",
			f->key, bind_quote(b, n));
		return 0;
	}
	if (present != NULL)
		*present = true;
	return 0;
}

static int
bind_mac(struct binder *b, const struct field *f, const struct node *n, struct mac_addr *out, bool *present)
{
	if (n->kind != NODE_SCALAR || mac_parse(n->text, out) < 0) {
		config_error(b->errors, n->mark, "InvalidMacAddress",
			"'%s' is six bytes like 00-0D-3A-12-34-56, not '%.60s'", f->key, bind_quote(b, n));
		return 0;
	}
	if ((out->b[0] & 1) != 0 || memcmp(out->b, "\0\0\0\0\0", 6) == 0)
		config_error(
			b->errors, n->mark, "InvalidMacAddress", "%.60s is not the address of one station", n->text);
	*present = true;
	return 0;
}

/* 0 and *out, 1 when refused (and told). */
int
bind_prefix(struct binder *b, const struct node *n, struct ip_prefix *out)
{
	char text[ADDRESS_TEXT_MAX];
	int rc = n->kind == NODE_SCALAR ? prefix_parse(n->text, out) : -EINVAL;

	if (rc == 0)
		return 0;
	if (rc == -ERANGE)
		config_error(b->errors, n->mark, "InvalidAddressPrefix",
			"%.60s has bits set behind its length (did you mean '%s'?)", n->text,
			prefix_text(out, text, sizeof(text)));
	else
		config_error(b->errors, n->mark, "InvalidAddressPrefix",
			"'%.60s' is not an address prefix like 10.0.0.0/16", bind_quote(b, n));
	return 1;
}

/* Appends, since singular and plural keys fill the same list; what the other key said already
 * is not said again. */
static int
bind_prefixes(struct binder *b, const struct field *f, const struct node *n, struct cfg_prefixes *out)
{
	uint32_t before = out->n, count = node_count(n);
	struct ip_prefix *grown;

	if (count > f->max) {
		config_error(b->errors, n->mark, "LimitExceeded", "%u prefixes in '%s', at most %llu are allowed",
			count, f->key, (unsigned long long)f->max);
		return 0;
	}
	grown = arena_array(b->arena, (size_t)before + count, sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	if (before > 0)
		memcpy(grown, out->p, before * sizeof(*grown));
	out->p = grown;

	for (uint32_t i = 0; i < count; i++) {
		const struct node *item = node_item(n, i);
		uint32_t same = 0;

		if (bind_prefix(b, item, &grown[out->n]) != 0)
			continue;
		while (same < before && !prefix_equal(&grown[same], &grown[out->n]))
			same++;
		if (same < before)
			continue;
		if (bind_mark(b, &grown[out->n++], item) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Exports print the referenced object with everything null; a definition in place is refused. */
static const struct node *
ref_id(struct binder *b, const struct node *n)
{
	static const char *const known[] = {"name", "resourceGroup", "type", "etag", "location", "tags", NULL};
	const struct node *id = NULL;

	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *key = n->pairs[i].key, *value = n->pairs[i].value;
		const char *const *k = known;

		if (strcmp(key->text, "id") == 0) {
			id = value;
			continue;
		}
		while (*k != NULL && strcmp(*k, key->text) != 0)
			k++;
		if (*k == NULL && !node_is_empty(value))
			config_error(b->errors, key->mark, "UnknownKey",
				"a reference is {id: ...}, it has no key '%.60s'", bind_quote(b, key));
	}
	return id;
}

int
bind_ref(struct binder *b, const struct node *n, char **out)
{
	const struct node *id = n->kind == NODE_MAP ? ref_id(b, n) : n;

	if (id == NULL || id->kind != NODE_SCALAR || node_is_null(id) || id->text[0] == '\0') {
		config_error(b->errors, n->mark, "InvalidReference", "a reference is a name or {id: ...}");
		return 0;
	}
	return bind_text(b, id, 1024, out);
}

static int
bind_refs(struct binder *b, const struct field *f, const struct node *n, struct cfg_strings *out)
{
	if (n->kind != NODE_LIST) {
		invalid(b, f->key, n, "a list of references");
		return 0;
	}
	if (n->n > f->max) {
		config_error(b->errors, n->mark, "LimitExceeded", "%u entries in '%s', at most %llu are allowed", n->n,
			f->key, (unsigned long long)f->max);
		return 0;
	}
	out->s = arena_array(b->arena, n->n, sizeof(*out->s));
	if (out->s == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n->n; i++) {
		char **at = &out->s[out->n];

		if (bind_ref(b, n->items[i], at) < 0)
			return -ENOMEM;
		if (*at == NULL)
			continue;
		out->n++;
		if (bind_mark(b, at, n->items[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int
bind_texts(struct binder *b, const struct field *f, const struct node *n, struct cfg_strings *out)
{
	uint32_t count = node_count(n);

	if (count > f->max) {
		config_error(b->errors, n->mark, "LimitExceeded", "%u entries in '%s', at most %llu are allowed", count,
			f->key, (unsigned long long)f->max);
		return 0;
	}
	out->s = arena_array(b->arena, count, sizeof(*out->s));
	if (out->s == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		char **at = &out->s[out->n];

		if (bind_text(b, node_item(n, i), LIMIT_PATH, at) < 0)
			return -ENOMEM;
		if (*at == NULL)
			continue;
		out->n++;
		if (bind_mark(b, at, node_item(n, i)) < 0)
			return -ENOMEM;
	}
	return 0;
}

int
bind_value(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	char *at = (char *)object + f->offset;
	bool *present = f->present ? (bool *)((char *)object + f->present) : NULL;
	uint64_t number;
	int word;

	if (bind_mark(b, at, n) < 0)
		return -ENOMEM;
	switch (f->type) {
	case FIELD_TEXT:
		return bind_text(b, n, f->max, (char **)at);
	case FIELD_FLAG:
		return bind_flag(b, f, n, (bool *)at);
	case FIELD_NUMBER:
		if (bind_number(b, f, n, &number) == 0)
			store_number(at, f->size, number * (f->scale ? f->scale : 1));
		return 0;
	case FIELD_WORD:
		word = bind_word(b, f->key, f->words, n);
		if (word >= 0)
			store_number(at, f->size, (uint64_t)word);
		return 0;
	case FIELD_ADDRESS:
		return bind_address(b, f, n, (struct ip_addr *)at, present);
	case FIELD_MAC:
		return bind_mac(b, f, n, (struct mac_addr *)at, present);
	case FIELD_PREFIX:
		bind_prefix(b, n, (struct ip_prefix *)at);
		return 0;
	case FIELD_PREFIXES:
		return bind_prefixes(b, f, n, (struct cfg_prefixes *)at);
	case FIELD_REF:
		return bind_ref(b, n, (char **)at);
	case FIELD_REFS:
		return bind_refs(b, f, n, (struct cfg_strings *)at);
	case FIELD_TEXTS:
		return bind_texts(b, f, n, (struct cfg_strings *)at);
	case FIELD_LIST:
	case FIELD_PART:
	case FIELD_CUSTOM:
	case FIELD_IGNORED:
	case FIELD_REFUSED:
		break;
	}
	return 0;
}
