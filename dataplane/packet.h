/* A packet inside the pipeline, and the burst that carries it.
 *
 * Worker only; lives for one burst, in the worker's own memory (hot in L1), never in the mbuf.
 * A stage keeps a packet (its pointer stays in burst->pkt), moves it to another place (takes
 * the mbuf) or drops it with a reason. Pointers into packet data are valid until a stage
 * prepends or replaces the mbuf; such a stage sets l3 anew.
 */
#pragma once

#include "dataplane/dataplane.h"

#include <rte_mbuf.h>

#include <stddef.h>
#include <string.h>

#define BURST_MAX 64

enum packet_flag {
	PKT_V6 = 1 << 0,
	PKT_FRAGMENT = 1 << 1,       /* any fragment */
	PKT_LATER_FRAGMENT = 1 << 2, /* offset > 0: ports were filled in from the first one */
	PKT_OPTIONS = 1 << 3,        /* IPv4 options or IPv6 extension headers */
	PKT_DF = 1 << 4,             /* may not be fragmented (always for IPv6) */
	PKT_FOREIGN = 1 << 5,        /* source outside the sending VNet: forwarded by an NVA */
	PKT_OPENED = 1 << 6,         /* came out of a tunnel */
	PKT_LOCAL = 1 << 7,          /* made by this appliance: no NSG, no source check */
	PKT_TRACED = 1 << 8,
	PKT_MOVED = 1 << 9,      /* handed off by another worker: already spread */
	PKT_FORWARDED = 1 << 10, /* source outside the sending subnet: an NVA of that subnet sent it */
	PKT_UPLINK = 1 << 11,    /* came in by an uplink: may be ESP for us */
	PKT_FILTERED = 1 << 12,  /* came in from a subnet with security groups */
};

struct packet {
	struct rte_mbuf *m;
	uint8_t *l3;     /* the (inner) IP header */
	uint16_t l3_len; /* total length by the header, without link padding */
	uint16_t l4_off; /* from l3 */
	uint16_t flags;
	uint16_t iface;   /* ingress interface; after esp_open the tunnel's gateway interface */
	uint16_t from;    /* the tunnel it was opened from (PKT_OPENED) */
	uint16_t out;     /* egress interface, once routed */
	uint16_t tunnel;  /* once routed into, or opened from, a tunnel; else TUNNEL_NONE */
	uint8_t protocol; /* after extension headers */
	uint8_t ttl;
	uint8_t tcp_flags;
	uint8_t tos;
	uint16_t source_port, destination_port; /* host order; ICMP echo: identifier in both, see flow.c */
	uint32_t hop;                           /* once routed */
	uint32_t hash; /* symmetric, over addresses, protocol and ports (fragments: addresses) */
	union {
		rte_be32_t next4; /* once routed: the IPv4 neighbour to send to, 0: see transmit.c */
		uint64_t dmac;    /* once resolved: its MAC (low 48 bits, as the neighbour word) */
	};
	union {
		struct {
			rte_be32_t src, dst;
		} v4;
		struct {
			uint8_t src[16], dst[16];
		} v6;
	};
	struct trace_record *trace; /* PKT_TRACED */
} __rte_cache_aligned;

_Static_assert(offsetof(struct packet, v4) + 8 <= RTE_CACHE_LINE_SIZE, "IPv4 needs one line a packet");

struct burst {
	uint16_t n;
	bool tunnels, filtered; /* some packet goes into a tunnel, to a subnet with security groups */
	uint16_t seen;          /* flags that some packet had when it was parsed */
	uint16_t used;          /* slots handed out: slot[used++] is the next free one, up to BURST_MAX */
	struct packet *pkt[BURST_MAX];
	struct packet slot[BURST_MAX];
};

/* Close the gaps where a stage has set pointers to NULL. */
static inline void
burst_compact(struct burst *b)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < b->n; i++)
		if (b->pkt[i])
			b->pkt[kept++] = b->pkt[i];
	b->n = kept;
}

/* The buffer holds `before` bytes and the L3 packet, and nothing else: no link padding, no trailer of a tunnel. */
static inline void
packet_trim(struct packet *p, uint16_t before)
{
	struct rte_mbuf *m = p->m;

	m->data_off = (uint16_t)(p->l3 - (uint8_t *)m->buf_addr - before);
	m->data_len = (uint16_t)(p->l3_len + before);
	m->pkt_len = m->data_len;
}

static inline uint8_t
packet_family(const struct packet *p)
{
	return p->flags & PKT_V6 ? IP_V6 : IP_V4;
}

/* Network order, as long as the family's addresses are. */
static inline const uint8_t *
packet_source(const struct packet *p)
{
	return p->flags & PKT_V6 ? p->v6.src : (const uint8_t *)&p->v4.src;
}

static inline const uint8_t *
packet_destination(const struct packet *p)
{
	return p->flags & PKT_V6 ? p->v6.dst : (const uint8_t *)&p->v4.dst;
}

/* Source or destination in control's form. */
static inline struct ip_addr
packet_address(const struct packet *p, bool source)
{
	struct ip_addr a = {.family = packet_family(p)};

	memcpy(a.b, source ? packet_source(p) : packet_destination(p), a.family == IP_V6 ? 16 : 4);
	return a;
}
