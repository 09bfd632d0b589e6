/* Frames that control makes itself, and what an interface knows about addresses. Control only. */
#include "dataplane/frame.h"

#include "dataplane/arp.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <string.h>

#define FRAME_MIN 60 /* without FCS; zeros behind short packets, not what the buffer held before */

const struct mac_addr frame_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct rte_mbuf *
frame_new(struct dataplane *dp)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->pool);

	if (!m)
		dp->drops[DROP_NO_BUFFER]++;
	return m;
}

static bool
link_header(const struct iface *i, const struct mac_addr *to, uint16_t ether_type, struct rte_mbuf *m)
{
	uint16_t size = i->vlan ? 18 : 14;
	uint8_t *h = (uint8_t *)rte_pktmbuf_prepend(m, size);
	uint16_t be = rte_cpu_to_be_16(ether_type);

	if (!h)
		return false;
	memcpy(h, to->b, 6);
	memcpy(h + 6, i->mac.addr_bytes, 6);
	if (i->vlan) {
		uint16_t tag[2] = {rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16(i->vlan)};

		memcpy(h + 12, tag, sizeof(tag));
	}
	memcpy(h + size - 2, &be, sizeof(be));
	return true;
}

void
frame_send(struct dataplane *dp, const struct iface *i, const struct ip_addr *own, const struct mac_addr *to,
	uint16_t ether_type, struct rte_mbuf *m)
{
	if (!link_header(i, to, ether_type, m)) {
		dataplane_drop(dp, m, DROP_NO_BUFFER);
		return;
	}
	if (m->data_len < FRAME_MIN) {
		uint16_t pad = FRAME_MIN - m->data_len;
		char *zero = rte_pktmbuf_append(m, pad);

		if (zero)
			memset(zero, 0, pad);
	}
	dataplane_send_frame(dp, i->port, m, own ? shared_address_until(dp, i, own) : UINT64_MAX);
}

bool
frame_send_arp(struct dataplane *dp, const struct iface *i, const struct mac_addr *to, struct arp *a)
{
	struct rte_mbuf *m = frame_new(dp);

	if (!m)
		return false;
	memcpy(a->sender_mac.b, i->mac.addr_bytes, 6);
	arp_write((uint8_t *)rte_pktmbuf_append(m, ARP_LENGTH), a);
	frame_send(dp, i, &a->sender, to, RTE_ETHER_TYPE_ARP, m);
	return true;
}

const struct iface *
frame_iface(const struct dataplane *dp, uint16_t id)
{
	return &dp->view->iface[id & dp->view->iface_mask];
}

struct ip_addr
iface_link_local(const struct iface *i)
{
	const uint8_t *m = i->mac.addr_bytes;

	return (struct ip_addr){.family = IP_V6,
		.b = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}};
}

bool
iface_owns(const struct iface *i, const struct ip_addr *a)
{
	for (uint8_t n = 0; n < i->n_prefixes; n++)
		if (address_equal(&i->address[n], a))
			return true;
	if (address_link_local(a)) {
		struct ip_addr own = iface_link_local(i);

		return address_equal(&own, a);
	}
	return false;
}

/* The first and the last address of an IPv4 network are nobody's, but for /31 and /32 (RFC 3021). */
static bool
network_or_broadcast(const struct ip_prefix *p, const struct ip_addr *a)
{
	uint32_t host;

	if (a->family != IP_V4 || p->len > 30)
		return false;
	host = address_v4(a) & (UINT32_MAX >> p->len);
	return host == 0 || host == UINT32_MAX >> p->len;
}

static const struct ip_prefix *
on_link(const struct iface *i, const struct ip_addr *a)
{
	for (uint8_t n = 0; n < i->n_prefixes; n++)
		if (prefix_has(&i->prefix[n], a))
			return &i->prefix[n];
	return NULL;
}

bool
iface_neighbour(const struct iface *i, const struct ip_addr *a)
{
	const struct ip_prefix *p;

	if (i->kind == IFACE_INVALID || i->kind == IFACE_GATEWAY)
		return false;
	if (address_multicast(a) || address_unspecified(a) || iface_owns(i, a))
		return false;
	if (address_link_local(a))
		return true;
	p = on_link(i, a);
	if (p)
		return !network_or_broadcast(p, a);
	return i->kind == IFACE_UPLINK && (address_equal(&i->gateway4, a) || address_equal(&i->gateway6, a));
}

bool
iface_source(const struct iface *i, const struct ip_addr *to, struct ip_addr *out)
{
	bool found = false;

	if (address_link_local(to)) {
		*out = iface_link_local(i);
		return true;
	}
	for (uint8_t n = 0; n < i->n_prefixes; n++) {
		if (i->address[n].family != to->family)
			continue;
		if (prefix_has(&i->prefix[n], to)) {
			*out = i->address[n];
			return true;
		}
		if (!found)
			*out = i->address[n];
		found = true;
	}
	return found;
}

bool
mac_unicast(const struct mac_addr *mac)
{
	static const struct mac_addr zero;

	return !(mac->b[0] & 1) && memcmp(mac, &zero, sizeof(zero)) != 0;
}

bool
address_link_local(const struct ip_addr *a)
{
	return a->family == IP_V6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* IPv4: class E and the limited broadcast are no host either. */
bool
address_multicast(const struct ip_addr *a)
{
	return a->family == IP_V6 ? a->b[0] == 0xff : a->b[0] >= 224;
}

bool
address_unspecified(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	return a->family == IP_NONE || memcmp(a->b, zero, a->family == IP_V6 ? 16 : 4) == 0;
}
