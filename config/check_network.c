/* Address spaces and subnets: sizes, places, overlaps, and what GatewaySubnet may not have. */
#include "config/check.h"
#include "config/overlap.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define V4_SHORTEST 2
#define V4_LONGEST 29 /* five addresses are taken in each subnet, so nothing smaller is of use */
#define V6_SUBNET_SHORTEST 64
#define V6_SUBNET_LONGEST 126

/* Addresses with a meaning of their own, which no network may hold. */
static const char *const reserved_ranges[] = {"127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "224.0.0.0/4",
	"255.255.255.255/32", "::/127", "fe80::/10", "ff00::/8", NULL};

struct overlap_context {
	struct check *k;
	const struct cfg_vnet *v;
};

static void
space_prefix_check(struct check *k, const struct cfg_vnet *v, const struct ip_prefix *p)
{
	char text[ADDRESS_TEXT_MAX];

	if (p->addr.family == IP_V4 && (p->len < V4_SHORTEST || p->len > V4_LONGEST))
		config_error(k->b->errors, MARK(k, p, v), "InvalidAddressPrefix",
			"%s: an IPv4 address space is /%d to /%d", prefix_text(p, text, sizeof(text)), V4_SHORTEST,
			V4_LONGEST);
	for (const char *const *range = reserved_ranges; *range != NULL; range++) {
		struct ip_prefix r;

		if (prefix_parse(*range, &r) == 0 && prefix_overlaps(&r, p))
			config_error(k->b->errors, MARK(k, p, v), "ReservedAddressRange",
				"%s overlaps the reserved range %s", prefix_text(p, text, sizeof(text)), *range);
	}
}

static bool
space_overlap(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow)
{
	struct overlap_context *o = arg;
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	config_error(o->k->b->errors, MARK(o->k, narrow->at, o->v), "AddressSpaceOverlapsItself",
		"address prefixes %s and %s of virtual network '%.80s' overlap",
		prefix_text(&wide->prefix, a, sizeof(a)), prefix_text(&narrow->prefix, b, sizeof(b)), o->v->name);
	return !config_errors_full(o->k->b->errors);
}

static int
check_space(struct check *k, const struct cfg_vnet *v)
{
	struct overlap_item items[LIMIT_SPACE_PREFIXES];
	struct overlap_context o = {.k = k, .v = v};

	if (v->space.n == 0)
		config_error(k->b->errors, v->mark, "MissingKey",
			"virtual network '%.80s' needs at least one address prefix", v->name);
	for (uint32_t i = 0; i < v->space.n; i++) {
		space_prefix_check(k, v, &v->space.p[i]);
		items[i] = (struct overlap_item){.prefix = v->space.p[i], .at = &v->space.p[i]};
	}
	overlap_each(items, v->space.n, space_overlap, &o);
	return 0;
}

static bool
space_holds(const struct cfg_vnet *v, const struct ip_prefix *p)
{
	for (uint32_t i = 0; i < v->space.n; i++)
		if (prefix_covers(&v->space.p[i], p))
			return true;
	return false;
}

static void
subnet_prefix_check(struct check *k, const struct cfg_vnet *v, const struct cfg_subnet *s, const struct ip_prefix *p)
{
	int shortest = p->addr.family == IP_V6 ? V6_SUBNET_SHORTEST : V4_SHORTEST;
	int longest = p->addr.family == IP_V6 ? V6_SUBNET_LONGEST : V4_LONGEST;
	char text[ADDRESS_TEXT_MAX];

	prefix_text(p, text, sizeof(text));
	if (p->len < shortest || p->len > longest)
		config_error(k->b->errors, MARK(k, p, s), "NetcfgInvalidSubnet",
			"subnet '%.80s' is not valid in virtual network '%.80s': %s is not /%d to /%d", s->name,
			v->name, text, shortest, longest);
	if (!space_holds(v, p))
		config_error(k->b->errors, MARK(k, p, s), "NetcfgInvalidSubnet",
			"subnet '%.80s' is not valid in virtual network '%.80s': %s is outside its address space",
			s->name, v->name, text);
}

static void
check_gateway_subnet(struct check *k, const struct cfg_subnet *s)
{
	if (strcasecmp(s->name, "GatewaySubnet") == 0 && !s->is_gateway)
		config_error(k->b->errors, MARK(k, &s->name, s), "GatewaySubnetName",
			"'%.80s': the gateway's subnet is written GatewaySubnet exactly", s->name);
	if (s->is_gateway && s->nsg_ref != NULL)
		config_error(k->b->errors, MARK(k, &s->nsg_ref, s), "GatewaySubnetNsg",
			"a network security group on GatewaySubnet is not supported");
}

static void
check_subnet(struct check *k, const struct cfg_vnet *v, struct cfg_subnet *s)
{
	s->nsg = reference_resolve(k, KIND_NSG, &s->nsg_ref, s->mark);
	s->route_table = reference_resolve(k, KIND_ROUTE_TABLE, &s->route_table_ref, s->mark);
	s->is_gateway = strcmp(s->name, "GatewaySubnet") == 0;
	check_gateway_subnet(k, s);
	if (s->prefixes.n == 0)
		config_error(k->b->errors, s->mark, "MissingKey",
			"subnet '%.80s' needs 'addressPrefix' or 'addressPrefixes'", s->name);
	if (s->prefixes.n > LIMIT_SUBNET_PREFIXES)
		config_error(k->b->errors, s->mark, "LimitExceeded",
			"subnet '%.80s' has %u prefixes, at most %d are allowed", s->name, s->prefixes.n,
			LIMIT_SUBNET_PREFIXES);
	for (uint32_t i = 0; i < s->prefixes.n; i++)
		subnet_prefix_check(k, v, s, &s->prefixes.p[i]);
}

static bool
subnet_overlap(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow)
{
	struct overlap_context *o = arg;
	/* the one that stands later in the file is the one to blame */
	const struct overlap_item *late = narrow->owner >= wide->owner ? narrow : wide;
	const struct overlap_item *early = late == narrow ? wide : narrow;
	const struct cfg_subnet *s = &o->v->subnets[late->owner], *other = &o->v->subnets[early->owner];
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	config_error(o->k->b->errors, MARK(o->k, late->at, s), "NetcfgSubnetRangesOverlap",
		"subnet '%.80s' (%s) overlaps subnet '%.80s' (%s) of virtual network '%.80s'", s->name,
		prefix_text(&late->prefix, a, sizeof(a)), other->name, prefix_text(&early->prefix, b, sizeof(b)),
		o->v->name);
	return !config_errors_full(o->k->b->errors);
}

static int
check_subnets(struct check *k, const struct cfg_vnet *v)
{
	struct overlap_context o = {.k = k, .v = v};
	struct overlap_item *items;
	size_t n = 0;

	for (uint32_t i = 0; i < v->n_subnets; i++) {
		check_subnet(k, v, &v->subnets[i]);
		n += v->subnets[i].prefixes.n;
	}
	items = arena_array(k->b->arena, n, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < v->n_subnets; i++)
		for (uint32_t j = 0; j < v->subnets[i].prefixes.n; j++)
			items[n++] = (struct overlap_item){
				.prefix = v->subnets[i].prefixes.p[j], .owner = i, .at = &v->subnets[i].prefixes.p[j]};
	overlap_each(items, n, subnet_overlap, &o);
	return 0;
}

int
check_network(struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_vnets; i++) {
		const struct cfg_vnet *v = &k->c->vnets[i];

		if (check_space(k, v) < 0 || check_subnets(k, v) < 0)
			return -ENOMEM;
	}
	return 0;
}
