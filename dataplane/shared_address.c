/* The deadline fences: it is the lease's, less a margin. Control compares it before it speaks, and the worker once more
 * before the frame leaves (command.h): a process may be stopped in between. Announcements go out a few at a poll, so
 * that thousands of subnets do not fill the worker's orders.
 */
#include "dataplane/shared_address_state.h"

#include "dataplane/arp.h"
#include "dataplane/frame.h"
#include "dataplane/nd.h"
#include "drivers/clock.h"

#include <rte_ether.h>
#include <string.h>

#define ROUNDS 3
#define ROUND_NS 400000000ull
#define ADDRESSES_PER_POLL 8

void
dataplane_share_addresses(struct dataplane *dp, const _Atomic uint64_t *until)
{
	dp->shared.until = until;
}

void
dataplane_announce_addresses(struct dataplane *dp)
{
	dp->shared.rounds = ROUNDS;
	dp->shared.next = 0;
	dp->shared.due_ns = 0;
}

static uint64_t
deadline(const struct dataplane *dp)
{
	return dp->shared.until == NULL ? UINT64_MAX : atomic_load(dp->shared.until);
}

uint64_t
shared_address_until(const struct dataplane *dp, const struct iface *i, const struct ip_addr *a)
{
	return i->kind != IFACE_SUBNET || address_link_local(a) || address_unspecified(a) ? UINT64_MAX : deadline(dp);
}

bool
shared_address_ours(const struct dataplane *dp, const struct iface *i, const struct ip_addr *a)
{
	return clock_boot_ns() < shared_address_until(dp, i, a);
}

/* ---- announcements ------------------------------------------------------------------------ */

static void
announce_v4(struct dataplane *dp, const struct iface *i, const struct ip_addr *own)
{
	struct arp a = {.request = true, .sender = *own, .target = *own};

	frame_send_arp(dp, i, &frame_broadcast, &a);
}

static void
announce_v6(struct dataplane *dp, const struct iface *i, const struct ip_addr *own)
{
	struct ip_addr all = nd_all_nodes();
	struct mac_addr to = nd_group_mac(&all), mac;
	struct rte_mbuf *m = frame_new(dp);

	if (!m)
		return;
	memcpy(mac.b, i->mac.addr_bytes, 6);
	rte_pktmbuf_append(m, (uint16_t)nd_write_advert(rte_pktmbuf_mtod(m, uint8_t *), &all, own, &mac, false));
	frame_send(dp, i, own, &to, RTE_ETHER_TYPE_IPV6, m);
}

static uint32_t
announce(struct dataplane *dp, const struct iface *i)
{
	if (i->kind != IFACE_SUBNET)
		return 0;
	for (uint8_t k = 0; k < i->n_prefixes; k++) {
		if (i->address[k].family == IP_V6)
			announce_v6(dp, i, &i->address[k]);
		else
			announce_v4(dp, i, &i->address[k]);
	}
	return i->n_prefixes;
}

void
shared_address_tick(struct dataplane *dp, uint64_t now_ns)
{
	struct shared_addresses *s = &dp->shared;

	if (s->rounds == 0 || now_ns < s->due_ns)
		return;
	if (now_ns >= deadline(dp)) {
		s->rounds = 0;
		return;
	}
	for (uint32_t n = 0; n < ADDRESSES_PER_POLL && s->next < dp->view->n_ifaces && dataplane_send_local_ready(dp);)
		n += announce(dp, frame_iface(dp, (uint16_t)s->next++));
	if (s->next < dp->view->n_ifaces)
		return;
	s->next = 0;
	s->rounds--;
	s->due_ns = now_ns + ROUND_NS;
}
