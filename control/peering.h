/* Peerings as crossings: what it takes a packet to go from one VNet into another. */
#pragma once

#include "control/world_build.h"

/* From the VNet that owns peering `own` into the remote one. */
struct crossing {
	const struct cfg_peering *own;     /* the sending side's object */
	const struct cfg_peering *partner; /* the receiving side's, NULL: not in this file */
	int32_t remote;                    /* VNet, CFG_NONE: not in this file */
	bool global;                       /* between two locations */
	const struct cfg_prefixes *space;  /* what is routed over it */
	uint32_t access_name;              /* strictAccess forbids the crossing, by this peering; NAME_NONE: allowed */
	uint32_t forwarded_name; /* allowForwardedTraffic is off on the receiving side, by this peering; NAME_NONE */
};

/* False: the peering carries nothing (it is not Connected). */
bool crossing_of(struct world_build *b, int32_t vnet, uint32_t peering, struct crossing *c);
/* The hop, as packets meet it that cross first. */
struct hop_spec crossing_hop(const struct crossing *c, struct hop_spec hop);
/* The receiving side's VNet uses the sending side's gateway over this peering. */
bool crossing_is_transit(const struct crossing *c);

/* The gateway that serves a VNet's subnets: its own, or a peered VNet's. */
struct gateway_service {
	int32_t gateway;                    /* in config, CFG_NONE: none */
	const struct gateway_state *routes; /* of it, or of a hub what this VNet may know */
	bool crosses;                       /* `way` is valid */
	struct crossing way;
};

struct gateway_service gateway_service_of(struct world_build *b, int32_t vnet);
