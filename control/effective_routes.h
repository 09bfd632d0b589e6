/* The effective routes of one subnet: everything that speaks for a destination, and who wins.
 *
 * This is the table the vendor's show-effective-route-table prints, losers included, with what compiling it
 * needs beside each row.
 */
#pragma once

#include "control/peering.h"
#include "control/world_build.h"

/* From where packets meet the table. */
enum viewpoint {
	VIEW_SUBNET,  /* a host of the subnet sent it */
	VIEW_TUNNEL,  /* it came out of one of the gateway's tunnels, or from a circuit */
	VIEW_GATEWAY, /* a subnet's route sent it to the gateway, which forwards it */
};

struct candidate {
	struct effective_route row;
	const struct cfg_route *user;        /* SOURCE_USER */
	uint32_t user_name;                  /* SOURCE_USER: "TABLE/routes/NAME" */
	int32_t peering;                     /* VNet peerings: index in the VNet, else CFG_NONE */
	const struct gateway_route *gateway; /* SOURCE_VIRTUAL_NETWORK_GATEWAY */
};

/* All candidates of one prefix. */
struct route_group {
	struct ip_prefix prefix;
	int32_t parent; /* the nearest group around it, -1 */
	int32_t winner; /* candidate, -1: none may win */
	bool strong; /* inside a system route of the VNet or a peering: gateway routes lose here whatever their length
		      */
};

struct effective {
	int32_t vnet, subnet; /* subnet CFG_NONE: a gateway without a GatewaySubnet in the file */
	int32_t route_table;
	enum viewpoint view;
	struct gateway_service service; /* whose routes are listed; gateway CFG_NONE: none */
	struct candidate *candidate;    /* sorted by prefix, winner first */
	uint32_t n;
	/* But for VIEW_GATEWAY: the gateway's routes speak beside the candidates, and candidate[n] stands for all of
	 * them. NULL: they are candidates, or there are none. */
	const struct gateway_state *learned;
	struct route_group *group; /* sorted by prefix */
	uint32_t n_groups;
	uint16_t own; /* interface whose own addresses are local whatever routes say; IFACE_NONE */
};

/* Collect, sort, decide. Hops are still HOP_NONE: route_compile.h gives them. service: whose routes are listed, NULL:
 * of the gateway that serves the VNet. */
void effective_collect(struct world_build *b, struct effective *e, int32_t vnet, int32_t subnet, enum viewpoint view,
	const struct gateway_service *service);
/* The smallest group that covers p whole, -1. */
int32_t effective_around(const struct effective *e, const struct ip_prefix *p);
/* The candidate that decides for all of p as far as routes around it go: the longest winner that covers p, -1; n: one
 * of the gateway's routes does. */
int32_t effective_owner(const struct effective *e, const struct ip_prefix *p);
/* A system route of the VNet or of a peering: the gateway's routes lose inside. */
bool effective_strong(const struct effective_route *r);
