/* The BGP sessions of a gateway: inside its tunnels, on the links of its circuits, with the gateway of the other type
 * beside it, and of a hub with the other hubs of its virtual WAN. Any thread.
 */
#pragma once

#include "control/world.h"

enum session_kind { SESSION_TUNNEL, SESSION_CIRCUIT, SESSION_COEXISTENCE, SESSION_HUB };

struct gateway_session {
	enum session_kind kind;
	int32_t connection; /* CFG_NONE: COEXISTENCE, HUB */
	int32_t beside;     /* COEXISTENCE, HUB: the other gateway */
	uint8_t link;       /* CIRCUIT: 0 primary, 1 secondary */
	struct ip_addr local, peer;
	uint32_t local_asn, peer_asn;
	const struct cfg_bgp_session *settings;
	const char *of; /* the connection's or other gateway's name */
};

/* That of a connection, on one of its links (a tunnel has but link 0); false: it has none. */
bool gateway_session_of(const struct config *c, uint32_t connection, uint8_t link, struct gateway_session *out);
/* The next one of those that the configuration has, *at = 0 at first; false: there is no more. */
bool gateway_session_next(const struct config *c, uint32_t gateway, uint32_t *at, struct gateway_session *out);
/* The same, of the gateway of this name. */
bool gateway_session_next_of(const struct config *c, const char *gateway, uint32_t *at, struct gateway_session *out);
/* Its end is on this appliance. */
bool gateway_session_here(const struct world *w, const struct gateway_session *s);

/* A routing daemon belongs to the gateway: it speaks BGP, and is ours. */
bool gateway_speaks(const struct cfg_gateway *g);
/* Our end of a link and the peer's; family 0: the link is not used. */
struct ip_addr circuit_local(const struct cfg_circuit *c, uint8_t link);
struct ip_addr circuit_peer(const struct cfg_circuit *c, uint8_t link);
