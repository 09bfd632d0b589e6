/* Gateways: their interfaces, their connections as tunnels, and the routes they serve. */
#pragma once

#include "control/peering.h"
#include "control/world_build.h"

/* Uplinks have their interfaces by now. -EINVAL: no room. */
int gateway_interfaces(struct world_build *b);
void gateway_tunnels(struct world_build *b);
/* Every gateway's routes, best of each prefix first; those of ExpressRoute gateways stand on VPN gateways'. */
void gateway_routes(struct world_build *b);
/* The longest best route that covers p whole, -1. */
int32_t gateway_around(const struct gateway_state *g, const struct ip_prefix *p);
/* The prefixes of its VNet and of those that use it across a peering. */
struct cfg_prefixes gateway_networks(struct world_build *b, uint32_t gateway);
void gateway_route_add(struct world_build *b, struct gateway_state *g, const struct gateway_route *r);
/* Index in spec.gateway_table of the table that a service's users share, or that packets out of the gateway's tunnels
 * meet; -1: it serves no route. */
int32_t gateway_table_of(struct world_build *b, const struct gateway_service *s, bool from_tunnels);
/* Sorted, the best known, and each under those around it. */
void gateway_arrange(struct gateway_state *s);
/* Of sorted routes: the best of each prefix, what is around each, and with standby set who stands in for the best. */
void gateway_link(struct gateway_state *s, bool standby);
/* What lies behind a connection: the local network gateway's prefixes, or the other VNet's space. */
struct cfg_prefixes gateway_remote_prefixes(const struct config *c, const struct cfg_connection *connection);
/* Who serves a route, as tools show it: the connection, or the gateway itself for its clients. */
const char *gateway_route_name(const struct config *c, int32_t gateway, const struct gateway_route *r);
/* A gateway's address as tools show it: its public IP; family 0 = none. */
struct ip_addr gateway_public_ip(const struct config *c, int32_t gateway);
/* The same, or of a gateway that needs none its address of BGP. */
struct ip_addr gateway_shown(const struct config *c, int32_t gateway);
