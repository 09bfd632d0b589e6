/* Counting a burst's packets to its SAs, and telling control what it must know. Worker. */
#include "dataplane/sa_burst.h"

/* Worker. A full ring forgets the event: whoever comes next tells it again. */
static bool
tell(struct worker *w, const struct sa *sa, enum sa_event_kind kind, const struct ip_addr *address, uint16_t port)
{
	struct event e = {.type = EVENT_SA,
		.class = (uint8_t)kind,
		.name = sa->name,
		.spi = sa->spi,
		.out = sa->outbound,
		.remote_port = port};

	if (address)
		e.address = *address;
	return worker_event(w, &e);
}

/* Worker. */
void
sa_tell(struct worker *w, const struct sa *sa, enum sa_event_kind kind)
{
	_Atomic uint32_t *told = &sa->state->told;
	uint32_t happened = SA_HAPPENED(kind), announced = SA_ANNOUNCED(kind);
	uint32_t before = atomic_load_explicit(told, memory_order_relaxed);

	if (before & announced)
		return;
	before = atomic_fetch_or_explicit(told, happened | announced, memory_order_relaxed);
	if (!(before & announced) && !tell(w, sa, kind, NULL, 0))
		atomic_fetch_and_explicit(told, ~announced, memory_order_relaxed);
}

/* Worker. */
void
sa_tell_reserve(struct worker *w, const struct sa *sa, uint64_t reserved)
{
	_Atomic uint64_t *told = &sa->state->low_told;

	if (atomic_load_explicit(told, memory_order_relaxed) == reserved)
		return;
	if (atomic_exchange_explicit(told, reserved, memory_order_relaxed) == reserved)
		return;
	if (!tell(w, sa, SA_EVENT_RESERVE_LOW, NULL, 0))
		atomic_store_explicit(told, 0, memory_order_relaxed);
}

/* Address and port in one word; which of two that hash alike was told last does not matter much. The same is told again
 * a minute later: IKE may not have heard it, or the peer may have come back. */
static uint64_t
remote_word(const struct ip_addr *a, uint16_t port, uint32_t now_s)
{
	uint64_t part[2], h;

	memcpy(part, a->b, 16);
	h = (part[0] ^ (part[1] + now_s / 64) * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;
	return (h & ~0xffffull) | port;
}

/* Worker. */
void
sa_tell_remote(struct worker *w, const struct sa *sa, const struct ip_addr *address, uint16_t port)
{
	_Atomic uint64_t *told = &sa->state->remote_told;
	uint64_t word = remote_word(address, port, w->now_s);

	if (atomic_load_explicit(told, memory_order_relaxed) == word)
		return;
	if (atomic_exchange_explicit(told, word, memory_order_relaxed) == word)
		return;
	if (!tell(w, sa, SA_EVENT_REMOTE_PORT, address, port))
		atomic_store_explicit(told, 0, memory_order_relaxed);
}

/* Worker. */
static void
lifetime_events(struct worker *w, const struct sa *sa, uint64_t packets, uint64_t bytes)
{
	if (packets >= sa->life_packets_soft || bytes >= sa->life_bytes_soft)
		sa_tell(w, sa, SA_EVENT_SOFT);
	if (packets >= sa->life_packets_hard || bytes >= sa->life_bytes_hard)
		sa_tell(w, sa, SA_EVENT_HARD);
}

/* Add n; returns the sum. Where no other worker counts, without a locked operation: it would wait for all that was read
 * before, and a burst of many SAs has two for each. */
static inline uint64_t
counter_add(const struct worker *w, _Atomic uint64_t *counter, uint64_t n)
{
	uint64_t sum;

	if (w->n_workers > 1)
		return atomic_fetch_add_explicit(counter, n, memory_order_relaxed) + n;
	sum = atomic_load_explicit(counter, memory_order_relaxed) + n;
	atomic_store_explicit(counter, sum, memory_order_relaxed);
	return sum;
}

/* Worker. */
void
sa_burst_count(struct worker *w, const struct sa_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sa_group *g = &b->group[i];
		struct sa_state *s = g->sa->state;
		uint64_t packets, bytes;

		if (unlikely(g->packets == 0))
			continue;
		packets = counter_add(w, &s->packets, g->packets);
		bytes = counter_add(w, &s->bytes, g->bytes);
		atomic_store_explicit(&s->used_tsc, w->now, memory_order_relaxed);
		if (unlikely(g->sa->limited))
			lifetime_events(w, g->sa, packets, bytes);
	}
}
