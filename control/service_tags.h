/* What the service tags mean as seen from one subnet. */
#pragma once

#include "control/world_build.h"

/* Index in spec.tags for a subnet of a VNet with this route table (CFG_NONE: without). */
uint32_t service_tags_of(struct world_build *b, int32_t vnet, int32_t route_table);
