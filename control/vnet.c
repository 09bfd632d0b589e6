#include "control/vnet.h"

#include "config/errors.h"
#include "control/iface_ids.h"
#include "control/security_group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MTU_DEFAULT 1500

bool
vnet_gateway_address(const struct ip_prefix *subnet, struct ip_addr *a)
{
	*a = prefix_nth(subnet, 1);
	return prefix_has(subnet, a);
}

struct iface_spec *
vnet_iface_add(struct world_build *b, enum iface_kind kind, const char *name, uint16_t *id)
{
	struct iface_spec *i;

	*id = iface_ids_take(b->ids, name);
	if (*id == IFACE_NONE) {
		config_error(b->errors, (struct cfg_mark){0}, "TooManyInterfaces",
			"%s: more than %d interfaces, or no memory", name, IFACES_MAX - 1);
		return NULL;
	}
	if (*id >= b->spec->n_ifaces)
		b->spec->n_ifaces = *id + 1u;
	i = &b->spec->iface[*id];
	*i = (struct iface_spec){.kind = kind, .name = world_name(b, "%s", name), .mtu = MTU_DEFAULT};
	return i;
}

uint16_t
vnet_port_mtu(const struct world_build *b, int32_t port)
{
	uint16_t mtu = port == CFG_NONE ? 0 : b->config->appliance.ports[port].mtu;

	return mtu ? mtu : MTU_DEFAULT;
}

static void
fill_subnet(struct world_build *b, struct iface_spec *i, const struct cfg_attachment *a)
{
	const struct cfg_vnet *v = &b->config->vnets[a->vnet];
	const struct cfg_subnet *s = &v->subnets[a->subnet];

	i->port = (uint16_t)a->port;
	i->vlan = a->vlan;
	i->mtu = vnet_port_mtu(b, a->port);
	i->vnet = world_name(b, "%s", v->name); /* a number that stays with the VNet */
	i->flow_timeout_s = (uint16_t)v->flow_timeout_s;
	for (uint32_t k = 0; k < s->prefixes.n && i->n_prefixes < IFACE_PREFIXES_MAX; k++) {
		if (vnet_gateway_address(&s->prefixes.p[k], &i->address[i->n_prefixes]))
			i->prefix[i->n_prefixes++] = s->prefixes.p[k];
	}
	if (s->nsg != CFG_NONE) {
		i->acl_in = security_group_acl(b, s->nsg, DIRECTION_INBOUND);
		i->acl_out = security_group_acl(b, s->nsg, DIRECTION_OUTBOUND);
	}
}

static int
attach(struct world_build *b, const struct cfg_attachment *a)
{
	const struct cfg_vnet *v = &b->config->vnets[a->vnet];
	const char *name = world_text(b, "%s/%s", v->name, v->subnets[a->subnet].name);
	uint16_t *iface = &b->subnet_iface[a->vnet][a->subnet];
	struct iface_spec *i;

	if (*iface != IFACE_NONE) {
		config_error(b->errors, a->mark, "SubnetAttachedTwice", "subnet %s is attached already", name);
		return -EINVAL;
	}
	i = vnet_iface_add(b, IFACE_SUBNET, name, iface);
	if (i == NULL)
		return -EINVAL;
	fill_subnet(b, i, a);
	return 0;
}

int
vnet_interfaces(struct world_build *b)
{
	const struct cfg_appliance *a = &b->config->appliance;

	for (uint32_t n = 0; n < a->n_attachments; n++) {
		int error = attach(b, &a->attachments[n]);

		if (error != 0)
			return error;
	}
	return 0;
}

/* ---- networkInterfaces --------------------------------------------------------------- */

static int
nic_address_compare(const void *a, const void *b)
{
	const struct nic_address *x = a, *y = b;

	if (x->vnet != y->vnet)
		return x->vnet < y->vnet ? -1 : 1;
	return memcmp(&x->address, &y->address, sizeof(x->address));
}

static void
index_nic(struct world_build *b, uint32_t nic, const struct cfg_ip_config *ip)
{
	struct nic_address *grown = world_grow(b, b->nic_address, b->n_nic_addresses, sizeof(*grown));

	if (grown == NULL)
		return;
	b->nic_address = grown;
	grown[b->n_nic_addresses++] = (struct nic_address){ip->vnet, ip->address, nic};
}

static void
add_nic(struct world_build *b, const struct cfg_nic *nic, const struct cfg_ip_config *ip)
{
	uint16_t iface = ip->subnet == CFG_NONE ? IFACE_NONE : b->subnet_iface[ip->vnet][ip->subnet];
	struct nic_spec *grown, *n;

	if (iface == IFACE_NONE)
		return;
	grown = world_grow(b, b->spec->nic, b->spec->n_nics, sizeof(*grown));
	if (grown == NULL)
		return;
	b->spec->nic = grown;
	n = &grown[b->spec->n_nics++];
	*n = (struct nic_spec){.iface = iface,
		.address = ip->address,
		.forwarding = nic->enable_ip_forwarding,
		.has_mac = nic->has_mac,
		.mac = nic->mac,
		.name = world_name(b, "%s", nic->name)};
	if (nic->nsg != CFG_NONE) {
		n->acl_in = security_group_acl(b, nic->nsg, DIRECTION_INBOUND);
		n->acl_out = security_group_acl(b, nic->nsg, DIRECTION_OUTBOUND);
	}
}

void
vnet_nics(struct world_build *b)
{
	for (uint32_t n = 0; n < b->config->n_nics; n++) {
		const struct cfg_nic *nic = &b->config->nics[n];

		for (uint32_t k = 0; k < nic->n_ip_configs; k++) {
			index_nic(b, n, &nic->ip_configs[k]);
			add_nic(b, nic, &nic->ip_configs[k]);
		}
	}
	if (b->n_nic_addresses > 0)
		qsort(b->nic_address, b->n_nic_addresses, sizeof(*b->nic_address), nic_address_compare);
}

const struct cfg_nic *
vnet_nic_of(const struct world_build *b, int32_t vnet, const struct ip_addr *a)
{
	struct nic_address wanted = {.vnet = vnet, .address = *a};
	const struct nic_address *found;

	if (b->n_nic_addresses == 0)
		return NULL;
	found = bsearch(&wanted, b->nic_address, b->n_nic_addresses, sizeof(wanted), nic_address_compare);
	return found == NULL ? NULL : &b->config->nics[found->nic];
}

int32_t
vnet_subnet_of(const struct config *c, int32_t vnet, const struct ip_addr *a, const struct ip_prefix **prefix)
{
	const struct cfg_vnet *v = &c->vnets[vnet];

	for (uint32_t s = 0; s < v->n_subnets; s++) {
		const struct cfg_prefixes *p = &v->subnets[s].prefixes;

		for (uint32_t k = 0; k < p->n; k++) {
			if (prefix_has(&p->p[k], a)) {
				if (prefix != NULL)
					*prefix = &p->p[k];
				return (int32_t)s;
			}
		}
	}
	return SUBNET_NONE;
}
