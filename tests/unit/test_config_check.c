/* The checks of networks: spaces, subnets, peerings, routes, groups, interfaces. Each rule is
 * seen to refuse what it must by code and line, and to let its neighbour pass.
 * Peerings, gateways and the rest have their own files.
 */
#include "config_case.h"

/* One VNet "v" of 10.0.0.0/16 and fd00::/48, subnets given. */
#define VNET(subnets)                                                                                                  \
	"virtualNetworks:\n- name: v\n  addressSpace: {addressPrefixes: [10.0.0.0/16, 'fd00::/48']}\n  "               \
	"subnets:\n" subnets

/* ---- networks -------------------------------------------------------------------- */

static void
address_spaces(void **state)
{
	static const struct case_refusal cases[] = {
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: []}}]", "MissingKey", 1, "at least one"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/8, 10.1.0.0/16]}}]",
			"AddressSpaceOverlapsItself", 1, "10.0.0.0/8 and 10.1.0.0/16"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.1.0.0/16, 10.1.0.0/16]}}]",
			"AddressSpaceOverlapsItself", 1, NULL},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.0.0.0/30]}}]", "InvalidAddressPrefix",
			1, "/29"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [224.1.0.0/16]}}]",
			"ReservedAddressRange", 1, "224.0.0.0/4"},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [169.254.1.0/24]}}]",
			"ReservedAddressRange", 1, NULL},
		{"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: ['fe80::/64']}}]", "ReservedAddressRange",
			1, NULL},
		{"virtualNetworks: [{name: -v, addressSpace: {addressPrefixes: [10.0.0.0/8]}}]", "InvalidName", 1,
			NULL},
		{"virtualNetworks: [{name: v/w, addressSpace: {addressPrefixes: [10.0.0.0/8]}}]", "InvalidName", 1,
			NULL},
		{"virtualNetworks:\n- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}}\n"
		 "- {name: V, addressSpace: {addressPrefixes: [11.0.0.0/8]}}\n",
			"DuplicateName", 3, "line 2"},
		{"virtualNetworks: [{name: v, flowTimeoutInMinutes: 3, addressSpace: {addressPrefixes: [10.0.0.0/8]}}]",
			"InvalidValue", 1, "from 4 to 30"},
	};
	struct config *c;

	CASE_REFUSE_ALL(cases);
	c = case_load(
		"virtualNetworks: [{name: v, flowTimeoutInMinutes: 30, addressSpace: {addressPrefixes: [10.0.0.0/8, "
		"11.0.0.0/29, 32.0.0.0/3, 'fd00::/8']}}]");
	config_free(c);
}

static void
subnets(void **state)
{
	static const struct case_refusal cases[] = {
		{VNET("  - {name: a, addressPrefix: 10.1.0.0/24}\n"), "NetcfgInvalidSubnet", 5,
			"outside its address space"},
		{VNET("  - {name: a, addressPrefix: 10.0.0.0/15}\n"), "NetcfgInvalidSubnet", 5,
			"outside its address space"},
		{VNET("  - {name: a, addressPrefix: 10.0.0.0/30}\n"), "NetcfgInvalidSubnet", 5, "/2 to /29"},
		{VNET("  - {name: a, addressPrefix: 'fd00::/63'}\n"), "NetcfgInvalidSubnet", 5, "/64 to /126"},
		{VNET("  - {name: a, addressPrefix: 'fd00::/127'}\n"), "NetcfgInvalidSubnet", 5, NULL},
		{VNET("  - {name: a}\n"), "MissingKey", 5, "addressPrefix"},
		{VNET("  - {name: a, addressPrefix: 10.0.0.0/24}\n  - {name: b, addressPrefix: 10.0.0.128/25}\n"),
			"NetcfgSubnetRangesOverlap", 6, "'b' (10.0.0.128/25) overlaps subnet 'a' (10.0.0.0/24)"},
		{VNET("  - {name: a, addressPrefix: 10.0.0.128/25}\n  - {name: b, addressPrefix: 10.0.0.0/24}\n"),
			"NetcfgSubnetRangesOverlap", 6, "'b' (10.0.0.0/24) overlaps subnet 'a' (10.0.0.128/25)"},
		{VNET("  - {name: a, addressPrefixes: [10.0.0.0/24, 10.0.0.0/25]}\n"), "NetcfgSubnetRangesOverlap", 5,
			NULL},
		{VNET("  - {name: a, addressPrefix: 10.0.0.0/24}\n  - {name: A, addressPrefix: 10.0.1.0/24}\n"),
			"DuplicateName", 6, NULL},
		{VNET("  - {name: a, addressPrefix: 10.0.0.0/24, networkSecurityGroup: x}\n"),
			"InvalidResourceReference", 5, "network security group"},
		{VNET("  - {name: a, addressPrefix: 10.0.0.0/24, routeTable: x}\n"), "InvalidResourceReference", 5,
			"route table"},
	};

	CASE_REFUSE_ALL(cases);
	case_accept(VNET(
		"  - {name: a, addressPrefix: 10.0.0.0/29}\n  - {name: b, addressPrefixes: [10.0.0.8/29, "
		"'fd00::/64']}\n"
		"  - {name: c, addressPrefix: 10.0.128.0/17, addressPrefixes: [10.0.128.0/17, 'fd00:0:0:1::/126']}\n"));
	/* without a peering, networks may use the same addresses */
	case_accept("virtualNetworks:\n- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/8]}}\n"
		    "- {name: w, addressSpace: {addressPrefixes: [10.0.0.0/8]}}\n");
}

static void
gateway_subnet(void **state)
{
	static const char tables[] =
		"routeTables:\n- {name: t, disableBgpRoutePropagation: true}\n"
		"- {name: u, routes: [{name: d, addressPrefix: 0.0.0.0/0, nextHopType: Internet}]}\n"
		"networkSecurityGroups: [{name: n}]\n";
	static const struct case_refusal cases[] = {
		{VNET("  - {name: gatewaysubnet, addressPrefix: 10.0.0.0/27}\n"), "GatewaySubnetName", 5, "exactly"},
		{VNET("  - {name: GatewaySubnet, addressPrefix: 10.0.0.0/30}\n"), "NetcfgInvalidSubnet", 5, "/29"},
		{VNET("  - {name: GatewaySubnet, addressPrefix: 10.0.0.0/27}\nnetworkInterfaces:\n"
		      "- {name: n, ipConfigurations: [{subnet: v/GatewaySubnet, privateIPAddress: 10.0.0.4}]}\n"),
			"GatewaySubnetHost", 7, NULL},
	};
	char text[1024];

	CASE_REFUSE_ALL(cases);
	snprintf(text, sizeof(text), "%s%s",
		VNET("  - {name: GatewaySubnet, addressPrefix: 10.0.0.0/27, routeTable: t}\n"), tables);
	case_refuse(text, "GatewaySubnetPropagationDisabled", 5, NULL);
	snprintf(text, sizeof(text), "%s%s",
		VNET("  - {name: GatewaySubnet, addressPrefix: 10.0.0.0/27, routeTable: u}\n"), tables);
	case_refuse(text, "GatewaySubnetDefaultRoute", 5, NULL);
	snprintf(text, sizeof(text), "%s%s",
		VNET("  - {name: GatewaySubnet, addressPrefix: 10.0.0.0/27, networkSecurityGroup: n}\n"), tables);
	case_refuse(text, "GatewaySubnetNsg", 5, NULL);
	/* any other subnet may */
	snprintf(text, sizeof(text), "%s%s%s",
		VNET("  - {name: a, addressPrefix: 10.0.0.0/27, routeTable: t, networkSecurityGroup: n}\n"),
		"  - {name: b, addressPrefix: 10.0.1.0/27, routeTable: u}\n", tables);
	case_accept(text);
}

/* ---- routes ---------------------------------------------------------------------- */

static void
routes(void **state)
{
#define ROUTES(r) "routeTables:\n- name: t\n  routes:\n" r
	static const struct case_refusal cases[] = {
		{ROUTES("  - {name: r, addressPrefix: 10.0.0.0/8, nextHopType: VirtualAppliance}\n"), "InvalidNextHop",
			4, "needs nextHopIpAddress"},
		{ROUTES("  - {name: r, addressPrefix: 10.0.0.0/8, nextHopType: VirtualAppliance, nextHopIpAddress: "
			"'fd00::1'}\n"),
			"InvalidNextHop", 4, "families"},
		{ROUTES("  - {name: r, addressPrefix: 10.0.0.0/8, nextHopType: Internet, nextHopIpAddress: "
			"10.0.0.4}\n"),
			"InvalidNextHop", 4, "only"},
		{ROUTES("  - {name: r, addressPrefix: 10.0.0.0/8, nextHopType: None}\n"
			"  - {name: s, addressPrefix: 10.0.0.0/8, nextHopType: Internet}\n"),
			"DuplicateRoute", 5, "'r' and 's'"},
		{ROUTES("  - {name: r, addressPrefix: 10.0.0.0/8, nextHopType: None}\n"
			"  - {name: r, addressPrefix: 10.0.0.0/9, nextHopType: Internet}\n"),
			"DuplicateName", 5, NULL},
	};
	char text[40000] = "routeTables:\n- name: t\n  routes:\n";

	CASE_REFUSE_ALL(cases);
	for (int i = 0; i < 400; i++)
		sprintf(text + strlen(text), "  - {name: r%d, addressPrefix: 10.%d.%d.0/24, nextHopType: None}\n", i,
			i / 256, i % 256);
	case_accept(text);
	strcat(text, "  - {name: last, addressPrefix: 11.0.0.0/8, nextHopType: None}\n");
	case_refuse(text, "LimitExceeded", 4, "401 entries in 'routes', at most 400");
}

/* ---- groups ---------------------------------------------------------------------- */

static const char open_rule[] =
	"  - {name: %s, priority: %d, direction: %s, access: Allow, protocol: '*', sourceAddressPrefix: "
	"'*', sourcePortRange: '*', destinationAddressPrefix: '*', destinationPortRange: '*'}\n";

static void
rules_are_ordered_and_completed(void **state)
{
	static const struct {
		const char *name;
		uint16_t priority;
		bool allow;
		enum cfg_direction direction;
		enum cfg_tag source, destination;
	} wanted[] = {
		{"y", 150, true, DIRECTION_INBOUND, TAG_ANY, TAG_ANY},
		{"x", 4096, true, DIRECTION_INBOUND, TAG_ANY, TAG_ANY},
		{"AllowVnetInBound", 65000, true, DIRECTION_INBOUND, TAG_VIRTUAL_NETWORK, TAG_VIRTUAL_NETWORK},
		{"AllowAzureLoadBalancerInBound", 65001, true, DIRECTION_INBOUND, TAG_AZURE_LOAD_BALANCER, TAG_ANY},
		{"DenyAllInBound", 65500, false, DIRECTION_INBOUND, TAG_ANY, TAG_ANY},
		{"z", 100, true, DIRECTION_OUTBOUND, TAG_ANY, TAG_ANY},
		{"AllowVnetOutBound", 65000, true, DIRECTION_OUTBOUND, TAG_VIRTUAL_NETWORK, TAG_VIRTUAL_NETWORK},
		{"AllowInternetOutBound", 65001, true, DIRECTION_OUTBOUND, TAG_ANY, TAG_INTERNET},
		{"DenyAllOutBound", 65500, false, DIRECTION_OUTBOUND, TAG_ANY, TAG_ANY},
	};
	char text[4096] = "networkSecurityGroups:\n- name: n\n  securityRules:\n";
	struct config *c;

	sprintf(text + strlen(text), open_rule, "x", 4096, "Inbound");
	sprintf(text + strlen(text), open_rule, "y", 150, "Inbound");
	sprintf(text + strlen(text), open_rule, "z", 100, "Outbound");
	c = case_load(text);
	assert_int_equal(c->nsgs[0].n_rules, 9);
	for (size_t i = 0; i < 9; i++) {
		const struct cfg_rule *r = &c->nsgs[0].rules[i];

		assert_string_equal(r->name, wanted[i].name);
		assert_int_equal(r->priority, wanted[i].priority);
		assert_int_equal(r->allow, wanted[i].allow);
		assert_int_equal(r->direction, wanted[i].direction);
		assert_int_equal(r->source.tag, wanted[i].source);
		assert_int_equal(r->destination.tag, wanted[i].destination);
		assert_int_equal(r->protocol, -1);
		assert_int_equal(r->is_default, r->priority > 4096);
	}
	config_free(c);

	sprintf(text + strlen(text), open_rule, "w", 100, "Outbound");
	case_refuse(text, "SecurityRuleConflict", 7, "'z' and 'w'");
}

static void
groups_are_bounded(void **state)
{
	char *text = malloc(1 << 20), *at = text;

	assert_non_null(text);
	at += sprintf(at, "networkSecurityGroups:\n- name: n\n  securityRules:\n");
	for (int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "r%d", i);
		at += sprintf(at, open_rule, name, 100 + i, "Inbound");
	}
	case_accept(text);
	sprintf(at, open_rule, "last", 2000, "Inbound");
	case_refuse(text, "LimitExceeded", 4, "1001 entries");

	/* 4000 prefixes in one group, however spread */
	at = text + sprintf(text, "networkSecurityGroups:\n- name: n\n  securityRules:\n");
	for (int i = 0; i < 2; i++) {
		at += sprintf(at,
			"  - {name: r%d, priority: %d, direction: Inbound, access: Allow, protocol: '*', "
			"sourcePortRange: '*', "
			"destinationAddressPrefix: '*', destinationPortRange: '*', sourceAddressPrefixes: [",
			i, 100 + i);
		for (int j = 0; j < 2000 + i; j++)
			at += sprintf(at, "10.%d.%d.0/24, ", i * 10 + j / 256, j % 256);
		at += sprintf(at, "]}\n");
	}
	case_refuse(text, "LimitExceeded", 2, "4001 source prefixes");
	memcpy(strstr(text, "10.0.0.0/24, "), "             ", 13);
	case_accept(text);
	free(text);
}

/* ---- interfaces ------------------------------------------------------------------ */

#define NICS(n)                                                                                                        \
	VNET("  - {name: a, addressPrefixes: [10.0.1.0/24, 'fd00::/64']}\n  - {name: b, addressPrefix: "               \
	     "10.0.2.0/24}\n")                                                                                         \
	"networkInterfaces:\n" n "applicationSecurityGroups: [{name: g}]\n"

static void
interfaces(void **state)
{
	static const struct case_refusal cases[] = {
		{NICS("- {name: n, ipConfigurations: [{subnet: v/a, privateIPAddress: 10.0.2.4}]}\n"),
			"PrivateIPAddressNotInSubnet", 8, "10.0.2.4"},
		{NICS("- {name: n, ipConfigurations: [{subnet: v/a, privateIPAddress: 10.0.1.0}]}\n"),
			"PrivateIPAddressInReservedRange", 8, NULL},
		{NICS("- {name: n, ipConfigurations: [{subnet: v/a, privateIPAddress: 10.0.1.1}]}\n"),
			"PrivateIPAddressInReservedRange", 8, "gateway"},
		{NICS("- {name: n, ipConfigurations: [{subnet: v/a, privateIPAddress: 10.0.1.255}]}\n"),
			"PrivateIPAddressInReservedRange", 8, NULL},
		{NICS("- {name: n, ipConfigurations: [{subnet: v/a, privateIPAddress: 'fd00::1'}]}\n"),
			"PrivateIPAddressInReservedRange", 8, NULL},
		{NICS("- {name: n, ipConfigurations: [{subnet: v/a, privateIPAddress: 10.0.1.4}]}\n"
		      "- {name: m, ipConfigurations: [{subnet: v/a, privateIPAddress: 10.0.1.4}]}\n"),
			"PrivateIPAddressInUse", 9, "of network interface 'm' is in use by 'n'"},
		{NICS("- {name: n, macAddress: 02-00-00-00-00-01, ipConfigurations: [{subnet: v/a, privateIPAddress: "
		      "10.0.1.4}]}\n"
		      "- {name: m, macAddress: '02:00:00:00:00:01', ipConfigurations: [{subnet: v/a, privateIPAddress: "
		      "10.0.1.5}]}\n"),
			"MacAddressInUse", 9, "'m'"},
		{NICS("- {name: n, macAddress: 03-00-00-00-00-01, ipConfigurations: [{subnet: v/a, privateIPAddress: "
		      "10.0.1.4}]}\n"),
			"InvalidMacAddress", 8, "one station"},
		{NICS("- {name: n, macAddress: 02-00-00-00-00, ipConfigurations: [{subnet: v/a, privateIPAddress: "
		      "10.0.1.4}]}\n"),
			"InvalidMacAddress", 8, NULL},
		{NICS("- {name: n, ipConfigurations: [{subnet: v/a, privateIPAddress: 10.0.1.4, publicIPAddress: {id: "
		      "x}}]}\n"),
			"NotSupported", 8, "publicIPAddress"},
		{NICS("- {name: n, ipConfigurations: []}\n"), "MissingKey", 8, "IP configuration"},
		{NICS("- {name: n}\n"), "MissingKey", 8, "ipConfigurations"},
		{NICS("- {name: n, ipConfigurations: [{subnet: v/a}]}\n"), "MissingKey", 8, "privateIPAddress"},
		{NICS("- {name: n, ipConfigurations: [{subnet: v/a, privateIPAddress: 10.0.1.4, "
		      "applicationSecurityGroups: [h]}]}\n"),
			"InvalidResourceReference", 8, "application security group"},
	};

	CASE_REFUSE_ALL(cases);
	case_accept(NICS("- {name: n, macAddress: 02-00-00-00-00-01, ipConfigurations: [{subnet: v/a, "
			 "privateIPAddress: 10.0.1.2, "
			 "applicationSecurityGroups: [{id: g}]}, {subnet: v/a, privateIPAddress: 'fd00::2'}]}\n"
			 "- {name: m, macAddress: 02-00-00-00-00-01, ipConfigurations: [{subnet: v/b, "
			 "privateIPAddress: 10.0.2.254}]}\n"));
	case_refuse("virtualNetworks:\n"
		    "- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/16]}, subnets: [{name: s, addressPrefix: "
		    "10.0.0.0/24}]}\n"
		    "- {name: w, addressSpace: {addressPrefixes: [10.1.0.0/16]}, subnets: [{name: s, addressPrefix: "
		    "10.1.0.0/24}]}\n"
		    "applicationSecurityGroups: [{name: g}]\n"
		    "networkInterfaces:\n"
		    "- {name: n, ipConfigurations: [{subnet: v/s, privateIPAddress: 10.0.0.4, "
		    "applicationSecurityGroups: [g]}]}\n"
		    "- {name: m, ipConfigurations: [{subnet: w/s, privateIPAddress: 10.1.0.4, "
		    "applicationSecurityGroups: [g]}]}\n",
		"ApplicationSecurityGroupAcrossVnets", 7, "'g'");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_spaces),
		cmocka_unit_test(subnets),
		cmocka_unit_test(gateway_subnet),
		cmocka_unit_test(routes),
		cmocka_unit_test(rules_are_ordered_and_completed),
		cmocka_unit_test(groups_are_bounded),
		cmocka_unit_test(interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
