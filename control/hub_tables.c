/* Route tables of hubs as tools show them, in the words of the vendor's get-effective-routes: who has been chosen. */
#include "control/hub.h"

static const char *
type_of(const struct hub_route *r)
{
	if (r->remote)
		return "Remote Hub";
	if (r->origin != HUB_ORIGIN_BRANCH)
		return "Virtual Network Connection";
	if (r->circuit)
		return "ExpressRouteGateway";
	return r->connection == CFG_NONE ? "VPN_P2S_Gateway" : "VPN_S2S_Gateway";
}

static void
fill(struct world_build *b, struct hub_table *t)
{
	const struct cfg_hub *hubs = b->config->wan.hubs;
	struct hub_routes all = hub_routes_collect(b, t->hub, t->table);

	hub_routes_arrange(b, t->hub, &all);
	t->row = arena_array(b->arena, all.n, sizeof(*t->row));
	for (uint32_t i = 0; t->row != NULL && i < all.n; i++) {
		const struct hub_route *r = &all.route[i];
		const char *name = hub_route_name(b->config, r);

		if (!r->best)
			continue;
		t->row[t->n++] = (struct hub_row){.prefix = r->prefix,
			.type = type_of(r),
			.next_hop = r->remote ? hubs[r->hub].name : name,
			.origin = name,
			.learned = r->learned};
	}
}

void
hub_tables(struct world_build *b)
{
	const struct cfg_wans *w = &b->config->wan;
	uint32_t n = 0;

	for (uint32_t h = 0; h < w->n_hubs; h++)
		n += w->hubs[h].n_tables;
	b->world->hub_table = arena_array(b->arena, n, sizeof(*b->world->hub_table));
	for (uint32_t h = 0; b->world->hub_table != NULL && h < w->n_hubs; h++)
		for (uint32_t t = 0; t < w->hubs[h].n_tables; t++) {
			struct hub_table *of = &b->world->hub_table[b->world->n_hub_tables++];

			*of = (struct hub_table){.hub = (int32_t)h, .table = (int32_t)t};
			fill(b, of);
		}
}
