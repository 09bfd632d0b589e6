/* Datagrams under way in fragments.
 *
 * Everything is allocated when the table is made. A flood of fragments pushes out the oldest
 * datagrams: those of honest senders are whole within microseconds and live on no matter how
 * many others never will be.
 */
#include "dataplane/fragment_table.h"

#include <rte_malloc.h>
#include <rte_random.h>

#include <netinet/in.h>
#include <stdlib.h>

#define IP6_HEADER 40
#define EXTENSIONS_MAX 16 /* parse() allows fewer */
#define EXPIRE_MAX 8      /* datagrams per burst */
#define TCP_HEADER 20

enum datagram_kind { DATAGRAM_V6 = 1, DATAGRAM_WHOLE = 2 };

static uint16_t
read16(const uint8_t *d)
{
	return (uint16_t)(d[0] << 8 | d[1]);
}

/* ---- a fragment ------------------------------------------------------------------------------- */

static bool
find_header(const struct packet *p, struct fragment *f)
{
	uint32_t at = IP6_HEADER;
	uint16_t next_off = 6;

	for (int depth = 0; depth < EXTENSIONS_MAX && at + 8 <= p->l3_len; depth++) {
		if (p->l3[next_off] == IPPROTO_FRAGMENT) {
			f->header_off = (uint16_t)at;
			f->next_off = next_off;
			return true;
		}
		next_off = (uint16_t)at;
		at += (p->l3[at + 1] + 1u) * 8;
	}
	return false;
}

/* Byte `limit` is the last a datagram may have: what would reach past it is a ping of death. */
static bool
place(const struct packet *p, struct fragment *f, uint16_t offset, uint32_t limit)
{
	uint32_t size = p->l3_len - f->payload_off, end = offset + size;

	if (size == 0 || end > limit || (f->more && size % 8))
		return false;
	f->start = offset;
	f->end = (uint16_t)end;
	/* The TCP header must not be continued where no rule looks (RFC 1858, RFC 3128). */
	return !(p->protocol == IPPROTO_TCP && offset != 0 && offset < TCP_HEADER);
}

bool
fragment_read(const struct packet *p, struct fragment *f)
{
	const uint8_t *h;
	uint16_t word;

	if (!(p->flags & PKT_V6)) {
		word = read16(p->l3 + 6);
		f->id = read16(p->l3 + 4);
		f->more = word & 0x2000;
		f->payload_off = (p->l3[0] & 0xf) * 4;
		return place(p, f, (uint16_t)((word & 0x1fff) * 8), UINT16_MAX - f->payload_off);
	}
	if (!find_header(p, f))
		return false;
	h = p->l3 + f->header_off;
	word = read16(h + 2);
	f->id = (uint32_t)read16(h + 4) << 16 | read16(h + 6);
	f->more = word & 1;
	f->payload_off = f->header_off + 8;
	return place(p, f, word & 0xfff8, UINT16_MAX - (f->header_off - IP6_HEADER));
}

/* ---- the table ---------------------------------------------------------------------------------- */

struct fragment_table *
fragment_table_create(uint32_t packets, uint64_t timeout_tsc)
{
	struct fragment_table *t = calloc(1, sizeof(*t));
	uint32_t buckets = rte_align32pow2(packets ? packets : 1);

	if (!t)
		return NULL;
	t->packets = packets;
	t->timeout_tsc = timeout_tsc;
	t->hash_mask = buckets - 1;
	t->secret = rte_rand() | 1;
	TAILQ_INIT(&t->free);
	TAILQ_INIT(&t->waiting);
	TAILQ_INIT(&t->open);
	STAILQ_INIT(&t->held_free);
	STAILQ_INIT(&t->ready);

	t->datagram = rte_zmalloc("datagrams", packets * sizeof(*t->datagram), RTE_CACHE_LINE_SIZE);
	t->held = rte_zmalloc("fragments", packets * sizeof(*t->held), RTE_CACHE_LINE_SIZE);
	t->bucket = rte_zmalloc("fragment_buckets", buckets * sizeof(*t->bucket), RTE_CACHE_LINE_SIZE);
	if (!t->datagram || !t->held || !t->bucket) {
		fragment_table_free(t);
		return NULL;
	}
	for (uint32_t i = 0; i < packets; i++) {
		STAILQ_INIT(&t->datagram[i].held);
		TAILQ_INSERT_TAIL(&t->free, &t->datagram[i], link);
		STAILQ_INSERT_TAIL(&t->held_free, &t->held[i], link);
	}
	return t;
}

static void
free_held(struct held_list *list)
{
	struct held *h;

	STAILQ_FOREACH(h, list, link)
	rte_pktmbuf_free(h->p.m);
}

void
fragment_table_free(struct fragment_table *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; t->datagram && i < t->packets; i++)
		free_held(&t->datagram[i].held);
	free_held(&t->ready);
	rte_free(t->datagram);
	rte_free(t->held);
	rte_free(t->bucket);
	free(t);
}

static struct datagram_list *
list_of(struct fragment_table *t, const struct datagram *d)
{
	return d->first || d->bad ? &t->open : &t->waiting;
}

static void
drop_held(struct worker *w, struct datagram *d, enum drop_reason reason)
{
	struct held *h;

	while ((h = STAILQ_FIRST(&d->held))) {
		STAILQ_REMOVE_HEAD(&d->held, link);
		drop(w, &h->p, reason);
		STAILQ_INSERT_HEAD(&w->fragments->held_free, h, link);
	}
	d->n_held = 0;
}

void
datagram_close(struct worker *w, struct datagram *d, enum drop_reason reason)
{
	struct fragment_table *t = w->fragments;

	drop_held(w, d, reason);
	TAILQ_REMOVE(list_of(t, d), d, link);
	LIST_REMOVE(d, chain);
	TAILQ_INSERT_HEAD(&t->free, d, link);
}

static void
to_open(struct worker *w, struct datagram *d)
{
	d->deadline = w->now + w->fragments->timeout_tsc;
	TAILQ_INSERT_TAIL(&w->fragments->open, d, link);
}

void
datagram_open(struct worker *w, struct datagram *d)
{
	TAILQ_REMOVE(list_of(w->fragments, d), d, link);
	d->first = true;
	to_open(w, d);
}

/* It overlaps: nobody can say what its receiver would make of it. */
static void
condemn(struct worker *w, struct datagram *d)
{
	TAILQ_REMOVE(list_of(w->fragments, d), d, link);
	d->bad = true;
	drop_held(w, d, DROP_FRAGMENT_MALFORMED);
	to_open(w, d);
}

static void
expire(struct worker *w, struct datagram_list *list)
{
	struct datagram *d;

	for (int i = 0; i < EXPIRE_MAX && (d = TAILQ_FIRST(list)) && d->deadline <= w->now; i++)
		datagram_close(w, d, DROP_FRAGMENT_TIMEOUT);
}

void
fragments_expire(struct worker *w)
{
	expire(w, &w->fragments->waiting);
	expire(w, &w->fragments->open);
}

bool
fragments_due(const struct fragment_table *t, uint64_t now)
{
	const struct datagram *waiting = TAILQ_FIRST(&t->waiting), *open = TAILQ_FIRST(&t->open);

	return !STAILQ_EMPTY(&t->ready) || (waiting && waiting->deadline <= now) || (open && open->deadline <= now);
}

/* ---- a datagram's parts --------------------------------------------------------------------------- */

static void
key_of(const struct packet *p, const struct fragment *f, bool whole, struct datagram_key *k)
{
	memset(k, 0, sizeof(*k));
	if (p->flags & PKT_V6) {
		memcpy(k->source, p->v6.src, 16);
		memcpy(k->destination, p->v6.dst, 16);
	} else {
		k->source[0] = p->v4.src;
		k->destination[0] = p->v4.dst;
		k->protocol = p->protocol;
	}
	k->id = f->id;
	k->iface = p->iface;
	k->kind = (p->flags & PKT_V6 ? DATAGRAM_V6 : 0) | (whole ? DATAGRAM_WHOLE : 0);
}

static struct datagram_chain *
chain(struct fragment_table *t, const struct datagram_key *k)
{
	const uint64_t *word = (const uint64_t *)k;
	uint64_t h = t->secret;

	for (unsigned i = 0; i < sizeof(*k) / sizeof(*word); i++) {
		h = (h ^ word[i]) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	return &t->bucket[h & t->hash_mask];
}

_Static_assert(sizeof(struct datagram_key) == 40, "hashed and compared as it lies in memory");

static struct datagram *
make(struct worker *w, struct datagram_chain *c, const struct datagram_key *key)
{
	struct fragment_table *t = w->fragments;
	struct datagram *d = TAILQ_FIRST(&t->free);

	if (!d) {
		d = TAILQ_FIRST(&t->open) ? TAILQ_FIRST(&t->open) : TAILQ_FIRST(&t->waiting);
		if (!d)
			return NULL;
		datagram_close(w, d, DROP_FRAGMENT_TABLE_FULL);
	}
	TAILQ_REMOVE(&t->free, d, link);
	memset(d, 0, offsetof(struct datagram, range));
	STAILQ_INIT(&d->held);
	d->key = *key;
	d->deadline = w->now + t->timeout_tsc;
	TAILQ_INSERT_TAIL(&t->waiting, d, link);
	LIST_INSERT_HEAD(c, d, chain);
	return d;
}

static struct datagram *
find_or_make(struct worker *w, const struct datagram_key *key)
{
	struct datagram_chain *c = chain(w->fragments, key);
	struct datagram *d;

	LIST_FOREACH(d, c, chain)
	if (memcmp(&d->key, key, sizeof(*key)) == 0)
		return d;
	return make(w, c, key);
}

enum range { RANGE_NEW, RANGE_REPEATED, RANGE_OVERLAPS };

/* What comes in order lies behind all others and is not compared with each. */
static enum range
range_compare(const struct datagram *d, const struct fragment *f)
{
	bool end_moves = d->total && f->more ? f->end >= d->total : d->total && f->end != d->total;

	if (end_moves || (!f->more && d->end > f->end))
		return RANGE_OVERLAPS;
	if (f->start >= d->end)
		return RANGE_NEW;
	for (uint16_t i = 0; i < d->n; i++) {
		if (f->start == d->range[i].start && f->end == d->range[i].end)
			return RANGE_REPEATED;
		if (f->start < d->range[i].end && d->range[i].start < f->end)
			return RANGE_OVERLAPS;
	}
	return RANGE_NEW;
}

static void
range_add(struct datagram *d, const struct fragment *f)
{
	d->range[d->n].start = f->start;
	d->range[d->n++].end = f->end;
	d->received += f->end - f->start;
	if (f->end > d->end)
		d->end = f->end;
	if (!f->more)
		d->total = f->end;
}

struct datagram *
datagram_enter(struct worker *w, struct packet *p, struct fragment *f, bool whole)
{
	enum drop_reason r = DROP_FRAGMENT_MALFORMED;
	struct datagram_key key;
	struct datagram *d;
	enum range range;

	if (!fragment_read(p, f)) {
		drop(w, p, r);
		return NULL;
	}
	key_of(p, f, whole, &key);
	d = find_or_make(w, &key);
	if (!d || d->n == DATAGRAM_FRAGMENTS_MAX) {
		drop(w, p, DROP_FRAGMENT_TABLE_FULL);
		return NULL;
	}
	range = d->bad ? RANGE_REPEATED : range_compare(d, f);
	if (range == RANGE_NEW) {
		range_add(d, f);
		return d;
	}
	if (range == RANGE_OVERLAPS)
		condemn(w, d);
	drop(w, p, r);
	return NULL;
}

/* Room is made at the cost of who has waited longest, unless that is d itself. */
static struct held *
held_take(struct worker *w, const struct datagram *d)
{
	struct fragment_table *t = w->fragments;
	struct datagram *oldest = TAILQ_FIRST(&t->waiting);
	struct held *h;

	if (STAILQ_EMPTY(&t->held_free) && oldest && oldest != d)
		datagram_close(w, oldest, DROP_FRAGMENT_TABLE_FULL);
	h = STAILQ_FIRST(&t->held_free);
	if (h)
		STAILQ_REMOVE_HEAD(&t->held_free, link);
	return h;
}

bool
datagram_hold(struct worker *w, struct datagram *d, const struct packet *p, const struct fragment *f)
{
	struct held *h = d->n_held < DATAGRAM_HELD_MAX ? held_take(w, d) : NULL;
	struct packet gone = *p;

	if (!h) {
		drop(w, &gone, DROP_FRAGMENT_TABLE_FULL);
		return false;
	}
	h->p = *p;
	h->f = *f;
	STAILQ_INSERT_TAIL(&d->held, h, link);
	d->n_held++;
	return true;
}
