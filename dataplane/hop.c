/* Hop: what every router owes the next one: TTL, MTU, MSS. Packets too large are set aside to be
 * split, or their sender is told (RFC 1191, RFC 8201).
 *
 * Worker only.
 */
#include "dataplane/meter.h"
#include "dataplane/miss.h"
#include "dataplane/mss.h"
#include "dataplane/worker.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#include <netinet/in.h>

static void
ttl_decrement(struct packet *p)
{
	if (p->flags & PKT_V6) {
		((struct rte_ipv6_hdr *)p->l3)->hop_limits--;
	} else {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p->l3;
		uint32_t sum = (uint32_t)ip->hdr_checksum + rte_cpu_to_be_16(0x0100);

		/* RFC 1624 for a difference of one in the high byte */
		ip->time_to_live--;
		ip->hdr_checksum = (uint16_t)(sum + (sum >= 0xffff));
	}
	p->ttl--;
}

static uint16_t
mtu_of(const struct view *v, const struct packet *p)
{
	if (p->tunnel != TUNNEL_NONE)
		return v->tunnel[p->tunnel].inner_mtu;
	return v->iface[p->out].mtu;
}

/* Connections through a tunnel learn what fits at their start, whatever ICMP's fate on the path. */
static void
clamp(const struct tunnel *t, struct packet *p)
{
	uint16_t headers = (p->flags & PKT_V6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)) +
			   sizeof(struct rte_tcp_hdr);
	uint16_t fits = t->inner_mtu > headers ? t->inner_mtu - headers : 0;

	if (p->protocol == IPPROTO_TCP && (p->tcp_flags & RTE_TCP_SYN_FLAG) && !(p->flags & PKT_LATER_FRAGMENT))
		mss_clamp(p, t->tcp_mss ? RTE_MIN(t->tcp_mss, fits) : fits);
}

/* The rate of a gateway is that of what its tunnels carry. */
static bool
within_rate(struct worker *w, struct packet *p, const struct tunnel *t)
{
	if (meter_take(&w->meters[t->gateway].out, t->meter_cost, w->meter_burst, w->now, p->l3_len))
		return true;
	drop_named(w, p, DROP_GATEWAY_RATE, w->view->iface[t->gateway].name);
	return false;
}

/* True: stays in the burst. */
static bool
prepare(struct worker *w, struct packet *p)
{
	const struct view *v = w->view;
	uint16_t mtu = mtu_of(v, p);
	bool tunnel = p->tunnel != TUNNEL_NONE;

	/* Without an SA the inner MTU is unknown, and nothing may be asked of the sender yet. */
	if (tunnel && unlikely(v->tunnel[p->tunnel].path == NULL)) {
		miss_tell(w, p, &v->tunnel[p->tunnel]);
		drop_named(w, p, DROP_SA_MISSING, v->tunnel[p->tunnel].name);
		return false;
	}
	if (unlikely(p->ttl <= 1) && !(p->flags & PKT_LOCAL)) {
		punt(w, p, PUNT_ICMP_ERROR, DROP_TTL_EXPIRED, IFACE_NONE, NULL, 0);
		return false;
	}
	if (unlikely(p->l3_len > mtu)) {
		if (p->flags & PKT_DF)
			punt(w, p, PUNT_ICMP_ERROR, DROP_MTU_EXCEEDED, IFACE_NONE, NULL, mtu);
		else if (w->n_oversize == BURST_MAX)
			drop(w, p, DROP_MTU_EXCEEDED);
		else
			w->oversize[w->n_oversize++] = p;
		return false;
	}
	if (tunnel && unlikely(v->tunnel[p->tunnel].meter_cost) && !within_rate(w, p, &v->tunnel[p->tunnel]))
		return false;
	if (!(p->flags & PKT_LOCAL))
		ttl_decrement(p);
	if (tunnel)
		clamp(&v->tunnel[p->tunnel], p);
	return true;
}

void
hop(struct worker *w, struct burst *b)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < b->n; i++)
		if (likely(prepare(w, b->pkt[i])))
			b->pkt[kept++] = b->pkt[i];
	b->n = kept;
}
