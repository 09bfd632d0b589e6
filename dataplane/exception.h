/* The exception path on the control thread: what workers punt is answered here.
 *
 * ARP and ND to our addresses, echo to ourselves, ICMP errors due, packets that wait for a
 * neighbour, what daemons in the control namespace wait for. Each class is rate-limited at the worker,
 * ICMP errors here once more over all workers; work per call is bounded. Nothing that came from the wire
 * is trusted.
 */
#pragma once

#include "dataplane/state.h"

struct exception_stats {
	uint64_t conflicts; /* somebody else claims an address of ours */
	uint64_t arp_answers, nd_answers, router_answers, echo_answers;
	uint64_t icmp_errors, icmp_errors_limited;
	uint64_t to_daemons;
};

struct exception *exception_create(struct dataplane *dp);
void exception_free(struct exception *x);
const struct exception_stats *exception_stats(const struct exception *x);

/* Takes the mbuf of an EVENT_PUNT. */
void exception_take(struct dataplane *dp, const struct event *e);
/* Tells the sender of the packet e->m why it was dropped (e->reason, e->mtu; e->iface: where it came
 * in), where the RFCs allow it and the rate permits, and drops it. */
void exception_error(struct dataplane *dp, const struct event *e);
