/* What daemons in a namespace of ours send. Control thread.
 *
 * Their packets leave by the uplink or circuit whose address they bear, as our own packets do: its hop finds the next
 * one by the dataplane's tables, whatever the kernel behind the daemon believes. From a gateway's address they meet the
 * gateway's routes as if they had come out of one of its tunnels. Nothing is taken on trust: a daemon is a process of
 * its own, and only an IP packet from that very address leaves, no group's traffic of a kernel, and no ESP, whose
 * numbers are the workers' alone.
 *
 * A daemon that begins a thousand tunnels sends faster than a port's transmit queue empties. A worker takes all its
 * orders in one turn, so no more of them may wait than a queue holds in any case; the rest stays in the kernel's.
 */
#include "dataplane/esp.h"
#include "dataplane/frame.h"
#include "dataplane/icmp.h"

#include <errno.h>

#define WAITING_MAX 32

static bool
may_send(const struct iface *i, const struct ip_summary *ip)
{
	/* BGP peers have addresses of 169.254.0.0/16, too */
	if (i->kind == IFACE_SUBNET || (i->kind == IFACE_UPLINK && address_link_local(&ip->source)))
		return false;
	return iface_owns(i, &ip->source) && !address_multicast(&ip->destination) &&
	       !address_unspecified(&ip->destination) && ip->protocol != ESP_PROTOCOL;
}

bool
dataplane_send_local_ready(struct dataplane *dp)
{
	struct channel *down = &dp->worker[0]->down;

	return down->mask + 1 - channel_room(down) < WAITING_MAX;
}

int
dataplane_send_local(struct dataplane *dp, uint16_t iface, const uint8_t *l3, uint16_t length)
{
	const struct iface *i = frame_iface(dp, iface);
	struct ip_summary ip;
	struct rte_mbuf *m;
	char *room;

	if (!ip_read(l3, length, &ip) || !may_send(i, &ip))
		return -EINVAL;
	if (ip.length > i->mtu)
		return -EMSGSIZE;
	if (!dataplane_send_local_ready(dp))
		return -ENOBUFS;
	m = frame_new(dp);
	if (m == NULL)
		return -ENOBUFS;
	room = rte_pktmbuf_append(m, ip.length);
	if (room == NULL) {
		rte_pktmbuf_free(m);
		return -EMSGSIZE;
	}
	memcpy(room, l3, ip.length);
	if (i->kind == IFACE_GATEWAY)
		dataplane_send_routed(dp, i->id, m);
	else
		dataplane_send_packet(dp, i->id, m, 0);
	return 0;
}
