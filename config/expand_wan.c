/* What hubs imply: a hub is a virtual network with a gateway in it that everybody uses.
 *
 *   hub H                            virtual network H with a GatewaySubnet, gateway H
 *   connection C of network V        peering C of H with V (gateway transit), RemoteVnetToHubPeering_H of V with H
 *   site S, its link L               local network gateway S, or S.L
 *   a site's connection C, its link  connection C, or C.LINK, of type IPsec
 *   a circuit's connection C         connection C of type ExpressRoute, of the same gateway H
 *   P2S VPN gateway                  the clients of gateway H
 *
 * They stand behind the file's own objects in their arrays, which move for that.
 */
#include "config/check_wan.h"
#include "config/schemas.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SPOKE_PEERING "RemoteVnetToHubPeering_" /* as the cloud calls it */

char *
expand_text(struct check *k, const char *format, ...)
{
	char t[2 * LIMIT_PATH + 80];
	va_list args;

	va_start(args, format);
	vsnprintf(t, sizeof(t), format, args);
	va_end(args);
	return arena_text(k->b->arena, t, strlen(t));
}

void *
expand_widen(struct check *k, const void *old, uint32_t n, uint32_t more, size_t size)
{
	char *wide = arena_array(k->b->arena, (size_t)n + more, size);

	if (wide == NULL || n == 0)
		return wide;
	memcpy(wide, old, n * size);
	binder_moved(k->b, old, n * size, wide);
	return wide;
}

/* Names in the file and implied ones share their kind's. */
bool
expand_taken(struct check *k, enum kind kind, const char *name, struct cfg_mark mark, const char *what)
{
	if (names_find(&k->names[kind], name, strlen(name)) == CFG_NONE)
		return false;
	config_error(k->b->errors, mark, "DuplicateName",
		"'%.160s' is the name of %s already, and would be implied by this object of a virtual WAN", name, what);
	return true;
}

/* ---- networks and peerings --------------------------------------------------------- */

static int
hub_peerings(struct check *k, const struct cfg_hub *h, struct cfg_vnet *hub)
{
	hub->peerings = arena_array(k->b->arena, h->n_connections, sizeof(*hub->peerings));
	if (hub->peerings == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < h->n_connections; i++) {
		const struct cfg_hub_connection *c = &h->connections[i];

		if (c->vnet == CFG_NONE)
			continue;
		hub->cloud = k->c->vnets[c->vnet].cloud;
		hub->peerings[hub->n_peerings++] = (struct cfg_peering){.mark = c->mark,
			.name = c->name,
			.remote_ref = k->c->vnets[c->vnet].name,
			.remote = CFG_NONE,
			.partner = CFG_NONE,
			.allow_virtual_network_access = true,
			.allow_forwarded_traffic = true,
			.allow_gateway_transit = true,
			.implied = true};
	}
	return 0;
}

/* The cloud's own object of this name leads to a network that it hides, and stands for the same: it goes. */
static void
drop_exported_peering(struct check *k, struct cfg_vnet *v)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < v->n_peerings; i++) {
		struct cfg_peering *p = &v->peerings[i];

		if (p->name != NULL && strncasecmp(p->name, SPOKE_PEERING, strlen(SPOKE_PEERING)) == 0)
			continue;
		if (kept < i) {
			v->peerings[kept] = *p;
			binder_moved(k->b, p, sizeof(*p), &v->peerings[kept]);
		}
		kept++;
	}
	v->n_peerings = kept;
}

static int
spoke_peering(struct check *k, const struct cfg_hub *h, const struct cfg_hub_connection *c)
{
	struct cfg_vnet *v = &k->c->vnets[c->vnet];

	drop_exported_peering(k, v);
	v->peerings = expand_widen(k, v->peerings, v->n_peerings, 1, sizeof(*v->peerings));
	if (v->peerings == NULL)
		return -ENOMEM;
	v->peerings[v->n_peerings++] = (struct cfg_peering){.mark = c->mark,
		.name = expand_text(k, SPOKE_PEERING "%s", h->name),
		.remote_ref = h->name,
		.remote = CFG_NONE,
		.partner = CFG_NONE,
		.allow_virtual_network_access = true,
		.allow_forwarded_traffic = true,
		.use_remote_gateways = true,
		.do_not_verify_remote_gateways = true,
		.implied = true};
	return 0;
}

static int
hub_vnet(struct check *k, int32_t hub, struct cfg_vnet *v)
{
	struct cfg_hub *h = &k->c->wan.hubs[hub];

	vnet_schema.init(v);
	v->mark = h->mark;
	v->name = h->name;
	v->location = h->location;
	v->space = (struct cfg_prefixes){&h->prefix, 1};
	v->implied = true;
	v->hub = hub;
	v->subnets = arena_array(k->b->arena, 1, sizeof(*v->subnets));
	if (v->subnets == NULL)
		return -ENOMEM;
	v->n_subnets = 1;
	v->subnets[0] = (struct cfg_subnet){.mark = h->mark,
		.name = expand_text(k, "GatewaySubnet"),
		.prefixes = v->space,
		.nsg = CFG_NONE,
		.route_table = CFG_NONE};
	return hub_peerings(k, h, v);
}

static int
expand_vnets(struct check *k)
{
	const struct cfg_wans *w = &k->c->wan;
	struct cfg_vnet *all = expand_widen(k, k->c->vnets, k->c->n_vnets, w->n_hubs, sizeof(*all));

	if (all == NULL)
		return -ENOMEM;
	k->c->vnets = all;
	for (uint32_t i = 0; i < w->n_hubs; i++) {
		struct cfg_hub *h = &w->hubs[i];

		if (expand_taken(k, KIND_VNET, h->name, h->mark, "a virtual network"))
			continue;
		h->vnet = (int32_t)k->c->n_vnets++;
		if (hub_vnet(k, (int32_t)i, &all[h->vnet]) < 0)
			return -ENOMEM;
		for (uint32_t c = 0; c < h->n_connections; c++)
			if (h->connections[c].vnet != CFG_NONE && spoke_peering(k, h, &h->connections[c]) < 0)
				return -ENOMEM;
	}
	return 0;
}

/* ---- gateways ---------------------------------------------------------------------- */

static bool
vpn_speaks(const struct cfg_hub_vpn_gateway *g)
{
	for (uint32_t i = 0; i < g->n_connections; i++) {
		if (g->connections[i].connection.enable_bgp)
			return true;
		for (uint32_t n = 0; n < g->connections[i].n_links; n++)
			if (g->connections[i].links[n].connection.enable_bgp)
				return true;
	}
	return false;
}

/* What one hub of a Standard virtual WAN learns, all know. */
static bool
hub_speaks(const struct cfg_wans *w, const struct cfg_hub *h)
{
	bool alone = h->wan == CFG_NONE || w->wans[h->wan].basic;

	for (uint32_t i = 0; i < w->n_hubs; i++) {
		const struct cfg_hub *other = &w->hubs[i];

		if (other != h && (alone || other->wan != h->wan))
			continue;
		if (other->vpn != CFG_NONE && vpn_speaks(&w->vpn_gateways[other->vpn]))
			return true;
		if (other->express_route != CFG_NONE && w->er_gateways[other->express_route].n_connections > 0)
			return true;
	}
	return false;
}

static bool
same_refs(const struct cfg_strings *a, const struct cfg_strings *b)
{
	for (uint32_t i = 0; i < a->n && i < b->n; i++)
		if (strcasecmp(a->s[i], b->s[i]) != 0)
			return false;
	return a->n == b->n;
}

/* Sites and clients come to one gateway here, by one address and one certificate. */
static void
gateway_metal(
	struct check *k, struct cfg_gateway *g, const struct cfg_hub_metal *m, const char *name, struct cfg_mark mark)
{
	if (g->public_ip_refs.n == 0)
		g->public_ip_refs = m->public_ip_refs;
	else if (m->public_ip_refs.n > 0 && !same_refs(&g->public_ip_refs, &m->public_ip_refs))
		config_error(k->b->errors, mark, "NotSupported",
			"P2S VPN gateway '%.80s': appliance.publicIPAddresses are those of the hub's VPN gateway, or "
			"none",
			name);
	if (m->credentials.certificate == NULL && m->credentials.key_file == NULL && m->credentials.ca_files.n == 0 &&
		m->credentials.local_id == NULL)
		return;
	if (g->credentials.certificate != NULL || g->credentials.key_file != NULL || g->credentials.ca_files.n > 0 ||
		g->credentials.local_id != NULL)
		config_error(k->b->errors, mark, "NotSupported",
			"P2S VPN gateway '%.80s': the hub's VPN gateway has a certificate already, and both are one "
			"here",
			name);
	g->credentials = m->credentials;
}

static void
gateway_clients(struct check *k, const struct cfg_hub_p2s_gateway *p, struct cfg_gateway *g)
{
	int32_t server = reference_resolve(k, KIND_SERVER_CONFIGURATION, (char *const *)&p->server_ref, p->mark);

	gateway_metal(k, g, &p->metal, p->name, p->mark);
	if (server != CFG_NONE)
		g->p2s = k->c->wan.server_configurations[server].p2s;
	g->p2s.mark = p->mark;
	if (p->n_clients > 0)
		g->p2s.pool = p->clients[0].pool;
	g->p2s.dns = p->dns;
	g->p2s.users = p->users;
	g->p2s.n_users = p->n_users;
}

static void
hub_gateway(struct check *k, int32_t hub, struct cfg_gateway *g)
{
	const struct cfg_wans *w = &k->c->wan;
	const struct cfg_hub *h = &w->hubs[hub];

	gateway_schema.init(g);
	g->mark = h->mark;
	g->name = h->name;
	g->subnet_ref = expand_text(k, "%s/GatewaySubnet", h->name);
	g->enable_bgp = hub_speaks(w, h);
	g->implied = true;
	g->hub = hub;
	if (h->vpn != CFG_NONE) {
		const struct cfg_hub_vpn_gateway *v = &w->vpn_gateways[h->vpn];

		g->bgp = v->bgp;
		g->mark = v->mark;
		gateway_metal(k, g, &v->metal, v->name, v->mark);
	}
	if (h->p2s != CFG_NONE)
		gateway_clients(k, &w->p2s_gateways[h->p2s], g);
}

static int
expand_gateways(struct check *k)
{
	const struct cfg_wans *w = &k->c->wan;
	struct cfg_gateway *all = expand_widen(k, k->c->gateways, k->c->n_gateways, w->n_hubs, sizeof(*all));

	if (all == NULL)
		return -ENOMEM;
	k->c->gateways = all;
	for (uint32_t i = 0; i < w->n_hubs; i++) {
		struct cfg_hub *h = &w->hubs[i];

		if (h->vnet == CFG_NONE || expand_taken(k, KIND_GATEWAY, h->name, h->mark, "a virtual network gateway"))
			continue;
		h->gateway = (int32_t)k->c->n_gateways++;
		hub_gateway(k, (int32_t)i, &all[h->gateway]);
	}
	return 0;
}

/* ---- all -------------------------------------------------------------------------- */

/* Two implied ones of one name: each was compared with the file's own only. */
static int
rebuild(struct check *k, uint32_t local_gateways, uint32_t connections)
{
	static const enum kind kinds[] = {KIND_VNET, KIND_GATEWAY, KIND_LOCAL_GATEWAY, KIND_CONNECTION};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kind_rebuild(k, kinds[i]) < 0)
			return -ENOMEM;
	names_check_twice(k->b, &k->names[KIND_LOCAL_GATEWAY], "local network gateway", local_gateways);
	names_check_twice(k->b, &k->names[KIND_CONNECTION], "connection", connections);
	if (k->c->n_connections > LIMIT_CONNECTIONS)
		config_error(k->b->errors, k->c->connections[LIMIT_CONNECTIONS].mark, "LimitExceeded",
			"%u connections, those of hubs included: at most %d are allowed", k->c->n_connections,
			LIMIT_CONNECTIONS);
	return 0;
}

int
expand_wan(struct check *k)
{
	uint32_t local_gateways = k->c->n_local_gateways, connections = k->c->n_connections;
	int r = expand_vnets(k);

	if (r == 0)
		r = expand_gateways(k);
	if (r == 0)
		r = expand_sites(k);
	if (r == 0)
		r = expand_connections(k);
	return r == 0 ? rebuild(k, local_gateways, connections) : r;
}
