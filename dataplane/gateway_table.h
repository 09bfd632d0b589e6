/* A gateway's routes, stored once and shared by every subnet that uses the gateway.
 *
 * Few prefixes are intervals (intervals.h); many are a DIR-24-8 table (dir24.h, 64 MB) or an rte_fib6 (trie).
 * Which one is decided per family when the table is built. A lookup answers a strength, see route_strength().
 */
#pragma once

#include "dataplane/dir24.h"
#include "dataplane/route.h"

#include <rte_fib6.h>

/* At and above this many prefixes of a family the table is no longer intervals. */
#define GATEWAY_LARGE_MIN 4096

struct gateway_table {
	uint32_t references;
	struct dir24 dir4;     /* no words: intervals4 */
	struct rte_fib6 *fib6; /* NULL: intervals6 */
	struct intervals4 intervals4;
	struct intervals6 intervals6;
	struct prefix_list content; /* value = hop */
	uint64_t hash;              /* of the spec */
};

/* How strongly a route claims a destination, above its hop id: the greater of two values is the
 * route to take, so combining two tables is one comparison. 0 = no route, hop HOP_NONE.
 * Length decides first; at equal length a user route beats the gateway's and a system route loses to it;
 * ROUTE_STRONG beats any gateway route. */
#define STRENGTH_STRONG 0x1000
#define STRENGTH_SHIFT 32

static inline uint64_t
gateway_strength(uint32_t length, uint32_t hop)
{
	return (uint64_t)(2 * length + 2) << STRENGTH_SHIFT | hop;
}

static inline uint64_t
route_strength(uint32_t length, uint8_t rank, uint32_t hop)
{
	uint64_t strength = 2 * length + (rank == ROUTE_SYSTEM ? 1 : 3);

	return (strength + (rank == ROUTE_STRONG ? STRENGTH_STRONG : 0)) << STRENGTH_SHIFT | hop;
}

/* Worker. Strengths for n addresses in host order; n at most BURST_MAX. */
void gateway_table_lookup_v4(const struct gateway_table *t, uint32_t *address, uint64_t *strength, uint16_t n);
void gateway_table_lookup_v6(const struct gateway_table *t, uint8_t (*address)[16], uint64_t *strength, uint16_t n);
