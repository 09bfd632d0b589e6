/* ExpressRoute gateways: an interface for each link of their circuits, and the routes that peers tell there. Builder
 * thread.
 */
#pragma once

#include "control/world_build.h"

/* Gateways have their interfaces by now. -EINVAL: no room. */
int express_route_interfaces(struct world_build *b);
/* What comes from a circuit meets the GatewaySubnet's table without what gateways have learned: it leaves by no circuit
 * and by no tunnel. */
void express_route_tables(struct world_build *b);
/* What the gateway's daemon has learned becomes its routes. The VPN gateway beside it has its own by now. */
void express_route_learned(struct world_build *b, uint32_t gateway);
