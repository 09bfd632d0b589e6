/* The routes that a gateway's routing daemon has given its kernel: what route_monitor tells, kept, but for routes that
 * lead to nobody. Control thread.
 *
 * Of several routes to one prefix the one with the lowest metric counts, as in the kernel. While a dump is under way
 * what changes tell counts more than the dump's older picture.
 */
#pragma once

#include "drivers/route_monitor.h"

struct learned;

/* A route that counts: one array of them, by prefix. */
struct learned_route {
	struct ip_prefix prefix;
	uint8_t protocol; /* RTPROT_* */
	uint8_t n;        /* of via */
	const struct route_via *via;
};

struct learned_routes {
	struct learned_route *route;
	uint32_t n;
	struct route_via *via; /* all of theirs */
};

/* limit: routes beyond are counted and left out. */
struct learned *learned_create(uint32_t limit);
void learned_free(struct learned *l);
/* Nobody tells of routes any more: there are none. */
void learned_clear(struct learned *l);

/* route_monitor's events; the context is the struct learned. */
struct route_monitor_events learned_events(struct learned *l);

/* Rises with everything that learned_list would tell otherwise; 0: nothing yet. */
uint64_t learned_change(const struct learned *l);
/* The first dump is over: what is kept is all there is. */
bool learned_complete(const struct learned *l);
/* All metrics. */
uint32_t learned_count(const struct learned *l);
uint64_t learned_refused(const struct learned *l);

/* Of all gateways, as the builder gets them. */
struct learned_all {
	struct learned_gateway {
		char *gateway; /* its name */
		struct learned_routes routes;
	} * of;
	uint32_t n;
};

void learned_all_free(struct learned_all *all); /* NULL is fine */

/* A copy for another thread. -ENOMEM. */
int learned_list(const struct learned *l, struct learned_routes *out);
void learned_routes_free(struct learned_routes *r);
