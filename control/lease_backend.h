/* What a kind of lease does: ask for it or renew it, give it back. The core says when (lease_core.h).
 *
 * All calls are of the control thread and none of them waits, but close. One request at a time; its answer comes by
 * answered(), within attempt() or later from the loop, exactly once, or never if the storage hangs.
 */
#pragma once

#include "config/resource.h"
#include "control/lease_core.h"
#include "control/loop.h"

#include <stddef.h>

/* Given to open; outlives the back end. */
struct lease_client {
	struct loop *loop;
	const struct cfg_ha *ha;
	const char *identity; /* NODE/RUN: two runs of one node are two holders */
	void *context;
	void (*answered)(void *context, const struct lease_answer *a);
};

struct lease_kind {
	const char *name;
	bool exclusive;   /* never two primaries; false: a preference, and both may be */
	uint64_t poll_ns; /* at most; also no more than a sixth of the duration */
	void *(*open)(const struct lease_client *client, char *error, size_t n); /* NULL with a text */
	/* epoch_seen: the highest this node has seen; a new one is higher. */
	void (*attempt)(void *backend, uint64_t epoch_seen);
	/* Gives it back if it is ours, whatever request is under way, and frees: done or not after a second. */
	void (*close)(void *backend);
};

extern const struct lease_kind lease_static; /* lease_static.c */
extern const struct lease_kind lease_files;  /* lease_file_thread.c */
extern const struct lease_kind lease_etcd;   /* lease_etcd.c */
