/* Virtual WANs: what their checks share. Internal to config/. */
#pragma once

#include "config/check.h"
#include "config/hub_gateway.h"

/* check_hub_routing.c. Each 0 or -ENOMEM. */
int hub_tables_resolve(struct check *k, struct cfg_hub *h);
/* By its default table a connection is known to the hub's branches. */
bool hub_routing_reaches(const struct cfg_hub_routing *r, int32_t hub);
/* After the tables of all hubs. `mark` where there is no routingConfiguration. */
int hub_routing_resolve(struct check *k, struct cfg_hub_routing *r, int32_t hub, struct cfg_mark mark);
void hub_routing_check_branch(struct check *k, const struct cfg_hub_routing *r, const char *name, struct cfg_mark mark);
void hub_routing_check_statics(struct check *k, const struct cfg_hub_connection *c);

/* expand_wan.c: the objects that hubs imply. 0 or -ENOMEM. */
int expand_wan(struct check *k);
/* expand_sites.c, after the hubs' gateways. 0 or -ENOMEM. */
int expand_sites(struct check *k);
int expand_connections(struct check *k);
/* What clients of a hub are told to send it, beside its own networks: after connections. 0 or -ENOMEM. */
int expand_client_routes(struct check *k, struct cfg_gateway *g);
/* The array with room for `more` behind its n objects; NULL: no memory. */
void *expand_widen(struct check *k, const void *old, uint32_t n, uint32_t more, size_t size);
/* An object of the file has the name already: an error was told. `what` it is. */
bool expand_taken(struct check *k, enum kind kind, const char *name, struct cfg_mark mark, const char *what);
char *expand_text(struct check *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
