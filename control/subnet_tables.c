/* Subnets of one VNet with one route table (or none) nearly always have one table, and a VNet may have thousands:
 * they share it. Not so a subnet that routes treat apart: one that holds the next hop of a user route (which loops
 * there and nowhere else), or whose own gateway address lies under a user route (it answers its own hosts all the
 * same).
 */
#include "control/subnet_tables.h"

#include "control/effective_routes.h"
#include "control/hub.h"
#include "control/route_compile.h"
#include "control/service_tags.h"
#include "control/vnet.h"

/* A table that all plain subnets of the VNet with this route table share. */
struct shared {
	struct effective effective;
	struct effective_route *row;
	bool compiled;
	uint32_t routes; /* once compiled */
};

struct shared_list {
	struct shared *table;
	uint32_t n;
};

/* ---- gateways ------------------------------------------------------------------------------ */

/* What comes out of tunnels, and what subnets send to the gateway, meets the GatewaySubnet's table. */
void
subnet_tables_gateways(struct world_build *b)
{
	for (uint32_t g = 0; g < b->config->n_gateways; g++) {
		const struct cfg_gateway *gateway = &b->config->gateways[g];
		struct iface_spec *i = &b->spec->iface[b->gateway[g].iface];
		struct gateway_service own = {.gateway = (int32_t)g, .routes = &b->gateway[g]};
		struct effective e;

		if (gateway->vnet == CFG_NONE)
			continue;
		if (gateway->hub != CFG_NONE)
			own.routes = hub_view_of_tunnels(b, gateway->hub);
		else if (!gateway->express_route) { /* no user route leads there */
			effective_collect(b, &e, gateway->vnet, gateway->subnet, VIEW_GATEWAY, &own);
			route_compile_forward(b, &e, &b->gateway[g]);
		}
		effective_collect(b, &e, gateway->vnet, gateway->subnet, VIEW_TUNNEL, &own);
		e.own = b->gateway[g].iface;
		i->routes = route_compile(b, &e);
		i->tags = service_tags_of(b, gateway->vnet, e.route_table);
	}
}

/* ---- sharing ------------------------------------------------------------------------------- */

static bool
holds_next_hop(const struct effective *e, const struct ip_prefix *p)
{
	for (uint32_t i = 0; i < e->n; i++) {
		if (e->candidate[i].user != NULL && e->candidate[i].row.type == EFFECTIVE_VIRTUAL_APPLIANCE &&
			prefix_has(p, &e->candidate[i].user->next_hop))
			return true;
	}
	return false;
}

/* Its own gateway address in p is found where every other subnet finds it. */
static bool
gateway_is_vnet_local(const struct effective *e, const struct ip_prefix *p)
{
	struct ip_prefix host = {.len = address_bits(&p->addr)};
	int32_t owner;

	if (!vnet_gateway_address(p, &host.addr))
		return true;
	owner = effective_owner(e, &host);
	return owner >= 0 && e->candidate[owner].row.source == SOURCE_DEFAULT &&
	       e->candidate[owner].row.type == EFFECTIVE_VNET_LOCAL;
}

/* Nothing in the table depends on which of the VNet's subnets it is for, as far as this one is concerned. */
static bool
is_plain(const struct effective *e, const struct cfg_subnet *s)
{
	for (uint32_t i = 0; i < s->prefixes.n; i++) {
		if (holds_next_hop(e, &s->prefixes.p[i]) || !gateway_is_vnet_local(e, &s->prefixes.p[i]))
			return false;
	}
	return !s->is_gateway;
}

static struct effective_route *
rows_of(struct world_build *b, const struct effective *e)
{
	struct effective_route *row = arena_array(b->arena, e->n, sizeof(*row));

	for (uint32_t i = 0; row != NULL && i < e->n; i++)
		row[i] = e->candidate[i].row;
	return row;
}

/* The shared table for a subnet, made if need be; NULL: the subnet is not plain, or memory is out. */
static struct shared *
shared_for(struct world_build *b, struct shared_list *list, int32_t vnet, int32_t subnet, struct effective *e)
{
	const struct cfg_subnet *s = &b->config->vnets[vnet].subnets[subnet];
	struct shared *grown;

	for (uint32_t i = 0; i < list->n; i++) {
		if (list->table[i].effective.route_table == s->route_table && is_plain(&list->table[i].effective, s))
			return &list->table[i];
	}
	effective_collect(b, e, vnet, subnet, s->is_gateway ? VIEW_TUNNEL : VIEW_SUBNET, NULL);
	if (!is_plain(e, s))
		return NULL;
	grown = world_grow(b, list->table, list->n, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	list->table = grown;
	route_resolve(b, e);
	grown[list->n] = (struct shared){.effective = *e, .row = rows_of(b, e)};
	return &grown[list->n++];
}

/* ---- subnets --------------------------------------------------------------------------------- */

static uint32_t
shared_routes(struct world_build *b, struct shared *s)
{
	if (!s->compiled)
		s->routes = route_compile(b, &s->effective);
	s->compiled = true;
	return s->routes;
}

static void
add_subnet(struct world_build *b, struct shared_list *list, int32_t vnet, int32_t subnet)
{
	struct effective_table *t = &b->world->table[b->world->n_tables++];
	uint16_t iface = b->subnet_iface[vnet][subnet];
	struct effective own;
	struct shared *s = shared_for(b, list, vnet, subnet, &own);
	const struct effective *e = s != NULL ? &s->effective : &own;

	*t = (struct effective_table){.vnet = vnet, .subnet = subnet, .iface = iface};
	if (iface != IFACE_NONE) {
		b->spec->iface[iface].routes = s != NULL ? shared_routes(b, s) : route_compile(b, &own);
		b->spec->iface[iface].tags = service_tags_of(b, vnet, e->route_table);
	} else if (s == NULL) {
		route_resolve(b, &own);
	}
	t->route = s != NULL ? s->row : rows_of(b, &own);
	t->n = t->route != NULL ? e->n : 0;
	if (e->learned != NULL && e->learned->row != NULL) {
		t->learned = e->learned->row;
		t->n_learned = e->learned->n_rows;
	}
}

void
subnet_tables_subnets(struct world_build *b)
{
	uint32_t n = 0;

	for (uint32_t v = 0; v < b->config->n_vnets; v++)
		n += b->config->vnets[v].n_subnets;
	b->world->table = arena_array(b->arena, n, sizeof(*b->world->table));
	for (uint32_t v = 0; b->world->table != NULL && v < b->config->n_vnets; v++) {
		struct shared_list list = {0};

		for (uint32_t s = 0; s < b->config->vnets[v].n_subnets; s++)
			add_subnet(b, &list, (int32_t)v, (int32_t)s);
	}
}
