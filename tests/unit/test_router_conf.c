/* What bird is told of the routers of a pair. That bird accepts it, and what routers then hear: system/ha_vip. */
#include "control/router_conf.h"
#include "tests/unit/config_case.h"

#include <stdlib.h>
#include <string.h>

static char *
conf(const char *routers)
{
	bool six = strstr(routers, "r6") != NULL;
	char text[2048], *made;
	struct config *c;

	snprintf(text, sizeof(text),
		"appliance:\n"
		"  ports: [{name: p0, driver: \"null\"}]\n"
		"  uplinks: [{name: wan, port: p0,\n"
		"    addresses: [203.0.113.10/32, 203.0.113.11/32, 192.0.2.1/24, 2001:db8::1/64, '2001:db8:f::10']}]\n"
		"  highAvailability: {lease: {kind: static}, asn: 65010, standbyPrepends: 3,\n"
		"    virtualAddresses: [203.0.113.10, 203.0.113.11%s], routers: [%s]}\n",
		six ? ", '2001:db8:f::10'" : "", routers);
	c = case_load(text);
	made = router_conf_make(&c->appliance);
	assert_non_null(made);
	config_free(c);
	return made;
}

#define R4 "{name: r4, address: 192.0.2.254, asn: 65001, bgp: {password: geheim, bfdIntervalMilliseconds: 50}}"
#define R6 "{name: r6, address: '2001:db8::fe', asn: 65010, bgp: {bfd: false}}"

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static void
each_level_has_its_path(void **state)
{
	char *text = conf(R4 ", " R6), *standby, *drained;

	(void)state;
	assert_non_null(strstr(text, "net !~ [203.0.113.10/32, 203.0.113.11/32] then reject"));
	assert_non_null(strstr(text, "net !~ [2001:db8:f::10/128] then reject"));
	standby = strstr(text, "ifname = \"vip-standby\"");
	drained = strstr(text, "ifname = \"vip-drained\"");
	assert_true(standby && drained && standby < drained);
	/* in both families */
	assert_int_equal(count(text, "bgp_path.prepend(65010)"), 2 * (3 + 6));
	*drained = '\0';
	assert_int_equal(count(standby, "bgp_path.prepend(65010)"), 3);
	*standby = '\0';
	assert_int_equal(count(text, "bgp_path.prepend"), 0);
	free(text);
}

static void
routers_hear_of_them_and_tell_nothing(void **state)
{
	char *text = conf(R4 ", " R6), *six;

	(void)state;
	assert_non_null(strstr(text, "router id 192.0.2.1;"));
	six = strstr(text, "description \"r6\"");
	assert_non_null(six);
	assert_non_null(strstr(six, "local 2001:db8::1 as 65010;\n\tneighbor 2001:db8::fe as 65010;"));
	assert_non_null(strstr(six, "ipv6 { import none; export filter tell6; next hop self; }"));
	assert_null(strstr(six, "bfd"));
	*six = '\0';
	assert_non_null(strstr(text, "neighbor 192.0.2.254 as 65001;"));
	assert_non_null(strstr(text, "password \"geheim\";"));
	assert_non_null(strstr(text, "bfd { interval 50 ms; multiplier 3; };"));
	assert_null(strstr(text, "multihop"));
	free(text);
}

/* One of them changes; the other one's session must not. */
static void
a_session_is_named_by_its_router(void **state)
{
	const struct cfg_router r4 = {.name = (char *)"r4"}, r6 = {.name = (char *)"r6"};
	char a[BIRD_NAME_MAX], b[BIRD_NAME_MAX];
	char *text = conf(R4), *both = conf(R4 ", " R6);

	(void)state;
	router_session_name(&r4, a);
	router_session_name(&r6, b);
	assert_string_not_equal(a, b);
	assert_non_null(strstr(text, a));
	assert_null(strstr(text, b));
	assert_non_null(strstr(both, a));
	assert_non_null(strstr(both, b));
	free(text);
	free(both);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_level_has_its_path),
		cmocka_unit_test(routers_hear_of_them_and_tell_nothing),
		cmocka_unit_test(a_session_is_named_by_its_router),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
