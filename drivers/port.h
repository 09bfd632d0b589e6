/* Ports: every kind of network attachment behind one interface. Only drivers/ sees rte_eth.
 *
 * port_open and the control calls: control thread. port_rx/port_tx: the worker that owns the
 * queue, one thread per queue. A port id is the index of the port in the configuration.
 */
#pragma once

#include "config/config.h"

#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

#define PORTS_MAX 64
#define PORT_QUEUES_MAX 64

struct port_caps {
	uint16_t rx_queues, tx_queues; /* really configured */
	bool rss;                      /* the driver spreads flows over rx_queues symmetrically, fragments by address */
	bool rx_ip_checksum;           /* bad IPv4 header checksums come flagged RTE_MBUF_F_RX_IP_CKSUM_BAD */
	bool tx_ip_checksum;           /* never relied upon yet: workers write checksums */
	uint16_t mtu;
	struct mac_addr mac;
};

struct port_stats {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_nombuf;
};

struct port; /* opaque outside port.c, but for the inline fast path below */

/* Open every port of the configuration. queues wanted = workers. On error nothing stays open;
 * the error names the port and the reason. pool: where rx packets come from. */
int ports_open(const struct cfg_appliance *a, struct rte_mempool *pool, char *error, size_t error_size);
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

/* Worker. At most n packets; returns how many. */
uint16_t port_rx(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
/* Worker. Takes ownership of the first `return value` packets; the rest stay the caller's. */
uint16_t port_tx(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

/* Tests and benches (driver: ring): the far end of a ring port. */
uint16_t port_ring_inject(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
uint16_t port_ring_collect(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
