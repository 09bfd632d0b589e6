/* One trace at a time: from the order to the workers until enough packets were seen or time is up.
 * Records go to the client as they come. Control thread.
 */
#pragma once

#include "control/api.h"
#include "dataplane/dataplane.h"

struct daemon;

struct trace_session {
	struct api_ticket to; /* serial 0: none under way */
	uint64_t deadline_ns;
	uint32_t wanted, seen, lost;
	bool cancel; /* tell the workers to stop: a ring was full when we tried */
};

/* The verb; the answer comes when the trace ends. */
json_t *trace_begin(struct daemon *d, const struct request *r, struct api_ticket from, struct failure *f);
/* A record from a worker (dataplane_events.trace). */
void trace_take(void *daemon, const struct trace_record *record);
void trace_tick(struct daemon *d, uint64_t now_ns);
/* The client that asked is gone. */
void trace_gone(struct daemon *d, struct api_ticket from);
