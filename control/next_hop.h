/* What a winning route does with a packet. */
#pragma once

#include "control/effective_routes.h"

/* The hop for destinations in exactly the route's prefix; sets row.hop, and row.active and row.why when the next hop
 * can not be reached. Gateway routes get the hop of the shared table. */
struct hop_spec next_hop_of(struct world_build *b, struct effective *e, struct candidate *c);
/* Into the VNet that a VnetLocal or peering route leads to, towards one of its subnets (SUBNET_NONE: its space
 * outside of all subnets). */
struct hop_spec next_hop_into(
	struct world_build *b, const struct effective *e, const struct candidate *c, int32_t subnet);
/* The same for an address of this appliance there. */
struct hop_spec next_hop_local(struct world_build *b, const struct effective *e, const struct candidate *c);
/* The VNet a VnetLocal or peering route leads to; CFG_NONE: a peered one that is not in this file. */
int32_t next_hop_vnet(const struct world_build *b, const struct effective *e, const struct candidate *c);
/* The uplink for Internet packets of a VNet, or a drop. */
struct hop_spec next_hop_internet(struct world_build *b, int32_t vnet, uint8_t family, uint32_t name);
