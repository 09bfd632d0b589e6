/* Fragments: decisions are made for whole packets, memory is bounded.
 *
 * Worker only. Transit fragments pass through one by one, but each carries the ports, protocol
 * and TCP flags of its first fragment (virtual reassembly), so all meet the same verdict; those
 * that come before the first wait for it, bounded in number and time. What overlaps is dropped
 * with the rest of its datagram (RFC 5722, and the same for IPv4); what repeats is dropped alone.
 * Fragments addressed to ourselves that may carry ESP are reassembled whole; those of IKE go to control.
 *
 * All fragments of a datagram have to come to the same worker (RSS and the hand-off spread
 * fragments by address) and through the same interface.
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/worker.h"

/* packets: how many may wait, and about as many datagrams may be open. timeout_tsc: how long
 * fragments wait for the first one, and how long after it the others are still known. */
struct fragment_table *fragment_table_create(uint32_t packets, uint64_t timeout_tsc);
void fragment_table_free(struct fragment_table *t); /* frees the packets it holds */

/* Something waits to be put back into a burst, or to time out: call fragments_virtual, with an
 * empty burst if need be. */
bool fragments_due(const struct fragment_table *t, uint64_t now);

/* Every fragment of the burst leaves with source_port/destination_port of its first fragment, or waits in
 * the table, or is dropped. Waiting fragments whose first one has come are put back into the burst (never past
 * BURST_MAX: the rest waits for the next burst). After esp_open, before nsg_out. */
void fragments_virtual(struct worker *w, struct burst *b);
/* Outer fragments to one of our uplink addresses, ESP or UDP: reassembled into one mbuf and parsed
 * anew, or kept, or dropped; IKE's are punted. Between parse and esp_open. Other packets are left alone. */
void fragments_reassemble(struct worker *w, struct burst *b);

/* Split p (already routed, link header not yet written) into IPv4 fragments of at most mtu bytes; the pieces
 * are written to out[], at most max; their data begins with the IP header. Returns how many, 0 = could
 * not (dropped). p's mbuf is consumed. The caller has looked at DF. */
uint16_t fragment_split(struct worker *w, struct packet *p, uint16_t mtu, struct rte_mbuf **out, uint16_t max);
