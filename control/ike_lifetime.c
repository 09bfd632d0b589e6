/* Lifetimes of negotiated SAs: deadlines are looked at here, bytes and packets by the workers, who tell once. */
#include "control/ike_store_state.h"

#include "drivers/clock.h"

#define DRAIN_NS 1000000000ull

void
ike_sa_expire(struct ike_store *s, struct ike_sa *sa, bool hard)
{
	struct ike_expire e = {.id = sa->id, .hard = hard};

	if (!s->synced || sa->orphan || sa->deleted || (hard ? sa->hard_told : sa->soft_told))
		return;
	*(hard ? &sa->hard_told : &sa->soft_told) = true;
	s->tools.send(s->tools.context, IKE_EXPIRE, 0, 0, &e, sizeof(e));
}

/* Whether charon is there or not: past its hard deadline a key is not used. */
static void
deadline(struct ike_store *s, struct ike_sa *sa, uint64_t now_ns)
{
	if (sa->hard_ns && now_ns >= sa->hard_ns) {
		ike_sa_expire(s, sa, true);
		ike_sa_remove(s, sa);
	} else if (sa->soft_ns && now_ns >= sa->soft_ns) {
		ike_sa_expire(s, sa, false);
	}
}

/* Inbound, of the same selectors, and charon's still. */
static bool
goes_on(const struct ike_peer *p, uint32_t reqid, const struct ike_sa *without)
{
	for (const struct ike_sa *sa = p->sas; sa; sa = sa->next)
		if (sa != without && !sa->outbound && !sa->deleted && sa->reqid == reqid)
			return true;
	return false;
}

bool
ike_sa_drain(struct ike_sa *sa)
{
	uint64_t until = clock_boot_ns() + DRAIN_NS;

	if (sa->outbound || sa->waits || !goes_on(sa->peer, sa->reqid, sa))
		return false;
	sa->deleted = true;
	if (sa->hard_ns == 0 || sa->hard_ns > until)
		sa->hard_ns = until;
	return true;
}

void
ike_sas_drained(struct ike_store *s, struct ike_peer *p, uint32_t reqid)
{
	if (goes_on(p, reqid, NULL))
		return;
	for (struct ike_sa *sa = p->sas, *next; sa; sa = next) {
		next = sa->next;
		if (sa->deleted && sa->reqid == reqid)
			ike_sa_remove(s, sa);
	}
}

void
ike_sas_tick(struct ike_store *s, uint64_t now_ns)
{
	/* all in a second, or at once where they are few */
	uint32_t n = s->n_sas > 1000 ? SA_BUCKETS / 10 + 1 : SA_BUCKETS;

	for (uint32_t i = 0; i < n; i++, s->sweep = (s->sweep + 1) % SA_BUCKETS) {
		for (struct ike_sa *sa = s->bucket[s->sweep], *next; sa; sa = next) {
			next = sa->hash_next;
			deadline(s, sa, now_ns);
		}
	}
	if (s->orphans_ns && now_ns >= s->orphans_ns) {
		s->orphans_ns = 0;
		ike_sas_remove(s, true);
	}
}

void
ike_sas_catch_up(struct ike_store *s)
{
	struct sa_counters c;

	for (uint32_t i = 0; i < SA_BUCKETS; i++) {
		for (struct ike_sa *sa = s->bucket[i]; sa; sa = sa->hash_next) {
			sa_counters_read(sa->sa, &c);
			if (c.hard_expired || c.exhausted)
				ike_sa_expire(s, sa, true);
			else if (c.soft_expired)
				ike_sa_expire(s, sa, false);
		}
	}
}
