/* A worker, its packets, and all that happens to them untimed: see rig.c. */
#pragma once

#include "traffic.h"

#include "dataplane/worker.h"

#include <rte_mbuf.h>

#define NEVER UINT64_MAX /* as a worker's sample_mask */

struct rig {
	const struct scenario *scenario;
	struct worker *worker;
	struct traffic traffic;
	struct rte_mbuf **packet; /* ours between batches */
	uint32_t n;
	uint16_t in, out; /* ports of the measured way */
};

void rig_make(struct rig *r, const struct scenario *s, uint16_t worker, uint32_t n);
void rig_free(struct rig *r);
/* Neighbours are found and conversations known. */
void rig_ready(struct rig *r);

/* Make every packet a new one, as it comes from the wire of `in`. */
void rig_fill(struct rig *r);
void rig_inject(struct rig *r, uint16_t port, uint32_t first, uint32_t n);
/* Take back n packets that came out, from packet[first] on; ends the program if they did not. */
void rig_collect(struct rig *r, uint16_t port, uint32_t first, uint32_t n, const char *what);
void rig_push_out(void);
void rig_give_up(const struct rig *r, const char *what, uint32_t n, uint32_t of) __attribute__((noreturn));
