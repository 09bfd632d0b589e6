/* One burst's packets by SA: shared counters are touched once a burst and SA, not once a packet.
 *
 * Worker; lives on its stack for the length of a stage.
 */
#pragma once

#include "dataplane/sa.h"
#include "dataplane/worker.h"

#include <string.h>

#define SA_BURST_PLACES (2 * BURST_MAX) /* so a free one is always found */

struct sa_group {
	const struct sa *sa;
	uint32_t packets;
	uint32_t bytes; /* of inner packets */
};

typedef uint8_t sa_burst_lane __attribute__((vector_size(16)));

struct sa_burst {
	uint32_t n;
	uint8_t last; /* group of the last packet */
	union {
		uint8_t place[SA_BURST_PLACES]; /* hashed by SA: its group + 1, 0 = free */
		sa_burst_lane lane[SA_BURST_PLACES / sizeof(sa_burst_lane)];
	};
	struct sa_group group[BURST_MAX];
};

/* What the hard lifetime leaves. */
struct sa_lifetime {
	uint64_t packets, bytes;
};

static inline void
sa_burst_init(struct sa_burst *b)
{
	b->n = 0;
	b->last = 0;
	b->group[0].sa = NULL;
	for (uint32_t i = 0; i < SA_BURST_PLACES / sizeof(sa_burst_lane);
		i++) /* memset makes a string operation of it */
		b->lane[i] = (sa_burst_lane){0};
}

/* A new group, or the one that the SA has. */
static inline uint8_t
sa_burst_group(struct sa_burst *b, const struct sa *sa)
{
	uint32_t at = (uint32_t)((uintptr_t)sa >> 6) * 0x9e3779b1u >> 25;

	while (b->place[at] && b->group[b->place[at] - 1].sa != sa)
		at = (at + 1) % SA_BURST_PLACES;
	if (b->place[at] == 0) {
		b->group[b->n] = (struct sa_group){.sa = sa};
		b->place[at] = (uint8_t)++b->n;
	}
	return b->place[at] - 1;
}

/* Returns the index of the SA's group. */
static inline uint8_t
sa_burst_add(struct sa_burst *b, const struct sa *sa, uint32_t bytes)
{
	struct sa_group *g;

	if (b->group[b->last].sa != sa)
		b->last = sa_burst_group(b, sa);
	g = &b->group[b->last];
	g->packets++;
	g->bytes += bytes;
	return b->last;
}

/* A packet of the group was dropped: it does not count. */
static inline void
sa_burst_drop(struct sa_group *g, uint32_t bytes)
{
	g->packets--;
	g->bytes -= bytes;
	atomic_fetch_add_explicit(&g->sa->state->drops, 1, memory_order_relaxed);
}

/* Add what is left of the burst to the SAs' counters. */
void sa_burst_count(struct worker *w, const struct sa_burst *b);

/* Other workers may use up the same rest at the same time: the limit is exact for one worker, and exceeded by less
 * than a burst for each other one. */
static inline void
sa_lifetime_left(const struct sa *sa, struct sa_lifetime *left)
{
	uint64_t packets, bytes;

	left->packets = left->bytes = UINT64_MAX;
	if (likely(!sa->limited))
		return;
	packets = atomic_load_explicit(&sa->state->packets, memory_order_relaxed);
	bytes = atomic_load_explicit(&sa->state->bytes, memory_order_relaxed);
	left->packets = packets < sa->life_packets_hard ? sa->life_packets_hard - packets : 0;
	left->bytes = bytes < sa->life_bytes_hard ? sa->life_bytes_hard - bytes : 0;
}

/* False: this packet would exceed the limit. */
static inline bool
sa_lifetime_take(struct sa_lifetime *left, uint32_t bytes)
{
	if (unlikely(left->packets == 0 || left->bytes < bytes))
		return false;
	left->packets--;
	left->bytes -= bytes;
	return true;
}

/* ---- events, each told once ---------------------------------------------------------- */

void sa_tell(struct worker *w, const struct sa *sa, enum sa_event_kind kind);
void sa_tell_reserve(struct worker *w, const struct sa *sa, uint64_t reserved);
/* The peer's NAT moved: it was heard from another address or UDP port. */
void sa_tell_remote(struct worker *w, const struct sa *sa, const struct ip_addr *address, uint16_t port);
