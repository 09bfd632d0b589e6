/* What a flow is found by: endpoint, addresses, protocol, ports, with the two ends in one order.
 *
 * Worker. The lower end stands first, so both directions make the same key; the packet's own
 * direction is told apart by source_low.
 */
#pragma once

#include "dataplane/packet.h"

#define FLOW_WORDS_4 2
#define FLOW_WORDS_6 5
#define FLOW_WORDS_MAX FLOW_WORDS_6

struct flow_key {
	uint64_t word[FLOW_WORDS_MAX];
	bool v6;
	bool source_low; /* the packet comes from the lower end */
	bool related;    /* an ICMP error: the key is that of the flow it is about */
};

/* The last word: ports, endpoint, protocol, and which end is local. */
#define FLOW_KEY_LOCAL_LOW 0x80
#define FLOW_KEY_USED 0x01

static inline uint64_t
flow_key_tail(uint16_t low_port, uint16_t high_port, uint16_t end, uint8_t protocol, bool local_low)
{
	return (uint64_t)low_port << 48 | (uint64_t)high_port << 32 | (uint64_t)end << 16 | (uint64_t)protocol << 8 |
	       (local_low ? FLOW_KEY_LOCAL_LOW : 0) | FLOW_KEY_USED;
}

/* Also for ICMP errors, whose quoted packet decides. */
void flow_key_build(struct flow_key *k, const struct packet *p, uint16_t end, bool inbound);
/* The key's parts as they were in the packet that came from the lower or the higher end. */
void flow_key_explain(const uint64_t *word, bool v6, bool from_low, struct flow_info *out);
/* ICMP and ICMPv6 error messages. */
bool icmp_is_error(const struct packet *p);
