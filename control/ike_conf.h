/* What charon is told: a checked configuration as messages of vici.
 *
 * Made once for each configuration, before its secrets are wiped; the messages hold copies of them, as a charon that
 * is started again must be told again, and are wiped when the list is freed. Reads the files of certificates, private
 * keys and passwords. Any thread; nothing here is global.
 */
#pragma once

#include "config/config.h"
#include "control/vici_message.h"

/* In the order in which they are loaded. */
enum ike_kind { IKE_KEY, IKE_SHARED, IKE_CERT, IKE_POOL, IKE_CONN, IKE_KINDS };

/* One object of charon's. Two of the same kind and name replace each other. */
struct ike_item {
	enum ike_kind kind;
	char *name;                  /* in charon; for a key: the file */
	struct vici_message message; /* of load-conn, load-shared, ... */
	bool last;                   /* charon must see it behind all others: the conn for whoever fits no other */
	/* conns only */
	uint32_t if_id;
	/* bytes of the message that say where we are: an IKE_SA may go elsewhere (MOBIKE). Equal: it may not */
	size_t ours_at, ours_end;
	bool starts;  /* brought up by us, not only by traffic or the peer */
	bool patient; /* the other end starts, too: it goes first */
	bool shared;  /* from an address that other nodes have, too: the primary one starts it */
	char **child; /* names of its children; those that `starts` is about */
	uint32_t n_children;
};

struct ike_conf {
	struct ike_item *item;
	uint32_t n;
	char *revoked; /* thumbprints of point-to-site certificates that are refused, with blanks between */
};

/* 0, -ENOMEM, or -EINVAL: a file cannot be read, errors say which. *out is NULL then. */
int ike_conf_make(const struct config *c, struct ike_conf **out, struct config_errors *errors);
/* Wipes the messages. */
void ike_conf_free(struct ike_conf *conf);
/* The conn's or other object of that name, NULL. */
const struct ike_item *ike_conf_find(const struct ike_conf *conf, enum ike_kind kind, const char *name);
/* The whole for people and tests; secrets are hidden. */
void ike_conf_print(const struct ike_conf *conf, FILE *to);
/* "load-conn", ... */
const char *ike_load_command(enum ike_kind kind);
