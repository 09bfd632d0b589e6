/* From a line of bytes to a checked request. Every value passes exactly one function here, which
 * the isthmus command calls as well: what it accepts, the daemon accepts.
 */
#include "control/api_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {{"ICMP", 1}, {"TCP", 6}, {"UDP", 17}, {"ESP", 50}, {"AH", 51}, {"ICMPV6", 58}};

/* Decimal digits only, no sign, no blanks; -EINVAL when it exceeds max. */
static int
number_parse(const char *text, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > max)
			return -EINVAL;
	}
	*out = (uint32_t)value;
	return 0;
}

int
protocol_parse(const char *text, uint8_t *out)
{
	uint32_t number;

	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
		if (strcasecmp(text, protocols[i].name) == 0) {
			*out = protocols[i].number;
			return 0;
		}
	if (number_parse(text, 255, &number) != 0)
		return -EINVAL;
	*out = (uint8_t)number;
	return 0;
}

const char *
protocol_text(uint8_t protocol, char buffer[4])
{
	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	snprintf(buffer, 4, "%u", protocol);
	return buffer;
}

int
endpoint_parse(const char *text, struct ip_addr *address, uint16_t *port)
{
	char host[ADDRESS_TEXT_MAX];
	const char *end, *colon = NULL;
	uint32_t number = 0;

	*port = 0;
	if (address_parse(text, address) == 0)
		return 0;

	if (*text == '[') {
		text++;
		end = strchr(text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		end = colon = strchr(text, ':');
	}
	if (!end || (size_t)(end - text) >= sizeof host)
		return -EINVAL;
	if (colon && number_parse(colon + 1, 65535, &number) != 0)
		return -EINVAL;

	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	*port = (uint16_t)number;
	return address_parse(host, address) == 0 ? 0 : -EINVAL;
}

static bool
subnet_text_ok(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash && slash != text && slash[1] != '\0' && !strchr(slash + 1, '/');
}

static int
choice_check(const struct parameter *p, const char *text)
{
	for (const char *const *c = p->choices; *c; c++)
		if (strcmp(*c, text) == 0)
			return 0;
	return -EINVAL;
}

static int
text_take(const struct parameter *p, const char *text, struct argument *a)
{
	uint8_t protocol = 0;
	int r = 0;

	a->text = text;
	switch (p->kind) {
	case PARAMETER_FILE:
		r = text[0] == '/' ? 0 : -EINVAL;
		break;
	case PARAMETER_SUBNET:
		r = subnet_text_ok(text) ? 0 : -EINVAL;
		break;
	case PARAMETER_ADDRESS:
		r = address_parse(text, &a->address);
		break;
	case PARAMETER_PREFIX:
		r = prefix_parse(text, &a->prefix);
		break;
	case PARAMETER_ENDPOINT:
		r = endpoint_parse(text, &a->address, &a->port);
		break;
	case PARAMETER_CHOICE:
		r = choice_check(p, text);
		break;
	case PARAMETER_PROTOCOL:
		r = protocol_parse(text, &protocol);
		a->number = protocol;
		break;
	case PARAMETER_TEXT:
	case PARAMETER_VNET:
	case PARAMETER_PORT:
	case PARAMETER_CONNECTION:
		r = text[0] != '\0' ? 0 : -EINVAL;
		break;
	case PARAMETER_NUMBER:
	case PARAMETER_FLAG:
		r = -EINVAL;
		break;
	}
	return r;
}

static int
number_take(const struct parameter *p, json_int_t value, struct argument *a)
{
	uint32_t min = p->kind == PARAMETER_NUMBER ? p->min : 0, max = p->kind == PARAMETER_NUMBER ? p->max : 255;

	if (p->kind != PARAMETER_NUMBER && p->kind != PARAMETER_PROTOCOL)
		return -EINVAL;
	if (value < (json_int_t)min || value > (json_int_t)max)
		return -ERANGE;
	a->number = (uint32_t)value;
	return 0;
}

static int
argument_take(const struct parameter *p, const json_t *value, struct argument *a)
{
	a->given = true;
	if (json_is_string(value)) {
		if (json_string_length(value) > REQUEST_TEXT_MAX)
			return -EINVAL;
		return text_take(p, json_string_value(value), a);
	}
	if (json_is_integer(value))
		return number_take(p, json_integer_value(value), a);
	if (json_is_boolean(value) && p->kind == PARAMETER_FLAG) {
		a->number = json_is_true(value);
		return 0;
	}
	return -EINVAL;
}

/* What a refused value should have been. */
static void
argument_refuse(const struct parameter *p, int error, struct failure *f)
{
	if (p->kind == PARAMETER_NUMBER)
		failure_set(f, "InvalidArgument", "\"%s\" takes a number from %u to %u", p->name, p->min, p->max);
	else if (p->kind == PARAMETER_PREFIX && error == -ERANGE)
		failure_set(f, "InvalidArgument", "\"%s\" has bits set behind its length", p->name);
	else if (p->kind == PARAMETER_CHOICE)
		failure_set(f, "InvalidArgument", "\"%s\" takes %s", p->name, p->value);
	else
		failure_set(f, "InvalidArgument", "\"%s\" takes %s", p->name, parameter_kind_text(p->kind));
}

static int
arguments_take(json_t *arguments, struct request *r, struct failure *f)
{
	const struct parameter *p = verbs[r->verb].parameter;
	const char *key;
	json_t *value;

	for (int i = 0; p[i].name; i++)
		r->argument[i].number = p[i].fallback;

	json_object_foreach(arguments, key, value)
	{
		int i = parameter_find(r->verb, key), error;

		if (i < 0 || p[i].local) {
			failure_set(f, "UnknownArgument", "\"%s\" has no argument \"%.64s\"", verbs[r->verb].name, key);
			return -EINVAL;
		}
		error = argument_take(&p[i], value, &r->argument[i]);
		if (error != 0) {
			argument_refuse(&p[i], error, f);
			return -EINVAL;
		}
	}

	for (int i = 0; p[i].name; i++)
		if (p[i].required && !r->argument[i].given) {
			failure_set(f, "MissingArgument", "\"%s\" needs \"%s\" (%s)", verbs[r->verb].name, p[i].name,
				p[i].help);
			return -EINVAL;
		}
	return 0;
}

static int
verb_take(json_t *name, struct request *r, struct failure *f)
{
	const char *text = json_string_value(name), *near;

	if (!text) {
		failure_set(f, "BadRequest", "\"verb\" must be a text");
		return -EINVAL;
	}
	r->verb = verb_find(text);
	if (r->verb == VERB_COUNT) {
		near = verb_suggest(text);
		failure_set(f, "UnknownVerb", "there is no verb \"%.64s\"%s%s%s", text, near ? "; did you mean \"" : "",
			near ? near : "", near ? "\"?" : "");
		return -EINVAL;
	}
	return 0;
}

/* An id is what the client likes, as long as it is small. */
static int
id_take(json_t *id, struct request *r, struct failure *f)
{
	if (id && !json_is_integer(id) && !(json_is_string(id) && json_string_length(id) <= 64)) {
		failure_set(f, "BadRequest", "\"id\" must be a number or a text of at most 64 bytes");
		return -EINVAL;
	}
	r->id = id;
	return 0;
}

static int
keys_check(json_t *root, struct failure *f)
{
	const char *key;
	json_t *value;

	json_object_foreach(root, key, value)
	{
		if (strcmp(key, "version") == 0 || strcmp(key, "id") == 0 || strcmp(key, "verb") == 0 ||
			strcmp(key, "arguments") == 0)
			continue;
		failure_set(f, "BadRequest", "a request has no \"%.64s\"", key);
		return -EINVAL;
	}
	return 0;
}

int
request_take(json_t *root, struct request *r, struct failure *f)
{
	json_t *version, *arguments;

	*r = (struct request){.root = root, .verb = VERB_COUNT};
	if (!json_is_object(root)) {
		failure_set(f, "BadRequest", "a request is a JSON object");
		return -EBADMSG;
	}

	if (id_take(json_object_get(root, "id"), r, f) != 0)
		return -EINVAL;
	version = json_object_get(root, "version");
	if (!json_is_integer(version) || json_integer_value(version) != API_VERSION) {
		failure_set(f, "UnsupportedVersion", "\"version\" must be %d", API_VERSION);
		return -EINVAL;
	}
	if (keys_check(root, f) != 0 || verb_take(json_object_get(root, "verb"), r, f) != 0)
		return -EINVAL;

	arguments = json_object_get(root, "arguments");
	if (arguments && !json_is_object(arguments)) {
		failure_set(f, "BadRequest", "\"arguments\" must be an object");
		return -EINVAL;
	}
	return arguments_take(arguments, r, f);
}

int
request_parse(const char *line, size_t size, struct request *r, struct failure *f)
{
	json_error_t error;
	json_t *root;

	*r = (struct request){.verb = VERB_COUNT};
	if (size > REQUEST_MAX) {
		failure_set(f, "RequestTooLarge", "a request has at most %d bytes", REQUEST_MAX);
		return -EBADMSG;
	}
	root = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		failure_set(f, "BadRequest", "not JSON: %s (byte %d)", error.text, error.position);
		return -EBADMSG;
	}
	return request_take(root, r, f);
}

void
request_free(struct request *r)
{
	json_decref(r->root);
	*r = (struct request){.verb = VERB_COUNT};
}

const struct argument *
request_argument(const struct request *r, const char *name)
{
	static const struct argument none;
	int i = parameter_find(r->verb, name);

	return i < 0 ? &none : &r->argument[i];
}
