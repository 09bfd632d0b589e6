/* Virtual reassembly: fragments pass one by one, each with its first fragment's ports. Worker only.
 *
 * The state of a datagram goes when its last byte has passed. What waits outlives its burst, and
 * perhaps its view: its ids are masked when it comes back.
 */
#include "dataplane/fragment_table.h"
#include "dataplane/trace.h"

/* A trace tells one burst's story. */
static void
hold(struct worker *w, struct datagram *d, struct packet *p, const struct fragment *f)
{
	if (unlikely(p->flags & PKT_TRACED))
		trace_end(w, p);
	datagram_hold(w, d, p, f);
}

static void
remember_first(struct datagram *d, const struct packet *p)
{
	d->protocol = p->protocol;
	d->tcp_flags = p->tcp_flags;
	d->source_port = p->source_port;
	d->destination_port = p->destination_port;
	d->hash = p->hash;
}

/* To the rules and to the flow table a later fragment is what its first one was. */
static void
fill_in(const struct datagram *d, struct packet *p)
{
	p->protocol = d->protocol;
	p->tcp_flags = d->tcp_flags;
	p->source_port = d->source_port;
	p->destination_port = d->destination_port;
	p->hash = d->hash;
}

static void
release(struct worker *w, struct datagram *d)
{
	struct held *h;

	STAILQ_FOREACH(h, &d->held, link)
	fill_in(d, &h->p);
	STAILQ_CONCAT(&w->fragments->ready, &d->held);
	d->n_held = 0;
}

/* True: p goes on. */
static bool
pass(struct worker *w, struct packet *p)
{
	struct fragment f;
	struct datagram *d = datagram_enter(w, p, &f, false);

	if (!d)
		return false;
	if (f.start == 0) {
		remember_first(d, p);
		datagram_open(w, d);
		release(w, d);
	} else if (d->first) {
		fill_in(d, p);
	} else {
		hold(w, d, p, &f);
		return false;
	}
	if (datagram_complete(d))
		datagram_close(w, d, DROP_FRAGMENT_TIMEOUT); /* nothing waits any more */
	return true;
}

static void
put_back(struct worker *w, struct burst *b)
{
	struct fragment_table *t = w->fragments;
	struct held *h;

	while (b->n < BURST_MAX && b->used < BURST_MAX && (h = STAILQ_FIRST(&t->ready))) {
		struct packet *p = &b->slot[b->used++];

		STAILQ_REMOVE_HEAD(&t->ready, link);
		*p = h->p;
		p->iface &= w->view->iface_mask;
		if (p->tunnel != TUNNEL_NONE)
			p->tunnel &= w->view->tunnel_mask;
		b->pkt[b->n++] = p;
		STAILQ_INSERT_HEAD(&t->held_free, h, link);
	}
}

void
fragments_virtual(struct worker *w, struct burst *b)
{
	uint16_t kept = 0;

	fragments_expire(w);
	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];

		if (!(p->flags & PKT_FRAGMENT) || pass(w, p))
			b->pkt[kept++] = p;
	}
	b->n = kept;
	put_back(w, b);
}
