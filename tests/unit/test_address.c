/* Addresses and prefixes: strict text, both ways, and the arithmetic against plain bit loops. */
#include "config/address.h"
#include "config/overlap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void
addresses_read_and_print(void **state)
{
	static const char *const good[] = {"0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1",
		"fe80::1", "2001:db8:1:2:3:4:5:6", "::ffff:10.0.0.1"};
	static const char *const bad[] = {"", "10", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1 ", " 10.0.0.1",
		"0x0a.0.0.1", "10.0.0.1/8", ":::", "1:2:3", "2001:db8::g", "fe80::1%eth0", "12345::", "hello",
		"10.0.0.0.1"};
	char text[ADDRESS_TEXT_MAX];
	struct ip_addr a;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		a = address(good[i]);
		assert_string_equal(address_text(&a, text, sizeof(text)), good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(address_parse(bad[i], &a), -EINVAL);
		assert_int_equal(a.family, IP_NONE);
	}
	a = address("10.1.2.3");
	assert_int_equal(address_v4(&a), 0x0a010203);
	a = address_from_v4(0x0a010203);
	assert_string_equal(address_text(&a, text, sizeof(text)), "10.1.2.3");
	/* what is short of room is cut, not written beyond */
	assert_string_equal(address_text(&a, text, 5), "10.1");
}

static void
prefixes_read_and_print(void **state)
{
	static const char *const good[] = {
		"0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0", "2001:db8::/32", "2001:db8::1/128"};
	static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/ 8",
		"::/129", "10.0.0.0/8/8", "/8", "10.0.0.0/1e1", "10.0.0.0/0008", "0.0.0.0/00", ""};
	char text[ADDRESS_TEXT_MAX];
	struct ip_prefix p;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		p = prefix(good[i]);
		assert_string_equal(prefix_text(&p, text, sizeof(text)), good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(prefix_parse(bad[i], &p), -EINVAL);
	p = prefix("10.1.2.3");
	assert_int_equal(p.len, 32);
	p = prefix("::1");
	assert_int_equal(p.len, 128);

	/* host bits: told, and the right prefix beside it */
	assert_int_equal(prefix_parse("10.0.0.1/8", &p), -ERANGE);
	assert_string_equal(prefix_text(&p, text, sizeof(text)), "10.0.0.0/8");
	assert_int_equal(prefix_parse("10.0.0.3/31", &p), -ERANGE);
	assert_string_equal(prefix_text(&p, text, sizeof(text)), "10.0.0.2/31");
	assert_int_equal(prefix_parse("2001:db8::1/64", &p), -ERANGE);
	assert_string_equal(prefix_text(&p, text, sizeof(text)), "2001:db8::/64");
}

static void
macs_read_and_print(void **state)
{
	static const char *const same[] = {"00-0D-3A-12-34-56", "00:0d:3a:12:34:56", "000D3A123456"};
	static const char *const bad[] = {"", "00-0D-3A-12-34", "00-0D:3A-12-34-56", "00.0D.3A.12.34.56",
		"00-0D-3A-12-34-5G", "00-0D-3A-12-34-56-78", "0-0D-3A-12-34-56x"};
	struct mac_addr m;
	char text[32];

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(mac_parse(same[i], &m), 0);
		assert_string_equal(mac_text(&m, text, sizeof(text)), "00:0d:3a:12:34:56");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(mac_parse(bad[i], &m), -EINVAL);
}

static void
nth_addresses(void **state)
{
	struct ip_prefix v4 = prefix("10.0.0.0/16"), v6 = prefix("2001:db8::/64"), top = prefix("255.255.255.0/24");
	char text[ADDRESS_TEXT_MAX];
	struct ip_addr a;

	a = prefix_nth(&v4, 1);
	assert_string_equal(address_text(&a, text, sizeof(text)), "10.0.0.1");
	a = prefix_nth(&v4, 256);
	assert_string_equal(address_text(&a, text, sizeof(text)), "10.0.1.0");
	a = prefix_nth(&v4, 65535);
	assert_string_equal(address_text(&a, text, sizeof(text)), "10.0.255.255");
	a = prefix_nth(&v6, 1);
	assert_string_equal(address_text(&a, text, sizeof(text)), "2001:db8::1");
	a = prefix_nth(&v6, UINT64_MAX);
	assert_string_equal(address_text(&a, text, sizeof(text)), "2001:db8::ffff:ffff:ffff:ffff");
	a = prefix_nth(&top, 255);
	assert_string_equal(address_text(&a, text, sizeof(text)), "255.255.255.255");
}

/* ---- against bit loops ----------------------------------------------------------- */

static int
bit(const struct ip_addr *a, unsigned int i)
{
	return a->b[i / 8] >> (7 - i % 8) & 1;
}

static bool
slow_has(const struct ip_prefix *p, const struct ip_addr *a)
{
	if (p->addr.family != a->family)
		return false;
	for (unsigned int i = 0; i < p->len; i++)
		if (bit(&p->addr, i) != bit(a, i))
			return false;
	return true;
}

/* Few bits differ, so that prefixes meet often. */
static struct ip_prefix
random_prefix(void)
{
	struct ip_prefix p = {.addr.family = rand() % 4 == 0 ? IP_V6 : IP_V4};

	p.len = (uint8_t)(rand() % (address_bits(&p.addr) + 1));
	p.addr.b[0] = 10;
	for (unsigned int i = 8; i < p.len; i++)
		if (i % 5 == 0 && rand() % 2)
			p.addr.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	if (p.len < 8)
		p.addr.b[0] &= (uint8_t)(0xff00 >> p.len);
	return p;
}

static void
relations_equal_bit_loops(void **state)
{
	unsigned int met = 0;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		struct ip_prefix a = random_prefix(), b = random_prefix();
		bool covers = a.len <= b.len && slow_has(&a, &b.addr),
		     covered = b.len <= a.len && slow_has(&b, &a.addr);

		assert_int_equal(prefix_has(&a, &b.addr), slow_has(&a, &b.addr));
		assert_int_equal(prefix_covers(&a, &b), covers);
		assert_int_equal(prefix_overlaps(&a, &b), covers || covered);
		assert_int_equal(prefix_equal(&a, &b), covers && covered);
		assert_int_equal(prefix_compare(&a, &b) == 0, prefix_equal(&a, &b));
		assert_int_equal(prefix_compare(&a, &b) < 0, prefix_compare(&b, &a) > 0);
		met += covers;
	}
	assert_true(met > 1000); /* or else nothing was tested */
}

/* ---- overlaps against every pair ------------------------------------------------- */

#define ITEMS 60

struct seen {
	bool pair[ITEMS][ITEMS];
	unsigned int calls;
};

static bool
note_pair(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow)
{
	struct seen *seen = arg;

	assert_true(prefix_covers(&wide->prefix, &narrow->prefix));
	assert_false(seen->pair[wide->owner][narrow->owner]); /* each pair once */
	seen->pair[wide->owner][narrow->owner] = seen->pair[narrow->owner][wide->owner] = true;
	seen->calls++;
	return true;
}

static bool
stop_at_third(void *arg, const struct overlap_item *wide, const struct overlap_item *narrow)
{
	return ++*(unsigned int *)arg < 3;
}

static void
overlaps_equal_brute_force(void **state)
{
	unsigned int found = 0;

	srand(2);
	for (int round = 0; round < 5000; round++) {
		struct overlap_item items[ITEMS];
		struct ip_prefix by_owner[ITEMS];
		struct seen seen = {0};
		uint32_t n = (uint32_t)(rand() % (ITEMS + 1));
		unsigned int stopped = 0, pairs = 0;

		for (uint32_t i = 0; i < n; i++) {
			by_owner[i] = random_prefix();
			if (i > 0 && rand() % 8 == 0)
				by_owner[i] = by_owner[rand() % (int)i];
			items[i] = (struct overlap_item){.prefix = by_owner[i], .owner = i};
		}
		overlap_each(items, n, note_pair, &seen);
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = i + 1; j < n; j++) {
				assert_int_equal(seen.pair[i][j], prefix_overlaps(&by_owner[i], &by_owner[j]));
				pairs += prefix_overlaps(&by_owner[i], &by_owner[j]);
			}
		assert_int_equal(seen.calls, pairs);
		found += pairs;
		overlap_each(items, n, stop_at_third, &stopped);
		assert_int_equal(stopped, pairs < 3 ? pairs : 3);
	}
	assert_true(found > 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_read_and_print),
		cmocka_unit_test(prefixes_read_and_print),
		cmocka_unit_test(macs_read_and_print),
		cmocka_unit_test(nth_addresses),
		cmocka_unit_test(relations_equal_bit_loops),
		cmocka_unit_test(overlaps_equal_brute_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
