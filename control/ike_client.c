/* Point-to-site clients: all of a gateway's are one peer, and a client is known by its name and the address it was
 * given. Its SAs change with each rekeying; how long it has been there, and what it has sent, does not.
 */
#include "control/ike_store_state.h"

#include <string.h>

/* Another SA of the same client; either: of either direction. */
static struct ike_sa *
another(const struct ike_sa *sa, bool either)
{
	for (struct ike_sa *s = sa->peer->sas; s; s = s->next)
		if (s != sa && (either || s->outbound == sa->outbound) && s->n_selectors > 0 && sa->n_selectors > 0 &&
			prefix_equal(&s->selector[0].remote, &sa->selector[0].remote) &&
			strcmp(s->identity, sa->identity) == 0)
			return s;
	return NULL;
}

void
ike_client_join(struct ike_sa *sa)
{
	const struct ike_sa *before = sa->peer->kind == IKE_PEER_GATEWAY ? another(sa, true) : NULL;

	sa->past.since_ns = before ? before->past.since_ns : sa->added_ns;
}

void
ike_client_leave(struct ike_sa *sa)
{
	struct ike_sa *heir = sa->peer->kind == IKE_PEER_GATEWAY ? another(sa, false) : NULL;
	struct sa_counters c;

	if (!heir)
		return;
	sa_counters_read(sa->sa, &c);
	heir->past.bytes += sa->past.bytes + c.bytes;
	heir->past.packets += sa->past.packets + c.packets;
}
