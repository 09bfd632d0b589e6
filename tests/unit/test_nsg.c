/* Compiled rules against a linear reading of the same rules: a million random packets, both families.
 *
 * Then what random rules do not meet: lists so long that their product would not fit, bounds and
 * their error texts, sharing, order.
 */
#include "dataplane/nsg.h"

#include <rte_cycles.h>

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t seed = 0x1234567;

static uint32_t
roll(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((seed >> 33) % n);
}

/* ---- the reference: straight from what a rule means --------------------------------------- */

static bool
side_has(const struct acl_side_spec *s, const struct ip_addr *a, uint8_t tags, uint16_t port)
{
	bool prefix = s->n_prefixes == 0, in_range = s->n_ports == 0;

	for (uint32_t i = 0; i < s->n_prefixes; i++)
		prefix |= prefix_has(&s->prefix[i], a);
	for (uint32_t i = 0; i < s->n_ports; i++)
		in_range |= port >= s->port[i].first && port <= s->port[i].last;
	return !s->nothing && prefix && in_range && (s->tag == 0 || (s->tag & tags));
}

static bool
protocol_has(int16_t rule, const struct nsg_key *k)
{
	if (rule == -1)
		return true;
	if (rule == 1)
		return k->protocol == (k->family == IP_V6 ? 58 : 1);
	return rule == k->protocol;
}

static struct nsg_verdict
linear(const struct acl_spec *spec, const struct nsg_key *k)
{
	struct ip_addr source = {.family = k->family}, destination = {.family = k->family};

	memcpy(source.b, k->source, k->family == IP_V6 ? 16 : 4);
	memcpy(destination.b, k->destination, k->family == IP_V6 ? 16 : 4);
	for (uint32_t i = 0; i < spec->n; i++) {
		const struct acl_rule_spec *r = &spec->rule[i];

		if (protocol_has(r->protocol, k) && side_has(&r->source, &source, k->source_tags, k->source_port) &&
			side_has(&r->destination, &destination, k->destination_tags, k->destination_port))
			return (struct nsg_verdict){r->allow, r->name};
	}
	return (struct nsg_verdict){false, NAME_NONE};
}

/* ---- random rules that overlap a lot -------------------------------------------------------- */

#define POOL 48
#define LIST_MAX 8

struct ruleset {
	struct acl_spec spec;
	struct ip_prefix pool[POOL];
	struct acl_port_range ports[POOL];
	struct ip_prefix *prefixes; /* LIST_MAX for each side of each rule */
	struct acl_port_range *ranges;
};

static struct ip_prefix
random_prefix(void)
{
	struct ip_prefix p = {0};
	bool v6 = roll(2);
	uint32_t bits = v6 ? 128 : 32;
	uint8_t b[16] = {10};

	if (v6)
		memcpy(b, "\x20\x01\x0d\xb8", 4);
	for (uint32_t i = v6 ? 4 : 1; i < bits / 8; i++)
		b[i] = (uint8_t)(roll(3) * 0x40 + roll(2));
	p.addr.family = v6 ? IP_V6 : IP_V4;
	p.len = (uint8_t)(roll(12) == 0 ? roll(bits + 1) : v6 ? 32 + roll(97) : 8 + roll(25));
	for (uint32_t i = 0; i < p.len; i++)
		p.addr.b[i / 8] |= b[i / 8] & (0x80 >> i % 8);
	return p;
}

static struct acl_port_range
random_range(void)
{
	static const uint16_t edge[] = {
		0, 1, 22, 80, 255, 256, 443, 1023, 1024, 8080, 32767, 32768, 65279, 65280, 65534, 65535};
	uint16_t a = roll(2) ? edge[roll(16)] : (uint16_t)roll(65536), b = roll(3) ? a : (uint16_t)roll(65536);

	return a < b ? (struct acl_port_range){a, b} : (struct acl_port_range){b, a};
}

static void
random_side(struct ruleset *s, struct acl_side_spec *side, struct ip_prefix *p, struct acl_port_range *r)
{
	*side = (struct acl_side_spec){.prefix = p, .port = r};
	side->nothing = roll(25) == 0;
	if (roll(3) == 0)
		side->tag = (uint8_t)(roll(4) ? 1u << roll(3) : 1 + roll(7));
	if (roll(3) != 0)
		side->n_prefixes = 1 + roll(roll(4) ? 2 : LIST_MAX);
	if (roll(3) == 0)
		side->n_ports = 1 + roll(roll(4) ? 2 : LIST_MAX);
	for (uint32_t i = 0; i < side->n_prefixes; i++)
		p[i] = s->pool[roll(POOL)];
	for (uint32_t i = 0; i < side->n_ports; i++)
		r[i] = s->ports[roll(POOL)];
}

static void
ruleset_make(struct ruleset *s, uint32_t n)
{
	static const int16_t protocol[] = {-1, -1, -1, 1, 6, 6, 17, 17, 50, 58};

	for (uint32_t i = 0; i < POOL; i++) {
		s->pool[i] = random_prefix();
		s->ports[i] = random_range();
	}
	s->spec.n = n;
	s->spec.rule = calloc(n + 1, sizeof(*s->spec.rule));
	s->prefixes = calloc((n + 1) * 2 * LIST_MAX, sizeof(*s->prefixes));
	s->ranges = calloc((n + 1) * 2 * LIST_MAX, sizeof(*s->ranges));
	for (uint32_t i = 0; i < n; i++) {
		struct acl_rule_spec *r = &s->spec.rule[i];

		r->protocol = protocol[roll(10)];
		r->allow = roll(2);
		r->name = 1000 + i;
		random_side(s, &r->source, s->prefixes + (2 * i) * LIST_MAX, s->ranges + (2 * i) * LIST_MAX);
		random_side(
			s, &r->destination, s->prefixes + (2 * i + 1) * LIST_MAX, s->ranges + (2 * i + 1) * LIST_MAX);
	}
}

static void
ruleset_free(struct ruleset *s)
{
	free(s->spec.rule);
	free(s->prefixes);
	free(s->ranges);
}

/* An address in a prefix of the pool, at its edges, or just beside it. */
static void
random_address(const struct ruleset *s, uint8_t family, uint8_t out[16])
{
	const struct ip_prefix *p;
	uint32_t bits = family == IP_V6 ? 128 : 32, step = roll(3);

	memset(out, 0, 16);
	do {
		p = &s->pool[roll(POOL)];
		if (roll(POOL) == 0) {
			for (uint32_t i = 0; i < bits / 8; i++)
				out[i] = (uint8_t)roll(256);
			return;
		}
	} while (p->addr.family != family);
	memcpy(out, p->addr.b, bits / 8);
	for (uint32_t i = p->len; i < bits; i++) {
		if (step == 1 || (step == 2 && roll(2)))
			out[i / 8] |= 0x80 >> i % 8;
	}
	if (roll(4) == 0) { /* the address before or after */
		for (int i = (int)bits / 8 - 1; i >= 0; i--) {
			if (step == 1 ? ++out[i] != 0 : out[i]-- != 0)
				break;
		}
	}
}

static struct nsg_key
random_key(const struct ruleset *s)
{
	static const uint8_t protocol[] = {1, 6, 6, 17, 17, 50, 58, 58, 51, 255};
	struct nsg_key k = {.family = roll(2) ? IP_V6 : IP_V4, .protocol = protocol[roll(10)]};
	struct acl_port_range r = s->ports[roll(POOL)], q = s->ports[roll(POOL)];

	k.source_tags = (uint8_t)roll(8);
	k.destination_tags = (uint8_t)roll(16);
	k.source_port = (uint16_t)((roll(2) ? r.first : r.last) + roll(3) - 1);
	k.destination_port = (uint16_t)((roll(2) ? q.first : q.last) + roll(3) - 1);
	random_address(s, k.family, k.source);
	random_address(s, k.family, k.destination);
	return k;
}

static void
compare(const struct ruleset *s, uint32_t packets, uint64_t hit[3])
{
	char error[256] = "";
	struct acl *a = acl_build(&s->spec, error, sizeof(error));
	const struct nsg_key *key[97];
	struct nsg_key value[97];
	struct nsg_verdict got[97];

	if (a == NULL)
		fail_msg("%s", error);
	for (uint32_t i = 0; i < 97; i++)
		key[i] = &value[i];
	for (uint32_t done = 0; done < packets;) {
		uint32_t n = 1 + roll(97);

		for (uint32_t i = 0; i < n; i++)
			value[i] = random_key(s);
		acl_verdicts(a, key, n, got);
		for (uint32_t i = 0; i < n; i++) {
			struct nsg_verdict want = linear(&s->spec, key[i]);

			assert_int_equal(got[i].allow, want.allow);
			assert_int_equal(got[i].name, want.name);
			hit[want.name == NAME_NONE ? 2 : want.allow]++;
		}
		done += n;
	}
	acl_free(a);
}

static void
compiled_rules_equal_a_linear_reading(void **state)
{
	uint64_t hit[3] = {0};

	for (uint32_t round = 0; round < 250; round++) {
		struct ruleset s;

		ruleset_make(&s, round < 230 ? roll(40) : 100 + roll(150));
		compare(&s, 4000, hit);
		ruleset_free(&s);
	}
	/* the comparison means something: every outcome occurs often */
	assert_true(hit[0] + hit[1] + hit[2] >= 1000000);
	for (int i = 0; i < 3; i++)
		assert_true(hit[i] > 100000);
}

/* ---- single rules ---------------------------------------------------------------------------- */

static struct acl *
build(const struct acl_spec *spec)
{
	char error[256] = "";
	struct acl *a = acl_build(spec, error, sizeof(error));

	if (a == NULL)
		fail_msg("%s", error);
	return a;
}

static struct nsg_verdict
ask(const struct acl *a, const struct nsg_key *k)
{
	struct nsg_verdict v;

	acl_verdicts(a, &k, 1, &v);
	return v;
}

static void
no_rules_deny_everything(void **state)
{
	struct nsg_key k = {.family = IP_V4, .protocol = 6};
	struct acl_rule_spec nobody = {.protocol = -1, .allow = true, .name = 7, .source.nothing = true};
	struct acl *a = build(&(struct acl_spec){NULL, 0});

	assert_false(ask(a, &k).allow);
	assert_int_equal(ask(a, &k).name, NAME_NONE);
	acl_free(a);

	a = build(&(struct acl_spec){&nobody, 1});
	assert_false(ask(a, &k).allow);
	acl_free(a);
}

static void
icmp_is_another_protocol_in_each_family(void **state)
{
	struct acl_rule_spec icmp = {.protocol = 1, .allow = true, .name = 9};
	struct acl *a = build(&(struct acl_spec){&icmp, 1});

	assert_true(ask(a, &(struct nsg_key){.family = IP_V4, .protocol = 1}).allow);
	assert_false(ask(a, &(struct nsg_key){.family = IP_V4, .protocol = 58}).allow);
	assert_true(ask(a, &(struct nsg_key){.family = IP_V6, .protocol = 58}).allow);
	assert_false(ask(a, &(struct nsg_key){.family = IP_V6, .protocol = 1}).allow);
	acl_free(a);
}

/* ---- size ------------------------------------------------------------------------------------- */

#define MANY 4000
#define SLACK 0x10000 /* the allocator counts what it caches as used */

static size_t
heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void
fill_hosts(struct ip_prefix *p, uint32_t n, uint32_t base)
{
	for (uint32_t i = 0; i < n; i++)
		p[i] = (struct ip_prefix){address_from_v4(base + 3 * i), 32};
}

/* 4,000 x 4,000 prefixes times 300 x 300 ports of one rule are not 1.4 billion of anything. */
static void
long_lists_do_not_multiply(void **state)
{
	static struct acl_port_range port[300];
	struct ip_prefix *p = calloc(2 * MANY, sizeof(*p));
	struct acl_rule_spec r = {.protocol = 6, .allow = true, .name = 3};
	struct nsg_key k = {.family = IP_V4,
		.protocol = 6,
		.source = {10, 0, 0, 3},
		.destination = {172, 16, 0, 6},
		.source_port = 598,
		.destination_port = 300};
	size_t before = heap_bytes();
	struct acl *a;

	for (uint32_t i = 0; i < 300; i++)
		port[i] = (struct acl_port_range){(uint16_t)(2 * i), (uint16_t)(2 * i)};
	fill_hosts(p, MANY, 0x0a000000);
	fill_hosts(p + MANY, MANY, 0xac100000);
	r.source = (struct acl_side_spec){.prefix = p, .n_prefixes = MANY, .port = port, .n_ports = 300};
	r.destination = (struct acl_side_spec){.prefix = p + MANY, .n_prefixes = MANY, .port = port, .n_ports = 300};
	a = build(&(struct acl_spec){&r, 1});
	assert_true(heap_bytes() - before < 1u << 20);

	assert_true(ask(a, &k).allow);
	k.source[3] = 4;
	assert_false(ask(a, &k).allow);
	k.source[3] = 6;
	k.destination[3] = 7;
	assert_false(ask(a, &k).allow);
	k.destination[3] = 6;
	k.source_port++;
	assert_false(ask(a, &k).allow);
	acl_free(a);
	assert_true(heap_bytes() < before + SLACK);
	free(p);
}

/* The largest NSG the configuration allows: 1,000 rules that share 4,000 prefixes and ports of each side. */
static void
thousand_rules_with_four_thousand_prefixes_fit(void **state)
{
	struct ip_prefix *p = calloc(MANY, sizeof(*p));
	struct acl_rule_spec *r = calloc(1000, sizeof(*r));
	struct acl_port_range port[1000];
	struct nsg_key k = {.family = IP_V4, .protocol = 6, .destination = {192, 168, 0, 1}};
	size_t before = heap_bytes();
	struct acl *a;

	fill_hosts(p, MANY, 0x0a000000);
	for (uint32_t i = 0; i < 1000; i++) {
		port[i] = (struct acl_port_range){(uint16_t)(1000 + 5 * i), (uint16_t)(1002 + 5 * i)};
		r[i] = (struct acl_rule_spec){.protocol = 6, .allow = i & 1, .name = 1 + i};
		r[i].source = (struct acl_side_spec){.prefix = p + 4 * i, .n_prefixes = 4};
		r[i].destination = (struct acl_side_spec){.port = &port[i], .n_ports = 1};
	}
	a = build(&(struct acl_spec){r, 1000});
	assert_true(heap_bytes() - before < 2u << 20);
	for (uint32_t i = 0; i < 1000; i++) {
		struct nsg_verdict v;

		memcpy(k.source, p[4 * i + i % 4].addr.b, 4);
		k.destination_port = (uint16_t)(1001 + 5 * i);
		v = ask(a, &k);
		assert_int_equal(v.allow, i & 1);
		assert_int_equal(v.name, 1 + i);
		k.destination_port += 2;
		assert_int_equal(ask(a, &k).name, NAME_NONE);
	}
	acl_free(a);
	assert_true(heap_bytes() < before + SLACK);
	free(p);
	free(r);
}

/* Each word of the rows has rules for either source and for either port, none for both but the very last. */
static void
last_of_the_longest_list_is_found(void **state)
{
	struct ip_prefix source[2] = {{address_from_v4(0x0a000001), 32}, {address_from_v4(0x0a000002), 32}};
	struct acl_port_range port[2] = {{80, 80}, {443, 443}};
	struct acl_rule_spec *r = calloc(ACL_RULES_MAX, sizeof(*r));
	struct nsg_key k = {.family = IP_V4, .protocol = 6, .source = {10, 0, 0, 1}, .destination_port = 443};
	struct acl *a;

	for (uint32_t i = 0; i < ACL_RULES_MAX; i++) {
		r[i] = (struct acl_rule_spec){.protocol = -1, .allow = true, .name = 1 + i};
		r[i].source = (struct acl_side_spec){.prefix = &source[i & 1], .n_prefixes = 1};
		r[i].destination = (struct acl_side_spec){.port = &port[i & 1], .n_ports = 1};
	}
	a = build(&(struct acl_spec){r, ACL_RULES_MAX});
	assert_int_equal(ask(a, &k).name, NAME_NONE);
	acl_free(a);

	r[ACL_RULES_MAX - 1].source.prefix = &source[0];
	a = build(&(struct acl_spec){r, ACL_RULES_MAX});
	assert_int_equal(ask(a, &k).name, ACL_RULES_MAX);
	acl_free(a);
	free(r);
}

/* What would not fit is refused. Host h is in list l when bit l of h is set: 2^17 ways to overlap. */
static void
more_overlaps_than_fit_are_refused(void **state)
{
	struct ip_prefix *p = calloc(17 << 16, sizeof(*p));
	struct acl_rule_spec r[17] = {{.protocol = -1}};
	char error[256] = "";
	size_t before;

	for (uint32_t l = 0; l < 17; l++) {
		uint32_t n = 0;

		for (uint32_t h = 0; h < 1u << 17; h++) {
			if (h >> l & 1)
				p[(l << 16) + n++] = (struct ip_prefix){address_from_v4(0x0a000000 + h), 32};
		}
		r[l] = (struct acl_rule_spec){
			.protocol = -1, .destination = {.prefix = p + (l << 16), .n_prefixes = n}};
	}
	before = heap_bytes();
	assert_null(acl_build(&(struct acl_spec){r, 17}, error, sizeof(error)));
	assert_non_null(strstr(error, "destination prefixes"));
	assert_true(heap_bytes() < before + SLACK);
	acl_free(build(&(struct acl_spec){r, 16}));
	free(p);
}

static void
malformed_rules_are_refused(void **state)
{
	struct acl_port_range backwards = {5, 4};
	struct ip_prefix bad = {{IP_V4, {10}}, 33};
	struct acl_rule_spec r = {.protocol = -1, .source = {.port = &backwards, .n_ports = 1}};
	char error[256] = "";

	assert_null(acl_build(&(struct acl_spec){&r, 1}, error, sizeof(error)));
	assert_non_null(strstr(error, "rule 0"));
	r.source = (struct acl_side_spec){.prefix = &bad, .n_prefixes = 1};
	assert_null(acl_build(&(struct acl_spec){&r, 1}, error, sizeof(error)));
	assert_non_null(strstr(error, "source prefix"));
	assert_null(acl_build(&(struct acl_spec){&r, ACL_RULES_MAX + 1}, error, sizeof(error)));
	assert_non_null(strstr(error, "4097 rules"));
}

/* ---- sharing ------------------------------------------------------------------------------------ */

static void
only_equal_rules_are_shared(void **state)
{
	struct ip_prefix p[2] = {{{IP_V4, {10}}, 8}, {{IP_V4, {11}}, 8}}, copy[2];
	struct acl_port_range port = {80, 80};
	struct acl_rule_spec r[2] = {{.protocol = 6, .allow = true, .name = 1}, {.protocol = -1, .name = 2}}, other[2];
	struct acl *a;

	r[0].source = (struct acl_side_spec){.prefix = p, .n_prefixes = 2, .port = &port, .n_ports = 1};
	a = build(&(struct acl_spec){r, 2});
	memcpy(copy, p, sizeof(copy));
	memcpy(other, r, sizeof(other));
	other[0].source.prefix = copy;
	assert_true(acl_same(a, &(struct acl_spec){other, 2}));

	assert_false(acl_same(a, &(struct acl_spec){other, 1}));
	copy[1].len = 9;
	assert_false(acl_same(a, &(struct acl_spec){other, 2}));
	copy[1].len = 8;
	other[0].source.n_prefixes = 1;
	assert_false(acl_same(a, &(struct acl_spec){other, 2}));
	other[0].source.n_prefixes = 2;
	other[1].name = 3;
	assert_false(acl_same(a, &(struct acl_spec){other, 2}));
	other[1].name = 2;
	other[1].allow = true;
	assert_false(acl_same(a, &(struct acl_spec){other, 2}));
	other[1].allow = false;
	other[1].destination.tag = 1;
	assert_false(acl_same(a, &(struct acl_spec){other, 2}));
	other[1].destination.tag = 0;
	assert_true(acl_same(a, &(struct acl_spec){other, 2}));

	assert_ptr_equal(acl_ref(a), a);
	acl_free(a);
	assert_true(ask(a, &(struct nsg_key){.family = IP_V4, .protocol = 6, .source = {11}, .source_port = 80}).allow);
	acl_free(a);
}

/* ---- figures, on demand ---------------------------------------------------------------------------- */

static uint64_t
tsc_hz(void)
{
	uint64_t start = rte_rdtsc();

	usleep(20000);
	return (rte_rdtsc() - start) * 50;
}

static void
figures(void)
{
	static const uint32_t sizes[] = {10, 100, 1000};

	for (int i = 0; i < 3; i++) {
		struct ruleset s;
		const struct nsg_key *key[4096];
		struct nsg_key value[4096];
		struct nsg_verdict v[4096];
		uint64_t start = rte_rdtsc(), best = UINT64_MAX, single = UINT64_MAX;
		struct acl *a;
		size_t before = heap_bytes();
		char error[256];

		ruleset_make(&s, sizes[i]);
		start = rte_rdtsc();
		a = acl_build(&s.spec, error, sizeof(error));
		if (a == NULL) {
			printf("%u rules: %s\n", sizes[i], error);
			continue;
		}
		printf("%u rules: built in %.1f ms, %zu KiB\n", sizes[i],
			1e3 * (double)(rte_rdtsc() - start) / (double)tsc_hz(), (heap_bytes() - before) >> 10);
		for (int k = 0; k < 4096; k++)
			value[k] = random_key(&s);
		for (int k = 0; k < 4096; k++)
			key[k] = &value[k];
		for (int round = 0; round < 50; round++) {
			start = rte_rdtsc();
			for (int k = 0; k < 4096; k += 32)
				acl_verdicts(a, key + k, 32, v + k);
			best = RTE_MIN(best, rte_rdtsc() - start);
			start = rte_rdtsc();
			for (int k = 0; k < 4096; k++)
				acl_verdicts(a, key + k, 1, v + k);
			single = RTE_MIN(single, rte_rdtsc() - start);
		}
		printf("  %.0f cycles a packet in bursts of 32, %.0f one by one\n", (double)best / 4096,
			(double)single / 4096);
		acl_free(a);
		ruleset_free(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compiled_rules_equal_a_linear_reading),
		cmocka_unit_test(no_rules_deny_everything),
		cmocka_unit_test(icmp_is_another_protocol_in_each_family),
		cmocka_unit_test(long_lists_do_not_multiply),
		cmocka_unit_test(thousand_rules_with_four_thousand_prefixes_fit),
		cmocka_unit_test(last_of_the_longest_list_is_found),
		cmocka_unit_test(more_overlaps_than_fit_are_refused),
		cmocka_unit_test(malformed_rules_are_refused),
		cmocka_unit_test(only_equal_rules_are_shared),
	};

	if (getenv("FIGURES") != NULL)
		figures();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
