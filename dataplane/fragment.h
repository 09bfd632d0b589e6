/* Fragments: decisions are made for whole packets, memory is bounded.
 *
 * Worker only. Transit fragments pass through one by one, but each carries the ports of its
 * first fragment (virtual reassembly); those that come before the first wait for it, bounded in
 * number and time. Fragments addressed to ourselves that carry ESP are reassembled whole.
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/worker.h"

struct fragment_table *fragment_table_create(uint32_t packets, uint64_t timeout_tsc);
void fragment_table_free(struct fragment_table *t); /* frees the packets it holds */

/* Every fragment of the burst leaves with source_port/destination_port of its first fragment, or waits in
 * the table, or is dropped. Waiting fragments whose first one has come are put back into the burst (never past
 * BURST_MAX: the rest waits for the next burst). Called by `admit`'s caller when any packet of b is a fragment,
 * and once in a while without (timeouts): see pipeline.c. */
void fragments_virtual(struct worker *w, struct burst *b);
/* Outer fragments to one of our uplink addresses: reassembled into one mbuf, or kept, or dropped. */
void fragments_reassemble(struct worker *w, struct burst *b);

/* Split p (already routed, link header not yet written) into IPv4 fragments of at most mtu bytes; the pieces
 * are written to out[], at most max. Returns how many, 0 = could not (dropped). p's mbuf is consumed. */
uint16_t fragment_split(struct worker *w, struct packet *p, uint16_t mtu, struct rte_mbuf **out, uint16_t max);
