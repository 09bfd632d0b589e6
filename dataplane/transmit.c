/* Transmit: the next hop's MAC, the link header, the port's queue.
 *
 * Worker only. A packet whose neighbour is not known goes to control, which asks and sends it on
 * later: what was to be sealed is sealed by then. Frames gather per port and leave at the end of
 * the loop; what the port does not take is dropped and counted.
 */
#include "dataplane/handoff.h"
#include "dataplane/neighbour.h"
#include "dataplane/trace.h"
#include "dataplane/transmit.h"
#include "dataplane/worker.h"

#include <rte_ether.h>

/* Whom the frame is for. Family 0: nobody (an uplink without a gateway). */
static struct ip_addr
next_hop(const struct view *v, const struct packet *p)
{
	const struct hop *h = &v->hop[p->hop];
	const struct iface *out = &v->iface[p->out];
	struct ip_addr a;

	switch (h->kind) {
	case HOP_NEIGHBOUR:
		return h->address;
	case HOP_TUNNEL:
		return v->tunnel[h->tunnel & v->tunnel_mask].next_hop;
	case HOP_UPLINK:
		a = packet_address(p, false);
		if (iface_on_link(out, &a))
			return a;
		return a.family == IP_V6 ? out->gateway6 : out->gateway4;
	default:
		return packet_address(p, false);
	}
}

/* HOP_SUBNET on IPv4 is most of the traffic: no copy of addresses for it. */
static uint64_t
neighbour_word(struct worker *w, struct packet *p, struct ip_addr *a)
{
	if (likely(w->view->hop[p->hop].kind == HOP_SUBNET && !(p->flags & PKT_V6)))
		return neighbour_lookup_v4(w->neighbours, p->out, p->v4.dst);
	*a = next_hop(w->view, p);
	if (a->family == IP_NONE)
		return 0;
	return neighbour_lookup(w->neighbours, p->out, a);
}

static void
unresolved(struct worker *w, struct packet *p)
{
	struct ip_addr a = next_hop(w->view, p);

	if (a.family == IP_NONE) {
		drop(w, p, DROP_NEIGHBOUR_UNRESOLVED);
		return;
	}
	punt(w, p, PUNT_NEIGHBOUR, DROP_NEIGHBOUR_UNRESOLVED, p->out, &a, 0);
}

/* Before the IP header at the start of the buffer. Head room was sized for it (drivers/eal.c). */
static void
link_header(const struct iface *out, struct packet *p, uint64_t mac)
{
	uint16_t type = rte_cpu_to_be_16(p->flags & PKT_V6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	uint16_t size = out->vlan ? 18 : 14;
	uint8_t *frame = p->l3 - size;

	memcpy(frame, &mac, 6);
	memcpy(frame + 6, &out->mac, 6);
	if (out->vlan) {
		uint16_t tag[2] = {rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16(out->vlan)};

		memcpy(frame + 12, tag, 4);
	}
	memcpy(frame + size - 2, &type, 2);
	p->m->data_off -= size;
	p->m->data_len += size;
	p->m->pkt_len += size;
}

void
transmit_flush(struct worker *w, struct tx_buffer *t)
{
	uint16_t sent = handoff_tx(w, t);

	w->stats.tx_packets += sent;
	if (unlikely(sent < t->n)) {
		w->drops[DROP_TX_FULL] += t->n - sent;
		rte_pktmbuf_free_bulk(&t->m[sent], t->n - sent);
	}
	t->n = 0;
}

void
transmit_frame(struct worker *w, uint16_t port, struct rte_mbuf *m)
{
	struct tx_buffer *t = &w->tx[port];

	t->m[t->n++] = m;
	if (unlikely(t->n == TX_QUEUE_MAX))
		transmit_flush(w, t);
}

void
transmit(struct worker *w, struct burst *b)
{
	const struct view *v = w->view;
	struct ip_addr a;

	for (uint16_t i = 0; i < b->n; i++)
		b->pkt[i]->dmac = neighbour_word(w, b->pkt[i], &a);

	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];
		const struct iface *out = &v->iface[p->out];

		if (unlikely(!(p->dmac & NEIGHBOUR_USABLE))) {
			unresolved(w, p);
			continue;
		}
		link_header(out, p, p->dmac);
		if (unlikely(p->flags & PKT_TRACED)) {
			trace_note(p, STAGE_TX, TRACE_SENT, p->out, out->name, out->port);
			trace_end(w, p);
		}
		transmit_frame(w, out->port, p->m);
	}
	b->n = 0;
}
