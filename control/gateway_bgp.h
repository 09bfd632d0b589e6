/* BGP of a gateway with tunnels, as its interface and its routes have it. Builder thread. */
#pragma once

#include "control/world_build.h"

/* The gateway's own addresses. */
void gateway_bgp_addresses(const struct cfg_gateway *g, struct iface_spec *i);
/* What its daemon has learned; NULL: it has none. */
const struct learned_routes *gateway_bgp_told(const struct world_build *b, uint32_t gateway);
/* What its daemon has learned becomes its routes, behind those that are there, which are sorted and linked. False: it
 * has learned nothing. */
bool gateway_bgp_learned(struct world_build *b, uint32_t gateway);
