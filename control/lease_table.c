/* Each operation is one column-wise reading of the vendor's table; lease_table.h says whose.
 *
 * Two of its cells are doubtful, as copies of the page differ. A holder's renewal of a broken lease is refused (an
 * acquisition is not: it makes a new epoch). A second break of a breaking lease may only bring the end nearer, and
 * one of a broken or expired lease finds it broken.
 */
#include "control/lease_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint64_t
end_of(uint64_t now_ns, uint64_t duration_ns)
{
	return duration_ns >= LEASE_INFINITE - now_ns ? LEASE_INFINITE : now_ns + duration_ns;
}

static bool
is_holder(const struct lease *l, const char *who)
{
	return l->state != LEASE_AVAILABLE && strcmp(l->holder, who) == 0;
}

static void
expire(struct lease *l)
{
	if (l->state == LEASE_LEASED)
		l->state = LEASE_EXPIRED;
	else if (l->state == LEASE_BREAKING)
		l->state = LEASE_BROKEN;
}

static void
hold(struct lease *l, const char *who, uint64_t now_ns)
{
	if (l->state != LEASE_LEASED || !is_holder(l, who))
		l->epoch++;
	if (l->holder != who)
		snprintf(l->holder, sizeof(l->holder), "%s", who);
	l->state = LEASE_LEASED;
	l->end_ns = end_of(now_ns, l->duration_ns);
}

static int
acquire(struct lease *l, const struct lease_request *r, uint64_t now_ns)
{
	if (l->state == LEASE_BREAKING || (l->state == LEASE_LEASED && !is_holder(l, r->who)))
		return -EBUSY;
	l->duration_ns = r->duration_ns;
	hold(l, r->who, now_ns);
	return 0;
}

/* Whose lease ran out may go on with it, in the same epoch, as long as nobody else took it. */
static int
renew(struct lease *l, const struct lease_request *r, uint64_t now_ns)
{
	if (!is_holder(l, r->who) || (l->state != LEASE_LEASED && l->state != LEASE_EXPIRED))
		return -EBUSY;
	l->state = LEASE_LEASED;
	l->end_ns = end_of(now_ns, l->duration_ns);
	return 0;
}

static int
change(struct lease *l, const struct lease_request *r, uint64_t now_ns)
{
	if (!is_holder(l, r->who) || l->state != LEASE_LEASED)
		return -EBUSY;
	hold(l, r->to, now_ns);
	return 0;
}

static int
break_lease(struct lease *l, const struct lease_request *r, uint64_t now_ns)
{
	uint64_t end_ns = end_of(now_ns, r->duration_ns);

	if (l->state == LEASE_AVAILABLE)
		return -EBUSY;
	if (l->state == LEASE_LEASED || l->state == LEASE_BREAKING) {
		l->state = r->duration_ns == 0 ? LEASE_BROKEN : LEASE_BREAKING;
		if (end_ns < l->end_ns)
			l->end_ns = end_ns;
	}
	if (l->state == LEASE_EXPIRED)
		l->state = LEASE_BROKEN;
	return 0;
}

static int
release(struct lease *l, const struct lease_request *r)
{
	if (!is_holder(l, r->who))
		return -EBUSY;
	l->state = LEASE_AVAILABLE;
	l->holder[0] = '\0';
	return 0;
}

void
lease_pass(struct lease *l, uint64_t now_ns)
{
	if (now_ns >= l->end_ns && l->end_ns != LEASE_INFINITE)
		expire(l);
}

int
lease_apply(struct lease *l, const struct lease_request *r, uint64_t now_ns)
{
	lease_pass(l, now_ns);
	switch (r->operation) {
	case LEASE_ACQUIRE:
		return acquire(l, r, now_ns);
	case LEASE_RENEW:
		return renew(l, r, now_ns);
	case LEASE_CHANGE:
		return change(l, r, now_ns);
	case LEASE_BREAK:
		return break_lease(l, r, now_ns);
	case LEASE_RELEASE:
		return release(l, r);
	case LEASE_EXPIRE:
		expire(l);
		return 0;
	case LEASE_OPERATIONS:
		break;
	}
	return -EINVAL;
}
