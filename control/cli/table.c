/* A table is a list of columns; a column is a title and the way to its value ("counters.packets"). Every cell
 * becomes a text first, then widths are known, then rows are printed.
 */
#include "control/cli/table.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 14
#define CELL_MAX 512

enum cell_kind {
	CELL_PLAIN,
	CELL_COUNT, /* of a list's members */
	CELL_RATE,  /* one decimal */
	CELL_YES,
	CELL_ID, /* the last part of a resource id */
};

struct column {
	const char *title;
	const char *path;
	enum cell_kind kind;
};

#define C(title, path)                                                                                                 \
	{                                                                                                              \
		title, path, CELL_PLAIN                                                                                \
	}

static const struct column ports[] = {C("PORT", "name"), C("DRIVER", "driver"), C("LINK", "link"), C("MBPS", "mbps"),
	C("MTU", "mtu"), C("MAC", "macAddress"), C("RX", "rxPackets"), C("TX", "txPackets"), C("RX-MISSED", "rxMissed"),
	C("RX-ERRORS", "rxErrors"), C("TX-ERRORS", "txErrors"), {0}};
static const struct column vnets[] = {C("VNET", "name"), C("LOCATION", "location"),
	C("ADDRESS-SPACE", "addressSpace.addressPrefixes"), {"SUBNETS", "subnets", CELL_COUNT},
	{"PEERINGS", "virtualNetworkPeerings", CELL_COUNT}, {0}};
static const struct column peerings[] = {C("VNET", "virtualNetwork"), C("PEERING", "name"),
	{"REMOTE", "remoteVirtualNetwork.id", CELL_ID}, C("STATE", "peeringState"), C("SYNC", "peeringSyncLevel"),
	{"ACCESS", "allowVirtualNetworkAccess", CELL_YES}, {"FORWARDED", "allowForwardedTraffic", CELL_YES},
	{"TRANSIT", "allowGatewayTransit", CELL_YES}, {"REMOTE-GATEWAYS", "useRemoteGateways", CELL_YES}, {0}};
static const struct column routes[] = {C("SOURCE", "source"), C("STATE", "state"), C("PREFIX", "addressPrefix"),
	C("NEXT-HOP-TYPE", "nextHopType"), C("NEXT-HOP-IP", "nextHopIpAddress"), C("NAME", "name"),
	C("REASON", "reason"), {0}};
static const struct column hub_routes[] = {C("PREFIX", "addressPrefixes"), C("NEXT-HOP-TYPE", "nextHopType"),
	C("NEXT-HOP", "nextHops"), C("ORIGIN", "routeOrigin"), {0}};
static const struct column sas[] = {C("SA", "name"), C("DIR", "direction"), C("RES", "resource"), C("SPI", "spi"),
	C("ENCRYPTION", "encryption"), C("INTEGRITY", "integrity"), {"ESN", "esn", CELL_YES}, C("STATE", "state"),
	C("PACKETS", "counters.packets"), C("BYTES", "counters.bytes"), C("SEQUENCE", "counters.sequence"),
	C("DROPS", "counters.drops"), C("IDLE", "counters.idleSeconds"), {0}};
static const struct column connections[] = {C("CONNECTION", "name"), C("TYPE", "connectionType"),
	C("STATUS", "connectionStatus"), C("LOCAL", "appliance.state.localAddress"),
	C("REMOTE", "appliance.state.remoteAddress"), C("KEYS", "appliance.state.keys"),
	C("SINCE", "appliance.state.ikeEstablishedUtcTime"), C("REKEYS", "appliance.state.rekeys"),
	C("BYTES-IN", "ingressBytesTransferred"), C("BYTES-OUT", "egressBytesTransferred"),
	C("LAST-FAULT", "appliance.state.lastFault.fault"), {0}};
static const struct column clients[] = {C("GATEWAY", "virtualNetworkGateway"), C("USER", "vpnUserName"),
	C("ADDRESS", "privateIpAddress"), C("FROM", "publicIpAddress"), C("SINCE", "vpnConnectionTime"),
	C("BYTES-IN", "ingressBytesTransferred"), C("BYTES-OUT", "egressBytesTransferred"), {0}};
static const struct column bgp_peers[] = {C("GATEWAY", "virtualNetworkGateway"), C("CONNECTION", "connection"),
	C("LOCAL", "localAddress"), C("NEIGHBOR", "neighbor"), C("ASN", "asn"), C("STATE", "state"),
	C("FOR", "connectedDuration"), C("LEARNED", "routesReceived"), C("ADVERTISED", "routesAdvertised"),
	C("LAST-ERROR", "lastError"), {0}};
static const struct column gateway_routes[] = {C("GATEWAY", "virtualNetworkGateway"), C("NETWORK", "network"),
	C("NEXT-HOP", "nextHop"), C("PEER", "sourcePeer"), C("AS-PATH", "asPath"), C("ORIGIN", "origin"), {0}};
static const struct column faults[] = {C("RESOURCE", "resource"), C("TYPE", "resourceType"), C("FAULT", "id"),
	C("REASON", "reasonType"), C("SUMMARY", "summary"), {0}};
static const struct column flows[] = {C("SUBNET", "subnet"), C("DIR", "direction"), C("PROTO", "protocol"),
	C("SOURCE", "source"), C("PORT", "sourcePort"), C("DESTINATION", "destination"), C("PORT", "destinationPort"),
	C("TCP", "tcpState"), C("IDLE", "idleSeconds"), C("TIMEOUT", "timeoutSeconds"), C("RULE", "rule"), {0}};
static const struct column neighbours[] = {C("INTERFACE", "interface"), C("ADDRESS", "address"), C("MAC", "macAddress"),
	C("STATE", "state"), C("AGE", "ageSeconds"), C("WAITING", "waitingPackets"), {0}};
static const struct column drops[] = {C("REASON", "reason"), C("PACKETS", "packets"),
	{"PER-SECOND", "perSecond", CELL_RATE}, C("DECIDED-BY", "name"), C("TEXT", "text"), {0}};
static const struct column stages[] = {C("STAGE", "stage"), C("PACKETS", "packets"), C("CYCLES", "cycles"),
	{"CYCLES/PACKET", "cyclesPerPacket", CELL_RATE}, {0}};
static const struct column port_rates[] = {C("PORT", "port"), {"RX-PPS", "rxPacketsPerSecond", CELL_RATE},
	{"TX-PPS", "txPacketsPerSecond", CELL_RATE}, {"RX-BPS", "rxBitsPerSecond", CELL_RATE},
	{"TX-BPS", "txBitsPerSecond", CELL_RATE}, {0}};
static const struct column worker_rates[] = {C("WORKER", "worker"), {"RX-PPS", "rxPacketsPerSecond", CELL_RATE},
	{"TX-PPS", "txPacketsPerSecond", CELL_RATE}, {"DROPS/S", "droppedPerSecond", CELL_RATE},
	{"PUNTED/S", "puntedPerSecond", CELL_RATE}, {"BUSY%", "busyPercent", CELL_RATE}, {0}};
static const struct column path_steps[] = {C("STAGE", "stage"), C("INTERFACE", "interface"), C("ACCESS", "access"),
	C("RULE", "ruleName"), C("NSG", "networkSecurityGroup"), C("NEXT-HOP", "nextHopType"),
	C("IP", "nextHopIpAddress"), C("DROP", "dropText"), {0}};
static const struct column warnings[] = {C("LINE", "line"), C("COLUMN", "column"), C("WARNING", "message"), {0}};
static const struct column attached[] = {
	C("ATTACHED", "interface"), C("VLAN", "vlan"), C("MTU", "mtu"), C("ADDRESSES", "addresses"), {0}};

/* ---- cells -------------------------------------------------------------------------- */

void
table_print_text(const char *text, FILE *to)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, to);
}

static const json_t *
value_at(const json_t *o, const char *path)
{
	char key[64];

	while (o && *path) {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof key, "%.*s", (int)n, path);
		o = json_object_get(o, key);
		path += n + (path[n] == '.');
	}
	return o;
}

static void
list_text(const json_t *list, char *out, size_t n)
{
	size_t i, used = 0;
	json_t *v;

	out[0] = '\0';
	json_array_foreach(list, i, v)
	{
		const char *text = json_string_value(v);

		if (text && used < n)
			used += (size_t)snprintf(out + used, n - used, "%s%s", used ? "," : "", text);
	}
}

static void
cell_text(const json_t *v, enum cell_kind kind, char *out, size_t n)
{
	const char *text = json_string_value(v), *slash = text ? strrchr(text, '/') : NULL;

	out[0] = '\0';
	if (kind == CELL_COUNT)
		snprintf(out, n, "%zu", json_array_size(v));
	else if (kind == CELL_YES && json_is_boolean(v))
		snprintf(out, n, "%s", json_is_true(v) ? "yes" : "no");
	else if (text)
		snprintf(out, n, "%s", kind == CELL_ID && slash ? slash + 1 : text);
	else if (json_is_integer(v))
		snprintf(out, n, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v))
		snprintf(out, n, "%.1f", json_real_value(v));
	else if (json_is_boolean(v))
		snprintf(out, n, "%s", json_is_true(v) ? "true" : "false");
	else if (json_is_array(v))
		list_text(v, out, n);
}

/* Characters, not bytes: names may hold UTF-8. */
static int
text_width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool
right_aligned(const json_t *v)
{
	return json_is_number(v);
}

/* ---- rows --------------------------------------------------------------------------- */

static void
cell_print(const char *text, int width, bool right, bool last, FILE *to)
{
	int pad = width - text_width(text);

	if (right)
		fprintf(to, "%*s", pad > 0 ? pad : 0, "");
	table_print_text(text, to);
	if (!last)
		fprintf(to, "%*s", (right || pad < 0 ? 0 : pad) + 2, "");
}

static void
rows_print(const struct column *columns, const json_t *list, FILE *to)
{
	int width[COLUMNS_MAX], n = 0;
	char text[CELL_MAX];
	json_t *row;
	size_t i;

	for (; columns[n].title; n++)
		width[n] = text_width(columns[n].title);
	json_array_foreach(list, i, row)
	{
		for (int c = 0; c < n; c++) {
			cell_text(value_at(row, columns[c].path), columns[c].kind, text, sizeof text);
			if (text_width(text) > width[c])
				width[c] = text_width(text);
		}
	}

	row = json_array_get(list, 0);
	for (int c = 0; c < n; c++)
		cell_print(columns[c].title, width[c], right_aligned(value_at(row, columns[c].path)), c == n - 1, to);
	fputc('\n', to);
	json_array_foreach(list, i, row)
	{
		for (int c = 0; c < n; c++) {
			const json_t *v = value_at(row, columns[c].path);

			cell_text(v, columns[c].kind, text, sizeof text);
			cell_print(text, width[c], right_aligned(v), c == n - 1, to);
		}
		fputc('\n', to);
	}
}

/* ---- values without a table --------------------------------------------------------- */

static void tree_print(const json_t *v, int depth, FILE *to);

static void
item_print(const json_t *v, int depth, FILE *to)
{
	char text[CELL_MAX];

	if ((json_is_object(v) && json_object_size(v)) || (json_is_array(v) && json_is_object(json_array_get(v, 0)))) {
		fputc('\n', to);
		tree_print(v, depth + 1, to);
		return;
	}
	cell_text(v, CELL_PLAIN, text, sizeof text);
	fputc(' ', to);
	table_print_text(text, to);
	fputc('\n', to);
}

static void
tree_print(const json_t *v, int depth, FILE *to)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_array(v)) {
		json_array_foreach(v, i, item)
		{
			fprintf(to, "%*s-", 2 * depth, "");
			item_print(item, depth, to);
		}
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)v, key, item)
	{
		fprintf(to, "%*s", 2 * depth, "");
		table_print_text(key, to);
		fputc(':', to);
		item_print(item, depth, to);
	}
}

/* An object whose one list is better read as a table under its plain values. */
static void
tree_and_rows(const json_t *result, const char *list, const struct column *columns, FILE *to)
{
	json_t *rest = json_copy((json_t *)(uintptr_t)result);
	const json_t *rows = json_object_get(result, list);

	json_object_del(rest, list);
	tree_print(rest, 0, to);
	if (json_array_size(rows) > 0) {
		fputc('\n', to);
		rows_print(columns, rows, to);
	}
	json_decref(rest);
}

/* ---- verbs -------------------------------------------------------------------------- */

/* Reasons, each followed by who decided. */
static void
drops_print(const json_t *list, FILE *to)
{
	json_t *flat = json_array(), *reason, *by;
	size_t i, k;

	json_array_foreach(list, i, reason)
	{
		json_array_append(flat, reason);
		json_array_foreach(json_object_get(reason, "decidedBy"), k, by)
		{
			json_t *row = json_copy(by);

			json_object_set_new(row, "reason", json_string("  of these"));
			json_array_append_new(flat, row);
		}
	}
	if (json_array_size(flat) > 0)
		rows_print(drops, flat, to);
	else
		fputs("nothing was dropped\n", to);
	json_decref(flat);
}

static void
stats_print(const json_t *result, FILE *to)
{
	json_t *worker;
	size_t i;

	json_array_foreach(json_object_get(result, "workers"), i, worker)
	{
		if (i > 0)
			fputc('\n', to);
		tree_and_rows(worker, "stages", stages, to);
	}
}

static void
flows_print(const json_t *result, FILE *to)
{
	const json_t *list = json_object_get(result, "value");

	if (json_array_size(list) > 0)
		rows_print(flows, list, to);
	fprintf(to,
		"%zu listed of %" JSON_INTEGER_FORMAT " that match; %" JSON_INTEGER_FORMAT
		" live, room for %" JSON_INTEGER_FORMAT "\n",
		json_array_size(list), json_integer_value(json_object_get(result, "matched")),
		json_integer_value(json_object_get(result, "live")),
		json_integer_value(json_object_get(result, "capacity")));
}

static void
rates_print(const json_t *result, FILE *to)
{
	rows_print(port_rates, json_object_get(result, "ports"), to);
	fputc('\n', to);
	rows_print(worker_rates, json_object_get(result, "workers"), to);
	fputc('\n', to);
	drops_print(json_object_get(result, "drops"), to);
}

static void
list_print(const struct column *columns, const json_t *list, FILE *to)
{
	if (json_array_size(list) > 0)
		rows_print(columns, list, to);
	else
		fputs("none\n", to);
}

/* The table, and for each that is not well the evidence below it. */
static void
troubleshoot_print(const json_t *result, FILE *to)
{
	json_t *list = json_object_get(result, "results"), *row;
	size_t i;

	list_print(faults, list, to);
	json_array_foreach(list, i, row)
	{
		if (json_array_size(json_object_get(row, "evidence")) +
				json_array_size(json_object_get(row, "recommendedActions")) ==
			0)
			continue;
		fputc('\n', to);
		table_print_text(json_string_value(json_object_get(row, "resource")), to);
		fputs(":\n", to);
		tree_print(json_object_get(row, "evidence"), 1, to);
		tree_print(json_object_get(row, "recommendedActions"), 1, to);
	}
}

static void
status_print(const json_t *result, FILE *to)
{
	json_t *copy = json_deep_copy(result), *configuration = json_object_get(copy, "configuration");
	json_t *list = json_incref(json_object_get(configuration, "warnings"));

	json_object_del(configuration, "warnings");
	tree_print(copy, 0, to);
	if (json_array_size(list) > 0) {
		fputc('\n', to);
		rows_print(warnings, list, to);
	}
	json_decref(list);
	json_decref(copy);
}

/* A list, or with `tree` an object with a list in it. */
static const struct {
	const struct column *columns;
	const char *part; /* of the answer; NULL: all of it */
	bool tree;
} shapes[VERB_COUNT] = {
	[VERB_PORT_LIST] = {ports, NULL, false},
	[VERB_PORT_SHOW] = {attached, "attached", true},
	[VERB_VNET_LIST] = {vnets, NULL, false},
	[VERB_PEERING_LIST] = {peerings, NULL, false},
	[VERB_EFFECTIVE_ROUTES] = {routes, "value", false},
	[VERB_HUB_ROUTES] = {hub_routes, "value", false},
	[VERB_IP_FLOW] = {path_steps, "path", true},
	[VERB_CONNECTION_LIST] = {connections, NULL, false},
	[VERB_CONNECTION_SHOW] = {sas, "securityAssociations", true},
	[VERB_CLIENTS] = {clients, NULL, false},
	[VERB_BGP_PEERS] = {bgp_peers, "value", false},
	[VERB_ROUTES_LEARNED] = {gateway_routes, "value", false},
	[VERB_ROUTES_ADVERTISED] = {gateway_routes, "value", false},
	[VERB_SA_LIST] = {sas, NULL, false},
	[VERB_NEIGHBOUR_LIST] = {neighbours, NULL, false},
	[VERB_APPLY] = {warnings, "warnings", true},
	[VERB_VERIFY] = {warnings, "warnings", true},
};

void
table_print(enum verb verb, const json_t *result, FILE *to)
{
	if (verb < VERB_COUNT && shapes[verb].tree)
		tree_and_rows(result, shapes[verb].part, shapes[verb].columns, to);
	else if (verb < VERB_COUNT && shapes[verb].columns)
		list_print(shapes[verb].columns,
			shapes[verb].part ? json_object_get(result, shapes[verb].part) : result, to);
	else if (verb == VERB_GATEWAY_HEALTH)
		tree_print(json_object_get(result, "value"), 0, to);
	else if (verb == VERB_TROUBLESHOOT)
		troubleshoot_print(result, to);
	else if (verb == VERB_FLOW_LIST)
		flows_print(result, to);
	else if (verb == VERB_DROPS)
		drops_print(result, to);
	else if (verb == VERB_STATS)
		stats_print(result, to);
	else if (verb == VERB_WATCH)
		rates_print(result, to);
	else if (verb == VERB_STATUS)
		status_print(result, to);
	else
		tree_print(result, 0, to);
}

void
table_print_record(const json_t *record, FILE *to)
{
	json_int_t source_port = json_integer_value(json_object_get(record, "sourcePort"));
	json_int_t destination_port = json_integer_value(json_object_get(record, "destinationPort"));
	json_t *step;
	size_t i;

	fprintf(to,
		"%s %s:%" JSON_INTEGER_FORMAT " > %s:%" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
		" bytes, worker %" JSON_INTEGER_FORMAT "\n",
		json_string_value(json_object_get(record, "protocol")),
		json_string_value(json_object_get(record, "source")), source_port,
		json_string_value(json_object_get(record, "destination")), destination_port,
		json_integer_value(json_object_get(record, "length")),
		json_integer_value(json_object_get(record, "worker")));
	json_array_foreach(json_object_get(record, "steps"), i, step)
	{
		fprintf(to, "  %-9s ", json_string_value(json_object_get(step, "stage")));
		table_print_text(json_string_value(json_object_get(step, "text")), to);
		fputc('\n', to);
	}
}
