/* Flows told to another node, and taken from it. One thread, beside the workers, whose equal it is in the table: it
 * reads entries as anyone does, and owns those it writes. Workers know nothing of it.
 *
 * What was told of a place is remembered beside the table, so a look at all of it finds what is new without any
 * worker's help. What was taken counts as told: two nodes do not tell each other the same for ever.
 */
#include "dataplane/flow_entry.h"
#include "dataplane/state.h"
#include "drivers/clock.h"

#include <stdlib.h>

/* What the other node knows of the flow in this place. */
struct told {
	uint32_t version, meta, seen;
};

/* One family's. */
struct shared_half {
	const struct flow_half *half;
	struct told *told;
	uint32_t places;
};

struct flow_sharing {
	struct dataplane *dp;
	struct shared_half family[2]; /* IPv4, IPv6 */
	uint32_t next[2];             /* family, place */
};

#define VERSION_NONE 1 /* odd: no entry at rest has it */

static bool
half_make(struct shared_half *s, const struct flow_half *h)
{
	s->half = h;
	s->places = h->n_buckets * WAYS;
	s->told = calloc(s->places, sizeof(*s->told));
	return s->told != NULL;
}

struct flow_sharing *
dataplane_sharing_create(struct dataplane *dp)
{
	struct flow_sharing *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->dp = dp;
	if (!half_make(&s->family[0], &dp->flows->v4) || !half_make(&s->family[1], &dp->flows->v6)) {
		dataplane_sharing_free(s);
		return NULL;
	}
	dataplane_sharing_restart(s);
	return s;
}

void
dataplane_sharing_free(struct flow_sharing *s)
{
	if (!s)
		return;
	free(s->family[0].told);
	free(s->family[1].told);
	free(s);
}

void
dataplane_sharing_restart(struct flow_sharing *s)
{
	for (int f = 0; f < 2; f++)
		for (uint32_t i = 0; i < s->family[f].places; i++)
			s->family[f].told[i].version = VERSION_NONE;
	s->next[0] = s->next[1] = 0;
}

/* The workers' clock. */
static uint32_t
now_s(const struct flow_sharing *s)
{
	return (uint32_t)((clock_tsc() - s->dp->start_tsc) / s->dp->tsc_hz);
}

/* ---- telling ---------------------------------------------------------------------------- */

static bool
is_news(const struct told *t, const struct snapshot *s)
{
	uint32_t refresh = flow_timeout(meta_state(s->meta), (uint16_t)(s->meta >> 16)) / 4;

	return t->version != s->version || t->meta != s->meta || (int32_t)(s->seen - t->seen) > (int32_t)refresh;
}

static uint64_t *
tail_of(struct flow_record *r)
{
	return &r->word[r->v6 ? FLOW_WORDS_6 - 1 : FLOW_WORDS_4 - 1];
}

#define END_SHIFT 16
#define END_MASK (0xffffull << END_SHIFT)

static void
record_make(struct flow_record *r, const struct snapshot *s, uint32_t now)
{
	uint16_t end = (uint16_t)(*tail_of(r) >> END_SHIFT);

	*tail_of(r) &= ~END_MASK;
	r->iface = end & (uint16_t)~FLOW_THROUGH;
	r->through = end & FLOW_THROUGH;
	r->state = meta_state(s->meta);
	r->timeout_s = (uint16_t)(s->meta >> 16);
	r->idle_s = idle_s(now, s->seen);
}

/* The next one of a family, from s->next on. */
static bool
next_of(struct flow_sharing *s, struct shared_half *f, struct flow_record *r, uint32_t now)
{
	for (; s->next[1] < f->places; s->next[1]++) {
		uint32_t i = s->next[1];
		struct snapshot seen;

		if (i % WAYS == 0 && tag_ways(&f->half->tags[i / WAYS], 0) == (1u << WAYS) - 1) {
			s->next[1] += WAYS - 1; /* nobody lives there */
			continue;
		}
		*r = (struct flow_record){.v6 = f == &s->family[1]};
		if (!flow_read(f->half, i / WAYS, i % WAYS, &seen, r->word, &r->rule_name) || expired(&seen, now) ||
			!is_news(&f->told[i], &seen))
			continue;
		f->told[i] = (struct told){seen.version, seen.meta, seen.seen};
		record_make(r, &seen, now);
		s->next[1]++;
		return true;
	}
	return false;
}

uint32_t
dataplane_sharing_tell(struct flow_sharing *s, struct flow_record *out, uint32_t max, bool *round)
{
	uint32_t n = 0, now = now_s(s);

	*round = false;
	while (n < max) {
		if (next_of(s, &s->family[s->next[0]], &out[n], now)) {
			n++;
			continue;
		}
		s->next[0] = !s->next[0];
		s->next[1] = 0;
		if (s->next[0] == 0) {
			*round = true;
			break;
		}
	}
	return n;
}

/* ---- taking ----------------------------------------------------------------------------- */

/* From another machine: a key that no packet makes would only take a place. */
static bool
is_possible(const struct flow_record *r)
{
	uint64_t tail = r->word[r->v6 ? FLOW_WORDS_6 - 1 : FLOW_WORDS_4 - 1];

	return (tail & FLOW_KEY_USED) && !(tail & END_MASK) && r->iface < FLOW_THROUGH && r->timeout_s > 0 &&
	       (r->state & FLOW_STATE_MASK) <= FLOW_TCP_CLOSED && r->idle_s <= flow_timeout(r->state, r->timeout_s);
}

/* Whoever has seen more is right: states only go one way, until the flow is over. */
static uint8_t
state_join(uint8_t own, uint8_t other)
{
	const uint8_t both = FLOW_FIN_OPENER | FLOW_FIN_OTHER, opener = FLOW_OPENER_HIGH | FLOW_INBOUND;
	uint8_t joined;

	if ((own & opener) != (other & opener))
		return own;
	joined = (own | other) & (uint8_t)~FLOW_STATE_MASK;
	joined |= (own & FLOW_STATE_MASK) > (other & FLOW_STATE_MASK) ? own & FLOW_STATE_MASK : other & FLOW_STATE_MASK;
	if ((joined & both) == both)
		joined = (joined & (uint8_t)~FLOW_STATE_MASK) | FLOW_TCP_CLOSED;
	return joined;
}

/* Losing the race to a packet is as if that one had come later. */
static void
join(struct entry *e, struct snapshot *s, const struct flow_record *r, uint32_t seen)
{
	uint32_t meta = (s->meta & ~0xffu) | state_join(meta_state(s->meta), r->state), expected = s->meta;

	if (meta != s->meta && atomic_compare_exchange_strong_explicit(
				       &e->meta, &expected, meta, memory_order_acq_rel, memory_order_relaxed))
		s->meta = meta;
	if ((int32_t)(seen - s->seen) > 0) {
		atomic_store_explicit(&e->seen, seen, memory_order_release);
		s->seen = seen;
	}
}

static void
settle(const struct flow_half *h, struct entry *e, const struct flow_key *k, const struct flow_record *r, uint32_t seen,
	struct snapshot *s)
{
	uint32_t version = s->version;

	s->version += 2;
	s->meta = meta_make(r->timeout_s, s->version, r->state);
	s->seen = seen;
	entry_write(e, version, h, k, s->meta, seen, r->rule_name);
}

/* Not over, or over and nothing came since: what was told is older than its end. */
static bool
is_same(const struct snapshot *own, uint32_t now, uint32_t seen)
{
	return !expired(own, now) &&
	       ((meta_state(own->meta) & FLOW_STATE_MASK) != FLOW_TCP_CLOSED || (int32_t)(seen - own->seen) <= 0);
}

bool
dataplane_sharing_take(struct flow_sharing *s, const struct flow_record *r)
{
	struct shared_half *f = &s->family[r->v6];
	struct flow_key k = {.v6 = r->v6};
	uint32_t now = now_s(s), seen = now - r->idle_s, place;
	struct snapshot was;
	struct place at;
	struct entry *e;

	if (!is_possible(r))
		return false;
	memcpy(k.word, r->word, sizeof(k.word));
	k.word[r->v6 ? FLOW_WORDS_6 - 1 : FLOW_WORDS_4 - 1] |= (uint64_t)(r->iface | (r->through ? FLOW_THROUGH : 0))
							       << END_SHIFT;
	e = flow_find(s->dp->flows, &k, &at, &was);
	if (e && is_same(&was, now, seen)) {
		join(e, &was, r, seen);
	} else {
		if (!e || !own(e, was.version))
			e = flow_room(f->half, &at, now, &was.version);
		if (!e)
			return false;
		settle(f->half, e, &k, r, seen, &was);
		flow_drop_twins(f->half, &at, &k);
	}
	place = (uint32_t)(((const uint8_t *)e - f->half->entries) / f->half->entry_size);
	/* where we know more than it does, that is news */
	f->told[place] = (struct told){was.version, (was.meta & ~0xffu) | r->state, seen};
	return true;
}
