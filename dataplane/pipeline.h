/* The packet path, whole. Worker only. */
#pragma once

#include "dataplane/worker.h"

#define RX_BURST 32 /* leaves room in a burst for fragments that were waiting */

/* Will the stages of the next burst be timed? */
static inline bool
pipeline_sampled(const struct worker *w)
{
	return (w->stats.bursts & w->sample_mask) == 0;
}

/* n frames as they came from a port (mbuf->port names it): from the wire to the wire. spread: hand
 * packets of other workers' flows over first. */
void pipeline_run(struct worker *w, struct rte_mbuf **m, uint16_t n, bool spread);
/* Fragments that have waited: on their way, or out of time. When fragments_due() says so. */
void pipeline_waiting(struct worker *w);
/* COMMAND_PACKET: a packet of our own, as if it came from an interface or out of a tunnel; it leaves by the
 * tunnel, or by the uplink, or by the subnet's route. l3 at the start of the mbuf's data. */
void pipeline_local(struct worker *w, const struct command *c);
