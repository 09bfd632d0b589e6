/* Open: ESP packets addressed to us become the inner packets they carry, entering their tunnel's gateway.
 *
 * Worker only. Three movements: find ESP in the burst, its SA and whether its number can be new;
 * verify and decrypt everything at once; then, in order, take each number, check the trailer, the
 * inner packet and the selectors. Nothing of a packet is believed before its ICV was right, but the
 * SPI and the number, which only choose how to refuse it.
 *
 * RFC 4303 section 3.4, RFC 4301 section 5.2, RFC 3948, RFC 6040 (ECN).
 */
#include "dataplane/checksum.h"
#include "dataplane/esp_place.h"
#include "dataplane/meter.h"
#include "dataplane/sa.h"
#include "dataplane/sa_burst.h"
#include "dataplane/selector.h"
#include "dataplane/worker.h"

#include <netinet/in.h>
#include <string.h>

#define KEEP DROP_REASON_COUNT

/* One SA of the burst. */
struct window {
	uint64_t top, seen_top;
	struct sa_lifetime left;
};

struct open {
	uint16_t n;
	bool dropped;
	/* what was found, by position in burst->pkt */
	uint16_t n_found;
	uint16_t found[BURST_MAX];
	struct esp_place place[BURST_MAX];
	const struct sa_slot *slot[BURST_MAX];

	/* what may be of an SA */
	struct sa_burst by_sa;
	struct window window[BURST_MAX];
	uint16_t at[BURST_MAX];     /* of the packet in burst->pkt */
	uint8_t group[BURST_MAX];   /* its SA in by_sa */
	uint8_t verdict[BURST_MAX]; /* KEEP or why not */
	const struct inbound *inbound[BURST_MAX];
	struct crypto_op op[BURST_MAX];
};

_Static_assert(DROP_REASON_COUNT <= UINT8_MAX, "a verdict is a byte");

static void
refuse(struct worker *w, struct burst *b, struct open *o, uint16_t at, enum drop_reason reason, uint32_t name)
{
	drop_named(w, b->pkt[at], reason, name);
	b->pkt[at] = NULL;
	o->dropped = true;
}

/* ---- find --------------------------------------------------------------------------- */

static inline bool
is_address(const struct packet *p, const struct ip_addr *a, const void *v4, const void *v6)
{
	if (p->flags & PKT_V6)
		return a->family == IP_V6 && memcmp(a->b, v6, 16) == 0;
	return a->family == IP_V4 && memcmp(a->b, v4, 4) == 0;
}

static inline bool
from(const struct packet *p, const struct ip_addr *a)
{
	return is_address(p, a, &p->v4.src, p->v6.src);
}

static inline bool
to(const struct packet *p, const struct ip_addr *a)
{
	return is_address(p, a, &p->v4.dst, p->v6.dst);
}

static bool
to_us(const struct iface *i, const struct packet *p)
{
	for (uint8_t n = 0; n < i->n_prefixes; n++)
		if (to(p, &i->address[n]))
			return true;
	return false;
}

static inline const struct sa_slot *
spi_find(const struct view *v, uint32_t spi)
{
	uint32_t at = spi & v->spi_mask;

	for (uint32_t probe = 0; probe < SPI_PROBES_MAX; probe++, at = (at + 1) & v->spi_mask) {
		/* SPI 0, which nobody has, meets an empty place. */
		if (likely(v->spi[at].spi == spi))
			return likely(spi != 0) ? &v->spi[at] : NULL;
		if (v->spi[at].spi == 0)
			return NULL;
	}
	return NULL;
}

static inline void
slot_prefetch(const struct view *v, const struct sa_slot *slot)
{
	rte_prefetch0(slot->sa);
	rte_prefetch0(&v->inbound[slot->inbound]);
}

static inline void
state_prefetch(const struct sa *sa)
{
	rte_prefetch0(sa->state);
	rte_prefetch0(&sa->state->replay);
	rte_prefetch0(sa->key);
}

/* Too short for an SPI and a number. */
static enum drop_reason
judge_short(const struct esp_place *e)
{
	return e->udp && e->length == 1 && e->esp[0] == ESP_KEEPALIVE ? DROP_ESP_KEEPALIVE : DROP_ESP_TRUNCATED;
}

/* May this packet be one of this SA's? */
static inline enum drop_reason
judge(const struct sa *sa, const struct inbound *in, const struct packet *p, const struct esp_place *e)
{
	int32_t payload = e->length - sa->header - sa->icv;

	if (unlikely(sa->udp_encap != e->udp || (e->udp && p->destination_port != sa->udp_local_port)))
		return DROP_ESP_ENCAPSULATION;
	/* Behind a NAT the peer's address may change; the ICV tells whether it is the peer. */
	if (unlikely(!e->udp && !from(p, &in->remote)))
		return DROP_ESP_SPI_UNKNOWN;
	if (unlikely(payload < ESP_TRAILER_SIZE))
		return DROP_ESP_TRUNCATED;
	if (unlikely(payload & sa->pad_mask))
		return DROP_ESP_LENGTH;
	return KEEP;
}

static inline struct window *
window_of(struct open *o, uint8_t group, uint32_t groups_before)
{
	struct window *win = &o->window[group];
	const struct sa *sa = o->by_sa.group[group].sa;

	if (group == groups_before) { /* its first packet */
		win->top = win->seen_top = replay_top(&sa->state->replay);
		sa_lifetime_left(sa, &win->left);
	}
	return win;
}

/* The packet's 64-bit number; false: it cannot be new. */
static inline bool
number(const struct sa *sa, const struct window *win, const uint8_t *esp, uint64_t *sequence)
{
	uint32_t low = esp_sequence(esp);

	*sequence = sa->esn ? replay_infer(win->top, sa->window ? sa->window : REPLAY_INFER_MIN, low) : low;
	if (sa->window == 0)
		return *sequence != UINT64_MAX;
	return !replay_left(&sa->state->replay, win->top, sa->window, *sequence) &&
	       !replay_seen(&sa->state->replay, *sequence);
}

/* Where ESP stands in the burst, and its SAs. The memory of thousands of them is far away: each round asks for what the
 * next one reads, for the whole burst, so that the packets wait for it together. */
static inline void
find(const struct view *v, const struct burst *b, struct open *o)
{
	for (uint16_t i = 0; i < b->n; i++) {
		struct esp_place *e = &o->place[i];

		if (!esp_locate(v, b->pkt[i], e))
			continue;
		o->found[o->n_found++] = i;
		if (likely(e->length >= ESP_HEADER_SIZE))
			rte_prefetch0(&v->spi[esp_spi(e->esp) & v->spi_mask]);
	}
	for (uint16_t k = 0; k < o->n_found; k++) {
		const struct esp_place *e = &o->place[o->found[k]];
		const struct sa_slot *slot = likely(e->length >= ESP_HEADER_SIZE) ? spi_find(v, esp_spi(e->esp)) : NULL;

		o->slot[k] = slot;
		if (slot && (k == 0 || slot != o->slot[k - 1]))
			slot_prefetch(v, slot);
	}
	for (uint16_t k = 0; k < o->n_found; k++)
		if (o->slot[k] && (k == 0 || o->slot[k] != o->slot[k - 1]))
			state_prefetch(o->slot[k]->sa);
}

static inline void
find_one(struct worker *w, struct burst *b, struct open *o, uint16_t k)
{
	const struct view *v = w->view;
	const uint16_t at = o->found[k];
	const struct packet *p = b->pkt[at];
	const struct sa_slot *slot = o->slot[k];
	const struct esp_place e = o->place[at];
	const struct inbound *in;
	enum drop_reason reason;
	uint32_t groups;
	uint64_t sequence;
	uint8_t group;

	if (unlikely(!slot || !to(p, &v->inbound[slot->inbound].local))) {
		reason = e.length < ESP_HEADER_SIZE ? judge_short(&e) : DROP_ESP_SPI_UNKNOWN;
		if (to_us(&v->iface[p->iface], p))
			refuse(w, b, o, at, reason, NAME_NONE);
		return;
	}

	in = &v->inbound[slot->inbound];
	reason = judge(slot->sa, in, p, &e);
	if (unlikely(reason != KEEP)) {
		atomic_fetch_add_explicit(&slot->sa->state->drops, 1, memory_order_relaxed);
		refuse(w, b, o, at, reason, slot->sa->name);
		return;
	}

	groups = o->by_sa.n;
	group = sa_burst_add(&o->by_sa, slot->sa, 0);
	if (unlikely(!number(slot->sa, window_of(o, group, groups), e.esp, &sequence))) {
		sa_burst_drop(&o->by_sa.group[group], 0);
		refuse(w, b, o, at, DROP_ESP_REPLAY, slot->sa->name);
		return;
	}
	o->at[o->n] = at;
	o->group[o->n] = group;
	o->inbound[o->n] = in;
	o->op[o->n++] = (struct crypto_op){
		.key = slot->sa->key, .esp = e.esp, .sequence = sequence, .length = e.length - slot->sa->icv};
}

/* ---- numbers ------------------------------------------------------------------------ */

/* Packets in a row whose numbers lie in one block of one window: one exchange for all. */
struct run {
	struct replay *replay;
	uint64_t block;
	uint32_t bits;
	uint16_t n;
	uint16_t op[32];
};

static inline void
run_take(struct open *o, struct run *run)
{
	uint32_t fresh = replay_take_block(run->replay, run->block, run->bits);

	if (unlikely(fresh != run->bits))
		for (uint16_t i = 0; i < run->n; i++)
			if (!(fresh >> (o->op[run->op[i]].sequence & 31) & 1))
				o->verdict[run->op[i]] = DROP_ESP_REPLAY;
	run->n = 0;
	run->bits = 0;
}

/* A number met twice ends the run, so that the second one finds the first taken. */
static inline void
run_add(struct open *o, struct run *run, struct replay *replay, uint16_t i)
{
	uint64_t block = o->op[i].sequence >> 5;
	uint32_t bit = 1u << (o->op[i].sequence & 31);

	if (run->n && (run->block != block || run->replay != replay || (run->bits & bit)))
		run_take(o, run);
	run->replay = replay;
	run->block = block;
	run->bits |= bit;
	run->op[run->n++] = i;
}

/* Which packets are authentic and new, in order. The top may rise with a number that another worker accepts first: it
 * was authentic all the same. */
static void
judge_numbers(struct open *o)
{
	struct run run = {.n = 0};

	for (uint16_t i = 0; i < o->n; i++) {
		const struct sa *sa = o->by_sa.group[o->group[i]].sa;
		struct window *win = &o->window[o->group[i]];
		uint64_t sequence = o->op[i].sequence;

		o->verdict[i] = KEEP;
		if (unlikely(!o->op[i].ok)) {
			o->verdict[i] = DROP_ESP_AUTHENTICATION;
			continue;
		}
		if (unlikely(sa->window && replay_left(&sa->state->replay, win->top, sa->window, sequence))) {
			o->verdict[i] = DROP_ESP_REPLAY;
			continue;
		}
		if (sequence > win->top)
			win->top = sequence;
		if (likely(sa->window))
			run_add(o, &run, &sa->state->replay, i);
	}
	if (run.n)
		run_take(o, &run);
}

/* ---- accept ------------------------------------------------------------------------- */

/* Padding counts 1, 2, 3... (RFC 4303 section 2.4). */
static inline bool
padding_right(const uint8_t *end, uint32_t padding)
{
	uint8_t wrong = 0;

	for (uint32_t i = 1; i <= padding; i++)
		wrong |= end[-(int32_t)i] ^ (uint8_t)(padding + 1 - i);
	return wrong == 0;
}

/* RFC 6040 section 4.2, figure 4: what the inner packet says after the tunnel. */
#define ECN_LOST 4 /* congestion that cannot be passed on */
static const uint8_t ecn_combined[4][4] = {
	/* inner, then outer: Not-ECT, ECT(1), ECT(0), CE */
	[0] = {0, 0, 0, ECN_LOST},
	[1] = {1, 1, 1, 3},
	[2] = {2, 1, 2, 3},
	[3] = {3, 3, 3, 3},
};

static void
ecn_write(struct packet *p, uint8_t ecn)
{
	uint16_t before, after, sum;
	uint8_t tos = (p->tos & 0xfc) | ecn;

	memcpy(&before, p->l3, 2);
	if (p->flags & PKT_V6)
		p->l3[1] = (p->l3[1] & 0xcf) | (uint8_t)(ecn << 4);
	else
		p->l3[1] = tos;
	memcpy(&after, p->l3, 2);
	if (!(p->flags & PKT_V6)) {
		memcpy(&sum, p->l3 + 10, 2);
		sum = checksum_update(sum, before, after);
		memcpy(p->l3 + 10, &sum, 2);
	}
	p->tos = tos;
}

/* The inner packet takes the outer one's place in p. */
static inline enum drop_reason
inner_parse(struct packet *p, uint8_t *inner, uint32_t length, uint8_t next)
{
	uint16_t kept = p->flags & (PKT_TRACED | PKT_MOVED);
	uint8_t outer_ecn = p->tos & 3, ecn;

	p->flags = 0;
	if (unlikely(parse_ip(p, inner, length) != PARSE_OK)) {
		p->flags |= kept;
		return DROP_ESP_INNER;
	}
	p->flags |= kept | PKT_OPENED;
	if (unlikely(!!(p->flags & PKT_V6) != (next == ESP_NEXT_V6)))
		return DROP_ESP_INNER;

	ecn = ecn_combined[p->tos & 3][outer_ecn];
	if (unlikely(ecn == ECN_LOST))
		return DROP_ESP_ECN;
	if (unlikely(ecn != (p->tos & 3)))
		ecn_write(p, ecn);
	return KEEP;
}

static inline enum drop_reason
payload_take(struct packet *p, const struct sa *sa, const struct crypto_op *op)
{
	uint8_t *inner = op->esp + sa->header, *end = op->esp + op->length - ESP_TRAILER_SIZE;
	uint32_t room = (uint32_t)(end - inner), padding = end[0];
	uint8_t next = end[1];

	if (unlikely(padding > room || !padding_right(end, padding)))
		return DROP_ESP_PADDING;
	if (unlikely(next != ESP_NEXT_V4 && next != ESP_NEXT_V6))
		return next == ESP_NEXT_DUMMY ? DROP_ESP_DUMMY : DROP_ESP_NEXT_HEADER;
	return inner_parse(p, inner, room - padding, next);
}

/* Heard from elsewhere than configured: an authenticated packet, so the peer's NAT has moved. */
static void
remote_check(struct worker *w, const struct sa *sa, const struct inbound *in, const struct packet *p)
{
	struct ip_addr source;

	if (likely(p->source_port == sa->udp_remote_port && from(p, &in->remote)))
		return;
	source = packet_address(p, true);
	sa_tell_remote(w, sa, &source, p->source_port);
}

static inline void
enter_gateway(struct packet *p, const struct inbound *in)
{
	p->iface = in->gateway;
	p->tunnel = in->tunnel;
	packet_trim(p, 0);
}

static inline enum drop_reason
accept_one(struct worker *w, struct open *o, uint16_t i, struct packet *p)
{
	const struct inbound *in = o->inbound[i];
	struct window *win = &o->window[o->group[i]];
	struct sa_group *g = &o->by_sa.group[o->group[i]];
	const struct crypto_op *op = &o->op[i];
	enum drop_reason reason;

	if (unlikely(o->verdict[i] != KEEP))
		return o->verdict[i];
	if (g->sa->udp_encap)
		remote_check(w, g->sa, in, p);
	reason = payload_take(p, g->sa, op);
	if (unlikely(reason != KEEP))
		return reason;
	if (unlikely(!selectors_match(in->selector, in->n_selectors, p, false)))
		return DROP_SELECTOR_IN;
	if (unlikely(!sa_lifetime_take(&win->left, p->l3_len))) {
		sa_tell(w, g->sa, SA_EVENT_HARD);
		return DROP_SA_LIFETIME;
	}
	if (unlikely(in->meter_cost) &&
		!meter_take(&w->meters[in->gateway].in, in->meter_cost, w->meter_burst, w->now, p->l3_len))
		return DROP_GATEWAY_RATE;
	enter_gateway(p, in);
	g->bytes += p->l3_len;
	TRACE(p, STAGE_ESP_OPEN, TRACE_OPENED, in->gateway, g->sa->name, (uint32_t)op->sequence);
	return KEEP;
}

static void
accept_all(struct worker *w, struct burst *b, struct open *o)
{
	judge_numbers(o);

	for (uint16_t i = 0; i < o->n; i++) {
		struct sa_group *g = &o->by_sa.group[o->group[i]];
		enum drop_reason reason = accept_one(w, o, i, b->pkt[o->at[i]]);

		if (likely(reason == KEEP)) {
			b->seen |= b->pkt[o->at[i]]->flags;
			continue;
		}
		sa_burst_drop(g, 0);
		refuse(w, b, o, o->at[i], reason,
			reason == DROP_GATEWAY_RATE ? w->view->iface[o->inbound[i]->gateway].name : g->sa->name);
	}

	for (uint32_t g = 0; g < o->by_sa.n; g++)
		if (o->window[g].top != o->window[g].seen_top)
			replay_raise(&o->by_sa.group[g].sa->state->replay, o->window[g].top);
	sa_burst_count(w, &o->by_sa);
}

/* ---- the stage ---------------------------------------------------------------------- */

void
esp_open(struct worker *w, struct burst *b)
{
	struct open o;

	o.n = o.n_found = 0;
	o.dropped = false;
	sa_burst_init(&o.by_sa);

	find(w->view, b, &o);
	for (uint16_t k = 0; k < o.n_found; k++)
		find_one(w, b, &o, k);
	if (o.n) {
		crypto_open(w->crypto, o.op, o.n);
		accept_all(w, b, &o);
	}
	if (unlikely(o.dropped))
		burst_compact(b);
}
