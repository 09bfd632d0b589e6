/* What successive views share, what is built anew, what a large one weighs, and that memory comes back. */
#include "dataplane/view.h"

#include "tests/unit/eal.h"

#include <rte_malloc.h>

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TABLES 300
#define ROUTES 20
#define VNETS 1000
#define USER_ROUTES 400
#define SHARED_ROUTES 100000

static void *
array(size_t n, size_t size)
{
	void *p = calloc(n, size);

	assert_non_null(p);
	return p;
}

/* n disjoint /24s behind first; tables with another first differ. */
static struct route_spec *
routes(uint32_t first, uint32_t n)
{
	struct route_spec *r = array(n, sizeof(*r));

	for (uint32_t i = 0; i < n; i++)
		r[i] = (struct route_spec){{address_from_v4(first + (i << 8)), 24}, 1, ROUTE_USER};
	return r;
}

/* Parts of every kind; index 0 of the ACLs stands for none. */
struct description {
	struct view_spec spec;
	struct iface_spec iface;
	struct hop_spec hop[2];
	struct gateway_table_spec gateway[3];
	struct routes_spec routes[TABLES];
	struct acl_spec acl[TABLES];
	struct acl_rule_spec rule[TABLES];
	struct tags_spec tags[TABLES];
	struct tag_spec tag[TABLES];
};

static struct description *
describe(void)
{
	struct description *d = array(1, sizeof(*d));

	d->spec = (struct view_spec){.iface = &d->iface,
		.n_ifaces = 1,
		.hop = d->hop,
		.n_hops = 2,
		.gateway_table = d->gateway,
		.n_gateway_tables = RTE_DIM(d->gateway),
		.routes = d->routes,
		.n_routes = TABLES,
		.acl = d->acl,
		.n_acls = TABLES,
		.tags = d->tags,
		.n_tags = TABLES};
	for (uint32_t i = 0; i < RTE_DIM(d->gateway); i++)
		d->gateway[i] = (struct gateway_table_spec){routes(0x14000000 + (i << 24), ROUTES), ROUTES};
	for (uint32_t i = 0; i < TABLES; i++) {
		d->routes[i] = (struct routes_spec){routes(0x0a000000 + (i << 8), ROUTES), ROUTES, (int32_t)i % 4 - 1};
		d->rule[i] = (struct acl_rule_spec){.protocol = (int16_t)(i % 256), .name = i};
		d->acl[i] = (struct acl_spec){&d->rule[i], 1};
		d->tag[i] = (struct tag_spec){{address_from_v4(i << 16), 16}, TAG_BIT_VNET};
		d->tags[i] = (struct tags_spec){&d->tag[i], 1, 0};
	}
	return d;
}

static void
forget(struct description *d)
{
	for (uint32_t i = 0; i < RTE_DIM(d->gateway); i++)
		free(d->gateway[i].route);
	for (uint32_t i = 0; i < TABLES; i++)
		free(d->routes[i].overlay);
	free(d);
}

static struct view *
build(const struct view_spec *spec, const struct view *previous)
{
	char error[400];
	struct view *v = view_build(spec, previous, error, sizeof(error));

	if (v == NULL)
		fail_msg("%s", error);
	return v;
}

/* In another order, and one of each kind changed. */
static void
unchanged_parts_are_shared(void **state)
{
	struct description *d = describe();
	struct view *one = build(&d->spec, NULL), *two;
	struct gateway_table_spec first = d->gateway[0];
	const uint32_t odd = 17;

	for (uint32_t i = 1; i < TABLES / 2; i++) {
		struct acl_spec acl = d->acl[i];
		struct tags_spec tags = d->tags[i];

		d->acl[i] = d->acl[TABLES - i];
		d->acl[TABLES - i] = acl;
		d->tags[i] = d->tags[TABLES - i];
		d->tags[TABLES - i] = tags;
	}
	d->gateway[0] = d->gateway[2];
	d->gateway[2] = first;
	for (uint32_t i = 0; i < TABLES; i++)
		d->routes[i].gateway = d->routes[i].gateway < 0 ? -1 : 2 - d->routes[i].gateway;
	d->gateway[1].route[3].prefix.len = 25;
	d->routes[odd].overlay[2].rank = ROUTE_STRONG;
	d->acl[odd].rule->allow = true;
	d->tags[odd].tag->bits = TAG_BIT_OWN_VNET;
	two = build(&d->spec, one);

	assert_ptr_equal(two->gateway_table[0], one->gateway_table[2]);
	assert_ptr_equal(two->gateway_table[2], one->gateway_table[0]);
	assert_ptr_not_equal(two->gateway_table[1], one->gateway_table[1]);
	for (uint32_t i = 0; i < TABLES; i++) /* those of the changed gateway table follow it */
		assert_int_equal(two->routes[i] == one->routes[i], i != odd && d->routes[i].gateway != 1);
	for (uint32_t i = 1; i < TABLES; i++) {
		uint32_t was = i == TABLES / 2 ? i : TABLES - i;

		assert_int_equal(two->acl[i] == one->acl[was], i != odd);
		assert_int_equal(two->tags[i] == one->tags[was], i != odd);
	}
	view_free(one);
	view_free(two);
	forget(d);
}

/* Equal parts of one view are one another's former selves: whichever is taken over, none is built. */
static void
equal_parts_stay_shared(void **state)
{
	struct description *d = describe();
	struct view *one, *two;

	for (uint32_t i = 0; i < TABLES; i++)
		memcpy(d->routes[i].overlay, d->routes[0].overlay, ROUTES * sizeof(*d->routes[i].overlay));
	one = build(&d->spec, NULL);
	two = build(&d->spec, one);
	for (uint32_t i = 0; i < TABLES; i++) {
		bool found = false;

		for (uint32_t k = 0; k < TABLES; k++)
			found |= two->routes[i] == one->routes[k];
		assert_true(found);
	}
	view_free(one);
	view_free(two);
	forget(d);
}

/* ---- memory ---- */

static size_t
bytes_used(void)
{
	struct rte_malloc_socket_stats heap = {0};
	struct mallinfo2 libc = mallinfo2();

	rte_malloc_get_socket_stats((int)rte_socket_id(), &heap);
	return libc.uordblks + libc.hblkhd + heap.heap_allocsz_bytes;
}

static void
memory_returns(void **state)
{
	struct description *d = describe();
	struct route_spec *many = routes(0x14000000, 8000);
	struct gateway_table_spec few = d->gateway[0];
	struct view *v = build(&d->spec, NULL);
	size_t before = bytes_used();

	for (uint32_t i = 0; i < 40; i++) {
		struct view *next;

		d->gateway[0] = i & 1 ? few : (struct gateway_table_spec){many, 8000};
		d->rule[i].allow = !d->rule[i].allow;
		next = build(&d->spec, v);
		view_free(v);
		v = next;
	}
	assert_in_range(bytes_used(), before - 4096, before + 4096); /* lists of libc's own */
	view_free(v);
	free(many);
	forget(d);
}

/* 1,000 VNets with 400 user routes each and 100k routes of a gateway they share: under 1 GiB, by far. */
static void
many_vnets_are_light(void **state)
{
	struct route_spec *learned = routes(0x14000000, SHARED_ROUTES);
	struct gateway_table_spec gateway = {learned, SHARED_ROUTES};
	struct routes_spec *table = array(VNETS, sizeof(*table));
	struct iface_spec iface = {0};
	struct hop_spec hop[2] = {{0}};
	struct view_spec spec = {.iface = &iface,
		.n_ifaces = 1,
		.hop = hop,
		.n_hops = 2,
		.gateway_table = &gateway,
		.n_gateway_tables = 1,
		.routes = table,
		.n_routes = VNETS,
		.n_acls = 1};
	struct acl_spec none = {0};
	struct view *one, *two;
	size_t before, first, second;

	spec.acl = &none;
	for (uint32_t i = 0; i < VNETS; i++)
		table[i] = (struct routes_spec){routes(0x0a000000 + (i << 12), USER_ROUTES), USER_ROUTES, 0};
	before = bytes_used();
	one = build(&spec, NULL);
	first = bytes_used() - before;
	table[7].overlay[0].rank = ROUTE_SYSTEM;
	two = build(&spec, one); /* both are there until the workers have let go of the old one */
	second = bytes_used() - before;

	assert_in_range(first, 0, 160u << 20);
	assert_in_range(second - first, 0, 1u << 20);
	assert_ptr_equal(two->gateway_table[0], one->gateway_table[0]);
	view_free(one);
	view_free(two);
	for (uint32_t i = 0; i < VNETS; i++)
		free(table[i].overlay);
	free(table);
	free(learned);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unchanged_parts_are_shared),
		cmocka_unit_test(equal_parts_stay_shared),
		cmocka_unit_test(memory_returns),
		cmocka_unit_test(many_vnets_are_light),
	};

	if (test_eal_start_with("view", "512") != 0)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	test_eal_stop();
	return failed;
}
