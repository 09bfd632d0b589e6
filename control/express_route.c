/* Packets go to the other end of a circuit's link unsealed, and what comes from there enters the virtual network. Both
 * links of a circuit carry flows side by side where their peers tell the same.
 *
 * What the VPN gateway beside leads to comes from its daemon, as the circuits' routes come from their peers: only what
 * is told counts. How a packet gets there is the VPN gateway's own route of that prefix.
 */
#include "control/express_route.h"

#include "control/effective_routes.h"
#include "control/gateway.h"
#include "control/gateway_bgp.h"
#include "control/gateway_session.h"
#include "control/hub.h"
#include "control/learned.h"
#include "control/route_compile.h"
#include "control/service_tags.h"
#include "control/vnet.h"

#include <errno.h>

#define LINKS_MAX (1 + sizeof(((struct hop_spec *)0)->standby) / sizeof(uint16_t))

/* ---- interfaces ------------------------------------------------------------------------ */

static void
fill(struct world_build *b, struct iface_spec *i, const struct cfg_circuit *c, uint8_t link)
{
	const struct cfg_gateway *g = &b->config->gateways[b->config->connections[c->connection].gateway1];
	const struct cfg_vnet *v = &b->config->vnets[g->vnet];

	i->port = (uint16_t)c->port[link];
	i->vlan = c->private_peering->vlan;
	i->mtu = vnet_port_mtu(b, c->port[link]);
	i->vnet = world_name(b, "%s", v->name);
	i->flow_timeout_s = (uint16_t)v->flow_timeout_s;
	i->address[0] = circuit_local(c, link);
	i->prefix[0] = c->private_peering->prefix[link];
	i->n_prefixes = 1;
	i->gateway4 = circuit_peer(c, link);
}

/* It leads to a virtual network of the file, and ends here. */
static bool
is_used(const struct world_build *b, const struct cfg_circuit *c, uint8_t link)
{
	int32_t gateway = c->connection == CFG_NONE ? CFG_NONE : b->config->connections[c->connection].gateway1;

	return gateway != CFG_NONE && b->config->gateways[gateway].vnet != CFG_NONE && c->port[link] != CFG_NONE &&
	       circuit_peer(c, link).family != IP_NONE;
}

int
express_route_interfaces(struct world_build *b)
{
	for (uint32_t n = 0; n < CFG_CIRCUIT_LINKS * b->config->n_circuits; n++) {
		const struct cfg_circuit *c = &b->config->circuits[n / CFG_CIRCUIT_LINKS];
		uint8_t link = n % CFG_CIRCUIT_LINKS;
		struct iface_spec *i;

		if (!is_used(b, c, link))
			continue;
		i = vnet_iface_add(b, IFACE_CIRCUIT, world_text(b, "circuit %s %s", c->name, circuit_link_name[link]),
			&b->circuit_iface[n / CFG_CIRCUIT_LINKS][link]);
		if (!i)
			return -EINVAL;
		fill(b, i, c, link);
	}
	return 0;
}

void
express_route_tables(struct world_build *b)
{
	for (uint32_t n = 0; n < CFG_CIRCUIT_LINKS * b->config->n_circuits; n++) {
		const struct cfg_circuit *c = &b->config->circuits[n / CFG_CIRCUIT_LINKS];
		uint16_t iface = b->circuit_iface[n / CFG_CIRCUIT_LINKS][n % CFG_CIRCUIT_LINKS];
		struct gateway_service service = {.gateway = CFG_NONE};
		const struct cfg_gateway *g;
		struct effective e;

		if (iface == IFACE_NONE)
			continue;
		g = &b->config->gateways[b->config->connections[c->connection].gateway1];
		if (g->hub != CFG_NONE)
			service = (struct gateway_service){.gateway = b->config->wan.hubs[g->hub].gateway,
				.routes = hub_view_of_circuits(b, g->hub)};
		effective_collect(b, &e, g->vnet, g->subnet, VIEW_TUNNEL, &service);
		e.own = iface;
		b->spec->iface[iface].routes = route_compile(b, &e);
		b->spec->iface[iface].tags = service_tags_of(b, g->vnet, e.route_table);
	}
}

/* ---- learned routes -------------------------------------------------------------------- */

/* The links that one route leads to, by interface: hops depend on no order of the kernel's. */
struct links {
	uint16_t iface[LINKS_MAX];
	uint16_t n;
	int32_t connection; /* of the first */
};

static void
link_add(struct links *l, uint16_t iface, int32_t connection)
{
	uint16_t at = l->n;

	if (l->n == LINKS_MAX)
		return;
	while (at > 0 && l->iface[at - 1] > iface)
		at--;
	if (at > 0 && l->iface[at - 1] == iface)
		return;
	for (uint16_t i = l->n++; i > at; i--)
		l->iface[i] = l->iface[i - 1];
	l->iface[at] = iface;
	if (at == 0)
		l->connection = connection;
}

/* Whose peer the next hop is. */
static void
links_find(const struct world_build *b, uint32_t gateway, const struct ip_addr *via, struct links *l)
{
	for (uint32_t n = 0; n < CFG_CIRCUIT_LINKS * b->config->n_circuits; n++) {
		const struct cfg_circuit *c = &b->config->circuits[n / CFG_CIRCUIT_LINKS];
		uint16_t iface = b->circuit_iface[n / CFG_CIRCUIT_LINKS][n % CFG_CIRCUIT_LINKS];

		if (iface != IFACE_NONE && b->config->connections[c->connection].gateway1 == (int32_t)gateway &&
			address_equal(&b->spec->iface[iface].gateway4, via))
			link_add(l, iface, c->connection);
	}
}

static void
by_links(struct world_build *b, struct gateway_route *r, const struct links *l)
{
	const struct cfg_connection *c = &b->config->connections[l->connection];

	r->connection = l->connection;
	r->weight = c->routing_weight;
	r->hop = (struct hop_spec){.kind = HOP_CIRCUIT,
		.iface = l->iface[0],
		.tunnel = TUNNEL_NONE,
		.n_standby = (uint16_t)(l->n - 1),
		.name = world_name(b, "connection %s", c->name)};
	for (uint16_t i = 1; i < l->n; i++)
		r->hop.standby[i - 1] = l->iface[i];
}

/* As the VPN gateway forwards what it has told; nothing, where it knows no such prefix any more. */
static void
by_gateway(struct gateway_route *r, const struct gateway_state *vpn)
{
	int32_t i = gateway_around(vpn, &r->prefix);

	if (i < 0 || !prefix_equal(&vpn->route[i].prefix, &r->prefix))
		return;
	r->connection = vpn->route[i].connection;
	r->weight = vpn->route[i].weight;
	r->hop = vpn->route[i].hop;
}

/* NULL: there is none, or it has no daemon. */
static const struct cfg_gateway *
vpn_beside(const struct world_build *b, uint32_t gateway, int32_t *index)
{
	int32_t vnet = b->config->gateways[gateway].vnet;

	*index = vnet == CFG_NONE ? CFG_NONE : b->config->vnets[vnet].gateway;
	if (*index == CFG_NONE || !gateway_speaks(&b->config->gateways[*index]))
		return NULL;
	return &b->config->gateways[*index];
}

void
express_route_learned(struct world_build *b, uint32_t gateway)
{
	const struct learned_routes *learned = gateway_bgp_told(b, gateway);
	int32_t index;
	const struct cfg_gateway *vpn = vpn_beside(b, gateway, &index);

	for (uint32_t i = 0; learned && i < learned->n; i++) {
		const struct learned_route *l = &learned->route[i];
		struct gateway_route r = {.prefix = l->prefix, .connection = CFG_NONE, .learned = true};
		struct links links = {.n = 0};

		for (uint8_t k = 0; k < l->n; k++) {
			links_find(b, gateway, &l->via[k].address, &links);
			if (vpn && address_equal(&vpn->bgp.address, &l->via[k].address))
				by_gateway(&r, &b->gateway[index]);
		}
		if (links.n > 0)
			by_links(b, &r, &links);
		if (r.hop.kind == HOP_DROP)
			continue;
		gateway_route_add(b, &b->gateway[gateway], &r);
		if (links.n > 0)
			b->circuit_routes[r.connection]++;
	}
}
