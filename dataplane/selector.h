/* Traffic selectors: may this inner packet use this tunnel? Worker. No selectors: any packet may. */
#pragma once

#include "dataplane/packet.h"

#include <rte_byteorder.h>

#include <string.h>

static inline bool
selector_covers_v4(const struct ip_prefix *prefix, rte_be32_t address)
{
	uint32_t mask = prefix->len ? rte_cpu_to_be_32(~0u << (32 - prefix->len)) : 0;
	uint32_t network;

	memcpy(&network, prefix->addr.b, 4);
	return prefix->addr.family == IP_V4 && ((address ^ network) & mask) == 0;
}

static inline uint64_t
selector_mask64(uint32_t bits)
{
	return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : rte_cpu_to_be_64(UINT64_MAX << (64 - bits));
}

static inline bool
selector_covers_v6(const struct ip_prefix *prefix, const uint8_t address[16])
{
	uint64_t a[2], network[2];

	memcpy(a, address, 16);
	memcpy(network, prefix->addr.b, 16);
	return prefix->addr.family == IP_V6 && ((a[0] ^ network[0]) & selector_mask64(prefix->len)) == 0 &&
	       (prefix->len <= 64 || ((a[1] ^ network[1]) & selector_mask64(prefix->len - 64u)) == 0);
}

/* Some pair covers source and destination: local and remote outbound, remote and local inbound. */
static inline bool
selectors_match(const struct selector_spec *s, uint32_t n, const struct packet *p, bool outbound)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct ip_prefix *source = outbound ? &s[i].local : &s[i].remote;
		const struct ip_prefix *destination = outbound ? &s[i].remote : &s[i].local;

		if (p->flags & PKT_V6) {
			if (selector_covers_v6(source, p->v6.src) && selector_covers_v6(destination, p->v6.dst))
				return true;
		} else if (selector_covers_v4(source, p->v4.src) && selector_covers_v4(destination, p->v4.dst)) {
			return true;
		}
	}
	return n == 0;
}
