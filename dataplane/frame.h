/* Frames that control makes itself: buffers, link header, the way out. Control only. */
#pragma once

#include "dataplane/state.h"

struct arp;

extern const struct mac_addr frame_broadcast;

/* An empty buffer with head room; NULL: none left, counted. */
struct rte_mbuf *frame_new(struct dataplane *dp);
/* m's data begins at the network header: put the link header of interface i before it, pad, send.
 * Ownership passes. own: the address of ours that the frame speaks for, and leaves no later than it may; NULL: none. */
void frame_send(struct dataplane *dp, const struct iface *i, const struct ip_addr *own, const struct mac_addr *to,
	uint16_t ether_type, struct rte_mbuf *m);
/* The same of an ARP message, which gets our MAC as its sender's. False: no buffer. */
bool frame_send_arp(struct dataplane *dp, const struct iface *i, const struct mac_addr *to, struct arp *a);

/* The interface of an id of any origin. Never NULL; kind IFACE_INVALID where there is none. */
const struct iface *frame_iface(const struct dataplane *dp, uint16_t id);

/* Is a one of the interface's addresses (its IPv6 link-local one included)? */
bool iface_owns(const struct iface *i, const struct ip_addr *a);
/* May a be a neighbour: on-link, a host's address, not ours? */
bool iface_neighbour(const struct iface *i, const struct ip_addr *a);
/* Our address to speak to `to` from: the one whose network has it, else any of the family. False: none. */
bool iface_source(const struct iface *i, const struct ip_addr *to, struct ip_addr *out);
/* fe80::/64 with the modified EUI-64 of the interface's MAC (RFC 4291, appendix A). */
struct ip_addr iface_link_local(const struct iface *i);

bool mac_unicast(const struct mac_addr *mac); /* neither group nor zero */
bool address_link_local(const struct ip_addr *a);
bool address_multicast(const struct ip_addr *a);
bool address_unspecified(const struct ip_addr *a);
