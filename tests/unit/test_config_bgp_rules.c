/* The rules of BGP in a configuration: each is refused with its code, where the fault stands. */
#include "config_bgp.h"
#include "config_case.h"

/* What gateway g says; what its peer says (in line 8); what the connection says (in line 12). */
#define OWN(more) BGP_SITE(more, BGP_PEER, "")
#define SETTINGS(text) OWN(", bgpSettings: {" text "}")
#define PEER(text) BGP_SITE("", text, "")
#define CONNECTED(more) BGP_SITE("", BGP_PEER, more)
#define SESSION(text) CONNECTED(", appliance: {bgp: {" text "}}")
#define CUSTOM_OWN ", bgpSettings: {bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.21.2, 169.254.22.2]}]}"
#define CHOICE(a) ", gatewayCustomBgpIpAddresses: [{customBgpIpAddress: " a "}]"
#define APIPA(choice, peer) BGP_SITE(CUSTOM_OWN, "asn: 65001, bgpPeeringAddress: " peer, choice)

/* Gateways in lines 10 and 11, the connection in line 13. */
#define PAIR(one, two, more)                                                                                           \
	BASE GATEWAY("g", "v", "i", one) GATEWAY("h", "w", "j", two) "connections:\n- {name: c, connectionType: "      \
								     "Vnet2Vnet, virtualNetworkGateway1: g, "          \
								     "virtualNetworkGateway2: h, enableBgp: true" more \
								     "}\n"
#define BGP ", enableBgp: true"
#define OTHER ", enableBgp: true, bgpSettings: {asn: 65010}"
#define BACK ", connectionType: Vnet2Vnet, virtualNetworkGateway1: h, virtualNetworkGateway2: g"

/* ---- autonomous systems ---------------------------------------------------------- */

static void
reserved_systems(void **state)
{
	static const struct {
		uint32_t first, last;
		bool ours; /* a gateway may have it */
	} reserved[] = {{0, 0, false}, {8074, 8075, false}, {12076, 12076, false}, {23456, 23456, false},
		{64496, 64511, false}, {65515, 65515, true}, {65517, 65520, false}, {65535, 65551, false},
		{UINT32_MAX, UINT32_MAX, false}};
	char text[2048];

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		const uint64_t around[] = {(uint64_t)reserved[i].first - 1, (uint64_t)reserved[i].last + 1};
		const uint32_t in[] = {reserved[i].first, reserved[i].last};

		for (int at = 0; at < 2; at++) {
			snprintf(text, sizeof(text), SETTINGS("asn: %u"), in[at]);
			if (reserved[i].ours)
				case_accept(text);
			else
				case_refuse(text, "BgpAsnNotAllowed", 10, "gateway 'g'");
			snprintf(text, sizeof(text),
				BGP_SITE(", bgpSettings: {asn: 4200000000}", "asn: %u, bgpPeeringAddress: 172.16.0.1",
					""),
				in[at]);
			if (in[at] == 0)
				case_refuse(text, "MissingKey", 8, "bgpSettings.asn");
			else
				case_refuse(text, "BgpAsnNotAllowed", 8, "local network gateway 'l'");
			if (around[at] == 0 || around[at] > UINT32_MAX)
				continue;
			snprintf(text, sizeof(text), SETTINGS("asn: %lu"), around[at]);
			case_accept(text);
			snprintf(text, sizeof(text),
				BGP_SITE(", bgpSettings: {asn: 4200000000}", "asn: %lu, bgpPeeringAddress: 172.16.0.1",
					""),
				around[at]);
			case_accept(text);
		}
	}
	case_refuse(SETTINGS("asn: 4294967296"), "InvalidValue", 10, "asn");
}

static void
systems_differ(void **state)
{
	case_refuse(SETTINGS("asn: 65001"), "BgpAsnNotAllowed", 12, "both its ends are of autonomous system 65001");
	case_refuse(PAIR(BGP, BGP, ""), "BgpAsnNotAllowed", 13, "65515");
	case_refuse(PEER("asn: 65515, bgpPeeringAddress: 172.16.0.1"), "BgpAsnNotAllowed", 8, "reserved");
	case_accept(PAIR(BGP, OTHER, ""));
}

/* ---- gateways -------------------------------------------------------------------- */

static void
gateways(void **state)
{
	static const struct case_refusal cases[] = {
		{OWN(", vpnType: PolicyBased"), "VpnTypeNotSupported", 10, "has no BGP"},
		{OWN(", sku: {name: basic}"), "GatewaySkuNotSupported", 10, "has no BGP"},
		{SETTINGS("bgpPeeringAddress: 10.0.1.5"), "PrivateIPAddressNotInSubnet", 10, "10.0.1.5"},
		{SETTINGS("bgpPeeringAddress: 10.0.0.0"), "PrivateIPAddressInReservedRange", 10, "network"},
		{SETTINGS("bgpPeeringAddress: 10.0.0.1"), "PrivateIPAddressInReservedRange", 10, "first host"},
		{SETTINGS("bgpPeeringAddress: 10.0.0.31"), "PrivateIPAddressInReservedRange", 10, "broadcast"},
		{SETTINGS("bgpPeeringAddress: '10.0.0.4,10.0.0.5'"), "NotSupported", 10, "active-active"},
		{SETTINGS("bgpPeeringAddress: 10.0.0"), "InvalidAddress", 10, "bgpPeeringAddress"},
		{SETTINGS("bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.20.255]}]"), "BgpAddressNotAllowed",
			10, "169.254.20.255"},
		{SETTINGS("bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.23.0]}]"), "BgpAddressNotAllowed", 10,
			"169.254.23.0"},
		{SETTINGS("bgpPeeringAddresses: [{customBgpIpAddresses: [169.255.21.1]}]"), "BgpAddressNotAllowed", 10,
			NULL},
		{SETTINGS("bgpPeeringAddresses: [{customBgpIpAddresses: [170.254.21.1]}]"), "BgpAddressNotAllowed", 10,
			NULL},
		{SETTINGS("\nbgpPeeringAddress: 10.0.1.5"), "PrivateIPAddressNotInSubnet", 11, NULL},
		{SETTINGS("bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.21.1,\n169.254.23.1]}]"),
			"BgpAddressNotAllowed", 11, "169.254.23.1"},
		{SETTINGS("bgpPeeringAddresses: [{customBgpIpAddresses: ['fe80::1']}]"), "BgpAddressNotAllowed", 10,
			NULL},
		{SETTINGS("bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.21.0/24]}]"), "InvalidAddress", 10,
			"customBgpIpAddresses"},
		{SETTINGS("bgpPeeringAddresses: {customBgpIpAddresses: []}"), "InvalidValue", 10, "list"},
		{SETTINGS("bgpPeeringAddresses: [{addresses: []}]"), "UnknownKey", 10, "BGP addresses"},
		{OWN(", activeActive: true"), "NotSupported", 10, "activeActive"},
	};
	struct config *c;

	CASE_REFUSE_ALL(cases);
	case_accept(SETTINGS("bgpPeeringAddress: 10.0.0.2"));
	case_accept(SETTINGS("bgpPeeringAddress: 10.0.0.30"));
	case_accept(SETTINGS("bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.21.0, 169.254.22.255]}]"));

	c = case_load(OWN(""));
	assert_true(c->gateways[0].bgp.given);
	address_is(&c->gateways[0].bgp.address, "10.0.0.30");
	config_free(c);
	c = case_load(SETTINGS("bgpPeeringAddress: ''"));
	address_is(&c->gateways[0].bgp.address, "10.0.0.30");
	config_free(c);
	c = case_load(SETTINGS("bgpPeeringAddress: 10.0.0.9"));
	address_is(&c->gateways[0].bgp.address, "10.0.0.9");
	config_free(c);
}

static void
custom_addresses_limited(void **state)
{
	char text[2048], list[1024] = "";

	for (int i = 0; i < 33; i++) {
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s169.254.21.%d", i ? ", " : "", i);
		snprintf(text, sizeof(text), SETTINGS("bgpPeeringAddresses: [{customBgpIpAddresses: [%s]}]"), list);
		if (i == 31)
			case_accept(text);
	}
	case_refuse(text, "LimitExceeded", 10, "32");
}

#define ONLY_IPV6(own)                                                                                                 \
	"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: ['fd00::/48']}, subnets: [{name: "                \
	"GatewaySubnet, addressPrefix: 'fd00::/64'}]}]\n"                                                              \
	"publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}]\nvirtualNetworkGateways:\n" GATEWAY(                     \
		"g", "v", "i", ", enableBgp: true" own)

static void
other_family(void **state)
{
	case_refuse(ONLY_IPV6(""), "MissingKey", 4, "no IPv4 prefix");
	case_accept(ONLY_IPV6(", bgpSettings: {bgpPeeringAddress: 'fd00::4'}"));
	case_refuse(ONLY_IPV6(", bgpSettings: {bgpPeeringAddress: 'fd00::1'}"), "PrivateIPAddressInReservedRange", 4,
		"fd00::1");
	case_refuse(PEER("asn: 65001, bgpPeeringAddress: 'fd01::1'"), "BgpAddressFamily", 12, "different families");
	case_accept(BGP_SITE(
		", bgpSettings: {bgpPeeringAddress: 'fd00::4'}", "asn: 65001, bgpPeeringAddress: 'fd01::1'", ""));
	case_refuse(SETTINGS("bgpPeeringAddress: 'fd00::4'"), "BgpAddressFamily", 12, "different families");
}

/* ---- peers ----------------------------------------------------------------------- */

static void
peers(void **state)
{
	static const struct case_refusal cases[] = {
		{PEER("bgpPeeringAddress: 172.16.0.1"), "MissingKey", 8, "bgpSettings.asn"},
		{PEER("asn: 65001"), "MissingKey", 8, "bgpSettings.bgpPeeringAddress"},
		{PEER("asn: 65001, bgpPeeringAddress: 10.0.7.7"), "BgpAddressNotAllowed", 8, "inside virtual network"},
		{PEER("asn: 65001, bgpPeeringAddress: 10.0.0.30"), "BgpAddressNotAllowed", 8, "'g's own"},
		{PEER("asn: 65001, bgpPeeringAddress: 192.0.2.1"), "BgpAddressNotAllowed", 8, "'g's own"},
		{APIPA(CHOICE("169.254.22.2"), "169.254.21.2"), "BgpAddressNotAllowed", 8, "'g's own"},
		{PEER("asn: 65001, bgpPeeringAddress: 192.0.2.9"), "BgpAddressNotAllowed", 8, "gatewayIpAddress"},
		{PEER("asn: 65001, bgpPeeringAddress: 0.0.0.0"), "InvalidAddress", 8, "host"},
		{PEER("asn: 65001, bgpPeeringAddress: 127.0.0.1"), "InvalidAddress", 8, "host"},
		{PEER("asn: 65001, bgpPeeringAddress: 224.0.0.1"), "InvalidAddress", 8, "host"},
		{BGP_SITE(", bgpSettings: {bgpPeeringAddress: 'fd00::4'}", "asn: 65001, bgpPeeringAddress: 'ff02::1'",
			 ""),
			"InvalidAddress", 8, "host"},
		{BGP_SITE(", bgpSettings: {bgpPeeringAddress: 'fd00::4'}", "asn: 65001, bgpPeeringAddress: 'fe80::1'",
			 ""),
			"InvalidAddress", 8, "host"},
		{BGP_SITE(", bgpSettings: {bgpPeeringAddress: 'fd00::4'}", "asn: 65001, bgpPeeringAddress: '::1'", ""),
			"InvalidAddress", 8, "host"},
		{PEER("asn: 65001, bgpPeeringAddress: '172.16.0.1,172.16.0.2'"), "NotSupported", 8, "two addresses"},
		{PEER(BGP_PEER ", bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.21.1]}]"), "NotSupported", 8,
			"bgpPeeringAddresses"},
	};

	CASE_REFUSE_ALL(cases);
	case_accept(PEER(BGP_PEER ", bgpPeeringAddresses: []"));
}

#define LOCAL(settings) "localNetworkGateways: [{name: l, gatewayIpAddress: 192.0.2.9" settings "}]\n"

/* Without prefixes only where BGP tells them. */
static void
reach(void **state)
{
	case_refuse(LOCAL(""), "MissingKey", 1, "localNetworkAddressSpace.addressPrefixes");
	case_refuse(LOCAL(", bgpSettings: null"), "MissingKey", 1, "localNetworkAddressSpace.addressPrefixes");
	case_accept(LOCAL(", bgpSettings: {asn: 65001, bgpPeeringAddress: 172.16.0.1}"));
	case_accept(CONNECTED(""));
	case_refuse_n(CONNECTED("}\n- {name: d, connectionType: IPsec, virtualNetworkGateway1: g, "
				"localNetworkGateway2: l"),
		"MissingKey", 8, "connection 'd' has no enableBgp", 1);
}

/* Nothing of a peer is looked at that nobody speaks BGP with. */
static void
peers_without_meaning(void **state)
{
	case_accept(BASE GATEWAY("g", "v", "i",
		"") "connections: [{name: c, connectionType: IPsec, virtualNetworkGateway1: g, "
		    "localNetworkGateway2: l, enableBgp: false, gatewayCustomBgpIpAddresses: [{customBgpIpAddress: "
		    "169.254.21.2}], appliance: {bgp: {holdSeconds: 0}}}]\n");
	case_accept(LOCAL(", localNetworkAddressSpace: {addressPrefixes: [192.168.0.0/16]}, bgpSettings: {asn: 65515, "
			  "bgpPeeringAddress: 192.0.2.9}"));
}

/* ---- sessions -------------------------------------------------------------------- */

static void
sessions(void **state)
{
	static const struct case_refusal cases[] = {
		{CONNECTION("connectionType: IPsec, localNetworkGateway2: l, enableBgp: true"), "BgpNotEnabled", 13,
			"gateway 'g' has not"},
		{PAIR(BGP, "", ""), "BgpNotEnabled", 13, "gateway 'h' has not"},
		{PAIR("", OTHER, ""), "BgpNotEnabled", 13, "gateway 'g' has not"},
		{CONNECTED(", usePolicyBasedTrafficSelectors: true"), "InvalidValue", 12,
			"usePolicyBasedTrafficSelectors"},
		{CONNECTED(", trafficSelectorPolicies: [\n{localAddressRanges: [10.0.0.0/16], remoteAddressRanges: "
			   "[192.168.0.0/16]}]"),
			"InvalidValue", 13, "trafficSelectorPolicies"},
		{CONNECTED(", gatewayCustomBgpIpAddresses: [{customBgpIpAddress: 169.254.21.2},\n"
			   "{customBgpIpAddress: 169.254.21.6}]"),
			"NotSupported", 13, "active-active"},
		{CONNECTED(", gatewayCustomBgpIpAddresses: 169.254.21.2"), "InvalidValue", 12, "list"},
		{CONNECTED(", gatewayCustomBgpIpAddresses: [{ipConfigurationId: x}]"), "MissingKey", 12,
			"customBgpIpAddress"},
		{SESSION("holdSeconds: 2"), "InvalidValue", 12, "3 to 65535"},
		{SESSION("holdSeconds: 3"), "InvalidValue", 12, "third"},
		{SESSION("holdSeconds: 179"), "InvalidValue", 12, "third"},
		{SESSION("keepaliveSeconds: 61"), "InvalidValue", 12, "third"},
		{SESSION("keepaliveSeconds: 0"), "InvalidValue", 12, "0 with 0 only"},
		{SESSION("holdSeconds: 0"), "InvalidValue", 12, "0 with 0 only"},
		{SESSION("\nholdSeconds: 9,\nkeepaliveSeconds: 4"), "InvalidValue", 14, "third"},
		{SESSION("\nholdSeconds: 9"), "InvalidValue", 13, "third"},
		{SESSION("maxPrefixes: 0"), "InvalidValue", 12, "1 to 1000000"},
		{SESSION("maxPrefixes: 1000001"), "InvalidValue", 12, "1 to 1000000"},
		{SESSION("bfdIntervalMilliseconds: 9"), "InvalidValue", 12, "10 to 60000"},
		{SESSION("bfdMultiplier: 1"), "InvalidValue", 12, "2 to 255"},
		{SESSION("bfd: maybe"), "InvalidValue", 12, "true or false"},
		{OWN("") "appliance: {bgp: {bird: bird}}\n", "InvalidValue", 13, "from the root"},
		{OWN("") "appliance: {bgp: {runDirectory: run}}\n", "InvalidValue", 13, "from the root"},
		{OWN("") "appliance: {bgp: {runDirectory: "
			 "/a23456789/b23456789/c23456789/d23456789/e23456789/f23456789/g234}}\n",
			"LimitExceeded", 13, "64"},
		{OWN("") "appliance: {bgp: {daemon: frr}}\n", "InvalidValue", 13, "managed, external"},
	};

	CASE_REFUSE_ALL(cases);
	case_accept(OWN("") "appliance: {bgp: {runDirectory: "
			    "/a23456789/b23456789/c23456789/d23456789/e23456789/f23456789/g23}}\n");
	case_accept(SESSION("keepaliveSeconds: 0, holdSeconds: 0"));
	case_accept(SESSION("keepaliveSeconds: 1, holdSeconds: 3"));
	case_accept(SESSION("keepaliveSeconds: 21845, holdSeconds: 65535, maxPrefixes: 1000000"));
}

static void
link_local_ends(void **state)
{
	case_accept(APIPA(CHOICE("169.254.21.2"), "169.254.21.1"));
	case_accept(APIPA(CHOICE("169.254.22.2"), "169.254.22.1"));
	case_accept(BGP_SITE(", bgpSettings: {bgpPeeringAddress: 'fd00::4', bgpPeeringAddresses: "
			     "[{customBgpIpAddresses: [169.254.21.2]}]}",
		"asn: 65001, bgpPeeringAddress: 169.254.21.1", CHOICE("169.254.21.2")));
	case_accept(APIPA("", "172.16.0.1"));
	case_accept(APIPA(", gatewayCustomBgpIpAddresses: []", "172.16.0.1"));
	case_refuse(APIPA(CHOICE("169.254.21.3"), "169.254.21.1"), "BgpAddressNotAllowed", 12, "none of the custom");
	case_refuse(APIPA("", "169.254.21.1"), "BgpAddressNotAllowed", 12, "needs gatewayCustomBgpIpAddresses");
	case_refuse(APIPA(CHOICE("169.254.21.2"), "172.16.0.1"), "BgpAddressNotAllowed", 12, "169.254.0.0/16, too");
	case_refuse(PAIR(", enableBgp: true" CUSTOM_OWN, OTHER, CHOICE("169.254.21.2")), "BgpAddressNotAllowed", 13,
		"Vnet2Vnet");
}

/* Networks v and w, gateways g and h, one peer for both. */
#define TWO_GATEWAYS                                                                                                   \
	"virtualNetworks:\n"                                                                                           \
	"- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/16]}, subnets: [{name: GatewaySubnet, addressPrefix: "  \
	"10.0.0.0/27}]}\n"                                                                                             \
	"- {name: w, addressSpace: {addressPrefixes: [10.1.0.0/16]}, subnets: [{name: GatewaySubnet, addressPrefix: "  \
	"10.1.0.0/27}]}\n"                                                                                             \
	"publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}, {name: j, ipAddress: 192.0.2.2}]\n"                      \
	"localNetworkGateways: [{name: l, gatewayIpAddress: 192.0.2.9, bgpSettings: {" BGP_PEER "}}]\n"                \
	"virtualNetworkGateways:\n" GATEWAY("g", "v", "i", BGP) GATEWAY("h", "w", "j", BGP) "connections:\n"

static void
one_session_for_each_peer(void **state)
{
	case_refuse(CONNECTED("}\n- {name: d, connectionType: IPsec, virtualNetworkGateway1: g, localNetworkGateway2: "
			      "l, enableBgp: true"),
		"BgpPeerInUse", 13, "172.16.0.1 by connection 'c' already");
	case_refuse(PAIR(BGP, OTHER,
			    "}\n- {name: d, connectionType: Vnet2Vnet, virtualNetworkGateway1: g, "
			    "virtualNetworkGateway2: h, enableBgp: true"),
		"BgpPeerInUse", 14, "10.1.0.30 by connection 'c' already");
	case_accept(TWO_GATEWAYS "- {name: c, connectionType: IPsec, virtualNetworkGateway1: g, localNetworkGateway2: "
				 "l, enableBgp: true}\n- {name: d, connectionType: IPsec, virtualNetworkGateway1: h, "
				 "localNetworkGateway2: l, enableBgp: true}\n");
	/* the other side's object is another gateway's session */
	case_accept(PAIR(BGP, OTHER, "}\n- {name: d" BACK ", enableBgp: true"));
	case_refuse(PAIR(BGP, OTHER, "}\n- {name: d" BACK), "ConnectionsDiffer", 14, "enableBgp");
}

/* What could not be read is told alone, and a peer's faults once for all connections to it. */
static void
told_once(void **state)
{
#define TWICE(peer)                                                                                                    \
	BGP_SITE("", peer,                                                                                             \
		"}\n- {name: d, connectionType: IPsec, virtualNetworkGateway1: g, localNetworkGateway2: l, "           \
		"enableBgp: "                                                                                          \
		"true")
	case_refuse_n(TWICE("asn: 65535, bgpPeeringAddress: 172.16.0.1"), "BgpAsnNotAllowed", 8, NULL, 2);
	case_refuse(TWICE("asn: 65001"), "MissingKey", 8, "bgpPeeringAddress");
	case_refuse(PEER("asn: x, bgpPeeringAddress: 172.16.0.1"), "InvalidValue", 8, "asn");
	case_refuse(PEER("asn: 65001, bgpPeeringAddress: x"), "InvalidAddress", 8, "bgpPeeringAddress");
	case_refuse(OWN(", bgpSettings: {bgpPeeringAddress: x}"), "InvalidAddress", 10, "bgpPeeringAddress");
	case_refuse(CONNECTION("connectionType: Vnet2Vnet, virtualNetworkGateway2: x, enableBgp: false"),
		"InvalidResourceReference", 13, NULL);
	case_refuse(PAIR(BGP, OTHER,
			    "}\n- {name: d, connectionType: Vnet2Vnet, virtualNetworkGateway1: g, "
			    "virtualNetworkGateway2: g, enableBgp: true"),
		"InvalidReference", 14, "itself");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_systems),
		cmocka_unit_test(systems_differ),
		cmocka_unit_test(gateways),
		cmocka_unit_test(custom_addresses_limited),
		cmocka_unit_test(other_family),
		cmocka_unit_test(peers),
		cmocka_unit_test(reach),
		cmocka_unit_test(peers_without_meaning),
		cmocka_unit_test(sessions),
		cmocka_unit_test(link_local_ends),
		cmocka_unit_test(one_session_for_each_peer),
		cmocka_unit_test(told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
