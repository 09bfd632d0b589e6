/* Tracing, worker and control side: see trace.h. Records cost nothing while no packet is chosen. */
#include "dataplane/trace.h"

#include <string.h>

static bool
prefix_match(const struct ip_prefix *f, bool v6, const uint8_t *address)
{
	struct ip_addr a = {.family = v6 ? IP_V6 : IP_V4};

	if (f->addr.family == IP_NONE)
		return true;
	memcpy(a.b, address, v6 ? 16 : 4);
	return prefix_has(f, &a);
}

bool
filter_match(const struct flow_filter *f, const struct packet *p)
{
	bool v6 = p->flags & PKT_V6;

	return (f->iface == IFACE_NONE || f->iface == p->iface) && (f->protocol < 0 || f->protocol == p->protocol) &&
	       (f->source_port == 0 || f->source_port == p->source_port) &&
	       (f->destination_port == 0 || f->destination_port == p->destination_port) &&
	       prefix_match(&f->source, v6, packet_source(p)) &&
	       prefix_match(&f->destination, v6, packet_destination(p));
}

static void
record_start(struct worker *w, struct packet *p, struct trace_record *r)
{
	memset(r, 0, sizeof(*r));
	r->tsc = w->now;
	r->worker = w->id;
	r->iface = p->iface;
	r->family = packet_family(p);
	r->protocol = p->protocol;
	r->source_port = p->source_port;
	r->destination_port = p->destination_port;
	r->length = p->l3_len;
	r->source = packet_address(p, true);
	r->destination = packet_address(p, false);
}

void
trace_choose(struct worker *w, struct burst *b, enum stage stage)
{
	struct trace_state *t = w->trace;

	for (uint16_t i = 0; i < b->n && t->remaining; i++) {
		struct packet *p = b->pkt[i];

		if ((p->flags & PKT_TRACED) || !filter_match(&t->filter, p))
			continue;
		if (t->taken - atomic_load_explicit(&t->acked, memory_order_acquire) >= TRACE_SLOTS)
			return;
		p->trace = &t->slot[t->taken++ % TRACE_SLOTS];
		p->flags |= PKT_TRACED;
		t->remaining--;
		record_start(w, p, p->trace);
		trace_note(p, stage, stage == STAGE_ESP_OPEN ? TRACE_OPENED : TRACE_RECEIVED, p->iface, NAME_NONE, 0);
	}
}

void
trace_note(
	struct packet *p, enum stage stage, enum trace_verdict verdict, uint16_t iface, uint32_t name, uint32_t value)
{
	struct trace_record *r = p->trace;

	if (r->n_steps == TRACE_STEPS_MAX)
		return;
	r->step[r->n_steps++] = (struct trace_step){stage, verdict, iface, name, value};
}

/* Where the packet is: after its last noted step. Drops are noted by drop(), which knows no stage. */
enum stage
trace_stage(const struct packet *p)
{
	const struct trace_record *r = p->trace;
	static const enum stage next[] = {
		[TRACE_RECEIVED] = STAGE_ADMIT,
		[TRACE_OPENED] = STAGE_ADMIT,
		[TRACE_ADMITTED] = STAGE_NSG_OUT,
		[TRACE_ROUTED] = STAGE_NSG_IN,
		[TRACE_NEIGHBOUR] = STAGE_TX,
		[TRACE_SEALED] = STAGE_TX,
		[TRACE_FRAGMENTED] = STAGE_TX,
		[TRACE_SENT] = STAGE_TX,
		[TRACE_PUNTED] = STAGE_HOP,
		[TRACE_DROPPED] = STAGE_TX,
	};
	const struct trace_step *last;

	if (r->n_steps == 0)
		return STAGE_PARSE;
	last = &r->step[r->n_steps - 1];
	switch (last->verdict) {
	case TRACE_ALLOWED_BY_RULE:
	case TRACE_ALLOWED_BY_FLOW:
	case TRACE_NO_NSG:
		return last->stage == STAGE_NSG_OUT ? STAGE_ROUTE : STAGE_HOP;
	default:
		return next[last->verdict];
	}
}

void
trace_end(struct worker *w, struct packet *p)
{
	struct event e = {.type = EVENT_TRACE, .trace = p->trace};

	p->flags &= ~PKT_TRACED;
	if (!channel_put(&w->up, &e, sizeof(e)))
		atomic_fetch_add_explicit(&w->trace->acked, 1, memory_order_release);
}

void
trace_order(struct worker *w, const struct flow_filter *filter, uint32_t count)
{
	w->trace->filter = *filter;
	w->trace->remaining = count;
}

void
trace_read(struct worker *w, const struct trace_record *slot, struct trace_record *out)
{
	*out = *slot;
	atomic_fetch_add_explicit(&w->trace->acked, 1, memory_order_release);
}
