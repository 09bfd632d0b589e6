/* Building a world: what its steps share. Internal to the world's own files; builder thread.
 *
 * Everything a world holds lies in one arena. A failed allocation is remembered there and told once, at the end;
 * until then steps leave their arrays as they were.
 */
#pragma once

#include "config/arena.h"
#include "control/world.h"

/* A networkInterface's address, sorted by VNet and address. */
struct nic_address {
	int32_t vnet;
	struct ip_addr address;
	uint32_t nic;
};

/* A route that one of a gateway's connections serves, or that leads to its point-to-site clients. */
struct gateway_route {
	struct ip_prefix prefix;
	int32_t connection;  /* in config; CFG_NONE: clients */
	uint16_t weight;     /* its routingWeight */
	bool best;           /* of those with this prefix */
	bool learned;        /* by the gateway's routing daemon */
	bool peer;           /* the address of a BGP peer */
	int32_t parent;      /* the nearest best one around it, its own prefix's for others; -1 */
	struct hop_spec hop; /* as the gateway itself forwards: no peering is crossed */
};

struct gateway_state {
	uint16_t iface;
	struct gateway_route *route; /* sorted by prefix, best first */
	uint32_t n_routes;
	struct effective_route *row; /* the same as tools print them where nothing else speaks */
	uint32_t n_rows;
	bool transit;               /* whatever comes out of a tunnel may take them: hub.c has said which */
	struct route_spec *forward; /* sorted by prefix: what it does with packets that subnets send to it */
	uint32_t n_forward;
};

/* A gateway's shared table, with the marks of the peering its users cross to reach it. */
struct gateway_table_use {
	const struct gateway_state *routes;
	bool from_tunnels;                    /* without those that no tunnel leads to another for */
	uint32_t access_name, forwarded_name; /* crossing.access_name, .forwarded_name */
};

/* Whom a tag table is for. */
struct tags_use {
	int32_t vnet, route_table;
};

struct world_build {
	const struct config *config;
	const struct learned_all *learned; /* NULL: nothing */
	struct names *names;
	struct iface_ids *ids;
	struct config_errors *errors;
	struct world *world;
	struct view_spec *spec; /* of the world */
	struct arena *arena;

	uint16_t **subnet_iface;                      /* [vnet][subnet]; IFACE_NONE: not attached */
	uint16_t *uplink_iface;                       /* [uplink] */
	uint16_t *tunnel;                             /* [connection]; TUNNEL_NONE */
	uint16_t (*circuit_iface)[CFG_CIRCUIT_LINKS]; /* [circuit][link]; IFACE_NONE: it does not end here */
	uint32_t *circuit_routes;                     /* [connection]: learned by it, of ExpressRoute */
	struct gateway_state *gateway;                /* [gateway] */
	struct hub_view **hub_view;                   /* hub.c */
	uint32_t n_hub_views;
	struct cfg_prefixes *asg_members; /* [ASG]: addresses that carry it */
	uint32_t (*nsg_acl)[2];           /* [NSG][direction]; ACL_NONE: not asked for yet */
	struct nic_address *nic_address;
	uint32_t n_nic_addresses;

	uint32_t *hop_slot; /* hops.c */
	uint32_t hop_slots;
	struct gateway_table_use *table_use; /* [gateway table] */
	struct tags_use *tags_use;           /* [tag table]; [0] is nobody's: no tags but Internet */
};

/* Room for one more after the n there are: the array itself or a larger copy. NULL: no memory, nothing changed. */
void *world_grow(struct world_build *b, void *array, uint32_t n, size_t size);
/* A text in the world's arena, "" when memory is out. */
const char *world_text(struct world_build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint32_t world_name(struct world_build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_warn(struct world_build *b, struct cfg_mark mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
