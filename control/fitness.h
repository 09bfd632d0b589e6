/* Whether this node should be primary, while its daemon lives: its workers turn, and it reaches routers, if the other
 * node does. Control thread.
 *
 * Whoever has a part of the packets and does not turn loses them, and whoever is cut off from routers carries nothing,
 * while the rest of the appliance goes on and looks well.
 */
#pragma once

#include "dataplane/dataplane.h"

struct daemon;

#define WORKER_STUCK_NS 2000000000ull

struct fitness {
	uint64_t looked_ns;
	struct {
		uint64_t loops, turned_ns;
	} of[64];          /* LIMIT_WORKERS */
	uint64_t asked_ns; /* bird */
	bool asking;
	uint32_t sessions;   /* with routers, as bird said last */
	uint64_t reached_ns; /* when there last was one */
};

/* Ten times a second. NULL: it is fit; else why not. */
const char *fitness_look(struct daemon *d, uint64_t now_ns);
/* How many workers have not turned for WORKER_STUCK_NS. A pause of our own is nobody's fault. */
uint32_t fitness_stuck_workers(struct fitness *f, const struct dataplane *dp, uint64_t now_ns);
