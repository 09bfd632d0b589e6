/* The table of verbs. Adding one: a line in enum verb, an entry here, a function that answers it
 * (show_verbs[] in show.c, or running_verbs[] in api_verbs.c), columns for people in cli/table.c.
 */
#include "control/verb.h"

#include <stddef.h>
#include <string.h>

static const char *const directions[] = {"in", "out", NULL};

/* ---- parameters, each list ended by an entry without a name --------------------------- */

#define SUBNET .kind = PARAMETER_SUBNET, .value = "VNET/SUBNET"
#define PREFIX .kind = PARAMETER_PREFIX, .value = "PREFIX"
#define ADDRESS .kind = PARAMETER_ADDRESS, .value = "IP"
#define ENDPOINT .kind = PARAMETER_ENDPOINT, .value = "IP:PORT"
#define PROTOCOL .kind = PARAMETER_PROTOCOL, .value = "TCP|UDP|ICMP|NUMBER"
#define VNET .kind = PARAMETER_VNET, .value = "VNET", .positional = true
#define CONNECTION .kind = PARAMETER_CONNECTION, .value = "NAME", .positional = true
#define PORT .kind = PARAMETER_NUMBER, .value = "PORT", .min = 1, .max = 65535
#define NUMBER(from, to, without) .kind = PARAMETER_NUMBER, .min = from, .max = to, .fallback = without
#define FILE_NAME .kind = PARAMETER_FILE, .value = "FILE", .positional = true

static const struct parameter none[] = {{0}};

static const struct parameter apply[] = {
	{"file", FILE_NAME, .help = "the configuration; without it the daemon's own file is read again"},
	{0},
};

static const struct parameter verify[] = {
	{"file", FILE_NAME, .required = true, .help = "the configuration"},
	{"daemon", PARAMETER_FLAG, .local = true, .help = "let the daemon check: it also says what needs a restart"},
	{0},
};

static const struct parameter port_show[] = {
	{"name", PARAMETER_PORT, .value = "PORT", .positional = true, .required = true, .help = "the port's name"},
	{0},
};

static const struct parameter vnet_show[] = {
	{"name", VNET, .required = true, .help = "the virtual network's name"},
	{0},
};

static const struct parameter peering_list[] = {
	{"vnet", VNET, .help = "only the peerings of this virtual network"},
	{0},
};

static const struct parameter peering_show[] = {
	{"vnet", VNET, .required = true, .help = "the virtual network that the peering belongs to"},
	{"name", PARAMETER_TEXT, .value = "PEERING", .positional = true, .required = true,
		.help = "the peering's name"},
	{0},
};

static const struct parameter effective_routes[] = {
	{"subnet", SUBNET, .required = true, .help = "whose routes"},
	{0},
};

static const struct parameter hub_routes[] = {
	{"hub", PARAMETER_TEXT, .value = "HUB", .positional = true, .required = true, .help = "the hub's name"},
	{"table", PARAMETER_TEXT, .value = "TABLE", .positional = true,
		.help = "one of its route tables (defaultRouteTable)"},
	{0},
};

static const struct parameter next_hop[] = {
	{"subnet", SUBNET, .required = true, .help = "the subnet the packet comes from"},
	{"source", ADDRESS, .required = true, .help = "the packet's source address"},
	{"destination", ADDRESS, .required = true, .help = "the packet's destination address"},
	{0},
};

static const struct parameter ip_flow[] = {
	{"subnet", SUBNET, .required = true, .help = "whose rules decide"},
	{"direction", PARAMETER_CHOICE, .value = "in|out", .choices = directions, .required = true,
		.help = "as seen from the subnet"},
	{"protocol", PROTOCOL, .required = true, .help = "the transport protocol"},
	{"local", ENDPOINT, .required = true, .help = "the end inside the subnet"},
	{"remote", ENDPOINT, .required = true, .help = "the other end"},
	{"path", PARAMETER_FLAG, .help = "the whole way: rules out, route, rules in"},
	{0},
};

static const struct parameter connection[] = {
	{"name", CONNECTION, .required = true, .help = "the connection's name"},
	{0},
};

static const struct parameter clients[] = {
	{"gateway", .kind = PARAMETER_TEXT, .value = "GATEWAY", .positional = true,
		.help = "only clients of this gateway"},
	{0},
};

static const struct parameter troubleshooting[] = {
	{"resource", CONNECTION, .help = "only this connection or virtual network gateway"},
	{0},
};

static const struct parameter bgp_gateway[] = {
	{"gateway", .kind = PARAMETER_TEXT, .value = "GATEWAY", .positional = true, .help = "only of this gateway"},
	{0},
};

static const struct parameter advertised[] = {
	{"gateway", .kind = PARAMETER_TEXT, .value = "GATEWAY", .positional = true, .help = "only of this gateway"},
	{"peer", ADDRESS, .help = "only to this peer"},
	{0},
};

static const struct parameter flow_list[] = {
	{"subnet", SUBNET, .help = "only flows judged by this subnet's rules"},
	{"address", PREFIX, .help = "only flows with an end in it"},
	{"max", NUMBER(1, 10000, 1000), .value = "N", .help = "at most so many (1000)"},
	{0},
};

static const struct parameter neighbour_list[] = {
	{"max", NUMBER(1, 20000, 5000), .value = "N", .help = "at most so many (5000)"},
	{0},
};

static const struct parameter drops[] = {
	{"all", PARAMETER_FLAG, .help = "every reason, those that never happened as well"},
	{0},
};

static const struct parameter stats[] = {
	{"worker", NUMBER(0, 63, 0), .value = "N", .help = "only this worker"},
	{0},
};

static const struct parameter trace[] = {
	{"subnet", SUBNET, .help = "received from this subnet"},
	{"source", PREFIX, .help = "source address"},
	{"destination", PREFIX, .help = "destination address"},
	{"protocol", PROTOCOL, .help = "transport protocol"},
	{"source-port", PORT, .help = "source port"},
	{"destination-port", PORT, .help = "destination port"},
	{"count", NUMBER(1, 1000, 10), .value = "N", .help = "stop after so many packets (10)"},
	{"timeout", NUMBER(1, 3600, 30), .value = "SECONDS", .help = "stop after so long (30)"},
	{0},
};

static const struct parameter watch[] = {
	{"interval", NUMBER(1, 3600, 1), .value = "SECONDS", .local = true, .help = "between two looks (1)"},
	{"count", NUMBER(1, 1000000, 0), .value = "N", .local = true, .help = "stop after so many; else at Ctrl-C"},
	{0},
};

/* ---- verbs -------------------------------------------------------------------------- */

const struct verb_info verbs[VERB_COUNT] = {
	[VERB_STATUS] = {"status", "what runs: configuration, workers, ports, warnings", false, none},
	[VERB_APPLY] = {"apply", "load a configuration and publish it; a refused one changes nothing", false, apply},
	[VERB_VERIFY] = {"verify", "check a configuration as apply would, and change nothing", false, verify},
	[VERB_CONFIG_SHOW] = {"config show", "the configuration, normalised; keys are hidden", true, none},
	[VERB_PORT_LIST] = {"port list", "ports: link, MTU, packets", false, none},
	[VERB_PORT_SHOW] = {"port show", "one port: counters, queues, what is attached to it", false, port_show},
	[VERB_VNET_LIST] = {"vnet list", "virtual networks", true, none},
	[VERB_VNET_SHOW] = {"vnet show", "one virtual network with its subnets and peerings", true, vnet_show},
	[VERB_PEERING_LIST] = {"vnet peering list", "peerings, of one virtual network or of all", true, peering_list},
	[VERB_PEERING_SHOW] = {"vnet peering show", "one peering: flags, state, sync level", true, peering_show},
	[VERB_EFFECTIVE_ROUTES] = {"effective-routes", "all routes of a subnet, winners and losers", true,
		effective_routes},
	[VERB_HUB_ROUTES] = {"hub routes", "what a route table of a virtual hub holds", true, hub_routes},
	[VERB_NEXT_HOP] = {"next-hop", "where the compiled routes send a packet", true, next_hop},
	[VERB_IP_FLOW] = {"ip-flow", "whether the compiled rules let a new flow pass, and which says so", true,
		ip_flow},
	[VERB_CONNECTION_LIST] = {"connection list", "VPN connections: status, peer, bytes", false, none},
	[VERB_CONNECTION_SHOW] = {"connection show", "one connection: status, tunnel, IKE, security associations",
		false, connection},
	[VERB_CONNECTION_RESET] = {"connection reset", "end a connection's IKE_SA; it is set up again from nothing",
		false, connection},
	[VERB_CLIENTS] = {"vpn clients", "who is connected from point to site: user, addresses, since when, bytes",
		false, clients},
	[VERB_TROUBLESHOOT] = {"vpn troubleshoot", "what is wrong with gateways and connections, and the evidence",
		false, troubleshooting},
	[VERB_BGP_PEERS] = {"bgp peers", "BGP sessions of gateways: state, since when, how many routes", false,
		bgp_gateway},
	[VERB_ROUTES_LEARNED] = {"routes learned", "routes that gateways know, and who told them", false, bgp_gateway},
	[VERB_GATEWAY_HEALTH] = {"gateway health", "tunnels that are up where routes are missing, and why", false,
		bgp_gateway},
	[VERB_ROUTES_ADVERTISED] = {"routes advertised", "routes that gateways tell their peers", false, advertised},
	[VERB_HA_SHOW] = {"ha show", "this node's role, and the lease that decides it", false, none},
	[VERB_HA_DRAIN] = {"ha drain", "give the role and the traffic to another node, until ha resume", false, none},
	[VERB_HA_RESUME] = {"ha resume", "end ha drain: this node may be primary again", false, none},
	[VERB_SA_LIST] = {"sa list", "security associations and their counters", false, none},
	[VERB_FLOW_LIST] = {"flow list", "flows that the rules have let in", false, flow_list},
	[VERB_NEIGHBOUR_LIST] = {"neighbour list", "neighbours: ARP, ND and static", false, neighbour_list},
	[VERB_DROPS] = {"drops", "dropped packets: reason, who decided, count, rate", false, drops},
	[VERB_STATS] = {"stats", "per worker and stage: packets, cycles, cycles per packet", false, stats},
	[VERB_TRACE] = {"trace", "what each stage did with the next packets that match", false, trace},
	[VERB_WATCH] = {"watch", "rates of ports, workers and drops, repeated", false, watch},
};

enum verb
verb_find(const char *name)
{
	for (int v = 0; v < VERB_COUNT; v++)
		if (strcmp(verbs[v].name, name) == 0)
			return (enum verb)v;
	return VERB_COUNT;
}

/* Levenshtein distance; names are short, longer ones are near nothing. */
static unsigned
distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned row[33];

	if (n > 32 || m > 32)
		return 99;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[m];
}

const char *
verb_suggest(const char *name)
{
	const char *near = NULL;
	unsigned best = 4;

	for (int v = 0; v < VERB_COUNT; v++) {
		unsigned d = distance(name, verbs[v].name);

		if (d < best) {
			best = d;
			near = verbs[v].name;
		}
	}
	return near;
}

int
parameter_find(enum verb verb, const char *name)
{
	const struct parameter *p = verbs[verb].parameter;

	for (int i = 0; p[i].name; i++)
		if (strcmp(p[i].name, name) == 0)
			return i;
	return -1;
}

const char *
parameter_kind_text(enum parameter_kind kind)
{
	switch (kind) {
	case PARAMETER_TEXT:
	case PARAMETER_VNET:
	case PARAMETER_PORT:
	case PARAMETER_CONNECTION:
		return "a name";
	case PARAMETER_FILE:
		return "an absolute path";
	case PARAMETER_SUBNET:
		return "VNET/SUBNET";
	case PARAMETER_ADDRESS:
		return "an IP address";
	case PARAMETER_PREFIX:
		return "an IP prefix";
	case PARAMETER_ENDPOINT:
		return "IP:PORT";
	case PARAMETER_CHOICE:
		return "one of the words it allows";
	case PARAMETER_PROTOCOL:
		return "TCP, UDP, ICMP, ESP, AH or a number up to 255";
	case PARAMETER_NUMBER:
		return "a number";
	case PARAMETER_FLAG:
		return "true or false";
	}
	return "a value";
}
