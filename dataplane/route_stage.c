/* Route: the effective route of each packet's subnet names its hop; hops that drop, drop here.
 *
 * Worker only. What is for ourselves leaves for control.
 */
#include "dataplane/client.h"
#include "dataplane/listener.h"
#include "dataplane/route.h"
#include "dataplane/worker.h"

#include <netinet/in.h>

/* From outside, to the very uplink, circuit or gateway it came in by: a daemon may wait for it. */
static bool
from_peer(const struct worker *w, const struct packet *p)
{
	const struct iface *i = &w->view->iface[p->iface];

	return i->kind != IFACE_SUBNET && !(p->flags & PKT_LOCAL) && packet_to_iface(i, p);
}

/* About what daemons sent. Those of a gateway may ping their peers. */
static bool
is_answer(const struct worker *w, const struct packet *p)
{
	if (w->view->iface[p->iface].kind != IFACE_UPLINK)
		return p->protocol == (p->flags & PKT_V6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	return listener_error(p);
}

static void
deliver_local(struct worker *w, struct packet *p)
{
	enum punt_class class = PUNT_LOCAL;
	enum drop_reason reason = DROP_NOT_FOR_US;
	uint8_t type = p->l3[p->l4_off];

	if (!(p->flags & PKT_FRAGMENT)) {
		if ((p->protocol == IPPROTO_ICMP && type == 8) || (p->protocol == IPPROTO_ICMPV6 && type == 128))
			class = PUNT_ECHO;
		else if (from_peer(w, p))
			class = listener_class(p);
		if (class == PUNT_LOCAL && from_peer(w, p) && is_answer(w, p))
			reason = DROP_HANDLED;
	}
	punt(w, p, class, reason, IFACE_NONE, NULL, 0);
}

/* A destination that cannot be reached is told to the sender. What somebody wants dropped is not: next hop None,
 * peering flags. */
static bool
unreachable(enum drop_reason reason)
{
	return reason == DROP_NO_ROUTE || reason == DROP_ROUTE_INVALID || reason == DROP_NO_INTERNET ||
	       reason == DROP_NO_GATEWAY || reason == DROP_SUBNET_NOT_ATTACHED;
}

/* Where the packet enters, it leaves sealed: its path tells whereto. */
static inline void
into_tunnel(const struct view *v, struct burst *b, struct packet *p, uint16_t tunnel)
{
	p->tunnel = tunnel & v->tunnel_mask;
	p->out = v->tunnel[p->tunnel].uplink;
	b->tunnels = true;
}

static bool
to_client(struct worker *w, struct burst *b, struct packet *p, const struct hop *h)
{
	uint16_t tunnel = client_tunnel(w->view, h->iface, packet_family(p), packet_destination(p));

	if (unlikely(tunnel == TUNNEL_NONE)) {
		drop_told(w, p, DROP_CLIENT_UNKNOWN, h->name);
		return false;
	}
	into_tunnel(w->view, b, p, tunnel);
	return true;
}

/* True: stays in the burst. */
static bool
follow(struct worker *w, struct burst *b, struct packet *p)
{
	const struct hop *h = &w->view->hop[p->hop &= w->view->hop_mask];

	TRACE(p, STAGE_ROUTE, TRACE_ROUTED, h->iface, h->name, p->hop);
	if (unlikely(h->deny_forwarded) && (p->flags & PKT_FOREIGN)) {
		drop_named(w, p, DROP_PEER_FWD_DENIED, h->deny_name);
		return false;
	}
	p->next4 = h->next4;
	switch (h->kind) {
	case HOP_SUBNET:
		if (!(p->flags & PKT_V6))
			p->next4 = p->v4.dst;
		/* fall through */
	case HOP_NEIGHBOUR:
	case HOP_UPLINK:
		p->out = h->iface;
		p->tunnel = TUNNEL_NONE;
		b->filtered |= h->filtered;
		return true;
	case HOP_TUNNEL:
		into_tunnel(w->view, b, p, likely(!h->spread) ? h->tunnel : spread_to(w->view, h, p->hash));
		return true;
	case HOP_CIRCUIT:
		p->tunnel = TUNNEL_NONE;
		p->out = likely(!h->spread) ? h->iface : spread_to(w->view, h, p->hash);
		p->next4 = w->view->iface[p->out & w->view->iface_mask].next4;
		return true;
	case HOP_CLIENT:
		return to_client(w, b, p, h);
	case HOP_LOCAL:
		deliver_local(w, p);
		return false;
	case HOP_DROP:
	default:
		if (unreachable(h->reason))
			drop_told(w, p, h->reason, h->name);
		else
			drop_named(w, p, h->reason, h->name);
		return false;
	}
}

void
route(struct worker *w, struct burst *b)
{
	uint16_t kept = 0;

	b->tunnels = b->filtered = false;
	/* Our own packets may know their hop already (pipeline_local). */
	routes_lookup_burst(w->view->iface, b->pkt, b->n);

	for (uint16_t i = 0; i < b->n; i++)
		if (likely(follow(w, b, b->pkt[i])))
			b->pkt[kept++] = b->pkt[i];
	b->n = kept;
}
