/* The schema of each kind of resource: what keys it takes. Internal to config/. */
#pragma once

#include "config/bind.h"
#include "config/limit.h"

/* load_network.c */
extern const struct schema vnet_schema;
extern const struct schema route_table_schema;
/* load_filter.c */
extern const struct schema nsg_schema;
extern const struct schema asg_schema;
extern const struct schema nic_schema;
/* load_gateway.c */
extern const struct schema public_ip_schema;
extern const struct schema gateway_schema;
extern const struct schema local_gateway_schema;
/* load_p2s.c */
extern const struct schema p2s_schema;
extern const struct schema p2s_user_schema;
extern const struct schema server_configuration_schema;
/* load_bgp.c */
extern const struct schema bgp_settings_schema; /* of a gateway */
extern const struct schema hub_bgp_settings_schema;
extern const struct schema bgp_peer_schema; /* of a local network gateway */
extern const struct schema bgp_session_schema;
extern const struct schema custom_bgp_address_schema;
extern const struct schema bgp_daemon_schema;
void bgp_session_init(struct cfg_bgp_session *s);
void bgp_daemon_init(struct cfg_bgp_daemon_config *d);
int bind_custom_bgp_address(struct binder *b, const struct field *f, const struct node *n, void *object);
void print_custom_bgp_address(struct json *j, const struct field *f, const void *object);
/* load_wan.c */
extern const struct schema wan_schema;
extern const struct schema hub_schema;
extern const struct schema site_schema;
extern const struct schema hub_routing_schema;
void hub_routing_init(struct cfg_hub_routing *r);
/* load_hub_gateways.c */
extern const struct schema hub_vpn_gateway_schema;
extern const struct schema hub_er_gateway_schema;
extern const struct schema hub_p2s_gateway_schema;
/* load_circuit.c */
extern const struct schema circuit_schema;
/* load_ha.c */
extern const struct schema ha_schema;
void ha_init(struct cfg_ha *h);
/* load_connection.c */
extern const struct schema connection_schema;
extern const struct schema policy_schema;
extern const struct schema selector_schema;
extern const struct schema connection_appliance_schema;
void connection_init(void *object);
int bind_shared_key(struct binder *b, const struct field *f, const struct node *n, void *object);
void print_shared_key(struct json *j, const struct field *f, const void *object);
/* load_sa.c */
extern const struct schema sa_schema;
/* load_appliance.c */
extern const struct schema appliance_schema;
void appliance_init(struct cfg_appliance *a);
/* load.c: the whole file */
extern const struct schema config_schema;

/* Words by enum value, NULL at the end. */
extern const char *const connection_mode_words[];
extern const char *const connection_protocol_words[];
extern const char *const ike_encryption_words[];
extern const char *const ike_integrity_words[];
extern const char *const dh_group_words[];
extern const char *const ipsec_encryption_words[];
extern const char *const ipsec_integrity_words[];
extern const char *const pfs_group_words[];
extern const char *const daemon_words[];
extern const char *const driver_words[];
extern const char *const peering_state_words[];
extern const char *const next_hop_words[];

/* A side of a rule no key spoke of yet; config_check() refuses what is left so. */
#define TAG_UNSET ((enum cfg_tag)99)

/* A lease whose kind could not be read. */
#define LEASE_KIND_UNSET ((enum cfg_lease_kind)99)

/* A connection that does not say: its gateway's type decides. */
#define PROTOCOL_UNSET ((enum cfg_connection_protocol)99)

/* The keys of a struct cfg_credentials among those of another object. */
#define CREDENTIALS(s, m)                                                                                              \
	TEXT("certificate", s, m.certificate, LIMIT_PATH), TEXT("privateKeyFile", s, m.key_file, LIMIT_PATH),          \
		TEXTS("caFiles", s, m.ca_files, LIMIT_CA_FILES), TEXT("localId", s, m.local_id, LIMIT_PATH)

/* Print an {"id": REF} or a list of them. */
void print_ref(struct json *j, const char *ref);
