/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What charon believes to be installed: every SA and policy that it added and did not delete. After a restart of
 * isthmusd the link sends it all again.
 *
 * All functions: the link's lock is held.
 */
#pragma once

#include "control/strongswan/protocol.h"
#include "control/strongswan/secret.h"

#include <collections/hashtable.h>
#include <stdbool.h>
#include <sys/queue.h>

/* One SA, as it was or will be sent. A request that is on its way holds a reference, too. */
struct journal_sa {
	TAILQ_ENTRY(journal_sa) link;
	struct ike_sa_add add; /* its keys are zero: they are in `secret` */
	struct ike_selector *selectors;
	struct secret *secret;
	uint32_t references;
	bool listed;
	bool live;          /* isthmusd has said yes */
	uint8_t expiries;   /* isthmusd cannot go on with it: how often charon is still to be told */
	uint64_t expire_at; /* wire_now() */
};

struct journal_policy {
	TAILQ_ENTRY(journal_policy) link;
	struct ike_policy policy;
	uint32_t count; /* how often it was added */
};

TAILQ_HEAD(journal_sas, journal_sa);
TAILQ_HEAD(journal_policies, journal_policy);

struct journal {
	struct journal_sas sas;
	struct journal_policies policies;
	hashtable_t *by_spi, *by_policy;
};

void journal_init(struct journal *j);

/* Wipes and frees everything. */
void journal_clear(struct journal *j);

/* add: with its keys, which are moved to locked memory; selectors: n_source + n_destination of them. Not in the journal
 * yet. One reference. NULL without memory. */
struct journal_sa *journal_sa_new(const struct ike_sa_add *add, const struct ike_selector *selectors);
void journal_sa_release(struct journal_sa *sa); /* NULL is legal */

/* Takes a reference. Another SA of the same SPI and destination leaves the journal. */
void journal_insert(struct journal *j, struct journal_sa *sa);
void journal_remove(struct journal *j, struct journal_sa *sa);

/* By SPI and destination; NULL when there is none. */
struct journal_sa *journal_find(const struct journal *j, uint32_t spi, const struct ike_address *destination);

/* The SA has other addresses now. */
void journal_update(struct journal *j, struct journal_sa *sa, const struct ike_sa_update *update);

/* Equal policies may be added several times; each removal takes one of them. */
void journal_policy_add(struct journal *j, const struct ike_policy *policy);
void journal_policy_remove(struct journal *j, const struct ike_policy *policy);
void journal_policies_clear(struct journal *j);
