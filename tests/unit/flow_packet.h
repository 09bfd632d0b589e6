/* Packets as the NSG stages meet them, without a wire: parsed fields, and real bytes where ICMP is read. */
#pragma once

#include "dataplane/flow.h"

#include <netinet/in.h>
#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20

/* Host n of the test network. */
static inline struct ip_addr
host(bool v6, uint32_t n)
{
	struct ip_addr a = {.family = v6 ? IP_V6 : IP_V4, .b = {10, 0, (uint8_t)(n >> 8), (uint8_t)n}};

	if (v6) {
		a = (struct ip_addr){.family = IP_V6, .b = {0x20, 0x01, 0x0d, 0xb8}};
		a.b[14] = (uint8_t)(n >> 8);
		a.b[15] = (uint8_t)n;
	}
	return a;
}

static inline void
set_ends(struct packet *p, const struct ip_addr *source, const struct ip_addr *destination)
{
	if (source->family == IP_V6) {
		p->flags |= PKT_V6;
		memcpy(p->v6.src, source->b, 16);
		memcpy(p->v6.dst, destination->b, 16);
	} else {
		memcpy(&p->v4.src, source->b, 4);
		memcpy(&p->v4.dst, destination->b, 4);
	}
}

static inline struct packet
ip_packet(bool v6, uint32_t from, uint32_t to, uint8_t protocol)
{
	struct packet p = {.protocol = protocol};
	struct ip_addr source = host(v6, from), destination = host(v6, to);

	set_ends(&p, &source, &destination);
	return p;
}

static inline struct packet
tcp(bool v6, uint32_t from, uint32_t to, uint16_t source_port, uint16_t destination_port, uint8_t flags)
{
	struct packet p = ip_packet(v6, from, to, IPPROTO_TCP);

	p.source_port = source_port;
	p.destination_port = destination_port;
	p.tcp_flags = flags;
	return p;
}

static inline struct packet
udp(bool v6, uint32_t from, uint32_t to, uint16_t source_port, uint16_t destination_port)
{
	struct packet p = tcp(v6, from, to, source_port, destination_port, 0);

	p.protocol = IPPROTO_UDP;
	return p;
}

/* The reply. */
static inline struct packet
turned(const struct packet *p)
{
	struct packet q = *p;
	struct ip_addr source = packet_address(p, true), destination = packet_address(p, false);

	set_ends(&q, &destination, &source);
	q.source_port = p->destination_port;
	q.destination_port = p->source_port;
	return q;
}

/* ---- ICMP, with bytes ----------------------------------------------------------------------------- */

struct icmp_packet {
	struct packet p;
	uint8_t bytes[128];
};

/* The IP header and eight bytes of transport, as a router quotes them. Returns the length. */
static inline uint16_t
quote_packet(uint8_t *b, const struct packet *p)
{
	struct ip_addr source = packet_address(p, true), destination = packet_address(p, false);
	bool v6 = p->flags & PKT_V6;
	uint16_t at = v6 ? 40 : 20;

	memset(b, 0, (size_t)at + 8);
	b[0] = v6 ? 0x60 : 0x45;
	b[v6 ? 6 : 9] = p->protocol;
	memcpy(b + (v6 ? 8 : 12), source.b, v6 ? 16 : 4);
	memcpy(b + (v6 ? 24 : 16), destination.b, v6 ? 16 : 4);
	b[at] = (uint8_t)(p->source_port >> 8);
	b[at + 1] = (uint8_t)p->source_port;
	b[at + 2] = (uint8_t)(p->destination_port >> 8);
	b[at + 3] = (uint8_t)p->destination_port;
	return at + 8;
}

static inline void
icmp_make(struct icmp_packet *i, bool v6, uint32_t from, uint32_t to, uint8_t type)
{
	memset(i, 0, sizeof(*i));
	i->p = ip_packet(v6, from, to, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	i->p.l3 = i->bytes;
	i->p.l4_off = v6 ? 40 : 20;
	i->p.l3_len = i->p.l4_off + 8;
	i->bytes[i->p.l4_off] = type;
}

static inline void
icmp_error(struct icmp_packet *i, bool v6, uint32_t from, uint32_t to, uint8_t type, const struct packet *about)
{
	icmp_make(i, v6, from, to, type);
	i->p.l3_len += quote_packet(i->bytes + i->p.l3_len, about);
}

static inline void
icmp_echo(struct icmp_packet *i, bool v6, uint32_t from, uint32_t to, bool request, uint16_t identifier)
{
	icmp_make(i, v6, from, to, v6 ? (request ? 128 : 129) : (request ? 8 : 0));
	i->p.source_port = i->p.destination_port = identifier;
}

/* ---- the flow table as the stages use it ---- */

static inline void
find_flows(struct worker *w, struct packet *const *pkt, const uint16_t *end, bool inbound, uint16_t n, uint8_t *result)
{
	struct flow_probe probe[BURST_MAX];

	flow_prepare(w, probe, pkt, end, n, inbound);
	flow_lookup(w, probe, pkt, n, result);
}

static inline bool
add_flow(struct worker *w, const struct packet *p, uint16_t end, bool inbound, uint16_t timeout_s, uint32_t rule_name)
{
	struct packet copy = *p, *pkt = &copy;
	struct flow_probe probe;

	flow_prepare(w, &probe, &pkt, &end, 1, inbound);
	return flow_insert(w, &probe, p, inbound, timeout_s, rule_name);
}
