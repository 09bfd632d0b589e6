/* A network namespace in which daemons that speak for the appliance live, with a link for each uplink (the control
 * namespace: charon) or for one gateway and its circuits (its routing daemon). What peers send them arrives there, what
 * they send leaves by the uplink, gateway or circuit whose address it bears. Control thread.
 *
 * It is made when links are first wanted and stays to the end, for daemons may live in it; idle, it soon has no links.
 * Whoever starts a daemon inside asks for the namespace here; its processes should have ended before local_net_stop.
 */
#pragma once

#include "control/local_tap.h"

struct local_net;

/* A link that is wanted. */
struct local_link {
	const char *name; /* of the uplink or gateway */
	uint16_t iface;   /* its id in the view */
	struct local_settings is;
};

/* What is constant of a namespace. */
struct local_traits {
	/* Takes an IP packet of a daemon's on another way; NULL: all go to the dataplane. */
	bool (*divert)(void *context, const uint8_t *l3, uint16_t length);
	void *context;
	const char *noun; /* of its links: "uplink", "gateway" */
	uint32_t links_max;
	uint32_t classes; /* 1 << enum punt_class: what its daemons wait for */
	bool alone;       /* not in a namespace that another owner has made */
};

struct local_net *local_net_create(struct loop *loop, struct dataplane *dp, const struct local_traits *traits);
/* Makes namespace and links as they are wanted; what stays is untouched. owner: who says that it made the namespace.
 * 0, or -errno with the text of the first thing that failed; all else is done. */
int local_net_set(struct local_net *l, const char *namespace, const char *owner, const struct local_link *link,
	uint32_t n, char *error, size_t size);
/* The addresses that lie on the link of this interface, each with a route of its own: those of `before` that are not
 * among them go. 0 or -errno; all else is done. */
int local_net_hosts(struct local_net *l, uint16_t iface, const struct ip_addr *host, uint32_t n,
	const struct ip_addr *before, uint32_t n_before);
/* No link is needed any more, but for goodbyes. */
void local_net_idle(struct local_net *l);
/* Ten times a second. l may be NULL. */
void local_net_tick(struct local_net *l, uint64_t now_ns);
/* Everything goes that was made here. keep: for a successor that starts at once, links and namespace stay. */
void local_net_stop(struct local_net *l, bool keep);

/* Of the namespace, in /run/netns and for setns(); NULL and -1 when there is none. */
const char *local_net_name(const struct local_net *l);
int local_net_fd(const struct local_net *l);

/* dataplane_events.local_packet: false when no link here is that interface's, or no daemon waits for the class. l may
 * be NULL. */
bool local_net_packet(struct local_net *l, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length);

/* While charon does not know its connections yet, IKE is dropped: it would turn every peer away, and thousands that ask
 * keep it from being told. Peers send again. */
void local_net_hold_ike(struct local_net *l, bool hold);

/* The n-th link, NULL behind the last; that of an interface, NULL: none. */
const struct local_tap *local_net_tap(const struct local_net *l, uint32_t n);
const struct local_tap *local_net_tap_of(const struct local_net *l, uint16_t iface);
