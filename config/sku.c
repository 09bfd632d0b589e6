/* The published figures of gateway SKUs. Of those that exist in two generations the first is meant
 * unless vpnGatewayGeneration says otherwise.
 */
#include "config/sku.h"

#include <string.h>
#include <strings.h>

static const struct sku skus[] = {
	{"Basic", GENERATION_NONE, 100, 10, 0},
	{"VpnGw1", GENERATION_NONE, 650, 30, 250},
	{"VpnGw2", GENERATION_1, 1000, 30, 500},
	{"VpnGw3", GENERATION_1, 1250, 30, 1000},
	{"VpnGw2", GENERATION_2, 1250, 30, 500},
	{"VpnGw3", GENERATION_2, 2500, 30, 1000},
	{"VpnGw4", GENERATION_NONE, 5000, 100, 5000},
	{"VpnGw5", GENERATION_NONE, 10000, 100, 10000},
};

static bool
sku_is(const struct sku *s, const char *name)
{
	size_t n = strlen(s->name);

	if (strncasecmp(name, s->name, n) != 0)
		return false;
	return name[n] == '\0' || (strcasecmp(name + n, "AZ") == 0 && strncmp(s->name, "VpnGw", 5) == 0);
}

const struct sku *
sku_of(const struct cfg_gateway *g)
{
	enum cfg_generation generation = g->generation == GENERATION_2 ? GENERATION_2 : GENERATION_1;

	for (size_t i = 0; g->sku != NULL && i < sizeof(skus) / sizeof(skus[0]); i++)
		if (sku_is(&skus[i], g->sku) &&
			(skus[i].generation == GENERATION_NONE || skus[i].generation == generation))
			return &skus[i];
	return NULL;
}
