/* What we say on the wire: ARP, neighbour discovery, echo, ICMP errors; and what we ignore. */
#include "tests/unit/control_stub.h"

#include "dataplane/arp.h"
#include "dataplane/checksum.h"
#include "dataplane/icmp.h"
#include "dataplane/nd.h"
#include "drivers/clock.h"

#include <rte_random.h>

#include <netinet/in.h>

static const struct mac_addr our_mac = {{2, 0, 0, 0, 0, 1}};

static uint64_t
usable(uint16_t iface, const char *address)
{
	struct ip_addr a = stub_address(address);

	return neighbour_lookup(stub.dp.neighbours, iface, &a) & (NEIGHBOUR_USABLE | NEIGHBOUR_MAC);
}

/* The answer has right checksums, whatever else it says. */
static struct ip_summary
check_packet(const uint8_t *d, uint16_t n)
{
	struct ip_summary ip;
	uint32_t pseudo = 0;
	uint16_t size;

	assert_true(ip_read(d, n, &ip));
	size = ip.length - ip.l4_off;
	if (ip.v6)
		pseudo = checksum_pseudo_v6(d + 8, d + 24, size, IPPROTO_ICMPV6);
	else
		assert_int_equal(checksum(d, ip.l4_off), 0);
	assert_int_equal(checksum_fold(checksum_add(pseudo, d + ip.l4_off, size)), 0);
	return ip;
}

/* ---- ARP --------------------------------------------------------------------------------------- */

static void
arp_at(uint16_t iface, bool request, const char *sender, const struct mac_addr *mac, const char *target,
	const struct mac_addr *target_mac)
{
	uint8_t d[46] = {0};
	struct arp a = {.request = request, .sender_mac = *mac, .sender = stub_address(sender)};

	a.target = stub_address(target);
	if (target_mac)
		a.target_mac = *target_mac;
	arp_write(d, &a);
	stub_punt(iface, PUNT_ARP_ND, 0, d, sizeof(d));
}

static void
arp_is_answered(void **unused)
{
	struct arp a;

	stub_start(64);
	arp_at(1, true, "10.1.0.9", &host_mac, "10.1.0.1", NULL);
	assert_int_equal(stub.n_sent, 1);
	assert_int_equal(stub_last()->n, 60);
	assert_memory_equal(stub_last()->d, host_mac.b, 6);
	assert_memory_equal(stub_last()->d + 6, our_mac.b, 6);
	assert_true(arp_read(stub_last()->d + 14, 46, &a));
	assert_false(a.request);
	assert_memory_equal(a.sender_mac.b, our_mac.b, 6);
	assert_memory_equal(a.target_mac.b, host_mac.b, 6);
	assert_int_equal(address_v4(&a.sender), 0x0a010001);
	assert_int_equal(address_v4(&a.target), 0x0a010009);
	assert_int_equal(usable(1, "10.1.0.9"), NEIGHBOUR_USABLE | neighbour_mac_word(&host_mac));

	arp_at(2, true, "10.2.3.4", &host_mac, "10.2.0.1", NULL);
	assert_int_equal(stub_last()->port, 1);
	assert_memory_equal(stub_last()->d + 12, "\x81\0\0\x14\x08\x06", 6);
	assert_int_equal(stub_drops(DROP_HANDLED), 2);
	assert_int_equal(exception_stats(stub.dp.exception)->arp_answers, 2);
	stub_stop();
}

static void
arp_probe_is_answered_not_learned(void **unused)
{
	stub_start(64);
	arp_at(1, true, "0.0.0.0", &host_mac, "10.1.0.1", NULL);
	assert_int_equal(stub.n_sent, 1);
	arp_at(1, true, "0.0.0.0", &host_mac, "10.1.0.9", NULL);
	assert_int_equal(stub.n_sent, 1);
	assert_int_equal(dataplane_neighbours(&stub.dp, 0, NULL, NULL), 0);
	stub_stop();
}

static void
arp_others_change_what_we_know(void **unused)
{
	struct mac_addr moved = {{0x52, 0x54, 0, 9, 9, 9}};

	stub_start(64);
	arp_at(1, true, "10.1.0.9", &host_mac, "10.1.0.9", NULL); /* gratuitous, unknown */
	arp_at(1, true, "10.1.0.9", &host_mac, "10.1.0.8", NULL);
	arp_at(1, false, "10.1.0.9", &host_mac, "10.1.0.1", &our_mac); /* an answer nobody asked for */
	assert_int_equal(dataplane_neighbours(&stub.dp, 0, NULL, NULL), 0);
	assert_int_equal(stub.n_sent, 0);

	arp_at(1, true, "10.1.0.9", &host_mac, "10.1.0.1", NULL);
	arp_at(1, true, "10.1.0.9", &moved, "10.1.0.9", NULL); /* a failover of two NVAs */
	assert_int_equal(usable(1, "10.1.0.9"), NEIGHBOUR_USABLE | neighbour_mac_word(&moved));
	assert_int_equal(stub_drops(DROP_HANDLED), 5);
	stub_stop();
}

static void
arp_reply_resolves(void **unused)
{
	struct event e = {.class = PUNT_NEIGHBOUR, .out = 1, .iface = 2};
	uint8_t d[20] = {0x45, 0, 0, 20, [16] = 10, 1, 0, 9};

	stub_start(64);
	e.address = stub_address("10.1.0.9");
	e.m = stub_mbuf(0, d, sizeof(d));
	exception_take(&stub.dp, &e);
	arp_at(1, false, "10.1.0.9", &host_mac, "10.1.0.1", &our_mac);
	assert_int_equal(stub.n_sent, 2);
	assert_memory_equal(stub_last()->d, host_mac.b, 6);
	stub_stop();
}

static void
arp_conflicts(void **unused)
{
	stub_start(64);
	arp_at(1, true, "10.1.0.1", &host_mac, "10.1.0.1", NULL);
	arp_at(1, false, "10.1.0.1", &host_mac, "10.1.0.9", NULL);
	assert_int_equal(exception_stats(stub.dp.exception)->conflicts, 2);
	assert_int_equal(stub.n_sent, 0);
	stub_stop();
}

static void
arp_refused(void **unused)
{
	static const struct mac_addr group = {{1, 0, 0x5e, 0, 0, 1}}, zero;
	struct arp a = {.request = true, .sender_mac = host_mac, .sender = {.family = IP_V4, .b = {10, 1, 0, 9}}};
	uint8_t d[ARP_LENGTH];
	uint32_t n = 0;

	stub_start(64);
	arp_at(1, true, "10.2.0.9", &host_mac, "10.1.0.1", NULL), n++; /* off-link */
	arp_at(1, true, "10.1.0.255", &host_mac, "10.1.0.1", NULL), n++;
	arp_at(1, true, "10.1.0.0", &host_mac, "10.1.0.1", NULL), n++;
	arp_at(1, true, "224.0.0.1", &host_mac, "10.1.0.1", NULL), n++;
	arp_at(1, false, "0.0.0.0", &host_mac, "10.1.0.1", NULL), n++;
	arp_at(1, true, "10.1.0.9", &group, "10.1.0.1", NULL), n++;
	arp_at(1, true, "10.1.0.9", &zero, "10.1.0.1", NULL), n++;
	arp_at(1, true, "10.1.0.9", &our_mac, "10.1.0.1", NULL), n++;
	a.target = stub_address("10.1.0.1");
	for (uint16_t at = 0; at < 8; at++) { /* hardware, protocol, lengths, operation */
		arp_write(d, &a);
		d[at] ^= 0x40;
		stub_punt(1, PUNT_ARP_ND, 0, d, sizeof(d)), n++;
	}
	arp_write(d, &a);
	for (uint16_t size = 1; size < ARP_LENGTH; size++)
		stub_punt(1, PUNT_ARP_ND, 0, d, size), n++;
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_MALFORMED), n);

	stub_punt(4, PUNT_ARP_ND, 0, d, sizeof(d)); /* no such wire */
	stub_punt(99, PUNT_ARP_ND, 0, d, sizeof(d));
	stub_punt(0, PUNT_ARP_ND, PKT_V6, d, sizeof(d));
	assert_int_equal(stub_drops(DROP_NO_INTERFACE) + stub_drops(DROP_NEIGHBOUR_MALFORMED), n + 3);
	stub_punt(1, PUNT_ARP_ND, 0, d, 0);
	assert_int_equal(stub_drops(DROP_TRUNCATED), 1);
	assert_int_equal(stub.n_sent, 0);
	assert_int_equal(dataplane_neighbours(&stub.dp, 0, NULL, NULL), 0);
	stub_stop();
}

/* ---- neighbour discovery ---------------------------------------------------------------------------- */

static void
set_checksum(uint8_t *d, uint16_t n)
{
	uint16_t sum;

	d[4] = (uint8_t)((n - 40) >> 8);
	d[5] = (uint8_t)(n - 40);
	memset(d + 42, 0, 2);
	sum = checksum_fold(checksum_add(checksum_pseudo_v6(d + 8, d + 24, n - 40, IPPROTO_ICMPV6), d + 40, n - 40));
	memcpy(d + 42, &sum, 2);
}

static uint16_t
solicit(uint8_t *d, const char *source, const char *target)
{
	struct ip_addr s = stub_address(source), t = stub_address(target), group = nd_solicited_node(&t);

	return (uint16_t)nd_write_solicit(d, &s, &group, &t, &host_mac);
}

static void
nd_is_answered(void **unused)
{
	uint8_t d[128];
	uint16_t n = solicit(d, "2001:db8:1::9", "2001:db8:1::1");
	struct nd p;

	stub_start(64);
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	assert_int_equal(stub.n_sent, 1);
	assert_memory_equal(stub_last()->d, host_mac.b, 6);
	assert_memory_equal(stub_last()->d + 12, "\x86\xdd", 2);
	check_packet(stub_last()->d + 14, stub_last()->n - 14);
	assert_true(nd_read(stub_last()->d + 14, stub_last()->n - 14, &p));
	assert_int_equal(p.type, ND_NEIGHBOUR_ADVERT);
	assert_true(p.solicited && p.override && p.has_mac);
	assert_int_equal(stub_last()->d[14 + 44], 0xe0); /* router, solicited, override */
	assert_memory_equal(p.mac.b, our_mac.b, 6);
	assert_int_equal(p.destination.b[15], 9);
	assert_int_equal(p.target.b[15], 1);
	assert_int_equal(usable(1, "2001:db8:1::9"), NEIGHBOUR_USABLE | neighbour_mac_word(&host_mac));

	/* Link-local to link-local; and without the option: to whom the frame came from. */
	n = solicit(d, "fe80::9", "fe80::ff:fe00:1");
	set_checksum(d, n - 8);
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n - 8);
	assert_int_equal(stub.n_sent, 2);
	assert_memory_equal(stub_last()->d, host_mac.b, 6);
	assert_int_equal(usable(1, "fe80::9"), 0);

	/* Not our address: no answer. */
	n = solicit(d, "2001:db8:1::9", "2001:db8:1::8");
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	assert_int_equal(stub.n_sent, 2);
	assert_int_equal(stub_drops(DROP_HANDLED), 3);
	stub_stop();
}

static void
nd_duplicate_address_detection(void **unused)
{
	uint8_t d[128];
	uint16_t n = solicit(d, "::", "2001:db8:1::1") - 8;
	struct nd p;

	stub_start(64);
	set_checksum(d, n);
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	assert_int_equal(stub.n_sent, 1);
	assert_memory_equal(stub_last()->d, "\x33\x33\0\0\0\x01", 6);
	assert_true(nd_read(stub_last()->d + 14, stub_last()->n - 14, &p));
	assert_false(p.solicited);
	assert_int_equal(p.destination.b[0], 0xff);
	assert_int_equal(exception_stats(stub.dp.exception)->conflicts, 1);

	n = solicit(d, "::", "2001:db8:1::1"); /* with a source MAC: forbidden */
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	n -= 8;
	d[24] = 0x20; /* not to the solicited-node group */
	set_checksum(d, n);
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_MALFORMED), 2);
	stub_stop();
}

/* One flipped bit makes it another packet; only fields no checksum covers may. */
static void
nd_bit_flips(void **unused)
{
	uint8_t good[128], d[128];
	uint16_t n = solicit(good, "2001:db8:1::9", "2001:db8:1::1");
	uint32_t refused = 0;

	stub_start(64);
	for (uint32_t bit = 0; bit < n * 8u; bit++) {
		memcpy(d, good, n);
		d[bit / 8] ^= (uint8_t)(1 << bit % 8);
		stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
		if (bit / 8 >= 4 || d[0] >> 4 != 6)
			refused++;
		assert_int_equal(stub_drops(DROP_NEIGHBOUR_MALFORMED), refused);
	}
	stub_stop();
}

static void
nd_options_garbage(void **unused)
{
	uint8_t d[256];
	struct nd p;
	uint16_t base = solicit(d, "2001:db8:1::9", "2001:db8:1::1") - 8;

	stub_start(64);
	d[base + 1] = 0; /* no length: would loop */
	set_checksum(d, base + 8);
	assert_false(nd_read(d, base + 8, &p));
	d[base + 1] = 2; /* longer than what is there */
	set_checksum(d, base + 8);
	assert_false(nd_read(d, base + 8, &p));
	for (uint16_t tail = 1; tail < 8; tail++) { /* half an option */
		d[base + 1] = 1;
		set_checksum(d, base + tail);
		assert_false(nd_read(d, base + tail, &p));
	}
	memset(d + base, 0, 24); /* an unknown option is skipped */
	d[base] = 200;
	d[base + 1] = 2;
	d[base + 16] = 1;
	d[base + 17] = 1;
	memcpy(d + base + 18, host_mac.b, 6);
	set_checksum(d, base + 24);
	assert_true(nd_read(d, base + 24, &p));
	assert_true(p.has_mac && p.mac.b[5] == 0xcc);
	d[base + 18] |= 1; /* a group is nobody's MAC */
	set_checksum(d, base + 24);
	assert_false(nd_read(d, base + 24, &p));

	for (uint32_t i = 0; i < 100000; i++) {
		uint16_t n = base + (uint16_t)rte_rand_max(64);

		for (uint16_t at = base; at < n; at++)
			d[at] = (uint8_t)rte_rand_max(i % 2 ? 4 : 256);
		set_checksum(d, n);
		stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	}
	stub_stop();
}

static uint16_t
advert(uint8_t *d, const char *source, const char *destination, const char *target, uint8_t flags)
{
	struct ip_addr s = stub_address(source), t = stub_address(target), to = stub_address(destination);
	uint16_t n = (uint16_t)nd_write_advert(d, &to, &t, &host_mac, true);

	memcpy(d + 8, s.b, 16);
	d[44] = flags;
	set_checksum(d, n);
	return n;
}

static void
nd_adverts(void **unused)
{
	struct event e = {.class = PUNT_NEIGHBOUR, .out = 1, .iface = 1};
	uint8_t d[128], packet[40] = {0x60, [6] = IPPROTO_NONE};
	uint16_t n;

	stub_start(64);
	e.address = stub_address("2001:db8:1::9");
	e.m = stub_mbuf(0, packet, sizeof(packet));
	exception_take(&stub.dp, &e);
	n = advert(d, "2001:db8:1::9", "2001:db8:1::1", "2001:db8:1::9", 0x60);
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	assert_int_equal(stub.n_sent, 2);
	assert_memory_equal(stub_last()->d, host_mac.b, 6);
	assert_int_equal(usable(1, "2001:db8:1::9"), NEIGHBOUR_USABLE | neighbour_mac_word(&host_mac));

	n = advert(d, "2001:db8:1::7", "2001:db8:1::1", "2001:db8:1::7", 0x60); /* nobody asked */
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	assert_int_equal(usable(1, "2001:db8:1::7"), 0);
	n = advert(d, "2001:db8:1::9", "ff02::1", "2001:db8:1::9", 0x60); /* solicited to a group */
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	n = advert(d, "2001:db8:2::9", "2001:db8:1::1", "2001:db8:1::9", 0x60); /* off-link */
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	n = advert(d, "2001:db8:1::9", "2001:db8:1::1", "ff02::9", 0x60);
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_MALFORMED), 3);
	n = advert(d, "2001:db8:1::9", "ff02::1", "2001:db8:1::1", 0x20); /* ours! */
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	n = advert(d, "2001:db8:1::1", "ff02::1", "2001:db8:1::9", 0x20);
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, n);
	assert_int_equal(exception_stats(stub.dp.exception)->conflicts, 2);
	stub_stop();
}

static uint16_t
router_solicit(uint8_t *d, const char *source, bool with_mac)
{
	struct ip_addr s = stub_address(source), all_routers = stub_address("ff02::2");
	uint16_t n = with_mac ? 56 : 48;

	memset(d, 0, n);
	d[0] = 0x60;
	d[6] = IPPROTO_ICMPV6;
	d[7] = 255;
	memcpy(d + 8, s.b, 16);
	memcpy(d + 24, all_routers.b, 16);
	d[40] = ND_ROUTER_SOLICIT;
	d[48] = 1;
	d[49] = 1;
	memcpy(d + 50, host_mac.b, 6);
	set_checksum(d, n);
	return n;
}

static void
router_is_found(void **unused)
{
	uint8_t d[64];
	const uint8_t *a;

	stub_start(64);
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, router_solicit(d, "fe80::9", true));
	assert_int_equal(stub.n_sent, 1);
	assert_memory_equal(stub_last()->d, host_mac.b, 6);
	a = stub_last()->d + 14;
	check_packet(a, stub_last()->n - 14);
	assert_int_equal(stub_last()->n - 14, 40 + 16 + 8 + 8 + 32);
	assert_int_equal(a[7], 255);
	assert_memory_equal(a + 8, "\xfe\x80\0\0\0\0\0\0\0\0\0\xff\xfe\0\0\x01", 16);
	assert_memory_equal(a + 40, "\x86\0", 2);
	assert_memory_equal(a + 44, "\x40\0\x07\x08", 4);
	assert_memory_equal(a + 56, "\x01\x01\x02\0\0\0\0\x01\x05\x01\0\0\0\0\x05\xdc\x03\x04\x40\x80", 20);
	assert_memory_equal(a + 72 + 16, stub.iface[1].prefix[1].addr.b, 16);

	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, router_solicit(d, "::", false));
	assert_int_equal(stub.n_sent, 2);
	assert_memory_equal(stub_last()->d, "\x33\x33\0\0\0\x01", 6);
	stub_punt(1, PUNT_ARP_ND, PKT_V6, d, router_solicit(d, "::", true));
	assert_int_equal(stub_drops(DROP_NEIGHBOUR_MALFORMED), 1);
	stub_punt(2, PUNT_ARP_ND, PKT_V6, d, router_solicit(d, "fe80::9", true)); /* IPv4 only */
	stub_punt(3, PUNT_ARP_ND, PKT_V6, d, router_solicit(d, "fe80::9", true)); /* an uplink has its own router */
	assert_int_equal(stub.n_sent, 2);
	stub_stop();
}

/* ---- echo ------------------------------------------------------------------------------------------- */

static uint16_t
echo_v4(uint8_t *d, uint16_t options, uint16_t payload)
{
	uint16_t header = 20 + options, n = header + 8 + payload, sum;
	static const uint8_t addresses[8] = {10, 1, 0, 9, 10, 1, 0, 1};

	memset(d, 1, n); /* options of ones are no-operations */
	memset(d, 0, 20);
	d[0] = (uint8_t)(0x40 | header / 4);
	d[1] = 0x28;
	d[2] = (uint8_t)(n >> 8);
	d[3] = (uint8_t)n;
	d[8] = 7;
	d[9] = IPPROTO_ICMP;
	memcpy(d + 12, addresses, 8);
	sum = checksum(d, header);
	memcpy(d + 10, &sum, 2);
	memset(d + header, 0, 8);
	d[header] = 8;
	d[header + 5] = 77;
	sum = checksum(d + header, n - header);
	memcpy(d + header + 2, &sum, 2);
	return n;
}

static void
echo_is_answered(void **unused)
{
	uint8_t d[1600];

	stub_start(64);
	for (uint16_t options = 0; options <= 40; options += 4)
		for (uint16_t payload = 0; payload < 1400; payload += 467) {
			uint16_t n = echo_v4(d, options, payload), want = 28 + payload;
			const uint8_t *a;

			stub_punt(1, PUNT_ECHO, 0, d, n + 9); /* link padding behind */
			assert_false(stub_last()->frame);
			assert_int_equal(stub_last()->iface, 1);
			assert_int_equal(stub_last()->n, want);
			a = stub_last()->d;
			check_packet(a, want);
			assert_memory_equal(a, "\x45\x28", 2);
			assert_int_equal(a[8], 64);
			assert_memory_equal(a + 12, "\x0a\x01\0\x01\x0a\x01\0\x09\0\0", 10);
			assert_int_equal(a[25], 77);
			assert_memory_equal(a + 28, d + 28 + options, payload);
		}
	assert_int_equal(exception_stats(stub.dp.exception)->echo_answers, stub.n_sent);
	assert_int_equal(stub_drops(DROP_HANDLED), 0);
	stub_stop();
}

static void
echo_v6_is_answered(void **unused)
{
	struct ip_addr from = stub_address("2001:db8:9::9"), to = stub_address("2001:db8:1::1");
	uint8_t d[40 + 8 + 64] = {0x60};
	const uint8_t *a;
	uint16_t sum;

	stub_start(64);
	d[5] = 8 + 64; /* destination options, then echo */
	d[6] = IPPROTO_DSTOPTS;
	d[7] = 3;
	memcpy(d + 8, from.b, 16);
	memcpy(d + 24, to.b, 16);
	d[40] = IPPROTO_ICMPV6;
	d[48] = 128;
	d[53] = 99;
	sum = checksum_fold(checksum_add(checksum_pseudo_v6(from.b, to.b, 64, IPPROTO_ICMPV6), d + 48, 64));
	memcpy(d + 50, &sum, 2);
	stub_punt(1, PUNT_ECHO, PKT_V6, d, sizeof(d));
	assert_int_equal(stub_last()->n, 40 + 64);
	a = stub_last()->d;
	check_packet(a, 104);
	assert_int_equal(a[6], IPPROTO_ICMPV6);
	assert_int_equal(a[40], 129);
	assert_int_equal(a[45], 99);
	assert_memory_equal(a + 8, to.b, 16);
	assert_memory_equal(a + 24, from.b, 16);
	stub_stop();
}

static void
echo_refused(void **unused)
{
	uint8_t d[128];
	uint16_t n;

	stub_start(64);
	n = echo_v4(d, 0, 20);
	d[30] ^= 1;
	stub_punt(1, PUNT_ECHO, 0, d, n);
	assert_int_equal(stub_drops(DROP_L4_CHECKSUM), 1);
	n = echo_v4(d, 0, 20);
	d[6] = 0x20; /* a fragment */
	stub_punt(1, PUNT_ECHO, 0, d, n);
	n = echo_v4(d, 0, 20);
	d[20] = 0; /* a reply */
	stub_punt(1, PUNT_ECHO, 0, d, n);
	n = echo_v4(d, 0, 20);
	d[9] = 17;
	stub_punt(1, PUNT_ECHO, 0, d, n);
	assert_int_equal(stub_drops(DROP_NOT_FOR_US), 3);
	n = echo_v4(d, 0, 20);
	d[16] = 239;
	stub_punt(1, PUNT_ECHO, 0, d, n);
	n = echo_v4(d, 0, 20);
	memset(d + 12, 0, 4);
	stub_punt(1, PUNT_ECHO, 0, d, n);
	assert_int_equal(stub_drops(DROP_BAD_ADDRESS), 2);
	n = echo_v4(d, 0, 20);
	d[3] = 24;
	stub_punt(1, PUNT_ECHO, 0, d, n);
	assert_int_equal(stub_drops(DROP_L4_TRUNCATED), 1);
	stub_punt(1, PUNT_ECHO, 0, d, 23);
	assert_int_equal(stub_drops(DROP_TRUNCATED), 1);
	assert_int_equal(stub.n_sent, 0);
	stub_stop();
}

/* ---- ICMP errors ---------------------------------------------------------------------------------------- */

static uint8_t offender4[1480], offender6[1480];

static void
make_offenders(void)
{
	static const uint8_t head[20] = {
		0x45, 0, 1480 >> 8, 1480 & 0xff, 0, 1, 0, 0, 1, 17, 0, 0, 10, 1, 0, 9, 10, 2, 0, 9};
	struct ip_addr from = stub_address("2001:db8:1::9"), to = stub_address("2001:db8:2::9");

	memset(offender4, 0x5a, sizeof(offender4));
	memcpy(offender4, head, sizeof(head));
	memset(offender6, 0xa5, sizeof(offender6));
	memset(offender6, 0, 40);
	offender6[0] = 0x60;
	offender6[4] = 1440 >> 8;
	offender6[5] = 1440 & 0xff;
	offender6[6] = 17;
	memcpy(offender6 + 8, from.b, 16);
	memcpy(offender6 + 24, to.b, 16);
}

/* How many errors it made. */
static uint32_t
error_at(uint16_t iface, enum drop_reason reason, const uint8_t *d, uint16_t n, uint16_t mtu)
{
	struct event e = {.class = PUNT_ICMP_ERROR, .iface = iface, .l3_off = 18, .reason = reason, .mtu = mtu};
	uint64_t before = stub_drops(reason);
	uint32_t sent = stub.n_sent;

	e.m = stub_mbuf(18, d, n);
	exception_take(&stub.dp, &e);
	assert_int_equal(stub_drops(reason), before + 1);
	return stub.n_sent - sent;
}

static void
errors_by_reason(void **unused)
{
	static const struct {
		enum drop_reason reason;
		int type4, code4, type6, code6;
	} want[] = {
		{DROP_TTL_EXPIRED, 11, 0, 3, 0},
		{DROP_MTU_EXCEEDED, 3, 4, 2, 0},
		{DROP_NO_ROUTE, 3, 0, 1, 0},
		{DROP_ROUTE_INVALID, 3, 0, 1, 0},
		{DROP_NO_INTERNET, 3, 0, 1, 0},
		{DROP_NO_GATEWAY, 3, 0, 1, 0},
		{DROP_CLIENT_UNKNOWN, 3, 1, 1, 3},
		{DROP_SUBNET_NOT_ATTACHED, 3, 0, 1, 0},
		{DROP_NEIGHBOUR_UNRESOLVED, 3, 1, 1, 3},
		{DROP_NOT_FOR_US, 3, 3, 1, 4},
	};

	stub_start(64);
	make_offenders();
	for (enum drop_reason r = 0; r < DROP_REASON_COUNT; r++) {
		int at = -1;

		for (unsigned i = 0; i < RTE_DIM(want); i++)
			if (want[i].reason == r)
				at = (int)i;
		assert_int_equal(error_at(1, r, offender4, sizeof(offender4), 1400), at >= 0);
		if (at >= 0) {
			const uint8_t *d = stub_last()->d;
			struct ip_summary ip = check_packet(d, stub_last()->n);

			assert_int_equal(stub_last()->iface, 1);
			assert_int_equal(ip.length, 576);
			assert_int_equal(d[20], want[at].type4);
			assert_int_equal(d[21], want[at].code4);
			assert_int_equal(d[26] << 8 | d[27], r == DROP_MTU_EXCEEDED ? 1400 : 0);
			assert_memory_equal(d + 28, offender4, 548);
			assert_memory_equal(d + 12, "\x0a\x01\0\x01\x0a\x01\0\x09", 8);
		}
		assert_int_equal(error_at(1, r, offender6, sizeof(offender6), 1300), at >= 0);
		if (at >= 0) {
			const uint8_t *d = stub_last()->d;
			struct ip_summary ip = check_packet(d, stub_last()->n);

			assert_int_equal(ip.length, 1280);
			assert_int_equal(d[40], want[at].type6);
			assert_int_equal(d[41], want[at].code6);
			assert_int_equal(d[46] << 8 | d[47], r == DROP_MTU_EXCEEDED ? 1300 : 0);
			assert_memory_equal(d + 48, offender6, 1232);
			assert_memory_equal(d + 8, stub.iface[1].address[1].b, 16);
			assert_memory_equal(d + 24, offender6 + 8, 16);
		}
	}
	assert_int_equal(error_at(1, DROP_TTL_EXPIRED, offender4, 1480, 0), 1);
	stub_stop();
}

/* A packet out of a tunnel entered at an interface without addresses. */
static void
error_from_gateway(void **unused)
{
	stub_start(64);
	make_offenders();
	assert_int_equal(error_at(4, DROP_TTL_EXPIRED, offender4, 1480, 0), 1);
	assert_int_equal(stub_last()->iface, 4);
	assert_memory_equal(stub_last()->d + 12, "\x0a\x01\0\x01", 4);
	stub.iface[4].vnet = 8; /* a VNet without a subnet of ours */
	assert_int_equal(error_at(4, DROP_TTL_EXPIRED, offender4, 1480, 0), 0);
	assert_int_equal(error_at(0, DROP_TTL_EXPIRED, offender4, 1480, 0), 0);
	stub_stop();
}

static void
errors_never_about(void **unused)
{
	static const struct {
		uint16_t at;
		uint8_t value[4], n;
	} wrong4[] = {
		{6, {0, 1}, 2}, /* a later fragment */
		{16, {224, 0, 0, 5}, 4},
		{16, {255, 255, 255, 255}, 4},
		{16, {10, 1, 0, 255}, 4},
		{12, {0, 0, 0, 0}, 4},
		{12, {0, 1, 2, 3}, 4},
		{12, {127, 0, 0, 1}, 4},
		{12, {255, 255, 255, 255}, 4},
		{12, {224, 1, 1, 1}, 4},
		{12, {10, 1, 0, 255}, 4},
		{12, {10, 1, 0, 1}, 4}, /* ourselves */
		{0, {0x44}, 1},
		{0, {0x4f}, 1},
		{2, {0xff, 0xff}, 2},
	};
	static const uint8_t error_types4[] = {3, 4, 5, 11, 12}, error_types6[] = {1, 2, 3, 4, 127, 137};
	uint8_t d[100];

	stub_start(64);
	make_offenders();
	for (unsigned i = 0; i < RTE_DIM(wrong4); i++) {
		memcpy(d, offender4, sizeof(d));
		d[2] = 0;
		d[3] = 40;
		memcpy(d + wrong4[i].at, wrong4[i].value, wrong4[i].n);
		assert_int_equal(error_at(1, DROP_NO_ROUTE, d, 40, 0), 0);
	}
	memcpy(d, offender4, sizeof(d));
	d[2] = 0;
	d[3] = 100;
	d[9] = IPPROTO_ICMP;
	for (unsigned i = 0; i < RTE_DIM(error_types4); i++) {
		d[20] = error_types4[i];
		assert_int_equal(error_at(1, DROP_NO_ROUTE, d, 100, 0), 0);
	}
	d[20] = 8;
	assert_int_equal(error_at(1, DROP_NO_ROUTE, d, 100, 0), 1);
	d[9] = 6; /* a closed TCP port is not told */
	assert_int_equal(error_at(1, DROP_NOT_FOR_US, d, 100, 0), 0);

	memcpy(d, offender6, sizeof(d));
	d[4] = 0;
	d[5] = 60;
	d[6] = IPPROTO_ICMPV6;
	for (unsigned i = 0; i < RTE_DIM(error_types6); i++) {
		d[40] = error_types6[i];
		assert_int_equal(error_at(1, DROP_NO_ROUTE, d, 100, 0), 0);
	}
	d[40] = 128;
	assert_int_equal(error_at(1, DROP_NO_ROUTE, d, 100, 0), 1);
	d[24] = 0xff;
	assert_int_equal(error_at(1, DROP_NO_ROUTE, d, 100, 0), 0);
	memset(d + 24, 0x20, 16);
	memset(d + 8, 0, 16);
	assert_int_equal(error_at(1, DROP_NO_ROUTE, d, 100, 0), 0);
	d[23] = 1;
	assert_int_equal(error_at(1, DROP_NO_ROUTE, d, 100, 0), 0);
	stub_stop();
}

static void
errors_are_limited(void **unused)
{
	uint32_t sent = 0;
	uint64_t start = clock_boot_ns(), took_ms;

	stub_start(64);
	make_offenders();
	for (int i = 0; i < 2000; i++)
		sent += error_at(1, DROP_NO_ROUTE, offender4, sizeof(offender4), 0);
	took_ms = (clock_boot_ns() - start) / 1000000;
	assert_in_range(sent, 200, 201 + took_ms);
	assert_int_equal(exception_stats(stub.dp.exception)->icmp_errors, sent);
	assert_int_equal(exception_stats(stub.dp.exception)->icmp_errors_limited, 2000 - sent);
	stub_stop();
}

/* Nothing listens: UDP is told, everything is dropped by name. */
static void
local_packets(void **unused)
{
	uint8_t d[40];

	stub_start(64);
	make_offenders();
	memcpy(d, offender4, sizeof(d));
	d[2] = 0;
	d[3] = 40;
	stub_punt(3, PUNT_LOCAL, 0, d, sizeof(d));
	assert_int_equal(stub.n_sent, 1);
	assert_memory_equal(stub_last()->d + 20, "\x03\x03", 2);
	d[9] = 50;
	stub_punt(3, PUNT_LOCAL, 0, d, sizeof(d));
	assert_int_equal(stub.n_sent, 1);
	assert_int_equal(stub_drops(DROP_NOT_FOR_US), 2);
	stub_stop();
}

/* ---- garbage ---------------------------------------------------------------------------------------------- */

static void
random_events(void **unused)
{
	uint64_t taken = 0, dropped = 0;
	uint8_t d[256];

	stub_start(256);
	make_offenders();
	for (uint32_t i = 0; i < 300000; i++) {
		struct event e = {.class = (uint8_t)rte_rand_max(PUNT_CLASS_COUNT + 1),
			.reason = (uint8_t)rte_rand_max(DROP_REASON_COUNT),
			.iface = (uint16_t)rte_rand_max(rte_rand_max(2) ? 5 : 65536),
			.out = (uint16_t)rte_rand_max(5),
			.l3_off = (uint16_t)rte_rand_max(rte_rand_max(2) ? 20 : 65536),
			.flags = (uint16_t)rte_rand()};
		uint16_t n = (uint16_t)rte_rand_max(sizeof(d));

		for (uint16_t at = 0; at < n; at++)
			d[at] = (uint8_t)rte_rand();
		if (i % 2) { /* near to sound packets */
			n = i % 4 == 1 ? echo_v4(d, 4 * (uint16_t)rte_rand_max(10), (uint16_t)rte_rand_max(60))
				       : solicit(d, "2001:db8:1::9", "2001:db8:1::1");
			for (int k = 0; k < 3; k++)
				d[rte_rand_max(n)] = (uint8_t)rte_rand();
		}
		e.address.family = rte_rand_max(2) ? IP_V4 : IP_V6;
		memcpy(e.address.b, rte_rand_max(2) ? (uint8_t[4]){10, 1, 0, (uint8_t)i} : d, 4);
		e.m = stub_mbuf(0, d, n);
		exception_take(&stub.dp, &e);
		taken++;
		if (i % 64 == 0)
			stub_pass(10);
	}
	stub_pass(8000);
	for (int r = 0; r < DROP_REASON_COUNT; r++)
		dropped += stub.dp.drops[r];
	assert_int_equal(taken, dropped + exception_stats(stub.dp.exception)->echo_answers);
	assert_int_equal(rte_mempool_in_use_count(stub.dp.pool), 0);
	stub_stop();
}

/* No buffers left: nothing crashes, what came is still counted. */
static void
pool_is_empty(void **unused)
{
	static struct rte_mbuf *all[STUB_MBUFS];
	struct event e = {.class = PUNT_ARP_ND, .iface = 1, .l3_off = 14};
	struct arp a = {.request = true, .sender_mac = host_mac};
	uint8_t d[ARP_LENGTH];
	uint32_t n = 0;

	stub_start(64);
	a.sender = stub_address("10.1.0.9");
	a.target = stub_address("10.1.0.1");
	arp_write(d, &a);
	e.m = stub_mbuf(14, d, sizeof(d));
	while ((all[n] = rte_pktmbuf_alloc(stub.dp.pool)))
		n++;
	exception_take(&stub.dp, &e);
	assert_int_equal(stub.n_sent, 0);
	assert_int_equal(stub_drops(DROP_NO_BUFFER), 1);
	assert_int_equal(stub_drops(DROP_HANDLED), 1);
	while (n > 0)
		rte_pktmbuf_free(all[--n]);
	stub_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp_is_answered),
		cmocka_unit_test(arp_probe_is_answered_not_learned),
		cmocka_unit_test(arp_others_change_what_we_know),
		cmocka_unit_test(arp_reply_resolves),
		cmocka_unit_test(arp_conflicts),
		cmocka_unit_test(arp_refused),
		cmocka_unit_test(nd_is_answered),
		cmocka_unit_test(nd_duplicate_address_detection),
		cmocka_unit_test(nd_bit_flips),
		cmocka_unit_test(nd_options_garbage),
		cmocka_unit_test(nd_adverts),
		cmocka_unit_test(router_is_found),
		cmocka_unit_test(echo_is_answered),
		cmocka_unit_test(echo_v6_is_answered),
		cmocka_unit_test(echo_refused),
		cmocka_unit_test(errors_by_reason),
		cmocka_unit_test(error_from_gateway),
		cmocka_unit_test(errors_never_about),
		cmocka_unit_test(errors_are_limited),
		cmocka_unit_test(local_packets),
		cmocka_unit_test(random_events),
		cmocka_unit_test(pool_is_empty),
	};
	int failed;

	if (test_eal_start("exception") != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	test_eal_stop();
	return failed;
}
