/* The world: one checked configuration turned into what the dataplane compiles and what tools show.
 *
 * world_build is called by the builder thread (and by offline tools); afterwards a world is
 * read-only until world_free, which control calls when its view is retired.
 */
#pragma once

#include "config/config.h"
#include "dataplane/dataplane.h"

/* Names: append-only texts that ids stand for ("nsg-web/securityRules/deny-ssh"); stable across reloads, so
 * that counters keep their meaning. Thread-safe. Id 0 (NAME_NONE) is "". */
struct names *names_create(void);
void names_free(struct names *n);
uint32_t names_id(struct names *n, const char *text);
const char *names_text(const struct names *n, uint32_t id); /* valid as long as n */

/* Interface ids by the name of the subnet ("vnet/subnet"), uplink ("uplink NAME") or gateway ("gateway NAME"):
 * the same name keeps its id; a freed id is reused as late as possible. */
struct iface_ids *iface_ids_create(void);
void iface_ids_free(struct iface_ids *ids);

enum effective_source { SOURCE_DEFAULT, SOURCE_USER, SOURCE_VIRTUAL_NETWORK_GATEWAY };

/* The vendor's strings, show-effective-route-table. */
enum effective_type {
	EFFECTIVE_VNET_LOCAL,
	EFFECTIVE_VNET_PEERING,
	EFFECTIVE_VNET_GLOBAL_PEERING,
	EFFECTIVE_INTERNET,
	EFFECTIVE_NONE,
	EFFECTIVE_VIRTUAL_APPLIANCE,
	EFFECTIVE_VIRTUAL_NETWORK_GATEWAY,
};

/* Why a route of the gateway lost. */
#define WHY_ANOTHER_CONNECTION                                                                                         \
	"another connection to this prefix has a higher routingWeight, or the same and comes first"
#define WHY_STATIC "the gateway has a static route with the same prefix"
#define WHY_CLIENTS "the gateway's own address pool of clients has the same prefix"
#define WHY_ANOTHER_HUB_ROUTE "another route of the hub to this prefix goes first"
#define WHY_STRONG "inside a system route of the virtual network or a peering, which is preferred"
#define WHY_USER "a user route has the same prefix"

struct effective_route {
	struct ip_prefix prefix;
	enum effective_source source;
	enum effective_type type;
	bool active;
	struct ip_addr next_hop; /* family 0 = none */
	const char *
		name; /* of the user route, peering or connection, of the gateway for its clients; NULL for a default */
	const char *why; /* why Invalid or why it drops, NULL when neither */
	uint32_t hop;    /* in spec.hop */
};

struct effective_table {
	int32_t vnet, subnet;          /* in config */
	uint16_t iface;                /* IFACE_NONE: the subnet is not attached here */
	struct effective_route *route; /* its own, sorted by prefix, winner first */
	uint32_t n;
	const struct effective_route *learned; /* its gateway's, shared by all that use it; sorted, best first */
	uint32_t n_learned;
};

/* Told, not refused: a 0/0 user route widens VirtualNetwork, a next hop out of reach, ... */
struct warning {
	struct cfg_mark mark;
	char text[300];
};

/* A prefix that a hub's gateway tells its peers, whatever they tell. */
struct told_prefix {
	struct ip_prefix prefix;
	bool far;    /* another hub's */
	bool behind; /* a tunnel: next hops may be in it */
};

struct told_prefixes {
	struct told_prefix *p;
	uint32_t n;
};

/* One route of a hub's table, in the vendor's words. */
struct hub_row {
	struct ip_prefix prefix;
	const char *type, *next_hop, *origin;
	bool learned;
};

struct hub_table {
	int32_t hub, table; /* in config */
	struct hub_row *row;
	uint32_t n;
};

struct arena;
struct learned_all;

struct world {
	struct config *config;         /* owned */
	struct view_spec spec;         /* as given to view_build; sa[].sa filled in by the SA store */
	struct effective_table *table; /* one for each subnet of the file */
	uint32_t n_tables;
	const uint16_t *tunnel;        /* [connection]: in spec.tunnel, TUNNEL_NONE: no end of it is here */
	const uint16_t *gateway_iface; /* [gateway] */
	const uint16_t (
		*circuit_iface)[CFG_CIRCUIT_LINKS];  /* [circuit][link]; IFACE_NONE: the link does not end here */
	const uint32_t *circuit_routes;              /* [connection]: learned by it, of ExpressRoute */
	const struct cfg_prefixes *gateway_networks; /* [gateway]: its VNet's, and of VNets that use it */
	const struct told_prefixes *hub_told;        /* [gateway], of hubs */
	struct hub_table *hub_table;                 /* all hubs' */
	uint32_t n_hub_tables;
	struct warning *warning;
	uint32_t n_warnings;
	struct arena *arena; /* all of the above but config lies here */
};

/* Takes ownership of config on success. learned: by the gateways' routing daemons, NULL: nothing. Errors that only
 * compilation finds go to errors. */
int world_build(struct config *config, const struct learned_all *learned, struct names *names, struct iface_ids *ids,
	struct world **out, struct config_errors *errors);
void world_free(struct world *w);

/* All routes of a table by prefix, winner first: the gateway's as they stand among the subnet's own. */
void effective_each(
	const struct effective_table *t, void (*each)(void *context, const struct effective_route *r), void *context);
const char *effective_type_name(enum effective_type t);
const char *effective_source_name(enum effective_source s);
const struct effective_table *world_table(const struct world *w, const char *vnet, const char *subnet);
/* The subnet interface an address of a VNet belongs to, IFACE_NONE if none. */
uint16_t world_iface_of(const struct world *w, int32_t vnet, const struct ip_addr *a);
