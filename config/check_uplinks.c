/* Uplinks: our addresses apart, gateways in reach, and which VNets Internet packets may enter. */
#include "config/check.h"
#include "config/overlap.h"

#include <errno.h>
#include <string.h>

static bool
uplink_reaches(const struct cfg_uplink *u, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < u->addresses.n; i++)
		if (prefix_has(&u->addresses.p[i], a))
			return true;
	return false;
}

static bool
uplink_is(const struct cfg_uplink *u, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < u->addresses.n; i++)
		if (address_equal(&u->address[i], a))
			return true;
	return false;
}

static void
check_gateway(struct check *k, const struct cfg_uplink *u, const char *key, const struct ip_addr *a, uint8_t family)
{
	char text[ADDRESS_TEXT_MAX];

	address_text(a, text, sizeof(text));
	if (a->family != family)
		config_error(k->b->errors, MARK(k, a, u), "InvalidAddress",
			"uplink '%.40s': '%s' is an IPv%d address, not %s", u->name, key, family, text);
	else if (uplink_is(u, a) || !uplink_reaches(u, a))
		config_error(k->b->errors, MARK(k, a, u), "UplinkGatewayUnreachable",
			"uplink '%.40s': '%s' %s is not another address in one of its networks", u->name, key, text);
}

static bool
address_is_host(const struct ip_addr *a, const struct ip_prefix *network)
{
	struct ip_addr last;

	if (a->family == IP_V6)
		return a->b[0] != 0xff && memcmp(a->b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15) != 0;
	if (a->b[0] == 0 || a->b[0] == 127 || a->b[0] >= 224)
		return false;
	if (network->len >= 31)
		return true;
	last = prefix_nth(network, (UINT64_C(1) << (32 - network->len)) - 1);
	return !address_equal(a, &network->addr) && !address_equal(a, &last);
}

static void
check_addresses(struct check *k, const struct cfg_uplink *u)
{
	char text[ADDRESS_TEXT_MAX];

	if (u->address != NULL && u->addresses.n == 0)
		config_error(k->b->errors, u->mark, "MissingKey", "uplink '%.40s' needs an address", u->name);
	for (uint32_t i = 0; i < u->addresses.n; i++) {
		if (!address_is_host(&u->address[i], &u->addresses.p[i]))
			config_error(k->b->errors, MARK(k, &u->address[i], u), "InvalidAddress",
				"uplink '%.40s': %s is no address of a host", u->name,
				address_text(&u->address[i], text, sizeof(text)));
		if (u->port != CFG_NONE && u->address[i].family == IP_V6 && k->c->appliance.ports[u->port].mtu < 1280)
			config_error(k->b->errors, MARK(k, &u->address[i], u), "MtuTooSmall",
				"port '%.40s' has an MTU of %u, but IPv6 on uplink '%.40s' needs 1280",
				k->c->appliance.ports[u->port].name, k->c->appliance.ports[u->port].mtu, u->name);
	}
}

/* ---- networks of different uplinks ----------------------------------------------- */

static bool
network_overlap(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow)
{
	struct check *k = arg;
	const struct cfg_uplink *u = k->c->appliance.uplinks;
	const struct overlap_item *late = narrow->owner >= wide->owner ? narrow : wide;
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	/* several addresses of one network on one uplink are fine, but not the same one twice */
	if (wide->owner == narrow->owner && !address_equal(wide->at, narrow->at))
		return true;
	config_error(k->b->errors, MARK(k, late->at, &u[late->owner]), "UplinkAddressesOverlap",
		"networks %s of uplink '%.40s' and %s of uplink '%.40s' overlap",
		prefix_text(&wide->prefix, a, sizeof(a)), u[wide->owner].name,
		prefix_text(&narrow->prefix, b, sizeof(b)), u[narrow->owner].name);
	return !config_errors_full(k->b->errors);
}

static int
check_networks_apart(struct check *k)
{
	const struct cfg_appliance *a = &k->c->appliance;
	struct overlap_item *items;
	size_t n = 0;

	for (uint32_t i = 0; i < a->n_uplinks; i++)
		n += a->uplinks[i].addresses.n;
	items = arena_array(k->b->arena, n, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < a->n_uplinks; i++)
		for (uint32_t j = 0; j < a->uplinks[i].addresses.n; j++)
			items[n++] = (struct overlap_item){
				.prefix = a->uplinks[i].addresses.p[j], .owner = i, .at = &a->uplinks[i].address[j]};
	overlap_each(items, n, network_overlap, k);
	return 0;
}

/* ---- the Internet ---------------------------------------------------------------- */

struct internet {
	struct check *k;
	const struct cfg_uplink *u;
};

/* What comes from the Internet is sent by its destination alone: it must lead to one network. */
static bool
vnet_overlap(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow)
{
	struct internet *in = arg;
	const struct cfg_vnet *v = in->k->c->vnets;
	const struct overlap_item *late = narrow->owner >= wide->owner ? narrow : wide;
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	if (in->u->vnets[wide->owner] == in->u->vnets[narrow->owner])
		return true;
	config_error(in->k->b->errors, MARK(in->k, late->at, in->u), "UplinkVnetsOverlap",
		"uplink '%.40s': '%.80s' (%s) and '%.80s' (%s) overlap, so what enters cannot be told apart",
		in->u->name, v[in->u->vnets[wide->owner]].name, prefix_text(&wide->prefix, a, sizeof(a)),
		v[in->u->vnets[narrow->owner]].name, prefix_text(&narrow->prefix, b, sizeof(b)));
	return !config_errors_full(in->k->b->errors);
}

static int
check_internet(struct check *k, struct cfg_uplink *u)
{
	struct internet in = {.k = k, .u = u};
	struct overlap_item *items;
	size_t n = 0;

	if (reference_resolve_all(k, KIND_VNET, &u->vnet_refs, u->mark, &u->vnets) < 0)
		return -ENOMEM;
	if (!u->internet && u->vnet_refs.n > 0)
		config_error(k->b->errors, MARK(k, &u->vnet_refs, u), "InvalidValue",
			"uplink '%.40s': 'virtualNetworks' says whom the Internet may enter, but 'internet' is false",
			u->name);
	for (uint32_t i = 0; i < u->vnet_refs.n; i++)
		n += u->vnets[i] == CFG_NONE ? 0 : k->c->vnets[u->vnets[i]].space.n;
	items = arena_array(k->b->arena, n, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < u->vnet_refs.n; i++)
		for (uint32_t j = 0; u->vnets[i] != CFG_NONE && j < k->c->vnets[u->vnets[i]].space.n; j++)
			items[n++] = (struct overlap_item){
				.prefix = k->c->vnets[u->vnets[i]].space.p[j], .owner = i, .at = &u->vnet_refs.s[i]};
	overlap_each(items, n, vnet_overlap, &in);
	return 0;
}

int
check_uplinks(struct check *k)
{
	const struct cfg_appliance *a = &k->c->appliance;
	struct names names;

	if (names_build(k->b->arena, &names, a->uplinks, a->n_uplinks, sizeof(*a->uplinks)) < 0)
		return -ENOMEM;
	names_check(k->b, &names, "uplink", false);
	for (uint32_t i = 0; i < a->n_uplinks; i++) {
		struct cfg_uplink *u = &a->uplinks[i];

		u->port = reference_resolve(k, KIND_PORT, &u->port_ref, u->mark);
		check_addresses(k, u);
		if (u->has_gateway4)
			check_gateway(k, u, "gateway", &u->gateway4, IP_V4);
		if (u->has_gateway6)
			check_gateway(k, u, "gateway6", &u->gateway6, IP_V6);
		if (check_internet(k, u) < 0)
			return -ENOMEM;
	}
	return check_networks_apart(k);
}
