/* What sites and the connections of hubs' gateways imply: see expand_wan.c. */
#include "config/check_wan.h"
#include "config/schemas.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- sites ------------------------------------------------------------------------- */

static char *
link_name(struct check *k, const struct cfg_site *s, uint32_t link)
{
	return s->n_links == 0 ? s->name
			       : expand_text(k, "%s.%s", s->name, s->links[link].name ? s->links[link].name : "");
}

static void
site_link(struct check *k, const struct cfg_site *s, uint32_t link, struct cfg_local_gateway *l)
{
	const struct cfg_site_link *from = s->n_links == 0 ? &s->own : &s->links[link];

	*l = (struct cfg_local_gateway){.mark = s->n_links == 0 ? s->mark : from->mark,
		.name = link_name(k, s, link),
		.address = from->address,
		.fqdn = from->fqdn,
		.prefixes = s->prefixes,
		.bgp = from->bgp,
		.implied = true};
}

int
expand_sites(struct check *k)
{
	const struct cfg_wans *w = &k->c->wan;
	struct cfg_local_gateway *all;
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n_sites; i++)
		n += w->sites[i].n_links + 1;
	all = expand_widen(k, k->c->local_gateways, k->c->n_local_gateways, n, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	k->c->local_gateways = all;
	for (uint32_t i = 0; i < w->n_sites; i++) {
		const struct cfg_site *s = &w->sites[i];

		if (s->n_links > 0 && (s->own.address.family != IP_NONE || s->own.fqdn != NULL || s->own.bgp.given))
			config_error(k->b->errors, s->mark, "InvalidValue",
				"site '%.80s' has vpnSiteLinks: addresses and bgpProperties are theirs", s->name);
		for (uint32_t link = 0; link == 0 || link < s->n_links; link++) {
			struct cfg_local_gateway *l = &all[k->c->n_local_gateways];

			site_link(k, s, link, l);
			if (!expand_taken(k, KIND_LOCAL_GATEWAY, l->name, l->mark, "a local network gateway"))
				k->c->n_local_gateways++;
		}
	}
	return 0;
}

/* ---- connections ------------------------------------------------------------------- */

static void
connection_add(struct check *k, const struct cfg_hub *h, const struct cfg_connection *like, char *name,
	const struct cfg_hub_routing *r)
{
	struct cfg_connection *c = &k->c->connections[k->c->n_connections];

	if (h->gateway == CFG_NONE || expand_taken(k, KIND_CONNECTION, name, like->mark, "a connection"))
		return;
	*c = *like;
	binder_moved(k->b, like, sizeof(*like), c);
	if (c->ike.credentials.local_id == NULL && h->vpn != CFG_NONE)
		c->ike.credentials.local_id = k->c->wan.vpn_gateways[h->vpn].metal.credentials.local_id;
	c->name = name;
	c->gateway1_ref = h->name;
	c->implied = true;
	c->hub_routing = r;
	k->c->n_connections++;
}

/* The site's link of a reference, CFG_NONE and an error. */
static int32_t
link_find(struct check *k, const struct cfg_site *s, const struct cfg_hub_vpn_link *l)
{
	struct child_ref r;

	if (l->link_ref != NULL && reference_child(l->link_ref, "vpnSites", "vpnSiteLinks", &r) &&
		(r.owner == NULL ||
			(strlen(s->name) == r.owner_length && strncasecmp(s->name, r.owner, r.owner_length) == 0)))
		for (uint32_t i = 0; i < s->n_links; i++)
			if (s->links[i].name != NULL && strlen(s->links[i].name) == r.name_length &&
				strncasecmp(s->links[i].name, r.name, r.name_length) == 0)
				return (int32_t)i;
	if (l->link_ref != NULL)
		config_error(k->b->errors, MARK(k, &l->link_ref, &l->connection), "InvalidResourceReference",
			"site '%.80s' has no link '%.160s'", s->name, l->link_ref);
	return CFG_NONE;
}

static void
link_connections(struct check *k, const struct cfg_hub *h, struct cfg_hub_vpn_connection *c, const struct cfg_site *s)
{
	for (uint32_t i = 0; i < c->n_links; i++) {
		struct cfg_hub_vpn_link *l = &c->links[i];
		int32_t link = link_find(k, s, l);

		if (link == CFG_NONE)
			continue;
		l->connection.local_gateway_ref = link_name(k, s, (uint32_t)link);
		l->connection.selectors = c->connection.selectors;
		l->connection.n_selectors = c->connection.n_selectors;
		connection_add(k, h, &l->connection,
			expand_text(k, "%s.%s", c->connection.name, l->connection.name ? l->connection.name : ""),
			&c->routing);
		explicit_bzero(l->connection.ike.shared_key, sizeof(l->connection.ike.shared_key));
		explicit_bzero(l->connection.bgp.password, sizeof(l->connection.bgp.password));
	}
}

/* The cloud would list what the hub reaches, which changes with every hub of the virtual WAN. */
static void
check_selectors(struct check *k, const struct cfg_hub_vpn_connection *c)
{
	bool policy_based = c->n_links == 0 && c->connection.policy_based;

	for (uint32_t i = 0; i < c->n_links; i++)
		policy_based |= c->links[i].connection.policy_based;
	if (policy_based && c->connection.n_selectors == 0)
		config_error(k->b->errors, c->connection.mark, "NotSupported",
			"connection '%.80s': usePolicyBasedTrafficSelectors is supported with "
			"trafficSelectorPolicies only",
			c->connection.name);
}

static void
vpn_connection(struct check *k, const struct cfg_hub *h, struct cfg_hub_vpn_connection *c)
{
	int32_t site = reference_resolve(k, KIND_SITE, &c->site_ref, c->connection.mark);
	const struct cfg_site *s = site == CFG_NONE ? NULL : &k->c->wan.sites[site];

	if (s == NULL || c->connection.name == NULL)
		return;
	if (s->wan != h->wan)
		config_error(k->b->errors, MARK(k, &c->site_ref, &c->connection), "InvalidReference",
			"connection '%.80s': site '%.80s' and hub '%.80s' are of different virtual WANs",
			c->connection.name, s->name, h->name);
	check_selectors(k, c);
	if ((c->n_links > 0) != (s->n_links > 0))
		config_error(k->b->errors, c->connection.mark, "MissingKey",
			"connection '%.80s' has %s vpnLinkConnections, but site '%.80s' has %s vpnSiteLinks",
			c->connection.name, c->n_links > 0 ? "its" : "no", s->name, s->n_links > 0 ? "its" : "no");
	else if (c->n_links > 0)
		link_connections(k, h, c, s);
	else {
		c->connection.local_gateway_ref = s->name;
		connection_add(k, h, &c->connection, c->connection.name, &c->routing);
		explicit_bzero(c->connection.ike.shared_key, sizeof(c->connection.ike.shared_key));
		explicit_bzero(c->connection.bgp.password, sizeof(c->connection.bgp.password));
	}
}

static void
circuit_connection(struct check *k, const struct cfg_hub *h, const struct cfg_hub_circuit *from)
{
	struct cfg_connection c = {.mark = from->mark};
	struct child_ref r;

	if (from->name == NULL || from->circuit_ref == NULL)
		return;
	connection_init(&c);
	c.type = CONNECTION_EXPRESS_ROUTE;
	c.routing_weight = from->routing_weight;
	c.circuit_ref = from->circuit_ref;
	if (reference_child(from->circuit_ref, "expressRouteCircuits", "peerings", &r) && r.owner != NULL)
		c.circuit_ref = arena_text(k->b->arena, r.owner, r.owner_length);
	connection_add(k, h, &c, from->name, &from->routing);
}

int
expand_connections(struct check *k)
{
	const struct cfg_wans *w = &k->c->wan;
	struct cfg_connection *all;
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n_vpn_gateways; i++)
		for (uint32_t c = 0; c < w->vpn_gateways[i].n_connections; c++)
			n += 1 + w->vpn_gateways[i].connections[c].n_links;
	for (uint32_t i = 0; i < w->n_er_gateways; i++)
		n += w->er_gateways[i].n_connections;
	all = expand_widen(k, k->c->connections, k->c->n_connections, n, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	k->c->connections = all;
	for (uint32_t i = 0; i < w->n_hubs; i++) {
		const struct cfg_hub *h = &w->hubs[i];
		const struct cfg_hub_vpn_gateway *v = h->vpn == CFG_NONE ? NULL : &w->vpn_gateways[h->vpn];
		const struct cfg_hub_er_gateway *e =
			h->express_route == CFG_NONE ? NULL : &w->er_gateways[h->express_route];

		for (uint32_t c = 0; v != NULL && c < v->n_connections; c++)
			vpn_connection(k, h, &v->connections[c]);
		for (uint32_t c = 0; e != NULL && c < e->n_connections; c++)
			circuit_connection(k, h, &e->connections[c]);
	}
	return 0;
}

/* ---- clients ----------------------------------------------------------------------- */

/* Counts only where `to` has no room yet. */
static void
client_routes_add(struct cfg_prefixes *to, const struct cfg_prefixes *from)
{
	for (uint32_t i = 0; i < from->n; i++) {
		if (from->p[i].len == 0)
			continue;
		if (to->p != NULL)
			to->p[to->n] = from->p[i];
		to->n++;
	}
}

static void
client_routes_of_hub(const struct check *k, int32_t hub, const struct cfg_hub *from, struct cfg_prefixes *to)
{
	for (uint32_t i = 0; i < from->n_connections; i++) {
		const struct cfg_hub_connection *c = &from->connections[i];

		if (c->vnet == CFG_NONE || !hub_routing_reaches(&c->routing, hub))
			continue;
		if (from != &k->c->wan.hubs[hub]) /* its own are served already */
			client_routes_add(to, &k->c->vnets[c->vnet].space);
		for (uint32_t n = 0; c->routing.propagate_statics && n < c->routing.n_statics; n++)
			client_routes_add(to, &c->routing.statics[n].prefixes);
	}
}

static void
client_routes(const struct check *k, int32_t hub, struct cfg_prefixes *to)
{
	const struct cfg_wans *w = &k->c->wan;
	const struct cfg_wan *wan = &w->wans[w->hubs[hub].wan];

	for (uint32_t i = 0; i < w->n_hubs; i++)
		if (w->hubs[i].wan == w->hubs[hub].wan)
			client_routes_of_hub(k, hub, &w->hubs[i], to);
	for (uint32_t i = 0; wan->branch_to_branch && i < k->c->n_connections; i++) {
		const struct cfg_connection *c = &k->c->connections[i];

		if (c->hub_routing != NULL && c->local_gateway != CFG_NONE && hub_routing_reaches(c->hub_routing, hub))
			client_routes_add(to, &k->c->local_gateways[c->local_gateway].prefixes);
	}
}

int
expand_client_routes(struct check *k, struct cfg_gateway *g)
{
	struct cfg_prefixes count = {0};

	if (g->p2s.pool.n == 0 || k->c->wan.hubs[g->hub].wan == CFG_NONE)
		return 0;
	client_routes(k, g->hub, &count);
	g->custom_routes.n = 0;
	g->custom_routes.p = arena_array(k->b->arena, count.n, sizeof(*count.p));
	if (g->custom_routes.p == NULL)
		return -ENOMEM;
	client_routes(k, g->hub, &g->custom_routes);
	return 0;
}
