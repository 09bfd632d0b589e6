/* The order of the checks, and what comes before all of them: names. */
#include "config/check.h"

#include <errno.h>
#include <string.h>

static int
subnets_build(struct check *k)
{
	k->subnets = arena_array(k->b->arena, k->c->n_vnets, sizeof(*k->subnets));
	if (k->subnets == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < k->c->n_vnets; i++) {
		struct cfg_vnet *v = &k->c->vnets[i];

		if (names_build(k->b->arena, &k->subnets[i], v->subnets, v->n_subnets, sizeof(*v->subnets)) < 0)
			return -ENOMEM;
		names_check(k->b, &k->subnets[i], "subnet", true);
	}
	return 0;
}

int
config_check(struct config *c, struct binder *b)
{
	static int (*const checks[])(struct check *) = {kinds_build, check_wan, subnets_build, check_network,
		check_routes, check_filter, check_nics, check_gateways, check_peerings, check_connections, check_bgp,
		check_circuits, check_sas, check_ike, check_p2s, check_appliance, check_ha, check_routers};
	struct check k = {.c = c, .b = b};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		int rc = checks[i](&k);

		if (rc < 0)
			return rc;
	}
	return b->arena->failed ? -ENOMEM : 0;
}
