/* What a flow is found by: endpoint, addresses, protocol, ports, with the two ends in one order.
 *
 * Worker. The lower end stands first, so both directions make the same key; the packet's own
 * direction is told apart by source_low.
 */
#pragma once

#include "dataplane/intervals.h"
#include "dataplane/packet.h"

#include <rte_byteorder.h>

#include <netinet/in.h>

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

/* Addresses, protocol and ports of a packet, or of a quoted one turned round. */
struct flow_ends {
	const uint8_t *source, *destination; /* network order */
	uint16_t source_port, destination_port;
	uint8_t protocol;
};

/* ICMP and ICMPv6 error messages. */
bool icmp_is_error(const struct packet *p);

static inline void
flow_key_v4(struct flow_key *k, const struct flow_ends *e, uint16_t end, bool inbound)
{
	uint64_t source = (uint64_t)intervals4_key(e->source) << 16 | e->source_port;
	uint64_t destination = (uint64_t)intervals4_key(e->destination) << 16 | e->destination_port;
	/* a mask: which end is lower is anybody's guess, so a branch would be mispredicted */
	uint64_t swap = (source ^ destination) & -(uint64_t)(source > destination);
	uint64_t low = source ^ swap, high = destination ^ swap;

	k->source_low = source <= destination;
	k->word[0] = low >> 16 << 32 | high >> 16;
	k->word[1] = flow_key_tail((uint16_t)low, (uint16_t)high, end, e->protocol, inbound != k->source_low);
}

static inline void
flow_key_v6(struct flow_key *k, const struct flow_ends *e, uint16_t end, bool inbound)
{
	unsigned __int128 source = intervals6_key(e->source), destination = intervals6_key(e->destination);
	bool lower = source < destination || (source == destination && e->source_port <= e->destination_port);
	unsigned __int128 swap = (source ^ destination) & -(unsigned __int128)!lower;
	uint16_t swap_port = (uint16_t)((e->source_port ^ e->destination_port) & -(uint32_t)!lower);

	k->source_low = lower;
	source ^= swap;
	destination ^= swap;
	k->word[0] = (uint64_t)(source >> 64);
	k->word[1] = (uint64_t)source;
	k->word[2] = (uint64_t)(destination >> 64);
	k->word[3] = (uint64_t)destination;
	k->word[4] = flow_key_tail((uint16_t)(e->source_port ^ swap_port), (uint16_t)(e->destination_port ^ swap_port),
		end, e->protocol, inbound != lower);
}

static inline struct flow_ends
flow_ends_of(const struct packet *p)
{
	return (struct flow_ends){
		.source = packet_source(p),
		.destination = packet_destination(p),
		.source_port = p->source_port,
		.destination_port = p->destination_port,
		.protocol = p->protocol,
	};
}

static inline void
flow_key_fill(struct flow_key *k, const struct flow_ends *e, uint16_t end, bool inbound)
{
	if (unlikely(k->v6))
		flow_key_v6(k, e, end, inbound);
	else
		flow_key_v4(k, e, end, inbound);
}

/* Of ICMP and ICMPv6; for their errors the quoted packet decides. */
void flow_key_icmp(struct flow_key *k, const struct packet *p, uint16_t end, bool inbound);

static inline void
flow_key_build(struct flow_key *k, const struct packet *p, uint16_t end, bool inbound)
{
	struct flow_ends e = flow_ends_of(p);

	k->v6 = p->flags & PKT_V6;
	k->related = false;
	if (unlikely(p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6))
		flow_key_icmp(k, p, end, inbound);
	else
		flow_key_fill(k, &e, end, inbound);
}

/* The key's parts as they were in the packet that came from the lower or the higher end. */
void flow_key_explain(const uint64_t *word, bool v6, bool from_low, struct flow_info *out);
