/* What the cloud's gateway SKUs can do. Pure, any thread. */
#pragma once

#include "config/resource.h"

struct sku {
	const char *name;               /* without the AZ of zone-redundant ones */
	enum cfg_generation generation; /* GENERATION_NONE: it exists in one only */
	uint32_t aggregate_mbps;        /* of all its tunnels together */
	uint16_t tunnels;               /* site-to-site connections */
	uint16_t clients;               /* point-to-site by IKEv2; 0: none */
};

/* The SKU of a gateway, or NULL if it names none that is known. */
const struct sku *sku_of(const struct cfg_gateway *g);
