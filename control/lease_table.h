/* The state machine of a lease: the vendor's table of who may do what in which state, as a pure function.
 *
 * It is what the storage of a lease decides by, and what challengers judge a holder by who tells nothing any more.
 * Time is any one clock that never goes back, in nanoseconds; holders are compared by name. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LEASE_NAME_MAX 64 /* with its NUL */
#define LEASE_INFINITE UINT64_MAX

enum lease_state { LEASE_AVAILABLE, LEASE_LEASED, LEASE_BREAKING, LEASE_BROKEN, LEASE_EXPIRED, LEASE_STATES };

enum lease_operation {
	LEASE_ACQUIRE, /* duration_ns */
	LEASE_RENEW,
	LEASE_CHANGE,  /* the holder hands it to `to` */
	LEASE_BREAK,   /* anyone; duration_ns until it is broken, 0: at once */
	LEASE_RELEASE, /* the holder */
	LEASE_EXPIRE,  /* nobody asks: the duration is over */
	LEASE_OPERATIONS
};

/* All zero: available, never held. */
struct lease {
	enum lease_state state;
	char holder[LEASE_NAME_MAX]; /* "" when available */
	uint64_t epoch;              /* of the holder; grows with each acquisition and change, never shrinks */
	uint64_t duration_ns;        /* as acquired */
	uint64_t end_ns;             /* Leased: until when; Breaking: when it is broken. LEASE_INFINITE: never */
};

struct lease_request {
	enum lease_operation operation;
	const char *who, *to;
	uint64_t duration_ns;
};

/* 0; -EBUSY: refused, the vendor's 409. Either way time has passed in the lease: one whose end has come is expired or
 * broken first. Names are shorter than LEASE_NAME_MAX. */
int lease_apply(struct lease *l, const struct lease_request *r, uint64_t now_ns);
/* Only lets time pass. */
void lease_pass(struct lease *l, uint64_t now_ns);
