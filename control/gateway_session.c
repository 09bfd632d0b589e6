#include "control/gateway_session.h"

#include <string.h>

/* Between two daemons of ours. */
static const struct cfg_bgp_session beside_settings = {.keepalive_s = 10, .hold_s = 30, .max_prefixes = 1000000};

bool
gateway_speaks(const struct cfg_gateway *g)
{
	return g->speaks_bgp && g->is_ours;
}

/* ---- circuits -------------------------------------------------------------------------- */

static struct ip_addr
circuit_host(const struct cfg_circuit *c, uint8_t link, uint64_t n)
{
	if (!c->private_peering || c->private_peering->prefix[link].addr.family == IP_NONE)
		return (struct ip_addr){0};
	return prefix_nth(&c->private_peering->prefix[link], n);
}

struct ip_addr
circuit_local(const struct cfg_circuit *c, uint8_t link)
{
	return circuit_host(c, link, 2);
}

struct ip_addr
circuit_peer(const struct cfg_circuit *c, uint8_t link)
{
	return circuit_host(c, link, 1);
}

static bool
circuit_session(const struct config *c, uint32_t connection, uint8_t link, struct gateway_session *s)
{
	const struct cfg_connection *k = &c->connections[connection];
	const struct cfg_circuit *circuit = k->circuit == CFG_NONE ? NULL : &c->circuits[k->circuit];

	if (!circuit)
		return false;
	*s = (struct gateway_session){.kind = SESSION_CIRCUIT,
		.connection = (int32_t)connection,
		.beside = CFG_NONE,
		.link = link,
		.local = circuit_local(circuit, link),
		.peer = circuit_peer(circuit, link),
		.settings = &circuit->bgp,
		.of = k->name};
	if (s->peer.family == IP_NONE)
		return false;
	s->local_asn = circuit->private_peering->asn;
	s->peer_asn = circuit->private_peering->peer_asn;
	return true;
}

/* ---- tunnels --------------------------------------------------------------------------- */

static const struct cfg_bgp *
peer_of(const struct config *c, const struct cfg_connection *k)
{
	if (k->local_gateway != CFG_NONE)
		return &c->local_gateways[k->local_gateway].bgp;
	return k->gateway2 == CFG_NONE ? NULL : &c->gateways[k->gateway2].bgp;
}

static bool
tunnel_session(const struct config *c, uint32_t connection, struct gateway_session *s)
{
	const struct cfg_connection *k = &c->connections[connection];
	const struct cfg_bgp *own = &c->gateways[k->gateway1].bgp, *peer = peer_of(c, k);

	if (!k->enable_bgp || !peer || peer->address.family == IP_NONE)
		return false;
	*s = (struct gateway_session){.kind = SESSION_TUNNEL,
		.connection = (int32_t)connection,
		.beside = CFG_NONE,
		.local = k->custom_bgp_address.family ? k->custom_bgp_address : own->address,
		.peer = peer->address,
		.local_asn = own->asn,
		.peer_asn = peer->asn,
		.settings = &k->bgp,
		.of = k->name};
	return true;
}

/* ---- both types ------------------------------------------------------------------------ */

static struct gateway_session
between(const struct config *c, enum session_kind kind, const struct cfg_gateway *g, int32_t beside)
{
	const struct cfg_gateway *other = &c->gateways[beside];

	return (struct gateway_session){.kind = kind,
		.connection = CFG_NONE,
		.beside = beside,
		.local = g->bgp.address,
		.peer = other->bgp.address,
		.local_asn = g->bgp.asn,
		.peer_asn = other->bgp.asn,
		.settings = &beside_settings,
		.of = other->name};
}

static bool
beside_session(const struct config *c, uint32_t gateway, struct gateway_session *s)
{
	const struct cfg_gateway *g = &c->gateways[gateway];
	const struct cfg_vnet *v = g->vnet == CFG_NONE ? NULL : &c->vnets[g->vnet];
	int32_t beside = !v ? CFG_NONE : g->express_route ? v->gateway : v->express_route;

	if (beside == CFG_NONE)
		return false;
	*s = between(c, SESSION_COEXISTENCE, g, beside);
	return gateway_speaks(g) && gateway_speaks(&c->gateways[beside]);
}

/* ---- hubs ------------------------------------------------------------------------------ */

/* With another hub of a Standard virtual WAN. */
static bool
hub_session(const struct config *c, uint32_t gateway, uint32_t hub, struct gateway_session *s)
{
	const struct cfg_gateway *g = &c->gateways[gateway];
	const struct cfg_hub *other = &c->wan.hubs[hub];

	if (g->hub == CFG_NONE || g->hub == (int32_t)hub || c->wan.hubs[g->hub].wan != other->wan ||
		c->wan.wans[other->wan].basic)
		return false;
	*s = between(c, SESSION_HUB, g, other->gateway);
	return gateway_speaks(g) && gateway_speaks(&c->gateways[other->gateway]);
}

bool
gateway_session_of(const struct config *c, uint32_t connection, uint8_t link, struct gateway_session *out)
{
	if (c->connections[connection].gateway1 == CFG_NONE)
		return false;
	if (c->connections[connection].type == CONNECTION_EXPRESS_ROUTE)
		return circuit_session(c, connection, link, out);
	return link == 0 && tunnel_session(c, connection, out);
}

bool
gateway_session_next(const struct config *c, uint32_t gateway, uint32_t *at, struct gateway_session *out)
{
	uint32_t of_connections = CFG_CIRCUIT_LINKS * c->n_connections;

	for (; *at < of_connections; ++*at) {
		uint32_t connection = *at / CFG_CIRCUIT_LINKS;
		uint8_t link = *at % CFG_CIRCUIT_LINKS;

		if (c->connections[connection].gateway1 == (int32_t)gateway &&
			gateway_session_of(c, connection, link, out)) {
			++*at;
			return true;
		}
	}
	if (*at == of_connections) {
		++*at;
		if (beside_session(c, gateway, out))
			return true;
	}
	while (*at - of_connections - 1 < c->wan.n_hubs)
		if (hub_session(c, gateway, (*at)++ - of_connections - 1, out))
			return true;
	return false;
}

bool
gateway_session_next_of(const struct config *c, const char *gateway, uint32_t *at, struct gateway_session *out)
{
	for (uint32_t i = 0; i < c->n_gateways; i++)
		if (strcmp(c->gateways[i].name, gateway) == 0)
			return gateway_session_next(c, i, at, out);
	return false;
}

bool
gateway_session_here(const struct world *w, const struct gateway_session *s)
{
	switch (s->kind) {
	case SESSION_TUNNEL:
		return w->tunnel[s->connection] != TUNNEL_NONE;
	case SESSION_CIRCUIT:
		return w->circuit_iface[w->config->connections[s->connection].circuit][s->link] != IFACE_NONE;
	case SESSION_COEXISTENCE:
	case SESSION_HUB:
		break;
	}
	return true;
}
