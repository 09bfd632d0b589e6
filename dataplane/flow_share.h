/* Flows that two nodes have in common. Part of dataplane.h; one thread of control's, beside the workers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dataplane;

/* A flow as another node needs it. Nothing in it depends on the node but the ids of its interface and rule. */
struct flow_record {
	uint64_t word[5]; /* its key, as flow_key.h has it, without the interface; IPv4: the first two */
	bool v6, through; /* through: of what an NVA there forwards */
	uint8_t state;    /* as flow_tcp.h has it */
	uint16_t iface, timeout_s;
	uint32_t idle_s, rule_name;
};

struct flow_sharing;

/* NULL: no memory. What it tells of is new, has changed, or has been used for a quarter of its timeout since. */
struct flow_sharing *dataplane_sharing_create(struct dataplane *dp);
void dataplane_sharing_free(struct flow_sharing *s);
/* Everything is told again: to another node, or the same one that was away. */
void dataplane_sharing_restart(struct flow_sharing *s);
/* Up to max of them, on from where the last call ended; *round: the end of the table was reached, and the next call
 * begins again. */
uint32_t dataplane_sharing_tell(struct flow_sharing *s, struct flow_record *out, uint32_t max, bool *round);
/* A flow of the other node's: made, or what is known of it brought together with what the other one knows. False: it
 * is none that could be, or there is no room. */
bool dataplane_sharing_take(struct flow_sharing *s, const struct flow_record *r);
