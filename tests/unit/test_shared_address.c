/* Addresses that a pair has in common: the primary speaks for them, the other one listens; whoever becomes primary says
 * so.
 */
#include "tests/unit/control_stub.h"

#include "dataplane/arp.h"
#include "dataplane/nd.h"
#include "drivers/clock.h"

static _Atomic uint64_t until;

static void
start(uint64_t deadline)
{
	stub_start(64);
	atomic_store(&until, deadline);
	dataplane_share_addresses(&stub.dp, &until);
}

static void
ask_v4(uint16_t iface, const char *sender, const char *target)
{
	struct arp a = {.request = true,
		.sender_mac = host_mac,
		.sender = stub_address(sender),
		.target = stub_address(target)};
	uint8_t d[ARP_LENGTH];

	arp_write(d, &a);
	stub_punt(iface, PUNT_ARP_ND, 0, d, sizeof(d));
}

static void
ask_v6(uint16_t iface, const char *sender, const char *target)
{
	struct ip_addr s = stub_address(sender), t = stub_address(target), group = nd_solicited_node(&t);
	uint8_t d[128];

	stub_punt(iface, PUNT_ARP_ND, PKT_V6, d, (uint16_t)nd_write_solicit(d, &s, &group, &t, &host_mac));
}

static bool
known(uint16_t iface, const char *address)
{
	struct ip_addr a = stub_address(address);

	return neighbour_lookup(stub.dp.neighbours, iface, &a) & NEIGHBOUR_USABLE;
}

static void
a_follower_listens_and_is_silent(void **unused)
{
	start(0);
	ask_v4(1, "10.1.0.9", "10.1.0.1");
	ask_v6(1, "2001:db8:1::9", "2001:db8:1::1");
	assert_int_equal(stub.n_sent, 0);
	assert_int_equal(stub_drops(DROP_NOT_PRIMARY), 2);
	assert_true(known(1, "10.1.0.9") && known(1, "2001:db8:1::9"));

	/* what the primary says of them is no conflict */
	ask_v4(1, "10.1.0.1", "10.1.0.1");
	assert_int_equal(exception_stats(stub.dp.exception)->conflicts, 0);
	stub_stop();
}

static void
its_own_addresses_are_its_own(void **unused)
{
	start(0);
	ask_v4(3, "192.0.2.9", "192.0.2.1");
	ask_v6(3, "2001:db8:f::9", "2001:db8:f::1");
	ask_v6(1, "2001:db8:1::9", "fe80::ff:fe00:1");
	assert_int_equal(stub.n_sent, 3);
	stub_stop();
}

/* The deadline is compared at each answer: nobody has to tell it. */
static void
the_deadline_alone_fences(void **unused)
{
	start(UINT64_MAX);
	ask_v4(1, "10.1.0.9", "10.1.0.1");
	assert_int_equal(stub.n_sent, 1);
	atomic_store(&until, clock_boot_ns() + STUB_SECOND);
	ask_v4(1, "10.1.0.9", "10.1.0.1");
	assert_int_equal(stub.n_sent, 2);
	atomic_store(&until, clock_boot_ns());
	ask_v4(1, "10.1.0.9", "10.1.0.1");
	assert_int_equal(stub.n_sent, 2);
	dataplane_share_addresses(&stub.dp, NULL);
	ask_v4(1, "10.1.0.9", "10.1.0.1");
	assert_int_equal(stub.n_sent, 3);
	stub_stop();
}

/* The worker may meet the frame late: it is told until when it may leave. */
static void
a_frame_bears_its_deadline(void **unused)
{
	uint64_t soon = clock_boot_ns() + STUB_SECOND;

	start(soon);
	ask_v4(1, "10.1.0.9", "10.1.0.1");
	assert_true(stub.until_ns == soon);
	ask_v6(1, "2001:db8:1::9", "fe80::ff:fe00:1");
	assert_true(stub.until_ns == UINT64_MAX);
	ask_v6(1, "2001:db8:1::9", "2001:db8:1::1");
	assert_true(stub.until_ns == soon);
	ask_v4(3, "192.0.2.9", "192.0.2.1");
	assert_true(stub.until_ns == UINT64_MAX);
	assert_int_equal(stub.n_sent, 4);
	stub_stop();
}

/* A packet for a host that is not known yet. */
static void
send_to(const char *host)
{
	struct event e = {.class = PUNT_NEIGHBOUR, .out = 1, .iface = 2};
	uint8_t d[40] = {0x45, 0, 0, 20};

	e.address = stub_address(host);
	e.m = stub_mbuf(0, d, sizeof(d));
	exception_take(&stub.dp, &e);
}

/* Hosts believe who asks them: RFC 826. */
static void
a_follower_asks_by_no_shared_address(void **unused)
{
	struct ip_addr own = stub_address("fe80::ff:fe00:1");
	struct arp a;
	struct nd p;

	start(0);
	send_to("10.1.0.9");
	assert_int_equal(stub.n_sent, 1);
	assert_true(arp_read(stub.sent[0].d + 14, ARP_LENGTH, &a));
	assert_true(a.request && address_unspecified(&a.sender));
	assert_true(stub.until_ns == UINT64_MAX);

	/* and the answer is taken */
	a = (struct arp){.sender_mac = host_mac, .sender = stub_address("10.1.0.9"), .target = a.sender};
	memcpy(a.target_mac.b, stub.iface[1].mac.addr_bytes, 6);
	{
		uint8_t d[ARP_LENGTH];

		arp_write(d, &a);
		stub_punt(1, PUNT_ARP_ND, 0, d, sizeof(d));
	}
	assert_true(known(1, "10.1.0.9"));
	assert_int_equal(stub.n_sent, 2); /* the packet that waited */

	send_to("2001:db8:1::9");
	assert_int_equal(stub.n_sent, 3);
	assert_true(nd_read(stub.sent[2].d + 14, (size_t)(stub.sent[2].n - 14), &p));
	assert_true(address_equal(&p.source, &own));
	stub_stop();
}

static void
tick(uint64_t ms)
{
	stub.now += ms * 1000000;
	shared_address_tick(&stub.dp, stub.now);
}

static void
a_new_primary_says_so(void **unused)
{
	struct ip_addr own = stub_address("10.1.0.1"), own6 = stub_address("2001:db8:1::1");
	struct arp a;
	struct nd p;

	start(UINT64_MAX);
	tick(1000);
	assert_int_equal(stub.n_sent, 0);
	dataplane_announce_addresses(&stub.dp);
	tick(1);
	assert_int_equal(stub.n_sent, 3); /* two subnets, one with both families; no uplink */
	assert_memory_equal(stub.sent[0].d, "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x08\x06", 14);
	assert_true(arp_read(stub.sent[0].d + 14, ARP_LENGTH, &a));
	assert_true(a.request && address_equal(&a.sender, &own) && address_equal(&a.target, &own));
	assert_memory_equal(stub.sent[1].d, "\x33\x33\0\0\0\x01", 6);
	assert_true(nd_read(stub.sent[1].d + 14, (size_t)(stub.sent[1].n - 14), &p));
	assert_true(p.type == ND_NEIGHBOUR_ADVERT && !p.solicited && p.override && address_equal(&p.target, &own6));
	assert_memory_equal(stub.sent[2].d + 12, "\x81\0\0\x14\x08\x06", 6);

	tick(1);
	assert_int_equal(stub.n_sent, 3);
	tick(400);
	tick(400);
	tick(400);
	tick(4000);
	assert_int_equal(stub.n_sent, 9); /* three times, and no more */
	stub_stop();
}

static void
announcements_wait_and_end(void **unused)
{
	start(UINT64_MAX);
	stub.worker_behind = true;
	dataplane_announce_addresses(&stub.dp);
	tick(1);
	assert_int_equal(stub.n_sent, 0);
	stub.worker_behind = false;
	tick(1);
	assert_int_equal(stub.n_sent, 3);

	/* the role is over before the next round */
	atomic_store(&until, 0);
	tick(1000);
	atomic_store(&until, UINT64_MAX);
	tick(1000);
	assert_int_equal(stub.n_sent, 3);
	stub_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_follower_listens_and_is_silent),
		cmocka_unit_test(its_own_addresses_are_its_own),
		cmocka_unit_test(the_deadline_alone_fences),
		cmocka_unit_test(a_frame_bears_its_deadline),
		cmocka_unit_test(a_follower_asks_by_no_shared_address),
		cmocka_unit_test(a_new_primary_says_so),
		cmocka_unit_test(announcements_wait_and_end),
	};
	int result;

	if (test_eal_start("shared-address") != 0)
		return 1;
	result = cmocka_run_group_tests(tests, NULL, NULL);
	test_eal_stop();
	return result;
}
