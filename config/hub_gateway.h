/* The gateways of virtual hubs. Internal to config/: what others see of them is implied objects, see wan.h. */
#pragma once

#include "config/resource.h"

/* A link of a site: all that a connection has, and which link. Or, without links, the site itself. */
struct cfg_hub_vpn_link {
	struct cfg_connection connection; /* first: its fields are bound as a connection's */
	char *link_ref;
};

struct cfg_hub_vpn_connection {
	struct cfg_connection connection; /* of a site without links; its name is this one's */
	char *site_ref;
	struct cfg_hub_vpn_link *links;
	uint32_t n_links;
	struct cfg_hub_routing routing;
};

/* What metal needs of a gateway with tunnels. */
struct cfg_hub_metal {
	struct cfg_strings public_ip_refs; /* one of each address family */
	struct cfg_credentials credentials;
};

struct cfg_hub_vpn_gateway {
	struct cfg_mark mark;
	char *name, *id, *hub_ref;
	struct cfg_bgp bgp;
	struct cfg_hub_vpn_connection *connections;
	uint32_t n_connections;
	struct cfg_hub_metal metal;
};

struct cfg_hub_circuit {
	struct cfg_mark mark;
	char *name, *id, *circuit_ref;
	uint16_t routing_weight;
	struct cfg_hub_routing routing;
};

struct cfg_hub_er_gateway {
	struct cfg_mark mark;
	char *name, *id, *hub_ref;
	struct cfg_hub_circuit *connections;
	uint32_t n_connections;
};

/* vpnServerConfigurations: how point-to-site clients prove themselves. */
struct cfg_server_configuration {
	struct cfg_mark mark;
	char *name, *id;
	struct cfg_p2s p2s; /* but for the pool */
};

/* p2SConnectionConfigurations: one. */
struct cfg_hub_clients {
	struct cfg_mark mark;
	char *name, *id;
	struct cfg_prefixes pool;
	struct cfg_hub_routing routing;
};

struct cfg_hub_p2s_gateway {
	struct cfg_mark mark;
	char *name, *id, *hub_ref, *server_ref;
	struct cfg_hub_clients *clients;
	uint32_t n_clients;
	struct cfg_prefixes dns; /* customDnsServers: /32 or /128 each */
	struct cfg_p2s_user *users;
	uint32_t n_users;
	struct cfg_hub_metal metal;
};
