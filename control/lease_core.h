/* One node's part in a lease: when to ask, until when it is primary, when it gives up by itself. No clock, no storage:
 * times are given, and what a request became.
 *
 * Times are this node's CLOCK_BOOTTIME in nanoseconds. Nothing compares clocks of two nodes: a grant counts from the
 * moment before its request left, and the storage's or a challenger's clock starts later than that. What is left
 * between the end here and the end there is the margin, for clocks of different rate. Control thread.
 */
#pragma once

#include "control/lease_table.h"

#define LEASE_ERROR_MAX 256

struct lease_terms {
	uint64_t duration_ns; /* LEASE_INFINITE: the role never ends by itself */
	uint64_t margin_ns;   /* less than two thirds of the duration */
	uint64_t poll_ns;     /* how often a follower asks */
	uint64_t wait_ns;     /* before the first request: a head start for the preferred node */
};

enum lease_role { LEASE_FOLLOWER, LEASE_PRIMARY };

enum lease_verdict {
	LEASE_GRANTED, /* acquired or renewed */
	LEASE_DENIED,  /* another has it, or nobody may have it yet */
	LEASE_FAILED,  /* nobody knows */
};

struct lease_answer {
	enum lease_verdict verdict;
	uint64_t epoch;              /* GRANTED: ours; DENIED: the holder's, 0 unknown */
	char holder[LEASE_NAME_MAX]; /* GRANTED, DENIED; "": nobody */
	char error[LEASE_ERROR_MAX]; /* FAILED */
};

struct lease_core {
	struct lease_terms terms;
	enum lease_role role;
	uint64_t epoch;       /* last granted to us; goes on being ours until another's is seen. 0: none */
	uint64_t deadline_ns; /* primary until then; 0 as a follower */
	uint64_t asked_ns;    /* the request under way */
	uint64_t next_ns;     /* the next one */
	bool asking, leaving;
	uint32_t failures; /* in a row */
	uint64_t transitions;
	uint64_t epoch_seen; /* the highest of anyone */
	char holder[LEASE_NAME_MAX];
	char error[LEASE_ERROR_MAX]; /* the last one; "" once an answer came */
};

void lease_core_init(struct lease_core *c, const struct lease_terms *terms, uint64_t now_ns);
/* Ends the role at its deadline. true: start a request now. */
bool lease_core_tick(struct lease_core *c, uint64_t now_ns);
/* What became of the request. One that is over without an answer is LEASE_FAILED. */
void lease_core_answer(struct lease_core *c, const struct lease_answer *a, uint64_t now_ns);
/* Follower from now on, and no more requests, until it resumes. */
void lease_core_leave(struct lease_core *c);
/* Of one that left: what it knew of epochs stays, so that an older one is not believed. */
void lease_core_resume(struct lease_core *c, uint64_t now_ns);
