/* The checks of networks: spaces, subnets, peerings, routes, groups, interfaces. Each rule is
 * seen to refuse what it must by code and line, and to let its neighbour pass.
 * Gateways, connections, keys and the appliance's part: test_config_gateway.c.
 */
#include "config_case.h"

#define ARM "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/"

/* One VNet "v" of 10.0.0.0/16 and fd00::/48, subnets given. */
#define VNET(subnets)                                                                                                  \
	"virtualNetworks:\n- name: v\n  addressSpace: {addressPrefixes: [10.0.0.0/16, 'fd00::/48']}\n  "               \
	"subnets:\n" subnets

struct refusal {
	const char *text, *code;
	uint32_t line;
	const char *says;
};

static void
refuse_all(const struct refusal *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		case_refuse(cases[i].text, cases[i].code, cases[i].line, cases[i].says);
}

#define REFUSE_ALL(cases) refuse_all(cases, sizeof(cases) / sizeof(cases[0]))

/* ---- networks -------------------------------------------------------------------- */

static void
address_spaces(void **state)
{
	static const struct refusal cases[] = {
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

	REFUSE_ALL(cases);
	c = case_load(
		"virtualNetworks: [{name: v, flowTimeoutInMinutes: 30, addressSpace: {addressPrefixes: [10.0.0.0/8, "
		"11.0.0.0/29, 32.0.0.0/3, 'fd00::/8']}}]");
	config_free(c);
}

static void
subnets(void **state)
{
	static const struct refusal cases[] = {
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

	REFUSE_ALL(cases);
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
	static const struct refusal cases[] = {
		{VNET("  - {name: gatewaysubnet, addressPrefix: 10.0.0.0/27}\n"), "GatewaySubnetName", 5, "exactly"},
		{VNET("  - {name: GatewaySubnet, addressPrefix: 10.0.0.0/30}\n"), "NetcfgInvalidSubnet", 5, "/29"},
		{VNET("  - {name: GatewaySubnet, addressPrefix: 10.0.0.0/27}\nnetworkInterfaces:\n"
		      "- {name: n, ipConfigurations: [{subnet: v/GatewaySubnet, privateIPAddress: 10.0.0.4}]}\n"),
			"GatewaySubnetHost", 7, NULL},
	};
	char text[1024];

	REFUSE_ALL(cases);
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

/* ---- peerings -------------------------------------------------------------------- */

/* Networks a, b and c with peerings given; flags as text. */
#define NET(name, space, peerings)                                                                                     \
	"- {name: " name ", addressSpace: {addressPrefixes: [" space "]}, virtualNetworkPeerings: [" peerings "]}\n"
#define PEER(name, remote, flags) "{name: " name ", remoteVirtualNetwork: {id: " remote "}" flags "}"

static void
peering_states(void **state)
{
	struct config *c =
		case_load("virtualNetworks:\n" NET("a", "10.0.0.0/16", PEER("p", "b", "") ", " PEER("q", "c", ""))
				NET("b", "10.1.0.0/16", PEER("p", "A", "")) NET("c", "10.2.0.0/16", ""));
	const struct cfg_peering *p = c->vnets[0].peerings;

	assert_int_equal(p[0].state, PEERING_CONNECTED);
	assert_int_equal(p[0].remote, 1);
	assert_int_equal(p[0].partner, 0);
	assert_int_equal(c->vnets[1].peerings[0].state, PEERING_CONNECTED);
	assert_int_equal(c->vnets[1].peerings[0].remote, 0);
	assert_int_equal(p[1].state, PEERING_INITIATED);
	assert_int_equal(p[1].partner, CFG_NONE);
	assert_true(p[0].allow_virtual_network_access);
	assert_false(p[0].allow_forwarded_traffic);
	config_free(c);

	/* the remote network is in nobody's file but its owner's */
	c = case_load("virtualNetworks:\n" NET("a", "10.0.0.0/16",
		PEER("p", ARM "virtualNetworks/far",
			", peeringState: Connected, remoteAddressSpace: {addressPrefixes: [10.9.0.0/16]}")));
	p = c->vnets[0].peerings;
	assert_int_equal(p->state, PEERING_INITIATED);
	assert_int_equal(p->remote, CFG_NONE);
	assert_true(p->has_state);
	assert_int_equal(p->stated, PEERING_CONNECTED);
	assert_int_equal(p->remote_space.n, 1);
	config_free(c);

	/* the other side was deleted once */
	c = case_load("virtualNetworks:\n" NET("a", "10.0.0.0/16", PEER("p", "b", ", peeringState: Disconnected"))
			NET("b", "10.0.0.0/16", ""));
	assert_int_equal(c->vnets[0].peerings[0].state, PEERING_DISCONNECTED);
	config_free(c);
	c = case_load("virtualNetworks:\n" NET("a", "10.0.0.0/16", PEER("p", "b", ", peeringState: Disconnected"))
			NET("b", "10.1.0.0/16", PEER("p", "a", ", peeringState: Disconnected")));
	assert_int_equal(c->vnets[1].peerings[0].state, PEERING_DISCONNECTED);
	config_free(c);
	case_refuse("virtualNetworks:\n" NET("a", "10.0.0.0/16", PEER("p", "b", ", peeringState: Disconnected"))
			    NET("b", "10.1.0.0/16", PEER("q", "a", "")),
		"RemotePeeringIsDisconnected", 3, "set its peeringState to Initiated");
}

static void
peerings_refused(void **state)
{
	static const struct refusal cases[] = {
		{"virtualNetworks:\n" NET("a", "10.0.0.0/16", PEER("p", "a", "")), "PeeringToItself", 2, NULL},
		{"virtualNetworks:\n" NET("abc", "10.0.0.0/16", PEER("p", "abd", "")), "InvalidResourceReference", 2,
			"did you mean 'abc'"},
		{"virtualNetworks:\n" NET("a", "10.0.0.0/16", PEER("p", ARM "subnets/b", "")), "InvalidReference", 2,
			NULL},
		{"virtualNetworks:\n" NET("a", "10.0.0.0/16", PEER("p", "b", "") ", " PEER("q", "b", ""))
				NET("b", "10.1.0.0/16", ""),
			"AnotherPeeringAlreadyReferencesRemoteVnet", 2, "'q' of 'a'"},
		{"virtualNetworks:\n" NET("a", "10.0.0.0/16",
			 PEER("p", ARM "virtualNetworks/far", "") ", " PEER("q", ARM "VirtualNetworks/FAR", "")),
			"AnotherPeeringAlreadyReferencesRemoteVnet", 2, NULL},
		{"virtualNetworks:\n" NET("a", "10.0.0.0/16", PEER("p", "b", "") ", " PEER("P", "c", ""))
				NET("b", "10.1.0.0/16", "") NET("c", "10.2.0.0/16", ""),
			"DuplicateName", 2, NULL},
		{"virtualNetworks:\n" NET("a", "10.0.0.0/16, 10.5.0.0/16", PEER("p", "b", ""))
				NET("b", "10.0.128.0/17, 10.5.0.0/16", ""),
			"VnetAddressSpacesOverlap", 2, "10.0.0.0/16, 10.0.128.0/17, 10.5.0.0/16"},
		{"virtualNetworks:\n" NET("a", "10.0.0.0/16", PEER("p", "b", "") ", " PEER("q", "c", ""))
				NET("b", "10.1.0.0/16", "") NET("c", "10.1.0.0/24, 10.2.0.0/24", ""),
			"VnetAddressSpaceOverlapsWithAlreadyPeeredVnet", 2, "10.1.0.0/16, 10.1.0.0/24"},
		{"virtualNetworks:\n" NET("a", "10.0.0.0/16",
			 PEER("p", ARM "virtualNetworks/far",
				 ", remoteAddressSpace: {addressPrefixes: [10.0.3.0/24]}")),
			"VnetAddressSpacesOverlap", 2, "10.0.3.0/24"},
		{"virtualNetworks:\n"
		 "- {name: a, appliance: {cloud: AzureUSGovernment}, addressSpace: {addressPrefixes: [10.0.0.0/16]},\n"
		 "   virtualNetworkPeerings: [" PEER("p", "b", "") "]}\n" NET("b", "10.1.0.0/16", ""),
			"PeeringAcrossClouds", 3, "AzureUSGovernment"},
	};

	REFUSE_ALL(cases);
}

/* Table 1b of the semantics: A uses the gateway of B. */
static void
peering_flags(void **state)
{
	static const char gateways[] =
		"virtualNetworkGateways:\n- {name: g, ipConfigurations: [{subnet: b/GatewaySubnet, "
		"publicIPAddress: i}]}\npublicIPAddresses: [{name: i, ipAddress: 192.0.2.1}]\n";
	static const char networks[] =
		"virtualNetworks:\n"
		"- name: a\n"
		"  addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
		"  subnets: [{name: GatewaySubnet, addressPrefix: 10.0.0.0/27}]\n"
		"  virtualNetworkPeerings:\n"
		"  - {name: p, remoteVirtualNetwork: b, useRemoteGateways: %s, allowGatewayTransit: %s%s}\n"
		"- name: b\n"
		"  addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
		"  subnets: [{name: GatewaySubnet, addressPrefix: 10.1.0.0/27}]\n"
		"  virtualNetworkPeerings: [{name: p, remoteVirtualNetwork: a, allowGatewayTransit: %s}]\n"
		"%s";
	static const struct {
		const char *use, *transit, *more, *partner_transit;
		bool gateway;
		const char *code;
	} cases[] = {
		{"false", "false", "", "false", false, NULL},
		{"false", "true", "", "true", false, NULL}, /* idle until there is a gateway */
		{"true", "false", "", "true", true, NULL},
		{"true", "false", "", "true", false, "RemoteVnetHasNoGateways"},
		{"true", "false", ", doNotVerifyRemoteGateways: true", "true", false, NULL},
		{"true", "false", "", "false", true, "RemotePeeringForbidsGatewayTransit"},
		{"true", "true", "", "true", true, "GatewayTransitAndRemoteGateways"},
	};
	char text[2048];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), networks, cases[i].use, cases[i].transit, cases[i].more,
			cases[i].partner_transit, cases[i].gateway ? gateways : "");
		if (cases[i].code == NULL)
			case_accept(text);
		else
			case_refuse(text, cases[i].code, 6, "UseRemoteGateway");
	}

	/* a gateway of its own */
	snprintf(text, sizeof(text), networks, "true", "false", ", doNotVerifyRemoteGateways: true", "true",
		"virtualNetworkGateways:\n- {name: g, ipConfigurations: [{subnet: a/GatewaySubnet, publicIPAddress: "
		"i}]}\n"
		"publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}]\n");
	case_refuse(text, "VnetHasGateway", 6, "'g' of its own");

	/* one remote gateway is enough */
	case_refuse("virtualNetworks:\n" NET("a", "10.0.0.0/16",
			    PEER("p", ARM "virtualNetworks/x", ", useRemoteGateways: true") ", " PEER(
				    "q", ARM "virtualNetworks/y", ", useRemoteGateways: true")),
		"AnotherPeeringUsesRemoteGateways", 2, "'p' already has");
}

/* Random stars of networks against every pair of prefixes. */
static void
overlaps_equal_brute_force(void **state)
{
	enum { PEERS = 6, PREFIXES = 3 };
	unsigned int clean = 0, dirty = 0;

	srand(7);
	for (int round = 0; round < 3000; round++) {
		struct ip_prefix p[PEERS + 1][PREFIXES];
		char text[8192] = "virtualNetworks:\n- {name: star, virtualNetworkPeerings: [";
		bool own[PEERS + 1] = {false}, pair[PEERS + 1][PEERS + 1] = {{false}};
		unsigned int wanted_own = 0, wanted_pairs = 0, got_own = 0, got_pairs = 0;
		struct config *c = NULL;

		for (int n = 1; n <= PEERS; n++)
			sprintf(text + strlen(text), "{name: p%d, remoteVirtualNetwork: n%d}, ", n, n);
		for (int n = 0; n <= PEERS; n++) {
			char list[256] = "", prefix[ADDRESS_TEXT_MAX], name[32];

			for (int i = 0; i < PREFIXES; i++) {
				/* third octet: inside one network prefixes are apart, between networks they may meet */
				snprintf(prefix, sizeof(prefix), "10.%d.%d.0/%d", i * 50 + rand() % 30, rand() % 4 * 64,
					18 + rand() % 7);
				prefix_parse(prefix, &p[n][i]);
				prefix_text(&p[n][i], prefix, sizeof(prefix));
				sprintf(list + strlen(list), "%s%s", i ? ", " : "", prefix);
			}
			snprintf(name, sizeof(name), n == 0 ? "], " : "- {name: n%d, ", n);
			sprintf(text + strlen(text), "%saddressSpace: {addressPrefixes: [%s]}}\n", name, list);
		}
		for (int a = 0; a <= PEERS; a++)
			for (int b = a + 1; b <= PEERS; b++)
				for (int i = 0; i < PREFIXES * PREFIXES; i++)
					pair[a][b] |= prefix_overlaps(&p[a][i / PREFIXES], &p[b][i % PREFIXES]);
		for (int b = 1; b <= PEERS; b++) {
			own[b] = pair[0][b];
			wanted_own += own[b];
			for (int a = 1; a < b; a++)
				wanted_pairs += pair[a][b];
		}

		config_parse("x", text, strlen(text), &c, &case_errors);
		for (uint32_t i = 0; i < case_errors.n; i++) {
			got_own += strcmp(case_errors.e[i].code, "VnetAddressSpacesOverlap") == 0;
			got_pairs +=
				strcmp(case_errors.e[i].code, "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet") == 0;
		}
		assert_int_equal(got_own, wanted_own);
		assert_int_equal(got_pairs, wanted_pairs);
		assert_int_equal(case_errors.total, wanted_own + wanted_pairs);
		assert_int_equal(c != NULL, wanted_own + wanted_pairs == 0);
		clean += c != NULL;
		dirty += c == NULL;
		config_free(c);
	}
	assert_true(clean > 100 && dirty > 100);
}

/* ---- routes ---------------------------------------------------------------------- */

static void
routes(void **state)
{
#define ROUTES(r) "routeTables:\n- name: t\n  routes:\n" r
	static const struct refusal cases[] = {
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

	REFUSE_ALL(cases);
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
	static const struct refusal cases[] = {
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

	REFUSE_ALL(cases);
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
		cmocka_unit_test(peering_states),
		cmocka_unit_test(peerings_refused),
		cmocka_unit_test(peering_flags),
		cmocka_unit_test(overlaps_equal_brute_force),
		cmocka_unit_test(routes),
		cmocka_unit_test(rules_are_ordered_and_completed),
		cmocka_unit_test(groups_are_bounded),
		cmocka_unit_test(interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
