/* The flow table from inside: buckets of sixteen places, found by sixteen tags in half a cache line.
 *
 * Who writes: any worker. An entry's version is odd while a worker owns it, and grows by two each time it
 * is written; whoever wants to write takes it from even to odd by compare-and-swap. Readers read the version,
 * the entry, the version again, and take anything strange for a miss; nobody ever waits. Time and TCP state of a
 * live flow are atomics of their own, written without owning the entry: a serial number beside the state keeps a
 * late worker from changing the state of the flow that took the place over.
 *
 * Tricky: fields are read with acquire and written with release order. That is what makes the second look at the
 * version meaningful without fences (which thread checkers do not understand), and costs nothing on x86.
 *
 * Included by flow*.c alone.
 */
#pragma once

#include "dataplane/flow.h"
#include "dataplane/flow_tcp.h"

#include <rte_vect.h>

#include <stdatomic.h>

#define WAYS 16
#define TAG_WORDS (WAYS * sizeof(uint16_t) / sizeof(uint64_t))

struct bucket_tags {
	union {
		_Atomic uint16_t way[WAYS]; /* 0: free */
		_Atomic uint64_t word[TAG_WORDS];
	};
};

struct entry {
	_Atomic uint32_t version; /* odd: a worker owns it */
	_Atomic uint32_t seen;    /* seconds, of the last packet */
	_Atomic uint32_t meta;    /* timeout, serial number, state */
	_Atomic uint32_t rule_name;
	_Atomic uint64_t key[];
};

#define ENTRY4_SIZE 32
#define ENTRY6_SIZE 64

_Static_assert(TAG_WORDS == 4, "tag_ways compares two pairs of words");
_Static_assert(sizeof(struct bucket_tags) == 32, "two buckets' tags in a cache line");
_Static_assert(sizeof(struct entry) + FLOW_WORDS_4 * 8 == ENTRY4_SIZE, "two entries in a cache line");
_Static_assert(sizeof(struct entry) + FLOW_WORDS_6 * 8 <= ENTRY6_SIZE, "one cache line");

/* One family's flows. */
struct flow_half {
	struct bucket_tags *tags;
	_Atomic uint32_t *swept; /* by bucket: the last second in which it was */
	uint8_t *entries;
	uint32_t entry_size, words, n_buckets;
};

struct flow_table {
	struct flow_half v4, v6;
	uint64_t secret[FLOW_WORDS_MAX + 1]; /* nobody outside can aim flows at one bucket */
};

/* Where a key may live. */
struct place {
	uint32_t bucket[2];
	uint16_t tag;
};

/* An entry as it was at one moment. */
struct snapshot {
	uint32_t version, seen, meta;
};

static inline struct entry *
entry_at(const struct flow_half *h, uint32_t bucket, uint32_t way)
{
	return (struct entry *)(h->entries + ((size_t)bucket * WAYS + way) * h->entry_size);
}

/* The ways that have this tag (seldom another flow has it, too: the key decides), a bit for each; 0: the free ones. */
static inline uint32_t
tag_ways(const struct bucket_tags *b, uint16_t tag)
{
	typedef int16_t lanes __attribute__((vector_size(16)));
	typedef uint64_t words __attribute__((vector_size(16)));
	lanes wanted = (lanes){0} + (int16_t)tag, equal[2];

	for (int i = 0; i < 2; i++) {
		words w = {atomic_load_explicit(&b->word[2 * i], memory_order_acquire),
			atomic_load_explicit(&b->word[2 * i + 1], memory_order_acquire)};

		equal[i] = (lanes)w == wanted;
	}
	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16((__m128i)equal[0], (__m128i)equal[1]));
}

/* ---- reading an entry ---- */

static inline bool
key_equal(const struct entry *e, const uint64_t *word, uint32_t words)
{
	uint64_t differs = 0;

	for (uint32_t i = 0; i < words; i++)
		differs |= atomic_load_explicit(&e->key[i], memory_order_acquire) ^ word[i];
	return differs == 0;
}

/* True: at one moment the entry held this key, and s is what else it held then. */
static inline bool
entry_read(const struct entry *e, const uint64_t *word, uint32_t words, struct snapshot *s)
{
	s->version = atomic_load_explicit(&e->version, memory_order_acquire);
	if (unlikely(s->version & 1) || !key_equal(e, word, words))
		return false;
	s->meta = atomic_load_explicit(&e->meta, memory_order_acquire);
	s->seen = atomic_load_explicit(&e->seen, memory_order_acquire);
	return atomic_load_explicit(&e->version, memory_order_relaxed) == s->version;
}

/* meta: the timeout above, then a serial number that changes with each owner, then the state. */
static inline uint32_t
meta_make(uint16_t timeout_s, uint32_t version, uint8_t state)
{
	return (uint32_t)timeout_s << 16 | (version >> 1 & 0xff) << 8 | state;
}

static inline uint8_t
meta_state(uint32_t meta)
{
	return (uint8_t)meta;
}

/* Workers' clocks may differ by a second: a flow seen in the future is fresh. */
static inline uint32_t
idle_s(uint32_t now_s, uint32_t seen)
{
	int32_t idle = (int32_t)(now_s - seen);

	return idle > 0 ? (uint32_t)idle : 0;
}

static inline bool
expired(const struct snapshot *s, uint32_t now_s)
{
	return idle_s(now_s, s->seen) > flow_timeout(meta_state(s->meta), (uint16_t)(s->meta >> 16));
}

/* ---- owning an entry ---- */

/* Succeeds only when nobody wrote the entry since `version` was read. */
static inline bool
own(struct entry *e, uint32_t version)
{
	return !(version & 1) && atomic_compare_exchange_strong_explicit(&e->version, &version, version + 1,
					 memory_order_acq_rel, memory_order_relaxed);
}

/* A full barrier: what was written, tag included, is visible before the writer looks around (flow_room.c). */
static inline void
disown(struct entry *e, uint32_t version)
{
	atomic_store_explicit(&e->version, version + 2, memory_order_seq_cst);
}

/* Read all but the key. False: somebody is writing. */
static inline bool
entry_glance(const struct entry *e, struct snapshot *s)
{
	s->version = atomic_load_explicit(&e->version, memory_order_acquire);
	s->meta = atomic_load_explicit(&e->meta, memory_order_acquire);
	s->seen = atomic_load_explicit(&e->seen, memory_order_acquire);
	return !(s->version & 1) && atomic_load_explicit(&e->version, memory_order_relaxed) == s->version;
}

static inline void
entry_write(struct entry *e, uint32_t version, const struct flow_half *h, const struct flow_key *k, uint32_t meta,
	uint32_t now_s, uint32_t rule_name)
{
	for (uint32_t i = 0; i < h->words; i++)
		atomic_store_explicit(&e->key[i], k->word[i], memory_order_release);
	atomic_store_explicit(&e->meta, meta, memory_order_release);
	atomic_store_explicit(&e->seen, now_s, memory_order_release);
	atomic_store_explicit(&e->rule_name, rule_name, memory_order_release);
	disown(e, version);
}

/* ---- flow.c: any thread ---- */

/* A live or idle entry with this key, *s what it was; NULL: there is none. `at` is where it may live. */
struct entry *flow_find(struct flow_table *t, const struct flow_key *k, struct place *at, struct snapshot *s);
/* All of the entry at one moment, key and all. False: it is free, or never still. */
bool flow_read(const struct flow_half *h, uint32_t bucket, uint32_t way, struct snapshot *s, uint64_t *word,
	uint32_t *rule_name);

/* ---- flow_room.c: any thread ---- */

/* Own a free place for this key, its tag set; making room by the policy of flow.h. NULL: full of live flows. */
struct entry *flow_room(const struct flow_half *h, const struct place *at, uint32_t now_s, uint32_t *version);
/* After an entry was written: of two entries with one key, the one in the later place goes. */
void flow_drop_twins(const struct flow_half *h, const struct place *at, const struct flow_key *k);
