/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What strongSwan's charon (through the kernel-isthmus plugin) and isthmusd say to each other.
 *
 * One SOCK_SEQPACKET connection on a Unix socket of mode 0600; isthmusd listens, the plugin connects. Every record is
 * one message: struct ike_header, the fixed struct of its type, and for the types that say so a list of fixed structs.
 * Both ends run on one machine: integers are in its byte order, times are CLOCK_BOOTTIME nanoseconds. SPIs are numbers
 * (0x1001), not wire bytes. Unused bytes are zero. Whoever meets a record that is malformed or not of its turn closes.
 *
 * The plugin speaks first: HELLO; isthmusd answers WELCOME or closes after a REFUSE. Then the plugin sends every SA and
 * policy it holds (SA_ADD and POLICY_ADD with IKE_REPLAYED) and SYNCED; isthmusd forgets what was not among them.
 * From then on the plugin asks (request), isthmusd answers each with the same `serial`, in any order; isthmusd sends
 * events, and the plugin notices, both with serial 0 and without answer.
 *
 * Keys: SA_ADD carries them, so both ends wipe the buffers that held one.
 */
#pragma once

#include <stdint.h>

#define IKE_PROTOCOL_VERSION 1
#define IKE_MESSAGE_MAX 32768 /* of a record, header included */
#define IKE_TEXT_MAX 128      /* names and identities, NUL-terminated */
#define IKE_KEY_MAX 80
#define IKE_SELECTORS_MAX 255 /* of one side */

enum ike_message_type {
	/* plugin to isthmusd; an answer is expected but for HELLO's (WELCOME or REFUSE) */
	IKE_HELLO = 1, /* struct ike_hello */
	IKE_SYNCED,    /* nothing */
	IKE_SPI_GET,   /* struct ike_spi_get -> struct ike_spi_answer */
	IKE_SA_ADD, /* struct ike_sa_add, then source and destination selectors -> result; after the workers see it */
	IKE_SA_UPDATE,     /* struct ike_sa_update -> result */
	IKE_SA_QUERY,      /* struct ike_sa_id -> struct ike_sa_answer */
	IKE_SA_DELETE,     /* struct ike_sa_id -> result; also gives back an SPI that was never used */
	IKE_SA_FLUSH,      /* nothing -> result */
	IKE_POLICY_ADD,    /* struct ike_policy -> result */
	IKE_POLICY_DELETE, /* struct ike_policy -> result */
	IKE_POLICY_FLUSH,  /* nothing -> result */
	/* notices of the plugin, serial 0 */
	IKE_SA_STATE = 32, /* struct ike_state: an IKE_SA came up, went down, was replaced */
	IKE_CHILD_STATE,   /* struct ike_child_state */
	IKE_ALERT,         /* struct ike_alert: charon's bus alert */

	/* isthmusd to plugin: answers with the request's serial */
	IKE_WELCOME = 64, /* struct ike_welcome */
	IKE_REFUSE,       /* struct ike_refuse; closes afterwards */
	IKE_RESULT,       /* nothing: header.result says all */
	IKE_SPI_ANSWER,
	IKE_SA_ANSWER,
	/* events, serial 0 */
	IKE_EXPIRE = 96, /* struct ike_expire */
	IKE_ACQUIRE,     /* struct ike_acquire */
	IKE_MAPPING,     /* struct ike_mapping */
};

struct ike_header {
	uint16_t type;   /* enum ike_message_type */
	uint16_t result; /* answers: 0 or an errno value */
	uint32_t length; /* of the whole record */
	uint64_t serial;
};

struct ike_address {
	uint8_t family; /* 4 or 6 */
	uint8_t zero[3];
	uint16_t port; /* UDP port of the outer header, 0 = none */
	uint16_t zero2;
	uint8_t b[16]; /* network order; IPv4 in the first four bytes */
};

struct ike_selector {
	uint8_t family;   /* 4 or 6 */
	uint8_t protocol; /* 0 = any */
	uint16_t zero;
	uint16_t port_first, port_last; /* 0..65535 = any */
	uint8_t first[16], last[16];    /* inclusive; not always a prefix */
};

struct ike_hello {
	uint32_t version; /* IKE_PROTOCOL_VERSION */
	uint32_t zero;
	char strongswan[IKE_TEXT_MAX]; /* the version the plugin was compiled against */
	char running[IKE_TEXT_MAX];    /* the version it runs in; another one is refused */
	uint64_t instance;             /* random, of this charon process: a new one holds no SA of the former */
	uint64_t epoch;                /* of the last WELCOME, 0 = none */
};

struct ike_welcome {
	uint32_t version;
	uint32_t zero;
	uint64_t epoch; /* of this isthmusd process; another one than before: it knows of SAs what its state folder says
			 */
	char appliance[IKE_TEXT_MAX];
};

struct ike_refuse {
	char why[256];
};

struct ike_spi_get {
	struct ike_address source, destination;
};

struct ike_spi_answer {
	uint32_t spi, zero;
};

struct ike_sa_id {
	uint32_t spi;
	uint32_t if_id;
	struct ike_address source, destination;
};

/* enum ike_sa_add.flags */
#define IKE_INBOUND 0x01
#define IKE_ENCAP 0x02 /* UDP, ports of the two addresses */
#define IKE_ESN 0x04
#define IKE_COPY_DF 0x08
#define IKE_COPY_ECN 0x10
#define IKE_COPY_DSCP 0x20
#define IKE_INITIATOR 0x40
#define IKE_REPLAYED                                                                                                   \
	0x80 /* sent again after a reconnect: numbering goes on at the durable mark, ENOENT without one                \
	      */

struct ike_sa_add {
	struct ike_sa_id id; /* if_id: the connection, see control/ike_id.h */
	uint32_t reqid;
	uint32_t flags;
	uint16_t encryption; /* IKEv2 transform ids (RFC 7296 3.3.2): 12 AES-CBC, 20 AES-GCM-16, ... */
	uint16_t integrity;  /* 0 or 1024 = none (AEAD) */
	uint16_t encryption_key_length, integrity_key_length; /* bytes; AEAD: key and salt */
	uint8_t encryption_key[IKE_KEY_MAX], integrity_key[IKE_KEY_MAX];
	uint32_t replay_window;
	uint16_t n_source, n_destination; /* struct ike_selector, behind this struct */
	/* lifetimes; 0 = none. Deadlines, not durations, so that a replayed SA keeps them. */
	uint64_t soft_deadline_ns, hard_deadline_ns;
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets;
	uint64_t ike_unique;         /* unique id of its IKE_SA */
	char ike_name[IKE_TEXT_MAX]; /* the IKE configuration's name, "" if unknown */
	char peer[IKE_TEXT_MAX];     /* the peer's identity */
};

struct ike_sa_update {
	struct ike_sa_id id; /* as it is now */
	struct ike_address new_source, new_destination;
	uint32_t new_reqid; /* 0 = unchanged */
	uint32_t encap;
};

struct ike_sa_answer {
	uint64_t bytes, packets;
	uint64_t last_used_ns; /* 0 = never */
};

enum ike_policy_dir { IKE_POLICY_IN, IKE_POLICY_OUT, IKE_POLICY_FWD };
enum ike_policy_type { IKE_POLICY_IPSEC, IKE_POLICY_PASS, IKE_POLICY_DROP };

struct ike_policy {
	uint8_t dir, type;
	uint8_t replayed;
	uint8_t trap; /* no SA yet: packets that match raise ACQUIRE */
	uint32_t priority, reqid, if_id;
	uint32_t spi; /* 0 for a trap */
	struct ike_selector source, destination;
};

struct ike_state {
	uint32_t up; /* 0 down, 1 up, 2 replaced by `unique` (rekeyed) */
	uint32_t zero;
	uint64_t old_unique, unique;
	struct ike_address local, remote;
	uint32_t version; /* 1 or 2 */
	uint32_t nat;     /* 1 we are behind a NAT, 2 the peer is, 3 both */
	char ike_name[IKE_TEXT_MAX];
	char local_id[IKE_TEXT_MAX], remote_id[IKE_TEXT_MAX];
	char proposal[IKE_TEXT_MAX];
};

struct ike_child_state {
	uint32_t up; /* 0 down, 1 up, 2 rekeyed: the old SPIs are replaced by the new ones */
	uint32_t if_id, reqid, zero;
	uint64_t ike_unique;
	uint32_t old_in, old_out, new_in, new_out; /* SPIs */
	char child_name[IKE_TEXT_MAX];
};

struct ike_alert {
	uint32_t alert; /* enum alert_t of this strongSwan, for the log */
	uint32_t fault; /* enum ike_fault */
	uint64_t ike_unique;
	struct ike_address local, remote; /* family 0: unknown */
	char ike_name[IKE_TEXT_MAX];      /* "" : no IKE_SA, or its configuration is not chosen yet */
	char remote_id[IKE_TEXT_MAX];
	char text[256]; /* proposals or selectors that did not match, and whatever else explains it */
};

/* What an alert means to an operator; stable numbers. */
enum ike_fault {
	IKE_FAULT_OTHER,
	IKE_FAULT_LOCAL_AUTH,  /* the peer refused us */
	IKE_FAULT_PEER_AUTH,   /* we refused the peer: key, certificate, identity */
	IKE_FAULT_ADDRESS,     /* the peer's name has no address */
	IKE_FAULT_UNREACHABLE, /* no answer to the first message */
	IKE_FAULT_TIMEOUT,     /* no answer any more while the IKE_SA was being set up */
	IKE_FAULT_HALF_OPEN,   /* an exchange that the peer began and did not end */
	IKE_FAULT_PROPOSAL_IKE,
	IKE_FAULT_PROPOSAL_CHILD,
	IKE_FAULT_SELECTORS,
	IKE_FAULT_NARROWED,
	IKE_FAULT_INSTALL,  /* SA or policy refused by isthmusd */
	IKE_FAULT_REPLACED, /* deleted by the uniqueness policy */
	IKE_FAULT_VIRTUAL_IP,
	IKE_FAULT_CERTIFICATE,
	IKE_FAULT_MALFORMED,
	IKE_FAULT_DEAD_PEER, /* no answer any more, of a peer whose IKE_SA was up */
};

struct ike_expire {
	struct ike_sa_id id;
	uint32_t hard, zero;
};

struct ike_acquire {
	uint32_t reqid, if_id;
	struct ike_selector source, destination; /* of the packet: single address, protocol and port */
};

struct ike_mapping {
	struct ike_sa_id id; /* of the inbound SA that was heard */
	uint32_t reqid, zero;
	struct ike_address old_remote, new_remote;
};
