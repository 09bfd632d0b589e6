/* Traffic selectors: may this inner packet use this tunnel? Worker. No selectors: any packet may. */
#pragma once

#include "dataplane/packet.h"

#include <rte_byteorder.h>

#include <netinet/in.h>
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

static inline bool
selector_covers_port(const struct acl_port_range *r, uint16_t port)
{
	return r->last == 0 || (port >= r->first && port <= r->last);
}

/* Protocol and ports. Of ICMP, type and code are the port of both ends (RFC 7296 section 3.13.1). A later fragment that
 * was just opened has none: it waits for the first one only afterwards. */
static __rte_noinline bool
selector_covers_upper(const struct selector_spec *s, const struct packet *p, bool outbound)
{
	bool icmp = p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6;
	bool known = !(p->flags & PKT_LATER_FRAGMENT) || (outbound && !icmp);
	uint16_t source = p->source_port, destination = p->destination_port;

	if (s->protocol != 0 && s->protocol != p->protocol)
		return false;
	if (s->local_ports.last == 0 && s->remote_ports.last == 0)
		return true;
	if (!known || (!icmp && p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP))
		return false;
	if (icmp)
		source = destination = (uint16_t)(p->l3[p->l4_off] << 8 | p->l3[p->l4_off + 1]);
	return selector_covers_port(outbound ? &s->local_ports : &s->remote_ports, source) &&
	       selector_covers_port(outbound ? &s->remote_ports : &s->local_ports, destination);
}

/* Some pair covers source and destination: local and remote outbound, remote and local inbound; and the rest as well.
 */
static inline bool
selectors_match(const struct selector_spec *s, uint32_t n, const struct packet *p, bool outbound)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct ip_prefix *source = outbound ? &s[i].local : &s[i].remote;
		const struct ip_prefix *destination = outbound ? &s[i].remote : &s[i].local;

		if (p->flags & PKT_V6) {
			if (!selector_covers_v6(source, p->v6.src) || !selector_covers_v6(destination, p->v6.dst))
				continue;
		} else if (!selector_covers_v4(source, p->v4.src) || !selector_covers_v4(destination, p->v4.dst)) {
			continue;
		}
		if (likely((s[i].protocol | s[i].local_ports.last | s[i].remote_ports.last) == 0) ||
			selector_covers_upper(&s[i], p, outbound))
			return true;
	}
	return n == 0;
}
