/* The checks of peerings: partners and states, flags (each row of the table), address spaces. */
#include "config_case.h"

#define ARM "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/"

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
	static const struct case_refusal cases[] = {
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

	CASE_REFUSE_ALL(cases);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peering_states),
		cmocka_unit_test(peerings_refused),
		cmocka_unit_test(peering_flags),
		cmocka_unit_test(overlaps_equal_brute_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
