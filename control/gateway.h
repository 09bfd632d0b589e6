/* VPN gateways: their interfaces, their connections as tunnels, and the routes they serve. */
#pragma once

#include "control/peering.h"
#include "control/world_build.h"

/* Uplinks have their interfaces by now. -EINVAL: no room. */
int gateway_interfaces(struct world_build *b);
void gateway_tunnels(struct world_build *b);
/* Every gateway's routes, best of each prefix first. */
void gateway_routes(struct world_build *b);
/* The longest best route that covers p whole, -1. */
int32_t gateway_around(const struct gateway_state *g, const struct ip_prefix *p);
/* Index in spec.gateway_table of the table that a service's users share; -1: it serves no route. */
int32_t gateway_table_of(struct world_build *b, const struct gateway_service *s);
/* What lies behind a connection: the local network gateway's prefixes, or the other VNet's space. */
struct cfg_prefixes gateway_remote_prefixes(const struct config *c, const struct cfg_connection *connection);
/* Who serves a route, as tools show it: the connection, or the gateway itself for its clients. */
const char *gateway_route_name(const struct config *c, int32_t gateway, const struct gateway_route *r);
/* A gateway's address as tools show it: its public IP; family 0 = none. */
struct ip_addr gateway_public_ip(const struct config *c, int32_t gateway);
