/* The link of one memif port: who is at the other end, and the rings shared with it.
 *
 * A thread of its own holds the conversation over the socket: it makes the link, notices its end
 * and, as a client, comes back until it is stopped. Workers only touch rings, each under the
 * ring's lock, so the thread can take the rings away: it marks each as gone under its lock before
 * the memory goes.
 *
 * The other end is not trusted: every descriptor is read once and checked, memory that could be
 * cut off under our feet is refused.
 */
#pragma once

#include "drivers/memif_wire.h"

#include <rte_spinlock.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define MEMIF_RINGS_MAX 64
#define MEMIF_REGIONS_MAX 16

struct memif_region {
	uint8_t *base;
	uint64_t size;
};

/* One ring as our end sees it. Fields below the lock are read and written by its holder. */
struct memif_end {
	rte_spinlock_t lock;
	struct memif_ring *ring; /* NULL: no link */
	int event;               /* wakes a receiver that does not poll */
	uint16_t size;
	uint16_t at;             /* our position */
	uint16_t bias;           /* buffers lent: see port_memif.c */
	uint16_t *ours, *theirs; /* the counters in the ring */
	const struct memif_region *region;
	uint16_t n_regions;
	uint32_t own_offset;  /* client: where this ring's buffers lie in region 0 */
	uint32_t buffer_size; /* client: of each; 0 = the descriptors say */
} __attribute__((aligned(64)));

struct memif_link {
	/* set before start */
	char name[32], path[108];
	bool server;
	uint16_t queues;
	uint8_t log2_size;
	uint32_t buffer_size;

	/* the thread */
	int listener, stop;
	uint16_t offered; /* client: queues to ask for next time */
	pthread_t thread;
	bool running;
	struct memif_region region[MEMIF_REGIONS_MAX];
	uint16_t n_regions;

	/* workers: how many rings there are to send into, 0 = no link (atomic) */
	uint16_t n_send, n_receive;
	struct memif_end send[MEMIF_RINGS_MAX], receive[MEMIF_RINGS_MAX];
};

/* Control. A server's socket file is there after open. 0 or -errno. */
int memif_link_open(struct memif_link *l, char *error, size_t n);
int memif_link_start(struct memif_link *l);
void memif_link_stop(struct memif_link *l);
void memif_link_close(struct memif_link *l);
bool memif_link_is_up(const struct memif_link *l);
