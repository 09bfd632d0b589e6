/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What charon's threads want of isthmusd; see requests.h.
 */
#include "control/strongswan/queue.h"

#include <errno.h>
#include <string.h>

#define NOTICES_MAX 1024 /* kept while isthmusd is away */

int
requests_spi(struct requests *r, const struct ike_spi_get *get, uint32_t *spi)
{
	struct ike_spi_answer answer = {0};
	int error;

	pthread_mutex_lock(&r->lock);
	error = queue_ask(r, IKE_SPI_GET, get, sizeof(*get), NULL, &answer, sizeof(answer));
	pthread_mutex_unlock(&r->lock);
	*spi = answer.spi;
	return error;
}

int
requests_sa_add(struct requests *r, const struct ike_sa_add *add, const struct ike_selector *selectors)
{
	struct journal_sa *sa;
	int error;

	pthread_mutex_lock(&r->lock);
	sa = journal_sa_new(add, selectors);
	if (sa) {
		journal_insert(&r->journal, sa);
		error = queue_ask(r, IKE_SA_ADD, NULL, 0, sa, NULL, 0);
		if (error)
			journal_remove(&r->journal, sa);
		journal_sa_release(sa);
	} else
		error = -ENOMEM;
	pthread_mutex_unlock(&r->lock);
	return error;
}

/* Locked. What isthmusd calls the SA: with the ports that it was added with. */
static struct journal_sa *
find(struct requests *r, struct ike_sa_id *id)
{
	struct journal_sa *sa = journal_find(&r->journal, id->spi, &id->destination);

	if (sa)
		*id = sa->add.id;
	return sa;
}

int
requests_sa_update(struct requests *r, struct ike_sa_update *update)
{
	struct journal_sa *sa;
	int error = -ENOENT;

	pthread_mutex_lock(&r->lock);
	sa = find(r, &update->id);
	if (sa)
		error = queue_ask(r, IKE_SA_UPDATE, update, sizeof(*update), sa, NULL, 0);
	pthread_mutex_unlock(&r->lock);
	return error;
}

int
requests_sa_query(struct requests *r, struct ike_sa_id *id, struct ike_sa_answer *answer)
{
	int error = -ENOTCONN;

	memset(answer, 0, sizeof(*answer));
	pthread_mutex_lock(&r->lock);
	find(r, id);
	if (r->connected)
		error = queue_ask(r, IKE_SA_QUERY, id, sizeof(*id), NULL, answer, sizeof(*answer));
	pthread_mutex_unlock(&r->lock);
	return error;
}

int
requests_policy_add(struct requests *r, const struct ike_policy *policy)
{
	int error;

	pthread_mutex_lock(&r->lock);
	error = queue_ask(r, IKE_POLICY_ADD, policy, sizeof(*policy), NULL, NULL, 0);
	pthread_mutex_unlock(&r->lock);
	return error;
}

void
requests_sa_delete(struct requests *r, struct ike_sa_id *id)
{
	struct journal_sa *sa;

	pthread_mutex_lock(&r->lock);
	sa = find(r, id);
	if (sa)
		journal_remove(&r->journal, sa);
	if (r->connected)
		queue_tell(r, NO_WAIT, IKE_SA_DELETE, id, sizeof(*id));
	pthread_mutex_unlock(&r->lock);
}

void
requests_sa_flush(struct requests *r)
{
	pthread_mutex_lock(&r->lock);
	while (!TAILQ_EMPTY(&r->journal.sas))
		journal_remove(&r->journal, TAILQ_FIRST(&r->journal.sas));
	if (r->connected)
		queue_tell(r, NO_WAIT, IKE_SA_FLUSH, NULL, 0);
	pthread_mutex_unlock(&r->lock);
}

void
requests_policy_delete(struct requests *r, const struct ike_policy *policy)
{
	pthread_mutex_lock(&r->lock);
	journal_policy_remove(&r->journal, policy);
	if (r->connected)
		queue_tell(r, NO_WAIT, IKE_POLICY_DELETE, policy, sizeof(*policy));
	pthread_mutex_unlock(&r->lock);
}

void
requests_policy_flush(struct requests *r)
{
	pthread_mutex_lock(&r->lock);
	journal_policies_clear(&r->journal);
	if (r->connected)
		queue_tell(r, NO_WAIT, IKE_POLICY_FLUSH, NULL, 0);
	pthread_mutex_unlock(&r->lock);
}

void
requests_notice(struct requests *r, uint16_t type, const void *body, size_t size)
{
	pthread_mutex_lock(&r->lock);
	if (r->notices < NOTICES_MAX) {
		r->notices++;
		queue_tell(r, NOTICE, type, body, size);
	} else
		r->notices_lost++;
	pthread_mutex_unlock(&r->lock);
}
