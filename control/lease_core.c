/* A primary renews at a third of the duration, so that two requests may fail; a failed one is repeated soon, then
 * less often. Roles end in three ways: at the deadline, by an answer that says another has it, and on leaving.
 */
#include "control/lease_core.h"

#include <stdio.h>
#include <string.h>

static void
become(struct lease_core *c, enum lease_role role, uint64_t deadline_ns)
{
	c->deadline_ns = deadline_ns;
	if (c->role != role)
		c->transitions++;
	c->role = role;
}

static uint64_t
later(uint64_t from_ns, uint64_t by_ns)
{
	return by_ns >= LEASE_INFINITE - from_ns ? LEASE_INFINITE : from_ns + by_ns;
}

/* A twentieth of the duration, doubled up to a sixth: two tries at least fit between a renewal and its deadline. */
static uint64_t
retry_ns(const struct lease_core *c)
{
	uint64_t wait_ns = c->terms.duration_ns / 20 << (c->failures < 4 ? c->failures : 4);

	return wait_ns < c->terms.duration_ns / 6 ? wait_ns : c->terms.duration_ns / 6;
}

static void
granted(struct lease_core *c, const struct lease_answer *a, uint64_t now_ns)
{
	uint64_t until_ns = later(c->asked_ns, c->terms.duration_ns);

	if (until_ns != LEASE_INFINITE)
		until_ns -= c->terms.margin_ns;
	/* between two epochs it may have been another's */
	if (a->epoch != c->epoch)
		become(c, LEASE_FOLLOWER, 0);
	c->epoch = a->epoch;
	c->next_ns = later(c->asked_ns, c->terms.duration_ns / 3);
	if (now_ns < until_ns) {
		become(c, LEASE_PRIMARY, until_ns);
	} else {
		become(c, LEASE_FOLLOWER, 0);
		c->next_ns = later(now_ns, c->terms.duration_ns / 20);
	}
}

static void
failed(struct lease_core *c, const char *error, uint64_t now_ns)
{
	snprintf(c->error, sizeof(c->error), "%s", error);
	c->next_ns = later(now_ns, retry_ns(c));
	c->failures++;
}

void
lease_core_init(struct lease_core *c, const struct lease_terms *terms, uint64_t now_ns)
{
	*c = (struct lease_core){.terms = *terms, .next_ns = later(now_ns, terms->wait_ns)};
}

bool
lease_core_tick(struct lease_core *c, uint64_t now_ns)
{
	if (c->role == LEASE_PRIMARY && now_ns >= c->deadline_ns)
		become(c, LEASE_FOLLOWER, 0);
	if (c->asking || c->leaving || now_ns < c->next_ns)
		return false;
	c->asking = true;
	c->asked_ns = now_ns;
	return true;
}

void
lease_core_answer(struct lease_core *c, const struct lease_answer *a, uint64_t now_ns)
{
	if (!c->asking)
		return;
	c->asking = false;
	if (c->leaving)
		return;
	if (a->verdict == LEASE_FAILED) {
		failed(c, a->error, now_ns);
		return;
	}
	/* the storage was emptied or replaced: whoever goes by epochs would take us for an old primary */
	if (a->verdict == LEASE_GRANTED && a->epoch < c->epoch_seen) {
		become(c, LEASE_FOLLOWER, 0);
		failed(c, "the lease's epoch went back: its storage was emptied or replaced", now_ns);
		return;
	}
	c->failures = 0;
	c->error[0] = '\0';
	snprintf(c->holder, sizeof(c->holder), "%s", a->holder);
	if (a->epoch > c->epoch_seen)
		c->epoch_seen = a->epoch;
	if (a->verdict == LEASE_GRANTED) {
		granted(c, a, now_ns);
		return;
	}
	c->epoch = 0;
	become(c, LEASE_FOLLOWER, 0);
	c->next_ns = later(now_ns, c->terms.poll_ns);
}

void
lease_core_leave(struct lease_core *c)
{
	c->leaving = true;
	become(c, LEASE_FOLLOWER, 0);
}

void
lease_core_resume(struct lease_core *c, uint64_t now_ns)
{
	c->leaving = c->asking = false;
	c->failures = 0;
	c->epoch = 0;
	c->next_ns = later(now_ns, c->terms.wait_ns);
}
