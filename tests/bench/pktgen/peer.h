/* What stands around the appliance under test, on the generator's ports: hosts, and the router between
 * two uplinks. The thread that polls the ports calls it all. */
#pragma once

#include "config/address.h"
#include "tests/bench/pktgen/traffic.h"

#include <stdbool.h>
#include <stdint.h>

#define PEERS_MAX 4
#define PEER_BURST 32

/* Ports: what is sent goes into LEFT and is awaited at RIGHT; WIRE_A and WIRE_B, if there, are
 * joined by a router. */
enum peer_port { PEER_LEFT, PEER_RIGHT, PEER_WIRE_A, PEER_WIRE_B };

struct peer {
	uint32_t own, appliance;       /* IPv4, host order: who we are there, and the appliance's address */
	struct mac_addr appliance_mac; /* known once it answered */
	bool resolved;
};

struct peers {
	struct peer port[PEERS_MAX];
	uint16_t n;
	struct rte_mempool *pool;
	uint64_t refused; /* frames for which the wire's ring had no room */
};

/* Ask for the appliance's MAC on every port until all are known. 0 or -ETIMEDOUT. */
int peers_resolve(struct peers *p, unsigned seconds);
/* Poll once: answer ARP for any address, route between the wires, account what reaches RIGHT.
 * Returns how many packets came in. */
unsigned peers_poll(struct peers *p, struct traffic *t);
