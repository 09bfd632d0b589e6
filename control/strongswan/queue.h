/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The inside of requests.h, for the files that share it: requests.c (charon's threads), delivery.c (the link's thread),
 * queue.c (what both use).
 *
 * All functions: the lock is held.
 */
#pragma once

#include "control/strongswan/requests.h"

#include <pthread.h>

enum manner {
	WAITS,   /* a thread waits for the answer */
	NO_WAIT, /* an answer comes, nobody waits: deletions; dropped with the connection */
	REPLAY,  /* of the journal; dropped with the connection, as the next one replays anew */
	NOTICE,  /* no answer; kept */
};

struct request {
	TAILQ_ENTRY(request) link;
	enum manner manner;
	uint16_t type, answer_type;
	bool done;
	int error;
	uint64_t serial;
	struct journal_sa *sa; /* SA_ADD: what is sent, instead of `body`; SA_UPDATE: what is changed */
	union {
		struct ike_spi_answer spi;
		struct ike_sa_answer sa;
	} answer;
	pthread_cond_t answered;
	size_t size;
	_Alignas(8) uint8_t body[];
};

TAILQ_HEAD(request_list, request);

struct requests {
	pthread_mutex_t lock;
	struct request_list queued, sent;
	struct journal journal;
	uint64_t serial;
	uint32_t notices, notices_lost;
	uint32_t timeout_ms;
	bool connected, shut;
	uint64_t dead_next; /* when to look for dead SAs; 0 = there are none */
	void (*wake)(void *arg);
	void *arg;
};

/* sa: a reference is taken; NULL is legal. NULL without memory. */
struct request *queue_request(
	struct requests *r, enum manner manner, uint16_t type, const void *body, size_t size, struct journal_sa *sa);
void queue_free(struct request *q);

/* Queues and waits, the lock released meanwhile. answer: of answer_size bytes, or NULL. 0 or -errno. */
int queue_ask(struct requests *r, uint16_t type, const void *body, size_t size, struct journal_sa *sa, void *answer,
	size_t answer_size);

/* Queues and does not wait. */
void queue_tell(struct requests *r, enum manner manner, uint16_t type, const void *body, size_t size);
