/* Neighbours: resolution, waiting packets, ageing, what attackers try, and readers beside the writer. */
#include "tests/unit/control_stub.h"

#include "dataplane/arp.h"
#include "dataplane/nd.h"
#include "drivers/clock.h"

#include <rte_ip.h>
#include <rte_random.h>
#include <rte_rcu_qsbr.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

static const struct mac_addr other_mac = {{0x52, 0x54, 0, 0x11, 0x22, 0x33}};

/* An IPv4 packet with a number in it, from a host in another subnet. */
static struct rte_mbuf *
packet_v4(const char *to, uint32_t number)
{
	uint8_t d[20 + 8] = {0x45, 0, 0, 28, 0, 0, 0, 0, 63, 17, 0, 0, 10, 2, 0, 9};
	struct ip_addr a = stub_address(to);

	memcpy(d + 16, a.b, 4);
	memcpy(d + 24, &number, 4);
	return stub_mbuf(14, d, sizeof(d));
}

static void
wait_for(uint16_t out, const char *to, uint32_t number)
{
	struct event e = {.type = EVENT_PUNT, .class = PUNT_NEIGHBOUR, .iface = 2, .out = out, .l3_off = 14};

	e.address = stub_address(to);
	e.m = packet_v4(e.address.family == IP_V4 ? to : "10.1.0.9", number);
	neighbour_wait(&stub.dp, &e);
}

static void
learn(uint16_t iface, const char *address, const struct mac_addr *mac, uint8_t hints)
{
	struct ip_addr a = stub_address(address);

	neighbour_learn(&stub.dp, iface, &a, mac, hints);
}

static uint64_t
word(uint16_t iface, const char *address)
{
	struct ip_addr a = stub_address(address);

	return neighbour_lookup(stub.dp.neighbours, iface, &a);
}

static struct neighbour_info info;
static struct ip_addr info_wanted;

static void
pick(void *context, const struct neighbour_info *i)
{
	if (address_equal(&i->address, &info_wanted))
		info = *i;
}

static enum neighbour_state
state(const char *address)
{
	memset(&info, 0, sizeof(info));
	info_wanted = stub_address(address);
	dataplane_neighbours(&stub.dp, UINT32_MAX, pick, NULL);
	return info.state;
}

static uint32_t
live(void)
{
	info_wanted = (struct ip_addr){0};
	return dataplane_neighbours(&stub.dp, UINT32_MAX, pick, NULL);
}

/* ---- resolution ------------------------------------------------------------------------------ */

static void
resolves_v4(void **unused)
{
	const struct stub_sent *s;
	struct arp a;

	stub_start(64);
	wait_for(1, "10.1.0.9", 1);
	wait_for(1, "10.1.0.9", 2);
	assert_int_equal(stub.n_sent, 1);
	s = stub_last();
	assert_true(s->frame && s->port == 0 && s->n == 60);
	assert_memory_equal(s->d, "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x08\x06", 14);
	assert_true(arp_read(s->d + 14, s->n - 14, &a));
	assert_true(a.request);
	assert_memory_equal(a.sender.b, "\x0a\x01\0\x01", 4);
	assert_memory_equal(a.target.b, "\x0a\x01\0\x09", 4);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_INCOMPLETE);
	assert_int_equal(info.waiting, 2);
	assert_true(word(1, "10.1.0.9") == 0);

	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_SOLICITED | NEIGHBOUR_OVERRIDE);
	assert_true(word(1, "10.1.0.9") == (NEIGHBOUR_USABLE | neighbour_mac_word(&host_mac)));
	assert_true(word(2, "10.1.0.9") == 0);
	assert_int_equal(stub.n_sent, 3);
	for (uint32_t i = 1; i <= 2; i++) {
		uint32_t number;

		s = &stub.sent[i];
		assert_int_equal(s->n, 60);
		assert_memory_equal(s->d, host_mac.b, 6);
		assert_memory_equal(s->d + 12, "\x08\0\x45", 3);
		memcpy(&number, s->d + 14 + 24, 4);
		assert_int_equal(number, i);
	}
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_REACHABLE);

	wait_for(1, "10.1.0.9", 3); /* punted before the answer was published */
	assert_int_equal(stub.n_sent, 4);
	stub_stop();
}

static void
resolves_on_vlan(void **unused)
{
	stub_start(64);
	wait_for(2, "10.2.3.4", 1);
	assert_int_equal(stub_last()->port, 1);
	assert_memory_equal(stub_last()->d + 12, "\x81\0\0\x14\x08\x06", 6);
	learn(2, "10.2.3.4", &host_mac, NEIGHBOUR_SOLICITED);
	assert_memory_equal(stub_last()->d, host_mac.b, 6);
	assert_memory_equal(stub_last()->d + 12, "\x81\0\0\x14\x08\0\x45", 7);
	stub_stop();
}

static void
resolves_v6(void **unused)
{
	struct nd p = {0};
	const struct stub_sent *s;

	stub_start(64);
	wait_for(1, "2001:db8:1::abcd:1234", 1);
	s = stub_last();
	assert_memory_equal(s->d, "\x33\x33\xff\xcd\x12\x34\x02\0\0\0\0\x01\x86\xdd", 14);
	assert_true(nd_read(s->d + 14, s->n - 14, &p));
	assert_int_equal(p.type, ND_NEIGHBOUR_SOLICIT);
	assert_true(p.has_mac && p.mac.b[5] == 1);
	assert_true(address_equal(&p.source, &stub.iface[1].address[1]));
	assert_int_equal(p.target.b[15], 0x34);
	learn(1, "2001:db8:1::abcd:1234", &host_mac, NEIGHBOUR_SOLICITED);
	assert_int_equal(word(1, "2001:db8:1::abcd:1234"), NEIGHBOUR_USABLE | neighbour_mac_word(&host_mac));
	assert_true(word(3, "2001:db8:1::abcd:1234") == 0);

	/* The probe goes to the host alone. */
	stub_pass(50000);
	assert_int_equal(state("2001:db8:1::abcd:1234"), NEIGHBOUR_STALE);
	assert_true(word(1, "2001:db8:1::abcd:1234") & NEIGHBOUR_USABLE);
	stub_pass(100);
	assert_int_equal(state("2001:db8:1::abcd:1234"), NEIGHBOUR_PROBE);
	assert_memory_equal(stub_last()->d, host_mac.b, 6);
	assert_true(nd_read(stub_last()->d + 14, stub_last()->n - 14, &p));
	assert_true(address_equal(&p.destination, &p.target));
	stub_stop();
}

static void
nobody_answers(void **unused)
{
	stub_start(64);
	wait_for(1, "10.1.0.9", 1);
	stub_pass(900);
	assert_int_equal(stub.n_sent, 1);
	stub_pass(200);
	assert_int_equal(stub.n_sent, 2);
	stub_pass(1000);
	assert_int_equal(stub.n_sent, 3);
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_UNRESOLVED), 0);
	stub_pass(1000);

	/* Refused, and the sender is told from where it sent. */
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_FAILED);
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_UNRESOLVED), 1);
	assert_int_equal(stub.n_sent, 4);
	assert_true(!stub_last()->frame && stub_last()->iface == 2);
	assert_memory_equal(stub_last()->d + 12, "\x0a\x02\0\x01\x0a\x02\0\x09\x03\x01", 10);

	/* For a while nobody is asked again. */
	wait_for(1, "10.1.0.9", 2);
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_UNRESOLVED), 2);
	assert_int_equal(stub.n_sent, 5);
	assert_false(stub_last()->frame);
	stub_pass(3100);
	assert_int_equal(live(), 0);
	wait_for(1, "10.1.0.9", 3);
	assert_true(stub_last()->frame);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_SOLICITED);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_REACHABLE);
	stub_stop();
}

/* What we sealed ourselves has no sender to tell. */
static void
own_packets_get_no_error(void **unused)
{
	struct event e = {.class = PUNT_NEIGHBOUR, .iface = 4, .out = 3, .l3_off = 0};
	uint8_t d[28] = {0x45, 0, 0, 28, 0, 0, 0, 0, 63, 50, 0, 0, 192, 0, 2, 1, 192, 0, 2, 77};

	stub_start(64);
	e.address = stub_address("192.0.2.77");
	e.m = stub_mbuf(0, d, sizeof(d));
	neighbour_wait(&stub.dp, &e);
	stub_pass(4000);
	assert_int_equal(stub.n_sent, 3);
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_UNRESOLVED), 1);
	stub_stop();
}

/* ---- bounds ----------------------------------------------------------------------------------- */

static void
waiting_is_bounded(void **unused)
{
	uint32_t number;

	stub_start(4096);
	for (uint32_t i = 0; i < 20; i++)
		wait_for(1, "10.1.0.9", i);
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_QUEUE_FULL), 12);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_SOLICITED);
	memcpy(&number, stub.sent[1].d + 14 + 24, 4);
	assert_int_equal(number, 12); /* the oldest went */
	assert_int_equal(stub.n_sent, 1 + 8);

	/* In total: 1024. */
	for (uint32_t i = 0; i < 200; i++)
		for (int k = 0; k < 8; k++) {
			char to[32];

			snprintf(to, sizeof(to), "10.2.%u.%u", 1 + i / 250, 2 + i % 250);
			wait_for(2, to, i);
		}
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_QUEUE_FULL), 12 + 200 * 8 - 1024);
	assert_int_equal(rte_mempool_in_use_count(stub.dp.pool), 1024);
	stub_stop();
}

/* An outside scan of an empty subnet neither drives out neighbours nor grows. */
static void
scan_drives_nobody_out(void **unused)
{
	stub_start(64);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_CREATE);
	wait_for(1, "10.1.0.10", 0);
	learn(1, "10.1.0.10", &other_mac, NEIGHBOUR_SOLICITED);
	for (uint32_t i = 0; i < 5000; i++) {
		char to[32];

		snprintf(to, sizeof(to), "10.2.%u.%u", i / 250, 2 + i % 250);
		wait_for(2, to, i);
		assert_true(live() <= 2 + 64 / 4);
	}
	stub_pass(100);
	assert_true(word(1, "10.1.0.9") & NEIGHBOUR_USABLE);
	assert_true(word(1, "10.1.0.10") & NEIGHBOUR_USABLE);
	wait_for(1, "10.1.0.11", 7);
	learn(1, "10.1.0.11", &host_mac, NEIGHBOUR_SOLICITED);
	assert_true(word(1, "10.1.0.11") & NEIGHBOUR_USABLE);
	stub_pass(10000);
	assert_int_equal(live(), 2); /* .9 was only ever heard of, asked then, and did not answer */
	stub_stop();
}

/* A liar on the wire who announces many addresses fills three quarters at most. */
static void
announcements_leave_room(void **unused)
{
	stub_start(64);
	for (uint32_t i = 0; i < 250; i++) {
		char to[32];

		snprintf(to, sizeof(to), "10.1.0.%u", 2 + i);
		learn(1, to, &host_mac, NEIGHBOUR_CREATE | NEIGHBOUR_OVERRIDE);
	}
	assert_int_equal(live(), 48);
	wait_for(2, "10.2.0.77", 1);
	learn(2, "10.2.0.77", &other_mac, NEIGHBOUR_SOLICITED);
	assert_true(word(2, "10.2.0.77") & NEIGHBOUR_USABLE);
	stub_stop();
}

static void
full_table_gives_up_stale(void **unused)
{
	char to[32];

	stub_start(64);
	for (uint32_t i = 0; i < 64; i++) {
		snprintf(to, sizeof(to), "10.2.0.%u", 2 + i);
		wait_for(2, to, i);
		learn(2, to, &host_mac, i % 2 ? NEIGHBOUR_SOLICITED : 0);
	}
	assert_int_equal(live(), 64);
	wait_for(2, "10.2.1.1", 0);
	learn(2, "10.2.1.1", &other_mac, NEIGHBOUR_SOLICITED);
	assert_true(word(2, "10.2.1.1") & NEIGHBOUR_USABLE);
	for (uint32_t i = 1; i < 64; i += 2) {
		snprintf(to, sizeof(to), "10.2.0.%u", 2 + i);
		assert_true(word(2, to) & NEIGHBOUR_USABLE); /* REACHABLE ones stay */
	}
	assert_int_equal(live(), 64);
	stub_stop();
}

static void
never_resolved(void **unused)
{
	static const struct {
		uint16_t out;
		const char *to;
	} wrong[] = {
		{1, "10.1.0.0"},
		{1, "10.1.0.255"},
		{1, "10.1.0.1"},
		{1, "10.9.0.1"},
		{1, "224.0.0.5"},
		{1, "0.0.0.0"},
		{1, "2001:db8:1::1"},
		{1, "ff02::1"},
		{1, "fe80::ff:fe00:1"},
		{1, "2001:db8:2::1"},
		{4, "10.1.0.9"},
		{0, "10.1.0.9"},
		{9, "10.1.0.0"},
		{65535, "10.1.0.9"},
	};

	stub_start(64);
	for (uint32_t i = 0; i < RTE_DIM(wrong); i++) {
		wait_for(wrong[i].out, wrong[i].to, i);
		assert_int_equal(stub_drops(DROP_BAD_ADDRESS), i + 1);
		learn(wrong[i].out, wrong[i].to, &host_mac, NEIGHBOUR_CREATE | NEIGHBOUR_SOLICITED);
	}
	learn(1, "10.1.0.9", &(struct mac_addr){{1, 2, 3, 4, 5, 6}}, NEIGHBOUR_CREATE);
	learn(1, "10.1.0.9", &(struct mac_addr){{0}}, NEIGHBOUR_CREATE);
	learn(1, "10.1.0.9", &(struct mac_addr){{2, 0, 0, 0, 0, 1}}, NEIGHBOUR_CREATE);
	assert_int_equal(live(), 0);
	assert_int_equal(stub.n_sent, 0);
	stub_stop();
}

static void
garbage_that_waits(void **unused)
{
	struct event e = {.class = PUNT_NEIGHBOUR, .iface = 2, .out = 1};
	uint8_t d[20] = {0x45, 0, 0xff, 0xff};

	stub_start(64);
	e.address = stub_address("10.1.0.9");
	for (uint16_t off = 0; off < 40; off += 4) {
		e.l3_off = off;
		e.m = stub_mbuf(0, d, sizeof(d));
		neighbour_wait(&stub.dp, &e);
	}
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_SOLICITED);
	assert_int_equal(stub_drops(DROP_TRUNCATED), 8);
	wait_for(1, "10.1.0.10", 0);
	for (uint16_t off = 0; off < 40; off += 4) {
		e.address = stub_address("10.1.0.10");
		e.l3_off = off;
		e.m = stub_mbuf(0, d, sizeof(d));
		neighbour_wait(&stub.dp, &e);
	}
	stub_pass(4000);
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_UNRESOLVED), 8);
	stub_stop();
}

/* ---- ageing ------------------------------------------------------------------------------------ */

static void
unused_is_forgotten(void **unused)
{
	stub_start(64);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_CREATE);
	stub_pass(599000);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_STALE);
	assert_int_equal(stub.n_sent, 0);
	stub_pass(1500);
	assert_int_equal(live(), 0);
	assert_true(word(1, "10.1.0.9") == 0);
	stub_stop();
}

static void
used_is_probed(void **unused)
{
	uint64_t gone = 0;

	stub_start(64);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_CREATE);
	assert_true(word(1, "10.1.0.9") & NEIGHBOUR_ASK);
	assert_true(word(1, "10.1.0.9") & NEIGHBOUR_TOUCHED);
	stub_pass(50);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_PROBE);
	assert_true((word(1, "10.1.0.9") & ~NEIGHBOUR_MAC) == NEIGHBOUR_USABLE);
	assert_int_equal(stub.n_sent, 1);
	assert_memory_equal(stub_last()->d, host_mac.b, 6);

	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_SOLICITED);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_REACHABLE);
	stub_pass(14900);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_REACHABLE);
	stub_pass(30200);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_STALE);
	assert_int_equal(stub.n_sent, 1);

	/* The host left: three unicast probes, usable meanwhile, then forgotten. */
	word(1, "10.1.0.9");
	while (state("10.1.0.9") != NEIGHBOUR_FREE && gone < 10000) {
		assert_true(word(1, "10.1.0.9") & NEIGHBOUR_USABLE);
		stub_pass(10);
		gone += 10;
	}
	assert_in_range(gone, 2900, 3200);
	assert_int_equal(stub.n_sent, 4);
	assert_true(word(1, "10.1.0.9") == 0);
	stub_stop();
}

static void
override_rules(void **unused)
{
	uint64_t first = NEIGHBOUR_USABLE | neighbour_mac_word(&host_mac);
	uint64_t second = NEIGHBOUR_USABLE | neighbour_mac_word(&other_mac);

	stub_start(64);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_OVERRIDE); /* unsolicited, unknown */
	assert_int_equal(live(), 0);
	wait_for(1, "10.1.0.9", 0);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_SOLICITED);

	learn(1, "10.1.0.9", &other_mac, 0); /* no override: doubt, no change */
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_STALE);
	assert_int_equal(word(1, "10.1.0.9") & (NEIGHBOUR_USABLE | NEIGHBOUR_MAC), first);
	learn(1, "10.1.0.9", &other_mac, NEIGHBOUR_SOLICITED);
	assert_int_equal(word(1, "10.1.0.9") & (NEIGHBOUR_USABLE | NEIGHBOUR_MAC), first);
	learn(1, "10.1.0.9", &host_mac, 0); /* same MAC, unsolicited: says nothing */
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_STALE);

	learn(1, "10.1.0.9", &other_mac, NEIGHBOUR_OVERRIDE);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_STALE);
	assert_int_equal(word(1, "10.1.0.9") & (NEIGHBOUR_USABLE | NEIGHBOUR_MAC), second);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_OVERRIDE | NEIGHBOUR_SOLICITED);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_REACHABLE);
	assert_int_equal(word(1, "10.1.0.9"), first);
	stub_stop();
}

/* ---- views --------------------------------------------------------------------------------------- */

static void
static_neighbours(void **unused)
{
	uint64_t first = NEIGHBOUR_USABLE | neighbour_mac_word(&host_mac);

	stub_start(64);
	wait_for(1, "10.1.0.9", 1);
	stub.nic[0] = (struct nic){.address = stub_address("10.1.0.9"), .has_mac = true, .mac = host_mac};
	stub.nic[1] = (struct nic){.address = stub_address("10.1.0.10")};
	stub.iface[1].nic = stub.nic;
	stub.iface[1].n_nics = 2;
	neighbour_view(&stub.dp, &stub.view);
	assert_int_equal(stub.n_sent, 2); /* what waited left */
	assert_int_equal(word(1, "10.1.0.9"), first);
	assert_true(word(1, "10.1.0.10") == 0);

	learn(1, "10.1.0.9", &other_mac, NEIGHBOUR_OVERRIDE | NEIGHBOUR_SOLICITED);
	stub_pass(700000);
	assert_int_equal(word(1, "10.1.0.9"), first);
	assert_int_equal(state("10.1.0.9"), NEIGHBOUR_STATIC);

	stub.nic[0].mac = other_mac;
	neighbour_view(&stub.dp, &stub.view);
	assert_int_equal(word(1, "10.1.0.9"), NEIGHBOUR_USABLE | neighbour_mac_word(&other_mac));
	stub.nic[0].has_mac = false;
	neighbour_view(&stub.dp, &stub.view);
	assert_int_equal(live(), 0);
	assert_true(word(1, "10.1.0.9") == 0);
	stub_stop();
}

static void
vanished_interfaces(void **unused)
{
	stub_start(64);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_CREATE);
	learn(2, "10.2.0.9", &host_mac, NEIGHBOUR_CREATE);
	wait_for(2, "10.2.0.10", 0);
	neighbour_view(&stub.dp, &stub.view);
	assert_int_equal(live(), 3);
	stub.iface[2].vlan = 21; /* moved */
	neighbour_view(&stub.dp, &stub.view);
	assert_int_equal(live(), 1);
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_UNRESOLVED), 1);
	stub.iface[1].prefix[0].addr.b[1] = 77; /* another network */
	neighbour_view(&stub.dp, &stub.view);
	assert_int_equal(live(), 0);
	stub_stop();
}

/* A place whose neighbour left is not given to another while a worker may still read it. */
static void
places_wait_for_grace(void **unused)
{
	const struct neighbour_table *t;
	uint64_t key;
	int places;

	stub_start(64);
	t = stub.dp.neighbours;
	key = neighbour_key_v4(1, rte_cpu_to_be_32(0x0a010009));
	/* Its two buckets of four places may be one. */
	places = neighbour_bucket_v4(t, key, 0) == neighbour_bucket_v4(t, key, 1) ? 4 : 8;
	stub.grace_holds = true;
	for (int round = 0; round < 200; round++) {
		learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_CREATE);
		assert_int_equal(round < places, (word(1, "10.1.0.9") & NEIGHBOUR_USABLE) != 0);
		stub.iface[1].prefix[0].addr.b[1] = 77;
		neighbour_view(&stub.dp, &stub.view);
		stub.iface[1].prefix[0].addr.b[1] = 1;
		neighbour_tick(&stub.dp, stub.now);
	}
	/* All are waiting, one more neighbour is refused. */
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_CREATE);
	assert_true(word(1, "10.1.0.9") == 0);
	assert_int_equal(live(), 0);
	stub.grace_holds = false;
	neighbour_tick(&stub.dp, stub.now);
	neighbour_tick(&stub.dp, stub.now);
	learn(1, "10.1.0.9", &host_mac, NEIGHBOUR_CREATE);
	assert_true(word(1, "10.1.0.9") & NEIGHBOUR_USABLE);
	stub_stop();
}

/* ---- the table alone ------------------------------------------------------------------------------- */

/* At its stated capacity every neighbour finds a place, in both families at once. */
static void
capacity_is_real(void **unused)
{
	enum { N = 16384 };
	struct neighbour_table *t = neighbour_table_create(N);
	struct ip_addr a = {.family = IP_V4}, b = {.family = IP_V6, .b = {0x20, 1}};

	for (uint32_t i = 0; i < N; i++) {
		uint32_t be = rte_cpu_to_be_32(0x0a000000 + i), place4, place6;

		memcpy(a.b, &be, 4);
		memcpy(b.b + 12, &be, 4);
		place4 = neighbour_place_take(t, (uint16_t)(i % 7), &a);
		place6 = neighbour_place_take(t, (uint16_t)(i % 7), &b);
		assert_true(place4 != NEIGHBOUR_NO_PLACE && place6 != NEIGHBOUR_NO_PLACE);
		neighbour_place_set(t, place4, NEIGHBOUR_USABLE | i);
		neighbour_place_set(t, place6, NEIGHBOUR_USABLE | i);
	}
	for (uint32_t i = 0; i < N; i++) {
		uint32_t be = rte_cpu_to_be_32(0x0a000000 + i);

		memcpy(a.b, &be, 4);
		memcpy(b.b + 12, &be, 4);
		neighbour_prefetch_v4(t, (uint16_t)(i % 7), be);
		neighbour_prefetch_v6(t, (uint16_t)(i % 7), b.b);
		assert_int_equal(neighbour_lookup(t, (uint16_t)(i % 7), &a), NEIGHBOUR_USABLE | i);
		assert_int_equal(neighbour_lookup(t, (uint16_t)(i % 7), &b), NEIGHBOUR_USABLE | i);
		assert_int_equal(neighbour_lookup(t, (uint16_t)(i % 7 + 1), &a), 0);
		assert_int_equal(neighbour_lookup(t, (uint16_t)(i % 7 + 1), &b), 0);
	}
	neighbour_table_free(t);
	neighbour_table_free(NULL);
}

/* Readers never get a word that belongs to another key, however places change hands. */
#define RACE_KEYS 64
#define RACE_ROUNDS 20000

static struct {
	struct neighbour_table *t;
	struct rte_rcu_qsbr *qsbr;
	_Atomic bool reading, stop;
	_Atomic uint64_t wrong, hits;
} race;

static void
race_key(uint32_t k, struct ip_addr *a)
{
	memset(a, 0, sizeof(*a));
	a->family = k & 1 ? IP_V6 : IP_V4;
	memset(a->b, (int)(k + 1), k & 1 ? 16 : 4);
}

static void *
race_reader(void *argument)
{
	uint32_t k = 0;

	rte_rcu_qsbr_thread_online(race.qsbr, 0);
	atomic_store(&race.reading, true);
	while (!atomic_load(&race.stop)) {
		rte_rcu_qsbr_quiescent(race.qsbr, 0);
		for (int i = 0; i < 32; i++, k = (k + 7) % RACE_KEYS) {
			struct ip_addr a;
			uint64_t w;

			race_key(k, &a);
			w = neighbour_lookup(race.t, 1, &a);
			if (w && (w & NEIGHBOUR_MAC) % RACE_KEYS != k)
				atomic_fetch_add(&race.wrong, 1);
			atomic_fetch_add(&race.hits, w != 0);
		}
	}
	rte_rcu_qsbr_thread_offline(race.qsbr, 0);
	return NULL;
}

/* On a shared core the reader needs ours to get on. */
static void
race_grace(void)
{
	uint64_t token = rte_rcu_qsbr_start(race.qsbr);

	while (!rte_rcu_qsbr_check(race.qsbr, token, false))
		sched_yield();
}

static void
readers_see_their_own(void **unused)
{
	size_t size = rte_rcu_qsbr_get_memsize(1);
	uint64_t end = clock_boot_ns() + 10 * STUB_SECOND; /* a crowded machine does fewer rounds */
	uint32_t place[RACE_KEYS];
	pthread_t reader;

	race.t = neighbour_table_create(RACE_KEYS / 2);
	race.qsbr = aligned_alloc(64, RTE_ALIGN_CEIL(size, 64));
	rte_rcu_qsbr_init(race.qsbr, 1);
	rte_rcu_qsbr_thread_register(race.qsbr, 0);
	for (uint32_t k = 0; k < RACE_KEYS; k++)
		place[k] = NEIGHBOUR_NO_PLACE;
	assert_int_equal(pthread_create(&reader, NULL, race_reader, NULL), 0);
	while (!atomic_load(&race.reading))
		sched_yield();

	for (uint32_t i = 0; i < RACE_ROUNDS && clock_boot_ns() < end; i++) {
		uint32_t k = (uint32_t)rte_rand_max(RACE_KEYS);
		struct ip_addr a;

		race_key(k, &a);
		if (place[k] == NEIGHBOUR_NO_PLACE) {
			place[k] = neighbour_place_take(race.t, 1, &a);
			if (place[k] != NEIGHBOUR_NO_PLACE)
				neighbour_place_set(race.t, place[k],
					NEIGHBOUR_USABLE | NEIGHBOUR_ASK | (rte_rand_max(1000) * RACE_KEYS + k));
		} else {
			neighbour_place_set(race.t, place[k], 0);
			race_grace();
			neighbour_place_give(race.t, place[k]);
			place[k] = NEIGHBOUR_NO_PLACE;
		}
	}
	atomic_store(&race.stop, true);
	pthread_join(reader, NULL);
	assert_int_equal(race.wrong, 0);
	assert_true(race.hits > 1000);
	free(race.qsbr);
	neighbour_table_free(race.t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolves_v4),
		cmocka_unit_test(resolves_on_vlan),
		cmocka_unit_test(resolves_v6),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(own_packets_get_no_error),
		cmocka_unit_test(waiting_is_bounded),
		cmocka_unit_test(scan_drives_nobody_out),
		cmocka_unit_test(announcements_leave_room),
		cmocka_unit_test(full_table_gives_up_stale),
		cmocka_unit_test(never_resolved),
		cmocka_unit_test(garbage_that_waits),
		cmocka_unit_test(unused_is_forgotten),
		cmocka_unit_test(used_is_probed),
		cmocka_unit_test(override_rules),
		cmocka_unit_test(static_neighbours),
		cmocka_unit_test(vanished_interfaces),
		cmocka_unit_test(places_wait_for_grace),
		cmocka_unit_test(capacity_is_real),
		cmocka_unit_test(readers_see_their_own),
	};
	int failed;

	if (test_eal_start("neighbour") != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	test_eal_stop();
	return failed;
}
