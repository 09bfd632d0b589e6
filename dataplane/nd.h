/* Neighbour discovery for IPv6 (RFC 4861): reading and writing. Pure functions. */
#pragma once

#include "config/address.h"

#define ND_LENGTH_MAX 512 /* of what nd_write_router makes: header, RA, MTU, MAC, prefixes */

enum nd_type {
	ND_ROUTER_SOLICIT = 133,
	ND_ROUTER_ADVERT = 134,
	ND_NEIGHBOUR_SOLICIT = 135,
	ND_NEIGHBOUR_ADVERT = 136,
	ND_REDIRECT = 137,
};

struct nd {
	enum nd_type type;
	struct ip_addr source, destination;
	struct ip_addr target;    /* NS, NA */
	bool solicited, override; /* NA */
	bool has_mac;             /* source (NS, RS) or target (NA) link-layer address option */
	struct mac_addr mac;
};

/* d, n: the IPv6 packet. Everything RFC 4861 sections 6.1 and 7.1 demand is checked: hop limit 255,
 * checksum, code, lengths, every option, addresses that fit together. False: discard silently. */
bool nd_read(const uint8_t *d, size_t n, struct nd *out);

/* Write the whole IPv6 packet, return its length. */
size_t nd_write_solicit(uint8_t *d, const struct ip_addr *source, const struct ip_addr *destination,
	const struct ip_addr *target, const struct mac_addr *own);
size_t nd_write_advert(uint8_t *d, const struct ip_addr *destination, const struct ip_addr *target,
	const struct mac_addr *own, bool solicited);
/* A router advertisement: prefixes on-link but not for autoconfiguration (addresses are assigned). */
size_t nd_write_router(uint8_t *d, const struct ip_addr *source, const struct ip_addr *destination,
	const struct mac_addr *own, uint16_t mtu, const struct ip_prefix *prefix, uint8_t n_prefixes);

/* ff02::1:ffXX:XXXX of an address, and the Ethernet group of an IPv6 multicast address (RFC 2464). */
struct ip_addr nd_solicited_node(const struct ip_addr *a);
struct mac_addr nd_group_mac(const struct ip_addr *multicast);
struct ip_addr nd_all_nodes(void);
