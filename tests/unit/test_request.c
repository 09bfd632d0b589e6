/* Requests of the control socket: what is taken, and that each refusal has its name. */
#include "control/api_request.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct refusal {
	const char *line;
	int result;
	const char *code;
};

#define REQUEST(verb, arguments) "{\"version\":1,\"verb\":\"" verb "\",\"arguments\":{" arguments "}}"
#define FLOW(more) REQUEST("ip-flow", "\"subnet\":\"v/s\",\"direction\":\"in\"," more)

static const struct refusal refusals[] = {
	/* no request at all: the client is hung up on */
	{"", -EBADMSG, "BadRequest"},
	{"hello", -EBADMSG, "BadRequest"},
	{"{", -EBADMSG, "BadRequest"},
	{"[]", -EBADMSG, "BadRequest"},
	{"[1,2,3]", -EBADMSG, "BadRequest"},
	{"{\"version\":1,\"version\":1,\"verb\":\"status\"}", -EBADMSG, "BadRequest"},
	{"{\"version\":1,\"verb\":\"sta\\u0000tus\"}", -EBADMSG, "BadRequest"},
	{"{\"version\":1,\"verb\":\"status\"} more", -EBADMSG, "BadRequest"},
	{"{\"version\":1,\"verb\":\"\xff\xfe\"}", -EBADMSG, "BadRequest"},
	/* a request, refused */
	{"{}", -EINVAL, "UnsupportedVersion"},
	{"{\"version\":2,\"verb\":\"status\"}", -EINVAL, "UnsupportedVersion"},
	{"{\"version\":\"1\",\"verb\":\"status\"}", -EINVAL, "UnsupportedVersion"},
	{"{\"version\":1}", -EINVAL, "BadRequest"},
	{"{\"version\":1,\"verb\":7}", -EINVAL, "BadRequest"},
	{"{\"version\":1,\"verb\":\"status\",\"id\":[]}", -EINVAL, "BadRequest"},
	{"{\"version\":1,\"verb\":\"status\",\"more\":1}", -EINVAL, "BadRequest"},
	{"{\"version\":1,\"verb\":\"status\",\"arguments\":[]}", -EINVAL, "BadRequest"},
	{"{\"version\":1,\"verb\":\"\"}", -EINVAL, "UnknownVerb"},
	{"{\"version\":1,\"verb\":\"Status\"}", -EINVAL, "UnknownVerb"},
	{REQUEST("status", "\"x\":1"), -EINVAL, "UnknownArgument"},
	{REQUEST("watch", "\"interval\":1"), -EINVAL, "UnknownArgument"}, /* the command's own */
	{REQUEST("effective-routes", ""), -EINVAL, "MissingArgument"},
	{REQUEST("effective-routes", "\"subnet\":\"v\""), -EINVAL, "InvalidArgument"},
	{REQUEST("effective-routes", "\"subnet\":\"v/\""), -EINVAL, "InvalidArgument"},
	{REQUEST("effective-routes", "\"subnet\":\"/s\""), -EINVAL, "InvalidArgument"},
	{REQUEST("effective-routes", "\"subnet\":\"v/s/t\""), -EINVAL, "InvalidArgument"},
	{REQUEST("effective-routes", "\"subnet\":1"), -EINVAL, "InvalidArgument"},
	{REQUEST("apply", "\"file\":\"relative.yaml\""), -EINVAL, "InvalidArgument"},
	{REQUEST("port show", "\"name\":\"\""), -EINVAL, "InvalidArgument"},
	{REQUEST("flow list", "\"max\":0"), -EINVAL, "InvalidArgument"},
	{REQUEST("flow list", "\"max\":10001"), -EINVAL, "InvalidArgument"},
	{REQUEST("flow list", "\"max\":-1"), -EINVAL, "InvalidArgument"},
	{REQUEST("flow list", "\"max\":1.5"), -EINVAL, "InvalidArgument"},
	{REQUEST("flow list", "\"max\":\"7\""), -EINVAL, "InvalidArgument"},
	{REQUEST("flow list", "\"max\":true"), -EINVAL, "InvalidArgument"},
	{REQUEST("flow list", "\"max\":null"), -EINVAL, "InvalidArgument"},
	{REQUEST("flow list", "\"address\":\"10.0.0.1/8\""), -EINVAL, "InvalidArgument"},
	{REQUEST("drops", "\"all\":1"), -EINVAL, "InvalidArgument"},
	{REQUEST("trace", "\"protocol\":256"), -EINVAL, "InvalidArgument"},
	{REQUEST("trace", "\"protocol\":\"TCPX\""), -EINVAL, "InvalidArgument"},
	{FLOW("\"protocol\":\"TCP\",\"local\":\"10.0.0.1:65536\",\"remote\":\"10.0.0.2\""), -EINVAL, "InvalidArgument"},
	{FLOW("\"protocol\":\"TCP\",\"local\":\"10.0.0.1\""), -EINVAL, "MissingArgument"},
	{REQUEST("ip-flow", "\"direction\":\"sideways\""), -EINVAL, "InvalidArgument"},
};

static void
refuses_by_name(void **state)
{
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		struct failure f = {0};
		struct request r;

		print_message("# %s\n", refusals[i].line);
		assert_int_equal(request_parse(refusals[i].line, strlen(refusals[i].line), &r, &f), refusals[i].result);
		assert_string_equal(f.code, refusals[i].code);
		assert_true(f.message[0] != '\0');
		request_free(&r);
		failure_clear(&f);
	}
}

static void
refuses_too_large(void **state)
{
	struct failure f = {0};
	struct request r;
	char *line = malloc(REQUEST_MAX + 2);

	memset(line, ' ', REQUEST_MAX + 2);
	assert_int_equal(request_parse(line, REQUEST_MAX + 1, &r, &f), -EBADMSG);
	assert_string_equal(f.code, "RequestTooLarge");
	request_free(&r);

	/* A text of more than REQUEST_TEXT_MAX bytes. */
	int n = sprintf(line, "{\"version\":1,\"verb\":\"port show\",\"arguments\":{\"name\":\"");
	memset(line + n, 'x', REQUEST_TEXT_MAX + 1);
	n += REQUEST_TEXT_MAX + 1;
	n += sprintf(line + n, "\"}}");
	assert_int_equal(request_parse(line, (size_t)n, &r, &f), -EINVAL);
	assert_string_equal(f.code, "InvalidArgument");
	request_free(&r);
	failure_clear(&f);
	free(line);
}

static void
refuses_deep_nesting(void **state)
{
	struct failure f = {0};
	struct request r;
	char line[REQUEST_MAX];

	memset(line, '[', sizeof line);
	assert_int_equal(request_parse(line, sizeof line, &r, &f), -EBADMSG);
	assert_string_equal(f.code, "BadRequest");
	request_free(&r);
	failure_clear(&f);
}

static void
takes(const char *line, struct request *r)
{
	struct failure f = {0};

	if (request_parse(line, strlen(line), r, &f) != 0)
		fail_msg("%s: %s: %s", line, f.code, f.message);
	failure_clear(&f);
}

static void
takes_values(void **state)
{
	struct request r;
	char text[ADDRESS_TEXT_MAX];

	takes(REQUEST("ip-flow", "\"subnet\":\"hub/web\",\"direction\":\"out\",\"protocol\":\"udp\","
				 "\"local\":\"[fd00::4]:53\",\"remote\":\"fd00::5\",\"path\":true"),
		&r);
	assert_int_equal(r.verb, VERB_IP_FLOW);
	assert_string_equal(request_argument(&r, "subnet")->text, "hub/web");
	assert_string_equal(request_argument(&r, "direction")->text, "out");
	assert_int_equal(request_argument(&r, "protocol")->number, 17);
	assert_int_equal(request_argument(&r, "local")->port, 53);
	assert_string_equal(address_text(&request_argument(&r, "local")->address, text, sizeof text), "fd00::4");
	assert_int_equal(request_argument(&r, "remote")->port, 0);
	assert_int_equal(request_argument(&r, "path")->number, 1);
	assert_false(request_argument(&r, "none")->given);
	request_free(&r);

	takes(REQUEST("trace", "\"source\":\"10.0.0.0/8\",\"protocol\":6,\"count\":3"), &r);
	assert_string_equal(prefix_text(&request_argument(&r, "source")->prefix, text, sizeof text), "10.0.0.0/8");
	assert_int_equal(request_argument(&r, "protocol")->number, 6);
	assert_int_equal(request_argument(&r, "count")->number, 3);
	assert_int_equal(request_argument(&r, "timeout")->number, 30); /* the fallback */
	assert_false(request_argument(&r, "timeout")->given);
	assert_int_equal(request_argument(&r, "destination")->prefix.addr.family, IP_NONE);
	request_free(&r);

	takes("{\"version\":1,\"verb\":\"status\",\"id\":\"seven\"}", &r);
	assert_string_equal(json_string_value(r.id), "seven");
	request_free(&r);
}

static void
reads_endpoints(void **state)
{
	static const struct {
		const char *text, *address;
		int port; /* -1: refused */
	} endpoint[] = {
		{"10.0.0.4:80", "10.0.0.4", 80},
		{"10.0.0.4", "10.0.0.4", 0},
		{"[fd00::4]:80", "fd00::4", 80},
		{"[fd00::4]", "fd00::4", 0},
		{"fd00::4", "fd00::4", 0},
		{"fd00::4:80", "fd00::4:80", 0}, /* an address of its own: brackets make a port of it */
		{"10.0.0.4:0", "10.0.0.4", 0},
		{"10.0.0.4:65535", "10.0.0.4", 65535},
		{"10.0.0.4:", NULL, -1},
		{"10.0.0.4:+1", NULL, -1},
		{"10.0.0.4:8 0", NULL, -1},
		{"10.0.0.4:65536", NULL, -1},
		{"10.0.0.4:18446744073709551617", NULL, -1},
		{"[fd00::4", NULL, -1},
		{"[fd00::4]80", NULL, -1},
		{"[]:80", NULL, -1},
		{":80", NULL, -1},
		{"", NULL, -1},
		{"host:80", NULL, -1},
	};

	for (size_t i = 0; i < sizeof endpoint / sizeof *endpoint; i++) {
		struct ip_addr a;
		uint16_t port;
		char text[ADDRESS_TEXT_MAX];
		int r = endpoint_parse(endpoint[i].text, &a, &port);

		print_message("# %s\n", endpoint[i].text);
		assert_int_equal(r, endpoint[i].port < 0 ? -EINVAL : 0);
		if (r != 0)
			continue;
		assert_int_equal(port, endpoint[i].port);
		assert_string_equal(address_text(&a, text, sizeof text), endpoint[i].address);
	}
}

/* The table itself: what the daemon and the command rely on. */
static void
table_is_sound(void **state)
{
	for (int v = 0; v < VERB_COUNT; v++) {
		const struct parameter *p = verbs[v].parameter;
		int n = 0;

		assert_non_null(verbs[v].name);
		assert_non_null(p);
		assert_int_equal(verb_find(verbs[v].name), v);
		for (; p[n].name; n++) {
			assert_non_null(p[n].help);
			assert_true(p[n].kind == PARAMETER_FLAG || p[n].value);
			assert_true((p[n].kind == PARAMETER_CHOICE) == (p[n].choices != NULL));
			assert_int_equal(parameter_find((enum verb)v, p[n].name), n);
		}
		assert_in_range(n, 0, VERB_PARAMETERS_MAX);
	}
	assert_string_equal(verb_suggest("effective-rotes"), "effective-routes");
	assert_null(verb_suggest("something else"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_by_name),
		cmocka_unit_test(refuses_too_large),
		cmocka_unit_test(refuses_deep_nesting),
		cmocka_unit_test(takes_values),
		cmocka_unit_test(reads_endpoints),
		cmocka_unit_test(table_is_sound),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
