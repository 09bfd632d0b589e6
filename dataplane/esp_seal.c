/* Seal: inner packets that were routed into a tunnel become ESP packets of its outbound SA.
 *
 * Worker only. Movements: find each packet's SA; gather the burst by SA; take each SA's sequence numbers with one
 * atomic add and check its lifetime; write all headers and trailers; encrypt everything at once.
 * A number is below the SA's durable reserve and below the end of its numbers, or the packet is
 * dropped. Numbers that were taken and not used are lost, never used again.
 *
 * Headers: RFC 4301 section 5.1.2, ECN by RFC 6040 (normal mode). The packet's buffer is made to fit when it is sent.
 */
#include "dataplane/checksum.h"
#include "dataplane/esp.h"
#include "dataplane/miss.h"
#include "dataplane/sa.h"
#include "dataplane/sa_burst.h"
#include "dataplane/selector.h"
#include "dataplane/worker.h"

#include <netinet/in.h>
#include <string.h>

#define OUTER_TTL 64
#define LINK_HEADER_MAX 18 /* what transmit() writes before the outer header */
#define TRAILER_ROOM (16 + ESP_TRAILER_SIZE + CRYPTO_ICV_MAX)

/* One SA of the burst. */
struct numbers {
	uint64_t next, end; /* to be given out */
	uint8_t why;        /* nothing is left */
	struct sa_lifetime left;
};

struct seal {
	uint16_t n;
	bool dropped, checksums;
	const struct path *path[BURST_MAX]; /* by position in burst->pkt */
	struct sa_burst by_sa;
	struct numbers numbers[BURST_MAX];
	uint16_t at[BURST_MAX];   /* of the packet in burst->pkt */
	uint8_t group[BURST_MAX]; /* its SA in by_sa */
	struct crypto_op op[BURST_MAX];
};

static void
refuse(struct worker *w, struct burst *b, struct seal *s, uint16_t at, enum drop_reason reason, uint32_t name)
{
	drop_named(w, b->pkt[at], reason, name);
	b->pkt[at] = NULL;
	s->dropped = true;
}

/* ---- gather ------------------------------------------------------------------------- */

static inline bool
room_enough(const struct packet *p, const struct path *path)
{
	const struct rte_mbuf *m = p->m;
	const uint8_t *buffer = m->buf_addr;
	uint32_t before = path->outer.length + path->sa->header + LINK_HEADER_MAX;

	return p->l3 >= buffer + before && p->l3 + p->l3_len + TRAILER_ROOM <= buffer + m->buf_len;
}

/* Of a tunnel with several classes: the first that wants the packet. */
static __rte_noinline const struct path *
class_path(const struct tunnel *t, const struct packet *p)
{
	for (uint32_t i = 0; i < t->n_classes; i++) {
		const struct traffic_class *c = &t->class[i];

		if (selectors_match(c->selector, c->n_selectors, p, true))
			return &c->path[p->hash & c->path_mask];
	}
	return NULL;
}

static inline const struct path *
path_of(const struct tunnel *t, const struct packet *p)
{
	if (unlikely(t->path == NULL))
		return NULL;
	return likely(t->n_classes == 0) ? tunnel_path(t, p->hash) : class_path(t, p);
}

/* The path of each packet, NULL: not into a tunnel, or no SA there. The memory of thousands of SAs is far away: each
 * round asks for what the next one reads, for the whole burst; a burst of one tunnel has it all. */
static void
find(const struct view *v, const struct burst *b, struct seal *s)
{
	bool several = b->pkt[0]->tunnel != b->pkt[b->n - 1]->tunnel;

	for (uint16_t i = 0; i < b->n && several; i++)
		rte_prefetch0(&v->tunnel[b->pkt[i]->tunnel & v->tunnel_mask]);
	for (uint16_t i = 0; i < b->n; i++) {
		const struct packet *p = b->pkt[i];
		const struct tunnel *t = &v->tunnel[p->tunnel & v->tunnel_mask];

		s->path[i] = p->tunnel != TUNNEL_NONE ? path_of(t, p) : NULL;
		rte_prefetch0(s->path[i]);
	}
	for (uint16_t i = 0; i < b->n && several; i++)
		if (s->path[i])
			rte_prefetch0(s->path[i]->sa);
	for (uint16_t i = 0; i < b->n && several; i++)
		if (s->path[i])
			rte_prefetch0(s->path[i]->sa->state);
}

/* No SA takes the packet. Where the connection would have one for it, control hears of it. */
static __rte_noinline void
unselected(struct worker *w, struct burst *b, struct seal *s, uint16_t i, const struct tunnel *t)
{
	const struct packet *p = b->pkt[i];
	bool missing = t->path == NULL || (t->n_policies && selectors_match(t->policy, t->n_policies, p, true));

	if (missing)
		miss_tell(w, p, t);
	refuse(w, b, s, i, missing ? DROP_SA_MISSING : DROP_SELECTOR_OUT, t->name);
}

static void
gather(struct worker *w, struct burst *b, struct seal *s)
{
	const struct view *v = w->view;

	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];
		const struct path *path = s->path[i];
		const struct tunnel *t;

		if (p->tunnel == TUNNEL_NONE)
			continue;
		t = &v->tunnel[p->tunnel];
		if (unlikely(path == NULL || !selectors_match(t->selector, t->n_selectors, p, true))) {
			unselected(w, b, s, i, t);
			continue;
		}
		if (unlikely(!room_enough(p, path))) {
			refuse(w, b, s, i, DROP_NO_BUFFER, t->name);
			continue;
		}
		s->at[s->n] = i;
		s->group[s->n++] = sa_burst_add(&s->by_sa, path->sa, p->l3_len);
	}
}

/* ---- sequence numbers and lifetimes -------------------------------------------------- */

static void
numbers_take(struct worker *w, struct numbers *n, const struct sa_group *g)
{
	struct sa_state *state = g->sa->state;
	uint64_t reserved = atomic_load_explicit(&state->reserved, memory_order_relaxed);
	uint64_t bound = RTE_MIN(reserved, g->sa->end);
	uint64_t next = atomic_load_explicit(&state->next, memory_order_relaxed);

	n->why = bound == g->sa->end ? DROP_SA_SEQUENCE : DROP_SA_SEQUENCE_WAIT;
	n->next = n->end = bound;
	/* At the bound nothing is added, or waiting would use up the numbers. */
	if (likely(next < bound)) {
		n->next = atomic_fetch_add_explicit(&state->next, g->packets, memory_order_relaxed);
		n->end = RTE_MIN(n->next + g->packets, bound);
	}

	if (unlikely(n->next + g->packets > bound && n->why == DROP_SA_SEQUENCE))
		sa_tell(w, g->sa, SA_EVENT_EXHAUSTED);
	if (unlikely(n->end > atomic_load_explicit(&state->low, memory_order_relaxed)) && reserved < g->sa->end)
		sa_tell_reserve(w, g->sa, reserved);
}

static void
number(struct worker *w, struct seal *s)
{
	for (uint32_t i = 0; i < s->by_sa.n; i++) {
		const struct sa_group *g = &s->by_sa.group[i];

		sa_lifetime_left(g->sa, &s->numbers[i].left);
		numbers_take(w, &s->numbers[i], g);
	}
}

/* ---- headers ------------------------------------------------------------------------ */

static inline void
outer_copy(uint8_t *to, const struct esp_outer *o)
{
	/* Fixed sizes, so that each is a few moves. */
	switch (o->length) {
	case 20:
		memcpy(to, o->bytes, 24);
		break;
	case 28:
		memcpy(to, o->bytes, 32);
		break;
	case 40:
		memcpy(to, o->bytes, 44);
		break;
	default:
		memcpy(to, o->bytes, 52);
		break;
	}
}

static inline void
finish_v4(uint8_t *ip, const struct esp_outer *o, uint16_t total, uint8_t tos, bool df, uint64_t sequence)
{
	/* version, length of the header, TOS; total length; identification (RFC 6864: matters only where DF is clear);
	 * fragment word: composed in a register, as four stores could not be read as one word at once */
	uint64_t word = rte_cpu_to_be_64(
		(uint64_t)(0x4500 | tos) << 48 | (uint64_t)total << 32 | (sequence & 0xffff) << 16 | (df ? 0x4000 : 0));
	uint16_t sum = checksum_fold((uint32_t)o->sum + (uint16_t)word + (uint16_t)(word >> 16) +
				     (uint16_t)(word >> 32) + (uint16_t)(word >> 48));

	memcpy(ip, &word, sizeof(word));
	memcpy(ip + 10, &sum, sizeof(sum));
}

static inline void
finish_v6(uint8_t *ip, uint16_t total, uint8_t tos)
{
	uint32_t first = rte_cpu_to_be_32(6u << 28 | (uint32_t)tos << 20);
	uint16_t payload = rte_cpu_to_be_16(total - 40);

	memcpy(ip, &first, 4);
	memcpy(ip + 4, &payload, 2);
}

/* The packet is an outer one from here on: what is left to do with it is to send it to its path's neighbour, which
 * takes the destination's place. */
static inline void
become_outer(const struct view *v, struct packet *p, const struct esp_outer *o, uint8_t *ip, uint16_t total)
{
	uint8_t ip_length = esp_outer_ip_length(o);

	p->l3 = ip;
	p->l3_len = total;
	p->l4_off = ip_length;
	p->flags &= PKT_LOCAL | PKT_TRACED | PKT_MOVED;
	p->out = o->uplink;
	p->tunnel = TUNNEL_NONE;
	p->protocol = o->length == ip_length ? ESP_PROTOCOL : IPPROTO_UDP;
	if (ip_length == 20) {
		p->next4 = o->next4;
	} else {
		p->flags |= PKT_V6;
		p->next4 = 0;
		memcpy(p->v6.dst, o->on_link ? o->bytes + 24 : v->iface[o->uplink].gateway6.b, 16);
	}
}

/* Trailer behind the inner packet (RFC 4303 section 2.4: padding counts 1, 2, 3...). Returns payload and trailer. */
static inline uint16_t
trailer_write(const struct sa *sa, const struct packet *p)
{
	static const uint8_t count[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	uint32_t padding = sa_padding(sa, p->l3_len);
	uint8_t *tail = p->l3 + p->l3_len;

	memcpy(tail, count, sizeof(count));
	tail[padding] = (uint8_t)padding;
	tail[padding + 1] = p->flags & PKT_V6 ? ESP_NEXT_V6 : ESP_NEXT_V4;
	return (uint16_t)(p->l3_len + padding + ESP_TRAILER_SIZE);
}

static inline void
encapsulate(
	const struct view *v, struct seal *s, uint16_t i, struct packet *p, const struct path *path, uint64_t sequence)
{
	const struct tunnel *t = &v->tunnel[p->tunnel];
	const struct sa *sa = path->sa;
	const struct esp_outer *o = &path->outer;
	uint16_t payload = trailer_write(sa, p);
	uint16_t total = o->length + sa->header + payload + sa->icv;
	uint8_t *esp = p->l3 - sa->header, *ip = esp - o->length, ip_length = esp_outer_ip_length(o);
	uint8_t tos = (t->copy_dscp ? p->tos & 0xfc : 0) | (p->tos & 3);
	bool df = t->copy_df && (p->flags & PKT_DF);
	uint32_t low = rte_cpu_to_be_32((uint32_t)sequence);

	outer_copy(ip, o);
	memcpy(esp + ESP_SEQUENCE_OFFSET, &low, 4);
	if (sa->udp_encap) {
		uint16_t udp = rte_cpu_to_be_16(total - ip_length);

		memcpy(ip + ip_length + 4, &udp, 2);
		s->checksums |= ip_length == 40;
	}
	if (ip_length == 20)
		finish_v4(ip, o, total, tos, df, sequence);
	else
		finish_v6(ip, total, tos);

	s->op[i] = (struct crypto_op){.key = sa->key, .esp = esp, .sequence = sequence, .length = sa->header + payload};
	become_outer(v, p, o, ip, total);
}

static void
turn_away(struct worker *w, struct burst *b, struct seal *s, uint16_t i, enum drop_reason reason)
{
	struct sa_group *g = &s->by_sa.group[s->group[i]];

	if (reason == DROP_SA_LIFETIME)
		sa_tell(w, g->sa, SA_EVENT_HARD);
	sa_burst_drop(g, b->pkt[s->at[i]]->l3_len);
	refuse(w, b, s, s->at[i], reason, g->sa->name);
}

static void
headers(struct worker *w, struct burst *b, struct seal *s)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < s->n; i++) {
		struct packet *p = b->pkt[s->at[i]];
		const struct path *path = s->path[s->at[i]];
		struct numbers *n = &s->numbers[s->group[i]];
		enum drop_reason reason = n->next < n->end ? DROP_REASON_COUNT : n->why;

		if (unlikely(!sa_lifetime_take(&n->left, p->l3_len)))
			reason = DROP_SA_LIFETIME;
		if (unlikely(reason != DROP_REASON_COUNT)) {
			turn_away(w, b, s, i, reason);
			continue;
		}
		TRACE(p, STAGE_ESP_SEAL, TRACE_SEALED, path->outer.uplink, path->sa->name, (uint32_t)n->next);
		s->at[kept] = s->at[i];
		encapsulate(w->view, s, kept++, p, path, n->next++);
	}
	s->n = kept;
}

/* ---- the stage ---------------------------------------------------------------------- */

/* UDP over IPv6 has a checksum: receivers drop packets without one unless told otherwise (RFC 8200 section 8.1;
 * the exception of RFC 6935 needs both ends' consent, and RFC 3948 gives none). */
static void
checksums_v6(struct burst *b, const struct seal *s)
{
	for (uint16_t i = 0; i < s->n; i++) {
		struct packet *p = b->pkt[s->at[i]];
		uint16_t length = p->l3_len - 40, sum = 0;
		uint8_t *udp = p->l3 + 40;

		if (!(p->flags & PKT_V6) || p->protocol != IPPROTO_UDP)
			continue;
		memcpy(udp + 6, &sum, 2);
		sum = checksum_fold(
			checksum_add(checksum_pseudo_v6(p->l3 + 8, p->l3 + 24, length, IPPROTO_UDP), udp, length));
		if (sum == 0)
			sum = 0xffff;
		memcpy(udp + 6, &sum, 2);
	}
}

void
esp_seal(struct worker *w, struct burst *b)
{
	struct seal s;

	s.n = 0;
	s.dropped = s.checksums = false;
	sa_burst_init(&s.by_sa);

	find(w->view, b, &s);
	gather(w, b, &s);
	number(w, &s);
	headers(w, b, &s);
	crypto_seal(w->crypto, s.op, s.n);

	if (unlikely(s.checksums))
		checksums_v6(b, &s);
	sa_burst_count(w, &s.by_sa);
	if (unlikely(s.dropped))
		burst_compact(b);
}
