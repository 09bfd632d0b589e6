/* The lease as files: who may claim it and when, over an abstract storage. One caller at a time; calls may hang.
 *
 * One file for each epoch, made once and by one node (link(2) fails where the name exists) and written by that node
 * only. The highest epoch is the lease. Nothing is ever locked across a step, so that a node stopped anywhere stops
 * nobody else; what is locked is the holder's own file, as long as it lives, and the lock only says "alive".
 *
 * A holder beats: it changes its file, and only then looks for a higher epoch; seeing none, it has renewed from the
 * moment before the beat. A challenger looks for a beat for the whole duration by its own clock, then claims the next
 * epoch, and only then looks at the beat again. One of them sees the other: if the beat has changed, the claim stands
 * but waits for one more duration, when the holder, who cannot renew any more, is over.
 *
 * A holder whose lock is free is dead, and one that has released says so: there is nothing to wait for, unless it was
 * waiting itself. Storage is coherent where each node sees at once what another did: one machine's file systems do,
 * cluster file systems do, NFS does mounted with noac and lookupcache=none.
 */
#pragma once

#include "control/lease_core.h"

enum lease_file_state { LEASE_FILE_CLAIMED = 'C', LEASE_FILE_HELD = 'H', LEASE_FILE_RELEASED = 'R' };

struct lease_file_record {
	enum lease_file_state state; /* CLAIMED: somebody older may still act */
	uint64_t epoch, beat;
	uint64_t duration_ns; /* the longest of anyone who may act: challengers wait for so long */
	char holder[LEASE_NAME_MAX];
};

/* What the storage does: 0 or -errno. Whatever one of them did is seen by all once it has returned. */
struct lease_storage {
	void *context;
	int (*find)(void *context, uint64_t *epoch);                             /* the highest; 0: there is none */
	int (*read)(void *context, uint64_t epoch, struct lease_file_record *r); /* -ENOENT */
	int (*alive)(void *context, uint64_t epoch, bool *alive);                /* its holder's lock; -ENOENT */
	/* -EEXIST: another has this epoch. Else it is ours, locked from its first moment. */
	int (*claim)(void *context, const struct lease_file_record *r);
	int (*write)(void *context, const struct lease_file_record *r); /* our claim */
	void (*drop)(void *context);                                    /* our claim's lock */
	void (*sweep)(void *context, uint64_t epoch);                   /* epochs below it */
	uint64_t (*now_ns)(void *context);                              /* CLOCK_BOOTTIME */
};

struct lease_file {
	const struct lease_storage *storage;
	const char *identity;
	uint64_t duration_ns;

	struct lease_file_record own; /* epoch 0: none */
	uint64_t claimed_ns;
	struct lease_file_record seen; /* another's, unchanged since seen_ns */
	uint64_t seen_ns;
};

/* Acquires or renews, in the order above. The answer counts from before the call. */
void lease_file_attempt(struct lease_file *f, uint64_t epoch_seen, struct lease_answer *a);
/* The caller acts as primary no more. */
void lease_file_release(struct lease_file *f);
