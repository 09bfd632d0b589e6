/* The verbs: one table that the daemon checks requests by and the isthmus command takes its
 * options, help and completion from. Constant data, any thread, no DPDK.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum verb {
	VERB_STATUS,
	VERB_APPLY,
	VERB_VERIFY,
	VERB_CONFIG_SHOW,
	VERB_PORT_LIST,
	VERB_PORT_SHOW,
	VERB_VNET_LIST,
	VERB_VNET_SHOW,
	VERB_PEERING_LIST,
	VERB_PEERING_SHOW,
	VERB_EFFECTIVE_ROUTES,
	VERB_HUB_ROUTES,
	VERB_NEXT_HOP,
	VERB_IP_FLOW,
	VERB_CONNECTION_LIST,
	VERB_CONNECTION_SHOW,
	VERB_CONNECTION_RESET,
	VERB_CLIENTS,
	VERB_TROUBLESHOOT,
	VERB_BGP_PEERS,
	VERB_ROUTES_LEARNED,
	VERB_ROUTES_ADVERTISED,
	VERB_GATEWAY_HEALTH,
	VERB_HA_SHOW,
	VERB_HA_DRAIN,
	VERB_HA_RESUME,
	VERB_SA_LIST,
	VERB_FLOW_LIST,
	VERB_NEIGHBOUR_LIST,
	VERB_DROPS,
	VERB_STATS,
	VERB_TRACE,
	VERB_WATCH,
	VERB_COUNT
};

enum parameter_kind {
	PARAMETER_TEXT,       /* a name of a resource */
	PARAMETER_FILE,       /* the command makes it absolute: the daemon has another working directory */
	PARAMETER_VNET,       /* name, completed from the VNets */
	PARAMETER_PORT,       /* name, completed from the ports */
	PARAMETER_CONNECTION, /* name, completed from the connections */
	PARAMETER_SUBNET,     /* VNET/SUBNET */
	PARAMETER_ADDRESS,    /* IP */
	PARAMETER_PREFIX,     /* IP or IP/LENGTH */
	PARAMETER_ENDPOINT,   /* IP, IP:PORT or [IPV6]:PORT */
	PARAMETER_CHOICE,     /* one of `choices` */
	PARAMETER_PROTOCOL,   /* TCP, UDP, ICMP, ESP, AH or a number */
	PARAMETER_NUMBER,     /* min..max */
	PARAMETER_FLAG,       /* true when given */
};

#define VERB_PARAMETERS_MAX 10

struct parameter {
	const char *name; /* NULL ends the list */
	enum parameter_kind kind;
	bool required;
	bool positional;             /* may be given without its --name, in the order of the table */
	bool local;                  /* for the command itself, never on the socket */
	uint32_t min, max, fallback; /* PARAMETER_NUMBER */
	const char *const *choices;  /* PARAMETER_CHOICE, NULL-terminated */
	const char *value;           /* what help calls the value */
	const char *help;
};

struct verb_info {
	const char *name; /* words, one blank between them */
	const char *help;
	bool offline;                      /* answered from a file as well (-f FILE) */
	const struct parameter *parameter; /* at most VERB_PARAMETERS_MAX, then one without a name */
};

extern const struct verb_info verbs[VERB_COUNT];

/* VERB_COUNT when there is none of this name. */
enum verb verb_find(const char *name);
/* The verb the user most likely meant, NULL when nothing is near. */
const char *verb_suggest(const char *name);
/* Index in verbs[verb].parameter, -1 when there is none of this name. */
int parameter_find(enum verb verb, const char *name);
/* "text", "address": how errors and help speak of a kind of value. */
const char *parameter_kind_text(enum parameter_kind kind);
