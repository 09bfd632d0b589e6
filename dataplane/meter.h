/* A rate that all workers share: the generic cell rate algorithm (ITU-T I.371 annex A), counting bytes.
 *
 * Its state is one word: the time at which all that has passed would have left at the rate. A packet may pass while
 * that lies no further ahead than the burst. rte_meter keeps several words that one thread may change; this one is
 * changed by any number of workers, one exchange a packet. A rate may change at any time: the state is time and stays
 * right.
 */
#pragma once

#include <rte_common.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What may come at once is what the rate carries in this part of a second. */
#define METER_BURST_PER_SECOND 100
#define METER_FRACTION 16

struct meter {
	_Atomic uint64_t busy_until; /* TSC; 0: idle since ever */
};

/* The two directions of a gateway. */
struct gateway_meter {
	struct meter in, out;
} __rte_cache_aligned;

/* TSC cycles that a byte takes at a rate, with METER_FRACTION bits of fraction; never 0, which means no limit. For
 * 1..100,000 Mb/s. */
static inline uint32_t
meter_cost(uint32_t mbps, uint64_t tsc_hz)
{
	uint64_t cost = (tsc_hz << METER_FRACTION) / ((uint64_t)mbps * 125000);

	return cost ? (uint32_t)cost : 1;
}

/* Any worker. now: TSC of its turn, which may be behind that of others. False: over the rate, and not counted. */
static inline bool
meter_take(struct meter *m, uint32_t cost, uint64_t burst, uint64_t now, uint32_t bytes)
{
	uint64_t busy = atomic_load_explicit(&m->busy_until, memory_order_relaxed), next;

	do {
		next = RTE_MAX(busy, now) + ((uint64_t)bytes * cost >> METER_FRACTION);
		if (next > now + burst)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&m->busy_until, &busy, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}
