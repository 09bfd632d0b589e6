/* NSGs as access lists: ASGs become addresses, service tags become bits. */
#pragma once

#include "control/world_build.h"

/* Index in spec.acl of an NSG's rules of one direction; made when first asked for. */
uint32_t security_group_acl(struct world_build *b, int32_t nsg, enum cfg_direction direction);
