/* Ports: every kind of network attachment behind one interface. Only drivers/ calls rte_eth.
 *
 * ports_open, ports_close, start, stop and the questions: control thread. port_rx and port_tx:
 * the worker whose number is the queue. A port id is the index of the port in the configuration.
 *
 * What port_rx hands over is one segment long, no longer than the port's MTU with its Ethernet
 * header and two VLAN tags, VLAN tags are in the frame, and checksums that a local sender left to
 * hardware are complete: what a driver delivers otherwise is made so or dropped and counted.
 * port_tx drops and counts frames that are too long (tx_errors).
 */
#pragma once

#include "config/config.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

#define PORTS_MAX 64
#define PORT_QUEUES_MAX 64
#define PORT_DESCRIPTORS 1024 /* per queue, where the configuration says nothing */
#define PORT_MTU_DEFAULT 1500

struct port_caps {
	uint16_t rx_queues, tx_queues; /* really there; a worker without an rx queue receives nothing */
	bool rss;            /* every worker has a queue and flows are spread symmetrically, fragments by address */
	bool rx_ip_checksum; /* bad IPv4 header checksums come flagged RTE_MBUF_F_RX_IP_CKSUM_BAD */
	bool tx_ip_checksum; /* never relied upon yet: workers write checksums */
	uint16_t mtu;
	struct mac_addr mac;
};

struct port_stats {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_nombuf;
};

/* Open every port of the configuration, one queue per worker where the driver can. On error
 * nothing stays open; the error names the port and the reason. pool: where rx packets come from. */
int ports_open(const struct cfg_appliance *a, struct rte_mempool *pool, char *error, size_t error_size);
/* Workers have left. Stops what still runs. */
void ports_close(void);
int ports_start(char *error, size_t error_size);
void ports_stop(void);

uint16_t ports_count(void);
const char *port_name(uint16_t port);
const char *port_driver_name(uint16_t port);
const struct port_caps *port_caps(uint16_t port);
bool port_link_up(uint16_t port);
uint32_t port_link_mbps(uint16_t port); /* 0 = unknown */
int port_stats(uint16_t port, struct port_stats *out);
/* "af_packet" and so on, as the configuration writes it. */
const char *port_kind_name(enum cfg_driver driver);

/* What an af_xdp port takes from its interface; everything else stays with the kernel. Without a
 * call it takes everything. May be changed while the port runs. -ENOTSUP: not an af_xdp port.
 *
 * For an uplink: ESP, UDP 4500 and fragmented UDP to its addresses always, the rest as asked. */
#define PORT_STEER_ADDRESSES 1024

struct port_steer {
	bool everything;
	const uint16_t *vlans; /* all frames of these; 0 = untagged ones */
	uint16_t n_vlans;
	const struct port_steer_address {
		struct ip_addr address;
		uint16_t vlan;
	} * addresses;
	uint16_t n_addresses;
	bool ike;              /* UDP 500 to the addresses */
	bool icmp;             /* ICMP and ICMPv6 to the addresses */
	bool neighbours;       /* ARP and ND that concern the addresses */
	bool all_to_addresses; /* every IP packet to the addresses */
};

int port_steer(uint16_t port, const struct port_steer *what, char *error, size_t error_size);

/* ---- packet path ------------------------------------------------------------------ */

struct port_queue;
typedef uint16_t port_burst(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n);

/* Written by ports_open and ports_close only. rx == NULL: a NIC with a queue per worker, which
 * needs nothing of ours around the driver's call. tx is always there. */
struct port_fast {
	port_burst *rx, *tx;
	uint16_t ethdev;
	struct port_queue *queue[PORT_QUEUES_MAX];
} __rte_cache_aligned;

extern struct port_fast port_fast[PORTS_MAX];

/* Worker. At most n packets; returns how many. */
static inline uint16_t
port_rx(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	const struct port_fast *f = &port_fast[port];

	return f->rx ? f->rx(f->queue[queue], pkts, n) : rte_eth_rx_burst(f->ethdev, queue, pkts, n);
}

/* Worker. Takes ownership of the first `return value` packets; the rest stay the caller's. A
 * driver with fewer queues than workers is shared by lock. */
static inline uint16_t
port_tx(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	const struct port_fast *f = &port_fast[port];

	return f->tx(f->queue[queue], pkts, n);
}

/* Tests and benches (driver: ring): the far end of a ring port. Whoever injects sees to it that
 * packets are whole and that both directions of a flow go to one queue. Takes the first `return
 * value` packets. */
uint16_t port_ring_inject(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
uint16_t port_ring_collect(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
