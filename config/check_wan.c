/* Virtual WANs: hubs that fit together, what is connected to them, what Basic lacks. Runs before all that looks at
 * virtual networks, gateways and connections, since hubs imply some (expand_wan.c).
 */
#include "config/check_wan.h"

#include "config/overlap.h"

#include <errno.h>
#include <string.h>

#define HUB_LONGEST 24 /* of a hub's addressPrefix */

static const struct cfg_wan *
wan_of(const struct check *k, int32_t hub)
{
	int32_t wan = hub == CFG_NONE ? CFG_NONE : k->c->wan.hubs[hub].wan;

	return wan == CFG_NONE ? NULL : &k->c->wan.wans[wan];
}

/* ---- hubs ------------------------------------------------------------------------ */

static void
resolve_connection(struct check *k, int32_t hub, int32_t index)
{
	struct cfg_hub_connection *c = &k->c->wan.hubs[hub].connections[index];
	struct cfg_vnet *v;

	c->vnet = reference_resolve(k, KIND_VNET, &c->vnet_ref, c->mark);
	if (c->vnet == CFG_NONE)
		return;
	v = &k->c->vnets[c->vnet];
	if (v->hub != CFG_NONE) {
		config_error(k->b->errors, MARK(k, &c->vnet_ref, c), "VnetConnectedTwice",
			"connection '%.80s': virtual network '%.80s' is connected to hub '%.80s' already: to one hub "
			"at most",
			c->name, v->name, k->c->wan.hubs[v->hub].name);
		c->vnet = CFG_NONE;
		return;
	}
	v->hub = hub;
	v->hub_connection = index;
}

static int
resolve_hub(struct check *k, int32_t index)
{
	struct cfg_hub *h = &k->c->wan.hubs[index];
	char text[ADDRESS_TEXT_MAX];
	struct names names;

	h->wan = reference_resolve(k, KIND_WAN, &h->wan_ref, h->mark);
	if (h->prefix.addr.family != IP_NONE && (h->prefix.addr.family != IP_V4 || h->prefix.len > HUB_LONGEST))
		config_error(k->b->errors, MARK(k, &h->prefix, h), "InvalidAddressPrefix",
			"hub '%.80s': addressPrefix is an IPv4 prefix of /%d or shorter, not %s", h->name, HUB_LONGEST,
			prefix_text(&h->prefix, text, sizeof(text)));
	if (h->asn != CFG_BGP_ASN)
		config_error(k->b->errors, MARK(k, &h->asn, h), "BgpAsnNotAllowed",
			"hub '%.80s': virtualRouterAsn is %u, not %u", h->name, CFG_BGP_ASN, h->asn);
	if (names_build(k->b->arena, &names, h->connections, h->n_connections, sizeof(*h->connections)) < 0)
		return -ENOMEM;
	names_check(k->b, &names, "hub's connection", true);
	for (uint32_t i = 0; i < h->n_connections; i++)
		resolve_connection(k, index, (int32_t)i);
	return hub_tables_resolve(k, h);
}

/* ---- gateways -------------------------------------------------------------------- */

/* The hub of a gateway, which becomes the one of its kind there. */
static int32_t
claim_hub(struct check *k, char *const *ref, struct cfg_mark mark, int32_t index, size_t place, const char *name)
{
	int32_t hub = reference_resolve(k, KIND_HUB, ref, mark), *at;

	if (hub == CFG_NONE)
		return hub;
	at = (int32_t *)(void *)((char *)&k->c->wan.hubs[hub] + place);
	if (*at != CFG_NONE) {
		config_error(k->b->errors, binder_mark(k->b, ref, mark), "HubHasGateway",
			"gateway '%.80s': hub '%.80s' has a gateway of this kind already", name,
			k->c->wan.hubs[hub].name);
		return CFG_NONE;
	}
	*at = index;
	return hub;
}

static void
check_standard(struct check *k, int32_t hub, const char *what, const char *name, struct cfg_mark mark)
{
	const struct cfg_wan *w = wan_of(k, hub);

	if (w != NULL && w->basic)
		config_error(k->b->errors, mark, "WanTypeNotSupported",
			"%s '%.80s': virtual WAN '%.80s' is of type Basic, which has site-to-site connections only",
			what, name, w->name);
}

static int
check_branch(struct check *k, struct cfg_hub_routing *r, int32_t hub, const char *name, struct cfg_mark mark)
{
	if (wan_of(k, hub) == NULL)
		return 0;
	if (hub_routing_resolve(k, r, hub, mark) < 0)
		return -ENOMEM;
	hub_routing_check_branch(k, r, name, mark);
	return 0;
}

static int
check_vpn_gateway(struct check *k, uint32_t index)
{
	struct cfg_hub_vpn_gateway *g = &k->c->wan.vpn_gateways[index];
	int32_t hub = claim_hub(k, &g->hub_ref, g->mark, (int32_t)index, offsetof(struct cfg_hub, vpn), g->name);

	if (g->bgp.asn != CFG_BGP_ASN)
		config_error(k->b->errors, MARK(k, &g->bgp.asn, g), "BgpAsnNotAllowed",
			"gateway '%.80s' of a virtual hub is of autonomous system %u, not %u", g->name, CFG_BGP_ASN,
			g->bgp.asn);
	for (uint32_t i = 0; i < g->n_connections; i++) {
		struct cfg_hub_vpn_connection *c = &g->connections[i];
		const char *name = c->connection.name ? c->connection.name : "";

		if (check_branch(k, &c->routing, hub, name, c->connection.mark) < 0)
			return -ENOMEM;
		if (c->n_links > 0 &&
			(c->connection.ike.shared_key_len > 0 || c->connection.enable_bgp || c->connection.n_sas > 0))
			config_error(k->b->errors, c->connection.mark, "InvalidValue",
				"connection '%.80s' has vpnLinkConnections: keys and enableBgp are theirs", name);
	}
	return 0;
}

static int
check_er_gateway(struct check *k, uint32_t index)
{
	struct cfg_hub_er_gateway *g = &k->c->wan.er_gateways[index];
	int32_t hub =
		claim_hub(k, &g->hub_ref, g->mark, (int32_t)index, offsetof(struct cfg_hub, express_route), g->name);

	check_standard(k, hub, "ExpressRoute gateway", g->name, g->mark);
	for (uint32_t i = 0; i < g->n_connections; i++)
		if (check_branch(k, &g->connections[i].routing, hub,
			    g->connections[i].name ? g->connections[i].name : "", g->connections[i].mark) < 0)
			return -ENOMEM;
	return 0;
}

static int
check_p2s_gateway(struct check *k, uint32_t index)
{
	struct cfg_hub_p2s_gateway *g = &k->c->wan.p2s_gateways[index];
	int32_t hub = claim_hub(k, &g->hub_ref, g->mark, (int32_t)index, offsetof(struct cfg_hub, p2s), g->name);

	check_standard(k, hub, "P2S VPN gateway", g->name, g->mark);
	if (g->n_clients == 0)
		config_error(k->b->errors, g->mark, "MissingKey",
			"P2S VPN gateway '%.80s' needs p2SConnectionConfigurations", g->name);
	for (uint32_t i = 0; i < g->n_clients; i++)
		if (check_branch(k, &g->clients[i].routing, hub, g->name, g->clients[i].mark) < 0)
			return -ENOMEM;
	if (hub != CFG_NONE && g->n_clients > 0)
		k->c->wan.hubs[hub].of_clients = &g->clients[0].routing;
	return 0;
}

/* ---- Basic ------------------------------------------------------------------------ */

static void
check_basic(struct check *k, const struct cfg_hub *h)
{
	const char *name = k->c->wan.wans[h->wan].name;

	for (uint32_t i = 0; i < h->n_tables; i++)
		if (!h->tables[i].implied && (i > CFG_HUB_NONE_TABLE || h->tables[i].n_routes > 0))
			config_error(k->b->errors, h->tables[i].mark, "WanTypeNotSupported",
				"route table '%.80s' of hub '%.80s': virtual WAN '%.80s' is of type Basic, which has "
				"none",
				h->tables[i].name, h->name, name);
	for (uint32_t i = 0; i < h->n_connections; i++)
		if (h->connections[i].routing.n_statics > 0)
			config_error(k->b->errors, h->connections[i].routing.statics[0].mark, "WanTypeNotSupported",
				"static routes of connection '%.80s': virtual WAN '%.80s' is of type Basic, which has "
				"none",
				h->connections[i].name, name);
}

/* ---- addresses of one virtual WAN -------------------------------------------------- */

struct claim {
	int32_t hub;
	const char *noun, *name;
	struct cfg_mark mark;
};

struct claims {
	struct check *k;
	struct claim *claim;
	struct overlap_item *item;
	uint32_t n_claims, n_items;
};

/* Inside one hub check_peerings() and check_p2s() look. */
static bool
claims_overlap(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow)
{
	struct claims *c = arg;
	const struct claim *late = &c->claim[wide->owner > narrow->owner ? wide->owner : narrow->owner];
	const struct claim *early = &c->claim[wide->owner > narrow->owner ? narrow->owner : wide->owner];
	char x[ADDRESS_TEXT_MAX], y[ADDRESS_TEXT_MAX];

	if (late->hub == early->hub)
		return true;
	config_error(c->k->b->errors, late->mark, "WanAddressSpacesOverlap",
		"%s '%.80s' and %s '%.80s' are of one virtual WAN. Overlapping address prefixes: %s, %s", early->noun,
		early->name, late->noun, late->name, prefix_text(&wide->prefix, x, sizeof(x)),
		prefix_text(&narrow->prefix, y, sizeof(y)));
	return !config_errors_full(c->k->b->errors);
}

static void
claim_add(struct claims *c, const struct claim *claim, const struct cfg_prefixes *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		c->item[c->n_items++] = (struct overlap_item){.prefix = p->p[i], .owner = c->n_claims};
	c->claim[c->n_claims++] = *claim;
}

static void
claim_hub_spaces(struct claims *c, int32_t hub)
{
	struct cfg_hub *h = &c->k->c->wan.hubs[hub];
	const struct cfg_hub_p2s_gateway *p = h->p2s == CFG_NONE ? NULL : &c->k->c->wan.p2s_gateways[h->p2s];

	claim_add(c, &(struct claim){hub, "virtual hub", h->name, h->mark}, &(struct cfg_prefixes){&h->prefix, 1});
	for (uint32_t i = 0; i < h->n_connections; i++)
		if (h->connections[i].vnet != CFG_NONE) {
			const struct cfg_vnet *v = &c->k->c->vnets[h->connections[i].vnet];

			claim_add(
				c, &(struct claim){hub, "virtual network", v->name, h->connections[i].mark}, &v->space);
		}
	for (uint32_t i = 0; p != NULL && i < p->n_clients; i++)
		claim_add(c, &(struct claim){hub, "clients of", p->name, p->clients[i].mark}, &p->clients[i].pool);
}

static size_t
hub_room(const struct check *k, const struct cfg_hub *h)
{
	size_t room = 1 + LIMIT_P2S_POOLS;

	for (uint32_t i = 0; i < h->n_connections; i++)
		room += h->connections[i].vnet == CFG_NONE ? 0 : 1 + k->c->vnets[h->connections[i].vnet].space.n;
	return room;
}

static int
check_spaces(struct check *k, int32_t wan)
{
	const struct cfg_wans *w = &k->c->wan;
	struct claims c = {.k = k};
	size_t room = 0;

	for (uint32_t i = 0; i < w->n_hubs; i++)
		room += hub_room(k, &w->hubs[i]);
	c.claim = arena_array(k->b->arena, room, sizeof(*c.claim));
	c.item = arena_array(k->b->arena, room, sizeof(*c.item));
	if (c.claim == NULL || c.item == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->n_hubs; i++)
		if (w->hubs[i].wan == wan && !w->wans[wan].basic && w->hubs[i].prefix.addr.family != IP_NONE)
			claim_hub_spaces(&c, (int32_t)i);
	overlap_each(c.item, c.n_items, claims_overlap, &c);
	return 0;
}

/* ---- all -------------------------------------------------------------------------- */

static int
check_hubs(struct check *k)
{
	struct cfg_wans *w = &k->c->wan;

	for (uint32_t i = 0; i < w->n_sites; i++)
		w->sites[i].wan = reference_resolve(k, KIND_WAN, &w->sites[i].wan_ref, w->sites[i].mark);
	for (uint32_t i = 0; i < w->n_hubs; i++)
		if (resolve_hub(k, (int32_t)i) < 0)
			return -ENOMEM;
	for (uint32_t i = 0; i < w->n_hubs; i++) {
		struct cfg_hub *h = &w->hubs[i];

		for (uint32_t n = 0; h->wan != CFG_NONE && n < h->n_connections; n++) {
			struct cfg_hub_connection *c = &h->connections[n];

			if (hub_routing_resolve(k, &c->routing, (int32_t)i, c->mark) < 0)
				return -ENOMEM;
			hub_routing_check_statics(k, c);
		}
		if (h->wan != CFG_NONE && w->wans[h->wan].basic)
			check_basic(k, h);
	}
	return 0;
}

int
check_wan(struct check *k)
{
	struct cfg_wans *w = &k->c->wan;
	int r = check_hubs(k);

	for (uint32_t i = 0; r == 0 && i < w->n_vpn_gateways; i++)
		r = check_vpn_gateway(k, i);
	for (uint32_t i = 0; r == 0 && i < w->n_er_gateways; i++)
		r = check_er_gateway(k, i);
	for (uint32_t i = 0; r == 0 && i < w->n_p2s_gateways; i++)
		r = check_p2s_gateway(k, i);
	for (uint32_t i = 0; r == 0 && i < w->n_wans; i++)
		r = check_spaces(k, (int32_t)i);
	return r == 0 && w->n_hubs > 0 ? expand_wan(k) : r;
}
