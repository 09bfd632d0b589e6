/* Route tables and tag tables against dumb lists.
 *
 * The dumb list below is written from the rules an operator reads (longest prefix; at equal length
 * User before the gateway's routes before System; system routes for VNets and peerings, and user routes inside
 * them, before any gateway route), and walks every route for every lookup.
 */
#include "dataplane/route.h"
#include "dataplane/gateway_table.h"

#include "tests/unit/eal.h"

#include <rte_byteorder.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t
random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1d;
}

static uint32_t
below(uint32_t n)
{
	return (uint32_t)(random64() >> 33) % n;
}

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static struct ip_addr
address(const char *text)
{
	struct ip_addr a;

	assert_int_equal(address_parse(text, &a), 0);
	return a;
}

/* ---- the dumb list ---- */

struct dumb {
	struct route_spec *overlay, *gateway;
	uint32_t n_overlay, n_gateway;
};

static const struct route_spec *
dumb_longest(const struct route_spec *r, uint32_t n, const struct ip_addr *a)
{
	const struct route_spec *best = NULL;

	for (uint32_t i = 0; i < n; i++) {
		if (prefix_has(&r[i].prefix, a) && (best == NULL || r[i].prefix.len > best->prefix.len))
			best = &r[i];
	}
	return best;
}

static uint32_t
dumb_lookup(const struct dumb *d, const struct ip_addr *a)
{
	const struct route_spec *own = dumb_longest(d->overlay, d->n_overlay, a);
	const struct route_spec *learned = dumb_longest(d->gateway, d->n_gateway, a);

	if (own == NULL)
		return learned == NULL ? HOP_NONE : learned->hop;
	if (learned == NULL || own->rank == ROUTE_STRONG)
		return own->hop;
	if (own->prefix.len != learned->prefix.len)
		return own->prefix.len > learned->prefix.len ? own->hop : learned->hop;
	return own->rank == ROUTE_USER ? own->hop : learned->hop;
}

/* ---- random tables ---- */

/* Addresses cluster under few high bits, so that prefixes nest and lookups hit. */
static struct ip_addr
random_address(uint8_t family, uint32_t spread)
{
	struct ip_addr a = {.family = family};
	uint32_t bytes = family == IP_V4 ? 4 : 16;

	for (uint32_t i = 0; i < bytes; i++)
		a.b[i] = below(3) == 0 ? (uint8_t)random64() : (uint8_t)below(spread);
	if (below(50) == 0)
		memset(a.b, below(2) ? 0xff : 0, bytes);
	return a;
}

static struct ip_prefix
random_prefix(uint8_t family, uint32_t spread)
{
	struct ip_prefix p = {.addr = random_address(family, spread)};

	p.len = (uint8_t)below(address_bits(&p.addr) + 1u);
	if (below(3) == 0)
		p.len = (uint8_t)(family == IP_V4 ? 8 * below(5) : 8 * below(17));
	for (uint32_t bit = p.len; bit < 128; bit++)
		p.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return p;
}

static int
compare(const void *a, const void *b)
{
	return prefix_compare(&((const struct route_spec *)a)->prefix, &((const struct route_spec *)b)->prefix);
}

/* At most n routes of both families with distinct prefixes, in random order. */
static uint32_t
random_routes(struct route_spec *r, uint32_t n, uint32_t spread, uint32_t first_hop)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		r[i].prefix = random_prefix(below(2) ? IP_V4 : IP_V6, spread);
		r[i].hop = first_hop + below(1000);
		r[i].rank = (uint8_t)below(3);
	}
	qsort(r, n, sizeof(*r), compare);
	for (uint32_t i = 0; i < n; i++) {
		if (kept == 0 || !prefix_equal(&r[kept - 1].prefix, &r[i].prefix))
			r[kept++] = r[i];
	}
	for (uint32_t i = kept; i > 1; i--) {
		uint32_t other = below(i);
		struct route_spec t = r[i - 1];

		r[i - 1] = r[other];
		r[other] = t;
	}
	return kept;
}

static struct routes *
build(const struct dumb *d, bool with_gateway, struct gateway_table **gateway)
{
	struct gateway_table_spec gateway_spec = {d->gateway, d->n_gateway};
	struct routes_spec spec = {d->overlay, d->n_overlay, with_gateway ? 0 : -1};
	char error[200] = "";
	struct routes *r;

	*gateway = NULL;
	if (with_gateway) {
		*gateway = gateway_table_build(&gateway_spec, error, sizeof(error));
		if (*gateway == NULL)
			fail_msg("%s", error);
	}
	r = routes_build(&spec, *gateway, error, sizeof(error));
	if (r == NULL)
		fail_msg("%s", error);
	return r;
}

/* An address to ask for: anywhere, or at or next to an edge of some route. */
static struct ip_addr
probe(const struct dumb *d, uint8_t family, uint32_t spread)
{
	uint32_t all = d->n_overlay + d->n_gateway;

	for (int tries = 0; all > 0 && tries < 4; tries++) {
		uint32_t at = below(all);
		const struct ip_prefix *p =
			at < d->n_overlay ? &d->overlay[at].prefix : &d->gateway[at - d->n_overlay].prefix;
		struct ip_addr a = p->addr;
		int edge = (int)below(3) - 1; /* one before, the first, or the last */

		if (a.family != family)
			continue;
		if (edge > 0) {
			for (uint32_t bit = p->len; bit < address_bits(&a); bit++)
				a.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		} else if (edge < 0) {
			for (int i = address_bits(&a) / 8 - 1; i >= 0 && a.b[i]-- == 0;)
				i--;
		}
		if (below(4) != 0)
			return a;
	}
	return random_address(family, spread);
}

static uint32_t
lookup(const struct routes *r, const struct ip_addr *a)
{
	return a->family == IP_V4 ? routes_lookup_v4(r, rte_cpu_to_be_32(address_v4(a))) : routes_lookup_v6(r, a->b);
}

static void
expect(const struct dumb *d, const struct ip_addr *a, uint32_t hop)
{
	uint32_t wanted = dumb_lookup(d, a);
	char text[ADDRESS_TEXT_MAX];

	if (hop != wanted)
		fail_msg("%s: hop %u, the list says %u", address_text(a, text, sizeof(text)), hop, wanted);
}

static void
compare_with_list(uint32_t n_overlay, uint32_t n_gateway, bool with_gateway, uint32_t spread, uint32_t probes)
{
	struct dumb d = {calloc(n_overlay + 1, sizeof(*d.overlay)), calloc(n_gateway + 1, sizeof(*d.gateway)), 0, 0};
	struct gateway_table *gateway;
	struct routes *r;

	d.n_overlay = random_routes(d.overlay, n_overlay, spread, 1);
	d.n_gateway = with_gateway ? random_routes(d.gateway, n_gateway, spread, 5000) : 0;
	r = build(&d, with_gateway, &gateway);
	for (uint32_t i = 0; i < probes; i++) {
		struct ip_addr a = probe(&d, i % 2 ? IP_V4 : IP_V6, spread);

		expect(&d, &a, lookup(r, &a));
	}
	routes_free(r);
	gateway_table_free(gateway);
	free(d.overlay);
	free(d.gateway);
}

static void
small_tables_equal_a_list(void **state)
{
	for (uint32_t round = 0; round < 4000; round++)
		compare_with_list(below(40), below(40), below(4) != 0, 1 + below(6), 250);
}

static void
middle_tables_equal_a_list(void **state)
{
	for (uint32_t round = 0; round < 40; round++)
		compare_with_list(200 + below(3000), below(3000), below(2) != 0, 20 + below(200), 1500);
}

/* Node boundaries of the tree: every number of intervals from 1 to some thousands. */
static void
every_size_of_tree(void **state)
{
	struct dumb d = {calloc(2500, sizeof(*d.overlay)), NULL, 0, 0};
	struct gateway_table *gateway;

	for (uint32_t n = 0; n < 2500; n += n < 700 ? 1 : 37) {
		struct routes *r;

		d.n_overlay = n;
		for (uint32_t i = 0; i < n; i++) {
			d.overlay[i] =
				(struct route_spec){{address_from_v4(0x0a000000 + (i << 9)), 24}, i + 1, ROUTE_USER};
		}
		r = build(&d, false, &gateway);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(routes_lookup_v4(r, rte_cpu_to_be_32(0x0a000000 + (i << 9))), i + 1);
			assert_int_equal(routes_lookup_v4(r, rte_cpu_to_be_32(0x0a0000ff + (i << 9))), i + 1);
			assert_int_equal(routes_lookup_v4(r, rte_cpu_to_be_32(0x0a000100 + (i << 9))), HOP_NONE);
		}
		assert_int_equal(routes_lookup_v4(r, rte_cpu_to_be_32(0x09ffffff)), HOP_NONE);
		assert_int_equal(routes_lookup_v4(r, 0xffffffff), HOP_NONE);
		routes_free(r);
	}
	free(d.overlay);
}

/* A gateway table large enough for the large form of both families. Few probes: the list is slow. */
static void
large_tables_equal_a_list(void **state)
{
	struct dumb d = {calloc(60, sizeof(*d.overlay)), calloc(14000, sizeof(*d.gateway)), 0, 0};
	struct gateway_table *gateway;
	struct routes *r;

	d.n_overlay = random_routes(d.overlay, 60, 60, 1);
	d.n_gateway = random_routes(d.gateway, 14000, 60, 5000);
	r = build(&d, true, &gateway);
	assert_non_null(gateway->dir4.word);
	assert_non_null(gateway->fib6);
	for (uint32_t i = 0; i < 12000; i++) {
		struct ip_addr a = probe(&d, i % 2 ? IP_V4 : IP_V6, 60);

		expect(&d, &a, lookup(r, &a));
	}
	routes_free(r);
	gateway_table_free(gateway);
	free(d.overlay);
	free(d.gateway);
}

#define TABLES 5
#define KNOWN_HOP 77

static uint32_t
expected_hop(const struct iface *iface, const struct packet *p)
{
	const struct routes *r = iface[p->iface].routes;

	if (p->hop != HOP_NONE)
		return p->hop;
	return p->flags & PKT_V6 ? routes_lookup_v6(r, p->v6.dst) : routes_lookup_v4(r, p->v4.dst);
}

/* Packets of one burst come from different subnets: bursts say what single lookups say. */
static void
bursts_equal_single_lookups(void **state)
{
	struct gateway_table *gateway[TABLES];
	struct routes *table[TABLES];
	static struct packet before[BURST_MAX];
	static struct iface iface[TABLES];
	struct dumb d[TABLES];

	for (uint32_t t = 0; t < TABLES; t++) {
		uint32_t size = t == 0 ? 10500 : 300;

		d[t] = (struct dumb){calloc(50, sizeof(*d->overlay)), calloc(size, sizeof(*d->gateway)), 0, 0};
		d[t].n_overlay = random_routes(d[t].overlay, 50, 40, 1 + t * 10000);
		d[t].n_gateway = t == 3 ? 0 : random_routes(d[t].gateway, size, 40, 5000 + t * 10000);
		table[t] = build(&d[t], t != 3, &gateway[t]);
		iface[t].routes = table[t];
	}
	for (uint32_t round = 0; round < 20000; round++) {
		struct packet slot[BURST_MAX], *p[BURST_MAX];
		uint16_t n = (uint16_t)below(BURST_MAX + 1);

		for (uint16_t i = 0; i < n; i++) {
			uint32_t t = below(3) ? 0 : below(TABLES);
			bool v6 = below(2);
			struct ip_addr a = probe(&d[t], v6 ? IP_V6 : IP_V4, 40);

			p[i] = &slot[i];
			slot[i] = (struct packet){.iface = (uint16_t)t, .flags = v6 ? PKT_V6 : 0, .hop = HOP_NONE};
			memcpy(v6 ? slot[i].v6.dst : (uint8_t *)&slot[i].v4.dst, a.b, v6 ? 16 : 4);
			if (below(20) == 0)
				slot[i].hop = KNOWN_HOP;
		}
		memcpy(before, slot, sizeof(slot));
		routes_lookup_burst(iface, p, n);
		for (uint16_t i = 0; i < n; i++)
			assert_int_equal(slot[i].hop, expected_hop(iface, &before[i]));
	}
	for (uint32_t t = 0; t < TABLES; t++) {
		routes_free(table[t]);
		gateway_table_free(gateway[t]);
		free(d[t].overlay);
		free(d[t].gateway);
	}
}

/* The rules of strength, one by one, at equal, longer and shorter prefixes. */
static void
strength_truth_table(void **state)
{
	static const struct {
		const char *own;
		uint8_t rank;
		const char *learned;
		bool own_wins;
	} row[] = {
		{"10.1.0.0/16", ROUTE_SYSTEM, "10.1.0.0/16", false},
		{"10.1.0.0/16", ROUTE_SYSTEM, "10.0.0.0/8", true},
		{"10.1.0.0/16", ROUTE_SYSTEM, "10.1.2.0/24", false},
		{"10.1.0.0/16", ROUTE_USER, "10.1.0.0/16", true},
		{"10.1.0.0/16", ROUTE_USER, "10.1.2.0/24", false},
		{"10.1.0.0/16", ROUTE_USER, "10.0.0.0/8", true},
		{"10.1.0.0/16", ROUTE_STRONG, "10.1.0.0/16", true},
		{"10.1.0.0/16", ROUTE_STRONG, "10.1.2.3/32", true},
		{"10.1.0.0/16", ROUTE_STRONG, "0.0.0.0/0", true},
		{"0.0.0.0/0", ROUTE_SYSTEM, "0.0.0.0/0", false},
		{"0.0.0.0/0", ROUTE_USER, "0.0.0.0/0", true},
		{"0.0.0.0/0", ROUTE_STRONG, "10.1.2.3/32", true},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct route_spec own = {prefix(row[i].own), 7, row[i].rank}, learned = {prefix(row[i].learned), 9, 0};
		struct dumb d = {&own, &learned, 1, 1};
		struct ip_addr a = address("10.1.2.3");
		struct gateway_table *gateway;
		struct routes *r = build(&d, true, &gateway);

		if (lookup(r, &a) != (row[i].own_wins ? 7u : 9u))
			fail_msg("%s (rank %u) against %s", row[i].own, row[i].rank, row[i].learned);
		assert_int_equal(lookup(r, &a), dumb_lookup(&d, &a));
		routes_free(r);
		gateway_table_free(gateway);
	}
}

static void
no_route_is_hop_none(void **state)
{
	struct routes_spec spec = {NULL, 0, -1};
	char error[200];
	struct routes *r = routes_build(&spec, NULL, error, sizeof(error));
	struct ip_addr a4 = address("192.0.2.1"), a6 = address("2001:db8::1");

	assert_non_null(r);
	assert_int_equal(lookup(r, &a4), HOP_NONE);
	assert_int_equal(lookup(r, &a6), HOP_NONE);
	routes_free(r);
}

static void
bad_tables_are_refused(void **state)
{
	struct route_spec twice[] = {{prefix("10.0.0.0/8"), 1, 0}, {prefix("10.0.0.0/8"), 2, 0}};
	struct route_spec large = {prefix("10.0.0.0/8"), ROUTE_HOPS_MAX, 0}, none = {prefix("10.0.0.0/8"), HOP_NONE, 0};
	struct route_spec host_bits = {{address_from_v4(0x0a000001), 8}, 1, 0};
	char error[200];

	assert_null(routes_build(&(struct routes_spec){twice, 2, -1}, NULL, error, sizeof(error)));
	assert_string_equal(error, "prefix 10.0.0.0/8 stands twice in one table");
	assert_null(routes_build(&(struct routes_spec){&large, 1, -1}, NULL, error, sizeof(error)));
	assert_null(routes_build(&(struct routes_spec){&host_bits, 1, -1}, NULL, error, sizeof(error)));
	assert_null(gateway_table_build(&(struct gateway_table_spec){twice, 2}, error, sizeof(error)));
	assert_null(gateway_table_build(&(struct gateway_table_spec){&large, 1}, error, sizeof(error)));
	assert_null(gateway_table_build(&(struct gateway_table_spec){&none, 1}, error, sizeof(error)));
}

/* Sharing: same content in another order is the same; any changed field is not. */
static void
same_compares_content(void **state)
{
	struct route_spec a[] = {{prefix("10.0.0.0/8"), 1, ROUTE_USER}, {prefix("2001:db8::/32"), 2, ROUTE_SYSTEM}};
	struct route_spec b[] = {a[1], a[0]};
	struct routes_spec spec_a = {a, 2, -1}, spec_b = {b, 2, -1};
	struct gateway_table_spec gateway_a = {a, 2}, gateway_b = {b, 2};
	char error[200];
	struct routes *r = routes_build(&spec_a, NULL, error, sizeof(error));
	struct gateway_table *t = gateway_table_build(&gateway_a, error, sizeof(error));

	assert_true(routes_same(r, &spec_b, NULL));
	assert_true(gateway_table_same(t, &gateway_b));
	assert_false(routes_same(r, &spec_b, t));

	b[0].hop = 3;
	assert_false(routes_same(r, &spec_b, NULL));
	assert_false(gateway_table_same(t, &gateway_b));
	b[0].hop = 2;
	b[1].rank = ROUTE_SYSTEM;
	assert_false(routes_same(r, &spec_b, NULL));
	b[1].rank = ROUTE_USER;
	b[1].prefix.len = 9;
	assert_false(routes_same(r, &spec_b, NULL));
	assert_false(gateway_table_same(t, &gateway_b));
	spec_b.n_overlay = 1;
	assert_false(routes_same(r, &spec_b, NULL));
	routes_free(r);
	gateway_table_free(t);
}

static void
references_are_counted(void **state)
{
	struct route_spec a = {prefix("10.0.0.0/8"), 1, ROUTE_USER}, g = {prefix("11.0.0.0/8"), 2, ROUTE_USER};
	char error[200];
	struct gateway_table *t = gateway_table_build(&(struct gateway_table_spec){&g, 1}, error, sizeof(error));
	struct routes *r = routes_build(&(struct routes_spec){&a, 1, 0}, t, error, sizeof(error));
	struct ip_addr in_gateway = address("11.1.1.1");

	gateway_table_free(t); /* the routes still hold it */
	assert_ptr_equal(routes_ref(r), r);
	routes_free(r);
	assert_int_equal(lookup(r, &in_gateway), 2);
	routes_free(r);
	routes_free(NULL);
	gateway_table_free(NULL);
}

static void
tags_equal_a_list(void **state)
{
	for (uint32_t round = 0; round < 2000; round++) {
		struct route_spec r[60];
		struct tag_spec tag[60];
		struct tags_spec spec = {tag, random_routes(r, 1 + below(60), 1 + below(5), 1), 0};
		struct dumb d = {r, NULL, spec.n, 0};
		char error[200];
		struct tags *t;

		for (uint32_t i = 0; i < spec.n; i++)
			tag[i] = (struct tag_spec){r[i].prefix, (uint8_t)(r[i].hop & 0xf)};
		t = tags_build(&spec, NULL, error, sizeof(error));
		assert_non_null(t);
		assert_true(tags_same(t, &spec, NULL));
		for (uint32_t i = 0; i < 100; i++) {
			struct ip_addr a = probe(&d, i % 2 ? IP_V4 : IP_V6, 4);
			const struct route_spec *best = dumb_longest(r, spec.n, &a);

			assert_int_equal(tags_lookup(t, a.family, a.b), best ? best->hop & 0xf : TAG_BIT_INTERNET);
		}
		tag[0].bits ^= 1;
		assert_false(tags_same(t, &spec, NULL));
		tags_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strength_truth_table),
		cmocka_unit_test(no_route_is_hop_none),
		cmocka_unit_test(bad_tables_are_refused),
		cmocka_unit_test(same_compares_content),
		cmocka_unit_test(references_are_counted),
		cmocka_unit_test(every_size_of_tree),
		cmocka_unit_test(small_tables_equal_a_list),
		cmocka_unit_test(middle_tables_equal_a_list),
		cmocka_unit_test(large_tables_equal_a_list),
		cmocka_unit_test(bursts_equal_single_lookups),
		cmocka_unit_test(tags_equal_a_list),
	};
	if (test_eal_start_with("route", "512") != 0)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	test_eal_stop();
	return failed;
}
