/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The link's end of the requests: replay, records to send, answers; see requests.h.
 */
#include "control/strongswan/queue.h"

#include "control/strongswan/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define EXPIRIES 4
#define EXPIRE_AGAIN_NS 3000000000ull

/* Locked. In front of what waits: SAs, policies, SYNCED. */
static void
replay(struct requests *r)
{
	struct request_list waiting;
	struct journal_policy *p;
	struct journal_sa *sa;

	TAILQ_INIT(&waiting);
	TAILQ_CONCAT(&waiting, &r->queued, link);
	TAILQ_FOREACH(sa, &r->journal.sas, link)
	{
		struct request *q = sa->live ? queue_request(r, REPLAY, IKE_SA_ADD, NULL, 0, sa) : NULL;

		if (q)
			TAILQ_INSERT_TAIL(&r->queued, q, link);
	}
	TAILQ_FOREACH(p, &r->journal.policies, link)
	{
		struct ike_policy policy = p->policy;

		policy.replayed = 1;
		for (uint32_t i = 0; i < p->count; i++)
			queue_tell(r, REPLAY, IKE_POLICY_ADD, &policy, sizeof(policy));
	}
	queue_tell(r, REPLAY, IKE_SYNCED, NULL, 0);
	TAILQ_CONCAT(&r->queued, &waiting, link);
}

void
requests_connected(struct requests *r)
{
	uint32_t lost;

	pthread_mutex_lock(&r->lock);
	r->connected = true;
	replay(r);
	r->wake(r->arg);
	lost = r->notices_lost;
	r->notices_lost = 0;
	pthread_mutex_unlock(&r->lock);
	if (lost)
		DBG1(DBG_KNL, "isthmus: %u notices of IKE_SAs were lost while isthmusd was away", lost);
}

void
requests_lost(struct requests *r)
{
	struct request *q, *next;

	pthread_mutex_lock(&r->lock);
	r->connected = false;
	TAILQ_CONCAT(&r->sent, &r->queued, link);
	TAILQ_CONCAT(&r->queued, &r->sent, link);
	for (q = TAILQ_FIRST(&r->queued); q; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->manner == WAITS || q->manner == NOTICE)
			continue;
		TAILQ_REMOVE(&r->queued, q, link);
		queue_free(q);
	}
	pthread_mutex_unlock(&r->lock);
}

/* Locked. The record of an SA, with its keys, behind the header; returns its size. */
static size_t
write_sa(const struct journal_sa *sa, uint8_t *to)
{
	size_t selectors = ((size_t)sa->add.n_source + sa->add.n_destination) * sizeof(*sa->selectors);
	struct ike_sa_add *add = (struct ike_sa_add *)to;

	*add = sa->add;
	memcpy(add->encryption_key, sa->secret->encryption, sizeof(add->encryption_key));
	memcpy(add->integrity_key, sa->secret->integrity, sizeof(add->integrity_key));
	memcpy(add + 1, sa->selectors, selectors);
	return sizeof(*add) + selectors;
}

/* Locked. */
static size_t
write_record(const struct request *q, uint8_t *buffer)
{
	struct ike_header *h = (struct ike_header *)buffer;
	size_t size = q->size;

	if (q->type == IKE_SA_ADD)
		size = write_sa(q->sa, buffer + sizeof(*h));
	else
		memcpy(buffer + sizeof(*h), q->body, size);
	*h = (struct ike_header){.type = q->type, .length = (uint32_t)(sizeof(*h) + size), .serial = q->serial};
	return h->length;
}

/* Locked. */
static void
sent(struct requests *r, struct request *q)
{
	TAILQ_REMOVE(&r->queued, q, link);
	if (q->manner == NOTICE) {
		r->notices--;
		queue_free(q);
	} else
		TAILQ_INSERT_TAIL(&r->sent, q, link);
}

int
requests_send(struct requests *r, int fd, uint8_t *buffer, bool *idle)
{
	struct request *q;
	int error = 0;

	pthread_mutex_lock(&r->lock);
	q = TAILQ_FIRST(&r->queued);
	*idle = !q;
	if (q) {
		size_t size = write_record(q, buffer);

		if (send(fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size)
			sent(r, q);
		else
			error = errno == EWOULDBLOCK ? -EAGAIN : -errno;
		explicit_bzero(buffer, size);
	}
	pthread_mutex_unlock(&r->lock);
	return error;
}

/* Locked. isthmusd has done it: the journal follows before the connection can be lost. */
static void
record(struct requests *r, const struct request *q)
{
	switch (q->type) {
	case IKE_SA_ADD:
		q->sa->live = true;
		q->sa->expiries = 0;
		q->sa->add.flags |= IKE_REPLAYED;
		break;
	case IKE_SA_UPDATE:
		journal_update(&r->journal, q->sa, (const struct ike_sa_update *)q->body);
		break;
	case IKE_POLICY_ADD:
		if (q->manner == WAITS)
			journal_policy_add(&r->journal, (const struct ike_policy *)q->body);
		break;
	default:
		break;
	}
}

static int
check_answer(const struct request *q, const struct ike_header *h)
{
	size_t size = h->length - sizeof(*h);

	if (h->type == IKE_RESULT)
		return size == 0 && (h->result || q->answer_type == IKE_RESULT) ? 0 : -EPROTO;
	if (h->type != q->answer_type)
		return -EPROTO;
	return size == (h->type == IKE_SPI_ANSWER ? sizeof(q->answer.spi) : sizeof(q->answer.sa)) ? 0 : -EPROTO;
}

/* Locked. Nobody waits for it. */
static void
finish(struct requests *r, struct request *q)
{
	bool expected = q->manner == NO_WAIT && q->error == -ENOENT;

	if (q->manner == REPLAY && q->type == IKE_SA_ADD && q->error) {
		q->sa->expiries = EXPIRIES;
		q->sa->expire_at = r->dead_next = wire_now();
	} else if (q->error && !expected)
		DBG1(DBG_KNL, "isthmus: request of type %d refused: %s", q->type, strerror(-q->error));
	queue_free(q);
}

/* Locked. */
static struct request *
asked(const struct requests *r, uint64_t serial)
{
	struct request *q;

	TAILQ_FOREACH(q, &r->sent, link)
	if (q->serial == serial)
		return q;
	return NULL;
}

/* Locked. An answer that came after its asker had given up is nobody's. */
static int
answer(struct requests *r, const struct ike_header *h)
{
	struct request *q = asked(r, h->serial);
	size_t size = h->length - sizeof(*h);

	if (!q)
		return h->serial && h->serial <= r->serial ? 0 : -EPROTO;
	if (check_answer(q, h) != 0)
		return -EPROTO;

	TAILQ_REMOVE(&r->sent, q, link);
	q->done = true;
	q->error = -(int)h->result;
	if (size)
		memcpy(&q->answer, h + 1, size);
	if (!q->error)
		record(r, q);
	if (q->manner == WAITS)
		pthread_cond_signal(&q->answered);
	else
		finish(r, q);
	return 0;
}

int
requests_answer(struct requests *r, const struct ike_header *h)
{
	int error;

	pthread_mutex_lock(&r->lock);
	error = answer(r, h);
	pthread_mutex_unlock(&r->lock);
	return error;
}

/* Locked. The first one that is due; *next: the earliest of the others. */
static struct journal_sa *
find_dead(struct requests *r, uint64_t now, uint64_t *next)
{
	struct journal_sa *sa;

	*next = 0;
	TAILQ_FOREACH(sa, &r->journal.sas, link)
	{
		if (!sa->expiries)
			continue;
		if (sa->expire_at <= now)
			return sa;
		if (!*next || sa->expire_at < *next)
			*next = sa->expire_at;
	}
	return NULL;
}

bool
requests_dead(struct requests *r, struct ike_sa_id *id, uint64_t *next)
{
	uint64_t now = wire_now();
	struct journal_sa *sa = NULL;

	pthread_mutex_lock(&r->lock);
	if (r->dead_next && now >= r->dead_next) {
		sa = find_dead(r, now, &r->dead_next);
		if (sa) {
			*id = sa->add.id;
			sa->expiries--;
			sa->expire_at = now + EXPIRE_AGAIN_NS;
			r->dead_next = now;
			/* To the end, so that thousands of dead SAs are found at once. */
			TAILQ_REMOVE(&r->journal.sas, sa, link);
			TAILQ_INSERT_TAIL(&r->journal.sas, sa, link);
		}
	}
	*next = r->dead_next;
	pthread_mutex_unlock(&r->lock);
	return sa != NULL;
}
