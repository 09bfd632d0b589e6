/* What the XDP program and its loader agree on: the maps' contents. Fixed-width, no padding. */
#pragma once

#include <linux/types.h>

#define STEER_ADDRESSES_MAX 1024
#define STEER_SOCKETS_MAX 256
#define STEER_VLANS 4096

/* The one element of the map `options`. */
struct steer_options {
	__u8 everything;       /* every frame */
	__u8 all_to_addresses; /* all IP to the addresses, beyond ESP, UDP 4500 and fragmented UDP */
	__u8 ike;              /* UDP 500 to the addresses */
	__u8 icmp;             /* ICMP and ICMPv6 to the addresses */
	__u8 neighbours;       /* ARP and ND that concern the addresses */
	__u8 reserved[3];
	__u64 vlans[STEER_VLANS / 64]; /* bit: all frames of that VLAN; 0 = untagged */
};

/* A key of the map `addresses`: one of ours on one VLAN. */
struct steer_address {
	__u8 address[16]; /* IPv4 in the first four, the rest zero */
	__u16 vlan;       /* host order, 0 = untagged */
	__u8 family;      /* 4 or 6 */
	__u8 reserved;
};
