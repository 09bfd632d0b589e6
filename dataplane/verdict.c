/* Verdicts for tools: the tables and lookups of the workers, asked one packet at a time.
 *
 * Any thread that keeps the view alive.
 */
#include "dataplane/route.h"
#include "dataplane/view.h"

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
		.tunnel = h->tunnel,
		.next_hop = h->kind == HOP_TUNNEL ? v->tunnel[h->tunnel & v->tunnel_mask].remote : h->address,
	};
}
