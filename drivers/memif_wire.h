/* Shared-memory packet interface (memif), protocol version 2.0: messages and rings as they lie in
 * memory. Both ends are on one machine: host byte order.
 *
 * The client makes the memory and the rings and passes them over a UNIX socket; c2s rings carry
 * packets from client to server, s2c rings the other way. Counters run freely, modulo 2^16.
 */
#pragma once

#include <stdint.h>

#define MEMIF_VERSION 0x0200
#define MEMIF_COOKIE 0x3e31f20
#define MEMIF_LOG2_SIZE_MAX 14

enum memif_type {
	MEMIF_ACK = 1,
	MEMIF_HELLO,      /* server: what it can */
	MEMIF_INIT,       /* client: who it wants; ACK */
	MEMIF_ADD_REGION, /* client, with a descriptor; ACK */
	MEMIF_ADD_RING,   /* client, with an eventfd; ACK */
	MEMIF_CONNECT,    /* client: that was all */
	MEMIF_CONNECTED,  /* server: packets may flow */
	MEMIF_DISCONNECT,
};

struct memif_hello {
	char name[32];
	uint16_t min_version, max_version;
	uint16_t max_region, max_s2c_ring, max_c2s_ring; /* highest index */
	uint8_t max_log2_size;
} __attribute__((packed));

struct memif_init {
	uint16_t version;
	uint32_t id;
	uint8_t mode; /* 0 = Ethernet */
	char secret[24];
	char name[32];
} __attribute__((packed));

struct memif_add_region {
	uint16_t index;
	uint64_t size;
} __attribute__((packed));

#define MEMIF_RING_C2S 1

struct memif_add_ring {
	uint16_t flags;
	uint16_t index;
	uint16_t region;
	uint32_t offset;
	uint8_t log2_size;
	uint16_t private_header;
} __attribute__((packed));

struct memif_disconnect {
	uint32_t code;
	char reason[96];
} __attribute__((packed));

struct memif_message {
	uint16_t type; /* enum memif_type */
	union {
		struct memif_hello hello;
		struct memif_init init;
		struct memif_add_region add_region;
		struct memif_add_ring add_ring;
		struct memif_disconnect disconnect;
		char name[32]; /* CONNECT, CONNECTED: the interface's */
		uint8_t room[126];
	};
} __attribute__((packed));

#define MEMIF_DESCRIPTOR_NEXT 1 /* the packet goes on in the next descriptor */

struct memif_descriptor {
	uint16_t flags;
	uint16_t region;
	uint32_t length; /* of the data; of the buffer while it is empty */
	uint32_t offset;
	uint32_t metadata;
} __attribute__((packed, aligned(8)));

#define MEMIF_RING_POLLED 1 /* the receiver needs no interrupt */

struct memif_ring {
	uint32_t cookie;
	uint16_t flags;
	uint16_t head; /* c2s: packets filled; s2c: empty buffers given. Written by the client. */
	uint8_t padding1[56];
	uint16_t tail; /* c2s: packets taken; s2c: packets filled. Written by the server. */
	uint8_t padding2[62];
	struct memif_descriptor descriptor[];
};

_Static_assert(sizeof(struct memif_message) == 128, "memif message");
_Static_assert(sizeof(struct memif_descriptor) == 16, "memif descriptor");
_Static_assert(sizeof(struct memif_ring) == 128, "memif ring header");
