/* ICMP and ICMPv6 (RFC 792, RFC 1812 section 4.3, RFC 4443): errors and echo. Pure functions. */
#pragma once

#include "config/address.h"
#include "dataplane/drop.h"

/* What the exception path needs to know of an IP packet. */
struct ip_summary {
	bool v6;
	uint16_t length;  /* by the header; at most what is there */
	uint16_t l4_off;  /* after options or extension headers */
	uint8_t protocol; /* found there */
	bool fragment, later_fragment;
	struct ip_addr source, destination;
};

/* False: not an IP packet that fits into n bytes. Header chains are bounded. */
bool ip_read(const uint8_t *d, size_t n, struct ip_summary *out);

/* The error a drop deserves. False: none, it is silent. */
struct icmp_error {
	uint8_t type, code;
	uint16_t mtu; /* packet too big, fragmentation needed */
};
bool icmp_error_for(enum drop_reason reason, const struct ip_summary *offender, uint16_t mtu, struct icmp_error *out);
/* May anybody be told about this packet? Not about errors, later fragments, or when there is not
 * one known sender to tell (RFC 1812 4.3.2.7, RFC 4443 2.4e). */
bool icmp_error_allowed(const uint8_t *d, const struct ip_summary *offender);

#define ICMP_V4_ERROR_MAX 576  /* RFC 1812 4.3.2.3 */
#define ICMP_V6_ERROR_MAX 1280 /* RFC 4443 2.4c */

/* Write the whole IP packet from `source` to the offender's source into out (room for the
 * maximum above); returns its length. */
size_t icmp_error_write(uint8_t *out, const struct icmp_error *e, const struct ip_addr *source, const uint8_t *d,
	const struct ip_summary *offender);

/* Turn an echo request into its reply, in place: options and extension headers are left out. The
 * packet begins at d + *skip then. Returns
 * DROP_REASON_COUNT, or why it is no good request. */
enum drop_reason icmp_echo_reply(uint8_t *d, const struct ip_summary *request, size_t *skip);
