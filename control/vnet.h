/* VNets and their subnets as interfaces; which subnet and which NIC an address belongs to. */
#pragma once

#include "control/world_build.h"

#define SUBNET_NONE (-1)

/* Interfaces of attached subnets and the NICs on them. -EINVAL: an attachment that cannot be. */
int vnet_interfaces(struct world_build *b);
void vnet_nics(struct world_build *b);

/* A fresh interface of the name, its number taken from the id table; NULL when there is no room. */
struct iface_spec *vnet_iface_add(struct world_build *b, enum iface_kind kind, const char *name, uint16_t *id);

uint16_t vnet_port_mtu(const struct world_build *b, int32_t port); /* 1500 where it does not say */

/* The subnet of a VNet that has the address, SUBNET_NONE; *prefix: the one that covers it. */
int32_t vnet_subnet_of(const struct config *c, int32_t vnet, const struct ip_addr *a, const struct ip_prefix **prefix);
/* The networkInterface that holds an address, NULL if the file has none. */
const struct cfg_nic *vnet_nic_of(const struct world_build *b, int32_t vnet, const struct ip_addr *a);
/* The appliance's address in a subnet's prefix; false: the prefix has no room for it. */
bool vnet_gateway_address(const struct ip_prefix *subnet, struct ip_addr *a);
