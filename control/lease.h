/* Who is primary: this node's role, by a lease that several appliances share. Control thread, but for what is said.
 *
 * Kinds `file` and `etcd` are exclusive: no two nodes are primary at once, whatever stops, hangs or is cut off, and
 * each holder has an epoch of its own. `static` is a preference: nodes that cannot see each other may all be primary.
 */
#pragma once

#include "config/resource.h"
#include "control/lease_core.h"
#include "control/loop.h"

#include <stdatomic.h>
#include <stddef.h>

struct leasing;

struct leasing_hooks {
	void *context;
	/* The role begins: the deadline is published already. epoch: higher than that of every primary before; 0 by
	 * the kind static. */
	void (*became)(void *context, uint64_t epoch);
	/* It is over: by its deadline, by another's epoch, or on the way out. The deadline is 0 already. */
	void (*ceased)(void *context);
};

struct leasing_status {
	const char *node, *kind, *holder, *error; /* holder: a node's name or "" when unknown; error: "" for none */
	bool exclusive;
	bool drained;
	enum lease_role role;
	uint64_t epoch;       /* of the holder as far as known; 0: unknown */
	uint64_t deadline_ns; /* CLOCK_BOOTTIME; LEASE_INFINITE: none; 0: not primary */
	uint64_t transitions; /* changes of the role since start */
};

/* 0 with *out; -EINVAL with a text, -ENOMEM. ha is copied. */
int leasing_start(const struct cfg_ha *ha, struct loop *loop, const struct leasing_hooks *hooks, struct leasing **out,
	char *error, size_t n);
/* Ten times a second. */
void leasing_tick(struct leasing *l, uint64_t now_ns);
/* Gives the role back, and asks for it no more until it resumes; waits for a second at most. Twice is fine. */
void leasing_drain(struct leasing *l);
/* 0; -EINVAL with a text: the lease cannot be asked, and it stays drained. */
int leasing_resume(struct leasing *l, char *error, size_t n);
/* Gives the role back and frees; waits for a second at most. NULL is legal. */
void leasing_stop(struct leasing *l);
void leasing_status(const struct leasing *l, struct leasing_status *s);

/* Any thread: this node may act as primary while CLOCK_BOOTTIME is less. One writer, the control thread; 0 for never.
 * A process that was stopped compares before it acts, and finds its time is over. */
const _Atomic uint64_t *leasing_deadline(const struct leasing *l);
