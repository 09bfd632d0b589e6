/* What is long in a world: 1,000,000 routes, 10,000 tunnels, 10,000 rules.
 *
 * Put into struct view_spec itself, as control would from its routing and keying daemons; everything after that
 * (view_build and what workers see) is the appliance's own. All of it is seeded: the same plan is the same world.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPI_FIRST 0x10000
#define TUNNEL_NET 20 /* tunnel i leads to 20.x.y.0/24, or fd20:0:x:y::/64; x.y = i */
#define ADDED_MAX 32

static struct {
	struct ip_prefix *route; /* random ones, distinct */
	void *memory[ADDED_MAX];
	uint32_t n;
	uint32_t random;
} added;

static void *
keep(size_t n, size_t size)
{
	void *p = bench_array(n, size);

	if (added.n == ADDED_MAX) {
		fprintf(stderr, "the bench's world has too many parts\n");
		exit(1);
	}
	added.memory[added.n++] = p;
	return p;
}

/* A copy with room for more behind it. */
static void *
enlarge(const void *array, uint32_t n, uint32_t more, size_t size)
{
	void *p = keep((size_t)n + more, size);

	if (n)
		memcpy(p, array, n * size);
	return p;
}

void
extension_free(void)
{
	while (added.n)
		free(added.memory[--added.n]);
	added.route = NULL;
}

/* ---- random prefixes ----------------------------------------------------------------------------- */

/* In 256 parts, roughly as the Internet's table has them; none longer than a /24, none shorter than a /12. */
static uint8_t
length_v4(void)
{
	static const struct {
		uint8_t length, parts;
	} share[] = {{24, 155}, {23, 25}, {22, 28}, {21, 13}, {20, 13}, {19, 8}, {18, 4}, {17, 3}, {16, 5}, {14, 1}};
	uint32_t at = bench_random(&added.random) >> 24;

	for (size_t i = 0; i < sizeof(share) / sizeof(share[0]); i++) {
		if (at < share[i].parts)
			return share[i].length;
		at -= share[i].parts;
	}
	return 12;
}

static uint8_t
length_v6(void)
{
	static const uint8_t length[16] = {48, 48, 48, 48, 48, 48, 48, 32, 32, 44, 44, 40, 40, 36, 46, 29};

	return length[bench_random(&added.random) >> 28];
}

/* Public unicast, and not where tunnels lead. */
static bool
usable_v4(uint32_t a)
{
	uint32_t net = a >> 24;

	return net >= 11 && net < 224 && net != 100 && net != 127 && net != 169 && net != 172 && net != 192 &&
	       net != 198 && net != 203 && net != TUNNEL_NET;
}

static struct ip_prefix
random_prefix(bool v6)
{
	struct ip_prefix p = {.addr.family = v6 ? IP_V6 : IP_V4};
	uint32_t a;

	do
		a = bench_random(&added.random);
	while (!usable_v4(a));
	p.len = v6 ? length_v6() : length_v4();
	if (v6)
		a = 0x20000000 | a >> 3;
	for (int i = 0; i < 4; i++)
		p.addr.b[i] = (uint8_t)(a >> (24 - 8 * i));
	for (int i = 4; v6 && i < 8; i++)
		p.addr.b[i] = (uint8_t)(bench_random(&added.random) >> 24);
	for (int bit = p.len; bit < (v6 ? 64 : 32); bit++)
		p.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return p;
}

/* Distinct ones: a set with open addressing, by what makes a prefix. */
static struct ip_prefix *
random_prefixes(uint32_t n, bool v6)
{
	struct ip_prefix *p = keep(n, sizeof(*p));
	uint32_t mask = 63;
	uint64_t *set;

	while (mask < 2 * n)
		mask = 2 * mask + 1;
	set = bench_array(mask + 1, sizeof(*set));
	for (uint32_t i = 0; i < n;) {
		uint64_t key, at;

		p[i] = random_prefix(v6);
		memcpy(&key, p[i].addr.b, sizeof(key));
		key += (uint64_t)p[i].len * 0x9e3779b97f4a7c15;
		for (at = key * 0xd6e8feb86659fd93 >> 32; set[at & mask] != 0 && set[at & mask] != key; at++)
			;
		i += set[at & mask] == 0;
		set[at & mask] = key;
	}
	free(set);
	return p;
}

/* ---- finding one's way in a description -------------------------------------------------------------- */

static uint16_t
subnet_iface(const struct view_spec *spec, uint16_t port)
{
	for (uint16_t i = 1; i < spec->n_ifaces; i++)
		if (spec->iface[i].kind == IFACE_SUBNET && spec->iface[i].port == port)
			return i;
	return IFACE_NONE;
}

static const struct sa_spec *
base_sa(const struct view_spec *spec, bool outbound)
{
	for (uint32_t i = 0; i < spec->n_sas; i++)
		if (spec->sa[i].config.spi == SPI_AB && spec->sa[i].config.outbound == outbound)
			return &spec->sa[i];
	return NULL;
}

static uint32_t
add_hop(struct view_spec *spec, struct hop_spec hop)
{
	spec->hop = enlarge(spec->hop, spec->n_hops, 1, sizeof(hop));
	spec->hop[spec->n_hops] = hop;
	return spec->n_hops++;
}

static uint32_t
hop_to_host(struct view_spec *spec, bool v6)
{
	struct hop_spec hop = {.kind = HOP_NEIGHBOUR, .iface = subnet_iface(spec, PORT_B)};

	address_parse(v6 ? HOST_B6 : HOST_B4, &hop.address);
	return add_hop(spec, hop);
}

/* ---- routes --------------------------------------------------------------------------------------------- */

/* The table of a's gateway becomes these routes; a's overlay stays. */
static void
gateway_routes(struct view_spec *spec, struct route_spec *route, uint32_t n)
{
	uint32_t table = spec->n_gateway_tables++;

	spec->gateway_table = enlarge(spec->gateway_table, table, 1, sizeof(*spec->gateway_table));
	spec->gateway_table[table] = (struct gateway_table_spec){route, n};
	spec->routes[spec->iface[subnet_iface(spec, PORT_A)].routes].gateway = (int32_t)table;
}

static void
add_routes(struct view_spec *spec, const struct bench_world *plan)
{
	struct route_spec *route = keep(plan->routes, sizeof(*route));
	uint32_t hop =
		plan->shape == SHAPE_TUNNEL
			? add_hop(spec, (struct hop_spec){.kind = HOP_TUNNEL, .tunnel = base_sa(spec, true)->tunnel})
			: hop_to_host(spec, plan->v6);

	added.random = plan->routes;
	added.route = random_prefixes(plan->routes, plan->v6);
	for (uint32_t i = 0; i < plan->routes; i++)
		route[i] = (struct route_spec){.prefix = added.route[i], .hop = hop};
	gateway_routes(spec, route, plan->routes);
}

/* ---- rules ------------------------------------------------------------------------------------------- */

/* Like another rule, but about a port and a network of its own. */
static struct acl_rule_spec
rule_like(const struct acl_rule_spec *other, uint32_t i, struct ip_prefix *prefix, struct acl_port_range *port)
{
	struct acl_rule_spec r = *other;
	struct acl_side_spec *far = r.source.n_prefixes ? &r.source : &r.destination;

	*prefix = far->prefix[0];
	prefix->addr.b[1] = (uint8_t)(32 + i % 64);
	*port = (struct acl_port_range){(uint16_t)(20000 + i), (uint16_t)(20000 + i)};
	far->prefix = prefix;
	far->n_prefixes = 1;
	r.destination.port = port;
	r.destination.n_ports = 1;
	return r;
}

/* New rules go before those of the configuration, whose default ones decide. */
static void
lengthen(struct acl_spec *acl, uint32_t n)
{
	uint32_t more = n - RULES_PER_GROUP;
	struct acl_rule_spec *rule = keep(acl->n + more, sizeof(*rule));
	struct ip_prefix *prefix = keep(more, sizeof(*prefix));
	struct acl_port_range *port = keep(more, sizeof(*port));

	for (uint32_t i = 0; i < more; i++)
		rule[i] = rule_like(&acl->rule[i % RULES_PER_GROUP], i, &prefix[i], &port[i]);
	memcpy(rule + more, acl->rule, acl->n * sizeof(*rule));
	acl->rule = rule;
	acl->n += more;
}

static void
add_rules(struct view_spec *spec, const struct bench_world *plan)
{
	for (uint32_t i = 1; i < spec->n_acls; i++)
		if (spec->acl[i].n > RULES_PER_GROUP)
			lengthen(&spec->acl[i], (plan->rules + 2) / 3);
}

/* ---- tunnels -------------------------------------------------------------------------------------------- */

static struct ip_prefix
tunnel_prefix(uint32_t i, bool v6)
{
	struct ip_prefix p = {.addr.family = v6 ? IP_V6 : IP_V4, .len = v6 ? 64 : 24};
	uint8_t *where = v6 ? p.addr.b + 5 : p.addr.b;

	where[0] = TUNNEL_NET;
	if (v6)
		p.addr.b[0] = 0xfd;
	where[1] = (uint8_t)(i >> 8);
	where[2] = (uint8_t)i;
	return p;
}

/* The same algorithms under keys and an SPI of its own. */
static struct sa_spec
tunnel_sa(const struct sa_spec *base, uint32_t i, uint16_t tunnel)
{
	struct sa_spec sa = *base;

	sa.config.spi = SPI_FIRST + i;
	memcpy(sa.config.enc_key, &sa.config.spi, sizeof(sa.config.spi));
	sa.tunnel = tunnel;
	return sa;
}

/* Tunnels beside the first: copies of it at both ends, each with a route of its own at a. */
static void
add_tunnels(struct view_spec *spec, const struct bench_world *plan)
{
	uint32_t n = plan->tunnels, first = spec->n_tunnels, hop = spec->n_hops;
	struct route_spec *route = keep(n, sizeof(*route));

	spec->tunnel = enlarge(spec->tunnel, spec->n_tunnels, 2 * n, sizeof(*spec->tunnel));
	spec->sa = enlarge(spec->sa, spec->n_sas, 2 * n, sizeof(*spec->sa));
	spec->hop = enlarge(spec->hop, spec->n_hops, n, sizeof(*spec->hop));
	for (uint32_t i = 0; i < n; i++) {
		uint16_t sealing = (uint16_t)(first + i), opening = (uint16_t)(first + n + i);

		spec->tunnel[sealing] = spec->tunnel[base_sa(spec, true)->tunnel];
		spec->tunnel[opening] = spec->tunnel[base_sa(spec, false)->tunnel];
		spec->sa[spec->n_sas++] = tunnel_sa(base_sa(spec, true), i, sealing);
		spec->sa[spec->n_sas++] = tunnel_sa(base_sa(spec, false), i, opening);
		spec->hop[hop + i] = (struct hop_spec){.kind = HOP_TUNNEL, .tunnel = sealing};
		route[i] = (struct route_spec){.prefix = tunnel_prefix(i, plan->v6), .hop = hop + i};
	}
	spec->n_tunnels += 2 * n;
	spec->n_hops += n;
	gateway_routes(spec, route, n);
}

/* Whatever comes out of a tunnel at b is for b's host. */
static void
everything_to_host(struct view_spec *spec)
{
	uint16_t gateway = spec->tunnel[base_sa(spec, false)->tunnel].gateway;
	struct route_spec *route = keep(2, sizeof(*route));

	for (int v6 = 0; v6 < 2; v6++)
		route[v6] = (struct route_spec){
			.prefix.addr.family = v6 ? IP_V6 : IP_V4, .hop = hop_to_host(spec, v6), .rank = ROUTE_STRONG};
	spec->routes = enlarge(spec->routes, spec->n_routes, 1, sizeof(*spec->routes));
	spec->routes[spec->n_routes] = (struct routes_spec){route, 2, -1};
	spec->iface[gateway].routes = spec->n_routes++;
}

void
extension_add(struct view_spec *spec, void *context)
{
	const struct bench_world *plan = context;

	for (uint32_t i = 0; i < spec->n_tunnels; i++)
		spec->tunnel[i].n_selectors = 0;
	if (plan->shape == SHAPE_TUNNEL)
		everything_to_host(spec);
	if (plan->rules > RULES_PER_GROUP)
		add_rules(spec, plan);
	if (plan->routes)
		add_routes(spec, plan);
	if (plan->tunnels)
		add_tunnels(spec, plan);
}

struct ip_addr
extension_destination(const struct bench_world *plan, uint32_t i)
{
	struct ip_addr host;

	address_parse(plan->v6 ? HOST_B6 : HOST_B4, &host);
	if (plan->tunnels) {
		host = tunnel_prefix(i % plan->tunnels, plan->v6).addr;
	} else if (plan->routes) {
		uint32_t scattered = (uint32_t)((i * 0x9e3779b97f4a7c15) >> 32);

		host = added.route[(uint64_t)scattered * plan->routes >> 32].addr;
	}
	host.b[plan->v6 ? 15 : 3] |= 10;
	return host;
}
