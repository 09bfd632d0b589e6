/* Virtual hubs: what each of their route tables holds, and what of it whom may use.
 *
 * All hubs of a virtual WAN are on this appliance, so a table's routes lead straight to where they end: into a subnet,
 * a tunnel or a circuit, whichever hub that belongs to. Builder thread.
 */
#pragma once

#include "control/world_build.h"

enum hub_origin {
	HUB_ORIGIN_TABLE,  /* a route of the table itself */
	HUB_ORIGIN_VNET,   /* a connected network's address space */
	HUB_ORIGIN_STATIC, /* through an appliance in a connected network */
	HUB_ORIGIN_BRANCH, /* a site, a circuit, or clients */
};

/* One route of a table. */
struct hub_route {
	struct ip_prefix prefix;
	enum hub_origin origin;
	int32_t hub; /* it comes from; another one's: remote */
	bool remote;
	const struct cfg_hub_connection *vnet_connection; /* but for BRANCH: leads into this one's network */
	int32_t connection;                               /* BRANCH: in config, CFG_NONE: clients */
	bool circuit, learned, peer;                      /* BRANCH; the last: a BGP peer's address */
	uint16_t weight;
	struct hop_spec hop;
	const char *why; /* a view refuses it: the reason, NULL */
	bool best;       /* of those with this prefix */
	int32_t parent;  /* as of gateway_route */
};

struct hub_routes {
	struct hub_route *route; /* sorted by prefix, best first */
	uint32_t n;
};

/* hub_routes.c: the routes of a table, by its hub's preference. */
struct hub_routes hub_routes_collect(struct world_build *b, int32_t hub, int32_t table);
/* What a network does with packets for all of p that its hub sends it. */
struct hop_spec hub_hop_into(
	struct world_build *b, int32_t hub, const struct cfg_hub_connection *c, const struct ip_prefix *p);
/* Sorted again: those that are refused go behind others of the prefix. */
void hub_routes_arrange(const struct world_build *b, int32_t hub, struct hub_routes *r);

/* Whose route it is: a connection, or the hub itself for its clients. */
const char *hub_route_name(const struct config *c, const struct hub_route *r);

/* Of gateways' routes made so far: of those that other hubs have told, by BGP. */
void hub_learned(struct world_build *b);
/* The views below, of all hubs; gateways have their routes by now. */
void hub_views(struct world_build *b);
/* hub_tables.c: what each table holds, for tools. */
void hub_tables(struct world_build *b);
/* What serves a connected network's subnets. */
const struct gateway_state *hub_view_of_vnet(const struct world_build *b, int32_t vnet);
/* What packets meet that come out of the hub's tunnels, or from its circuits. */
const struct gateway_state *hub_view_of_tunnels(const struct world_build *b, int32_t hub);
const struct gateway_state *hub_view_of_circuits(const struct world_build *b, int32_t hub);
/* What branches of the hub are told. */
struct told_prefixes hub_told(struct world_build *b, int32_t hub);
/* Those of the hub's default table that lead into networks. */
void hub_networks(struct world_build *b, int32_t hub, struct cfg_prefixes *to);
