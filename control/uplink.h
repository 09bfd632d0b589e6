/* Uplinks: networks outside every VNet. Internet leaves there, tunnels end there. */
#pragma once

#include "control/world_build.h"

/* -EINVAL: no room, or two VNets that Internet packets may enter overlap. */
int uplink_interfaces(struct world_build *b);
/* Tables of what comes in; subnets have their interfaces by now. */
void uplink_routes(struct world_build *b);
