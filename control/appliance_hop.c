/* The address must be in this VNet or in one directly peered with it (a gateway in between will not do), in another
 * subnet than the packets come from (the appliance's own packets would meet the same route and loop), and no
 * networkInterface of the file may hold it without enableIPForwarding.
 */
#include "control/appliance_hop.h"

#include "control/hops.h"
#include "control/vnet.h"

struct place {
	int32_t vnet, subnet;
	const struct ip_prefix *prefix; /* the subnet's that has the address */
	bool crosses;
	struct crossing way;
};

static bool
space_has(const struct cfg_prefixes *space, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < space->n; i++) {
		if (prefix_has(&space->p[i], a))
			return true;
	}
	return false;
}

/* NULL and the place, or why there is none. */
static const char *
find_place(struct world_build *b, int32_t vnet, const struct ip_addr *a, struct place *p)
{
	const struct cfg_vnet *v = &b->config->vnets[vnet];

	*p = (struct place){.vnet = vnet};
	p->subnet = vnet_subnet_of(b->config, vnet, a, &p->prefix);
	if (p->subnet != SUBNET_NONE)
		return NULL;
	if (space_has(&v->space, a))
		return "the next hop is in no subnet of the virtual network";

	for (uint32_t i = 0; i < v->n_peerings; i++) {
		if (!crossing_of(b, vnet, i, &p->way) || !space_has(p->way.space, a))
			continue;
		if (p->way.remote == CFG_NONE)
			return "the next hop is in a peered virtual network that this appliance does not know";
		p->crosses = true;
		p->vnet = p->way.remote;
		p->subnet = vnet_subnet_of(b->config, p->vnet, a, &p->prefix);
		return p->subnet == SUBNET_NONE ? "the next hop is in no subnet of the peered virtual network" : NULL;
	}
	return "the next hop is neither in this virtual network nor in one directly peered with it";
}

/* First and last address of an IPv4 subnet. */
static bool
is_edge(const struct ip_prefix *p, const struct ip_addr *a)
{
	uint32_t hosts;

	if (a->family != IP_V4 || p->len == 0 || p->len > 30)
		return false;
	hosts = (1u << (32 - p->len)) - 1;
	return (address_v4(a) & hosts) == 0 || (address_v4(a) & hosts) == hosts;
}

static const char *
refuse(struct world_build *b, const struct effective *e, const struct ip_addr *a, const struct place *p)
{
	const struct cfg_nic *nic = vnet_nic_of(b, p->vnet, a);
	struct ip_addr own;

	if (p->vnet == e->vnet && p->subnet == e->subnet)
		return "the next hop is in the subnet the route is for: its own packets would loop";
	if (b->subnet_iface[p->vnet][p->subnet] == IFACE_NONE)
		return "the next hop's subnet is attached to no port";
	if (vnet_gateway_address(p->prefix, &own) && address_equal(&own, a))
		return "the next hop is this appliance's own address";
	if (is_edge(p->prefix, a))
		return "the next hop is the network or broadcast address of its subnet";
	if (nic != NULL && !nic->enable_ip_forwarding)
		return world_text(
			b, "enableIPForwarding is false on networkInterface %s, which holds the next hop", nic->name);
	return NULL;
}

const char *
appliance_hop(struct world_build *b, const struct effective *e, const struct candidate *c, struct hop_spec *hop)
{
	const struct ip_addr *a = &c->user->next_hop;
	struct place p;
	const char *why = NULL;

	*hop = hop_drop(DROP_ROUTE_INVALID, c->user_name);
	if (a->family != c->row.prefix.addr.family)
		return "the next hop is of another address family than the prefix";
	why = find_place(b, e->vnet, a, &p);
	if (why == NULL)
		why = refuse(b, e, a, &p);
	if (why != NULL)
		return why;

	*hop = (struct hop_spec){.kind = HOP_NEIGHBOUR,
		.iface = b->subnet_iface[p.vnet][p.subnet],
		.address = *a,
		.tunnel = TUNNEL_NONE,
		.name = c->user_name};
	if (!p.crosses)
		return NULL;
	if (e->view != VIEW_SUBNET)
		p.way.forwarded_name = NAME_NONE;
	*hop = crossing_hop(&p.way, *hop);
	return hop->kind == HOP_DROP ? "the peering towards the next hop forbids access (strictAccess)" : NULL;
}
