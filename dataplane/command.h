/* What goes over the command channel. Every order and event is a value of one cache line. */
#pragma once

#include "dataplane/channel.h"
#include "dataplane/dataplane.h"

#include <rte_mbuf.h>

enum command_type {
	COMMAND_TRACE,  /* trace packets that match */
	COMMAND_FRAME,  /* transmit this finished L2 frame on port */
	COMMAND_PACKET, /* route this L3 packet as if it came from iface, made by ourselves */
	COMMAND_STOP,
};

struct command {
	uint8_t type; /* enum command_type */
	uint16_t port, iface;
	bool routed;     /* COMMAND_PACKET: by iface's routes, not by the hop of our own packets */
	uint16_t tunnel; /* back into this tunnel ... */
	uint32_t count;
	uint32_t description; /* ... of views of this number, else it is dropped */
	uint64_t until_ns;    /* COMMAND_FRAME: from then on, by CLOCK_BOOTTIME, it is dropped; UINT64_MAX: never */
	union {
		const struct flow_filter *filter; /* control keeps it until the next trace order's grace */
		struct rte_mbuf *m;
	};
};

enum event_type {
	EVENT_PUNT,  /* a packet for control, which owns the mbuf now */
	EVENT_TRACE, /* a finished trace record, malloc'ed beforehand by control, see trace.c */
	EVENT_SA,    /* lifetime, exhaustion or low reserve */
	EVENT_MISS,  /* a packet found no SA: name, protocol, ports, family, ends */
	EVENT_STOPPED,
};

struct event {
	uint8_t type;  /* enum event_type */
	uint8_t class; /* enum punt_class or enum sa_event_kind; EVENT_MISS: enum ip_family */
	union {
		uint8_t reason;   /* enum drop_reason that made an ICMP error due */
		uint8_t protocol; /* EVENT_MISS */
	};
	uint16_t iface;       /* ingress */
	uint16_t out;         /* PUNT_NEIGHBOUR: interface to resolve on */
	uint16_t l3_off;      /* of the IP header in the mbuf's data, ARP: of its header */
	uint16_t flags;       /* enum packet_flag */
	uint16_t tunnel;      /* the packet was opened from it, else TUNNEL_NONE; clients are found by their address */
	uint32_t description; /* number of the views that tunnel is an id of */
	union {
		uint16_t mtu;         /* ICMP too big */
		uint16_t source_port; /* EVENT_MISS */
	};
	union {
		uint16_t remote_port;      /* SA_EVENT_REMOTE_PORT: UDP source port seen, `address` its source */
		uint16_t destination_port; /* EVENT_MISS */
	};
	uint32_t name;
	uint32_t spi; /* EVENT_SA; bit 0 of `out`: outbound */
	union {
		struct {
			struct ip_addr address; /* PUNT_NEIGHBOUR: whom to resolve */
			union {
				struct rte_mbuf *m;
				struct trace_record *trace;
			};
		};
		uint8_t ends[2][16]; /* EVENT_MISS: source, destination */
	};
};

_Static_assert(sizeof(struct command) <= CHANNEL_ELEMENT, "an order is one cache line");
_Static_assert(sizeof(struct event) <= CHANNEL_ELEMENT, "an event is one cache line");
