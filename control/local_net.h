/* The control namespace: a network namespace in which the daemons that speak for the appliance live, with a TAP for
 * each uplink. What peers send them arrives there, what they send leaves by the uplink whose address it bears.
 * Control thread.
 *
 * It is made for the first configuration with a connection or point-to-site gateway that negotiates its keys, and stays
 * to the end, for daemons may live in it; with a configuration that has none it soon has no interfaces. Whoever starts
 * a daemon inside asks for the namespace here; its processes should have ended before local_net_stop.
 */
#pragma once

#include "control/local_tap.h"
#include "control/world.h"

struct local_net;

bool local_net_wanted(const struct config *c);

struct local_net *local_net_create(struct loop *loop, struct dataplane *dp);
/* Makes namespace and interfaces as the published world wants them; what stays is untouched. 0, or -errno with the
 * text of the first thing that failed; all else is done. */
int local_net_apply(struct local_net *l, const struct world *w, const struct names *names, char *error, size_t n);
/* Ten times a second. l may be NULL. */
void local_net_tick(struct local_net *l, uint64_t now_ns);
/* Everything goes that was made here. keep: for a successor that starts at once, interfaces and namespace stay. */
void local_net_stop(struct local_net *l, bool keep);

/* Of the namespace, in /run/netns and for setns(); NULL and -1 when there is none. */
const char *local_net_name(const struct local_net *l);
int local_net_fd(const struct local_net *l);

/* dataplane_events.local_packet. l may be NULL. */
bool local_net_packet(struct local_net *l, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length);

/* While charon does not know its connections yet, IKE is dropped: it would turn every peer away, and thousands that ask
 * keep it from being told. Peers send again. */
void local_net_hold_ike(struct local_net *l, bool hold);

/* The n-th interface, NULL behind the last. */
const struct local_tap *local_net_tap(const struct local_net *l, uint32_t n);
