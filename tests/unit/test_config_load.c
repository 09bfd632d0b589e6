/* The loader: shapes it takes, what it refuses and where it says so, limits. */
#include "config_case.h"

#define ARM "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/"

/* ---- shapes ---------------------------------------------------------------------- */

static const char flat[] = "virtualNetworks:\n"
			   "- name: v\n"
			   "  addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
			   "  subnets:\n"
			   "  - {name: s, addressPrefix: 10.0.1.0/24, routeTable: {id: t}}\n"
			   "routeTables:\n"
			   "- name: t\n"
			   "  disableBgpRoutePropagation: true\n"
			   "  routes: [{name: r, addressPrefix: 0.0.0.0/0, nextHopType: None}]\n";

static const char nested[] =
	"{\"virtualNetworks\":[{\"name\":\"v\",\"etag\":\"x\",\"properties\":{\"addressSpace\":{\"addressPrefixes\":["
	"\"10.0.0.0/16\"]},"
	"\"subnets\":[{\"name\":\"s\",\"properties\":{\"addressPrefix\":\"10.0.1.0/24\",\"natGateway\":null,"
	"\"routeTable\":{\"id\":\"t\",\"resourceGroup\":\"g\"}}}]}}],"
	"\"routeTables\":[{\"name\":\"t\",\"disableBgpRoutePropagation\":true,\"properties\":{"
	"\"routes\":[{\"name\":\"r\",\"addressPrefix\":\"0.0.0.0/"
	"0\",\"properties\":{\"nextHopType\":\"none\",\"nextHopIpAddress\":\"\"}}]}}]}";

static void
flat_and_nested_are_one(void **state)
{
	struct config *a = case_load(flat), *b = case_load(nested);
	char *x = case_print(a), *y = case_print(b);

	assert_string_equal(x, y);
	assert_int_equal(a->n_vnets, 1);
	assert_string_equal(a->vnets[0].subnets[0].name, "s");
	assert_int_equal(a->vnets[0].subnets[0].route_table, 0);
	assert_true(a->route_tables[0].disable_bgp_route_propagation);
	assert_int_equal(a->route_tables[0].routes[0].type, NEXT_HOP_NONE);
	free(x);
	free(y);
	config_free(a);
	config_free(b);
}

static void
defaults_need_no_appliance(void **state)
{
	struct config *c = case_load("{}");
	const struct cfg_appliance *a = &c->appliance;

	assert_string_equal(a->name, "isthmus");
	assert_string_equal(a->socket, "/run/isthmus/isthmus.sock");
	assert_string_equal(a->state_dir, "/var/lib/isthmus/isthmus");
	assert_int_equal(a->workers, 1);
	assert_int_equal(a->flows, 262144);
	assert_int_equal(a->neighbours, 16384);
	assert_true(a->busy_poll);
	assert_null(a->cores);
	config_free(c);
	config_free(NULL);

	c = case_load("appliance: {name: x}");
	assert_string_equal(c->appliance.socket, "/run/isthmus/x.sock");
	config_free(c);
}

static void
references_by_name_and_id(void **state)
{
	struct config *c = case_load(
		"virtualNetworks:\n"
		"- name: Hub\n"
		"  id: " ARM "virtualNetworks/Hub\n"
		"  addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
		"  subnets: [{name: Web, addressPrefix: 10.0.1.0/24, networkSecurityGroup: n}]\n"
		"networkSecurityGroups: [{name: N}]\n"
		"networkInterfaces:\n"
		"- {name: a, ipConfigurations: [{subnet: hub/web, privateIPAddress: 10.0.1.4}]}\n"
		"- {name: b, ipConfigurations: [{subnet: {id: " ARM
		"VirtualNetworks/hub/Subnets/WEB}, privateIPAddress: 10.0.1.5}], networkSecurityGroup: {id: " ARM
		"networkSecurityGroups/n}}\n");

	assert_int_equal(c->nics[0].ip_configs[0].subnet, 0);
	assert_int_equal(c->nics[1].ip_configs[0].subnet, 0);
	assert_int_equal(c->nics[0].nsg, CFG_NONE);
	assert_int_equal(c->nics[1].nsg, 0);
	assert_int_equal(c->vnets[0].subnets[0].nsg, 0);
	config_free(c);
}

static void
references_that_lead_nowhere(void **state)
{
	static const char with[] = "virtualNetworks:\n"
				   "- name: hub\n"
				   "  id: " ARM "virtualNetworks/hub\n"
				   "  addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
				   "  subnets: [{name: web, addressPrefix: 10.0.1.0/24}]\n"
				   "networkInterfaces:\n"
				   "- name: n\n"
				   "  ipConfigurations: [{privateIPAddress: 10.0.1.4,\n"
				   "    subnet: %s}]\n";
	static const struct {
		const char *ref, *code, *says;
	} cases[] = {
		{"hub/wen", "InvalidResourceReference", "did you mean 'web'"},
		{"hup/web", "InvalidResourceReference", "did you mean 'hub'"},
		{"hub", "InvalidReference", "VNET/NAME"},
		{"hub/web/x", "InvalidReference", NULL},
		{"{id: " ARM "virtualNetworks/hub}", "InvalidReference", NULL},
		{"{id: " ARM "virtualNetworks/hub/subnets/}", "InvalidReference", NULL},
		{"{id: /hub/web/x}", "InvalidReference", NULL},
		{"{id: "
		 "/subscriptions/OTHER/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/hub/subnets/web}",
			"InvalidResourceReference", "another id"},
		{"[hub/web]", "InvalidReference", NULL},
		{"{}", "InvalidReference", NULL},
		{"''", "InvalidReference", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];

		snprintf(text, sizeof(text), with, cases[i].ref);
		case_refuse(text, cases[i].code, 9, cases[i].says);
	}
}

/* ---- the document ---------------------------------------------------------------- */

static void
documents_refused(void **state)
{
	static const struct {
		const char *text, *code;
		uint32_t line;
	} cases[] = {
		{"", "EmptyFile", 0},
		{"# only a comment\n", "EmptyFile", 0},
		{"null", "EmptyFile", 1},
		{"---\n...\n", "EmptyFile", 2},
		{"[]", "InvalidValue", 1},
		{"text", "InvalidValue", 1},
		{"{}\n---\n{}\n", "MultipleDocuments", 2},
		{"a: [1, 2\nb: 3\n", "SyntaxError", 2},
		{"appliance:\n\tname: x\n", "SyntaxError", 2},
		{"appliance: {name: 'x}\n", "SyntaxError", 2},
		{"appliance: {name: x, name: y}\n", "DuplicateKey", 1},
		{"appliance: &a {name: x}\nvirtualNetworks: *a\n", "AliasNotAllowed", 2},
		{"appliance: !!map {}\n", "TagNotAllowed", 1},
		{"appliance: {name: !!str x}\n", "TagNotAllowed", 1},
		{"? [a]\n: b\n", "InvalidValue", 1},
		{"? {a: b}\n: b\n", "InvalidValue", 1},
		{"appliance: {name: \"a\\0b\"}\n", "InvalidValue", 1},
		{"appliance: {name: \x01}\n", "SyntaxError", 0},
		{"appliance: {name: \xff}\n", "SyntaxError", 0},
		{"{\"appliance\": {\"name\": \"x\",}", "SyntaxError", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		case_refuse(cases[i].text, cases[i].code, cases[i].line, NULL);
}

/* A kilobyte that would become gigabytes. */
static void
billion_laughs_refused(void **state)
{
	case_refuse("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n",
		"AliasNotAllowed", 2, NULL);
}

static void
depth_is_bounded(void **state)
{
	char text[5000] = "";

	/* memset leaves the terminating NUL: the rest of the buffer is zero */
	for (int depth = 25; depth <= 40; depth += 15) {
		size_t n = (size_t)depth;

		snprintf(text, sizeof(text),
			"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}, tags: ");
		memset(text + strlen(text), '[', n);
		strcat(text, "x");
		for (int i = 0; i < depth; i++)
			strcat(text, "]");
		strcat(text, "}]\n");
		if (depth < 29)
			case_accept(text);
		else
			case_refuse(text, "LimitExceeded", 1, "32 levels");
		memset(text, 0, sizeof(text));
	}
	/* far beyond the depth, and never closed: the parser must not follow */
	memset(text, '[', sizeof(text) - 1);
	case_refuse(text, "LimitExceeded", 1, "32 levels");
}

static void
sizes_are_bounded(void **state)
{
	const size_t size = (64u << 20) + 1;
	char *text = malloc(size);
	struct config *c;

	assert_non_null(text);
	memset(text, ' ', size);
	assert_int_equal(config_parse("x", text, size, &c, &case_errors), -22);
	assert_non_null(case_find("LimitExceeded"));

	/* more keys than an object may have */
	strcpy(text, "{");
	for (int i = 0, at = 1; i < 300; i++)
		at += sprintf(text + at, "k%d: null, ", i);
	strcat(text, "}");
	case_refuse(text, "LimitExceeded", 1, "256 keys");

	/* more resources than there may be */
	strcpy(text, "networkSecurityGroups: [");
	for (int i = 0, at = (int)strlen(text); i < 5001; i++)
		at += sprintf(text + at, "{name: n%d},", i);
	strcat(text, "]");
	case_refuse(text, "LimitExceeded", 1, "at most 5000");
	free(text);
}

static void
values_are_counted(void **state)
{
	const size_t n = 4000001;
	char *text = malloc(2 * n + 64), *p = text;

	assert_non_null(text);
	p += sprintf(p, "x: [");
	for (size_t i = 0; i < n; i++) {
		*p++ = '1';
		*p++ = ',';
	}
	strcpy(p, "]");
	case_refuse(text, "LimitExceeded", 0, "4000000 values");
	free(text);
}

/* ---- keys and values ------------------------------------------------------------- */

static void
unknown_keys_are_errors(void **state)
{
	case_refuse("virtualNetwork: []\n", "UnknownKey", 1, "did you mean 'virtualNetworks'?");
	case_refuse("appliance:\n  wokers: 2\n", "UnknownKey", 2, "did you mean 'workers'?");
	case_refuse("appliance:\n  entirelyDifferentThing: 2\n", "UnknownKey", 2, "no key 'entirelyDifferentThing'");
	assert_null(strstr(case_errors.e[0].text, "did you mean"));
	case_refuse("appliance: {properties: {workers: 2}}\n", "UnknownKey", 1, "properties");
	case_refuse("routeTables:\n- name: t\n  properties:\n    properties: {}\n", "UnknownKey", 4, "properties");
	case_refuse("routeTables:\n- name: t\n  disableBgpRoutePropagation: true\n"
		    "  properties: {disableBgpRoutePropagation: true}\n",
		"DuplicateKey", 4, "both beside and under");
}

static void
column_is_told(void **state)
{
	case_refuse("appliance: {workers: 2, flows: many}\n", "InvalidValue", 1, "'many'");
	assert_int_equal(case_errors.e[0].mark.column, 32);
}

static void
values_are_strict(void **state)
{
	static const struct {
		const char *text, *code, *says;
	} cases[] = {
		{"appliance: {workers: 0}", "InvalidValue", "from 1 to 64"},
		{"appliance: {workers: 65}", "InvalidValue", "65"},
		{"appliance: {workers: 010}", "InvalidValue", "010"},
		{"appliance: {workers: -1}", "InvalidValue", NULL},
		{"appliance: {workers: 1.5}", "InvalidValue", NULL},
		{"appliance: {workers: 99999999999999999999}", "InvalidValue", NULL},
		{"appliance: {workers: [1]}", "InvalidValue", "list"},
		{"appliance: {workers: 0x}", "InvalidValue", NULL},
		{"appliance: {memory: 5}", "InvalidValue", ", or 0"},
		{"appliance: {busyPoll: yes}", "InvalidValue", "true or false"},
		{"appliance: {hugepages: maybe}", "InvalidValue", "auto, on, off"},
		{"appliance: {maxSimd: 300}", "InvalidValue", "256 or 512"},
		{"appliance: {name: [x]}", "InvalidValue", NULL},
		{"appliance: {name: ../../etc}", "InvalidName", NULL},
		{"appliance: {name: ''}", "InvalidName", NULL},
		{"appliance: {socket: run/x.sock}", "InvalidValue", "from the root"},
		{"appliance: {socket: "
		 "/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
		 "567890123456789012345678901234}",
			"LimitExceeded", "107"},
		{"appliance: {ports: {name: x}}", "InvalidValue", "list of objects"},
		{"appliance: {ports: [x]}", "InvalidValue", "is an object"},
		{"appliance: {ports: [null]}", "InvalidValue", "is an object"},
		{"appliance: {cores: [0]}", "InvalidValue", "list"},
		{"appliance: {cores: [0, 1, 2]}", "InvalidValue", "1 workers need 2"},
		{"appliance: {cores: [1, 1]}", "InvalidValue", "twice"},
		{"appliance: {cores: [1, x]}", "InvalidValue", "from 0 to 1023"},
		{"routeTables: [{name: t, routes: [{name: r, nextHopType: None, addressPrefix: 10.0.0.1/8}]}]",
			"InvalidAddressPrefix", "did you mean '10.0.0.0/8'?"},
		{"routeTables: [{name: t, routes: [{name: r, nextHopType: None, addressPrefix: ten}]}]",
			"InvalidAddressPrefix", "'ten'"},
		{"routeTables: [{name: t, routes: [{name: r, nextHopType: Nowhere, addressPrefix: 10.0.0.0/8}]}]",
			"InvalidValue", "VirtualAppliance"},
		{"routeTables: [{name: t, routes: [{name: r, nextHopType: None}]}]", "MissingKey", "addressPrefix"},
		{"routeTables: [{routes: []}]", "MissingKey", "name"},
		{"publicIPAddresses: [{name: p, ipAddress: 1.2.3}]", "InvalidAddress", "1.2.3"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		case_refuse(cases[i].text, cases[i].code, 1, cases[i].says);
	case_accept("appliance: {workers: 0x2, cores: [3, 1, 2], memory: 0, maxSimd: 512, flows: '2048'}");
}

/* What a newer or another cloud feature asks for is never dropped in silence. */
static void
unsupported_is_refused(void **state)
{
	static const struct {
		const char *place, *key, *value, *fine;
	} cases[] = {
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}, ", "enableDdosProtection",
			"true", "false"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}, ", "encryption",
			"{enabled: true}", "{enabled: false, enforcement: AllowUnencrypted}"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}, ", "bgpCommunities",
			"{virtualNetworkCommunity: '12076:20000'}", "null"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}, subnets: [{name: s, "
		 "addressPrefix: 10.0.0.0/24, ",
			"natGateway", "{id: x}", "null"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}, subnets: [{name: s, "
		 "addressPrefix: 10.0.0.0/24, ",
			"serviceEndpoints", "[{service: Microsoft.Storage}]", "[]"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}, subnets: [{name: s, "
		 "addressPrefix: 10.0.0.0/24, ",
			"defaultOutboundAccess", "false", "true"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}, virtualNetworkPeerings: "
		 "[{name: p, "
		 "remoteVirtualNetwork: {id: " ARM "virtualNetworks/w}, ",
			"peerCompleteVnets", "false", "true"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}, virtualNetworkPeerings: "
		 "[{name: p, "
		 "remoteVirtualNetwork: {id: " ARM "virtualNetworks/w}, ",
			"enableOnlyIPv6Peering", "true", "false"},
		{"routeTables: [{name: t, routes: [{name: r, addressPrefix: 10.0.0.0/8, nextHopType: None, ",
			"hasBgpOverride", "true", "false"},
		{"networkSecurityGroups: [{name: n, ", "flushConnection", "true", "false"},
		{"publicIPAddresses: [{name: i, ipAddress: 192.0.2.1, ", "natGateway", "{id: x}", "null"},
	};
	char text[1024];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *end = strstr(cases[i].place, "[{name: r") || strstr(cases[i].place, "[{name: s") ||
						  strstr(cases[i].place, "[{name: p")
					  ? "}]}]"
					  : "}]";

		snprintf(text, sizeof(text), "%s%s: %s%s", cases[i].place, cases[i].key, cases[i].value, end);
		case_refuse(text, "NotSupported", 1, strcmp(cases[i].key, "encryption") ? cases[i].key : "enabled");
		snprintf(text, sizeof(text), "%s%s: %s%s", cases[i].place, cases[i].key, cases[i].fine, end);
		case_accept(text);
	}
}

static void
many_errors_at_once(void **state)
{
	struct config *c;
	char text[8192] = "appliance:\n";

	case_refuse_n("appliance:\n  workers: 0\n  wokers: 1\n  flows: x\nroutTables: []\n", "UnknownKey", 0, NULL, 4);
	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "  nonsense%d: 1\n", i);
	assert_int_equal(config_parse("x", text, strlen(text), &c, &case_errors), -22);
	assert_int_equal(case_errors.n, CONFIG_ERRORS_MAX);
	assert_int_equal(case_errors.total, 100);
}

/* An error silences what follows from it in its own object, and nothing around it. */
static void
consequences_are_not_told(void **state)
{
	case_refuse("appliance:\n  ports:\n  - {name: p, driver: nonsense}\n", "InvalidValue", 3, NULL);
	case_refuse_n("virtualNetworks:\n"
		      "- name: v\n"
		      "  addressSpace: {addressPrefixes: [10.0.0.0/16, 10.0.0.0/17]}\n"
		      "  subnets:\n"
		      "  - {name: a, addressPrefix: 10.9.0.0/33}\n"
		      "  - {name: b, addressPrefix: 10.9.0.0/24}\n",
		"AddressSpaceOverlapsItself", 3, NULL, 3);
	assert_non_null(case_find("InvalidAddressPrefix"));
	assert_int_equal(case_find("NetcfgInvalidSubnet")->mark.line, 6);
}

static void
error_text_is_printable(void **state)
{
	case_refuse("appliance: {\"\\e[31mevil\\n\\u00fc\": 1}", "UnknownKey", 1, "evil");
	for (const char *p = case_errors.e[0].text; *p != '\0'; p++)
		assert_true(*p >= 0x20 && *p < 0x7f);
}

/* ---- rules ----------------------------------------------------------------------- */

#define RULE(r)                                                                                                        \
	"networkSecurityGroups: [{name: n, securityRules: [{name: r, priority: 100, direction: Inbound, access: "      \
	"Allow, " r "}]}]"
#define SIDES "protocol: Tcp, sourceAddressPrefix: '*', sourcePortRange: '*', "

static void
rule_sides(void **state)
{
	struct config *c = case_load(
		RULE("protocol: Udp, sourceAddressPrefix: '', sourceAddressPrefixes: [10.0.0.0/8, 192.0.2.1, "
		     "'2001:db8::/32'], sourcePortRanges: ['53', 1000-2000], sourcePortRange: null, "
		     "destinationAddressPrefix: internet, destinationPortRange: 0-65535, destinationPortRanges: []"));
	const struct cfg_nsg *g = &c->nsgs[0];
	const struct cfg_rule *r = &g->rules[0];

	assert_int_equal(g->n_rules, 7);
	assert_int_equal(r->protocol, 17);
	assert_int_equal(r->source.tag, TAG_PREFIXES);
	assert_int_equal(r->source.prefixes.n, 3);
	assert_int_equal(r->source.n_ports, 2);
	assert_int_equal(r->source.ports[0].first, 53);
	assert_int_equal(r->source.ports[1].last, 2000);
	assert_int_equal(r->destination.tag, TAG_INTERNET);
	assert_int_equal(r->destination.n_ports, 0);
	config_free(c);

	case_refuse(RULE(SIDES "destinationAddressPrefix: Storage, destinationPortRange: '*'"),
		"ServiceTagNotSupported", 1, "VirtualNetwork, Internet and AzureLoadBalancer");
	case_refuse(RULE(SIDES "destinationAddressPrefixes: [Internet, 10.0.0.0/8], destinationPortRange: '*'"),
		"SecurityRuleInvalidAddressPrefix", 1, NULL);
	case_refuse(RULE(SIDES "destinationAddressPrefix: 10.0.0.1/8, destinationPortRange: '*'"),
		"InvalidAddressPrefix", 1, NULL);
	case_refuse(RULE(SIDES "destinationPortRange: '*'"), "MissingKey", 1, "destinationAddressPrefix");
	case_refuse(RULE(SIDES "destinationAddressPrefix: '*'"), "MissingKey", 1, "destinationPortRange");
	case_refuse(RULE(SIDES "destinationAddressPrefix: '*', destinationPortRange: 65536"),
		"SecurityRuleInvalidPortRange", 1, NULL);
	case_refuse_n(
		RULE(SIDES
			"destinationAddressPrefix: '*', destinationPortRanges: [2-1, '', 1-2-3, 1-, -1, 0x10, ' 1']"),
		"SecurityRuleInvalidPortRange", 1, NULL, 7);
	case_refuse_n(RULE(SIDES "destinationAddressPrefix: '*', destinationApplicationSecurityGroups: [x], "
				 "destinationPortRange: "
				 "'*'"),
		"SecurityRuleInvalidAddressPrefix", 1, NULL, 2);
	case_refuse(
		RULE("protocol: Icmp, sourceAddressPrefix: '*', sourcePortRange: '*', destinationAddressPrefix: '*', "
		     "destinationPortRange: '80'"),
		"SecurityRuleInvalidPortRange", 1, "no ports");
	case_refuse(
		RULE("protocol: Sctp, sourceAddressPrefix: '*', sourcePortRange: '*', destinationAddressPrefix: '*', "
		     "destinationPortRange: '80'"),
		"InvalidValue", 1, "Tcp");
}

static void
files_that_cannot_be_read(void **state)
{
	struct config *c = (struct config *)1;

	assert_int_equal(config_load("/nonexistent/x.yaml", &c, &case_errors), -2);
	assert_null(c);
	assert_non_null(case_find("FileUnreadable"));
	assert_int_equal(config_load("/", &c, &case_errors), -21);
	assert_int_equal(case_errors.total, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flat_and_nested_are_one),
		cmocka_unit_test(defaults_need_no_appliance),
		cmocka_unit_test(references_by_name_and_id),
		cmocka_unit_test(references_that_lead_nowhere),
		cmocka_unit_test(documents_refused),
		cmocka_unit_test(billion_laughs_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(values_are_counted),
		cmocka_unit_test(unknown_keys_are_errors),
		cmocka_unit_test(column_is_told),
		cmocka_unit_test(values_are_strict),
		cmocka_unit_test(unsupported_is_refused),
		cmocka_unit_test(many_errors_at_once),
		cmocka_unit_test(consequences_are_not_told),
		cmocka_unit_test(error_text_is_printable),
		cmocka_unit_test(rule_sides),
		cmocka_unit_test(files_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
