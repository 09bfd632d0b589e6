/* Virtual WANs: hubs, what is connected to them, and sites. Part of resource.h; their gateways: hub_gateway.h.
 *
 * A checked configuration holds each hub a second time, as what the rest of the appliance knows: a virtual network and
 * a gateway of the hub's name, peerings with the connected networks, local network gateways for the sites' links, and
 * connections (expand_wan.c). Those are `implied`: they are not printed, and no reference of the file leads to them.
 */
#pragma once

#include "config/bgp.h"
#include "config/value.h"

#include <stdbool.h>
#include <stdint.h>

/* The two tables that every hub has come first. */
#define CFG_HUB_DEFAULT_TABLE 0 /* defaultRouteTable */
#define CFG_HUB_NONE_TABLE 1    /* noneRouteTable: always empty */

struct cfg_wan {
	struct cfg_mark mark;
	char *name, *id;
	bool basic;            /* type Basic: sites only, and from hub to hub nothing */
	bool branch_to_branch; /* allowBranchToBranchTraffic, true by default */
};

/* Prefixes that an appliance inside a connected network leads to. */
struct cfg_hub_static {
	struct cfg_mark mark;
	char *name;
	struct cfg_prefixes prefixes;
	struct ip_addr next_hop;
};

struct cfg_hub_table_id {
	int32_t hub, table;
};

/* routingConfiguration of a connection to a hub. */
struct cfg_hub_routing {
	struct cfg_mark mark;
	bool given;
	char *associated_ref;
	struct cfg_strings labels, table_refs; /* propagatedRouteTables */
	struct cfg_hub_static *statics;
	uint32_t n_statics;
	bool propagate_statics; /* true by default */
	bool contains;          /* vnetLocalRouteOverrideCriteria Contains; Equal by default */
	/* by config_check */
	int32_t hub, associated;     /* table of that hub */
	struct cfg_hub_table_id *to; /* propagated to, sorted */
	uint32_t n_to;
};

/* A virtual network's connection. */
struct cfg_hub_connection {
	struct cfg_mark mark;
	char *name, *id, *vnet_ref;
	int32_t vnet;
	bool internet_security; /* enableInternetSecurity: a default route of the hub's is for it, too */
	struct cfg_hub_routing routing;
};

struct cfg_hub_route {
	struct cfg_mark mark;
	char *name, *next_hop_ref;
	struct cfg_prefixes destinations;
	int32_t connection; /* of the hub, by config_check */
};

struct cfg_hub_table {
	struct cfg_mark mark;
	char *name, *id;
	bool implied;
	struct cfg_strings labels;
	struct cfg_hub_route *routes;
	uint32_t n_routes;
};

enum cfg_hub_preference { HUB_PREFERS_EXPRESS_ROUTE, HUB_PREFERS_VPN, HUB_PREFERS_AS_PATH };

struct cfg_hub {
	struct cfg_mark mark;
	char *name, *id, *location, *wan_ref;
	struct ip_prefix prefix;
	int32_t wan;
	enum cfg_hub_preference preference;
	uint32_t asn; /* virtualRouterAsn: 65515 */
	struct cfg_hub_connection *connections;
	uint32_t n_connections;
	struct cfg_hub_table *tables;
	uint32_t n_tables;
	/* by config_check */
	int32_t vnet, gateway;                    /* implied */
	int32_t vpn, express_route, p2s;          /* its gateways, in their arrays; CFG_NONE */
	const struct cfg_hub_routing *of_clients; /* NULL: no point-to-site */
};

struct cfg_site_link {
	struct cfg_mark mark;
	char *name, *id;
	struct ip_addr address; /* family 0 when fqdn is given */
	char *fqdn;
	struct cfg_bgp bgp; /* bgpProperties: the peer's */
};

struct cfg_site {
	struct cfg_mark mark;
	char *name, *id, *wan_ref;
	int32_t wan;
	struct cfg_prefixes prefixes;
	struct cfg_site_link *links;
	uint32_t n_links;
	struct cfg_site_link own; /* what stands at the site itself, where it has no vpnSiteLinks */
};

struct cfg_hub_vpn_gateway;
struct cfg_hub_er_gateway;
struct cfg_hub_p2s_gateway;
struct cfg_server_configuration;

/* All of a file. */
struct cfg_wans {
	struct cfg_wan *wans;
	uint32_t n_wans;
	struct cfg_hub *hubs;
	uint32_t n_hubs;
	struct cfg_site *sites;
	uint32_t n_sites;
	struct cfg_hub_vpn_gateway *vpn_gateways;
	uint32_t n_vpn_gateways;
	struct cfg_hub_er_gateway *er_gateways;
	uint32_t n_er_gateways;
	struct cfg_hub_p2s_gateway *p2s_gateways;
	uint32_t n_p2s_gateways;
	struct cfg_server_configuration *server_configurations;
	uint32_t n_server_configurations;
};
