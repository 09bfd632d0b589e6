/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What charon's threads want of isthmusd, and the one connection that carries it.
 *
 * charon's threads queue a request and wait for its answer; the link's thread (link.c) sends what is queued and
 * completes what is answered, in any order. Nobody holds the lock while waiting. When the connection is lost, requests
 * without an answer stay, and are sent again behind the replay of the journal: isthmusd has forgotten by then what they
 * did, as it was not among the replayed. A deletion does not wait, and is dropped with the connection: what is no
 * longer in the journal is not replayed.
 */
#pragma once

#include "control/strongswan/journal.h"
#include "control/strongswan/protocol.h"

#include <daemon.h>

struct requests;

/* wake(): called with the lock held whenever there is something to send. NULL without memory. */
struct requests *requests_new(uint32_t timeout_ms, void (*wake)(void *arg), void *arg);
void requests_free(struct requests *r); /* NULL is legal; no caller may be in it */

/* charon's threads. 0, the errno value of the answer negated, -ETIMEDOUT, -ESHUTDOWN; the answer is zero on error. */
int requests_spi(struct requests *r, const struct ike_spi_get *get, uint32_t *spi);
int requests_sa_add(struct requests *r, const struct ike_sa_add *add, const struct ike_selector *selectors);
int requests_policy_add(struct requests *r, const struct ike_policy *policy);

/* update->id: SPI, if_id and addresses as charon knows them; ports are filled in. -ENOENT when it was never added. */
int requests_sa_update(struct requests *r, struct ike_sa_update *update);

/* Like the former, but -ENOTCONN at once when there is no connection: nobody should wait for a counter. */
int requests_sa_query(struct requests *r, struct ike_sa_id *id, struct ike_sa_answer *answer);

/* These do not wait. */
void requests_sa_delete(struct requests *r, struct ike_sa_id *id);
void requests_sa_flush(struct requests *r);
void requests_policy_delete(struct requests *r, const struct ike_policy *policy);
void requests_policy_flush(struct requests *r);
void requests_notice(struct requests *r, uint16_t type, const void *body, size_t size);

/* Waiters give up with -ESHUTDOWN from now on. */
void requests_shut(struct requests *r);

/* Link's thread. The connection is welcomed: the journal's replay is put before everything. lost: it is gone. */
void requests_connected(struct requests *r);
void requests_lost(struct requests *r);

/* Link's thread. Sends one record of the queue, by way of `buffer` (IKE_MESSAGE_MAX), which is wiped. 0 with *idle set
 * when nothing is queued; -EAGAIN when the socket is full; -errno. */
int requests_send(struct requests *r, int fd, uint8_t *buffer, bool *idle);

/* Nothing is queued, and nothing waits for an answer. */
bool requests_settled(struct requests *r);

/* Link's thread. An answer; -EPROTO when there was no such question. */
int requests_answer(struct requests *r, const struct ike_header *h);

/* Link's thread. An SA whose replay was refused, to be expired now: charon makes a new one. It is asked several times,
 * as it does not know an SA yet that it is just installing. false: none is due; *next is when to ask again, 0 = never.
 */
bool requests_dead(struct requests *r, struct ike_sa_id *sa, uint64_t *next);
