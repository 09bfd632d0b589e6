/* Neighbours: (interface, address) -> MAC, in one table that control writes and workers read.
 *
 * An entry's answer is one aligned 64-bit word (state and MAC), so a worker reads it whole or not
 * at all; keys are written before the word is published and a freed slot is reused only after the
 * grace period.
 */
#pragma once

#include "dataplane/dataplane.h"
#include "dataplane/worker.h"

#define NEIGHBOUR_USABLE (1ull << 63) /* set when the MAC in the low 48 bits may be used */
#define NEIGHBOUR_ASK (1ull << 62)    /* usable, but control wants to hear of traffic: punt nothing, set touched */

struct neighbour_table *neighbour_table_create(uint32_t capacity);
void neighbour_table_free(struct neighbour_table *t);

/* Worker. The word of the entry, 0 when there is none or it is unresolved. */
uint64_t neighbour_lookup(const struct neighbour_table *t, uint16_t iface, const struct ip_addr *a);
uint64_t neighbour_lookup_v4(const struct neighbour_table *t, uint16_t iface, rte_be32_t address);

/* Control, the slow path (neighbour.c keeps the state machine: RFC 4861 names, also for ARP). */

/* A packet waits for an answer; ownership passes. Starts resolution when there is no entry. */
void neighbour_wait(struct dataplane *dp, uint16_t iface, const struct ip_addr *a, struct rte_mbuf *m, uint16_t l3_off);
/* What ARP, ND or a trusted packet told us. */
void neighbour_learn(struct dataplane *dp, uint16_t iface, const struct ip_addr *a, const struct mac_addr *mac, bool solicited);
/* Timers: probes, ageing, freeing after the grace period. Every dataplane_poll. */
void neighbour_tick(struct dataplane *dp, uint64_t now_ns);
/* A new view was published: static entries of NICs with a MAC are set, entries of vanished interfaces go. */
void neighbour_view(struct dataplane *dp, const struct view *v);
