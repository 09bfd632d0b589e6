/* The resources of a configuration, shaped like the cloud's own objects.
 *
 * A `struct config` is built by config_load() (load.c), checked by config_check() (check.c)
 * and then never changed: control reads it from any thread. Names follow the vendor's
 * schema (shared vocabulary: virtualNetworks, subnets, ...); what only metal needs stands
 * under `appliance`. References are resolved to indexes by config_check(); NONE where absent.
 */
#pragma once

#include "config/address.h"
#include "config/algorithm.h"
#include "config/bgp.h"
#include "config/circuit.h"
#include "config/ha.h"
#include "config/value.h"
#include "config/wan.h"

#include <stdbool.h>
#include <stdint.h>

#define CFG_NONE (-1)

/* ---- virtual networks ------------------------------------------------------------ */

struct cfg_subnet {
	struct cfg_mark mark;
	char *name;
	struct cfg_prefixes prefixes; /* addressPrefix or addressPrefixes, inside the VNet's space */
	char *nsg_ref, *route_table_ref;
	int32_t nsg, route_table; /* index or CFG_NONE */
	bool is_gateway;          /* name == GatewaySubnet */
};

enum cfg_peering_state { PEERING_INITIATED, PEERING_CONNECTED, PEERING_DISCONNECTED };

struct cfg_peering {
	struct cfg_mark mark;
	char *name;
	char *remote_ref;
	int32_t remote;                    /* VNet index; CFG_NONE: remote VNet is not in this file */
	int32_t partner;                   /* index among remote's peerings, CFG_NONE if one-sided */
	bool allow_virtual_network_access; /* default true */
	bool allow_forwarded_traffic;      /* default false */
	bool allow_gateway_transit;        /* default false */
	bool use_remote_gateways;          /* default false */
	bool do_not_verify_remote_gateways;
	bool strict_access;               /* appliance.strictAccess: access=false drops, not only the tag */
	bool has_state;                   /* peeringState stood in the file */
	enum cfg_peering_state stated;    /* as imported */
	enum cfg_peering_state state;     /* derived by config_check */
	struct cfg_prefixes remote_space; /* remoteAddressSpace as synced; empty = remote VNet's current */
	bool implied;                     /* with a virtual hub: wan.h */
};

struct cfg_vnet {
	struct cfg_mark mark;
	char *name, *id, *location, *cloud; /* cloud: "AzureCloud" unless said */
	struct cfg_prefixes space;
	struct cfg_subnet *subnets;
	uint32_t n_subnets;
	struct cfg_peering *peerings;
	uint32_t n_peerings;
	uint32_t flow_timeout_s; /* flowTimeoutInMinutes * 60, 240 by default */
	int32_t gateway;         /* index of its VPN gateway or CFG_NONE */
	int32_t express_route;   /* of its ExpressRoute gateway */
	bool implied;            /* it is the virtual hub `hub` */
	int32_t hub;             /* the hub it is, or is connected to by that one's `hub_connection`; CFG_NONE */
	int32_t hub_connection;
};

/* ---- routing --------------------------------------------------------------------- */

enum cfg_next_hop {
	NEXT_HOP_VIRTUAL_NETWORK_GATEWAY,
	NEXT_HOP_VNET_LOCAL,
	NEXT_HOP_INTERNET,
	NEXT_HOP_VIRTUAL_APPLIANCE,
	NEXT_HOP_NONE,
};

struct cfg_route {
	struct cfg_mark mark;
	char *name;
	struct ip_prefix prefix;
	enum cfg_next_hop type;
	struct ip_addr next_hop; /* VirtualAppliance only */
};

struct cfg_route_table {
	struct cfg_mark mark;
	char *name, *id;
	bool disable_bgp_route_propagation;
	struct cfg_route *routes;
	uint32_t n_routes;
};

/* ---- filtering ------------------------------------------------------------------- */

enum cfg_tag { TAG_ANY, TAG_VIRTUAL_NETWORK, TAG_INTERNET, TAG_AZURE_LOAD_BALANCER, TAG_PREFIXES, TAG_ASGS };

struct cfg_port_range {
	uint16_t first, last; /* inclusive, host order */
};

struct cfg_rule_side {
	enum cfg_tag tag;
	struct cfg_prefixes prefixes; /* TAG_PREFIXES */
	struct cfg_strings asg_refs;  /* TAG_ASGS */
	int32_t *asgs;                /* resolved, asg_refs.n of them */
	struct cfg_port_range *ports; /* empty = any */
	uint32_t n_ports;
};

enum cfg_direction { DIRECTION_INBOUND, DIRECTION_OUTBOUND };

/* protocol: IP protocol number, or -1 for '*'. Icmp matches 1 on IPv4 and 58 on IPv6. */
struct cfg_rule {
	struct cfg_mark mark;
	char *name;
	int16_t protocol;
	bool allow;
	uint16_t priority; /* 100..4096; defaults 65000..65500 */
	enum cfg_direction direction;
	bool is_default;
	struct cfg_rule_side source, destination;
};

/* Rules are sorted by direction, then priority, defaults last (config_check appends them). */
struct cfg_nsg {
	struct cfg_mark mark;
	char *name, *id;
	struct cfg_rule *rules;
	uint32_t n_rules;
};

struct cfg_asg {
	struct cfg_mark mark;
	char *name, *id;
};

struct cfg_ip_config {
	struct cfg_mark mark;
	char *name, *subnet_ref; /* ".../virtualNetworks/V/subnets/S" or "V/S" */
	int32_t vnet, subnet;
	struct ip_addr address; /* privateIPAddress */
	struct cfg_strings asg_refs;
	int32_t *asgs;
};

struct cfg_nic {
	struct cfg_mark mark;
	char *name, *id;
	bool enable_ip_forwarding;
	bool has_mac;
	struct mac_addr mac;
	char *nsg_ref;
	int32_t nsg;
	struct cfg_ip_config *ip_configs;
	uint32_t n_ip_configs;
};

/* ---- gateways -------------------------------------------------------------------- */

struct cfg_public_ip {
	struct cfg_mark mark;
	char *name, *id;
	struct ip_addr address;
};

/* What IKE identifies itself with. Paths as written; read, checked and handed to charon by control. */
struct cfg_credentials {
	struct cfg_mark mark;
	char *local_id;               /* NULL: the certificate's subject, else the public address */
	char *certificate, *key_file; /* PEM or DER; the key's file is of mode 0600 */
	struct cfg_strings ca_files;  /* whom we trust */
};

/* A P2S client that proves itself by EAP-MSCHAPv2. */
struct cfg_p2s_user {
	struct cfg_mark mark;
	char *name, *password_file;
	struct ip_addr address; /* always this one of the pool; family 0: any */
};

struct cfg_root_certificate {
	struct cfg_mark mark;
	char *name, *data; /* base64 of DER, as the cloud has it */
};

struct cfg_revoked_certificate {
	struct cfg_mark mark;
	char *name, *thumbprint; /* SHA-1 of the DER, hexadecimal */
};

/* vpnClientConfiguration: point-to-site by IKEv2. */
struct cfg_p2s {
	struct cfg_mark mark;
	struct cfg_prefixes pool; /* none: no point-to-site */
	bool certificate, eap;    /* vpnAuthenticationTypes Certificate; appliance.p2sUsers */
	struct cfg_root_certificate *roots;
	uint32_t n_roots;
	struct cfg_revoked_certificate *revoked;
	uint32_t n_revoked;
	struct cfg_ipsec_policy *policies; /* vpnClientIpsecPolicies: one at most */
	uint32_t n_policies;
	struct cfg_p2s_user *users; /* appliance */
	uint32_t n_users;
	struct cfg_prefixes dns; /* appliance: /32 or /128 each */
};

enum cfg_generation { GENERATION_NONE, GENERATION_1, GENERATION_2 };

struct cfg_gateway {
	struct cfg_mark mark;
	char *name, *id;
	char *gateway_type, *vpn_type, *sku; /* Vpn, ExpressRoute; RouteBased, PolicyBased */
	bool express_route;                  /* by config_check: of gatewayType ExpressRoute */
	struct cfg_p2s p2s;
	struct cfg_prefixes custom_routes;  /* customRoutes: told to P2S clients beside the VNet's space */
	struct cfg_credentials credentials; /* appliance: for connections by certificate, and for P2S */
	bool limit_rate;                    /* appliance.limitRate: the SKU's aggregate rate holds here, too */
	enum cfg_generation generation;     /* vpnGatewayGeneration: some SKUs' rates depend on it */
	/* by config_check: a public address of it is one of an uplink, or a circuit of it ends at a port */
	bool is_ours;
	bool active_active;             /* not in this version: true is refused, so always false */
	bool enable_bgp;                /* connections may have it */
	bool speaks_bgp;                /* by config_check: enable_bgp, or it needs to, see gateway_speaks() */
	struct cfg_bgp bgp;             /* bgpSettings */
	bool disable_replay_protection; /* disableIPSecReplayProtection */
	char *subnet_ref;               /* first ipConfiguration's GatewaySubnet */
	int32_t vnet, subnet;
	struct cfg_strings public_ip_refs;
	int32_t *public_ips; /* resolved, public_ip_refs.n of them */
	bool implied;
	int32_t hub; /* the virtual hub's own, implied; CFG_NONE */
};

struct cfg_local_gateway {
	struct cfg_mark mark;
	char *name, *id;
	struct ip_addr address;       /* gatewayIpAddress; family 0 when fqdn is given */
	char *fqdn;                   /* NULL: address */
	struct cfg_prefixes prefixes; /* may be none where BGP tells them */
	struct cfg_bgp bgp;           /* bgpSettings: the peer's */
	bool implied;                 /* a site's link */
};

enum cfg_connection_type { CONNECTION_IPSEC, CONNECTION_VNET2VNET, CONNECTION_EXPRESS_ROUTE };
enum cfg_connection_mode { MODE_DEFAULT, MODE_INITIATOR_ONLY, MODE_RESPONDER_ONLY };
enum cfg_connection_protocol { PROTOCOL_IKEV2, PROTOCOL_IKEV1 };
enum cfg_authentication { AUTHENTICATION_PSK, AUTHENTICATION_CERTIFICATE };
enum cfg_ike_profile { IKE_PROFILE_DEFAULT, IKE_PROFILE_AZURE };

/* The vendor's words (api 2025-01-01) in this order; `ipsecPolicies` and `vpnClientIpsecPolicies`. */
enum cfg_ike_encryption { IKE_DES, IKE_DES3, IKE_AES128, IKE_AES192, IKE_AES256, IKE_GCMAES128, IKE_GCMAES256 };
enum cfg_ike_integrity { IKE_MD5, IKE_SHA1, IKE_SHA256, IKE_SHA384, IKE_INT_GCMAES128, IKE_INT_GCMAES256 };
enum cfg_dh_group { DH_NONE, DH_GROUP1, DH_GROUP2, DH_GROUP14, DH_GROUP2048, DH_ECP256, DH_ECP384, DH_GROUP24 };
enum cfg_ipsec_encryption {
	IPSEC_ENC_NONE,
	IPSEC_DES,
	IPSEC_DES3,
	IPSEC_AES128,
	IPSEC_AES192,
	IPSEC_AES256,
	IPSEC_GCMAES128,
	IPSEC_GCMAES192,
	IPSEC_GCMAES256,
};
enum cfg_ipsec_integrity {
	IPSEC_MD5,
	IPSEC_SHA1,
	IPSEC_SHA256,
	IPSEC_INT_GCMAES128,
	IPSEC_INT_GCMAES192,
	IPSEC_INT_GCMAES256,
};
enum cfg_pfs_group { PFS_NONE, PFS_1, PFS_2, PFS_2048, PFS_ECP256, PFS_ECP384, PFS_24, PFS_14, PFS_MM };

struct cfg_ipsec_policy {
	struct cfg_mark mark;
	uint32_t sa_life_s;  /* saLifeTimeSeconds, 300.. */
	uint32_t sa_data_kb; /* saDataSizeKilobytes, 1024.. */
	enum cfg_ipsec_encryption ipsec_encryption;
	enum cfg_ipsec_integrity ipsec_integrity;
	enum cfg_ike_encryption ike_encryption;
	enum cfg_ike_integrity ike_integrity;
	enum cfg_dh_group dh_group;
	enum cfg_pfs_group pfs_group;
};

#define CFG_SHARED_KEY_MAX 256

/* How a connection negotiates its keys; unused where they are given by hand. */
struct cfg_ike {
	enum cfg_connection_protocol protocol;
	enum cfg_connection_mode mode;
	enum cfg_authentication authentication;
	char shared_key[CFG_SHARED_KEY_MAX]; /* printable, NUL behind it; config_wipe_secrets() once charon has it */
	uint16_t shared_key_len;             /* stays when the key is wiped */
	char *shared_key_file;               /* as written: a path, or credential:NAME of systemd */
	struct cfg_ipsec_policy *policies;   /* one, or none: the profile's */
	uint32_t n_policies;
	uint16_t dpd_s; /* dpdTimeoutSeconds, 45 by default */
	/* appliance part */
	enum cfg_ike_profile profile;
	struct cfg_strings ike_proposals, esp_proposals; /* strongSwan's keywords; in place of policies */
	struct cfg_credentials credentials;              /* beside or instead of the gateway's */
	char *remote_id;                        /* NULL: the peer's address, with certificates: anyone the CA signed */
	uint16_t tunnels;                       /* CHILD_SAs side by side, 1..64 */
	uint32_t ike_life_s, child_life_s;      /* 0 = the profile's; for tests and the impatient */
	uint64_t child_life_packets;            /* 0 = none */
	enum { ESN_AUTO, ESN_OFF, ESN_ON } esn; /* auto: offered where the peer is one of us (Vnet2Vnet) */
	bool force_encap;                       /* ESP in UDP even without a NAT */
	bool mobike, fragmentation;             /* true by default */
	bool accept_any_selector;               /* as the vendor does; default: narrowed to ours */
	uint16_t replay_window;                 /* 0 = off, else 64..4096, default 1024 */
};

#define CFG_ENC_KEY_MAX 36 /* AES-256 key and 4 bytes of salt */
#define CFG_AUTH_KEY_MAX 64

/* A security association whose keys were given by hand. */
struct cfg_sa {
	struct cfg_mark mark;
	bool outbound;
	uint8_t resource; /* RFC 9611: SAs of different numbers are used side by side; 0 by default */
	uint32_t spi;     /* 256.. */
	enum cfg_encryption encryption;
	enum cfg_integrity integrity;
	uint8_t enc_key[CFG_ENC_KEY_MAX]; /* counter modes: key, then salt */
	uint8_t auth_key[CFG_AUTH_KEY_MAX];
	uint8_t enc_key_len, auth_key_len;
	char *key_file, *auth_key_file; /* as written, when the keys came from files */
	bool esn;
	uint16_t replay_window;                   /* 0 = off, else 64..4096, default 1024 */
	bool udp_encap;                           /* RFC 3948 */
	uint16_t udp_local_port, udp_remote_port; /* 4500 by default */
	uint16_t keepalive_s;                     /* NAT keepalive, 0 = off, default 20 */
	uint64_t life_bytes_soft, life_bytes_hard, life_packets_soft, life_packets_hard; /* 0 = none */
};

struct cfg_selector {
	struct cfg_mark mark;
	struct cfg_prefixes local, remote;
};

struct cfg_connection {
	struct cfg_mark mark;
	char *name, *id;
	enum cfg_connection_type type;
	char *gateway1_ref, *gateway2_ref, *local_gateway_ref, *circuit_ref; /* the last: peer */
	int32_t gateway1, gateway2, local_gateway, circuit;
	uint16_t routing_weight;
	bool policy_based;              /* usePolicyBasedTrafficSelectors */
	struct cfg_selector *selectors; /* trafficSelectorPolicies; empty = any to any */
	uint32_t n_selectors;
	bool enable_bgp;
	/* gatewayCustomBgpIpAddresses: which of the gateway's custom addresses this connection's session uses;
	 * family 0: bgpPeeringAddress. */
	struct ip_addr custom_bgp_address;
	struct cfg_bgp_session bgp;
	/* By config_check: this appliance negotiates this connection's keys. false: SAs given by hand, or no
	 * keys at all (it carries nothing), or the other side's object of a Vnet2Vnet pair. */
	bool uses_ike;
	struct cfg_ike ike;
	/* appliance part */
	struct cfg_sa *sas;
	uint32_t n_sas;
	uint16_t mtu;     /* outer path MTU towards the peer, 0 = the uplink's */
	uint16_t tcp_mss; /* clamp to at most this, 0 = derived from the tunnel's MTU */
	bool copy_dscp;   /* default true */
	bool copy_df;     /* default true; false: outer DF clear */
	bool implied;
	const struct cfg_hub_routing *hub_routing; /* of a hub's gateway; NULL: of another */
};

/* ---- the appliance --------------------------------------------------------------- */

enum cfg_driver {
	DRIVER_PCI,
	DRIVER_AF_XDP,
	DRIVER_AF_PACKET,
	DRIVER_TAP,
	DRIVER_MEMIF,
	DRIVER_VHOST_USER,
	DRIVER_VIRTIO_USER,
	DRIVER_PCAP,
	DRIVER_RING,
	DRIVER_NULL,
};

struct cfg_port {
	struct cfg_mark mark;
	char *name;
	enum cfg_driver driver;
	char *interface;         /* af_xdp, af_packet: kernel interface; tap: name to make */
	char *address;           /* pci: 0000:01:00.0 */
	char *path;              /* memif, vhost_user, virtio_user: socket */
	char *rx_path, *tx_path; /* pcap files */
	bool server;             /* memif role, vhost-user server */
	uint16_t queues;         /* 0 = as many as workers, where the driver can */
	uint16_t descriptors;    /* 0 = default */
	uint16_t mtu;            /* 1500 by default, 68..9000 */
	bool has_mac;
	struct mac_addr mac;
	bool force_copy, skb_mode; /* af_xdp */
};

struct cfg_attachment {
	struct cfg_mark mark;
	char *subnet_ref, *port_ref;
	int32_t vnet, subnet, port;
	uint16_t vlan; /* 0 = untagged */
};

/* A network outside every VNet: public addresses live here, tunnels leave here. */
struct cfg_uplink {
	struct cfg_mark mark;
	char *name, *port_ref;
	int32_t port;
	uint16_t vlan;
	struct cfg_prefixes addresses; /* our address with the length of its network: 192.0.2.1/24 */
	struct ip_addr *address;       /* addresses.n: the addresses with host bits kept */
	bool has_gateway4, has_gateway6;
	struct ip_addr gateway4, gateway6;
	bool internet;                /* carries the next hop type Internet in clear */
	struct cfg_strings vnet_refs; /* VNets that Internet packets may enter */
	int32_t *vnets;
};

enum cfg_ike_daemon { IKE_DAEMON_MANAGED, IKE_DAEMON_EXTERNAL };

/* appliance.ike: where charon is. */
struct cfg_ike_daemon_config {
	struct cfg_mark mark;
	enum cfg_ike_daemon daemon; /* managed: started, watched and stopped by isthmusd */
	char *vici_socket;          /* default /run/isthmus/NAME-vici.sock */
	char *plugin_socket;        /* default /run/isthmus/NAME-ike.sock */
	char *charon;               /* path of the program, default /usr/sbin/charon-systemd */
	char *plugin;               /* path of libstrongswan-kernel-isthmus.so, NULL: where it was installed or built */
	uint8_t log_level;          /* charon's, 0..2, default 1: never higher, keys would be in it */
	uint16_t retransmit_tries;  /* 0 = charon's default 5 */
	uint16_t half_open_timeout_s; /* 0 = charon's default 30 */
};

struct cfg_appliance {
	char *name;
	char *control_namespace; /* named network namespace of charon and routing daemons, default isthmus-NAME */
	struct cfg_ike_daemon_config ike;
	struct cfg_bgp_daemon_config bgp;
	struct cfg_ha ha;
	uint16_t workers; /* 1..64, default 1 */
	int16_t *cores;   /* workers+1 of them (control first), or NULL: chosen from the affinity mask */
	uint16_t n_cores;
	uint32_t memory_mb; /* 0 = derived */
	enum { HUGEPAGES_AUTO, HUGEPAGES_ON, HUGEPAGES_OFF } hugepages;
	uint32_t mbufs;      /* packet buffers, 0 = derived */
	uint32_t flows;      /* flow table capacity, default 262144, 1024..16777216 */
	uint32_t neighbours; /* default 16384 */
	uint16_t max_simd;   /* 0 = EAL's default; 256 or 512 */
	char *socket;        /* control socket, default /run/isthmus/NAME.sock */
	char *state_dir;     /* sequence high-water marks, default /var/lib/isthmus/NAME */
	bool busy_poll;      /* default true; false: workers sleep a little when idle (shared cores) */
	struct cfg_port *ports;
	uint32_t n_ports;
	struct cfg_attachment *attachments;
	uint32_t n_attachments;
	struct cfg_uplink *uplinks;
	uint32_t n_uplinks;
};

struct config {
	char *path, *folder; /* the file, and where it stands: names of key files start there */
	struct cfg_appliance appliance;
	struct cfg_vnet *vnets;
	uint32_t n_vnets;
	struct cfg_route_table *route_tables;
	uint32_t n_route_tables;
	struct cfg_nsg *nsgs;
	uint32_t n_nsgs;
	struct cfg_asg *asgs;
	uint32_t n_asgs;
	struct cfg_nic *nics;
	uint32_t n_nics;
	struct cfg_public_ip *public_ips;
	uint32_t n_public_ips;
	struct cfg_gateway *gateways;
	uint32_t n_gateways;
	struct cfg_local_gateway *local_gateways;
	uint32_t n_local_gateways;
	struct cfg_circuit *circuits;
	uint32_t n_circuits;
	struct cfg_connection *connections;
	uint32_t n_connections;
	struct cfg_wans wan;
};
