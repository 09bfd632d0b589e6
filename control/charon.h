/* charon, as control sees it: started or found, told what the configuration means, and made to keep it up.
 *
 *	ike_conf_make(config, &conf, errors)   whichever thread builds the configuration, before its secrets are wiped
 *	charon_create(...)                     once; the control namespace and the plugin's socket are there already
 *	charon_apply(c, conf)                  at the start and when a configuration is published
 *	charon_tick(c, now)                    ten times a second
 *	charon_goodbye(c), charon_gone(c)      at the end, while the loop still serves it
 *	charon_stop(c, how)                    before the plugin's socket goes
 *
 * A managed charon is our child, in the control namespace; one that outlived a killed isthmusd is adopted, when its
 * vici socket answers and is root's. It is started when there is something to negotiate, and then stays. Of an
 * external one we know its socket alone, and unload nothing we have not loaded.
 *
 * Connections that start are initiated from here, not by charon (see ike_connection.c): missing children are asked
 * for again after 1, 2, 4, ... 60 seconds. Control thread only.
 */
#pragma once

#include "control/ike_conf.h"
#include "control/loop.h"
#include "control/vici.h"

struct charon;

struct charon_hooks {
	void *context;
	void (*up)(void *context); /* vici is connected; may be NULL, as all of these */
	void (*down)(void *context);
	/* ike-updown, child-updown, ike-rekey, child-rekey, and list-sa for whoever asks by charon_ask */
	void (*event)(void *context, const char *name, const struct vici_body *body);
	void (*line)(void *context, const char *text); /* of a managed charon's log, beside ours */
	/* was the child with this inbound SPI begun by our charon? */
	bool (*initiated)(void *context, uint32_t spi);
};

enum charon_stop { CHARON_STOP, CHARON_LEAVE }; /* leave: it and its tunnels stay for our successor */

/* namespace_fd: asked whenever charon is started; -1 for ours. config's strings are copied. */
int charon_create(struct loop *loop, const struct cfg_appliance *config, const struct charon_hooks *hooks,
	int (*namespace_fd)(void *context), struct charon **out, char *error, size_t n);
/* Takes conf. What changed is loaded and unloaded at once, or when charon is there. */
void charon_apply(struct charon *c, struct ike_conf *conf);
void charon_tick(struct charon *c, uint64_t now_ns);
/* A managed one is told to end: it tells its peers, for which the loop must run on, until it is gone. */
void charon_goodbye(struct charon *c);
bool charon_gone(const struct charon *c);
/* One that is not gone is killed. NULL is fine. */
void charon_stop(struct charon *c, enum charon_stop how);

/* Whether connections from addresses that other nodes have as well are started here; they are from the beginning. anew:
 * what there is of them may be another node's at the peer by now, and is ended. */
void charon_role(struct charon *c, bool primary, bool anew);

bool charon_connected(const struct charon *c);
/* It knows its connections: peers are not turned away. */
bool charon_ready(const struct charon *c);
/* 0: none, or not known. */
int charon_pid(const struct charon *c);
/* Packets wait for this connection, which is not up: what is missing is asked for now, if it is one that starts. False:
 * it is not. */
bool charon_hurry(struct charon *c, const char *name);
/* Ends the IKE_SAs of a connection, by its name; if it starts, it is brought up again from nothing. -ENOENT, -ENOTCONN,
 * -ENOMEM. */
int charon_reset(struct charon *c, const char *name);
/* Any other command of vici, see vici_request. */
int charon_ask(struct charon *c, const char *command, struct vici_message *m, vici_answer *done, void *context);
/* What is applied now, NULL. */
const struct ike_conf *charon_conf(const struct charon *c);
