/* Peerings: who is whose partner, the state that follows, flags and address spaces.
 *
 * A peering is one of two objects, one in each network. Connected: both exist. Initiated: this
 * one alone, also when the remote network is outside this file. Disconnected: only as imported,
 * the other side was deleted once; then neither it nor a new partner carries traffic until
 * this one is written anew.
 */
#include "config/check.h"
#include "config/overlap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAIRS_MAX 1024 /* of overlapping prefixes told for one network */

static const struct cfg_peering *
partner_of(const struct check *k, const struct cfg_peering *p)
{
	return p->partner == CFG_NONE ? NULL : &k->c->vnets[p->remote].peerings[p->partner];
}

/* ---- partners and states --------------------------------------------------------- */

static void
resolve_remote(struct check *k, const struct cfg_vnet *v, struct cfg_peering *p)
{
	if (p->remote_ref == NULL)
		return;
	/* A full id may lead outside this file; a bare name that leads nowhere is a typing error. */
	p->remote = reference_find(k, KIND_VNET, p->remote_ref);
	if (p->remote == CFG_NONE && !reference_is_id(KIND_VNET, p->remote_ref))
		reference_resolve(k, KIND_VNET, &p->remote_ref, p->mark);
	if (p->remote != CFG_NONE && &k->c->vnets[p->remote] == v) {
		config_error(k->b->errors, MARK(k, &p->remote_ref, p), "PeeringToItself",
			"peering '%.80s': a virtual network cannot peer with itself", p->name);
		p->remote = CFG_NONE;
	}
	if (p->remote != CFG_NONE && k->c->vnets[p->remote].implied && !p->implied) {
		config_error(k->b->errors, MARK(k, &p->remote_ref, p), "InvalidReference",
			"peering '%.80s': '%.80s' is a virtual hub: networks are among its "
			"hubVirtualNetworkConnections",
			p->name, k->c->vnets[p->remote].name);
		p->remote = CFG_NONE;
	}
}

static bool
same_remote(const struct cfg_peering *a, const struct cfg_peering *b)
{
	if (a->remote != CFG_NONE || b->remote != CFG_NONE)
		return a->remote == b->remote;
	return a->remote_ref != NULL && b->remote_ref != NULL && strcasecmp(a->remote_ref, b->remote_ref) == 0;
}

static int
remote_order(const void *a, const void *b)
{
	const struct cfg_peering *x = *(const struct cfg_peering *const *)a, *y = *(const struct cfg_peering *const *)b;
	int order;

	if (x->remote != y->remote)
		return x->remote < y->remote ? -1 : 1;
	order = x->remote == CFG_NONE && x->remote_ref && y->remote_ref ? strcasecmp(x->remote_ref, y->remote_ref) : 0;
	return order != 0 ? order : (x < y ? -1 : x > y);
}

static void
check_one_per_remote(struct check *k, const struct cfg_vnet *v)
{
	const struct cfg_peering *sorted[LIMIT_PEERINGS + 1]; /* that with a virtual hub */

	for (uint32_t i = 0; i < v->n_peerings; i++)
		sorted[i] = &v->peerings[i];
	if (v->n_peerings > 1)
		qsort(sorted, v->n_peerings, sizeof(sorted[0]), remote_order);
	for (uint32_t i = 1; i < v->n_peerings; i++)
		if (same_remote(sorted[i], sorted[i - 1]))
			config_error(k->b->errors, sorted[i]->mark, "AnotherPeeringAlreadyReferencesRemoteVnet",
				"peering '%.80s' of '%.80s' references the remote virtual network of peering '%.80s'",
				sorted[i]->name, v->name, sorted[i - 1]->name);
}

static void
find_partner(struct check *k, uint32_t vnet, struct cfg_peering *p)
{
	const struct cfg_vnet *remote;

	if (p->remote == CFG_NONE)
		return;
	remote = &k->c->vnets[p->remote];
	for (uint32_t i = 0; i < remote->n_peerings && p->partner == CFG_NONE; i++)
		if (remote->peerings[i].remote == (int32_t)vnet)
			p->partner = (int32_t)i;
}

static bool
stated_disconnected(const struct cfg_peering *p)
{
	return p->has_state && p->stated == PEERING_DISCONNECTED;
}

static void
derive_state(struct check *k, const struct cfg_vnet *v, struct cfg_peering *p)
{
	const struct cfg_peering *partner = partner_of(k, p);

	if (stated_disconnected(p))
		p->state = PEERING_DISCONNECTED;
	else
		p->state = partner ? PEERING_CONNECTED : PEERING_INITIATED;
	if (partner && stated_disconnected(partner) && !stated_disconnected(p))
		config_error(k->b->errors, p->mark, "RemotePeeringIsDisconnected",
			"peering '%.80s' of '%.80s' cannot be connected: remote peering '%.80s' of '%.80s' is "
			"Disconnected; "
			"delete it or set its peeringState to Initiated",
			p->name, v->name, partner->name, k->c->vnets[p->remote].name);
}

/* ---- flags ----------------------------------------------------------------------- */

static void
check_remote_gateway(struct check *k, const struct cfg_vnet *v, const struct cfg_peering *p)
{
	const struct cfg_vnet *remote = p->remote == CFG_NONE ? NULL : &k->c->vnets[p->remote];
	const struct cfg_peering *partner = partner_of(k, p);
	struct cfg_mark mark = MARK(k, &p->use_remote_gateways, p);
	int32_t own = v->gateway != CFG_NONE ? v->gateway : v->express_route;
	const char *cannot = "cannot have UseRemoteGateways flag set to true, because";

	if (remote != NULL && remote->gateway == CFG_NONE && remote->express_route == CFG_NONE &&
		!p->do_not_verify_remote_gateways)
		config_error(k->b->errors, mark, "RemoteVnetHasNoGateways",
			"peering '%.80s' of '%.80s' cannot have UseRemoteGateways flag set to true because remote "
			"virtual network "
			"'%.80s' does not have any gateways",
			p->name, v->name, remote->name);
	if (partner != NULL && !partner->allow_gateway_transit)
		config_error(k->b->errors, mark, "RemotePeeringForbidsGatewayTransit",
			"peering '%.80s' of '%.80s' %s corresponding remote peering '%.80s' has AllowGatewayTransit "
			"flag set to false",
			p->name, v->name, cannot, partner->name);
	if (own != CFG_NONE)
		config_error(k->b->errors, mark, "VnetHasGateway",
			"peering '%.80s' of '%.80s' %s the virtual network has gateway '%.80s' of its own", p->name,
			v->name, cannot, k->c->gateways[own].name);
	if (p->allow_gateway_transit)
		config_error(k->b->errors, mark, "GatewayTransitAndRemoteGateways",
			"peering '%.80s' of '%.80s' %s AllowGatewayTransit is true too", p->name, v->name, cannot);
}

static void
check_flags(struct check *k, const struct cfg_vnet *v)
{
	const struct cfg_peering *user = NULL;

	for (uint32_t i = 0; i < v->n_peerings; i++) {
		const struct cfg_peering *p = &v->peerings[i];

		if (p->remote != CFG_NONE && strcasecmp(v->cloud, k->c->vnets[p->remote].cloud) != 0)
			config_error(k->b->errors, p->mark, "PeeringAcrossClouds",
				"peering '%.80s': '%.80s' is in %.40s, '%.80s' in %.40s; virtual networks peer inside "
				"one cloud",
				p->name, v->name, v->cloud, k->c->vnets[p->remote].name, k->c->vnets[p->remote].cloud);
		if (!p->use_remote_gateways)
			continue;
		check_remote_gateway(k, v, p);
		if (user != NULL)
			config_error(k->b->errors, MARK(k, &p->use_remote_gateways, p),
				"AnotherPeeringUsesRemoteGateways",
				"peering '%.80s' of '%.80s' cannot have UseRemoteGateways flag set to true, because "
				"another peering "
				"'%.80s' already has UseRemoteGateways flag set to true",
				p->name, v->name, user->name);
		user = p;
	}
}

/* ---- address spaces -------------------------------------------------------------- */

/* Owner 0 is the network itself, owner i + 1 its i-th peering. */
struct pair {
	uint32_t a, b;
	struct ip_prefix wide, narrow;
};

struct pairs {
	struct pair *p;
	uint32_t n;
};

static bool
pair_found(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow)
{
	struct pairs *pairs = arg;
	bool order = wide->owner < narrow->owner;

	if (wide->owner == narrow->owner)
		return true;
	pairs->p[pairs->n++] = (struct pair){.a = order ? wide->owner : narrow->owner,
		.b = order ? narrow->owner : wide->owner,
		.wide = wide->prefix,
		.narrow = narrow->prefix};
	return pairs->n < PAIRS_MAX;
}

static int
pair_order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	if (x->b != y->b)
		return x->b < y->b ? -1 : 1;
	order = prefix_compare(&x->wide, &y->wide);
	return order != 0 ? order : prefix_compare(&x->narrow, &y->narrow);
}

static const char *
remote_name(const struct check *k, const struct cfg_peering *p)
{
	if (p->remote != CFG_NONE)
		return k->c->vnets[p->remote].name;
	return p->remote_ref ? p->remote_ref : "";
}

static void
list_add(char *list, size_t size, const struct ip_prefix *p)
{
	char text[ADDRESS_TEXT_MAX];
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s", used ? ", " : "", prefix_text(p, text, sizeof(text)));
}

/* One error for each two networks, naming every prefix of theirs that overlaps (as room allows). */
static void
report_pairs(struct check *k, const struct cfg_vnet *v, struct pairs *pairs)
{
	uint32_t i = 0;

	if (pairs->n > 1)
		qsort(pairs->p, pairs->n, sizeof(*pairs->p), pair_order);
	while (i < pairs->n) {
		const struct pair *first = &pairs->p[i];
		const struct cfg_peering *b = &v->peerings[first->b - 1];
		char list[240] = "";

		for (; i < pairs->n && pairs->p[i].a == first->a && pairs->p[i].b == first->b; i++) {
			if (i == 0 || &pairs->p[i] == first || !prefix_equal(&pairs->p[i].wide, &pairs->p[i - 1].wide))
				list_add(list, sizeof(list), &pairs->p[i].wide);
			if (!prefix_equal(&pairs->p[i].wide, &pairs->p[i].narrow))
				list_add(list, sizeof(list), &pairs->p[i].narrow);
		}
		if (first->a == 0)
			config_error(k->b->errors, b->mark, "VnetAddressSpacesOverlap",
				"'%.40s' and '%.40s' cannot be peered. Overlapping address prefixes: %s", v->name,
				remote_name(k, b), list);
		else if (!same_remote(&v->peerings[first->a - 1], b)) /* told already */
			config_error(k->b->errors, b->mark, "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
				"'%.40s' overlaps '%.40s', which is peered with '%.40s' already. Overlapping address "
				"prefixes: %s",
				remote_name(k, b), remote_name(k, &v->peerings[first->a - 1]), v->name, list);
	}
}

static size_t
items_add(struct overlap_item *items, size_t n, const struct cfg_prefixes *list, uint32_t owner)
{
	for (uint32_t i = 0; i < list->n; i++)
		items[n++] = (struct overlap_item){.prefix = list->p[i], .owner = owner};
	return n;
}

/* What is synced counts as well as what is current: routes are built from the former. */
static int
check_spaces(struct check *k, const struct cfg_vnet *v)
{
	struct overlap_item *items;
	struct pairs pairs = {0};
	size_t n = v->space.n;

	if (v->n_peerings == 0)
		return 0;
	for (uint32_t i = 0; i < v->n_peerings; i++) {
		const struct cfg_peering *p = &v->peerings[i];

		n += p->remote_space.n + (p->remote == CFG_NONE ? 0 : k->c->vnets[p->remote].space.n);
	}
	items = calloc(n ? n : 1, sizeof(*items));
	pairs.p = calloc(PAIRS_MAX, sizeof(*pairs.p));
	if (items != NULL && pairs.p != NULL) {
		n = items_add(items, 0, &v->space, 0);
		for (uint32_t i = 0; i < v->n_peerings; i++) {
			const struct cfg_peering *p = &v->peerings[i];

			if (p->state == PEERING_DISCONNECTED)
				continue;
			n = items_add(items, n, &p->remote_space, i + 1);
			if (p->remote != CFG_NONE)
				n = items_add(items, n, &k->c->vnets[p->remote].space, i + 1);
		}
		overlap_each(items, n, pair_found, &pairs);
		report_pairs(k, v, &pairs);
	}
	free(items);
	n = pairs.p != NULL;
	free(pairs.p);
	return n ? 0 : -ENOMEM;
}

int
check_peerings(struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_vnets; i++) {
		struct cfg_vnet *v = &k->c->vnets[i];
		struct names names;

		if (names_build(k->b->arena, &names, v->peerings, v->n_peerings, sizeof(*v->peerings)) < 0)
			return -ENOMEM;
		if (!v->implied) /* its connections were checked */
			names_check(k->b, &names, "peering", true);
		for (uint32_t j = 0; j < v->n_peerings; j++)
			resolve_remote(k, v, &v->peerings[j]);
		check_one_per_remote(k, v);
	}
	for (uint32_t i = 0; i < k->c->n_vnets; i++)
		for (uint32_t j = 0; j < k->c->vnets[i].n_peerings; j++)
			find_partner(k, i, &k->c->vnets[i].peerings[j]);
	for (uint32_t i = 0; i < k->c->n_vnets; i++) {
		struct cfg_vnet *v = &k->c->vnets[i];

		for (uint32_t j = 0; j < v->n_peerings; j++)
			derive_state(k, v, &v->peerings[j]);
		check_flags(k, v);
		if (check_spaces(k, v) < 0)
			return -ENOMEM;
	}
	return 0;
}
