/* Flows: what has been allowed goes on being allowed, in both directions, until it idles out.
 *
 * One table shared by all workers; set-associative; no locks: each entry is guarded by a version
 * word. Key: interface (the endpoint whose NSG decided), addresses, protocol, ports; either
 * direction of a conversation finds the same entry.
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/worker.h"

struct flow_table *flow_table_create(uint32_t capacity);
void flow_table_free(struct flow_table *t);

enum flow_result { FLOW_MISS, FLOW_HIT, FLOW_BAD_STATE };

/* Worker. Look up n packets at endpoint iface[i]; result[i] by packet. `toward[i]`: the packet goes
 * towards the endpoint (inbound). Updates last-seen time and TCP state on a hit. */
void flow_lookup(struct worker *w, struct packet *const *pkt, const uint16_t *iface, bool inbound, uint16_t n, uint8_t *result);
/* Worker. After the rules allowed the first packet. False: the set is full of live flows. */
bool flow_insert(struct worker *w, const struct packet *p, uint16_t iface, bool inbound, uint16_t timeout_s, uint32_t rule_name);
