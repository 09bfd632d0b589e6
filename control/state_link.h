/* The link between the two nodes of a pair, by which each tells the other what would be lost with it: flows and
 * neighbours. A thread of its own does all of it, so that neither workers nor the control thread wait for a peer or for
 * cryptography; what cannot be sent yet is not collected either, so nothing piles up.
 *
 * TCP between two addresses of the machine, not of the dataplane; state_tls.h on top. The node with the lower address
 * connects, the other one listens. Whoever comes anew is told everything. Control thread, but for the thread itself.
 */
#pragma once

#include "config/resource.h"
#include "control/state_flows.h"

struct state_link;

struct state_link_status {
	bool connected;
	bool reaches;      /* the other one has a session with a router; false where nobody knows */
	char node[64];     /* the other one, as it calls itself; "" before it did */
	uint64_t since_ns; /* CLOCK_BOOTTIME; of connected */
	uint64_t connections;
	struct state_flows_count flows;
	char error[160]; /* what went wrong last; "" */
};

/* ha->peer is given; its key is copied. */
int state_link_start(const struct cfg_ha *ha, struct dataplane *dp, struct names *names, struct state_link **out,
	char *error, size_t n);
/* Every now and then: what the dataplane has found goes to the other node, and what that one has found comes in. */
void state_link_neighbours(struct state_link *l);
/* This node has a session with a router: the other one is told. */
void state_link_reaches(struct state_link *l, bool reaches);
/* Another world was published. */
void state_link_world(struct state_link *l, const struct world *w);
void state_link_status(struct state_link *l, struct state_link_status *s);
/* NULL is fine. */
void state_link_stop(struct state_link *l);
