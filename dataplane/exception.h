/* The exception path on the control thread: what workers punt is answered here.
 *
 * ARP and ND to our addresses, echo to ourselves, ICMP errors due, packets that wait for a
 * neighbour. Each class is rate-limited at the worker; work per call is bounded.
 */
#pragma once

#include "dataplane/state.h"

struct exception *exception_create(struct dataplane *dp);
void exception_free(struct exception *x);
/* Takes the mbuf of a EVENT_PUNT. */
void exception_take(struct dataplane *dp, const struct event *e);
