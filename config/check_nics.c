/* Network interfaces: each address in its subnet, free and nobody else's; groups' members together. */
#include "config/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct nic_address {
	const struct cfg_nic *nic;
	const struct cfg_ip_config *ip;
};

static void
check_forms(struct check *k, const struct cfg_nic *nic)
{
	if (nic->ip_configs != NULL && nic->n_ip_configs == 0)
		config_error(k->b->errors, nic->mark, "MissingKey",
			"network interface '%.80s' needs an IP configuration", nic->name);
	for (uint32_t i = 1; i < nic->n_ip_configs; i++) {
		const struct cfg_ip_config *first = &nic->ip_configs[0], *ip = &nic->ip_configs[i];

		if (ip->vnet != CFG_NONE && first->vnet != CFG_NONE && ip->vnet != first->vnet)
			config_error(k->b->errors, MARK(k, &ip->subnet_ref, ip), "InvalidReference",
				"network interface '%.80s' stands in two virtual networks", nic->name);
	}
}

bool
address_is_reserved(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_addr network = prefix_nth(p, 0), gateway = prefix_nth(p, 1);

	if (address_equal(a, &network) || address_equal(a, &gateway))
		return true;
	if (a->family == IP_V4) {
		struct ip_addr broadcast = prefix_nth(p, (UINT64_C(1) << (32 - p->len)) - 1);

		return address_equal(a, &broadcast);
	}
	return false;
}

static void
check_address(struct check *k, const struct cfg_nic *nic, const struct cfg_ip_config *ip)
{
	const struct cfg_subnet *s = &k->c->vnets[ip->vnet].subnets[ip->subnet];
	char text[ADDRESS_TEXT_MAX];
	uint32_t i = 0;

	if (s->is_gateway) {
		config_error(k->b->errors, MARK(k, &ip->subnet_ref, ip), "GatewaySubnetHost",
			"GatewaySubnet holds no hosts, but network interface '%.80s' stands in it", nic->name);
		return;
	}
	if (ip->address.family == IP_NONE)
		return;
	address_text(&ip->address, text, sizeof(text));
	while (i < s->prefixes.n && !prefix_has(&s->prefixes.p[i], &ip->address))
		i++;
	if (i == s->prefixes.n)
		config_error(k->b->errors, MARK(k, &ip->address, ip), "PrivateIPAddressNotInSubnet",
			"%s of network interface '%.80s' is not in subnet '%.80s'", text, nic->name, s->name);
	else if (address_is_reserved(&s->prefixes.p[i], &ip->address))
		config_error(k->b->errors, MARK(k, &ip->address, ip), "PrivateIPAddressInReservedRange",
			"%s of network interface '%.80s' is reserved in subnet '%.80s': the network, its gateway "
			"(first host) "
			"and the broadcast address",
			text, nic->name, s->name);
}

static int
check_nic(struct check *k, struct cfg_nic *nic)
{
	nic->nsg = reference_resolve(k, KIND_NSG, &nic->nsg_ref, nic->mark);
	for (uint32_t i = 0; i < nic->n_ip_configs; i++) {
		struct cfg_ip_config *ip = &nic->ip_configs[i];

		reference_resolve_subnet(k, &ip->subnet_ref, ip->mark, &ip->vnet, &ip->subnet);
		if (reference_resolve_all(k, KIND_ASG, &ip->asg_refs, ip->mark, &ip->asgs) < 0)
			return -ENOMEM;
		if (ip->subnet != CFG_NONE)
			check_address(k, nic, ip);
	}
	check_forms(k, nic);
	return 0;
}

static int
address_order(const void *a, const void *b)
{
	const struct cfg_ip_config *x = ((const struct nic_address *)a)->ip, *y = ((const struct nic_address *)b)->ip;
	int order;

	if (x->vnet != y->vnet)
		return x->vnet < y->vnet ? -1 : 1;
	order = memcmp(&x->address, &y->address, sizeof(x->address));
	return order != 0 ? order : (x->mark.line < y->mark.line ? -1 : x->mark.line > y->mark.line);
}

/* Subnets of a VNet do not overlap, so one address of a VNet is one host. */
static void
check_addresses_unique(struct check *k, struct nic_address *all, size_t n)
{
	char text[ADDRESS_TEXT_MAX];

	if (n > 1)
		qsort(all, n, sizeof(*all), address_order);
	for (size_t i = 1; i < n; i++) {
		const struct cfg_ip_config *ip = all[i].ip, *before = all[i - 1].ip;

		if (ip->vnet == before->vnet && address_equal(&ip->address, &before->address))
			config_error(k->b->errors, MARK(k, &ip->address, ip), "PrivateIPAddressInUse",
				"%s of network interface '%.80s' is in use by '%.80s'",
				address_text(&ip->address, text, sizeof(text)), all[i].nic->name, all[i - 1].nic->name);
	}
}

static int
mac_order(const void *a, const void *b)
{
	const struct nic_address *x = a, *y = b;
	int order;

	if (x->ip->vnet != y->ip->vnet)
		return x->ip->vnet < y->ip->vnet ? -1 : 1;
	if (x->ip->subnet != y->ip->subnet)
		return x->ip->subnet < y->ip->subnet ? -1 : 1;
	order = memcmp(&x->nic->mac, &y->nic->mac, sizeof(x->nic->mac));
	return order != 0 ? order : (x->nic < y->nic ? -1 : x->nic > y->nic);
}

static void
check_macs_unique(struct check *k, struct nic_address *all, size_t n)
{
	char text[ADDRESS_TEXT_MAX];

	if (n > 1)
		qsort(all, n, sizeof(*all), mac_order);
	for (size_t i = 1; i < n; i++) {
		const struct nic_address *a = &all[i - 1], *b = &all[i];

		if (a->nic == b->nic || !a->nic->has_mac || !b->nic->has_mac || a->ip->vnet != b->ip->vnet ||
			a->ip->subnet != b->ip->subnet || memcmp(&a->nic->mac, &b->nic->mac, sizeof(a->nic->mac)) != 0)
			continue;
		config_error(k->b->errors, MARK(k, &b->nic->mac, b->nic), "MacAddressInUse",
			"%s of network interface '%.80s' is in use by '%.80s' in the same subnet",
			mac_text(&b->nic->mac, text, sizeof(text)), b->nic->name, a->nic->name);
	}
}

/* All members of a group are of one virtual network: a rule could mean nothing else. */
static int
check_groups(struct check *k, const struct nic_address *all, size_t n)
{
	int32_t *vnet_of = arena_array(k->b->arena, k->c->n_asgs, sizeof(*vnet_of));

	if (vnet_of == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < k->c->n_asgs; i++)
		vnet_of[i] = CFG_NONE;
	for (size_t i = 0; i < n; i++) {
		const struct cfg_ip_config *ip = all[i].ip;

		for (uint32_t j = 0; j < ip->asg_refs.n; j++) {
			int32_t asg = ip->asgs[j];

			if (asg == CFG_NONE)
				continue;
			if (vnet_of[asg] == CFG_NONE)
				vnet_of[asg] = ip->vnet;
			if (vnet_of[asg] != ip->vnet)
				config_error(k->b->errors, MARK(k, &ip->asg_refs.s[j], ip),
					"ApplicationSecurityGroupAcrossVnets",
					"application security group '%.80s' has members in another virtual network "
					"already",
					k->c->asgs[asg].name);
		}
	}
	return 0;
}

int
check_nics(struct check *k)
{
	struct nic_address *all;
	size_t n = 0;

	for (uint32_t i = 0; i < k->c->n_nics; i++) {
		if (check_nic(k, &k->c->nics[i]) < 0)
			return -ENOMEM;
		n += k->c->nics[i].n_ip_configs;
	}
	all = arena_array(k->b->arena, n, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < k->c->n_nics; i++)
		for (uint32_t j = 0; j < k->c->nics[i].n_ip_configs; j++) {
			const struct cfg_ip_config *ip = &k->c->nics[i].ip_configs[j];

			if (ip->subnet != CFG_NONE && ip->address.family != IP_NONE)
				all[n++] = (struct nic_address){.nic = &k->c->nics[i], .ip = ip};
		}
	check_addresses_unique(k, all, n);
	check_macs_unique(k, all, n);
	return check_groups(k, all, n);
}
