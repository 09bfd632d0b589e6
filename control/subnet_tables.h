/* The table of every subnet and gateway: collected, compiled, and printed for tools. */
#pragma once

#include "control/world_build.h"

/* First, since subnets' routes to the gateway need what each gateway forwards. */
void subnet_tables_gateways(struct world_build *b);
void subnet_tables_subnets(struct world_build *b);
