/* Reassembly of fragments addressed to ourselves: outer ESP packets, raw or in UDP. Worker only.
 *
 * The first fragment's buffer takes the others' payload behind its own; what does not fit into one
 * buffer is dropped by name. ECN by RFC 3168 section 5.3.
 *
 * IKE messages may be larger than a buffer (certificates), and nobody here reads them: once the first
 * fragment has shown that they are IKE, all go to control as they came, and the kernel behind it makes
 * them whole.
 */
#include "dataplane/checksum.h"
#include "dataplane/fragment_table.h"
#include "dataplane/listener.h"
#include "dataplane/trace.h"

#include <netinet/in.h>

#define IP4_HEADER 20
#define IP6_HEADER 40
#define IP6_FRAGMENT_HEADER 8

enum ecn { ECN_NONE = 0, ECN_CONGESTION = 3 };

static bool
wanted(const struct worker *w, const struct packet *p)
{
	const struct iface *i = &w->view->iface[p->iface];

	return (p->flags & PKT_FRAGMENT) && (p->protocol == IPPROTO_ESP || p->protocol == IPPROTO_UDP) &&
	       i->kind == IFACE_UPLINK && packet_to_iface(i, p);
}

/* The whole packet begins where the first fragment did, without the IPv6 fragment header. */
static uint8_t *
drop_fragment_header(const struct held *first)
{
	uint8_t *l3 = first->p.l3;
	uint8_t next = l3[first->f.header_off];

	memmove(l3 + IP6_FRAGMENT_HEADER, l3, first->f.header_off);
	l3 += IP6_FRAGMENT_HEADER;
	l3[first->f.next_off] = next;
	return l3;
}

static void
finish_v4(uint8_t *l3, uint16_t header, uint32_t total, bool congestion)
{
	uint16_t be = rte_cpu_to_be_16((uint16_t)(header + total)), sum;

	memcpy(l3 + 2, &be, 2);
	memset(l3 + 6, 0, 2); /* flags, offset */
	if (congestion)
		l3[1] |= ECN_CONGESTION;
	memset(l3 + 10, 0, 2);
	sum = checksum(l3, header);
	memcpy(l3 + 10, &sum, 2);
}

static void
finish_v6(uint8_t *l3, uint16_t header, uint32_t total, bool congestion)
{
	uint16_t be = rte_cpu_to_be_16((uint16_t)(header - IP6_HEADER + total));

	memcpy(l3 + 4, &be, 2);
	if (congestion)
		l3[1] |= ECN_CONGESTION << 4;
}

/* All payloads behind the first one's header. DROP_REASON_COUNT, or why not. */
static enum drop_reason
merge(struct datagram *d, struct held *first)
{
	struct rte_mbuf *m = first->p.m;
	bool v6 = first->p.flags & PKT_V6;
	uint16_t header = first->f.payload_off - (v6 ? IP6_FRAGMENT_HEADER : 0);
	uint8_t *payload = first->p.l3 + first->f.payload_off, *l3;
	uint8_t *end = (uint8_t *)m->buf_addr + m->buf_len;
	unsigned ecn = 0;
	struct held *h;

	if ((size_t)(end - payload) < d->total)
		return DROP_FRAGMENT_TOO_LONG;
	STAILQ_FOREACH(h, &d->held, link)
	{
		ecn |= 1u << (h->p.tos & 3);
		if (h != first)
			memcpy(payload + h->f.start, h->p.l3 + h->f.payload_off, h->f.end - h->f.start);
	}
	if ((ecn & 1u << ECN_CONGESTION) && (ecn & 1u << ECN_NONE))
		return DROP_FRAGMENT_MALFORMED;

	l3 = v6 ? drop_fragment_header(first) : first->p.l3;
	if (v6)
		finish_v6(l3, header, d->total, ecn & 1u << ECN_CONGESTION);
	else
		finish_v4(l3, header, d->total, ecn & 1u << ECN_CONGESTION);
	first->p.l3 = l3;
	m->data_len = (uint16_t)(payload + d->total - rte_pktmbuf_mtod(m, uint8_t *));
	m->pkt_len = m->data_len;
	return DROP_REASON_COUNT;
}

static struct held *
find_first(struct datagram *d)
{
	struct held *h;

	STAILQ_FOREACH(h, &d->held, link)
	if (h->f.start == 0)
		break;
	return h;
}

/* The last part has come: p becomes the whole packet. False: it came to nothing. */
static bool
make_whole(struct worker *w, struct datagram *d, struct packet *p)
{
	struct held *first = find_first(d);
	enum drop_reason r = merge(d, first);
	uint16_t available;

	if (r != DROP_REASON_COUNT) {
		datagram_close(w, d, r);
		return false;
	}
	*p = first->p;
	p->iface &= w->view->iface_mask; /* perhaps of another view */
	STAILQ_REMOVE(&d->held, first, held, link);
	STAILQ_INSERT_HEAD(&w->fragments->held_free, first, link);
	datagram_close(w, d, DROP_HANDLED); /* the others' buffers */

	available = (uint16_t)(rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->m->data_len) - p->l3);
	r = parse_ip(p, p->l3, available);
	if (r != PARSE_OK)
		drop(w, p, r);
	return r == PARSE_OK;
}

static bool
is_ike(const struct datagram *d, const struct packet *p)
{
	return d->first || (!(p->flags & PKT_LATER_FRAGMENT) && listener_class(p) == PUNT_IKE);
}

static void
punt_fragment(struct worker *w, struct packet *p)
{
	p->iface &= w->view->iface_mask; /* perhaps of another view */
	punt(w, p, PUNT_IKE, DROP_NOT_FOR_US, IFACE_NONE, NULL, 0);
}

static void
punt_datagram(struct worker *w, struct datagram *d, struct packet *p)
{
	struct held *h;

	if (!d->first)
		datagram_open(w, d);
	while ((h = STAILQ_FIRST(&d->held))) {
		STAILQ_REMOVE_HEAD(&d->held, link);
		punt_fragment(w, &h->p);
		STAILQ_INSERT_HEAD(&w->fragments->held_free, h, link);
	}
	d->n_held = 0;
	punt_fragment(w, p);
	if (datagram_complete(d))
		datagram_close(w, d, DROP_HANDLED);
}

static bool
collect(struct worker *w, struct packet *p)
{
	struct fragment f;
	struct datagram *d = datagram_enter(w, p, &f, true);

	if (!d)
		return false;
	if (is_ike(d, p)) {
		punt_datagram(w, d, p);
		return false;
	}
	if (unlikely(p->flags & PKT_TRACED))
		trace_end(w, p);
	if (!datagram_hold(w, d, p, &f)) { /* with a hole it will never be whole */
		datagram_close(w, d, DROP_FRAGMENT_TABLE_FULL);
		return false;
	}
	return datagram_complete(d) && make_whole(w, d, p);
}

void
fragments_reassemble(struct worker *w, struct burst *b)
{
	uint16_t kept = 0;

	fragments_expire(w);
	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];

		if (!wanted(w, p) || collect(w, p))
			b->pkt[kept++] = p;
	}
	b->n = kept;
}
