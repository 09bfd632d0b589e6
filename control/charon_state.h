/* charon's state, shared by charon.c (its life), charon_load.c (what it is told) and charon_watch.c (what is kept
 * up). Internal to them; control thread. */
#pragma once

#include "control/charon.h"
#include "control/charon_process.h"

#include <limits.h>

/* A connection that we bring up. */
struct charon_watch {
	const struct ike_item *item; /* of the wanted list */
	uint32_t children;           /* installed, as far as we heard */
	bool held;                   /* terminated by command */
	struct charon_look *look;    /* list-sas is under way */
	bool busy;                   /* it has an IKE_SA that is not established yet */
	uint32_t established;        /* IKE_SAs, as the list shows them */
	uint64_t spare_spi;          /* of the one to end if there are several, with charon's number of it */
	char spare_id[16];
	uint64_t due_ns; /* 0: nothing to do */
	uint64_t pause_ns;
};

struct charon {
	struct loop *loop;
	struct cfg_ike_daemon_config config; /* strings are ours */
	struct charon_hooks hooks;
	int (*namespace_fd)(void *context);
	char settings[PATH_MAX], preload[PATH_MAX];

	struct charon_process process;
	bool fresh;   /* started by us and not yet told anything */
	bool leaving; /* it ends because we do */
	uint64_t retry_ns, retry_at_ns;
	uint64_t silent_ns; /* since then it has not answered */

	struct vici *vici;
	struct ike_conf *wanted, *loaded; /* the same one when all of it was sent */
	char *revoked;                    /* as in the settings; NULL: charon may not know them */
	uint64_t revoked_at_ns;           /* not told again before */

	struct charon_watch *watch;
	uint32_t n_watches;
};

/* charon_load.c: from loaded to wanted. After a new connection loaded is NULL. */
void charon_load(struct charon *c);

/* charon_watch.c */
int charon_watches_make(struct charon *c);
void charon_watch_event(struct charon *c, const char *name, const struct vici_body *b);
void charon_watch_connected(struct charon *c);
void charon_watch_tick(struct charon *c, uint64_t now_ns);
struct charon_watch *charon_watch_find(struct charon *c, const char *name);
/* Asks for the children of a connection that are not there. */
int charon_watch_initiate(struct charon *c, const struct ike_item *item);
