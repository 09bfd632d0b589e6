/* Whether workers turn. Control thread.
 *
 * Whoever has a part of the packets and does not turn loses them, while the rest of the appliance goes on and looks
 * well.
 */
#pragma once

#include "dataplane/dataplane.h"

#define WORKER_STUCK_NS 2000000000ull

struct worker_watch {
	uint64_t looked_ns;
	struct {
		uint64_t loops, turned_ns;
	} of[64]; /* LIMIT_WORKERS */
};

/* Ten times a second; how many have not turned for WORKER_STUCK_NS. A pause of our own is nobody's fault. */
uint32_t worker_watch_look(struct worker_watch *w, const struct dataplane *dp, uint64_t now_ns);
