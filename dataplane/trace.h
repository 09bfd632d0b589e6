/* Tracing: the stages' verdicts of chosen packets, recorded by the worker, read by control.
 *
 * Records live in the worker's own ring of slots; a slot is sent up as an event, copied by control
 * and given back through `acked`. A worker that finds no free slot does not trace.
 */
#pragma once

#include "dataplane/worker.h"

#define TRACE_SLOTS 64

struct trace_state {
	/* worker */
	struct flow_filter filter;
	uint32_t remaining; /* packets still to be chosen; 0 = tracing is off */
	uint32_t taken;     /* slots handed out so far */
	struct trace_record slot[TRACE_SLOTS];
	/* control */
	_Atomic uint32_t acked; /* slots given back so far */
};

/* Worker. Choose packets of the burst that match the filter. Only called when remaining > 0. */
void trace_choose(struct worker *w, struct burst *b, enum stage stage);
/* Worker. The packet's story is over: send the record up. */
void trace_end(struct worker *w, struct packet *p);
/* The stage a traced packet has come to, judged by its last noted step. */
enum stage trace_stage(const struct packet *p);
/* Worker: COMMAND_TRACE. */
void trace_order(struct worker *w, const struct flow_filter *filter, uint32_t count);
/* Control: EVENT_TRACE; copies the record and gives the slot back. */
void trace_read(struct worker *w, const struct trace_record *slot, struct trace_record *out);

/* Any thread. Does the packet match? */
bool filter_match(const struct flow_filter *f, const struct packet *p);
