/* ARP for IPv4 over Ethernet (RFC 826, RFC 5227): reading and writing. Pure functions. */
#pragma once

#include "config/address.h"

#define ARP_LENGTH 28

struct arp {
	bool request; /* else a reply */
	struct mac_addr sender_mac, target_mac;
	struct ip_addr sender, target;
};

/* False: not an ARP packet for IPv4 over Ethernet, truncated, or with a sender that cannot be. */
bool arp_read(const uint8_t *d, size_t n, struct arp *out);
void arp_write(uint8_t d[ARP_LENGTH], const struct arp *a);
