/* Verdicts for tools: the tables and lookups of the workers, asked one packet at a time.
 *
 * Any thread that keeps the view alive.
 */
#include "dataplane/client.h"
#include "dataplane/route.h"
#include "dataplane/view.h"

/* Into which tunnel, TUNNEL_NONE: none, or to a client that is not there. */
static uint16_t
verdict_tunnel(const struct view *v, const struct hop *h, const struct ip_addr *destination)
{
	if (h->kind == HOP_CLIENT)
		return client_tunnel(v, h->iface, destination->family, destination->b);
	return h->kind == HOP_TUNNEL ? h->tunnel & v->tunnel_mask : TUNNEL_NONE;
}

void
verdict_route(const struct view *v, const struct verdict_packet *p, struct route_verdict *out)
{
	const struct routes *r = v->iface[p->iface & v->iface_mask].routes;
	const struct hop *h;
	uint32_t id;

	if (p->destination.family == IP_V6) {
		id = routes_lookup_v6(r, p->destination.b);
	} else {
		rte_be32_t be;

		memcpy(&be, p->destination.b, sizeof(be));
		id = routes_lookup_v4(r, be);
	}
	h = &v->hop[id & v->hop_mask];
	*out = (struct route_verdict){
		.hop = id,
		.kind = h->kind,
		.reason = h->reason,
		.name = h->name,
		.deny_name = h->deny_name,
		.deny_forwarded = h->deny_forwarded,
		.iface = h->iface,
		.tunnel = verdict_tunnel(v, h, &p->destination),
		.next_hop = h->address,
	};
	if (out->tunnel != TUNNEL_NONE) {
		out->next_hop = v->tunnel[out->tunnel].remote;
		out->tunnel_name = v->tunnel[out->tunnel].name;
	}
	if (h->kind == HOP_CLIENT && out->tunnel == TUNNEL_NONE)
		out->reason = DROP_CLIENT_UNKNOWN;
}
