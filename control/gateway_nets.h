/* Gateways with BGP: each has a network namespace of its own, in which its routing daemon lives. A TAP there has the
 * gateway's BGP addresses, and everything else is behind it; what the daemon gives its kernel's main table is what the
 * gateway has learned. Each link of an ExpressRoute gateway's circuits has a TAP there, too. Address spaces of gateways
 * may overlap, and none knows of another's. Control thread.
 */
#pragma once

#include "control/learned.h"
#include "control/local_net.h"
#include "control/world.h"

struct gateway_beside {
	struct gateway_net *net;
	struct ip_addr address;
	uint16_t iface;
};

struct gateway_net {
	struct gateway_nets *all;
	char *gateway; /* its name */
	struct local_net *net;
	struct learned *learned;
	struct route_monitor *monitor;
	struct loop_source changes, dump;
	struct bird *bird; /* NULL: the routing daemon is the operator's */
	uint64_t links;    /* which indexes they have, as bird knows them */
	/* the gateway of the other type beside it, or the other hubs, with which it speaks */
	struct gateway_beside *beside;
	uint32_t n_beside;
	struct ip_addr *peer;
	uint32_t n_peers;
	bool wanted;
};

struct gateway_nets *gateway_nets_create(struct loop *loop, struct dataplane *dp);
/* As the published world wants them: see local_net_set. What a gateway that stays has learned stays, too. */
int gateway_nets_apply(struct gateway_nets *g, const struct world *w, const struct names *names, char *error, size_t n);
/* Ten times a second. g may be NULL. */
void gateway_nets_tick(struct gateway_nets *g, uint64_t now_ns);
/* The routing daemons are told to end, which their peers hear of while the loop runs on; until they are gone. */
void gateway_nets_goodbye(struct gateway_nets *g);
bool gateway_nets_gone(const struct gateway_nets *g);
/* keep: for a successor that starts at once, daemons, links and namespaces stay. NULL is fine. */
void gateway_nets_stop(struct gateway_nets *g, bool keep);

/* dataplane_events.local_packet: false when it is for no gateway here. g may be NULL. */
bool gateway_nets_packet(
	struct gateway_nets *g, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length);

/* Rises with every change of what gateway_nets_learned would tell; g may be NULL. */
uint64_t gateway_nets_change(const struct gateway_nets *g);
/* A copy, for learned_all_free. NULL: no memory. */
struct learned_all *gateway_nets_learned(const struct gateway_nets *g);

/* Those that are wanted, in the order of the configuration; NULL behind the last. */
const struct gateway_net *gateway_nets_at(const struct gateway_nets *g, uint32_t n);
const struct gateway_net *gateway_nets_find(const struct gateway_nets *g, const char *gateway);
