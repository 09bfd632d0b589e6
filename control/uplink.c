/* What comes in from an uplink is for the appliance itself, or for a VNet that Internet packets may enter, or dropped.
 * A packet for another address of the uplink's own network was not meant for a router: it is dropped too.
 */
#include "control/uplink.h"

#include "config/errors.h"
#include "control/hops.h"
#include "control/vnet.h"

#include <errno.h>

static void
fill(struct world_build *b, struct iface_spec *i, const struct cfg_uplink *u)
{
	uint16_t mtu = u->port == CFG_NONE ? 0 : b->config->appliance.ports[u->port].mtu;

	i->port = (uint16_t)u->port;
	i->vlan = u->vlan;
	i->mtu = mtu ? mtu : i->mtu;
	i->flow_timeout_s = 240;
	for (uint32_t k = 0; k < u->addresses.n && i->n_prefixes < IFACE_PREFIXES_MAX; k++) {
		i->address[i->n_prefixes] = u->address[k];
		i->prefix[i->n_prefixes++] = u->addresses.p[k];
	}
	if (u->has_gateway4)
		i->gateway4 = u->gateway4;
	if (u->has_gateway6)
		i->gateway6 = u->gateway6;
}

/* An Internet packet enters by its destination alone, so the VNets must not overlap. */
static int
check_vnets(struct world_build *b, const struct cfg_uplink *u)
{
	const struct cfg_vnet *v = b->config->vnets;

	for (uint32_t i = 0; u->internet && i < u->vnet_refs.n; i++) {
		for (uint32_t k = 0; k < i; k++) {
			const struct cfg_prefixes *x = &v[u->vnets[i]].space, *y = &v[u->vnets[k]].space;

			for (uint32_t n = 0; n < x->n * y->n; n++) {
				if (!prefix_overlaps(&x->p[n / y->n], &y->p[n % y->n]))
					continue;
				config_error(b->errors, u->mark, "VnetAddressSpacesOverlap",
					"uplink %s lets Internet packets into %s and %s, which overlap", u->name,
					v[u->vnets[i]].name, v[u->vnets[k]].name);
				return -EINVAL;
			}
		}
	}
	return 0;
}

int
uplink_interfaces(struct world_build *b)
{
	for (uint32_t n = 0; n < b->config->appliance.n_uplinks; n++) {
		const struct cfg_uplink *u = &b->config->appliance.uplinks[n];
		const char *name = world_text(b, "uplink %s", u->name);
		struct iface_spec *i;

		if (check_vnets(b, u) != 0)
			return -EINVAL;
		i = vnet_iface_add(b, IFACE_UPLINK, name, &b->uplink_iface[n]);
		if (i == NULL)
			return -EINVAL;
		fill(b, i, u);
	}
	return 0;
}

/* ---- tables -------------------------------------------------------------------------- */

static void
add(struct world_build *b, struct routes_spec *r, const struct ip_prefix *p, struct hop_spec hop)
{
	struct route_spec *grown = world_grow(b, r->overlay, r->n_overlay, sizeof(*grown));

	if (grown == NULL)
		return;
	r->overlay = grown;
	grown[r->n_overlay++] = (struct route_spec){.prefix = *p, .hop = hops_add(b, &hop), .rank = ROUTE_STRONG};
}

static void
add_local(struct world_build *b, struct routes_spec *r, const struct ip_addr *a)
{
	struct ip_prefix host = {*a, address_bits(a)};

	add(b, r, &host, (struct hop_spec){.kind = HOP_LOCAL, .tunnel = TUNNEL_NONE});
}

static void
add_vnet(struct world_build *b, struct routes_spec *r, int32_t vnet)
{
	const struct cfg_vnet *v = &b->config->vnets[vnet];

	for (uint32_t s = 0; s < v->n_subnets; s++) {
		struct hop_spec hop = {.kind = HOP_SUBNET, .iface = b->subnet_iface[vnet][s], .tunnel = TUNNEL_NONE};

		for (uint32_t k = 0; hop.iface != IFACE_NONE && k < v->subnets[s].prefixes.n; k++) {
			const struct ip_prefix *p = &v->subnets[s].prefixes.p[k];
			struct ip_addr own;

			add(b, r, p, hop);
			if (p->len < address_bits(&p->addr) && vnet_gateway_address(p, &own))
				add_local(b, r, &own);
		}
	}
}

/* Every uplink's addresses are ours, whichever uplink a packet comes in by. */
static void
add_own_addresses(struct world_build *b, struct routes_spec *r)
{
	const struct cfg_appliance *a = &b->config->appliance;

	for (uint32_t n = 0; n < a->n_uplinks; n++) {
		for (uint32_t k = 0; k < a->uplinks[n].addresses.n; k++)
			add_local(b, r, &a->uplinks[n].address[k]);
	}
}

static struct routes_spec
table_of(struct world_build *b, const struct cfg_uplink *u, uint32_t name)
{
	struct ip_prefix all4 = {.addr.family = IP_V4}, all6 = {.addr.family = IP_V6};
	struct routes_spec r = {.gateway = -1};

	add(b, &r, &all4, hop_drop(DROP_NOT_FOR_US, name));
	add(b, &r, &all6, hop_drop(DROP_NOT_FOR_US, name));
	for (uint32_t i = 0; u->internet && i < u->vnet_refs.n; i++)
		add_vnet(b, &r, u->vnets[i]);
	add_own_addresses(b, &r);
	return r;
}

void
uplink_routes(struct world_build *b)
{
	for (uint32_t n = 0; n < b->config->appliance.n_uplinks; n++) {
		struct iface_spec *i = &b->spec->iface[b->uplink_iface[n]];
		struct routes_spec *grown = world_grow(b, b->spec->routes, b->spec->n_routes, sizeof(*grown));

		if (grown == NULL)
			return;
		b->spec->routes = grown;
		grown[b->spec->n_routes] = table_of(b, &b->config->appliance.uplinks[n], i->name);
		i->routes = b->spec->n_routes++;
	}
}
