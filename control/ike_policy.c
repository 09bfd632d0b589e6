/* Policies: those without an SA are traps that raise ACQUIRE. What an SA carries is in its own selectors, so a policy
 * of one has nothing to say here; shunts (pass, drop) are not ours: a route decides.
 */
#include "control/ike_store_state.h"

#include "drivers/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ASK_NS 1000000000ull /* a trap asks once a second */

static struct ike_trap **
trap_find(struct ike_peer *p, const struct ike_policy *policy)
{
	struct ike_trap **at = &p->traps;

	while (*at && ((*at)->reqid != policy->reqid ||
			      memcmp(&(*at)->source, &policy->source, sizeof(policy->source)) != 0 ||
			      memcmp(&(*at)->destination, &policy->destination, sizeof(policy->destination)) != 0))
		at = &(*at)->next;
	return at;
}

static bool
is_trap(const struct ike_policy *p)
{
	return p->trap && p->dir == IKE_POLICY_OUT && p->type == IKE_POLICY_IPSEC;
}

static uint16_t
trap_add(struct ike_store *s, const struct ike_policy *policy)
{
	struct ike_peer *p = ike_peer_get(s, policy->if_id);
	struct ike_trap *t, **at;

	if (!p)
		return ENOMEM;
	at = trap_find(p, policy);
	t = *at ? *at : calloc(1, sizeof(*t));
	if (!t)
		return ENOMEM;
	if (!*at)
		*t = (struct ike_trap){
			.reqid = policy->reqid, .source = policy->source, .destination = policy->destination};
	t->uses++;
	*at = t;
	return 0;
}

void
ike_policy_add(struct ike_store *s, const struct ike_header *h, const struct ike_policy *p)
{
	uint16_t result = 0;

	if (p->type != IKE_POLICY_IPSEC)
		result = EOPNOTSUPP;
	else if (is_trap(p))
		result = trap_add(s, p);
	ike_answer(s, h, result);
}

void
ike_policy_delete(struct ike_store *s, const struct ike_header *h, const struct ike_policy *policy)
{
	struct ike_peer *p = is_trap(policy) ? ike_peer_get(s, policy->if_id) : NULL;
	struct ike_trap **at = p ? trap_find(p, policy) : NULL;

	if (at && *at && --(*at)->uses == 0) {
		struct ike_trap *t = *at;

		*at = t->next;
		free(t);
	}
	ike_answer(s, h, 0);
}

static void
traps_free(struct ike_peer *p)
{
	while (p->traps) {
		struct ike_trap *t = p->traps;

		p->traps = t->next;
		free(t);
	}
}

void
ike_policies_flush(struct ike_store *s)
{
	for (uint32_t i = 0; i < PEER_BUCKETS; i++)
		for (struct ike_peer *p = s->peer[i]; p; p = p->hash_next)
			traps_free(p);
}

/* ---- misses ------------------------------------------------------------------------- */

static struct ike_selector
selector_of(const struct ip_addr *a, uint8_t protocol, uint16_t port)
{
	struct ike_selector s = {
		.family = a->family == IP_V4 ? 4 : 6, .protocol = protocol, .port_first = port, .port_last = port};

	memcpy(s.first, a->b, a->family == IP_V4 ? 4 : 16);
	memcpy(s.last, s.first, sizeof(s.last));
	return s;
}

static void
acquire(struct ike_store *s, const struct ike_peer *p, struct ike_trap *t, const struct tunnel_miss *m)
{
	uint64_t now = clock_boot_ns();
	struct ike_acquire a = {.reqid = t->reqid,
		.if_id = p->if_id,
		.source = selector_of(&m->source, m->protocol, m->source_port),
		.destination = selector_of(&m->destination, m->protocol, m->destination_port)};

	if (t->asked_ns && now - t->asked_ns < ASK_NS)
		return;
	t->asked_ns = now;
	s->tools.send(s->tools.context, IKE_ACQUIRE, 0, 0, &a, sizeof(a));
}

static struct ike_peer *
peer_of_tunnel(const struct ike_store *s, uint32_t name)
{
	for (uint32_t i = 0; i < s->n_connections; i++)
		if (s->connection[i] && s->connection[i]->name_tunnel == name)
			return s->connection[i];
	return NULL;
}

const char *
ike_store_tunnel(const struct ike_store *s, uint32_t name)
{
	const struct ike_peer *p = peer_of_tunnel(s, name);

	return p ? p->name : NULL;
}

void
ike_store_miss(struct ike_store *s, const struct tunnel_miss *m)
{
	struct ike_peer *p = s->synced ? peer_of_tunnel(s, m->name) : NULL;

	for (struct ike_trap *t = p ? p->traps : NULL; t; t = t->next) {
		if (ike_selector_has(&t->source, &m->source, m->protocol, m->source_port) &&
			ike_selector_has(&t->destination, &m->destination, m->protocol, m->destination_port)) {
			acquire(s, p, t, m);
			return;
		}
	}
}
