/* IP addresses and prefixes as the configuration and the control plane handle them.
 *
 * Pure functions, callable from any thread. Bytes are in network order; an IPv4 address
 * uses the first four of the sixteen, the rest are zero, so memcmp compares addresses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_TEXT_MAX 64 /* longest "prefix/len" text and its NUL */

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

struct ip_addr {
	uint8_t family; /* enum ip_family */
	uint8_t b[16];  /* network order */
};

struct ip_prefix {
	struct ip_addr addr; /* host bits are zero once parsed by prefix_parse */
	uint8_t len;         /* 0..32 or 0..128 */
};

struct mac_addr {
	uint8_t b[6];
};

/* Strict: dotted quad or RFC 4291 text. Returns 0 or -EINVAL. */
int address_parse(const char *text, struct ip_addr *out);
/* "addr/len"; a bare address is a host prefix. Host bits set: -ERANGE (out is filled, masked). */
int prefix_parse(const char *text, struct ip_prefix *out);
int mac_parse(const char *text, struct mac_addr *out);

/* Write at most size bytes with NUL; return text. */
char *address_text(const struct ip_addr *a, char *text, size_t size);
char *prefix_text(const struct ip_prefix *p, char *text, size_t size);
char *mac_text(const struct mac_addr *m, char *text, size_t size);

uint8_t address_bits(const struct ip_addr *a); /* 32 or 128 */
bool address_equal(const struct ip_addr *a, const struct ip_addr *b);
bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
bool prefix_has(const struct ip_prefix *p, const struct ip_addr *a);
/* a lies wholly inside p (equal counts) */
bool prefix_covers(const struct ip_prefix *p, const struct ip_prefix *a);
bool prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);
/* Family, then address, then length: an order for qsort. */
int prefix_compare(const struct ip_prefix *a, const struct ip_prefix *b);
/* The n-th address of a prefix (n = 1 is the first host: a subnet's gateway). */
struct ip_addr prefix_nth(const struct ip_prefix *p, uint64_t n);
/* IPv4 as a host-order number. */
uint32_t address_v4(const struct ip_addr *a);
struct ip_addr address_from_v4(uint32_t host_order);
