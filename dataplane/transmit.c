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

/* Where the packet itself is going: a sealed one has its neighbour in the destination's place. */
static struct ip_addr
outer_destination(const struct packet *p)
{
	bool v6 = p->flags & PKT_V6;
	struct ip_addr a = {.family = packet_family(p)};

	memcpy(a.b, p->l3 + (v6 ? 24 : 16), v6 ? 16 : 4);
	return a;
}

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
	case HOP_CIRCUIT:
		return out->gateway4;
	case HOP_TUNNEL:
	case HOP_CLIENT:
	case HOP_UPLINK:
		a = outer_destination(p);
		if (iface_on_link(out, &a))
			return a;
		return a.family == IP_V6 ? out->gateway6 : out->gateway4;
	default:
		return packet_address(p, false);
	}
}

/* The address itself is the neighbour's. */
static inline bool
to_itself_v6(const struct view *v, const struct packet *p)
{
	uint8_t kind = v->hop[p->hop].kind;

	return (p->flags & PKT_V6) && (kind == HOP_SUBNET || kind == HOP_TUNNEL || kind == HOP_CLIENT);
}

static uint64_t
neighbour_any(struct worker *w, const struct packet *p)
{
	struct ip_addr a;

	if (to_itself_v6(w->view, p))
		return neighbour_lookup_v6(w->neighbours, p->out, p->v6.dst);
	a = next_hop(w->view, p);
	return a.family == IP_NONE ? 0 : neighbour_lookup(w->neighbours, p->out, &a);
}

static inline void
neighbour_prefetch(struct worker *w, const struct packet *p)
{
	if (likely(p->next4 != 0))
		neighbour_prefetch_v4(w->neighbours, p->out, p->next4);
	else if (to_itself_v6(w->view, p))
		neighbour_prefetch_v6(w->neighbours, p->out, p->v6.dst);
}

/* Have the places of all neighbours near, then read them; packets in a row to one neighbour ask once. */
static void
resolve(struct worker *w, struct burst *b)
{
	rte_be32_t before = 0;
	uint16_t out = 0;
	uint64_t word = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];

		if (p->next4 == 0 || p->next4 != before)
			neighbour_prefetch(w, p);
		before = p->next4;
	}
	before = 0;
	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];
		rte_be32_t next = p->next4;

		if (unlikely(next == 0))
			word = neighbour_any(w, p);
		else if (next != before || p->out != out)
			word = neighbour_lookup_v4(w->neighbours, p->out, next);
		before = next;
		out = p->out;
		p->dmac = word;
	}
}

static void
unresolved(struct worker *w, struct packet *p)
{
	struct ip_addr a = next_hop(w->view, p);

	if (a.family == IP_NONE) {
		drop(w, p, DROP_NEIGHBOUR_UNRESOLVED);
		return;
	}
	packet_trim(p, 0);
	punt(w, p, PUNT_NEIGHBOUR, DROP_NEIGHBOUR_UNRESOLVED, p->out, &a, 0);
}

/* Before the IP header. Head room was sized for it (drivers/eal.c). */
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
	packet_trim(p, size);
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

static inline void
gather(struct worker *w, struct tx_buffer *t, struct rte_mbuf *m)
{
	t->m[t->n++] = m;
	if (unlikely(t->n == TX_QUEUE_MAX))
		transmit_flush(w, t);
}

void
transmit_frame(struct worker *w, uint16_t port, struct rte_mbuf *m)
{
	gather(w, &w->tx[port], m);
}

void
transmit(struct worker *w, struct burst *b)
{
	const struct view *v = w->view;

	resolve(w, b);
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
		gather(w, &w->tx[out->port], p->m);
	}
	b->n = 0;
}
