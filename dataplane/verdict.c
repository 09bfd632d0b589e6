#include "dataplane/verdict.h"

#include "dataplane/client.h"
#include "dataplane/route.h"
#include "dataplane/view.h"

/* As parse has it of such a packet. */
static uint32_t
hash_of(const struct verdict_packet *p)
{
	uint32_t source, destination, rest = flow_hash_rest(p->protocol, p->source_port, p->destination_port);

	if (p->destination.family == IP_V6)
		return flow_hash_mix(flow_hash_v6(p->source.b, p->destination.b), rest);
	memcpy(&source, p->source.b, sizeof(source));
	memcpy(&destination, p->destination.b, sizeof(destination));
	return flow_hash_mix(flow_hash_v4(source, destination), rest);
}

/* Into which tunnel, TUNNEL_NONE: none, or to a client that is not there. */
static uint16_t
verdict_tunnel(const struct view *v, const struct hop *h, const struct verdict_packet *p)
{
	if (h->kind == HOP_CLIENT)
		return client_tunnel(v, h->iface, p->destination.family, p->destination.b);
	if (h->kind != HOP_TUNNEL)
		return TUNNEL_NONE;
	return (h->spread ? spread_to(v, h, hash_of(p)) : h->tunnel) & v->tunnel_mask;
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
		.tunnel = verdict_tunnel(v, h, p),
		.next_hop = h->address,
	};
	if (h->kind == HOP_CIRCUIT) {
		out->iface = (h->spread ? spread_to(v, h, hash_of(p)) : h->iface) & v->iface_mask;
		out->next_hop = v->iface[out->iface].gateway4;
	}
	if (out->tunnel != TUNNEL_NONE) {
		out->next_hop = v->tunnel[out->tunnel].remote;
		out->tunnel_name = v->tunnel[out->tunnel].name;
	}
	if (h->kind == HOP_CLIENT && out->tunnel == TUNNEL_NONE)
		out->reason = DROP_CLIENT_UNKNOWN;
}
