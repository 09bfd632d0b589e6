/* Route tables, and the rules they must keep where GatewaySubnet uses them. */
#include "config/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
check_next_hop(struct check *k, const struct cfg_route *r)
{
	bool has = r->next_hop.family != IP_NONE;
	char text[ADDRESS_TEXT_MAX];

	if (r->type != NEXT_HOP_VIRTUAL_APPLIANCE) {
		if (has)
			config_error(k->b->errors, MARK(k, &r->next_hop, r), "InvalidNextHop",
				"route '%.80s': only a next hop of type VirtualAppliance has a nextHopIpAddress",
				r->name);
		return;
	}
	if (!has)
		config_error(k->b->errors, r->mark, "InvalidNextHop",
			"route '%.80s': a next hop of type VirtualAppliance needs nextHopIpAddress", r->name);
	else if (r->next_hop.family != r->prefix.addr.family)
		config_error(k->b->errors, MARK(k, &r->next_hop, r), "InvalidNextHop",
			"route '%.80s': %s and its address prefix are of different families", r->name,
			address_text(&r->next_hop, text, sizeof(text)));
}

static int
route_order(const void *a, const void *b)
{
	const struct cfg_route *const *x = a, *const *y = b;
	int order = prefix_compare(&(*x)->prefix, &(*y)->prefix);

	return order != 0 ? order : (*x < *y ? -1 : 1);
}

static void
check_duplicates(struct check *k, const struct cfg_route_table *t)
{
	const struct cfg_route *sorted[LIMIT_ROUTES];
	char text[ADDRESS_TEXT_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_routes; i++)
		if (t->routes[i].prefix.addr.family != IP_NONE)
			sorted[n++] = &t->routes[i];
	if (n > 1)
		qsort(sorted, n, sizeof(sorted[0]), route_order);
	for (uint32_t i = 1; i < n; i++)
		if (prefix_equal(&sorted[i]->prefix, &sorted[i - 1]->prefix))
			config_error(k->b->errors, MARK(k, &sorted[i]->prefix, sorted[i]), "DuplicateRoute",
				"routes '%.80s' and '%.80s' have the same address prefix %s", sorted[i - 1]->name,
				sorted[i]->name, prefix_text(&sorted[i]->prefix, text, sizeof(text)));
}

static int
check_table(struct check *k, const struct cfg_route_table *t)
{
	struct names names;

	if (names_build(k->b->arena, &names, t->routes, t->n_routes, sizeof(*t->routes)) < 0)
		return -ENOMEM;
	names_check(k->b, &names, "route", true);
	for (uint32_t i = 0; i < t->n_routes; i++)
		check_next_hop(k, &t->routes[i]);
	check_duplicates(k, t);
	return 0;
}

/* A gateway that sends its own traffic elsewhere, or does not learn, cuts itself off. */
static void
check_gateway_table(struct check *k, const struct cfg_vnet *v, const struct cfg_subnet *s)
{
	const struct cfg_route_table *t = &k->c->route_tables[s->route_table];

	if (t->disable_bgp_route_propagation)
		config_error(k->b->errors, MARK(k, &s->route_table_ref, s), "GatewaySubnetPropagationDisabled",
			"route table '%.80s' disables route propagation: not on the GatewaySubnet of '%.80s'", t->name,
			v->name);
	for (uint32_t i = 0; i < t->n_routes; i++)
		if (t->routes[i].prefix.addr.family != IP_NONE && t->routes[i].prefix.len == 0)
			config_error(k->b->errors, MARK(k, &s->route_table_ref, s), "GatewaySubnetDefaultRoute",
				"route table '%.80s' has a default route: not on the GatewaySubnet of '%.80s'", t->name,
				v->name);
}

int
check_routes(struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_route_tables; i++)
		if (check_table(k, &k->c->route_tables[i]) < 0)
			return -ENOMEM;
	for (uint32_t i = 0; i < k->c->n_vnets; i++)
		for (uint32_t j = 0; j < k->c->vnets[i].n_subnets; j++) {
			const struct cfg_subnet *s = &k->c->vnets[i].subnets[j];

			if (s->is_gateway && s->route_table != CFG_NONE)
				check_gateway_table(k, &k->c->vnets[i], s);
		}
	return 0;
}
