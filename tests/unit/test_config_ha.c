/* appliance.highAvailability: what it fills in, and each of its rules refused with its code, where the fault stands. */
#include "config_case.h"

#include <stdio.h>

/* The node's part in line 2, the lease in line 3. */
#define NODE(node, lease) "appliance: {name: box, highAvailability: {\n" node "\nlease: {" lease "}}}\n"
#define LEASE(text) NODE("", text)
#define FILES(more) LEASE("kind: file, path: /shared/lease" more)
#define ETCD(endpoint, more) LEASE("kind: etcd, key: k, endpoints: ['" endpoint "']" more)
#define HTTP(more) ETCD("http://192.0.2.1:2379", more)
#define HTTPS(more) ETCD("https://etcd.example:2379", more)
#define LONG_NAME "a2345678901234567890123456789012"

static void
absent(void **state)
{
	struct config *c = case_load("appliance: {name: box}\n");

	(void)state;
	assert_false(c->appliance.ha.given);
	config_free(c);
}

static void
defaults(void **state)
{
	struct config *c = case_load(FILES(""));
	const struct cfg_ha *h = &c->appliance.ha;

	(void)state;
	assert_true(h->given);
	assert_string_equal(h->node, "box");
	assert_false(h->preferred);
	assert_int_equal(h->lease.kind, LEASE_KIND_FILE);
	assert_string_equal(h->lease.path, "/shared/lease");
	assert_int_equal(h->lease.duration_s, 15);
	assert_int_equal(h->lease.margin_ms, 1500);
	config_free(c);
}

static void
all_of_it(void **state)
{
	struct config *c = case_load(NODE("node: n-1, preferred: true,",
		"kind: etcd, endpoints: ['https://a:1', 'https://[2001:db8::1]:65535'], key: /k, durationSeconds: 2, "
		"marginMilliseconds: 666, caFile: /ca, certificate: /c, privateKeyFile: /p"));
	const struct cfg_ha *h = &c->appliance.ha;

	(void)state;
	assert_string_equal(h->node, "n-1");
	assert_true(h->preferred);
	assert_int_equal(h->lease.kind, LEASE_KIND_ETCD);
	assert_int_equal(h->lease.endpoints.n, 2);
	assert_string_equal(h->lease.endpoints.s[1], "https://[2001:db8::1]:65535");
	assert_string_equal(h->lease.key, "/k");
	assert_int_equal(h->lease.duration_s, 2);
	assert_int_equal(h->lease.margin_ms, 666);
	assert_string_equal(h->lease.ca_file, "/ca");
	assert_string_equal(h->lease.certificate, "/c");
	assert_string_equal(h->lease.key_file, "/p");
	config_free(c);
}

static void
accepted(void **state)
{
	(void)state;
	case_accept(LEASE("kind: static"));
	case_accept(HTTP(""));
	case_accept(HTTPS(", caFile: /ca"));
	case_accept(FILES(", durationSeconds: 60, marginMilliseconds: 20000"));
	case_accept(FILES(", durationSeconds: 2, marginMilliseconds: 10"));
}

static void
refused(void **state)
{
	static const struct case_refusal cases[] = {
		{"appliance: {highAvailability: {node: a}}", "MissingKey", 1, "'lease'"},
		{LEASE("path: /shared/lease"), "MissingKey", 3, "'kind'"},
		{LEASE("durationSeconds: 20"), "MissingKey", 3, "'kind'"},
		{LEASE("kind: zookeeper"), "InvalidValue", 3, "kind"},
		{LEASE("kind: file"), "MissingKey", 3, "needs path"},
		{LEASE("kind: etcd, key: k"), "MissingKey", 3, "needs endpoints"},
		{LEASE("kind: etcd, endpoints: ['http://a:1']"), "MissingKey", 3, "needs key"},
		{LEASE("kind: static, path: /shared/lease"), "KeyNotForLease", 3, "no path"},
		{LEASE("kind: static, key: k"), "KeyNotForLease", 3, "no key"},
		{FILES(", endpoints: ['http://a:1']"), "KeyNotForLease", 3, "no endpoints"},
		{FILES(", caFile: /ca"), "KeyNotForLease", 3, "no caFile"},
		{HTTP(", path: /shared/lease"), "KeyNotForLease", 3, "no path"},
		{FILES(",\ndurationSeconds: 1"), "InvalidValue", 4, "durationSeconds"},
		{FILES(", durationSeconds: 61"), "InvalidValue", 3, "durationSeconds"},
		{FILES(", marginMilliseconds: 9"), "InvalidValue", 3, "marginMilliseconds"},
		{FILES(", durationSeconds: 2,\nmarginMilliseconds: 667"), "InvalidValue", 4, "666"},
		{LEASE("kind: file, path: shared/lease"), "InvalidValue", 3, "from the root"},
		{LEASE("kind: file, path: /shared/"), "InvalidValue", 3, "not a folder"},
		{HTTPS(", caFile: ca"), "InvalidValue", 3, "caFile"},
		{HTTPS(", certificate: c, privateKeyFile: /p"), "InvalidValue", 3, "certificate"},
		{HTTPS(", certificate: /c, privateKeyFile: p"), "InvalidValue", 3, "privateKeyFile"},
		{HTTPS(", certificate: /c"), "MissingKey", 3, "both or none"},
		{HTTPS(", privateKeyFile: /p"), "MissingKey", 3, "both or none"},
		{HTTP(", caFile: /ca"), "InvalidValue", 3, "https"},
		{ETCD("192.0.2.1:2379", ""), "InvalidValue", 3, "192.0.2.1:2379"},
		{ETCD("ftp://a:1", ""), "InvalidValue", 3, "ftp"},
		{ETCD("http://a", ""), "InvalidValue", 3, "endpoints"},
		{ETCD("http://:1", ""), "InvalidValue", 3, "endpoints"},
		{ETCD("http://a:0", ""), "InvalidValue", 3, "endpoints"},
		{ETCD("http://a:65536", ""), "InvalidValue", 3, "endpoints"},
		{ETCD("http://a:1/v3", ""), "InvalidValue", 3, "endpoints"},
		{ETCD("http://a b:1", ""), "InvalidValue", 3, "endpoints"},
		{ETCD("http://[::1:1", ""), "InvalidValue", 3, "endpoints"},
		{ETCD("http://[a]b]:1", ""), "InvalidValue", 3, "endpoints"},
		{NODE("node: 'a b',", "kind: static"), "InvalidName", 2, "a b"},
		{NODE("node: a/b,", "kind: static"), "InvalidName", 2, "a/b"},
		{NODE("node: " LONG_NAME ",", "kind: static"), "InvalidName", 2, "31"},
		{NODE("node: -a,", "kind: static"), "InvalidName", 2, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		case_refuse(cases[i].text, cases[i].code, cases[i].line, cases[i].says);
}

static void
prints_as_it_was(void **state)
{
	struct config *c = case_load(FILES(", durationSeconds: 20"));
	char *text = case_print(c);

	(void)state;
	assert_non_null(strstr(text, "\"marginMilliseconds\": 2000"));
	assert_non_null(strstr(text, "\"node\": \"box\""));
	assert_null(strstr(text, "caFile"));
	config_free(c);
	c = case_load(text);
	assert_string_equal(c->appliance.ha.lease.path, "/shared/lease");
	config_free(c);
	free(text);
	c = case_load("appliance: {name: box}\n");
	text = case_print(c);
	assert_null(strstr(text, "highAvailability"));
	free(text);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent),
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(accepted),
		cmocka_unit_test(refused),
		cmocka_unit_test(prints_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
