/* What a kind of port implements; for drivers/ alone.
 *
 * A kind opens (everything made, nothing runs), starts, stops and closes, and gives two burst
 * functions. port.c puts around them what every kind needs: frames checked, queues shared by
 * more workers than there are, packets counted.
 */
#pragma once

#include "drivers/port.h"

#include <rte_spinlock.h>

#include <stdio.h>

#define PORT_NAME_MAX 64

struct port {
	/* port.c, before open */
	char name[PORT_NAME_MAX];
	uint16_t id;
	uint16_t workers;     /* queues wanted */
	uint16_t descriptors; /* per queue, a power of two */
	uint16_t frame_max;   /* longest frame either way, without checksum */
	struct rte_mempool *pool;
	const struct port_kind *kind;

	/* the kind, in open */
	struct port_caps caps; /* mtu and mac are preset; the kind corrects them */
	uint16_t ethdev;       /* kinds on a DPDK driver */
	void *state;
	void *rx[PORT_QUEUES_MAX], *tx[PORT_QUEUES_MAX]; /* per driver queue, for own drivers */

	/* port.c */
	bool started;
	rte_spinlock_t tx_lock[PORT_QUEUES_MAX]; /* per driver queue, when workers share one */
};

struct port_kind {
	const char *name;
	/* Returns 0 or -errno with the reason in `error` (without the port's name). A failed open has
	 * unwound itself. */
	int (*open)(struct port *p, const struct cfg_port *c, char *error, size_t n);
	int (*start)(struct port *p, char *error, size_t n);
	void (*stop)(struct port *p);
	void (*close)(struct port *p);
	bool (*link)(const struct port *p, uint32_t *mbps);
	/* Adds to port.c's counts what only the driver knows. NULL: nothing. */
	void (*stats)(const struct port *p, struct port_stats *sum);
	/* NULL: not an interface that is shared with the kernel. */
	int (*steer)(struct port *p, const struct port_steer *what, char *error, size_t n);
	port_burst *receive, *send;
	bool bare; /* the burst functions count and check for themselves */
};

/* What one worker has of one port. */
struct port_queue {
	/* control, in ports_open */
	struct port *port;
	port_burst *receive, *send;
	void *rx, *tx; /* the kind's; rx NULL: no queue for this worker */
	uint16_t ethdev, rx_index, tx_index;
	uint16_t frame_max;
	rte_spinlock_t *tx_lock; /* NULL: nobody else sends there */

	/* the worker; control reads */
	struct port_stats count __rte_cache_aligned;
} __rte_cache_aligned;

/* The worker adds to its own counter, control may read it at any time. */
static inline void
port_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t
port_counted(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

extern const struct port_kind port_pci, port_memif, port_vhost_user, port_virtio_user, port_pcap;
extern const struct port_kind port_af_packet, port_af_xdp, port_tap, port_ring, port_null;

/* port_ethdev.c: what pci and the virtual DPDK devices share. */
struct port_ethdev_wish {
	uint16_t rx_queues, tx_queues;
	bool nic; /* a real NIC: RSS, offloads, filters, and its MTU and MAC are enforced */
};

int port_ethdev_open(
	struct port *p, const struct cfg_port *c, const struct port_ethdev_wish *wish, char *error, size_t n);
int port_ethdev_start(struct port *p, char *error, size_t n);
void port_ethdev_stop(struct port *p);
bool port_ethdev_link(const struct port *p, uint32_t *mbps);
void port_ethdev_stats(const struct port *p, struct port_stats *sum);
uint16_t port_ethdev_receive(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n);
uint16_t port_ethdev_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n);
