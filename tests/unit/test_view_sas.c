/* Views that differ in SAs alone: what they share and what is their own, who keeps whom alive, and that building the
 * next configuration's view goes on beside them.
 */
#include "dataplane/sa.h"
#include "dataplane/view.h"

#include "tests/unit/eal.h"
#include "tests/unit/tsan_heap.h"

#include <rte_malloc.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UPLINK 1
#define UPLINK_TOO 2
#define GATEWAY 3
#define IFACES 4
#define STATIC 2
#define MANY 10000
#define ROUNDS 300

/* Of a configuration with two tunnels, as a rule. */
static struct iface_spec iface[IFACES];
static struct hop_spec hop[2];
static struct routes_spec routes;
static struct tags_spec tags;
static struct acl_spec acl;
static struct tunnel_spec tunnel[MANY];
static struct sa_spec sa[2 * MANY];
static _Thread_local char error[400];

static struct ip_addr
address(const char *text)
{
	struct ip_addr a;

	assert_int_equal(address_parse(text, &a), 0);
	return a;
}

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void
describe_uplink(uint16_t id, const char *own, const char *net, const char *gateway)
{
	iface[id] = (struct iface_spec){.kind = IFACE_UPLINK,
		.vlan = id,
		.mtu = 1500,
		.address = {address(own)},
		.prefix = {prefix(net)},
		.n_prefixes = 1,
		.gateway4 = address(gateway)};
}

static void
describe(void)
{
	describe_uplink(UPLINK, "192.0.2.1", "192.0.2.0/24", "192.0.2.254");
	describe_uplink(UPLINK_TOO, "198.51.100.1", "198.51.100.0/24", "198.51.100.254");
	iface[GATEWAY] = (struct iface_spec){.kind = IFACE_GATEWAY, .mtu = 1500};
	for (uint32_t i = 0; i < MANY; i++)
		tunnel[i] = (struct tunnel_spec){.name = 100 + i,
			.gateway = GATEWAY,
			.uplink = UPLINK,
			.local = address("192.0.2.1"),
			.remote = address_from_v4(0x0b000000 + i)};
}

static struct view *
base_of(const struct view *previous, uint32_t n_tunnels)
{
	const struct view_spec spec = {.iface = iface,
		.n_ifaces = IFACES,
		.hop = hop,
		.n_hops = 2,
		.routes = &routes,
		.n_routes = 1,
		.acl = &acl,
		.n_acls = 1,
		.tags = &tags,
		.n_tags = 1,
		.tunnel = tunnel,
		.n_tunnels = n_tunnels};
	struct view *v;

	routes.gateway = -1;
	v = view_build(&spec, previous, error, sizeof(error));
	if (v == NULL)
		fail_msg("%s", error);
	return v;
}

static struct view *
base_view(const struct view *previous)
{
	return base_of(previous, STATIC);
}

static struct sa *
sa_make(uint32_t spi, bool outbound)
{
	struct cfg_sa c = {.spi = spi,
		.outbound = outbound,
		.encryption = ENC_AES_GCM_128,
		.enc_key_len = 20,
		.replay_window = 64};
	struct sa *made = sa_create(&c, 1, 1000);

	assert_non_null(made);
	return made;
}

/* Both directions of tunnel t, as SAs 2t and 2t + 1 of the list. */
static void
sa_pair(uint16_t t)
{
	for (int out = 0; out < 2; out++) {
		struct sa_spec *s = &sa[2 * t + out];

		*s = (struct sa_spec){.tunnel = t,
			.config = {.spi = 0x10000u + 2u * t, .outbound = out},
			.sa = sa_make(0x10000u + 2u * t, out)};
	}
}

static void
sas_free(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sa_free(sa[i].sa);
	memset(sa, 0, n * sizeof(*sa));
}

static struct view *
with(const struct view *base, uint32_t n_tunnels, uint32_t n_sas)
{
	const struct sas_spec spec = {.tunnel = tunnel, .n_tunnels = n_tunnels, .sa = sa, .n_sas = n_sas};
	struct view *v = view_with_sas(base, &spec, error, sizeof(error));

	if (v == NULL)
		fail_msg("%s", error);
	return v;
}

static size_t
heap_used(void)
{
	struct rte_malloc_socket_stats heap;

	rte_malloc_get_socket_stats((int)rte_socket_id(), &heap);
	return heap.heap_allocsz_bytes;
}

/* ---- what is shared --------------------------------------------------------------------- */

static void
all_but_tunnels_is_shared(void **state)
{
	struct view *base = base_view(NULL), *other = base_view(base), *one, *two;

	for (uint16_t t = 0; t < 3; t++)
		sa_pair(t);
	one = with(base, 3, 6);
	two = with(one, STATIC, 0);
	assert_ptr_equal(one->iface, base->iface);
	assert_ptr_equal(one->hop, base->hop);
	assert_ptr_equal(one->attach, base->attach);
	assert_ptr_equal(two->routes, base->routes);
	assert_ptr_equal(two->base, base);
	assert_int_equal(one->number, base->number);
	assert_int_equal(two->number, base->number);
	assert_int_not_equal(other->number, base->number);

	assert_null(base->tunnel[0].path);
	assert_null(two->tunnel[0].path);
	for (uint16_t t = 0; t < 3; t++)
		assert_ptr_equal(one->tunnel[t].path->sa, sa[2 * t + 1].sa);
	/* the configuration's tunnels have a hop in all of them; a client's answers find it by its address */
	for (uint16_t t = 0; t < STATIC; t++) {
		assert_int_equal(one->tunnel[t].local_hop, base->tunnel[t].local_hop);
		assert_int_equal(base->hop[one->tunnel[t].local_hop].kind, HOP_TUNNEL);
		assert_int_equal(base->hop[one->tunnel[t].local_hop].tunnel, t);
	}
	assert_int_equal(base->hop[one->tunnel[2].local_hop].kind, HOP_CLIENT);
	assert_int_equal(base->hop[one->tunnel[2].local_hop].iface, GATEWAY);
	view_free(base);
	view_free(two);
	view_free(one);
	view_free(other);
	sas_free(6);
}

static void
views_live_as_long_as_somebody_holds_them(void **state)
{
	size_t before = heap_used();

	for (int order = 0; order < 6; order++) {
		struct view *v[3] = {base_view(NULL)};
		int first = order / 2, second = (first + 1 + order % 2) % 3;

		v[1] = with(v[0], STATIC, 0);
		v[2] = with(v[1], STATIC, 0);
		assert_ptr_equal(view_ref(v[1]), v[1]);
		view_free(v[1]);
		view_free(v[first]);
		view_free(v[second]);
		assert_int_equal(v[3 - first - second]->hop[0].kind, HOP_DROP);
		view_free(v[3 - first - second]);
		assert_int_equal(heap_used(), before);
	}
}

static void
refuse(const struct view *base, const struct sas_spec *spec, const char *why)
{
	assert_null(view_with_sas(base, spec, error, sizeof(error)));
	assert_non_null(strstr(error, why));
}

static void
what_does_not_fit_the_base_is_refused(void **state)
{
	struct view *base = base_view(NULL);
	struct sas_spec spec = {.tunnel = tunnel, .n_tunnels = STATIC - 1};
	struct sa_spec wrong = {.tunnel = STATIC};
	struct tunnel_spec other[STATIC + 1];
	size_t before = heap_used();

	refuse(base, &spec, "of the configuration");
	spec.n_tunnels = TUNNEL_NONE;
	refuse(base, &spec, "of the configuration");

	spec = (struct sas_spec){.tunnel = tunnel + 1, .n_tunnels = STATIC};
	refuse(base, &spec, "tunnel 0 is not the configuration's");
	memcpy(other, tunnel, sizeof(other));
	other[STATIC].uplink = IFACES;
	spec = (struct sas_spec){.tunnel = other, .n_tunnels = STATIC + 1};
	refuse(base, &spec, "tunnel 2 has no interface");

	spec = (struct sas_spec){.tunnel = tunnel, .n_tunnels = STATIC, .sa = &wrong, .n_sas = 1};
	refuse(base, &spec, "SA 0 has no tunnel");
	wrong = (struct sa_spec){.uplink = IFACES};
	refuse(base, &spec, "SA 0 has no tunnel");

	sa_pair(0);
	sa[1] = sa[0];
	spec = (struct sas_spec){.tunnel = tunnel, .n_tunnels = STATIC, .sa = sa, .n_sas = 2};
	refuse(base, &spec, "same SPI");
	memset(&sa[1], 0, sizeof(sa[1]));
	sas_free(1);
	assert_int_equal(heap_used(), before);
	view_free(base);
}

/* ---- beside the builder -------------------------------------------------------------------- */

struct job {
	struct view *previous, *made;
};

static void *
builder(void *argument)
{
	struct job *job = argument;

	rte_thread_register();
	job->made = base_view(job->previous);
	view_free(job->previous);
	rte_thread_unregister();
	return NULL;
}

/* The next configuration is built from a view while views of other SAs come and go on the same base, and the base's own
 * last holder leaves.
 */
static void
a_builder_works_from_the_same_base(void **state)
{
	size_t before = heap_used();
	struct view *base = base_view(NULL);

	for (int round = 0; round < ROUNDS; round++) {
		struct job job = {.previous = view_ref(base)};
		struct view *running = base;
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, builder, &job), 0);
		for (int i = 0; i < 5; i++) {
			struct view *next = with(running, STATIC + (uint32_t)i, 0);

			view_free(running);
			running = next;
		}
		view_free(running);
		pthread_join(thread, NULL);
		base = job.made;
	}
	view_free(base);
	assert_int_equal(heap_used(), before);
}

/* ---- what it costs ---------------------------------------------------------------------------- */

static void
microseconds_a_tunnel(void **state)
{
	static const uint32_t sizes[] = {STATIC, 1000, MANY};
	struct view *base = base_view(NULL);

	for (uint32_t t = 0; t < MANY; t++)
		sa_pair((uint16_t)t);
	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		uint64_t best = UINT64_MAX, start;

		for (int round = 0; round < 5; round++) {
			start = rte_rdtsc();
			view_free(with(base, sizes[i], 2 * sizes[i]));
			best = RTE_MIN(best, rte_rdtsc() - start);
		}
		print_message("view with %u tunnels and %u SAs: %.3f ms\n", sizes[i], 2 * sizes[i],
			(double)best * 1e3 / (double)rte_get_tsc_hz());
		assert_true(best <
			    (sizes[i] + 1000) * rte_get_tsc_hz() / 10000); /* 100 us each: a tenth of a second more */
	}
	sas_free(2 * MANY);
	view_free(base);
}

static int
start(void **state)
{
	if (test_eal_start("view_sas"))
		return -1;
	describe();
	return 0;
}

static int
stop(void **state)
{
	test_eal_stop();
	return 0;
}

/* A hop into tunnel 0 with tunnel 1 behind it, and one into tunnel 1 alone. */
static void
the_next_tunnel_stands_in(void **state)
{
	static const struct {
		bool sa[STATIC];
		uint16_t tunnel;
	} cases[] = {{{true, true}, 0}, {{false, true}, 1}, {{false, false}, 0}, {{true, false}, 0}};
	struct view *base, *v;

	(void)state;
	describe();
	hop[1] = (struct hop_spec){
		.kind = HOP_TUNNEL, .tunnel = 0, .standby = {1}, .n_standby = 1, .name = tunnel[0].name};
	base = base_view(NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t n = 0;

		for (uint16_t t = 0; t < STATIC; t++) {
			struct sa_spec *s = &sa[n];

			if (!cases[i].sa[t])
				continue;
			*s = (struct sa_spec){.tunnel = t,
				.config = {.spi = 0x20000u + t, .outbound = true},
				.sa = sa_make(0x20000u + t, true)};
			n++;
		}
		v = with(base, STATIC, n);
		assert_int_equal(v->hop[1].tunnel, cases[i].tunnel);
		assert_int_equal(v->hop[1].name, tunnel[cases[i].tunnel].name);
		assert_int_equal(base->hop[1].tunnel, 0);
		assert_true((v->hop == base->hop) == (cases[i].tunnel == 0));
		view_free(v);
		sas_free(n);
	}
	view_free(base);
	memset(&hop[1], 0, sizeof(hop[1]));
}

/* ---- side by side ------------------------------------------------------------------------ */

#define SIDES 3

/* Only those tunnels of the mask have an SA. */
static struct view *
with_up(const struct view *base, unsigned mask)
{
	uint32_t n = 0;
	struct view *v;

	for (uint16_t t = 0; t < SIDES; t++) {
		if (!(mask & 1u << t))
			continue;
		sa[n++] = (struct sa_spec){.tunnel = t,
			.config = {.spi = 0x20000u + t, .outbound = true},
			.sa = sa_make(0x20000u + t, true)};
	}
	v = with(base, SIDES, n);
	sas_free(n);
	return v;
}

/* Of all hashes each tunnel that is up has its share, one that is down has none, and flows of those that stay stay. */
static void
tunnels_side_by_side(void **state)
{
	struct view *base, *all;

	(void)state;
	describe();
	hop[1] = (struct hop_spec){.kind = HOP_TUNNEL, .tunnel = 0, .standby = {1, 2}, .n_standby = 2, .spread = true};
	base = base_of(NULL, SIDES);
	all = with_up(base, 7);
	for (unsigned mask = 0; mask < 1u << SIDES; mask++) {
		struct view *v = with_up(base, mask);
		uint32_t share[SIDES] = {0};

		for (uint32_t i = 0; i < 30000; i++) {
			uint32_t hash = i * 0x9e3779b1u;
			uint16_t t = spread_to(v, &v->hop[1], hash), was = spread_to(all, &all->hop[1], hash);

			assert_true(t < SIDES && (mask == 0 || mask & 1u << t));
			assert_true(t == was || !(mask & 1u << was));
			share[t]++;
		}
		for (int t = 0; t < SIDES; t++)
			if (mask & 1u << t)
				assert_in_range(share[t], 30000u / (unsigned)__builtin_popcount(mask) * 9 / 10, 30000);
		view_free(v);
	}
	view_free(all);
	view_free(base);
	memset(&hop[1], 0, sizeof(hop[1]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_but_tunnels_is_shared),
		cmocka_unit_test(views_live_as_long_as_somebody_holds_them),
		cmocka_unit_test(what_does_not_fit_the_base_is_refused),
		cmocka_unit_test(the_next_tunnel_stands_in),
		cmocka_unit_test(tunnels_side_by_side),
		cmocka_unit_test(a_builder_works_from_the_same_base),
		cmocka_unit_test(microseconds_a_tunnel),
	};

	return cmocka_run_group_tests_name("view_sas", tests, start, stop);
}
