/* What bird is told, which bird itself has to accept, and what it says, read. */
#include "control/bird_conf.h"
#include "control/bird_status.h"
#include "tests/unit/world_spokes.h"
#include "tests/unit/world_text.h"

#include <stdlib.h>
#include <unistd.h>

static const char sites[] =
	"virtualNetworks:\n"
	"  - name: hub\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16, 'fd00:1::/48']}\n"
	"    subnets:\n"
	"      - {name: s, addressPrefix: 10.1.1.0/24}\n"
	"      - {name: GatewaySubnet, addressPrefixes: [10.1.255.0/27, 'fd00:1:0:ff::/64']}\n"
	"    virtualNetworkPeerings:\n"
	"      - {name: to-near, remoteVirtualNetwork: {id: near}, allowGatewayTransit: true}\n"
	"      - {name: to-far, remoteVirtualNetwork: {id: far}, allowGatewayTransit: true}\n" WORLD_SPOKES
	"publicIPAddresses: [{name: ip, ipAddress: 203.0.113.1}]\n"
	"virtualNetworkGateways:\n"
	"  - name: gw\n"
	"    sku: {name: VpnGw1}\n"
	"    enableBgp: true\n"
	"    bgpSettings: {asn: 65010, bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.21.1]}]}\n"
	"    ipConfigurations: [{subnet: {id: hub/GatewaySubnet}, publicIPAddress: {id: ip}}]\n"
	"localNetworkGateways:\n"
	"  - {name: a, gatewayIpAddress: 198.51.100.1, localNetworkAddressSpace: {addressPrefixes: [172.16.1.0/24]}, "
	"bgpSettings: {asn: 65021, bgpPeeringAddress: 172.16.9.1}}\n"
	"  - {name: b, gatewayIpAddress: 198.51.100.2, bgpSettings: {asn: 4200000000, bgpPeeringAddress: "
	"169.254.21.2}}\n"
	"  - {name: c, gatewayIpAddress: 198.51.100.3, localNetworkAddressSpace: {addressPrefixes: [172.16.3.0/24, "
	"172.16.1.0/24]}}\n"
	"connections:\n"
	"  - {name: a, connectionType: IPsec, virtualNetworkGateway1: {id: gw}, localNetworkGateway2: {id: a}, "
	"enableBgp: true, appliance: {bgp: {keepaliveSeconds: 7, holdSeconds: 21, maxPrefixes: 99}}}\n"
	"  - {name: b, connectionType: IPsec, virtualNetworkGateway1: {id: gw}, localNetworkGateway2: {id: b}, "
	"enableBgp: true, gatewayCustomBgpIpAddresses: [{customBgpIpAddress: 169.254.21.1}], appliance: {bgp: {bfd: "
	"true, "
	"bfdIntervalMilliseconds: 150, bfdMultiplier: 5, password: a secret}}}\n"
	"  - {name: c, connectionType: IPsec, virtualNetworkGateway1: {id: gw}, localNetworkGateway2: {id: c}}\n"
	"appliance:\n"
	"  name: test\n"
	"  ports: [{name: p, driver: null}]\n"
	"  attachments: [{subnet: hub/s, port: p, vlan: 1}]\n"
	"  uplinks: [{name: wan, port: p, addresses: [203.0.113.1/24], internet: true, gateway: 203.0.113.254}]\n";

/* ---- told ----------------------------------------------------------------------------- */

static char *
conf(void)
{
	struct world_text t = world_from(sites);
	char *text = bird_conf_make(t.world, 0, "gw0");

	assert_non_null(text);
	world_text_free(&t);
	return text;
}

/* Where the block with this head begins, cut off behind its end. */
static const char *
block(const char *text, const char *head)
{
	static char copy[4096];
	const char *from = strstr(text, head);

	assert_non_null(from);
	snprintf(copy, sizeof(copy), "%.*s", (int)(strstr(from, "\n}\n") + 3 - from), from);
	return copy;
}

static void
accepts(char *text)
{
	char path[] = "/tmp/isthmus-bird-XXXXXX", command[200];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	snprintf(command, sizeof(command), "bird -p -c %s", path);
	assert_int_equal(system(command), 0);
	unlink(path);
	free(text);
}

static void
bird_accepts_it(void **state)
{
	(void)state;
	accepts(conf());
}

static void
what_is_advertised(void **state)
{
	char *text = conf();

	(void)state;
	/* the VNet, who uses its gateway, static prefixes once; not who does not use it, nor peers */
	assert_string_equal(block(text, "protocol static own4"), "protocol static own4 {\n"
								 "\tipv4 { preference 50; };\n"
								 "\troute 10.1.0.0/16 unreachable;\n"
								 "\troute 10.2.0.0/16 unreachable;\n"
								 "\troute 172.16.1.0/24 via \"gw0\";\n"
								 "\troute 172.16.3.0/24 via \"gw0\";\n"
								 "}\n");
	assert_string_equal(block(text, "protocol static own6"),
		"protocol static own6 {\n\tipv6 { preference 50; };\n\troute fd00:1::/48 unreachable;\n}\n");
	assert_string_equal(block(text, "protocol static peers4"),
		"protocol static peers4 {\n\tipv4;\n\troute 172.16.9.1/32 via \"gw0\";\n"
		"\troute 169.254.21.2/32 via \"gw0\";\n}\n");
	assert_non_null(strstr(block(text, "filter told4"), "net ~ [10.1.0.0/16, 10.2.0.0/16] then reject"));
	assert_non_null(strstr(block(text, "filter tell4"),
		"net ~ [10.1.0.0/16+, 10.1.0.0/16-, 10.2.0.0/16+, 10.2.0.0/16-] then reject"));
	assert_non_null(strstr(block(text, "filter tell4"), "source != RTS_BGP || net = 0.0.0.0/0 then reject"));
	free(text);
}

static void
session_name(const char *connection, char name[BIRD_NAME_MAX])
{
	bird_session_name(&(struct gateway_session){.kind = SESSION_TUNNEL, .of = connection}, name);
}

static void
what_a_session_is(void **state)
{
	char *text = conf(), head[64], name[BIRD_NAME_MAX];
	const char *a, *b;

	(void)state;
	session_name("a", name);
	snprintf(head, sizeof(head), "protocol bgp %s", name);
	a = block(text, head);
	assert_non_null(strstr(a, "local 10.1.255.30 as 65010;"));
	assert_non_null(strstr(a, "neighbor 172.16.9.1 as 65021;"));
	assert_non_null(strstr(a, "hold time 21;\n\tkeepalive time 7;"));
	assert_non_null(strstr(a, "receive limit 99 action restart;"));
	assert_null(strstr(a, "password"));
	assert_null(strstr(a, "bfd"));
	session_name("b", name);
	snprintf(head, sizeof(head), "protocol bgp %s", name);
	b = block(text, head);
	assert_non_null(strstr(b, "local 169.254.21.1 as 65010;"));
	assert_non_null(strstr(b, "neighbor 169.254.21.2 as 4200000000;"));
	assert_non_null(strstr(b, "hold time 180;\n\tkeepalive time 60;"));
	assert_non_null(strstr(b, "password \"a secret\";"));
	assert_non_null(strstr(b, "bfd { interval 150 ms; multiplier 5; };"));
	session_name("c", name);
	assert_null(strstr(text, name));
	free(text);
}

/* ---- hubs ----------------------------------------------------------------------------- */

#define HUBS(wan, east)                                                                                                \
	"virtualWans: [{name: w" wan "}]\n"                                                                            \
	"virtualHubs:\n"                                                                                               \
	"- {name: east, virtualWan: w, addressPrefix: 10.100.0.0/24" east "}\n"                                        \
	"- {name: west, virtualWan: w, addressPrefix: 10.101.0.0/24, hubVirtualNetworkConnections: [{name: c, "        \
	"remoteVirtualNetwork: v}], hubRouteTables: [{name: t}]}\n"                                                    \
	"virtualNetworks: [{name: v, addressSpace: {addressPrefixes: [10.1.0.0/16]}}]\n"                               \
	"vpnSites:\n"                                                                                                  \
	"- {name: s, virtualWan: w, ipAddress: 198.51.100.1, bgpProperties: {asn: 65010, bgpPeeringAddress: "          \
	"172.20.0.1}}\n"                                                                                               \
	"vpnGateways: [{name: vpn, virtualHub: east, appliance: {publicIPAddresses: [i]}, connections: [{name: s, "    \
	"remoteVpnSite: s, enableBgp: true, routingWeight: 7, routingConfiguration: {propagatedRouteTables: {ids: "    \
	"[defaultRouteTable]}}}]}]\n"                                                                                  \
	"expressRouteCircuits: [{name: l, peerings: [{name: AzurePrivatePeering, peerASN: 65001, "                     \
	"primaryPeerAddressPrefix: 172.16.0.0/30}], appliance: {primaryPort: p}}]\n"                                   \
	"expressRouteGateways: [{name: er, virtualHub: east, expressRouteConnections: [{name: l, "                     \
	"expressRouteCircuitPeering: l}]}]\n"                                                                          \
	"publicIPAddresses: [{name: i, ipAddress: 203.0.113.1}]\n"                                                     \
	"appliance: {name: test, ports: [{name: p, driver: null}], uplinks: [{name: wan, port: p, vlan: 9, "           \
	"addresses: [203.0.113.1/24]}]}\n"

static char *
hub_conf(const char *text)
{
	struct world_text t = world_from(text);
	char *made = bird_conf_make(t.world, (uint32_t)t.world->config->wan.hubs[0].gateway, "gw0");

	assert_non_null(made);
	world_text_free(&t);
	return made;
}

static void
hubs_tell_each_other(void **state)
{
	char *text = hub_conf(HUBS("", ", hubRoutingPreference: VpnGateway"));

	(void)state;
	assert_non_null(strstr(block(text, "protocol static far4"), "route 10.1.0.0/16 unreachable;"));
	assert_non_null(strstr(block(text, "protocol static own4"), "route 10.100.0.0/24 unreachable;"));
	assert_null(strstr(block(text, "filter tell4"), "\treject;"));
	assert_null(strstr(block(text, "filter tell4"), "(65515, 1, 1)"));
	assert_non_null(strstr(block(text, "filter circuit4"), "if (65515, 1, 1) ~ bgp_large_community then reject;"));
	/* the site goes first, by its weight; what comes from its hub does not go to one that does not know it */
	assert_non_null(strstr(text, "bgp_local_pref = 300007;"));
	assert_non_null(strstr(text, "bgp_local_pref = 200000;"));
	assert_non_null(strstr(text, "if (65515, 1, 1) ~ bgp_large_community then bgp_local_pref = 90;"));
	assert_non_null(strstr(text, "if source != RTS_BGP || net.len = 0 then reject;\n\t\t\tif proto = \"c_"));
	assert_non_null(strstr(text, "neighbor 10.101.0.254 as 65515;"));
	accepts(text);
	text = hub_conf(HUBS(", allowBranchToBranchTraffic: false", ", hubRoutingPreference: ASPath"));
	assert_non_null(strstr(block(text, "filter tell4"), "\treject;"));
	assert_null(strstr(text, "local_pref = 3"));
	accepts(text);
	accepts(hub_conf(HUBS("", "")));
}

/* ---- said ----------------------------------------------------------------------------- */

static const char sessions[] =
	"Name       Proto      Table      State  Since         Info\n"
	"device1    Device     ---        up     2026-11-28 12:22:26  \n"
	"\n"
	"own4       Static     master4    up     2026-11-28 12:22:26  \n"
	"  Channel ipv4\n"
	"    Routes:         2 imported, 9 exported, 2 preferred\n"
	"\n"
	"c_00000001 BGP        ---        up     2026-11-28 12:22:27  Established   \n"
	"  Description:    a\n"
	"  BGP state:          Established\n"
	"    Neighbor address: 10.9.0.2\n"
	"  Channel ipv4\n"
	"    Routes:         12 imported, 3 filtered, 7 exported, 2 preferred\n"
	"    Route change stats:     received   rejected   filtered    ignored   accepted\n"
	"      Import updates:             20          1          2          0         17\n"
	"      Import withdraws:            0          0        ---          0          0\n"
	"      Export updates:              5          2          1        ---          4\n"
	"\n"
	"c_00000002 BGP        ---        start  12:00:01.123  Active        Socket: Connection refused\n"
	"  BGP state:          Active\n"
	"    Last error:       Socket: Connection refused\n";

struct kept_sessions {
	struct bird_session s[4];
	int n;
};

static void
session_keep(void *context, const struct bird_session *s)
{
	struct kept_sessions *k = context;

	assert_true(k->n < 4);
	k->s[k->n++] = *s;
}

static void
sessions_are_read(void **state)
{
	struct kept_sessions k = {.n = 0};

	(void)state;
	bird_sessions_read(sessions, session_keep, &k);
	assert_int_equal(k.n, 2);
	assert_string_equal(k.s[0].name, "c_00000001");
	assert_string_equal(k.s[0].state, "Established");
	assert_string_equal(k.s[0].since, "2026-11-28 12:22:27");
	assert_string_equal(k.s[0].error, "");
	assert_int_equal(k.s[0].imported, 12);
	assert_int_equal(k.s[0].exported, 7);
	assert_int_equal(k.s[0].updates_in, 20);
	assert_int_equal(k.s[0].updates_out, 4);
	assert_string_equal(k.s[1].state, "Active");
	assert_string_equal(k.s[1].since, "12:00:01.123");
	assert_string_equal(k.s[1].error, "Socket: Connection refused");
	assert_int_equal(k.s[1].imported, 0);
}

static const char routes[] =
	"Table master4:\n"
	"10.9.0.2/32          unicast [peers4 2026-11-28 12:22:26] * (200)\n"
	"\tdev gw\n"
	"\tType: static univ\n"
	"172.18.0.0/16        unicast [c_00000001 2026-11-28 12:22:28 from 10.9.0.2] * (100/?) [AS65002i]\n"
	"\tvia 10.9.0.2 on gw\n"
	"\tType: BGP univ\n"
	"\tBGP.origin: IGP\n"
	"\tBGP.as_path: 65002 65003\n"
	"\tBGP.next_hop: 10.9.0.2\n"
	"\tBGP.local_pref: 100\n"
	"                     unicast [c_00000002 2026-11-28 12:22:28] (100/?) [AS65004i]\n"
	"\tvia 10.9.0.3 on gw\n"
	"\tBGP.origin: Incomplete\n"
	"\tBGP.as_path: 65004\n"
	"\tBGP.next_hop: fd00::3 fe80::1\n"
	"10.1.0.0/16          unreachable [own4 12:22:26.554] * (50)\n"
	"\tType: static univ\n";

struct kept_routes {
	struct bird_route r[8];
	int n;
};

static void
route_keep(void *context, const struct bird_route *r)
{
	struct kept_routes *k = context;

	assert_true(k->n < 8);
	k->r[k->n++] = *r;
}

static void
routes_are_read(void **state)
{
	struct kept_routes k = {.n = 0};

	(void)state;
	bird_routes_read(routes, route_keep, &k);
	assert_int_equal(k.n, 4);
	assert_string_equal(k.r[0].network, "10.9.0.2/32");
	assert_string_equal(k.r[0].session, "peers4");
	assert_string_equal(k.r[1].network, "172.18.0.0/16");
	assert_string_equal(k.r[1].from, "10.9.0.2");
	assert_string_equal(k.r[1].as_path, "65002 65003");
	assert_string_equal(k.r[1].origin, "IGP");
	assert_string_equal(k.r[1].next_hop, "10.9.0.2");
	assert_int_equal(k.r[1].local_preference, 100);
	assert_true(k.r[1].best);
	assert_string_equal(k.r[2].network, "172.18.0.0/16"); /* one more path */
	assert_string_equal(k.r[2].session, "c_00000002");
	assert_string_equal(k.r[2].next_hop, "fd00::3");
	assert_false(k.r[2].best);
	assert_string_equal(k.r[3].session, "own4");
	assert_string_equal(k.r[3].as_path, "");
}

/* Cut anywhere: nothing is read behind the end (the sanitizers watch), and what came whole is told. */
static void
cut_anywhere(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(sessions); n++) {
		struct kept_sessions k = {.n = 0};
		char *cut = strndup(sessions, n);

		bird_sessions_read(cut, session_keep, &k);
		free(cut);
	}
	for (size_t n = 0; n < sizeof(routes); n++) {
		struct kept_routes k = {.n = 0};
		char *cut = strndup(routes, n);

		bird_routes_read(cut, route_keep, &k);
		free(cut);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bird_accepts_it),
		cmocka_unit_test(what_is_advertised),
		cmocka_unit_test(what_a_session_is),
		cmocka_unit_test(hubs_tell_each_other),
		cmocka_unit_test(sessions_are_read),
		cmocka_unit_test(routes_are_read),
		cmocka_unit_test(cut_anywhere),
	};

	return cmocka_run_group_tests_name("bird", tests, NULL, NULL);
}
