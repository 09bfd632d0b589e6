/* Virtual hubs: who reaches whom, by which table, and what a packet meets that may not. */
#include "tests/unit/world_told.h"

/* Networks a, b, lab at hub east, c at hub west, whose appliance 10.3.1.10 leads on; a site at each. */
#define WAN(more) "virtualWans: [{name: w" more "}]\n"
#define HUB_EAST(more)                                                                                                 \
	"virtualHubs:\n"                                                                                               \
	"- name: east\n"                                                                                               \
	"  virtualWan: w\n"                                                                                            \
	"  addressPrefix: 10.100.0.0/24\n"                                                                             \
	"  hubVirtualNetworkConnections:\n"                                                                            \
	"  - {name: to-a, remoteVirtualNetwork: a}\n"                                                                  \
	"  - {name: to-b, remoteVirtualNetwork: b, enableInternetSecurity: false}\n" more
#define LAB(routing) "  - {name: to-lab, remoteVirtualNetwork: lab, routingConfiguration: {" routing "}}\n"
#define HUB_WEST(routing, more)                                                                                        \
	"- name: west\n"                                                                                               \
	"  virtualWan: w\n"                                                                                            \
	"  addressPrefix: 10.101.0.0/24\n"                                                                             \
	"  hubVirtualNetworkConnections:\n"                                                                            \
	"  - {name: to-c, remoteVirtualNetwork: c, routingConfiguration: {" routing "}}\n" more
#define STATIC(prefix)                                                                                                 \
	"vnetRoutes: {staticRoutes: [{name: s, addressPrefixes: ['" prefix "'], nextHopIpAddress: 10.3.1.10}]}"
#define SITE(name, prefix, address)                                                                                    \
	"- {name: " name ", virtualWan: w, ipAddress: " address ", addressSpace: {addressPrefixes: [" prefix "]}}\n"
#define SITES                                                                                                          \
	"vpnSites:\n" SITE("s1", "192.168.1.0/24", "198.51.100.1")                                                     \
		SITE("s2", "192.168.2.0/24", "198.51.100.2") "vpnGateways:\n"                                          \
							     "- {name: east-vpn, virtualHub: east, connections: "      \
							     "[{name: s1, remoteVpnSite: s1}], appliance: "            \
							     "{publicIPAddresses: [i1]}}\n"                            \
							     "- {name: west-vpn, virtualHub: west, connections: "      \
							     "[{name: s2, remoteVpnSite: s2}], appliance: "            \
							     "{publicIPAddresses: [i2]}}\n"
#define NETWORK(n, name)                                                                                               \
	"- {name: " name ", addressSpace: {addressPrefixes: [10." n ".0.0/16]}, subnets: [{name: s, addressPrefix: "   \
	"10." n ".1.0/24}, {name: away, addressPrefix: 10." n ".2.0/24}"
#define REST                                                                                                           \
	"virtualNetworks:\n" NETWORK(                                                                                  \
		"1", "a") ", {name: user, addressPrefix: 10.1.3.0/24, routeTable: user}]}\n" NETWORK("2",              \
		"b") "]}\n" NETWORK("3", "c") "]}\n" NETWORK("4",                                                      \
		"lab") "]}\n"                                                                                          \
		       "routeTables: [{name: user, routes: [{name: r, addressPrefix: 10.3.0.0/16, nextHopType: "       \
		       "VirtualNetworkGateway}]}]\n"                                                                   \
		       "publicIPAddresses: [{name: i1, ipAddress: 203.0.113.1}, {name: i2, ipAddress: 203.0.113.2}]\n" \
		       "appliance:\n"                                                                                  \
		       "  name: test\n"                                                                                \
		       "  ports: [{name: p, driver: null}, {name: q, driver: null}]\n"                                 \
		       "  attachments: [{subnet: a/s, port: p, vlan: 1}, {subnet: b/s, port: p, vlan: 2}, {subnet: "   \
		       "c/s, "                                                                                         \
		       "port: p, vlan: 3}, {subnet: lab/s, port: p, vlan: 4}, {subnet: a/user, port: p, vlan: 5}]\n"   \
		       "  uplinks: [{name: wan, port: p, addresses: [203.0.113.1/24, 203.0.113.2/24], internet: "      \
		       "true}]\n"

struct expected {
	const char *from, *to, *hop;
};

static void
check_all(const char *config, const struct expected *e, size_t n)
{
	struct world_text t = world_from(config);

	for (size_t i = 0; i < n; i++) {
		const char *got = world_hop(&t, e[i].from, e[i].to);

		if (strcmp(got, e[i].hop) != 0)
			fail_msg("from %s to %s: %s, wanted %s", e[i].from, e[i].to, got, e[i].hop);
	}
	world_text_free(&t);
}
#define CHECK_ALL(config, e) check_all(config, e, sizeof(e) / sizeof((e)[0]))

static void
any_to_any(void **state)
{
	static const struct expected e[] = {
		{"a/s", "10.2.1.4", "subnet b/s"},
		{"a/s", "10.2.1.1", "local"},
		{"a/s", "10.2.2.4", "drop subnet-not-attached b/away"},
		{"a/s", "10.2.9.4", "drop no-route b"},
		{"a/s", "10.3.1.4", "subnet c/s"},
		{"c/s", "10.1.1.4", "subnet a/s"},
		{"a/s", "172.30.1.1", "neighbour c/s 10.3.1.10"},
		{"c/s", "172.30.1.1", "drop route-none system route 172.16.0.0/12"}, /* its own static route */
		{"a/s", "192.168.1.9", "tunnel connection s1"},
		{"a/s", "192.168.2.9", "tunnel connection s2"},
		{"c/s", "192.168.1.9", "tunnel connection s1"},
		{"gateway east", "10.1.1.4", "subnet a/s"},
		{"gateway east", "10.3.1.4", "subnet c/s"},
		{"gateway east", "10.4.1.4", "drop route-none system route 10.0.0.0/8"}, /* not connected */
		{"gateway east", "172.30.1.1", "neighbour c/s 10.3.1.10"},
		{"gateway east", "192.168.2.9", "tunnel connection s2"},
		{"gateway west", "192.168.1.9", "tunnel connection s1"},
		{"gateway west", "8.8.8.8", "drop no-internet "},
		{"lab/s", "10.1.1.4", "drop route-none system route 10.0.0.0/8"},
		{"a/user", "10.3.1.4", "subnet c/s"}, /* a user route to the hub's gateway */
		{"a/user", "10.3.9.4", "drop no-route c"},
		{"a/s", "8.8.8.8", "uplink uplink wan"},
	};

	(void)state;
	CHECK_ALL(WAN("") HUB_EAST("") HUB_WEST(STATIC("172.30.0.0/16"), "") SITES REST, e);
}

static void
as_tools_show_them(void **state)
{
	struct world_text t = world_from(WAN("") HUB_EAST("") HUB_WEST(STATIC("172.30.0.0/16"), "") SITES REST);
	const char *text = world_print(&t, "a", "s");

	(void)state;
	assert_non_null(
		strstr(text, "Active VirtualNetworkGateway 10.2.0.0/16 VirtualNetworkGateway 203.0.113.1 to-b\n"));
	assert_non_null(
		strstr(text, "Active VirtualNetworkGateway 172.30.0.0/16 VirtualNetworkGateway 203.0.113.1 to-c\n"));
	assert_non_null(
		strstr(text, "Active VirtualNetworkGateway 192.168.2.0/24 VirtualNetworkGateway 203.0.113.1 s2\n"));
	assert_non_null(strstr(text, "Active Default 10.100.0.0/24 VNetPeering - RemoteVnetToHubPeering_east\n"));
	assert_null(strstr(text, "10.2.1.0/24")); /* what is inside a network is its own matter */
	world_text_free(&t);
}

static void
basic(void **state)
{
	static const struct expected e[] = {
		{"a/s", "10.2.1.4", "drop hub-no-transit virtual WAN w"},
		{"a/s", "10.3.1.4", "drop route-none system route 10.0.0.0/8"}, /* of another hub it knows nothing */
		{"a/s", "192.168.1.9", "tunnel connection s1"},
		{"a/s", "192.168.2.9", "drop route-none system route 192.168.0.0/16"},
		{"gateway east", "10.2.1.4", "subnet b/s"},
		{"gateway east", "192.168.1.9", "tunnel connection s1"},
		{"gateway east", "10.3.1.4", "drop route-none system route 10.0.0.0/8"},
	};

	(void)state;
	CHECK_ALL(WAN(", type: Basic") HUB_EAST("") HUB_WEST("", "") SITES REST, e);
}

static void
branches_apart(void **state)
{
	static const struct expected e[] = {
		{"gateway east", "192.168.2.9", "drop hub-no-transit virtual WAN w"},
		{"gateway east", "192.168.1.9", "drop hub-no-transit virtual WAN w"},
		{"gateway east", "10.3.1.4", "subnet c/s"},
		{"c/s", "192.168.1.9", "tunnel connection s1"},
	};

	(void)state;
	CHECK_ALL(WAN(", allowBranchToBranchTraffic: false") HUB_EAST("") HUB_WEST("", "") SITES REST, e);
}

/* The lab is known to branches and the others, and itself knows what propagates to its table: sites, not networks. */
static void
tables_isolate(void **state)
{
	static const struct expected e[] = {
		{"lab/s", "10.1.1.4", "drop route-none system route 10.0.0.0/8"},
		{"lab/s", "10.3.1.4", "subnet c/s"}, /* by label, from the other hub */
		{"lab/s", "192.168.1.9", "drop route-none system route 192.168.0.0/16"},
		{"a/s", "10.4.1.4", "subnet lab/s"},
		{"c/s", "10.4.1.4", "drop route-none system route 10.0.0.0/8"}, /* to east's default table alone */
		{"gateway east", "10.4.1.4", "subnet lab/s"},
		{"gateway west", "10.4.1.4", "drop route-none system route 10.0.0.0/8"},
		{"gateway west", "10.3.1.4", "subnet c/s"},
	};

	(void)state;
	CHECK_ALL(WAN("") HUB_EAST(LAB("associatedRouteTable: apart, propagatedRouteTables: {ids: "
				       "[defaultRouteTable]}") "  hubRouteTables: [{name: apart, labels: [shared]}]\n")
			  HUB_WEST("propagatedRouteTables: {labels: [default, Shared]}", "") SITES REST,
		e);
}

/* A route of a table goes before the network that it leads away from, subnets included. */
static void
a_table_has_routes(void **state)
{
	static const struct expected e[] = {
		{"lab/s", "10.1.1.4", "neighbour b/s 10.2.1.10"},
		{"lab/s", "10.2.1.4", "subnet b/s"},
		{"lab/s", "8.8.8.8", "neighbour b/s 10.2.1.10"},
		{"lab/s", "192.168.1.9", "neighbour b/s 10.2.1.10"}, /* 0/0 beats the system's own None */
		{"a/s", "10.4.1.4", "subnet lab/s"},
		{"a/s", "8.8.8.8", "uplink uplink wan"},
		{"b/s", "10.1.1.4", "subnet a/s"},
		{"gateway east", "8.8.8.8", "drop no-internet "},
	};

	(void)state;
	CHECK_ALL(WAN("") "virtualHubs:\n"
			  "- name: east\n"
			  "  virtualWan: w\n"
			  "  addressPrefix: 10.100.0.0/24\n"
			  "  hubVirtualNetworkConnections:\n"
			  "  - {name: to-a, remoteVirtualNetwork: a, routingConfiguration: {propagatedRouteTables: "
			  "{labels: [default, apart]}}}\n"
			  "  - name: to-b\n"
			  "    remoteVirtualNetwork: b\n"
			  "    routingConfiguration: {vnetRoutes: {staticRoutes: [{name: s, addressPrefixes: "
			  "[0.0.0.0/0], "
			  "nextHopIpAddress: 10.2.1.10}], staticRoutesConfig: {propagateStaticRoutes: false}}}\n" LAB(
				  "associatedRouteTable: apart") "  hubRouteTables: [{name: apart, labels: [apart], "
								 "routes: "
								 "[{name: all, destinations: [10.0.0.0/8, "
								 "0.0.0.0/0, 10.1.0.0/16, 192.168.0.0/16], "
								 "nextHop: to-b}]}]\n" HUB_WEST("", "") SITES REST,
		e);
}

/* A default route is for networks of the same hub with enableInternetSecurity, and for no branch. */
static void
default_route(void **state)
{
	static const struct expected e[] = {
		{"a/s", "8.8.8.8", "neighbour lab/s 10.4.1.10"},
		{"b/s", "8.8.8.8", "uplink uplink wan"},
		{"c/s", "8.8.8.8", "uplink uplink wan"},
		{"lab/s", "8.8.8.8", "uplink uplink wan"},
		{"gateway east", "8.8.8.8", "drop no-internet "},
	};

	(void)state;
	CHECK_ALL(WAN("") HUB_EAST(LAB("vnetRoutes: {staticRoutes: [{name: s, addressPrefixes: [0.0.0.0/0], "
				       "nextHopIpAddress: 10.4.1.10}]}")) HUB_WEST("", "") SITES REST,
		e);
}

/* ---- preference --------------------------------------------------------------------------- */

#define LINE                                                                                                           \
	"expressRouteCircuits:\n"                                                                                      \
	"- {name: line, peerings: [{name: AzurePrivatePeering, peerASN: 65001, primaryPeerAddressPrefix: "             \
	"172.16.0.0/30}], appliance: {primaryPort: q}}\n"                                                              \
	"expressRouteGateways: [{name: east-er, virtualHub: east, expressRouteConnections: [{name: line, "             \
	"expressRouteCircuitPeering: line}]}]\n"

static struct world_text
with_line(const char *wan, const char *preference)
{
	static const char *const told[] = {
		"192.168.1.0/24 172.16.0.1", "192.168.2.0/24 172.16.0.1", "192.168.77.0/24 172.16.0.1"};
	struct learned_all *all = calloc(1, sizeof(*all));
	char text[8192];
	struct world_text t;

	assert_non_null(all);
	snprintf(text, sizeof(text), "%s%s%s%s%s%s", wan, HUB_EAST("  hubRoutingPreference: "), preference,
		"\n" HUB_WEST("", ""), LINE SITES, REST);
	told_add(all, "east", told, sizeof(told) / sizeof(told[0]));
	t = world_learned(config_from(text), all);
	learned_all_free(all);
	return t;
}

static void
preference(void **state)
{
	static const struct {
		const char *preference, *near;
	} cases[] = {
		{"ExpressRoute", "circuit circuit line primary"}, {"VpnGateway", "tunnel connection s1"},
		{"ASPath", "tunnel connection s1"}, /* a static route's path is empty */
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world_text t = with_line(WAN(""), cases[i].preference);

		assert_string_equal(world_hop(&t, "a/s", "192.168.1.9"), cases[i].near);
		/* the other hub's tunnel is farther than this hub's circuit, whatever is preferred */
		assert_string_equal(world_hop(&t, "a/s", "192.168.2.9"),
			i == 2 ? "tunnel connection s2" : "circuit circuit line primary");
		assert_string_equal(world_hop(&t, "a/s", "192.168.77.9"), "circuit circuit line primary");
		assert_string_equal(world_hop(&t, "gateway east", "192.168.77.9"), "circuit circuit line primary");
		assert_string_equal(world_hop(&t, "circuit line primary", "10.3.1.4"), "subnet c/s");
		/* not back into a circuit: the tunnel of the same prefix, or nowhere */
		assert_string_equal(world_hop(&t, "circuit line primary", "192.168.1.9"), "tunnel connection s1");
		assert_string_equal(
			world_hop(&t, "circuit line primary", "192.168.77.9"), "drop hub-no-transit virtual WAN w");
		world_text_free(&t);
	}
}

/* ---- what daemons learn ---------------------------------------------------------------------- */

/* Site s2 speaks BGP at hub west. Static routes of site s1 cover the addresses of hub west and of the circuit's peer,
 * who are not there. */
#define SPEAKER                                                                                                        \
	"vpnSites:\n" SITE("s1", "10.0.0.0/8, 172.16.0.0/12", "198.51.100.1") SITE("s2", "192.168.2.0/24",             \
		"198.51.100.2, bgpProperties: {asn: 65010, bgpPeeringAddress: 192.168.2.1}") "vpnGateways:\n"          \
											     "- {name: east-vpn, "     \
											     "virtualHub: east, "      \
											     "connections: [{name: "   \
											     "s1, remoteVpnSite: "     \
											     "s1}], appliance: "       \
											     "{publicIPAddresses: "    \
											     "[i1]}}\n"                \
											     "- {name: west-vpn, "     \
											     "virtualHub: west, "      \
											     "connections: [{name: "   \
											     "s2, remoteVpnSite: s2, " \
											     "enableBgp: true}], "     \
											     "appliance: "             \
											     "{publicIPAddresses: "    \
											     "[i2]}}\n"

static struct world_text
learned_between(const char *wan)
{
	static const char *const west[] = {"192.168.5.0/24 192.168.2.1", "192.168.77.0/24 10.100.0.254"};
	static const char *const east[] = {
		"192.168.5.0/24 10.101.0.254", "192.168.6.0/24 10.101.0.254", "192.168.77.0/24 172.16.0.1"};
	struct learned_all *all = calloc(1, sizeof(*all));
	char text[8192];
	struct world_text t;

	assert_non_null(all);
	snprintf(text, sizeof(text), "%s%s%s%s", wan, HUB_EAST("") HUB_WEST("", ""), LINE SPEAKER, REST);
	told_add(all, "west", west, 2);
	told_add(all, "east", east, 3);
	t = world_learned(config_from(text), all);
	learned_all_free(all);
	return t;
}

/* A daemon says by which hub, and that hub knows by which tunnel or circuit. */
static void
hubs_learn_from_each_other(void **state)
{
	static const char *const from[] = {"a/s", "c/s", "gateway east", "gateway west"};
	struct world_text t = learned_between(WAN(""));

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(world_hop(&t, from[i], "192.168.5.9"), "tunnel connection s2");
		assert_string_equal(world_hop(&t, from[i], "192.168.77.9"), "circuit circuit line primary");
		/* the other hub knows nothing of it any more */
		assert_string_equal(
			world_hop(&t, from[i], "192.168.6.9"), "drop route-none system route 192.168.0.0/16");
	}
	world_text_free(&t);
}

/* Apart or not, a daemon reaches its own peer; another hub's is none. */
static void
daemons_reach_their_peers(void **state)
{
	struct world_text t = learned_between(WAN(", allowBranchToBranchTraffic: false"));

	(void)state;
	assert_string_equal(world_hop(&t, "gateway west", "192.168.2.1"), "tunnel connection s2");
	assert_string_equal(world_hop(&t, "gateway east", "192.168.2.1"), "drop hub-no-transit virtual WAN w");
	assert_string_equal(world_hop(&t, "gateway west", "192.168.5.9"), "drop hub-no-transit virtual WAN w");
	assert_string_equal(world_hop(&t, "c/s", "192.168.5.9"), "tunnel connection s2");
	assert_string_equal(world_hop(&t, "gateway west", "10.101.0.254"), "local");
	world_text_free(&t);
}

/* "PREFIX", with "far" and "behind" as they are. */
static void
branches_are_told(void **state)
{
	static const char *const wanted =
		"10.101.0.0/24, 10.0.0.0/8 far, 10.1.0.0/16 far, 10.2.0.0/16 far, 10.3.0.0/16, 172.16.0.0/12 far, "
		"192.168.2.0/24 behind, ";
	struct world_text t = learned_between(WAN(""));
	const struct told_prefixes *told = &t.world->hub_told[t.world->config->wan.hubs[1].gateway];
	char got[1000] = "", text[ADDRESS_TEXT_MAX];

	(void)state;
	for (uint32_t i = 0; i < told->n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s%s, ",
			prefix_text(&told->p[i].prefix, text, sizeof(text)), told->p[i].far ? " far" : "",
			told->p[i].behind ? " behind" : "");
	assert_string_equal(got, wanted);
	world_text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_to_any),
		cmocka_unit_test(as_tools_show_them),
		cmocka_unit_test(basic),
		cmocka_unit_test(branches_apart),
		cmocka_unit_test(tables_isolate),
		cmocka_unit_test(a_table_has_routes),
		cmocka_unit_test(default_route),
		cmocka_unit_test(preference),
		cmocka_unit_test(hubs_learn_from_each_other),
		cmocka_unit_test(daemons_reach_their_peers),
		cmocka_unit_test(branches_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
