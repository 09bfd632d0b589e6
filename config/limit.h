/* How much a configuration may hold. The man page states each; the loader enforces them.
 *
 * Those marked M are the cloud's own published limits, the rest are this appliance's.
 */
#pragma once

/* the file */
#define LIMIT_FILE_BYTES (64u << 20)
#define LIMIT_DEPTH 32
#define LIMIT_VALUES 4000000
#define LIMIT_KEYS 256 /* of one object */

/* networks */
#define LIMIT_VNETS 1000         /* M */
#define LIMIT_SUBNETS 3000       /* M, per VNet */
#define LIMIT_PEERINGS 500       /* M, per VNet */
#define LIMIT_SPACE_PREFIXES 256 /* of an address space */
#define LIMIT_SUBNET_PREFIXES 16
#define LIMIT_ROUTE_TABLES 200 /* M */
#define LIMIT_ROUTES 400       /* M, per table */

/* filtering */
#define LIMIT_NSGS 5000             /* M */
#define LIMIT_RULES 1000            /* M, per NSG */
#define LIMIT_RULE_SIDE_VALUES 4000 /* M, prefixes or port ranges per side, summed over an NSG */
#define LIMIT_RULE_ASGS 10          /* M, per rule side */
#define LIMIT_ASGS 3000             /* M */
#define LIMIT_NICS 65536            /* M */
#define LIMIT_IP_CONFIGS 256        /* M, per interface */
#define LIMIT_IP_CONFIG_ASGS 20     /* M */

/* gateways */
#define LIMIT_PUBLIC_IPS 1000
#define LIMIT_GATEWAYS 1000
#define LIMIT_GATEWAY_IP_CONFIGS 2 /* one of each address family */
#define LIMIT_LOCAL_GATEWAYS 10000
#define LIMIT_LOCAL_PREFIXES 4000
#define LIMIT_CONNECTIONS 10000
#define LIMIT_SELECTORS 100 /* per connection */
#define LIMIT_SAS 256       /* per connection: each resource both ways, and twice while keys change */
#define LIMIT_RESOURCES 64
#define LIMIT_POLICIES 1   /* M, exactly one combination */
#define LIMIT_PROPOSALS 32 /* per connection, of IKE or ESP */
#define LIMIT_CA_FILES 16
#define LIMIT_FQDN 253
#define LIMIT_BGP_CUSTOM 32 /* of a gateway: customBgpIpAddresses */
#define LIMIT_P2S_POOLS 16
#define LIMIT_P2S_CERTIFICATES 256
#define LIMIT_P2S_USERS 10000 /* M, the largest gateway's clients */
#define LIMIT_P2S_DNS 16
#define LIMIT_CERTIFICATE_TEXT 16384

#define LIMIT_CIRCUITS 16        /* M, of a gateway; here of all */
#define LIMIT_CIRCUIT_PEERINGS 3 /* M, one of each type */

/* virtual WANs */
#define LIMIT_WANS 100
#define LIMIT_HUBS 64
#define LIMIT_HUB_CONNECTIONS 500 /* M, virtual networks of a hub */
#define LIMIT_HUB_TABLES 64
#define LIMIT_HUB_LABELS 64
#define LIMIT_HUB_ROUTES 400
#define LIMIT_HUB_STATICS 64
#define LIMIT_HUB_PREFIXES 256 /* of one route */
#define LIMIT_HUB_SITES 1000   /* M, connections of a hub's VPN gateway */
#define LIMIT_HUB_CIRCUITS 8   /* M */
#define LIMIT_SITES 1000       /* M */
#define LIMIT_SITE_LINKS 4     /* M */

/* the appliance */
#define LIMIT_WORKERS 64
#define LIMIT_PORTS 64
#define LIMIT_ATTACHMENTS 4096
#define LIMIT_UPLINKS 64
#define LIMIT_UPLINK_ADDRESSES 16 /* IFACE_PREFIXES_MAX of the dataplane */
#define LIMIT_NAME 80             /* M, of any resource */
#define LIMIT_SHORT_NAME 31       /* of the appliance, a port, an uplink */
#define LIMIT_PATH 255
#define LIMIT_SOCKET_PATH 107  /* sun_path and its NUL */
#define LIMIT_RUN_DIRECTORY 64 /* a socket with the appliance's name stands in it */
#define LIMIT_LEASE_PATH 220   /* its file names have the epoch behind */
#define LIMIT_ENDPOINTS 9
#define LIMIT_VIRTUAL_ADDRESSES 16
#define LIMIT_ROUTERS 16
#define LIMIT_KEY_FILE_BYTES 4096
