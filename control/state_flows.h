/* Flows and neighbours on the way between two nodes: as frames of the link (state_link.h), and back. Ids of interfaces
 * and rules are each node's own, so a name goes before the first flow that needs it. The link's thread, but for what is
 * said.
 */
#pragma once

#include "control/world.h"

#include <stddef.h>
#include <stdint.h>

#define STATE_HEADER 4 /* of a frame: length of the body, type, 0 */
#define STATE_BODY_MAX 4096
#define STATE_FILL_ROOM 49152 /* what state_flows_fill may write at once */

enum state_frame {
	STATE_HELLO = 1,
	STATE_ALIVE,
	STATE_INTERFACE, /* id, its name */
	STATE_RULE,      /* id, its name */
	STATE_FLOWS,
	STATE_NEIGHBOURS,
};

struct state_flows_count {
	uint64_t told, taken; /* flows */
	uint64_t refused;     /* of a subnet that is not here, none that could be, or no room */
};

/* Whom a node has found on a subnet. */
struct state_neighbour {
	uint16_t iface;
	struct ip_addr address;
	struct mac_addr mac;
};

#define STATE_NEIGHBOURS_MAX 64 /* in a frame */

struct state_flows;
struct interface_names;

/* heard: of a neighbour that the other node has found, with our interface. */
struct state_flows *state_flows_create(struct dataplane *dp, struct names *names,
	void (*heard)(void *context, const struct state_neighbour *n), void *context);
void state_flows_free(struct state_flows *s);

/* Any thread: the interfaces of a world, for state_flows_interfaces. NULL: no memory. */
struct interface_names *interface_names_of(const struct world *w, const struct names *names);
void interface_names_free(struct interface_names *i);
/* They are so from now on; takes them. */
void state_flows_interfaces(struct state_flows *s, struct interface_names *i);

/* Another connection: nothing is known there. */
void state_flows_restart(struct state_flows *s);
/* Frames of what is new, STATE_FILL_ROOM bytes at most; how many bytes. *round: that was all for now. */
size_t state_flows_fill(struct state_flows *s, uint8_t *out, bool *round);
/* Frames of up to STATE_NEIGHBOURS_MAX neighbours; how many bytes, STATE_FILL_ROOM at most. */
size_t state_neighbours_fill(struct state_flows *s, const struct state_neighbour *neighbour, uint32_t n, uint8_t *out);
/* A frame that came. -EPROTO: it is none; -ENOMEM. */
int state_flows_take(struct state_flows *s, enum state_frame type, const uint8_t *body, size_t n);
void state_flows_count(const struct state_flows *s, struct state_flows_count *out);

/* A frame's header; the body's place. */
uint8_t *state_frame_begin(uint8_t *out, enum state_frame type, size_t body);
