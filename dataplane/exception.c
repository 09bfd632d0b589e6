/* The exception path: what workers punt, answered on the control thread.
 *
 * Every mbuf ends in exactly one place: sent on (echo, and what waited for its neighbour), or
 * dropped with the reason that was found, HANDLED when all is well. Answers other than echo go
 * out in buffers of their own; daemons get copies.
 */
#include "dataplane/exception.h"
#include "dataplane/arp.h"
#include "dataplane/frame.h"
#include "dataplane/icmp.h"
#include "dataplane/nd.h"
#include "dataplane/neighbour.h"

#include "drivers/clock.h"
#include "drivers/log.h"

#include <stdlib.h>

#define SECOND 1000000000ull
#define ICMP_RATE 1000 /* errors per second, over all workers */
#define ICMP_BURST 200
#define CONFLICT_LOG_NS (10 * SECOND)

struct exception {
	struct exception_stats stats;
	uint64_t tokens_ns, refilled_ns; /* one error costs SECOND / ICMP_RATE */
	uint64_t conflict_logged_ns;
};

struct exception *
exception_create(struct dataplane *dp)
{
	struct exception *x = calloc(1, sizeof(*x));

	(void)dp;
	if (x)
		x->refilled_ns = clock_boot_ns();
	if (x)
		x->tokens_ns = ICMP_BURST * (SECOND / ICMP_RATE);
	return x;
}

void
exception_free(struct exception *x)
{
	free(x);
}

const struct exception_stats *
exception_stats(const struct exception *x)
{
	return &x->stats;
}

/* ---- ICMP errors ------------------------------------------------------------------------------ */

static bool
rate_allows(struct exception *x)
{
	uint64_t now = clock_boot_ns(), full = ICMP_BURST * (SECOND / ICMP_RATE);

	x->tokens_ns += now - x->refilled_ns;
	x->refilled_ns = now;
	if (x->tokens_ns > full)
		x->tokens_ns = full;
	if (x->tokens_ns < SECOND / ICMP_RATE) {
		x->stats.icmp_errors_limited++;
		return false;
	}
	x->tokens_ns -= SECOND / ICMP_RATE;
	return true;
}

/* Whose name the error bears. A gateway interface has no address: any subnet of its VNet lends one. */
static bool
error_source(const struct dataplane *dp, uint16_t iface, const struct ip_addr *to, struct ip_addr *out)
{
	const struct iface *i = frame_iface(dp, iface);

	if (i->kind == IFACE_INVALID)
		return false;
	if (iface_source(i, to, out))
		return true;
	for (uint32_t id = 0; id < dp->view->n_ifaces; id++) {
		const struct iface *other = &dp->view->iface[id];

		if (other->kind == IFACE_SUBNET && other->vnet == i->vnet && iface_source(other, to, out))
			return true;
	}
	return false;
}

/* A subnet's own broadcast address is no sender. */
static bool
directed_broadcast(const struct iface *i, const struct ip_addr *a)
{
	for (uint8_t n = 0; n < i->n_prefixes; n++)
		if (a->family == IP_V4 && i->prefix[n].len <= 30 && prefix_has(&i->prefix[n], a) &&
			(~address_v4(a) & (UINT32_MAX >> i->prefix[n].len)) == 0)
			return true;
	return false;
}

static bool
error_due(struct dataplane *dp, const struct event *e, const uint8_t *d, const struct ip_summary *ip,
	struct icmp_error *error, struct ip_addr *source)
{
	const struct iface *i = frame_iface(dp, e->iface);

	return icmp_error_for(e->reason, ip, e->mtu, error) && icmp_error_allowed(d, ip) &&
	       !iface_owns(i, &ip->source) && !directed_broadcast(i, &ip->source) &&
	       !directed_broadcast(i, &ip->destination) && error_source(dp, e->iface, &ip->source, source) &&
	       rate_allows(dp->exception);
}

void
exception_error(struct dataplane *dp, const struct event *e)
{
	const uint8_t *d = rte_pktmbuf_mtod_offset(e->m, const uint8_t *, e->l3_off);
	struct ip_summary ip;
	struct icmp_error error;
	struct ip_addr source;
	struct rte_mbuf *m;

	if (e->l3_off < e->m->data_len && ip_read(d, e->m->data_len - e->l3_off, &ip) &&
		error_due(dp, e, d, &ip, &error, &source) && (m = frame_new(dp))) {
		rte_pktmbuf_append(
			m, (uint16_t)icmp_error_write(rte_pktmbuf_mtod(m, uint8_t *), &error, &source, d, &ip));
		dp->exception->stats.icmp_errors++;
		dataplane_send_answer(dp, e, m, 0);
	}
	dataplane_drop(dp, e->m, e->reason);
}

/* ---- echo ------------------------------------------------------------------------------------- */

static void
take_echo(struct dataplane *dp, const struct event *e)
{
	struct rte_mbuf *m = e->m;
	uint8_t *d = rte_pktmbuf_mtod_offset(m, uint8_t *, e->l3_off);
	enum drop_reason r = DROP_TRUNCATED;
	struct ip_summary ip;
	size_t skip = 0;

	if (e->l3_off < m->data_len && ip_read(d, m->data_len - e->l3_off, &ip))
		r = icmp_echo_reply(d, &ip, &skip);
	if (r != DROP_REASON_COUNT) {
		dataplane_drop(dp, m, r);
		return;
	}
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - e->l3_off - ip.length));
	rte_pktmbuf_adj(m, (uint16_t)(e->l3_off + skip));
	dp->exception->stats.echo_answers++;
	dataplane_send_answer(dp, e, m, 0);
}

/* ---- ARP -------------------------------------------------------------------------------------- */

static bool
mac_is_ours(const struct iface *i, const struct mac_addr *mac)
{
	return memcmp(mac->b, i->mac.addr_bytes, sizeof(mac->b)) == 0;
}

/* A message need not name its sender's MAC; the frame does, which is still before it. */
static struct mac_addr
frame_sender(const struct event *e)
{
	struct mac_addr mac = {{0}};

	if (e->l3_off >= 14)
		memcpy(mac.b, rte_pktmbuf_mtod_offset(e->m, const uint8_t *, 6), 6);
	return mac;
}

/* Somebody else speaks for our address: the operator must hear of it, not from every packet. */
static void
conflict(struct dataplane *dp, const struct event *e, const struct ip_addr *a)
{
	struct exception *x = dp->exception;
	struct mac_addr mac = frame_sender(e);
	uint64_t now = clock_boot_ns();
	char address[ADDRESS_TEXT_MAX], who[ADDRESS_TEXT_MAX];

	if (!shared_address_ours(dp, frame_iface(dp, e->iface), a)) /* the primary does */
		return;
	x->stats.conflicts++;
	if (x->conflict_logged_ns && now - x->conflict_logged_ns < CONFLICT_LOG_NS)
		return;
	x->conflict_logged_ns = now;
	log_warning("neighbour", "address conflict: %s claims our address %s", mac_text(&mac, who, sizeof(who)),
		address_text(a, address, sizeof(address)));
}

static void
arp_answer(struct dataplane *dp, const struct iface *i, const struct arp *request)
{
	struct arp reply = {.sender = request->target, .target = request->sender, .target_mac = request->sender_mac};

	if (frame_send_arp(dp, i, &request->sender_mac, &reply))
		dp->exception->stats.arp_answers++;
}

/* RFC 826: who asks for us is worth an entry; others only change what we know already. */
static uint8_t
arp_hints(const struct iface *i, const struct arp *a, bool for_us)
{
	uint8_t hints = NEIGHBOUR_OVERRIDE;

	if (a->request && for_us)
		hints |= NEIGHBOUR_CREATE;
	if (!a->request && for_us && mac_is_ours(i, &a->target_mac))
		hints |= NEIGHBOUR_SOLICITED;
	return hints;
}

static enum drop_reason
take_arp(struct dataplane *dp, const struct event *e, const struct iface *i)
{
	const uint8_t *d = rte_pktmbuf_mtod_offset(e->m, const uint8_t *, e->l3_off);
	struct arp a;
	bool for_us, probe;

	if (!arp_read(d, e->m->data_len - e->l3_off, &a) || mac_is_ours(i, &a.sender_mac))
		return DROP_NEIGHBOUR_MALFORMED;
	for_us = iface_owns(i, &a.target);
	probe = a.request && address_unspecified(&a.sender); /* RFC 5227: is the address free? */
	if (iface_owns(i, &a.sender)) {
		conflict(dp, e, &a.sender);
		return DROP_HANDLED;
	}
	if (!probe && !iface_neighbour(i, &a.sender))
		return DROP_NEIGHBOUR_MALFORMED;

	if (!probe)
		neighbour_learn(dp, i->id, &a.sender, &a.sender_mac, arp_hints(i, &a, for_us));
	if (a.request && for_us) {
		if (!shared_address_ours(dp, i, &a.target))
			return DROP_NOT_PRIMARY;
		arp_answer(dp, i, &a);
	}
	return DROP_HANDLED;
}

/* ---- neighbour discovery ---------------------------------------------------------------------- */

static void
nd_send(struct dataplane *dp, const struct iface *i, const struct ip_addr *own, const struct mac_addr *to,
	struct rte_mbuf *m, size_t size)
{
	rte_pktmbuf_append(m, (uint16_t)size);
	frame_send(dp, i, own, to, RTE_ETHER_TYPE_IPV6, m);
}

/* To whom an answer goes: the sender, or all nodes when it has no address yet. */
static bool
answer_to(const struct nd *p, const struct event *e, struct ip_addr *address, struct mac_addr *mac)
{
	bool unspecified = address_unspecified(&p->source);

	*address = unspecified ? nd_all_nodes() : p->source;
	if (unspecified)
		*mac = nd_group_mac(address);
	else
		*mac = p->has_mac ? p->mac : frame_sender(e);
	return unspecified || mac_unicast(mac);
}

static enum drop_reason
take_solicit(struct dataplane *dp, const struct event *e, const struct iface *i, const struct nd *p)
{
	struct mac_addr to, own;
	struct ip_addr address;
	struct rte_mbuf *m;

	if (p->has_mac)
		neighbour_learn(dp, i->id, &p->source, &p->mac,
			NEIGHBOUR_OVERRIDE | (iface_owns(i, &p->target) ? NEIGHBOUR_CREATE : 0));
	if (!iface_owns(i, &p->target))
		return DROP_HANDLED;
	if (!shared_address_ours(dp, i, &p->target))
		return DROP_NOT_PRIMARY;
	if (address_unspecified(&p->source)) /* duplicate address detection, before it is too late */
		conflict(dp, e, &p->target);
	if (!answer_to(p, e, &address, &to) || !(m = frame_new(dp)))
		return DROP_HANDLED;
	memcpy(own.b, i->mac.addr_bytes, 6);
	dp->exception->stats.nd_answers++;
	nd_send(dp, i, &p->target, &to, m,
		nd_write_advert(
			rte_pktmbuf_mtod(m, uint8_t *), &address, &p->target, &own, !address_unspecified(&p->source)));
	return DROP_HANDLED;
}

static enum drop_reason
take_advert(struct dataplane *dp, const struct event *e, const struct iface *i, const struct nd *p)
{
	uint8_t hints = (p->solicited ? NEIGHBOUR_SOLICITED : 0) | (p->override ? NEIGHBOUR_OVERRIDE : 0);

	if (iface_owns(i, &p->target)) {
		conflict(dp, e, &p->target);
		return DROP_HANDLED;
	}
	if (!iface_neighbour(i, &p->target))
		return DROP_NEIGHBOUR_MALFORMED;
	/* Without the option nothing is learned; a link layer like ours requires it (RFC 4861 7.2.5). */
	if (p->has_mac)
		neighbour_learn(dp, i->id, &p->target, &p->mac, hints);
	return DROP_HANDLED;
}

/* Hosts that look for a router find us, where we are the gateway. */
static enum drop_reason
take_router_solicit(struct dataplane *dp, const struct event *e, const struct iface *i, const struct nd *p)
{
	struct ip_addr source = iface_link_local(i), address, ours;
	struct mac_addr to, own;
	struct rte_mbuf *m;

	if (p->has_mac)
		neighbour_learn(dp, i->id, &p->source, &p->mac, NEIGHBOUR_OVERRIDE | NEIGHBOUR_CREATE);
	if (i->kind != IFACE_SUBNET || !iface_source(i, &(struct ip_addr){.family = IP_V6}, &ours))
		return DROP_HANDLED;
	if (!shared_address_ours(dp, i, &ours))
		return DROP_NOT_PRIMARY;
	if (!answer_to(p, e, &address, &to) || !(m = frame_new(dp)))
		return DROP_HANDLED;
	memcpy(own.b, i->mac.addr_bytes, 6);
	dp->exception->stats.router_answers++;
	nd_send(dp, i, &ours, &to, m,
		nd_write_router(
			rte_pktmbuf_mtod(m, uint8_t *), &source, &address, &own, i->mtu, i->prefix, i->n_prefixes));
	return DROP_HANDLED;
}

static enum drop_reason
take_nd(struct dataplane *dp, const struct event *e, const struct iface *i)
{
	const uint8_t *d = rte_pktmbuf_mtod_offset(e->m, const uint8_t *, e->l3_off);
	struct nd p;

	if (!nd_read(d, e->m->data_len - e->l3_off, &p) || (p.has_mac && mac_is_ours(i, &p.mac)))
		return DROP_NEIGHBOUR_MALFORMED;
	if (!address_unspecified(&p.source) && iface_owns(i, &p.source)) {
		conflict(dp, e, &p.source);
		return DROP_HANDLED;
	}
	if (!address_unspecified(&p.source) && !iface_neighbour(i, &p.source))
		return DROP_NEIGHBOUR_MALFORMED;
	if (p.type == ND_NEIGHBOUR_SOLICIT)
		return take_solicit(dp, e, i, &p);
	if (p.type == ND_NEIGHBOUR_ADVERT)
		return take_advert(dp, e, i, &p);
	return take_router_solicit(dp, e, i, &p);
}

static void
take_arp_nd(struct dataplane *dp, const struct event *e)
{
	const struct iface *i = frame_iface(dp, e->iface);
	enum drop_reason r;

	if (i->kind == IFACE_INVALID || i->kind == IFACE_GATEWAY)
		r = DROP_NO_INTERFACE;
	else if (e->l3_off >= e->m->data_len)
		r = DROP_TRUNCATED;
	else if (e->flags & PKT_V6)
		r = take_nd(dp, e, i);
	else
		r = take_arp(dp, e, i);
	dataplane_drop(dp, e->m, r);
}

/* ---- to daemons ------------------------------------------------------------------------------- */

static bool
daemon_takes(struct dataplane *dp, const struct event *e)
{
	const uint8_t *d = rte_pktmbuf_mtod_offset(e->m, const uint8_t *, e->l3_off);
	const struct dataplane_events *to = &dp->events;
	struct ip_summary ip;

	return to->local_packet && e->l3_off < e->m->data_len && ip_read(d, e->m->data_len - e->l3_off, &ip) &&
	       to->local_packet(to->context, (enum punt_class)e->class, e->iface, d, ip.length);
}

/* Where nobody listens, the sender hears of it. */
static void
take_local(struct dataplane *dp, const struct event *e)
{
	struct event refused = *e;

	if (daemon_takes(dp, e)) {
		dp->exception->stats.to_daemons++;
		dataplane_drop(dp, e->m, DROP_HANDLED);
		return;
	}
	refused.reason = DROP_NOT_FOR_US;
	exception_error(dp, &refused);
}

void
exception_take(struct dataplane *dp, const struct event *e)
{
	struct event other = *e;

	switch ((enum punt_class)e->class) {
	case PUNT_NEIGHBOUR:
		neighbour_wait(dp, e);
		return;
	case PUNT_ARP_ND:
		take_arp_nd(dp, e);
		return;
	case PUNT_ECHO:
		take_echo(dp, e);
		return;
	case PUNT_ICMP_ERROR:
		exception_error(dp, e);
		return;
	case PUNT_LOCAL:
		if (e->reason != DROP_HANDLED) /* no error about what daemons sent */
			break;
		/* fall through */
	case PUNT_BFD:
	case PUNT_IKE:
	case PUNT_BGP:
		take_local(dp, e);
		return;
	case PUNT_CLASS_COUNT:
		break;
	}
	other.reason = DROP_NOT_FOR_US;
	exception_error(dp, &other);
}
