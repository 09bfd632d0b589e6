/* A next hop is a peer's own address, or one that a static route of the gateway leads to. What is neither is of no use
 * and left out.
 */
#include "control/gateway_bgp.h"

#include "control/gateway.h"
#include "control/gateway_session.h"
#include "control/learned.h"

#include <stdlib.h>
#include <string.h>

#define MTU 1400 /* of the daemon's link: fits into any tunnel that fits into 1500 */

/* ---- its own addresses ----------------------------------------------------------------- */

static void
add_address(struct iface_spec *i, const struct ip_addr *a)
{
	if (a->family == IP_NONE || i->n_prefixes == IFACE_PREFIXES_MAX)
		return;
	i->address[i->n_prefixes] = *a;
	i->prefix[i->n_prefixes++] = (struct ip_prefix){*a, address_bits(a)};
}

void
gateway_bgp_addresses(const struct cfg_gateway *g, struct iface_spec *i)
{
	if (!gateway_speaks(g))
		return;
	i->mtu = MTU;
	add_address(i, &g->bgp.address);
	for (uint32_t k = 0; k < g->bgp.custom.n; k++)
		add_address(i, &g->bgp.custom.p[k].addr);
}

/* ---- learned routes --------------------------------------------------------------------- */

struct peer {
	struct ip_addr address;
	int32_t connection; /* CFG_NONE: behind no tunnel of this gateway, whatever static routes say */
};

struct peers {
	struct peer *peer;
	uint32_t n;
};

static int
peer_order(const void *a, const void *b)
{
	return memcmp(&((const struct peer *)a)->address, &((const struct peer *)b)->address, sizeof(struct ip_addr));
}

static struct peers
peers_of(struct world_build *b, uint32_t gateway)
{
	struct peers list = {0};
	struct gateway_session s;

	for (uint32_t at = 0; gateway_session_next(b->config, gateway, &at, &s);) {
		struct peer *grown;

		if (s.kind == SESSION_TUNNEL && b->tunnel[s.connection] == TUNNEL_NONE)
			continue;
		grown = world_grow(b, list.peer, list.n, sizeof(*grown));
		if (!grown)
			break;
		list.peer = grown;
		grown[list.n++] = (struct peer){s.peer, s.kind == SESSION_TUNNEL ? s.connection : CFG_NONE};
	}
	if (list.n > 1)
		qsort(list.peer, list.n, sizeof(*list.peer), peer_order);
	return list;
}

/* CFG_NONE: nobody knows. */
static int32_t
connection_of(const struct gateway_state *g, const struct peers *list, const struct ip_addr *via)
{
	const struct peer key = {.address = *via}, *found = NULL;
	const struct ip_prefix host = {*via, address_bits(via)};
	int32_t i;

	if (list->n > 0)
		found = bsearch(&key, list->peer, list->n, sizeof(key), peer_order);
	if (found)
		return found->connection;
	i = via->family == IP_NONE ? -1 : gateway_around(g, &host);
	return i < 0 || g->route[i].hop.kind != HOP_TUNNEL ? CFG_NONE : g->route[i].connection;
}

static bool
has_tunnel(const struct hop_spec *h, uint16_t tunnel)
{
	for (uint16_t i = 0; i < h->n_standby; i++)
		if (h->standby[i] == tunnel)
			return true;
	return h->kind == HOP_TUNNEL && h->tunnel == tunnel;
}

static void
add_tunnel(struct world_build *b, struct gateway_route *r, int32_t connection)
{
	const struct cfg_connection *c = &b->config->connections[connection];
	struct hop_spec *h = &r->hop;
	uint16_t tunnel = b->tunnel[connection];

	if (h->kind != HOP_TUNNEL) {
		*h = (struct hop_spec){
			.kind = HOP_TUNNEL, .tunnel = tunnel, .name = world_name(b, "connection %s", c->name)};
		r->connection = connection;
		r->weight = c->routing_weight;
	} else if (!has_tunnel(h, tunnel) && h->n_standby < sizeof(h->standby) / sizeof(h->standby[0])) {
		h->standby[h->n_standby++] = tunnel;
		h->spread = true;
	}
}

const struct learned_routes *
gateway_bgp_told(const struct world_build *b, uint32_t gateway)
{
	const struct cfg_gateway *g = &b->config->gateways[gateway];

	for (uint32_t i = 0; gateway_speaks(g) && b->learned && i < b->learned->n; i++)
		if (strcmp(b->learned->of[i].gateway, g->name) == 0)
			return &b->learned->of[i].routes;
	return NULL;
}

bool
gateway_bgp_learned(struct world_build *b, uint32_t gateway)
{
	const struct learned_routes *learned = gateway_bgp_told(b, gateway);
	struct gateway_state *g = &b->gateway[gateway], known = *g;
	struct peers list;

	if (!learned || learned->n == 0)
		return false;
	list = peers_of(b, gateway);
	for (uint32_t i = 0; i < learned->n; i++) {
		const struct learned_route *l = &learned->route[i];
		struct gateway_route r = {.prefix = l->prefix, .connection = CFG_NONE, .learned = true};

		for (uint8_t k = 0; k < l->n; k++) {
			int32_t connection = connection_of(&known, &list, &l->via[k].address);

			if (connection != CFG_NONE && b->tunnel[connection] != TUNNEL_NONE)
				add_tunnel(b, &r, connection);
		}
		if (r.hop.kind == HOP_TUNNEL)
			gateway_route_add(b, g, &r);
	}
	return g->n_routes > known.n_routes;
}
