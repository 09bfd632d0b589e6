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
extern const struct schema connection_schema;
/* load_sa.c */
extern const struct schema sa_schema;
/* load_appliance.c */
extern const struct schema appliance_schema;
void appliance_init(struct cfg_appliance *a);
/* load.c: the whole file */
extern const struct schema config_schema;

/* Words by enum value, NULL at the end. */
extern const char *const encryption_words[];
extern const char *const integrity_words[];
extern const char *const driver_words[];
extern const char *const peering_state_words[];
extern const char *const next_hop_words[];

/* A side of a rule no key spoke of yet; config_check() refuses what is left so. */
#define TAG_UNSET ((enum cfg_tag)99)

/* Print an {"id": REF} or a list of them. */
void print_ref(struct json *j, const char *ref);
