/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests that are queued and waited for; see queue.h.
 */
#include "control/strongswan/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct requests *
requests_new(uint32_t timeout_ms, void (*wake)(void *arg), void *arg)
{
	struct requests *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	TAILQ_INIT(&r->queued);
	TAILQ_INIT(&r->sent);
	journal_init(&r->journal);
	r->timeout_ms = timeout_ms;
	r->wake = wake;
	r->arg = arg;
	return r;
}

void
queue_free(struct request *q)
{
	journal_sa_release(q->sa);
	pthread_cond_destroy(&q->answered);
	free(q);
}

static void
free_all(struct request_list *list)
{
	struct request *q;

	while ((q = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, q, link);
		queue_free(q);
	}
}

void
requests_free(struct requests *r)
{
	if (!r)
		return;
	free_all(&r->queued);
	free_all(&r->sent);
	journal_clear(&r->journal);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static uint16_t
answer_of(uint16_t type)
{
	return type == IKE_SPI_GET ? IKE_SPI_ANSWER : type == IKE_SA_QUERY ? IKE_SA_ANSWER : IKE_RESULT;
}

struct request *
queue_request(
	struct requests *r, enum manner manner, uint16_t type, const void *body, size_t size, struct journal_sa *sa)
{
	struct request *q = calloc(1, sizeof(*q) + size);
	pthread_condattr_t monotonic;

	if (!q)
		return NULL;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&q->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);

	q->manner = manner;
	q->type = type;
	q->answer_type = answer_of(type);
	q->serial = manner == NOTICE ? 0 : ++r->serial;
	q->size = size;
	if (size)
		memcpy(q->body, body, size);
	q->sa = sa;
	if (sa)
		sa->references++;
	return q;
}

/* Locked. */
static void
enqueue(struct requests *r, struct request *q)
{
	TAILQ_INSERT_TAIL(&r->queued, q, link);
	r->wake(r->arg);
}

/* Whether q is in the list. */
static bool
contains(const struct request_list *list, const struct request *q)
{
	const struct request *other;

	TAILQ_FOREACH(other, list, link)
	if (other == q)
		return true;
	return false;
}

/* Locked. Not answered in time. */
static void
withdraw(struct requests *r, struct request *q)
{
	struct request_list *list = contains(&r->queued, q) ? &r->queued : &r->sent;

	TAILQ_REMOVE(list, q, link);
	q->error = r->shut ? -ESHUTDOWN : -ETIMEDOUT;
}

/* Locked, and unlocked while waiting. q is in no list any more. */
static void
await(struct requests *r, struct request *q)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += r->timeout_ms / 1000;
	end.tv_nsec += (long)(r->timeout_ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	while (!q->done && !r->shut)
		if (pthread_cond_timedwait(&q->answered, &r->lock, &end) == ETIMEDOUT)
			break;
	if (!q->done)
		withdraw(r, q);
}

int
queue_ask(struct requests *r, uint16_t type, const void *body, size_t size, struct journal_sa *sa, void *answer,
	size_t answer_size)
{
	struct request *q = queue_request(r, WAITS, type, body, size, sa);
	int error;

	if (!q)
		return -ENOMEM;
	enqueue(r, q);
	await(r, q);
	error = q->error;
	if (answer && !error)
		memcpy(answer, &q->answer, answer_size);
	queue_free(q);
	return error;
}

void
queue_tell(struct requests *r, enum manner manner, uint16_t type, const void *body, size_t size)
{
	struct request *q = queue_request(r, manner, type, body, size, NULL);

	if (q)
		enqueue(r, q);
}

bool
requests_settled(struct requests *r)
{
	bool settled;

	pthread_mutex_lock(&r->lock);
	settled = TAILQ_EMPTY(&r->queued) && TAILQ_EMPTY(&r->sent);
	pthread_mutex_unlock(&r->lock);
	return settled;
}

void
requests_shut(struct requests *r)
{
	struct request *q;

	pthread_mutex_lock(&r->lock);
	r->shut = true;
	TAILQ_FOREACH(q, &r->queued, link)
	pthread_cond_signal(&q->answered);
	TAILQ_FOREACH(q, &r->sent, link)
	pthread_cond_signal(&q->answered);
	pthread_mutex_unlock(&r->lock);
}
