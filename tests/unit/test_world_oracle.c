/* Random networks: what the compiled tables do with a destination equals what a slow reader of the rules says.
 *
 * The reader below knows the configuration and the vendor's rules, nothing of overlays, ranks or sharing: for each
 * destination it lists every route that covers it and takes the best by the words of the documentation.
 */
#include "tests/unit/sanitized.h"
#include "tests/unit/world_text.h"

#include <stdlib.h>

static uint64_t seed = 88172645463325252;

static uint32_t
below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

/* ---- random configurations, as text, so that the checks apply ---- */

struct text {
	char s[65536];
	size_t used;
};

static void say(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
say(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->used += (size_t)vsnprintf(t->s + t->used, sizeof(t->s) - t->used, format, args);
	va_end(args);
	assert_true(t->used < sizeof(t->s));
}

#define VNETS_MAX 6
#define SUBNETS_MAX 5 /* besides GatewaySubnet */
#define TABLES 4

struct plan {
	uint32_t n_vnets;
	uint32_t base[VNETS_MAX]; /* second octet of 10.x.0.0/16 */
	uint32_t n_subnets[VNETS_MAX];
	bool gateway[VNETS_MAX];
};

static const char *
flag(void)
{
	return below(2) ? "true" : "false";
}

static void
say_peerings(struct text *t, const struct plan *p, uint32_t v, const uint8_t peered[VNETS_MAX][VNETS_MAX],
	const int *remote_gateway)
{
	bool first = true;

	say(t, "    virtualNetworkPeerings: [");
	for (uint32_t w = 0; w < p->n_vnets; w++) {
		if (!(peered[v][w] & 1))
			continue;
		say(t,
			"%s{name: v%u-v%u, remoteVirtualNetwork: {id: v%u}, allowVirtualNetworkAccess: %s, "
			"allowForwardedTraffic: %s, appliance: {strictAccess: %s}",
			first ? "" : ", ", v, w, w, flag(), flag(), flag());
		if (remote_gateway[w] == (int)v)
			say(t, ", allowGatewayTransit: true");
		if (remote_gateway[v] == (int)w)
			say(t, ", useRemoteGateways: true");
		if (peered[v][w] & 2)
			say(t, ", remoteAddressSpace: {addressPrefixes: [10.%u.%u.0/%u]}", p->base[w], below(2) * 128,
				17);
		say(t, "}");
		first = false;
	}
	say(t, "]\n");
}

static void
say_vnets(struct text *t, struct plan *p)
{
	uint8_t peered[VNETS_MAX][VNETS_MAX] = {{0}};
	int remote_gateway[VNETS_MAX];

	p->n_vnets = 2 + below(VNETS_MAX - 1);
	for (uint32_t v = 0; v < p->n_vnets; v++) {
		p->base[v] = 10 * (v + 1);
		p->n_subnets[v] = 1 + below(SUBNETS_MAX);
		p->gateway[v] = below(3) == 0;
		remote_gateway[v] = -1;
	}
	for (uint32_t v = 0; v < p->n_vnets; v++) {
		for (uint32_t w = 0; w < v; w++) {
			uint32_t both = below(4); /* none, one side, both, both */

			peered[v][w] = (uint8_t)(both >= 1 ? 1 + 2 * (below(5) == 0) : 0);
			peered[w][v] = (uint8_t)(both >= 2 ? 1 + 2 * (below(5) == 0) : 0);
			if (both < 2)
				continue;
			if (p->gateway[w] && !p->gateway[v] && remote_gateway[v] < 0 && below(2))
				remote_gateway[v] = (int)w;
			else if (p->gateway[v] && !p->gateway[w] && remote_gateway[w] < 0 && below(2))
				remote_gateway[w] = (int)v;
		}
	}

	say(t, "virtualNetworks:\n");
	for (uint32_t v = 0; v < p->n_vnets; v++) {
		say(t,
			"  - name: v%u\n    addressSpace: {addressPrefixes: [10.%u.0.0/16, 'fd00:%u::/48'%s]}\n    "
			"subnets:\n",
			v, p->base[v], v + 1, v == 0 && below(2) ? ", 172.16.0.0/12" : "");
		for (uint32_t s = 0; s < p->n_subnets[v]; s++) {
			say(t, "      - {name: s%u, addressPrefixes: [10.%u.%u.0/24%s]", s, p->base[v], s * 40, "");
			if (below(2))
				t->used--, say(t, ", 'fd00:%u:0:%u::/64']", v + 1, s);
			if (below(2))
				say(t, ", routeTable: {id: t%u}", below(TABLES));
			say(t, "}\n");
		}
		if (p->gateway[v])
			say(t, "      - {name: GatewaySubnet, addressPrefix: 10.%u.255.0/27%s}\n", p->base[v],
				below(3) == 0 ? ", routeTable: {id: tg}" : "");
		say_peerings(t, p, v, (const uint8_t(*)[VNETS_MAX])peered, remote_gateway);
	}
}

/* A prefix somewhere near what the networks use. */
static void
say_prefix(struct text *t, const struct plan *p, bool v6)
{
	static const uint8_t lengths[] = {9, 12, 15, 16, 17, 20, 22, 23, 24, 25, 28, 32};
	uint32_t v = below(p->n_vnets), len = lengths[below(sizeof(lengths))];
	uint32_t address = 10u << 24 | p->base[v] << 16 | (below(2) ? below(5) * 40 : below(256)) << 8 | below(3);

	if (v6) {
		say(t, "'fd00:%u:0:%u::/%u'", v + 1, below(4), 64);
		return;
	}
	if (below(12) == 0)
		address = 172u << 24 | 16u << 16 | below(1 << 20);
	else if (below(20) == 0)
		address = 198u << 24 | 51u << 16 | 100u << 8;
	address &= ~0u << (32 - len);
	say(t, "%u.%u.%u.%u/%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255, len);
}

static void
say_route(struct text *t, const struct plan *p, uint32_t n, bool for_gateway)
{
	static const char *const types[] = {"VirtualAppliance", "VirtualAppliance", "VirtualAppliance", "None",
		"VnetLocal", "Internet", "VirtualNetworkGateway"};
	const char *type = types[below(7)];
	bool appliance = strcmp(type, "VirtualAppliance") == 0, v6 = below(5) == 0;

	say(t, "      - {name: r%u, nextHopType: %s, addressPrefix: ", n, type);
	if (!v6 && !for_gateway && below(6) == 0)
		say(t, "%s", below(2) ? "0.0.0.0/0" : "10.0.0.0/8");
	else
		say_prefix(t, p, v6);
	if (appliance && v6)
		say(t, ", nextHopIpAddress: 'fd00:%u:0:%u::%u'", 1 + below(p->n_vnets), below(4), below(6));
	else if (appliance)
		say(t, ", nextHopIpAddress: 10.%u.%u.%u", p->base[below(p->n_vnets)], below(6) * 40,
			below(4) ? 4 + below(3) : below(2));
	say(t, "}\n");
}

static void
say_tables(struct text *t, const struct plan *p)
{
	say(t, "routeTables:\n");
	for (uint32_t i = 0; i < TABLES; i++) {
		uint32_t n = 1 + below(7);

		say(t, "  - name: t%u\n    disableBgpRoutePropagation: %s\n    routes:\n", i,
			below(4) ? "false" : "true");
		for (uint32_t r = 0; r < n; r++)
			say_route(t, p, r, false);
	}
	say(t, "  - name: tg\n    routes:\n");
	say_route(t, p, 0, true);
}

static void
say_nics(struct text *t, const struct plan *p)
{
	say(t, "networkInterfaces:\n");
	for (uint32_t v = 0; v < p->n_vnets; v++) {
		for (uint32_t s = 0; s < p->n_subnets[v]; s++) {
			if (below(2))
				say(t,
					"  - {name: n%u-%u, enableIPForwarding: %s, ipConfigurations: [{name: i, "
					"subnet: {id: v%u/s%u}, "
					"privateIPAddress: 10.%u.%u.4}]}\n",
					v, s, flag(), v, s, p->base[v], s * 40);
		}
	}
	say(t, "  - {name: last, ipConfigurations: [{name: i, subnet: {id: v0/s0}, privateIPAddress: 10.10.0.99}]}\n");
}

static void
say_gateways(struct text *t, const struct plan *p)
{
	bool any = false;

	for (uint32_t v = 0; v < p->n_vnets; v++)
		any |= p->gateway[v];
	if (!any)
		return;
	say(t, "publicIPAddresses:\n");
	for (uint32_t v = 0; v < p->n_vnets; v++)
		say(t, "  - {name: ip%u, ipAddress: 203.0.113.%u}\n", v, v + 1);
	say(t, "virtualNetworkGateways:\n");
	for (uint32_t v = 0; v < p->n_vnets; v++) {
		if (p->gateway[v])
			say(t,
				"  - {name: g%u, ipConfigurations: [{subnet: {id: v%u/GatewaySubnet}, publicIPAddress: "
				"{id: ip%u}}]}\n",
				v, v, v);
	}
	say(t, "localNetworkGateways:\n");
	for (uint32_t i = 0; i < 5; i++) {
		say(t, "  - {name: l%u, gatewayIpAddress: 198.51.100.%u, localNetworkAddressSpace: {addressPrefixes: [",
			i, i + 1);
		say(t, "10.%u.0.0/16, 192.168.%u.0/24, 10.%u.128.0/%u%s%s", 200 + below(3), below(3),
			10 * (1 + below(6)) + (below(3) == 0), 17 + below(8), below(4) ? "" : ", 10.0.0.0/8",
			below(6) ? "" : ", 0.0.0.0/0");
		say(t, "]}}\n");
	}
	say(t, "connections:\n");
	for (uint32_t v = 0; v < p->n_vnets; v++) {
		uint32_t first = below(5);

		for (uint32_t i = 0; p->gateway[v] && i < 1 + below(3); i++)
			say(t,
				"  - {name: c%u-%u, connectionType: IPsec, virtualNetworkGateway1: {id: g%u}, "
				"localNetworkGateway2: {id: l%u}, routingWeight: %u}\n",
				v, i, v, (first + i) % 5, below(3));
	}
}

static void
say_appliance(struct text *t, const struct plan *p)
{
	uint32_t vlan = 1;

	say(t, "appliance:\n  name: test\n  ports: [{name: p, driver: 'null'}]\n  attachments:\n");
	for (uint32_t v = 0; v < p->n_vnets; v++) {
		for (uint32_t s = 0; s < p->n_subnets[v]; s++) {
			if (vlan == 1 || below(6) != 0)
				say(t, "    - {subnet: v%u/s%u, port: p, vlan: %u}\n", v, s, vlan++);
		}
	}
	/* public addresses .1 and up; the last ones are not on the uplink */
	say(t,
		"  uplinks: [{name: wan, port: p, internet: %s, addresses: [203.0.113.1/24, 203.0.113.2/24, "
		"203.0.113.3/24]}]\n",
		flag());
}

/* NULL: the checks refused this one (two random routes with one prefix, say). */
static struct config *
random_config(struct text *t)
{
	struct config_errors errors = {.path = "random"};
	struct config *c = NULL;
	struct plan p;

	t->used = 0;
	say_vnets(t, &p);
	say_tables(t, &p);
	say_nics(t, &p);
	say_gateways(t, &p);
	say_appliance(t, &p);
	if (config_parse("random", t->s, t->used, &c, &errors) == 0)
		return c;
	if (getenv("SHOW_REFUSED"))
		config_errors_print(&errors, stderr);
	return NULL;
}

/* ---- the slow reader ---- */

/* What happens to a packet; texts as names_text gives them. */
struct fate {
	enum hop_kind kind;
	enum drop_reason reason;
	int32_t vnet, subnet; /* subnet, neighbour */
	struct ip_addr neighbour;
	int32_t connection;     /* tunnel */
	char name[200];         /* of a drop */
	char forwarded_by[200]; /* peering that forbids forwarded packets, "" */
};

static struct fate
dropped(enum drop_reason reason, const char *format, ...)
{
	struct fate f = {.kind = HOP_DROP, .reason = reason};
	va_list args;

	va_start(args, format);
	vsnprintf(f.name, sizeof(f.name), format, args);
	va_end(args);
	return f;
}

static bool
attached(const struct config *c, int32_t vnet, int32_t subnet)
{
	for (uint32_t i = 0; i < c->appliance.n_attachments; i++) {
		if (c->appliance.attachments[i].vnet == vnet && c->appliance.attachments[i].subnet == subnet)
			return true;
	}
	return false;
}

static const struct ip_prefix *
subnet_at(const struct config *c, int32_t vnet, const struct ip_addr *a, int32_t *subnet)
{
	for (uint32_t s = 0; s < c->vnets[vnet].n_subnets; s++) {
		for (uint32_t k = 0; k < c->vnets[vnet].subnets[s].prefixes.n; k++) {
			*subnet = (int32_t)s;
			if (prefix_has(&c->vnets[vnet].subnets[s].prefixes.p[k], a))
				return &c->vnets[vnet].subnets[s].prefixes.p[k];
		}
	}
	*subnet = -1;
	return NULL;
}

static bool
any_has(const struct cfg_prefixes *p, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (prefix_has(&p->p[i], a))
			return true;
	}
	return false;
}

static bool
any_covers(const struct cfg_prefixes *p, const struct ip_prefix *inner)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (prefix_covers(&p->p[i], inner))
			return true;
	}
	return false;
}

static const struct cfg_prefixes *
peer_space(const struct config *c, const struct cfg_peering *p)
{
	return p->remote_space.n ? &p->remote_space : &c->vnets[p->remote].space;
}

static const struct cfg_peering *
partner(const struct config *c, const struct cfg_peering *p)
{
	return &c->vnets[p->remote].peerings[p->partner];
}

/* The gateway that serves a network; *way: the peering towards it, NULL for its own. */
static int32_t
serving_gateway(const struct config *c, int32_t vnet, const struct cfg_peering **way)
{
	const struct cfg_vnet *v = &c->vnets[vnet];

	*way = NULL;
	if (v->gateway != CFG_NONE)
		return v->gateway;
	for (uint32_t i = 0; i < v->n_peerings; i++) {
		const struct cfg_peering *p = &v->peerings[i];

		if (p->state != PEERING_CONNECTED || !p->use_remote_gateways || !partner(c, p)->allow_gateway_transit)
			continue;
		*way = p;
		return c->vnets[p->remote].gateway;
	}
	return CFG_NONE;
}

enum from { FROM_SUBNET, FROM_TUNNEL, BY_GATEWAY };

/* Across a peering, as its flags have it. */
static struct fate
cross(const struct config *c, int32_t vnet, const struct cfg_peering *p, enum from from, struct fate f)
{
	const char *here = c->vnets[vnet].name, *there = c->vnets[p->remote].name;

	if (from != FROM_SUBNET && !(p->allow_gateway_transit && partner(c, p)->use_remote_gateways))
		return dropped(DROP_NO_ROUTE, "%s/virtualNetworkPeerings/%s", here, p->name);
	if (!p->allow_virtual_network_access && p->strict_access)
		return dropped(DROP_PEER_ACCESS_DENIED, "%s/virtualNetworkPeerings/%s", here, p->name);
	if (from == FROM_SUBNET && f.kind != HOP_DROP && !partner(c, p)->allow_forwarded_traffic)
		snprintf(f.forwarded_by, sizeof(f.forwarded_by), "%s/virtualNetworkPeerings/%s", there,
			partner(c, p)->name);
	return f;
}

/* Into a network, to the subnet that has the address. `by`: the user route that led here, NULL. */
static struct fate
deliver(const struct config *c, int32_t vnet, const struct ip_addr *a, const char *by)
{
	struct fate f = {.kind = HOP_SUBNET, .vnet = vnet};
	const struct ip_prefix *p = subnet_at(c, vnet, a, &f.subnet);
	struct ip_addr first;

	if (p == NULL)
		return dropped(DROP_SUBNET_NOT_ATTACHED, "%s", by ? by : c->vnets[vnet].name);
	if (!attached(c, vnet, f.subnet))
		return by ? dropped(DROP_SUBNET_NOT_ATTACHED, "%s", by)
			  : dropped(DROP_SUBNET_NOT_ATTACHED, "%s/%s", c->vnets[vnet].name,
				    c->vnets[vnet].subnets[f.subnet].name);
	first = prefix_nth(p, 1);
	if (address_equal(&first, a))
		f.kind = HOP_LOCAL;
	return f;
}

static const struct cfg_nic *
nic_at(const struct config *c, int32_t vnet, const struct ip_addr *a)
{
	for (uint32_t n = 0; n < c->n_nics; n++) {
		for (uint32_t k = 0; k < c->nics[n].n_ip_configs; k++) {
			if (c->nics[n].ip_configs[k].vnet == vnet &&
				address_equal(&c->nics[n].ip_configs[k].address, a))
				return &c->nics[n];
		}
	}
	return NULL;
}

/* The first or last IPv4 address of a subnet names no host. */
static bool
no_host(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_addr last;

	if (a->family != IP_V4)
		return false;
	last = prefix_nth(p, (1ull << (32 - p->len)) - 1);
	return address_equal(&p->addr, a) || address_equal(&last, a);
}

static struct fate
to_appliance(
	const struct config *c, int32_t vnet, int32_t subnet, enum from from, const struct cfg_route *r, const char *by)
{
	struct fate f = {.kind = HOP_NEIGHBOUR, .vnet = vnet, .neighbour = r->next_hop},
		    bad = dropped(DROP_ROUTE_INVALID, "%s", by);
	const struct ip_prefix *p = subnet_at(c, vnet, &r->next_hop, &f.subnet);
	const struct cfg_peering *way = NULL;
	const struct cfg_nic *nic;
	struct ip_addr first;

	if (p == NULL) {
		if (any_has(&c->vnets[vnet].space, &r->next_hop))
			return bad;
		for (uint32_t i = 0; i < c->vnets[vnet].n_peerings; i++) {
			const struct cfg_peering *each = &c->vnets[vnet].peerings[i];

			if (each->state == PEERING_CONNECTED && any_has(peer_space(c, each), &r->next_hop))
				way = each;
		}
		if (way == NULL)
			return bad;
		f.vnet = way->remote;
		p = subnet_at(c, way->remote, &r->next_hop, &f.subnet);
		if (p == NULL)
			return bad;
	}
	first = prefix_nth(p, 1);
	nic = nic_at(c, f.vnet, &r->next_hop);
	if ((f.vnet == vnet && f.subnet == subnet) || !attached(c, f.vnet, f.subnet) ||
		address_equal(&first, &r->next_hop) || no_host(p, &r->next_hop) ||
		(nic != NULL && !nic->enable_ip_forwarding))
		return bad;
	if (way == NULL)
		return f;
	if (!way->allow_virtual_network_access && way->strict_access)
		return dropped(DROP_PEER_ACCESS_DENIED, "%s/virtualNetworkPeerings/%s", c->vnets[vnet].name, way->name);
	if (from == FROM_SUBNET && !partner(c, way)->allow_forwarded_traffic)
		snprintf(f.forwarded_by, sizeof(f.forwarded_by), "%s/virtualNetworkPeerings/%s",
			c->vnets[way->remote].name, partner(c, way)->name);
	return f;
}

static struct fate
through(const struct config *c, uint32_t connection)
{
	const struct cfg_connection *k = &c->connections[connection];
	const struct cfg_gateway *g = &c->gateways[k->gateway1];

	for (uint32_t i = 0; i < c->appliance.uplinks[0].addresses.n; i++) {
		if (address_equal(&c->appliance.uplinks[0].address[i], &c->public_ips[g->public_ips[0]].address))
			return (struct fate){.kind = HOP_TUNNEL, .connection = (int32_t)connection};
	}
	return dropped(DROP_NO_GATEWAY, "connection %s", k->name);
}

/* The best route so far: longer is better; at one length user (3), gateway (2), system (1); then what it is. */
struct best {
	int len, rank;
	enum { NOTHING, LOCAL, PEER, INTERNET, NOWHERE, USER, CONNECTION } what;
	uint32_t index; /* of the peering, user route or connection */
	struct ip_prefix prefix;
};

static void
consider(struct best *b, const struct ip_addr *a, const struct ip_prefix *p, int rank, int what, uint32_t index)
{
	if (!prefix_has(p, a) || p->len < b->len || (p->len == b->len && rank <= b->rank))
		return;
	*b = (struct best){p->len, rank, what, index, *p};
}

static struct fate read_rules(
	const struct config *c, int32_t vnet, int32_t subnet, enum from from, const struct ip_addr *a);

static struct fate
by_user_route(const struct config *c, int32_t vnet, int32_t subnet, enum from from, const struct ip_addr *a,
	const struct cfg_route_table *t, const struct cfg_route *r)
{
	const struct cfg_peering *way;
	char name[200];
	struct fate f;
	int32_t gateway;

	snprintf(name, sizeof(name), "%s/routes/%s", t->name, r->name);
	switch (r->type) {
	case NEXT_HOP_NONE:
		return dropped(DROP_ROUTE_NONE, "%s", name);
	case NEXT_HOP_VNET_LOCAL:
		return deliver(c, vnet, a, name);
	case NEXT_HOP_INTERNET:
		if (from == FROM_SUBNET && c->appliance.uplinks[0].internet && a->family == IP_V4)
			return (struct fate){.kind = HOP_UPLINK};
		return dropped(DROP_NO_INTERNET, "%s", name);
	case NEXT_HOP_VIRTUAL_APPLIANCE:
		return to_appliance(c, vnet, subnet, from, r, name);
	case NEXT_HOP_VIRTUAL_NETWORK_GATEWAY:
		break;
	}
	gateway = serving_gateway(c, vnet, &way);
	if (from != FROM_SUBNET)
		return dropped(DROP_ROUTE_INVALID, "%s", name);
	if (gateway == CFG_NONE)
		return dropped(DROP_NO_GATEWAY, "%s", name);
	f = read_rules(c, c->gateways[gateway].vnet, c->gateways[gateway].subnet, BY_GATEWAY, a);
	if (f.kind == HOP_DROP && f.reason == DROP_NO_ROUTE && f.name[0] == '\0')
		f = dropped(DROP_NO_GATEWAY, "%s", name);
	return way == NULL ? f : cross(c, vnet, way, FROM_SUBNET, f);
}

/* The gateway's routes, heavier connections first; out of the question inside a system route of the network or a
 * peering. */
static void
consider_connections(
	const struct config *c, const struct cfg_vnet *v, int32_t gateway, struct best *best, const struct ip_addr *a)
{
	for (int weight = 100; weight >= 0; weight--) {
		for (uint32_t i = 0; i < c->n_connections; i++) {
			const struct cfg_prefixes *p = &c->local_gateways[c->connections[i].local_gateway].prefixes;

			if (c->connections[i].gateway1 != gateway || c->connections[i].routing_weight != weight)
				continue;
			for (uint32_t k = 0; k < p->n; k++) {
				bool inside = any_covers(&v->space, &p->p[k]);

				for (uint32_t n = 0; n < v->n_peerings; n++)
					inside |= v->peerings[n].state == PEERING_CONNECTED &&
						  any_covers(peer_space(c, &v->peerings[n]), &p->p[k]);
				if (!inside)
					consider(best, a, &p->p[k], 2, CONNECTION, i);
			}
		}
	}
}

/* All routes that cover the address, and the best of them. */
static struct best
best_route(const struct config *c, int32_t vnet, int32_t subnet, enum from from, const struct ip_addr *a)
{
	static const char *const reserved[] = {"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"};
	const struct cfg_vnet *v = &c->vnets[vnet];
	int32_t table = v->subnets[subnet].route_table;
	const struct cfg_route_table *t = table == CFG_NONE ? NULL : &c->route_tables[table];
	struct ip_prefix all = {.addr.family = a->family};
	const struct cfg_peering *way;
	int32_t gateway = serving_gateway(c, vnet, &way);
	struct best best = {.len = -1};
	bool user_default = false;

	for (uint32_t i = 0; i < v->space.n; i++)
		consider(&best, a, &v->space.p[i], 1, LOCAL, 0);
	for (uint32_t i = 0; i < v->n_peerings; i++) {
		if (v->peerings[i].state != PEERING_CONNECTED)
			continue;
		for (uint32_t k = 0; k < peer_space(c, &v->peerings[i])->n; k++)
			consider(&best, a, &peer_space(c, &v->peerings[i])->p[k], 1, PEER, i);
	}
	for (uint32_t i = 0; t != NULL && i < t->n_routes; i++) {
		consider(&best, a, &t->routes[i].prefix, 3, USER, i);
		user_default |= t->routes[i].prefix.len == 0 && t->routes[i].prefix.addr.family == IP_V4;
	}
	/* BY_GATEWAY: the gateway's Internet and None routes are not for others */
	if (from != BY_GATEWAY) {
		consider(&best, a, &all, 1, INTERNET, 0); /* every network here has IPv6 space */
		for (int i = 0; i < 4 && !user_default; i++) {
			struct ip_prefix r;

			assert_int_equal(prefix_parse(reserved[i], &r), 0);
			if (!any_covers(&v->space, &r))
				consider(&best, a, &r, 1, NOWHERE, 0);
		}
	}
	if (t != NULL && t->disable_bgp_route_propagation && from == FROM_SUBNET)
		gateway = CFG_NONE;
	if (gateway != CFG_NONE)
		consider_connections(c, v, gateway, &best, a);
	return best;
}

/* What the best route does with the address. */
static struct fate
read_rules(const struct config *c, int32_t vnet, int32_t subnet, enum from from, const struct ip_addr *a)
{
	const struct cfg_vnet *v = &c->vnets[vnet];
	int32_t table = v->subnets[subnet].route_table;
	const struct cfg_route_table *t = table == CFG_NONE ? NULL : &c->route_tables[table];
	struct best best = best_route(c, vnet, subnet, from, a);
	const struct cfg_peering *way;
	char text[ADDRESS_TEXT_MAX];
	struct fate f;

	switch (best.what) {
	case NOTHING:
		return dropped(DROP_NO_ROUTE, "%s", "");
	case LOCAL:
		return deliver(c, vnet, a, NULL);
	case PEER:
		return cross(
			c, vnet, &v->peerings[best.index], from, deliver(c, v->peerings[best.index].remote, a, NULL));
	case INTERNET:
		if (from == FROM_SUBNET && c->appliance.uplinks[0].internet && a->family == IP_V4)
			return (struct fate){.kind = HOP_UPLINK};
		return dropped(DROP_NO_INTERNET, "%s", "");
	case NOWHERE:
		return dropped(DROP_ROUTE_NONE, "system route %s", prefix_text(&best.prefix, text, sizeof(text)));
	case USER:
		return by_user_route(c, vnet, subnet, from, a, t, &t->routes[best.index]);
	case CONNECTION:
		break;
	}
	serving_gateway(c, vnet, &way);
	f = through(c, best.index);
	if (from == FROM_TUNNEL)
		return dropped(DROP_NO_GATEWAY, "connection %s", c->connections[best.index].name);
	return way == NULL || from != FROM_SUBNET ? f : cross(c, vnet, way, FROM_SUBNET, f);
}

/* ---- comparing ---- */

static void
tell(const struct text *t, const char *where, const struct ip_addr *a, const struct fate *f, const struct hop_spec *h,
	const struct names *names)
{
	char address[ADDRESS_TEXT_MAX];

	fprintf(stderr,
		"%s\n%s to %s\nrules: kind %d reason %s name '%s' forwarded '%s'\ntable: kind %d reason %s name '%s' "
		"forwarded '%s'\n",
		t->s, where, address_text(a, address, sizeof(address)), f->kind, drop_name(f->reason), f->name,
		f->forwarded_by, h->kind, drop_name(h->reason), names_text(names, h->name),
		names_text(names, h->deny_name));
}

static bool
agrees(const struct world_text *t, const struct fate *f, const struct hop_spec *h)
{
	const struct config *c = t->world->config;
	const struct view_spec *spec = &t->world->spec;
	char name[200];

	if (f->kind != h->kind ||
		strcmp(f->forwarded_by, h->deny_forwarded ? names_text(t->names, h->deny_name) : "") != 0)
		return false;
	switch (f->kind) {
	case HOP_DROP:
		return f->reason == h->reason && strcmp(f->name, names_text(t->names, h->name)) == 0;
	case HOP_SUBNET:
	case HOP_NEIGHBOUR:
		snprintf(
			name, sizeof(name), "%s/%s", c->vnets[f->vnet].name, c->vnets[f->vnet].subnets[f->subnet].name);
		return strcmp(name, names_text(t->names, spec->iface[h->iface].name)) == 0 &&
		       (f->kind == HOP_SUBNET || address_equal(&f->neighbour, &h->address));
	case HOP_UPLINK:
		return spec->iface[h->iface].kind == IFACE_UPLINK;
	case HOP_TUNNEL:
		snprintf(name, sizeof(name), "connection %s", c->connections[f->connection].name);
		return strcmp(name, names_text(t->names, spec->tunnel[h->tunnel].name)) == 0;
	case HOP_CIRCUIT:
	case HOP_CLIENT:
	case HOP_LOCAL:
		break;
	}
	return true;
}

/* Addresses where something may change: around every prefix of the file, and some anywhere. */
static uint32_t
interesting(const struct config *c, struct ip_addr *a, uint32_t max)
{
	uint32_t n = 0;

#define AROUND(p)                                                                                                      \
	do {                                                                                                           \
		uint64_t size = (p)->addr.family == IP_V4 ? 1ull << (32 - (p)->len) : 1ull << 20;                      \
		uint64_t at[] = {0, 1, 2, 4, size / 2, size - 1, size, (uint64_t)-1};                                  \
		for (int i_ = 0; i_ < 8 && n < max; i_++)                                                              \
			a[n++] = prefix_nth(p, at[i_]);                                                                \
	} while (0)

	for (uint32_t v = 0; v < c->n_vnets; v++) {
		for (uint32_t i = 0; i < c->vnets[v].space.n; i++)
			AROUND(&c->vnets[v].space.p[i]);
		for (uint32_t s = 0; s < c->vnets[v].n_subnets; s++) {
			for (uint32_t i = 0; i < c->vnets[v].subnets[s].prefixes.n; i++)
				AROUND(&c->vnets[v].subnets[s].prefixes.p[i]);
		}
	}
	for (uint32_t t = 0; t < c->n_route_tables; t++) {
		for (uint32_t i = 0; i < c->route_tables[t].n_routes; i++)
			AROUND(&c->route_tables[t].routes[i].prefix);
	}
	for (uint32_t l = 0; l < c->n_local_gateways; l++) {
		for (uint32_t i = 0; i < c->local_gateways[l].prefixes.n; i++)
			AROUND(&c->local_gateways[l].prefixes.p[i]);
	}
#undef AROUND
	for (int i = 0; i < 40 && n < max; i++)
		a[n++] = address_from_v4((below(2) ? 10u << 24 : below(256) << 24) | below(1 << 24));
	return n;
}

static uint32_t
compare(const struct text *text, const struct world_text *t, uint16_t iface, int32_t vnet, int32_t subnet,
	enum from from)
{
	static struct ip_addr a[8192];
	uint32_t n = interesting(t->world->config, a, 8192);
	struct world_routes r = world_routes_of(t->world, iface);
	const char *where = names_text(t->names, t->world->spec.iface[iface].name);

	for (uint32_t i = 0; i < n; i++) {
		struct fate f = read_rules(t->world->config, vnet, subnet, from, &a[i]);
		const struct hop_spec *h = world_lookup(t->world, &r, &a[i]);
		const struct cfg_prefixes *own = &t->world->config->vnets[vnet].subnets[subnet].prefixes;

		/* a host always reaches its own gateway */
		for (uint32_t k = 0; k < own->n && from == FROM_SUBNET; k++) {
			struct ip_addr first = prefix_nth(&own->p[k], 1);

			if (address_equal(&first, &a[i]))
				f = (struct fate){.kind = HOP_LOCAL};
		}
		if (!agrees(t, &f, h)) {
			tell(text, where, &a[i], &f, h, t->names);
			fail_msg("tables and rules disagree");
		}
	}
	world_routes_free(&r);
	return n;
}

/* The printed row that stands for an address: the longest that is active, or wins and drops for want of a next hop. */
struct printed {
	const struct ip_addr *address;
	struct effective_route row;
	bool found;
};

static bool
wins(const struct effective_route *r)
{
	return r->active || (r->why != NULL && strstr(r->why, "packets are dropped") != NULL);
}

static void
look(void *context, const struct effective_route *r)
{
	struct printed *p = context;

	if (!wins(r) || !prefix_has(&r->prefix, p->address) || (p->found && p->row.prefix.len > r->prefix.len))
		return;
	assert_false(p->found && p->row.prefix.len == r->prefix.len); /* a prefix has one winner */
	p->row = *r;
	p->found = true;
}

static void
compare_rows(const struct text *text, const struct world_text *t, const struct effective_table *e)
{
	static const enum effective_source source[] = {0, SOURCE_DEFAULT, SOURCE_VIRTUAL_NETWORK_GATEWAY, SOURCE_USER};
	static struct ip_addr a[8192];
	const struct config *c = t->world->config;
	uint32_t n = interesting(c, a, 8192);

	for (uint32_t i = 0; i < n; i++) {
		struct best b = best_route(c, e->vnet, e->subnet, FROM_SUBNET, &a[i]);
		struct printed p = {.address = &a[i]};
		char address[ADDRESS_TEXT_MAX];

		effective_each(e, look, &p);
		if (p.found == (b.what != NOTHING) &&
			(!p.found || (p.row.source == source[b.rank] && prefix_equal(&p.row.prefix, &b.prefix))))
			continue;
		fprintf(stderr, "%s\n%s/%s to %s: rules: source %d length %d, printed: source %d length %d\n", text->s,
			c->vnets[e->vnet].name, c->vnets[e->vnet].subnets[e->subnet].name,
			address_text(&a[i], address, sizeof(address)), source[b.rank], b.len, p.row.source,
			p.found ? p.row.prefix.len : -1);
		fail_msg("printed rows and rules disagree");
	}
}

static void
tables_do_what_the_rules_say(void **state)
{
	static struct text text;
	uint32_t worlds = 0, refused = 0;
	uint64_t compared = 0;

	while (worlds < (SANITIZED ? 150 : 600)) {
		struct config *c = random_config(&text);
		struct world_text t;

		if (c == NULL) {
			refused++;
			assert_true(refused < 20000);
			continue;
		}
		t = world_from_config(c);
		worlds++;
		for (uint32_t i = 0; i < t.world->n_tables; i++) {
			const struct effective_table *e = &t.world->table[i];

			compare_rows(&text, &t, e);
			if (e->iface != IFACE_NONE)
				compared += compare(&text, &t, e->iface, e->vnet, e->subnet, FROM_SUBNET);
		}
		for (uint32_t g = 0; g < c->n_gateways; g++) {
			char name[100];

			snprintf(name, sizeof(name), "gateway %s", c->gateways[g].name);
			compared += compare(&text, &t, world_iface(&t, name), c->gateways[g].vnet,
				c->gateways[g].subnet, FROM_TUNNEL);
		}
		world_text_free(&t);
	}
	print_message("%u worlds (%u refused by the checks), %llu destinations\n", worlds, refused,
		(unsigned long long)compared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tables_do_what_the_rules_say)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
