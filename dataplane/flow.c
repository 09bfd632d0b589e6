/* The flow table: lookup, insertion, listing. Its entries and their rules of access: flow_entry.h.
 *
 * A flow has two buckets it may live in; the second is used when the first is crowded. A lookup reads the
 * bucket's tags, then the one entry whose tag is right. IPv4 entries are 32 bytes, IPv6 ones 64, in tables of
 * their own.
 */
#include "dataplane/flow.h"

#include "dataplane/flow_entry.h"

#include <rte_malloc.h>
#include <rte_prefetch.h>

#include <netinet/in.h>
#include <sys/random.h>

#define READ_TRIES 4

/* ---- making and freeing ---- */

static bool
half_create(struct flow_half *h, uint32_t capacity, uint32_t entry_size, uint32_t words)
{
	uint64_t wanted = capacity + (uint64_t)capacity / 4;

	h->entry_size = entry_size;
	h->words = words;
	h->n_buckets = (uint32_t)((wanted + WAYS - 1) / WAYS);
	if (h->n_buckets < 2)
		h->n_buckets = 2;
	h->tags = rte_zmalloc("flow tags", (size_t)h->n_buckets * sizeof(*h->tags), RTE_CACHE_LINE_SIZE);
	h->swept = rte_zmalloc("flow sweeps", h->n_buckets * sizeof(*h->swept), RTE_CACHE_LINE_SIZE);
	h->entries = rte_zmalloc("flows", (size_t)h->n_buckets * WAYS * entry_size, RTE_CACHE_LINE_SIZE);
	return h->tags != NULL && h->swept != NULL && h->entries != NULL;
}

static void
half_clear(struct flow_half *h)
{
	rte_free(h->tags);
	rte_free(h->swept);
	rte_free(h->entries);
}

struct flow_table *
flow_table_create(uint32_t capacity)
{
	struct flow_table *t = rte_zmalloc("flow table", sizeof(*t), RTE_CACHE_LINE_SIZE);

	if (t == NULL)
		return NULL;
	if (!half_create(&t->v4, capacity, ENTRY4_SIZE, FLOW_WORDS_4) ||
		!half_create(&t->v6, capacity, ENTRY6_SIZE, FLOW_WORDS_6) ||
		getrandom(t->secret, sizeof(t->secret), 0) != sizeof(t->secret)) {
		flow_table_free(t);
		return NULL;
	}
	return t;
}

void
flow_table_free(struct flow_table *t)
{
	if (t == NULL)
		return;
	half_clear(&t->v4);
	half_clear(&t->v6);
	rte_free(t);
}

/* ---- places ---- */

static inline uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t
key_hash(const struct flow_table *t, const struct flow_key *k)
{
	const uint64_t *w = k->word, *s = t->secret;
	uint64_t h = fold(w[0] ^ s[0], w[1] ^ s[1]);

	if (k->v6) {
		h ^= fold(w[2] ^ s[2], w[3] ^ s[3]);
		h = fold(h ^ s[5], w[4] ^ s[4]);
	}
	return fold(h ^ s[2], 0x9e3779b97f4a7c15);
}

static inline struct flow_half *
half_of(struct flow_table *t, bool v6)
{
	return v6 ? &t->v6 : &t->v4;
}

static inline uint32_t
first_bucket(const struct flow_half *h, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * h->n_buckets >> 32);
}

static inline uint16_t
tag_of(uint64_t hash)
{
	return (uint16_t)hash | 1;
}

static inline struct place
place_of(const struct flow_half *h, uint64_t hash)
{
	struct place p = {.bucket[0] = first_bucket(h, hash), .tag = tag_of(hash)};

	p.bucket[1] = (uint32_t)((uint64_t)(uint32_t)(hash * 0xd6e8feb86659fd93 >> 32) * (h->n_buckets - 1) >> 32);
	p.bucket[1] += p.bucket[1] >= p.bucket[0];
	return p;
}

/* ---- lookup ---- */

void
flow_prepare(const struct worker *w, struct flow_probe *probe, struct packet *const *pkt, const uint16_t *end,
	uint16_t n, bool inbound)
{
	for (uint16_t i = 0; i < n; i++) {
		struct flow_probe *q = &probe[i];
		const struct flow_half *h;

		flow_key_build(&q->key, pkt[i], end[i], inbound);
		h = half_of(w->flows, q->key.v6);
		q->hash = key_hash(w->flows, &q->key);
		q->bucket = first_bucket(h, q->hash);
		rte_prefetch0(&h->tags[q->bucket]);
	}
}

/* It is in the second bucket, or nowhere: then the first free place will be its own. */
static void
expect_elsewhere(const struct flow_half *h, const struct flow_probe *q)
{
	uint32_t free = tag_ways(&h->tags[q->bucket], 0);

	rte_prefetch0(&h->tags[place_of(h, q->hash).bucket[1]]);
	if (free != 0)
		rte_prefetch0(entry_at(h, q->bucket, (uint32_t)__builtin_ctz(free)));
}

/* The entry that most likely is the flow's; NULL: it is in the second bucket if anywhere. */
static inline struct entry *
likely_entry(struct flow_table *t, const struct flow_probe *q)
{
	const struct flow_half *h = half_of(t, q->key.v6);
	uint32_t ways = tag_ways(&h->tags[q->bucket], tag_of(q->hash));
	struct entry *e;

	if (unlikely(ways == 0)) {
		expect_elsewhere(h, q);
		return NULL;
	}
	e = entry_at(h, q->bucket, (uint32_t)__builtin_ctz(ways));
	rte_prefetch0(e);
	return e;
}

/* Sizes are constants here, so that the compiler sees them. */
static inline bool
likely_read(const struct entry *e, const struct flow_key *k, struct snapshot *s)
{
	return k->v6 ? entry_read(e, k->word, FLOW_WORDS_6, s) : entry_read(e, k->word, FLOW_WORDS_4, s);
}

/* All places. */
static struct entry *
find(const struct flow_half *h, const struct place *at, const uint64_t *word, struct snapshot *s)
{
	for (int i = 0; i < 2; i++) {
		uint32_t bucket = at->bucket[i];

		for (uint32_t ways = tag_ways(&h->tags[bucket], at->tag); ways != 0; ways &= ways - 1) {
			struct entry *e = entry_at(h, bucket, (uint32_t)__builtin_ctz(ways));

			if (entry_read(e, word, h->words, s))
				return e;
		}
	}
	return NULL;
}

struct entry *
flow_find(struct flow_table *t, const struct flow_key *k, struct place *at, struct snapshot *s)
{
	const struct flow_half *h = half_of(t, k->v6);

	*at = place_of(h, key_hash(t, k));
	return find(h, at, k->word, s);
}

static struct entry *
find_elsewhere(struct flow_table *t, const struct flow_probe *q, struct snapshot *s)
{
	const struct flow_half *h = half_of(t, q->key.v6);
	struct place at = place_of(h, q->hash);

	return find(h, &at, q->key.word, s);
}

/* Note the packet in a live flow. Losing the race for the state to another packet is as if that one had
 * come later. */
static inline void
touch(struct entry *e, const struct snapshot *s, const struct flow_key *k, const struct packet *p, uint32_t now_s)
{
	uint8_t state = meta_state(s->meta), next = state;
	uint32_t expected = s->meta;

	if (p->protocol == IPPROTO_TCP && !(p->flags & PKT_LATER_FRAGMENT))
		next = flow_tcp_next(state, p->tcp_flags, k->source_low == !(state & FLOW_OPENER_HIGH));
	if (unlikely(next != state))
		atomic_compare_exchange_strong_explicit(
			&e->meta, &expected, (s->meta & ~0xffu) | next, memory_order_acq_rel, memory_order_relaxed);
	if (s->seen != now_s && (state & FLOW_STATE_MASK) != FLOW_TCP_CLOSED)
		atomic_store_explicit(&e->seen, now_s, memory_order_release);
}

/* A live flow that this packet belongs to. */
static inline bool
usable(const struct snapshot *s, const struct flow_key *k, const struct packet *p, uint32_t now_s)
{
	if (unlikely(expired(s, now_s)))
		return false;
	if ((meta_state(s->meta) & FLOW_STATE_MASK) != FLOW_TCP_CLOSED || k->related)
		return true;
	return !flow_tcp_pure_syn(p->tcp_flags) || (p->flags & PKT_LATER_FRAGMENT);
}

static inline uint8_t
result(struct worker *w, const struct flow_probe *q, struct entry *e, const struct packet *p)
{
	struct snapshot s;

	if (p->protocol == IPPROTO_TCP && !(p->flags & PKT_LATER_FRAGMENT) &&
		unlikely(flow_tcp_impossible(p->tcp_flags)))
		return FLOW_BAD_STATE;
	if (unlikely(e == NULL || !likely_read(e, &q->key, &s)))
		e = find_elsewhere(w->flows, q, &s);
	if (e == NULL || !usable(&s, &q->key, p, w->now_s))
		return FLOW_MISS;
	if (likely(!q->key.related))
		touch(e, &s, &q->key, p, w->now_s);
	return FLOW_HIT;
}

uint16_t
flow_lookup(struct worker *w, const struct flow_probe *probe, struct packet *const *pkt, uint16_t n, uint8_t *results)
{
	struct entry *e[BURST_MAX];
	uint16_t hits = 0;

	for (uint16_t i = 0; i < n; i++)
		e[i] = likely_entry(w->flows, &probe[i]);
	for (uint16_t i = 0; i < n; i++) {
		results[i] = result(w, &probe[i], e[i], pkt[i]);
		hits += results[i] == FLOW_HIT;
	}
	return hits;
}

/* ---- insertion ---- */

static bool
opens_flow(const struct flow_key *k, const struct packet *p)
{
	if (k->related || (p->flags & PKT_LATER_FRAGMENT) || icmp_is_error(p))
		return false;
	return p->protocol != IPPROTO_TCP || flow_tcp_opens(p->tcp_flags);
}

static uint8_t
first_state(const struct flow_key *k, const struct packet *p, bool inbound)
{
	uint8_t state = p->protocol == IPPROTO_TCP ? flow_tcp_first(p->tcp_flags) : FLOW_NOT_TCP;

	return state | (k->source_low ? 0 : FLOW_OPENER_HIGH) | (inbound ? FLOW_INBOUND : 0);
}

/* A flow on its way in. */
struct newcomer {
	const struct flow_half *half;
	const struct flow_key *key;
	struct place at;
	uint32_t now_s, rule_name;
	uint16_t timeout_s;
	uint8_t state;
};

/* Into an entry that we own; `version` is the one before. */
static void
settle(const struct newcomer *n, struct entry *e, uint32_t version)
{
	uint32_t meta = meta_make(n->timeout_s, version + 2, n->state);

	entry_write(e, version, n->half, n->key, meta, n->now_s, n->rule_name);
	flow_drop_twins(n->half, &n->at, n->key);
}

/* The flow is there already: an earlier packet of this burst or another worker made it, or it is over and
 * begins anew in its old place. Returns false when the place changed hands meanwhile. */
static bool
reuse(const struct newcomer *n, const struct packet *p, struct entry *e, const struct snapshot *s)
{
	if (usable(s, n->key, p, n->now_s)) {
		touch(e, s, n->key, p, n->now_s);
		return true;
	}
	if (!own(e, s->version))
		return false;
	settle(n, e, s->version);
	return true;
}

bool
flow_insert(struct worker *w, const struct flow_probe *q, const struct packet *p, bool inbound, uint16_t timeout_s,
	uint32_t rule_name)
{
	const struct flow_half *h = half_of(w->flows, q->key.v6);
	struct newcomer n = {
		.half = h,
		.key = &q->key,
		.at = place_of(h, q->hash),
		.now_s = w->now_s,
		.rule_name = rule_name,
		.timeout_s = timeout_s ? timeout_s : FLOW_TIMEOUT_DEFAULT_S,
		.state = first_state(&q->key, p, inbound),
	};
	uint32_t version;
	struct snapshot s;
	struct entry *e;

	if (!opens_flow(&q->key, p))
		return true;
	e = find(h, &n.at, q->key.word, &s);
	if (e != NULL && reuse(&n, p, e, &s))
		return true;

	e = flow_room(h, &n.at, w->now_s, &version);
	if (e == NULL)
		return false;
	settle(&n, e, version);
	return true;
}

/* ---- listing ---- */

struct walk {
	uint32_t now_s, max, live;
	void (*each)(void *, const struct flow_info *);
	void *context;
};

bool
flow_read(const struct flow_half *h, uint32_t bucket, uint32_t way, struct snapshot *s, uint64_t *word, uint32_t *rule)
{
	const struct entry *e = entry_at(h, bucket, way);

	for (int i = 0; i < READ_TRIES; i++) {
		if (atomic_load_explicit(&h->tags[bucket].way[way], memory_order_acquire) == 0)
			return false;
		s->version = atomic_load_explicit(&e->version, memory_order_acquire);
		for (uint32_t k = 0; k < h->words; k++)
			word[k] = atomic_load_explicit(&e->key[k], memory_order_acquire);
		*rule = atomic_load_explicit(&e->rule_name, memory_order_acquire);
		s->meta = atomic_load_explicit(&e->meta, memory_order_acquire);
		s->seen = atomic_load_explicit(&e->seen, memory_order_acquire);
		if (!(s->version & 1) && atomic_load_explicit(&e->version, memory_order_relaxed) == s->version)
			return true;
	}
	return false;
}

static void
tell(struct walk *walk, const struct snapshot *s, const uint64_t *word, bool v6, uint32_t rule)
{
	uint8_t state = meta_state(s->meta);
	struct flow_info info = {
		.inbound = state & FLOW_INBOUND,
		.tcp = (enum flow_tcp_state)(state & FLOW_STATE_MASK),
		.idle_s = idle_s(walk->now_s, s->seen),
		.timeout_s = flow_timeout(state, (uint16_t)(s->meta >> 16)),
		.rule_name = rule,
	};

	flow_key_explain(word, v6, !(state & FLOW_OPENER_HIGH), &info);
	walk->each(walk->context, &info);
}

static void
walk_half(struct walk *walk, const struct flow_half *h, bool v6)
{
	uint64_t word[FLOW_WORDS_MAX];
	struct snapshot s;
	uint32_t rule;

	for (uint32_t i = 0; i < h->n_buckets * WAYS; i++) {
		if (!flow_read(h, i / WAYS, i % WAYS, &s, word, &rule) || expired(&s, walk->now_s))
			continue;
		if (walk->live++ < walk->max)
			tell(walk, &s, word, v6, rule);
	}
}

uint32_t
flow_table_walk(const struct flow_table *t, uint32_t now_s, uint32_t max,
	void (*each)(void *, const struct flow_info *), void *context)
{
	struct walk walk = {.now_s = now_s, .max = max, .each = each, .context = context};

	walk_half(&walk, &t->v4, false);
	walk_half(&walk, &t->v6, true);
	return walk.live;
}
