/* Packets that wait for their neighbour, bounded for each and for all. Control thread. */
#include "dataplane/neighbour_state.h"
#include "dataplane/exception.h"
#include "dataplane/frame.h"
#include "dataplane/icmp.h"

#include <stdlib.h>

bool
neighbour_waiting_take(struct neighbours *s, struct neighbour *n, struct event *e)
{
	struct waiting *p = STAILQ_FIRST(&n->waiting);

	if (!p)
		return false;
	STAILQ_REMOVE_HEAD(&n->waiting, link);
	n->n_waiting--;
	*e = p->e;
	STAILQ_INSERT_HEAD(&s->waiting_free, p, link);
	return true;
}

void
neighbour_waiting_put(struct dataplane *dp, struct neighbour *n, const struct event *e)
{
	struct neighbours *s = dp->neighbour_state;
	struct waiting *p;
	struct event oldest;

	if (n->n_waiting == WAITING_EACH_MAX && neighbour_waiting_take(s, n, &oldest))
		dataplane_drop(dp, oldest.m, DROP_NEIGHBOUR_QUEUE_FULL);
	p = STAILQ_FIRST(&s->waiting_free);
	if (!p) {
		dataplane_drop(dp, e->m, DROP_NEIGHBOUR_QUEUE_FULL);
		return;
	}
	STAILQ_REMOVE_HEAD(&s->waiting_free, link);
	p->e = *e;
	STAILQ_INSERT_TAIL(&n->waiting, p, link);
	n->n_waiting++;
}

/* The packet alone: neither the old link header nor padding behind it. */
static bool
strip(struct rte_mbuf *m, uint16_t l3_off, struct ip_summary *ip)
{
	if (l3_off > m->data_len || m->nb_segs != 1)
		return false;
	rte_pktmbuf_adj(m, l3_off);
	if (!ip_read(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, ip))
		return false;
	rte_pktmbuf_trim(m, m->data_len - ip->length);
	return true;
}

void
neighbour_send(struct dataplane *dp, const struct neighbour *n, const struct event *e)
{
	struct ip_summary ip;

	if (!strip(e->m, e->l3_off, &ip)) {
		dataplane_drop(dp, e->m, DROP_TRUNCATED);
		return;
	}
	frame_send(
		dp, frame_iface(dp, n->iface), NULL, &n->mac, ip.v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4, e->m);
}

/* Nobody answers. The sender is told, unless that is ourselves (packets sealed by us). */
void
neighbour_refuse(struct dataplane *dp, const struct neighbour *n, const struct event *e)
{
	struct event error = *e;
	struct ip_summary ip;

	error.reason = DROP_NEIGHBOUR_UNRESOLVED;
	if (e->l3_off > e->m->data_len ||
		!ip_read(rte_pktmbuf_mtod_offset(e->m, const uint8_t *, e->l3_off), e->m->data_len - e->l3_off, &ip) ||
		iface_owns(frame_iface(dp, n->iface), &ip.source))
		dataplane_drop(dp, e->m, DROP_NEIGHBOUR_UNRESOLVED);
	else
		exception_error(dp, &error);
}

void
neighbour_waiting_send(struct dataplane *dp, struct neighbour *n)
{
	struct event e;

	while (neighbour_waiting_take(dp->neighbour_state, n, &e))
		neighbour_send(dp, n, &e);
}

void
neighbour_waiting_refuse(struct dataplane *dp, struct neighbour *n)
{
	struct event e;

	while (neighbour_waiting_take(dp->neighbour_state, n, &e))
		neighbour_refuse(dp, n, &e);
}

void
neighbour_waiting_drop(struct dataplane *dp, struct neighbour *n, enum drop_reason reason)
{
	struct event e;

	while (neighbour_waiting_take(dp->neighbour_state, n, &e))
		dataplane_drop(dp, e.m, reason);
}
