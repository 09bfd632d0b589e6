/* Next hop type VirtualAppliance: an address becomes an interface and a neighbour on it. */
#pragma once

#include "control/effective_routes.h"

/* NULL and the neighbour, or why it can not be reached and the drop. */
const char *appliance_hop(
	struct world_build *b, const struct effective *e, const struct candidate *c, struct hop_spec *hop);
