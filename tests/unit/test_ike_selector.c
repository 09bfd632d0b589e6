/* Traffic selectors of IKE in prefixes: what they cover is what was negotiated, address for address, and never more. */
#include "control/ike_store_state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct selector_spec *out;
static uint32_t n_out;

static int
end(void **unused)
{
	(void)unused;
	free(out);
	out = NULL;
	n_out = 0;
	return 0;
}

static int
make(const struct ike_selector *local, uint32_t n_local, const struct ike_selector *remote, uint32_t n_remote)
{
	end(NULL);
	return ike_selectors(local, n_local, remote, n_remote, &out, &n_out);
}

static struct ip_addr
ip(const char *text)
{
	struct ip_addr a;

	assert_int_equal(address_parse(text, &a), 0);
	return a;
}

/* All protocols and ports. */
static struct ike_selector
range(const char *first, const char *last)
{
	struct ip_addr f = ip(first), l = ip(last);
	struct ike_selector s = {.family = f.family, .port_last = UINT16_MAX};

	memcpy(s.first, f.b, sizeof(s.first));
	memcpy(s.last, l.b, sizeof(s.last));
	return s;
}

static struct ike_selector
with(struct ike_selector s, uint8_t protocol, uint16_t first, uint16_t last)
{
	s.protocol = protocol;
	s.port_first = first;
	s.port_last = last;
	return s;
}

/* ---- ranges ------------------------------------------------------------------------- */

static struct ike_selector
host(uint8_t family)
{
	return family == 4 ? range("192.0.2.1", "192.0.2.1") : range("2001:db8::1", "2001:db8::1");
}

/* "a/b c/d": the prefixes of one range. */
static const char *
prefixes_of(const char *first, const char *last)
{
	static char text[16384];
	struct ike_selector r = range(first, last), h = host(r.family);
	size_t used = 0;
	int result = make(&h, 1, &r, 1);

	if (result != 0)
		snprintf(text, sizeof(text), "%d", result);
	for (uint32_t i = 0; i < n_out; i++) {
		char one[ADDRESS_TEXT_MAX];

		assert_int_equal(out[i].local.len, address_bits(&out[i].local.addr));
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
			prefix_text(&out[i].remote, one, sizeof(one)));
	}
	return text;
}

static void
ranges_as_text(void **unused)
{
	static const struct {
		const char *first, *last, *prefixes;
	} cases[] = {
		{"10.1.0.0", "10.1.255.255", "10.1.0.0/16"},
		{"10.1.0.0", "10.1.0.0", "10.1.0.0/32"},
		{"10.1.0.255", "10.1.2.0", "10.1.0.255/32 10.1.1.0/24 10.1.2.0/32"},
		{"0.0.0.0", "255.255.255.255", "0.0.0.0/0"},
		{"0.0.0.0", "127.255.255.255", "0.0.0.0/1"},
		{"0.0.0.0", "128.0.0.0", "0.0.0.0/1 128.0.0.0/32"},
		{"255.255.255.254", "255.255.255.255", "255.255.255.254/31"},
		{"127.255.255.255", "255.255.255.255", "127.255.255.255/32 128.0.0.0/1"},
		{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"},
		{"::", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/1"},
		{"::", "8000::", "::/1 8000::/128"},
		{"::", "bfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/1 8000::/2"},
		{"8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::/1"},
		{"2001:db8::", "2001:db8:0:2::", "2001:db8::/63 2001:db8:0:2::/128"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(prefixes_of(cases[i].first, cases[i].last), cases[i].prefixes);
}

/* Of one prefix that would do for both. */
static bool
halves(const struct ip_prefix *a, const struct ip_prefix *b)
{
	struct ip_prefix whole = *a;

	if (a->len != b->len || a->len == 0)
		return false;
	whole.len--;
	return (a->addr.b[whole.len / 8] & (0x80 >> whole.len % 8)) == 0 && prefix_covers(&whole, b);
}

/* The range [first, last] of 256 addresses that differ in one byte, against each of them. As few prefixes as can
 * be. */
static void
covers(uint8_t family, uint32_t byte, const uint8_t around[16], uint32_t first, uint32_t last)
{
	struct ike_selector r = {.family = family, .port_last = UINT16_MAX}, h = host(family);
	uint32_t bytes = family == 4 ? 4 : 16;

	memcpy(r.first, around, bytes);
	memcpy(r.last, around, bytes);
	r.first[byte] = (uint8_t)first;
	r.last[byte] = (uint8_t)last;
	memset(r.first + byte + 1, 0, bytes - byte - 1);
	memset(r.last + byte + 1, 0xff, bytes - byte - 1);
	assert_int_equal(make(&h, 1, &r, 1), 0);
	assert_true(n_out <= 14);
	for (uint32_t v = 0; v < 512; v++) {
		struct ip_addr a = {.family = family};
		uint32_t hits = 0, value = v / 2;

		memcpy(a.b, around, bytes);
		a.b[byte] = (uint8_t)value;
		memset(a.b + byte + 1, v & 1 ? 0xff : 0, bytes - byte - 1);
		for (uint32_t i = 0; i < n_out; i++)
			hits += prefix_has(&out[i].remote, &a);
		assert_int_equal(hits, value >= first && value <= last);
		if (byte > 0) { /* a neighbour far away is in none */
			a.b[byte - 1] ^= 1;
			for (uint32_t i = 0; i < n_out; i++)
				assert_false(prefix_has(&out[i].remote, &a));
		}
	}
	for (uint32_t i = 0; i + 1 < n_out; i++)
		assert_false(halves(&out[i].remote, &out[i + 1].remote));
}

static void
ranges_address_by_address(void **unused)
{
	static const uint8_t middle[16] = {10, 20, 30, 40, 50}, zero[16] = {0},
			     ones[16] = {
				     255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
	const uint8_t *const around[] = {middle, zero, ones};

	(void)unused;
	for (uint32_t k = 0; k < COUNT(around); k++) {
		for (uint32_t first = 0; first < 256; first += first < 8 || first > 247 ? 1 : 13) {
			for (uint32_t last = first; last < 256; last += last < first + 4 || last > 250 ? 1 : 11) {
				covers(4, 0, around[k], first, last);
				covers(4, 3, around[k], first, last);
				covers(6, 0, around[k], first, last);
				covers(6, 8, around[k], first, last);
				covers(6, 15, around[k], first, last);
			}
		}
	}
}

/* ---- pairs -------------------------------------------------------------------------- */

struct probe {
	struct ip_addr local, remote;
	uint8_t protocol;
	uint16_t local_port, remote_port;
};

static bool
ports_have(const struct acl_port_range *r, uint16_t port)
{
	return r->last == 0 || (port >= r->first && port <= r->last);
}

static bool
allowed(const struct probe *p)
{
	for (uint32_t i = 0; i < n_out; i++)
		if (prefix_has(&out[i].local, &p->local) && prefix_has(&out[i].remote, &p->remote) &&
			(out[i].protocol == 0 || out[i].protocol == p->protocol) &&
			ports_have(&out[i].local_ports, p->local_port) &&
			ports_have(&out[i].remote_ports, p->remote_port))
			return true;
	return false;
}

static bool
side_has(const struct ike_selector *s, const struct ip_addr *a, uint8_t protocol, uint16_t port)
{
	return s->family == a->family && memcmp(a->b, s->first, 16) >= 0 && memcmp(a->b, s->last, 16) <= 0 &&
	       (s->protocol == 0 || s->protocol == protocol) && port >= s->port_first && port <= s->port_last;
}

static uint32_t random_state = 11;

static uint32_t
chance(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 10) % n;
}

static const uint8_t protocols[] = {0, 6, 17};
static const uint16_t ports[] = {0, 1, 79, 80, 81, 65534, 65535};

/* Few values, so that what fits and what just does not are both frequent. */
static struct ike_selector
any_selector(void)
{
	struct ike_selector s = chance(2) ? range("10.0.0.0", "10.0.0.0") : range("fd00::", "fd00::");
	uint32_t last = s.family == 4 ? 3 : 15;
	uint16_t a = ports[chance(COUNT(ports))], b = ports[chance(COUNT(ports))];

	s.first[last] = (uint8_t)chance(8);
	s.last[last] = (uint8_t)(s.first[last] + chance(8));
	if (chance(2))
		s = with(s, protocols[chance(COUNT(protocols))], a < b ? a : b, a < b ? b : a);
	return s;
}

static struct probe
any_probe(void)
{
	struct probe p = {.protocol = protocols[1 + chance(2)],
		.local_port = ports[chance(COUNT(ports))],
		.remote_port = ports[chance(COUNT(ports))]};

	p.local = chance(2) ? ip("10.0.0.0") : ip("fd00::");
	p.remote = chance(2) ? ip("10.0.0.0") : ip("fd00::");
	p.local.b[p.local.family == 4 ? 3 : 15] = (uint8_t)chance(18);
	p.remote.b[p.remote.family == 4 ? 3 : 15] = (uint8_t)chance(18);
	return p;
}

static void
pairs_against_packets(void **unused)
{
	uint32_t yes = 0, no = 0, refused = 0;

	(void)unused;
	for (int round = 0; round < 3000; round++) {
		struct ike_selector l[3], r[3];
		uint32_t nl = 1 + chance(3), nr = 1 + chance(3);
		int result;

		for (uint32_t i = 0; i < 3; i++) {
			l[i] = any_selector();
			r[i] = any_selector();
		}
		result = make(l, nl, r, nr);
		assert_true(result == 0 || result == -EINVAL);
		assert_true((result == 0) == (n_out > 0) && (out != NULL) == (n_out > 0));
		refused += result != 0;
		for (int k = 0; k < 100; k++) {
			struct probe p = any_probe();
			bool wanted = false;

			for (uint32_t i = 0; i < nl * nr; i++)
				wanted |= p.local.family == p.remote.family && l[i / nr].port_last &&
					  r[i % nr].port_last &&
					  side_has(&l[i / nr], &p.local, p.protocol, p.local_port) &&
					  side_has(&r[i % nr], &p.remote, p.protocol, p.remote_port);
			assert_int_equal(allowed(&p), wanted);
			yes += wanted;
			no += !wanted;
		}
	}
	assert_true(yes > 1000 && no > 1000 && refused > 100);
}

static void
opposite_families_and_protocols_have_no_pair(void **unused)
{
	struct ike_selector v4 = range("10.0.0.0", "10.0.0.255"), v6 = range("fd00::", "fd00::ff");
	struct ike_selector tcp = with(v4, 6, 0, UINT16_MAX), udp = with(v4, 17, 0, UINT16_MAX);
	struct ike_selector both[] = {v4, v6};

	(void)unused;
	assert_int_equal(make(&v4, 1, &v6, 1), -EINVAL);
	assert_int_equal(make(&tcp, 1, &udp, 1), -EINVAL);
	assert_int_equal(make(&v4, 0, &v4, 1), -EINVAL);
	assert_int_equal(make(&v4, 1, &v4, 0), -EINVAL);
	assert_int_equal(make(both, 2, both, 2), 0);
	assert_int_equal(n_out, 2);
	assert_int_equal(make(&tcp, 1, &v4, 1), 0);
	assert_int_equal(out[0].protocol, 6);
	assert_int_equal(make(&v4, 1, &udp, 1), 0);
	assert_int_equal(out[0].protocol, 17);
}

/* OPAQUE (65535 to 0) is what has no ports that we could see; port 0 alone cannot be told from any. */
static void
what_cannot_be_said_is_left_out(void **unused)
{
	struct ike_selector net = range("10.0.0.0", "10.0.0.255"), opaque = with(net, 17, UINT16_MAX, 0),
			    none = with(net, 1, 0, 0), dns = with(net, 17, 53, 53);
	struct ike_selector list[] = {opaque, dns, none};

	(void)unused;
	assert_int_equal(make(&net, 1, &opaque, 1), -EINVAL);
	assert_int_equal(make(&none, 1, &net, 1), -EINVAL);
	assert_int_equal(make(&net, 1, list, COUNT(list)), 0);
	assert_int_equal(n_out, 1);
	assert_int_equal(out[0].remote_ports.first, 53);
	assert_int_equal(out[0].remote_ports.last, 53);
	assert_int_equal(out[0].local_ports.last, 0);
}

static void
everything_is_no_selector(void **unused)
{
	struct ike_selector v4 = range("0.0.0.0", "255.255.255.255"),
			    v6 = range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	struct ike_selector both[] = {v4, v6}, tcp[] = {v4, with(v6, 6, 0, UINT16_MAX)},
			    some[] = {v4, with(v6, 0, 1, UINT16_MAX)};

	(void)unused;
	assert_int_equal(make(both, 2, both, 2), 0);
	assert_int_equal(n_out, 0);
	assert_null(out);
	assert_int_equal(make(&v4, 1, both, 2), 0);
	assert_int_equal(n_out, 1);
	assert_int_equal(make(both, 2, tcp, 2), 0);
	assert_int_equal(n_out, 2);
	assert_int_equal(make(some, 2, both, 2), 0);
	assert_int_equal(n_out, 2);
}

/* Lists are compared byte by byte later. */
static void
equal_lists_are_equal_bytes(void **unused)
{
	struct ike_selector l = range("10.0.0.1", "10.0.0.200"), r = with(range("10.9.0.3", "10.9.0.77"), 6, 80, 90);
	struct selector_spec *first;
	uint32_t n;

	(void)unused;
	assert_int_equal(make(&l, 1, &r, 1), 0);
	first = out;
	n = n_out;
	out = NULL;
	free(memset(malloc(256 * sizeof(*first)), 0xa5, 256 * sizeof(*first)));
	assert_int_equal(make(&l, 1, &r, 1), 0);
	assert_int_equal(n_out, n);
	assert_memory_equal(out, first, n * sizeof(*first));
	free(first);
}

static void
too_many_are_refused(void **unused)
{
	struct ike_selector l[17], r[16], wide = range("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");

	(void)unused;
	for (uint32_t i = 0; i < 17; i++) {
		l[i] = range("10.0.0.0", "10.0.0.0");
		l[i].first[2] = l[i].last[2] = (uint8_t)i;
		if (i < 16)
			r[i] = l[i];
	}
	assert_int_equal(make(l, 16, r, 16), 0);
	assert_int_equal(n_out, 256);
	assert_int_equal(make(l, 17, r, 16), -E2BIG);
	assert_int_equal(n_out, 0);
	assert_null(out);
	assert_int_equal(make(&wide, 1, &wide, 1), -E2BIG);
	l[0] = range("fd00::", "fd00::");
	assert_int_equal(make(l, 1, &wide, 1), 0);
	assert_int_equal(n_out, 254);
}

/* ---- one packet --------------------------------------------------------------------- */

static void
one_selector_and_packets(void **unused)
{
	uint32_t yes = 0, no = 0;

	(void)unused;
	for (int i = 0; i < 20000; i++) {
		struct ike_selector s = any_selector();
		struct probe p = any_probe();
		bool wanted = side_has(&s, &p.local, p.protocol, p.local_port);

		assert_int_equal(ike_selector_has(&s, &p.local, p.protocol, p.local_port), wanted);
		yes += wanted;
		no += !wanted;
	}
	assert_true(yes > 500 && no > 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(ranges_as_text, end),
		cmocka_unit_test_teardown(ranges_address_by_address, end),
		cmocka_unit_test_teardown(pairs_against_packets, end),
		cmocka_unit_test_teardown(opposite_families_and_protocols_have_no_pair, end),
		cmocka_unit_test_teardown(what_cannot_be_said_is_left_out, end),
		cmocka_unit_test_teardown(everything_is_no_selector, end),
		cmocka_unit_test_teardown(equal_lists_are_equal_bytes, end),
		cmocka_unit_test_teardown(too_many_are_refused, end),
		cmocka_unit_test_teardown(one_selector_and_packets, end),
	};

	return cmocka_run_group_tests_name("ike_selector", tests, NULL, NULL);
}
