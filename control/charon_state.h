/* charon's state, shared by charon.c (its life), charon_load.c (what it is told), charon_watch.c (what is kept up) and
 * charon_spare.c (what is too much). Internal to them; control thread. */
#pragma once

#include "control/charon.h"
#include "control/child.h"

#include <limits.h>

/* A connection that we bring up. */
struct charon_watch {
	const struct ike_item *item; /* of the wanted list */
	uint32_t children;           /* installed, as far as we heard */
	uint32_t listed;             /* of them the last list showed */
	struct charon_look *look;    /* what a list of SAs shows of it, until it is acted upon */
	uint64_t due_ns;             /* 0: nothing to do */
	uint64_t hurried_ns;         /* when packets last waited for it */
	uint64_t started_ns;         /* when children of it were last initiated */
	bool answered;               /* by its peer since, as the last list shows, and not up yet */
	uint64_t pause_ns;
	uint64_t renewed_ns; /* when its IKE_SA was replaced, so that nothing that charon planned for it holds */
};

struct charon {
	struct loop *loop;
	struct cfg_ike_daemon_config config; /* strings are ours */
	struct charon_hooks hooks;
	int (*namespace_fd)(void *context);
	char settings[PATH_MAX], preload[PATH_MAX];

	struct child process;
	bool fresh;   /* started by us and not yet told anything */
	bool ready;   /* it knows what it was told, or was there before us */
	bool leaving; /* it ends because we do */
	bool standby; /* shared connections are started by another node */
	bool renew;   /* and are ended before, once vici is connected to a charon that is not fresh */
	uint64_t retry_ns, retry_at_ns;
	uint64_t silent_ns; /* since then it has not answered */

	struct vici *vici;
	struct ike_conf *wanted, *loaded; /* the same one when all of it was sent */
	char *revoked;                    /* as in the settings; NULL: charon may not know them */
	uint64_t revoked_at_ns;           /* not told again before */

	struct charon_watch *watch;
	uint32_t n_watches;
	uint32_t listing;                /* lists of SAs under way */
	uint32_t turn;                   /* the watch that is looked at next, if it is due */
	uint64_t listed_ns, list_due_ns; /* when the last one began; no next one before */
};

/* charon_load.c: from loaded to wanted. After a new connection loaded is NULL. */
void charon_load(struct charon *c);

/* charon_spare.c: of a list of a connection's SAs, cleared when it was looked at. */
struct charon_spares {
	uint32_t established; /* IKE_SAs */
	uint64_t ike_spi;     /* of the one to end if there are several, with charon's number of it */
	char ike_id[16];
	char kept_id[16]; /* one that stays; "": none */
	struct charon_spare_child *child;
	uint32_t n_children;
};

void charon_spares_ike(struct charon_spares *s, const json_t *sa);
void charon_spares_child(struct charon *c, struct charon_spares *s, const json_t *child);
/* Ends one; false: there is none too many. */
bool charon_spares_end(struct charon *c, const struct ike_item *item, const struct charon_spares *s);
void charon_spares_clear(struct charon_spares *s);

/* charon_watch.c */
int charon_watches_make(struct charon *c);
void charon_watches_free(struct charon *c);
void charon_watch_event(struct charon *c, const char *name, const struct vici_body *b);
void charon_watch_connected(struct charon *c);
void charon_watch_tick(struct charon *c, uint64_t now_ns);
struct charon_watch *charon_watch_find(struct charon *c, const char *name);
/* Looked at again in a second. */
void charon_watch_soon(struct charon_watch *w);
void charon_watch_hurry(struct charon_watch *w);
