/* Neighbours: who answers for an address on an interface, in RFC 4861's terms, also for ARP.
 *
 * Everything here runs on the control thread; what workers look up is neighbour_table.h. Bounded:
 * the number of neighbours, of those being resolved, of packets that wait for each and for all.
 * Times are CLOCK_BOOTTIME nanoseconds as neighbour_tick told them last.
 */
#pragma once

#include "dataplane/dataplane.h"
#include "dataplane/neighbour_table.h"
#include "dataplane/worker.h"

struct neighbours;

/* The state machine beside dp->neighbours, to be put into dp->neighbour_state. NULL: no memory. */
struct neighbours *neighbours_create(uint32_t capacity);
void neighbours_free(struct neighbours *s); /* frees the packets that wait */

/* A packet (PUNT_NEIGHBOUR: out and address name the neighbour) waits for an answer; ownership of
 * e->m passes. Starts resolution when there is no entry; is sent at once when the MAC is known by now. */
void neighbour_wait(struct dataplane *dp, const struct event *e);

/* What ARP or ND told us; the checks of the message were made before. */
enum neighbour_hint {
	NEIGHBOUR_SOLICITED = 1 << 0, /* answers a question of ours: proves the way there and back */
	NEIGHBOUR_OVERRIDE = 1 << 1,  /* may replace a MAC we know */
	NEIGHBOUR_CREATE = 1 << 2,    /* asked for us and will want an answer: worth an entry */
};
void neighbour_learn(
	struct dataplane *dp, uint16_t iface, const struct ip_addr *a, const struct mac_addr *mac, uint8_t hints);

/* Timers: probes, ageing, freeing after the grace period. Every dataplane_poll; bounded work. */
void neighbour_tick(struct dataplane *dp, uint64_t now_ns);
/* A new view was published: static entries of NICs with a MAC are set, entries of vanished interfaces go. */
void neighbour_view(struct dataplane *dp, const struct view *v);

/* dataplane_neighbours() of dataplane.h is neighbour.c's. */
