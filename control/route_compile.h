/* Effective routes compiled to what the dataplane looks up. */
#pragma once

#include "control/effective_routes.h"

/* Give every winner its hop; index in spec.routes of the table (0, the empty one, when memory is out). */
uint32_t route_compile(struct world_build *b, struct effective *e);
/* Only the hops, for a subnet that is attached to no port. */
void route_resolve(struct world_build *b, struct effective *e);
/* The list of what the gateway does with packets that subnets send to it; from a table of VIEW_GATEWAY. */
void route_compile_forward(struct world_build *b, struct effective *e, struct gateway_state *g);
