/* Flows: what has been allowed goes on being allowed, in both directions, until it idles out.
 *
 * One table shared by all workers, without locks. A flow belongs to an endpoint: an interface and
 * which end of the conversation is the local one (the sender where the rules for outbound packets decided,
 * the receiver where those for inbound ones did); either direction finds the same entry. Two hosts of one
 * subnet are two endpoints, each with its own rules and its own flow; so is an NVA beside the hosts whose packets it
 * forwards (but two NVAs of one subnet that forward the same conversation share its flow).
 *
 * TCP states are honoured as far as flags tell (flow_tcp.h); sequence numbers are not followed.
 * A TCP packet in the middle of a conversation that has no flow is judged by the rules and opens one, so
 * that conversations survive a restart of the appliance or an NVA that starts late. RST and FIN open nothing,
 * nor do ICMP errors and later fragments: they pass or not by the rules alone.
 *
 * When a flow finds no free place, it takes the place of, in this order: flows that have idled out, the
 * oldest closed TCP flow, the oldest TCP flow that was never answered or completed. Established flows are
 * never evicted: then the new flow is refused (FLOW_TABLE_FULL), and the packet dropped.
 */
#pragma once

#include "dataplane/flow_key.h"
#include "dataplane/worker.h"

/* Places for `capacity` flows of each family, and a quarter more so that the last ones find theirs.
 * Control. Rounds up; EAL's heap; NULL when it has too little. */
struct flow_table *flow_table_create(uint32_t capacity);
void flow_table_free(struct flow_table *t);

enum flow_result { FLOW_MISS, FLOW_HIT, FLOW_BAD_STATE };

/* An endpoint is an interface id, and this when an NVA forwards the packet. */
#define FLOW_THROUGH 0x8000

/* A packet on its way through the table. */
struct flow_probe {
	struct flow_key key;
	uint64_t hash;
	uint32_t bucket; /* where its flow most likely is */
};

/* Worker. The packets' flows, each at its end; `inbound`: towards the endpoint. Memory that the lookup will want is
 * asked for. */
void flow_prepare(const struct worker *w, struct flow_probe *probe, struct packet *const *pkt, const uint16_t *end,
	uint16_t n, bool inbound);
/* Worker. Look up n <= BURST_MAX packets, prepared; returns how many are hits. A hit notes the time and the TCP state.
 * An ICMP error that quotes a packet of a flow is a hit, too. */
uint16_t flow_lookup(
	struct worker *w, const struct flow_probe *probe, struct packet *const *pkt, uint16_t n, uint8_t *result);
/* Worker. After the rules allowed a packet that missed. True: the flow is there, or the packet is one that opens
 * none. False: no room. */
bool flow_insert(struct worker *w, const struct flow_probe *probe, const struct packet *p, bool inbound,
	uint16_t timeout_s, uint32_t rule_name);

/* Any thread. Calls each() for up to max live flows; returns how many live. Flows that come or go meanwhile are seen
 * or not. now_s: the workers' clock. */
uint32_t flow_table_walk(const struct flow_table *t, uint32_t now_s, uint32_t max,
	void (*each)(void *, const struct flow_info *), void *context);
