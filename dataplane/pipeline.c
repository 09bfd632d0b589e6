/* The packet path reads top to bottom here: from the wire to the wire.
 *
 * Worker only. Each stage gathers, decides for the whole burst, and leaves the packets it kept in
 * order. Packets larger than their hop's MTU are set aside by hop() and go through the last stages
 * in pieces after their burst.
 */
#include "dataplane/pipeline.h"
#include "dataplane/fragment.h"
#include "dataplane/handoff.h"
#include "dataplane/trace.h"

#include "drivers/clock.h"

/* Run a stage that has packets. Reading the clock costs as much as a small stage, so only the stages of sampled
 * bursts are timed. */
#define STAGE(w, b, id, call)                                                                                          \
	do {                                                                                                           \
		uint16_t n_ = (b)->n;                                                                                  \
                                                                                                                       \
		if (n_ == 0)                                                                                           \
			break;                                                                                         \
		call;                                                                                                  \
		if (unlikely((w)->sampled))                                                                            \
			stage_timed(w, id, n_);                                                                        \
	} while (0)

static void
stage_timed(struct worker *w, enum stage id, uint16_t packets)
{
	uint64_t now = clock_tsc();

	w->stats.stage_packets[id] += packets;
	w->stats.stage_cycles[id] += now - w->stage_start;
	w->stage_start = now;
}

static inline void
choose(struct worker *w, struct burst *b, enum stage stage)
{
	if (unlikely(w->trace->remaining != 0))
		trace_choose(w, b, stage);
}

static void
last_stages(struct worker *w, struct burst *b)
{
	STAGE(w, b, STAGE_HOP, hop(w, b));
	if (b->tunnels)
		STAGE(w, b, STAGE_ESP_SEAL, esp_seal(w, b));
	STAGE(w, b, STAGE_TX, transmit(w, b));
}

/* One packet becomes many; they take the route that was found for it. */
static void
split(struct worker *w, struct packet *p)
{
	struct burst *b = &w->pieces;
	struct rte_mbuf *m[BURST_MAX];
	uint16_t mtu = p->tunnel != TUNNEL_NONE ? w->view->tunnel[p->tunnel].inner_mtu : w->view->iface[p->out].mtu;
	struct packet whole = *p;
	uint16_t n;

	if (p->flags & PKT_TRACED) {
		trace_note(p, STAGE_HOP, TRACE_FRAGMENTED, p->out, NAME_NONE, mtu);
		trace_end(w, p);
	}
	n = fragment_split(w, p, mtu, m, BURST_MAX);
	b->n = b->used = 0;
	b->tunnels = whole.tunnel != TUNNEL_NONE;
	w->stats.made += n ? n - 1 : 0;
	for (uint16_t i = 0; i < n; i++) {
		struct packet *q = &b->slot[b->used++];

		*q = whole;
		q->m = m[i];
		q->flags &= ~PKT_TRACED;
		if (parse_ip(q, rte_pktmbuf_mtod(m[i], uint8_t *), m[i]->data_len) != PARSE_OK) {
			drop(w, q, DROP_FRAGMENT_MALFORMED);
			continue;
		}
		q->source_port = whole.source_port;
		q->destination_port = whole.destination_port;
		q->hash = whole.hash;
		b->pkt[b->n++] = q;
	}
	last_stages(w, b);
}

static void
send_routed(struct worker *w, struct burst *b)
{
	last_stages(w, b);

	while (unlikely(w->n_oversize != 0))
		split(w, w->oversize[--w->n_oversize]);
}

/* Fragments that waited join the burst, whatever they have seen. */
static void
waiting(struct worker *w, struct burst *b)
{
	fragments_virtual(w, b);
	b->seen = UINT16_MAX;
}

/* From the sender's side to the wire: what the whole packet, in clear, has to pass. */
static void
forward(struct worker *w, struct burst *b)
{
	STAGE(w, b, STAGE_ADMIT, admit(w, b));
	if (b->seen & PKT_FILTERED)
		STAGE(w, b, STAGE_NSG_OUT, nsg_out(w, b));
	STAGE(w, b, STAGE_ROUTE, route(w, b));
	if (b->filtered)
		STAGE(w, b, STAGE_NSG_IN, nsg_in(w, b));
	send_routed(w, b);
}

static void
run(struct worker *w, struct burst *b, bool spread)
{
	STAGE(w, b, STAGE_PARSE, parse(w, b));
	if (spread)
		handoff_spread(w, b);
	choose(w, b, STAGE_PARSE);

	if (unlikely(b->seen & PKT_FRAGMENT))
		fragments_reassemble(w, b);
	if (b->seen & PKT_UPLINK) {
		STAGE(w, b, STAGE_ESP_OPEN, esp_open(w, b));
		choose(w, b, STAGE_ESP_OPEN);
	}
	if (unlikely(b->seen & PKT_FRAGMENT))
		waiting(w, b);
	forward(w, b);
}

static void
burst_fill(struct burst *b, struct rte_mbuf **m, uint16_t n, uint16_t flags)
{
	for (uint16_t i = 0; i < n; i++) {
		struct packet *p = &b->slot[i];

		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
		p->m = m[i];
		p->flags = flags;
		p->tunnel = TUNNEL_NONE;
		p->out = IFACE_NONE;
		p->iface = IFACE_NONE;
		p->hop = HOP_NONE;
		b->pkt[i] = p;
	}
	b->n = b->used = n;
}

void
pipeline_run(struct worker *w, struct rte_mbuf **m, uint16_t n, bool spread)
{
	w->sampled = pipeline_sampled(w);
	w->stats.bursts++;
	if (unlikely(w->sampled))
		w->stage_start = clock_tsc();
	burst_fill(&w->burst, m, n, 0);
	run(w, &w->burst, spread);
}

void
pipeline_waiting(struct worker *w)
{
	struct burst *b = &w->burst;

	w->sampled = false;
	b->n = b->used = 0;
	waiting(w, b);
	forward(w, b);
}

/* Where our own packets go: tunnels, gateways and uplinks have a hop for them, subnets route them. */
static uint32_t
local_hop(const struct view *v, const struct command *c)
{
	if (c->tunnel != TUNNEL_NONE)
		return v->tunnel[c->tunnel & v->tunnel_mask].local_hop;
	return c->routed ? HOP_NONE : v->iface[c->iface & v->iface_mask].local_hop;
}

void
pipeline_local(struct worker *w, const struct command *c)
{
	struct burst *b = &w->burst;
	struct packet *p = &b->slot[0];
	struct rte_mbuf *m = c->m;
	enum drop_reason r;

	w->sampled = false;
	w->stats.made++;
	burst_fill(b, &m, 1, PKT_LOCAL);
	p->iface = c->iface & w->view->iface_mask;
	r = parse_ip(p, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	if (r == PARSE_OK && c->tunnel != TUNNEL_NONE && c->description != w->view->number)
		r = DROP_INVALID_OBJECT;
	if (r != PARSE_OK) {
		drop(w, p, r);
		return;
	}
	p->hop = local_hop(w->view, c);
	STAGE(w, b, STAGE_ROUTE, route(w, b));
	send_routed(w, b);
}
