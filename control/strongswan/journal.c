/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The SAs and policies that charon believes to be installed; see journal.h.
 */
#include "control/strongswan/journal.h"

#include "control/strongswan/wire.h"

#include <stdlib.h>
#include <string.h>

static u_int
sa_hash(const void *key)
{
	const struct journal_sa *sa = key;

	return chunk_hash_static(chunk_from_thing(sa->add.id.spi));
}

static bool
sa_equals(const void *a, const void *b)
{
	const struct journal_sa *x = a, *y = b;

	return x->add.id.spi == y->add.id.spi && wire_same_ip(&x->add.id.destination, &y->add.id.destination);
}

static u_int
policy_hash(const void *key)
{
	const struct journal_policy *p = key;

	return chunk_hash_static(chunk_from_thing(p->policy));
}

static bool
policy_equals(const void *a, const void *b)
{
	const struct journal_policy *x = a, *y = b;

	return memcmp(&x->policy, &y->policy, sizeof(x->policy)) == 0;
}

void
journal_init(struct journal *j)
{
	TAILQ_INIT(&j->sas);
	TAILQ_INIT(&j->policies);
	j->by_spi = hashtable_create(sa_hash, sa_equals, 64);
	j->by_policy = hashtable_create(policy_hash, policy_equals, 64);
}

void
journal_clear(struct journal *j)
{
	while (!TAILQ_EMPTY(&j->sas))
		journal_remove(j, TAILQ_FIRST(&j->sas));
	journal_policies_clear(j);
	j->by_spi->destroy(j->by_spi);
	j->by_policy->destroy(j->by_policy);
}

struct journal_sa *
journal_sa_new(const struct ike_sa_add *add, const struct ike_selector *selectors)
{
	size_t n = (size_t)add->n_source + add->n_destination;
	struct journal_sa *sa = calloc(1, sizeof(*sa));

	if (!sa)
		return NULL;
	sa->references = 1;
	sa->secret = secret_new();
	sa->selectors = calloc(n + 1, sizeof(*selectors));
	if (!sa->secret || !sa->selectors) {
		journal_sa_release(sa);
		return NULL;
	}
	sa->add = *add;
	memcpy(sa->selectors, selectors, n * sizeof(*selectors));
	memcpy(sa->secret->encryption, add->encryption_key, sizeof(add->encryption_key));
	memcpy(sa->secret->integrity, add->integrity_key, sizeof(add->integrity_key));
	explicit_bzero(sa->add.encryption_key, sizeof(sa->add.encryption_key));
	explicit_bzero(sa->add.integrity_key, sizeof(sa->add.integrity_key));
	return sa;
}

void
journal_sa_release(struct journal_sa *sa)
{
	if (!sa || --sa->references > 0)
		return;
	secret_free(sa->secret);
	free(sa->selectors);
	free(sa);
}

void
journal_insert(struct journal *j, struct journal_sa *sa)
{
	struct journal_sa *former = j->by_spi->get(j->by_spi, sa);

	if (former)
		journal_remove(j, former);
	j->by_spi->put(j->by_spi, sa, sa);
	TAILQ_INSERT_TAIL(&j->sas, sa, link);
	sa->references++;
	sa->listed = true;
}

void
journal_remove(struct journal *j, struct journal_sa *sa)
{
	if (!sa->listed)
		return;
	j->by_spi->remove(j->by_spi, sa);
	TAILQ_REMOVE(&j->sas, sa, link);
	sa->listed = false;
	journal_sa_release(sa);
}

struct journal_sa *
journal_find(const struct journal *j, uint32_t spi, const struct ike_address *destination)
{
	struct journal_sa key = {.add.id = {.spi = spi, .destination = *destination}};

	return j->by_spi->get(j->by_spi, &key);
}

void
journal_update(struct journal *j, struct journal_sa *sa, const struct ike_sa_update *update)
{
	if (!sa->listed)
		return;
	j->by_spi->remove(j->by_spi, sa);
	sa->add.id.source = update->new_source;
	sa->add.id.destination = update->new_destination;
	if (update->new_reqid)
		sa->add.reqid = update->new_reqid;
	sa->add.flags = update->encap ? sa->add.flags | IKE_ENCAP : sa->add.flags & ~(uint32_t)IKE_ENCAP;
	j->by_spi->put(j->by_spi, sa, sa);
}

void
journal_policy_add(struct journal *j, const struct ike_policy *policy)
{
	struct journal_policy key = {.policy = *policy}, *p = j->by_policy->get(j->by_policy, &key);

	if (!p)
		p = calloc(1, sizeof(*p));
	if (!p)
		return;
	if (p->count++ > 0)
		return;
	p->policy = *policy;
	j->by_policy->put(j->by_policy, p, p);
	TAILQ_INSERT_TAIL(&j->policies, p, link);
}

static void
forget(struct journal *j, struct journal_policy *p)
{
	j->by_policy->remove(j->by_policy, p);
	TAILQ_REMOVE(&j->policies, p, link);
	free(p);
}

void
journal_policy_remove(struct journal *j, const struct ike_policy *policy)
{
	struct journal_policy key = {.policy = *policy}, *p = j->by_policy->get(j->by_policy, &key);

	if (p && --p->count == 0)
		forget(j, p);
}

void
journal_policies_clear(struct journal *j)
{
	while (!TAILQ_EMPTY(&j->policies))
		forget(j, TAILQ_FIRST(&j->policies));
}
