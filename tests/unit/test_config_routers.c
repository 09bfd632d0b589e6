/* A pair's virtual addresses and the routers that hear of them: what is filled in, and each rule refused where the
 * fault stands. */
#include "config_case.h"

/* The pair's part in line 5, its routers from line 6 on. */
#define PAIR(pair, routers)                                                                                            \
	"appliance:\n"                                                                                                 \
	"  ports: [{name: p0, driver: \"null\"}]\n"                                                                    \
	"  uplinks: [{name: wan, port: p0,\n"                                                                          \
	"    addresses: [192.0.2.1/24, 203.0.113.10/32, 2001:db8::1/64, '2001:db8:f::10/128']}]\n"                     \
	"  highAvailability: {lease: {kind: static}" pair ", routers: [\n" routers "]}\n"
#define ONE ", asn: 65010, virtualAddresses: [203.0.113.10/32]"
#define ROUTER(more) "{name: r1, address: 192.0.2.254, asn: 65001" more "}"

static void
defaults(void **state)
{
	struct config *c = case_load(PAIR(ONE, ROUTER("")));
	const struct cfg_ha *h = &c->appliance.ha;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(h->addresses.n, 1);
	assert_string_equal(prefix_text(&h->addresses.p[0], text, sizeof(text)), "203.0.113.10/32");
	assert_int_equal(h->prepends, 2);
	assert_int_equal(h->n_routers, 1);
	assert_string_equal(address_text(&h->routers[0].local, text, sizeof(text)), "192.0.2.1");
	assert_true(h->routers[0].bgp.bfd);
	assert_int_equal(h->routers[0].bgp.bfd_interval_ms, 100);
	assert_int_equal(h->routers[0].bgp.hold_s, 180);
	config_free(c);
}

static void
both_families(void **state)
{
	struct config *c = case_load(PAIR(", asn: 4200000001, standbyPrepends: 8, virtualAddresses: [203.0.113.10, "
					  "'2001:db8:f::10']",
		ROUTER(", bgp: {bfd: false, keepaliveSeconds: 1, holdSeconds: 3, password: "
		       "geheim}") ",\n"
				  "{name: r6, address: '2001:db8::fe', asn: 4200000001}"));
	const struct cfg_ha *h = &c->appliance.ha;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(h->addresses.n, 2);
	assert_int_equal(h->asn, 4200000001u);
	assert_int_equal(h->prepends, 8);
	assert_false(h->routers[0].bgp.bfd);
	assert_string_equal(h->routers[0].bgp.password, "geheim");
	assert_string_equal(address_text(&h->routers[1].local, text, sizeof(text)), "2001:db8::1");
	config_wipe_bgp_passwords(c);
	assert_string_equal(h->routers[0].bgp.password, "");
	config_free(c);
}

static void
without_routers(void **state)
{
	struct config *c = case_load(PAIR(", virtualAddresses: [203.0.113.10/32, '2001:db8:f::10/128']", ""));

	(void)state;
	assert_int_equal(c->appliance.ha.addresses.n, 2);
	assert_int_equal(c->appliance.ha.n_routers, 0);
	config_free(c);
}

static void
prints_as_it_was(void **state)
{
	struct config *c = case_load(PAIR(ONE, ROUTER(", bgp: {password: geheim, bfdMultiplier: 5}")));
	char *text = case_print(c);

	(void)state;
	assert_null(strstr(text, "geheim"));
	assert_non_null(strstr(text, "\"bfdMultiplier\": 5"));
	assert_non_null(strstr(text, "\"standbyPrepends\": 2"));
	assert_non_null(strstr(text, "\"203.0.113.10/32\""));
	free(text);
	config_free(c);
}

static void
refused(void **state)
{
	static const struct case_refusal cases[] = {
		{PAIR(", asn: 65010", ROUTER("")), "MissingKey", 5, "virtualAddresses"},
		{PAIR(", virtualAddresses: [203.0.113.10/32]", ROUTER("")), "MissingKey", 5, "asn"},
		{PAIR(ONE, "{name: r1, asn: 65001}"), "MissingKey", 6, "address"},
		{PAIR(ONE, "{name: r1, address: 192.0.2.254}"), "MissingKey", 6, "asn"},
		{PAIR(ONE, ROUTER("") ",\n{name: r1, address: 192.0.2.253, asn: 65001}"), "DuplicateName", 7, "r1"},
		{PAIR(ONE, ROUTER("") ",\n{name: r2, address: 192.0.2.254, asn: 65002}"), "BgpPeerInUse", 7, "r1"},
		{PAIR(ONE, "{name: r1, address: 198.51.100.1, asn: 65001}"), "RouterNotOnUplink", 6, "198.51.100.1"},
		{PAIR(ONE, "{name: r1, address: 192.0.2.1, asn: 65001}"), "RouterNotOnUplink", 6, "192.0.2.1"},
		{PAIR(ONE, "{name: r1, address: 203.0.113.10, asn: 65001}"), "RouterNotOnUplink", 6, "203.0.113.10"},
		{PAIR(ONE, "{name: r1, address: 192.0.2.254, asn: 23456}"), "BgpAsnNotAllowed", 6, "23456"},
		{PAIR(", asn: 65535, virtualAddresses: [203.0.113.10/32]", ROUTER("")), "BgpAsnNotAllowed", 5, "65535"},
		{PAIR(ONE, ROUTER(", bgp: {keepaliveSeconds: 10, holdSeconds: 9}")), "InvalidValue", 6, "router"},
		{PAIR(", asn: 65010, virtualAddresses: [192.0.2.0/24]", ROUTER("")), "InvalidAddressPrefix", 5, "host"},
		{PAIR(", asn: 65010, virtualAddresses: [192.0.2.1/32]", ROUTER("")), "VirtualAddressNotOnUplink", 5,
			"192.0.2.1/32"},
		{PAIR(", asn: 65010, virtualAddresses: [203.0.113.11/32]", ROUTER("")), "VirtualAddressNotOnUplink", 5,
			"203.0.113.11/32"},
		{PAIR(", asn: 65010, virtualAddresses: ['2001:db8:f::10/128']", ROUTER("")), "VirtualAddressNotTold", 5,
			"family"},
		{PAIR(", asn: 65010, virtualAddresses: [203.0.113.10/32, 203.0.113.10/32]", ROUTER("")), "InvalidValue",
			5, "twice"},
		{PAIR(ONE ", standbyPrepends: 9", ROUTER("")), "InvalidValue", 5, "standbyPrepends"},
		{PAIR(ONE, ROUTER("")) "  bgp: {daemon: external}\n", "NotSupported", 5, "vip-primary"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		case_refuse(cases[i].text, cases[i].code, cases[i].line, cases[i].says);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(both_families),
		cmocka_unit_test(without_routers),
		cmocka_unit_test(prints_as_it_was),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
