/* Datagrams under way in fragments: which parts have come, what waits. Worker only, inside the
 * fragment stages (fragment.c, reassembly.c); each worker has a table of its own. */
#pragma once

#include "dataplane/fragment.h"

#include <sys/queue.h>

#define DATAGRAM_FRAGMENTS_MAX 128 /* 64 KB at an MTU of 576 */
#define DATAGRAM_HELD_MAX 64       /* of them may wait at a time */

/* A fragment's place in its datagram. */
struct fragment {
	uint16_t start, end; /* bytes of the fragmentable part */
	bool more;
	uint16_t payload_off; /* from the IP header */
	uint32_t id;
	uint16_t header_off, next_off; /* IPv6: of the fragment header, of the byte that announces it */
};

struct held {
	STAILQ_ENTRY(held) link;
	struct packet p;
	struct fragment f;
};

STAILQ_HEAD(held_list, held);

struct datagram_key {
	uint64_t source[2], destination[2];
	uint32_t id;
	uint16_t iface;
	uint8_t protocol; /* IPv4 only: later IPv6 fragments do not know it (RFC 8200, 4.5) */
	uint8_t kind;     /* family, and whether it is to be made whole */
};

struct datagram {
	LIST_ENTRY(datagram) chain;
	TAILQ_ENTRY(datagram) link; /* free, waiting or open */
	struct datagram_key key;
	uint64_t deadline;
	bool first; /* has come */
	bool bad;   /* overlapped: what else comes is dropped */
	uint8_t protocol, tcp_flags;
	uint16_t source_port, destination_port;
	uint32_t hash;
	uint32_t total, received; /* bytes; total 0: the last has not come */
	uint16_t end;             /* behind the farthest that has come */
	uint16_t n, n_held;
	struct held_list held;
	struct {
		uint16_t start, end;
	} range[DATAGRAM_FRAGMENTS_MAX];
};

TAILQ_HEAD(datagram_list, datagram);
LIST_HEAD(datagram_chain, datagram);

struct fragment_table {
	uint64_t timeout_tsc, secret;
	uint32_t packets, hash_mask;
	struct datagram *datagram;
	struct datagram_chain *bucket;
	struct held *held;
	struct datagram_list free, waiting, open; /* the last two in the order of their deadlines */
	struct held_list held_free, ready;        /* ready: their first fragment has come */
};

/* False: a fragment that cannot be part of anything. */
bool fragment_read(const struct packet *p, struct fragment *f);

/* The datagram p belongs to, with p's part entered. NULL: p was dropped. whole: to be reassembled. */
struct datagram *datagram_enter(struct worker *w, struct packet *p, struct fragment *f, bool whole);
/* p waits; false: it was dropped, there is no room. */
bool datagram_hold(struct worker *w, struct datagram *d, const struct packet *p, const struct fragment *f);
/* Done with: forgotten, and what still waits is dropped. */
void datagram_close(struct worker *w, struct datagram *d, enum drop_reason reason);
/* The first fragment has come: d lives another timeout for the others. */
void datagram_open(struct worker *w, struct datagram *d);
/* Drops what waited too long. */
void fragments_expire(struct worker *w);

static inline bool
datagram_complete(const struct datagram *d)
{
	return d->total != 0 && d->received == d->total;
}
