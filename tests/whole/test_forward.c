/* One VNet, two subnets: what a gateway owes its hosts, and what it refuses. */
#include "whole.h"

#include <rte_ip.h>

#include <netinet/in.h>

static const char lab[] = "appliance:\n"
			  "  name: lab\n"
			  "  ports:\n"
			  "    - {name: p0, driver: ring}\n"
			  "    - {name: p1, driver: ring}\n"
			  "  attachments:\n"
			  "    - {subnet: v/a, port: p0}\n"
			  "    - {subnet: v/b, port: p1, vlan: 20}\n"
			  "virtualNetworks:\n"
			  "  - name: v\n"
			  "    addressSpace: {addressPrefixes: [10.0.0.0/16, 'fd00::/48']}\n"
			  "    subnets:\n"
			  "      - {name: a, addressPrefixes: [10.0.1.0/24, 'fd00:0:0:1::/64']}\n"
			  "      - {name: b, addressPrefixes: [10.0.2.0/24, 'fd00:0:0:2::/64']}\n"
			  "      - {name: elsewhere, addressPrefix: 10.0.3.0/24}\n"
			  "networkInterfaces:\n"
			  "  - name: ha\n"
			  "    macAddress: 02-00-00-00-01-10\n"
			  "    ipConfigurations:\n"
			  "      - {name: c4, privateIPAddress: 10.0.1.10, subnet: v/a}\n"
			  "      - {name: c6, privateIPAddress: 'fd00:0:0:1::10', subnet: v/a}\n"
			  "  - name: hb\n"
			  "    macAddress: 02-00-00-00-02-10\n"
			  "    ipConfigurations:\n"
			  "      - {name: c4, privateIPAddress: 10.0.2.10, subnet: v/b}\n"
			  "      - {name: c6, privateIPAddress: 'fd00:0:0:2::10', subnet: v/b}\n";

#define A_TO_B                                                                                                         \
	.port = "p0", .smac = "02:00:00:00:01:10", .src = "10.0.1.10", .dst = "10.0.2.10", .sport = 1000, .dport = 2000
#define A_TO_B6                                                                                                        \
	.port = "p0", .smac = "02:00:00:00:01:10", .src = "fd00:0:0:1::10", .dst = "fd00:0:0:2::10", .sport = 1000,    \
	.dport = 2000

static void
forwards_between_subnets_and_vlans(void **state)
{
	struct rte_mbuf *m;
	uint8_t *frame, *l3;
	uint16_t size;

	whole_start(lab);
	m = expect_forward(&(struct pkt){A_TO_B, .ttl = 9, .payload = 100}, "p1");
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	assert_memory_equal(frame, "\x02\0\0\0\x02\x10", 6);
	assert_memory_equal(frame + 6, port_caps(1)->mac.b, 6);
	assert_memory_equal(frame + 12, "\x81\0\0\x14\x08\0", 6);
	l3 = frame_l3(m, &size);
	assert_int_equal(size, 128);
	assert_int_equal(l3[8], 8);
	rte_pktmbuf_free(m);

	m = expect_forward(&(struct pkt){.port = "p1", .vlan = 20, .src = "10.0.2.10", .dst = "10.0.1.10"}, "p0");
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, 12), "\x08\0", 2);
	rte_pktmbuf_free(m);
	whole_stop();
}

static void
forwards_ipv6(void **state)
{
	struct rte_mbuf *m;
	uint16_t size;

	whole_start(lab);
	m = expect_forward(&(struct pkt){A_TO_B6, .ttl = 5}, "p1");
	assert_int_equal(frame_l3(m, &size)[7], 4);
	rte_pktmbuf_free(m);
	whole_stop();
}

static void
link_padding_does_not_travel(void **state)
{
	struct rte_mbuf *m;
	uint16_t size;

	whole_start(lab);
	m = pkt_build(&(struct pkt){A_TO_B});
	assert_non_null(rte_pktmbuf_append(m, 18));
	pkt_inject("p0", m);
	whole_settle();
	m = port_out("p1");
	assert_non_null(m);
	frame_l3(m, &size);
	assert_int_equal(size, 28);
	rte_pktmbuf_free(m);
	whole_stop();
}

static void
refuses_foreign_and_martian_addresses(void **state)
{
	whole_start(lab);
	expect_drop(&(struct pkt){.port = "p0", .src = "10.0.2.99", .dst = "10.0.2.10"}, DROP_SOURCE_CHECK, "v/a");
	expect_drop(&(struct pkt){.port = "p0", .src = "192.0.2.1", .dst = "10.0.2.10"}, DROP_SOURCE_CHECK, "v/a");
	expect_drop(
		&(struct pkt){.port = "p0", .src = "fd00:0:0:2::9", .dst = "fd00:0:0:2::10"}, DROP_SOURCE_CHECK, "v/a");
	expect_drop(&(struct pkt){.port = "p0", .src = "127.0.0.1", .dst = "10.0.2.10"}, DROP_BAD_ADDRESS, NULL);
	expect_drop(&(struct pkt){.port = "p0", .src = "0.0.0.0", .dst = "10.0.2.10"}, DROP_BAD_ADDRESS, NULL);
	expect_drop(&(struct pkt){.port = "p0", .src = "10.0.1.0", .dst = "10.0.2.10"}, DROP_BAD_ADDRESS, NULL);
	expect_drop(&(struct pkt){.port = "p0", .src = "10.0.1.255", .dst = "10.0.2.10"}, DROP_BAD_ADDRESS, NULL);
	expect_drop(&(struct pkt){.port = "p0", .src = "10.0.1.10", .dst = "224.0.0.5"}, DROP_BAD_ADDRESS, NULL);
	expect_drop(&(struct pkt){.port = "p0", .src = "10.0.1.10", .dst = "255.255.255.255"}, DROP_BAD_ADDRESS, NULL);
	expect_drop(&(struct pkt){.port = "p0", .src = "fe80::1", .dst = "fd00:0:0:2::10"}, DROP_BAD_ADDRESS, NULL);
	expect_drop(&(struct pkt){.port = "p0", .src = "::1", .dst = "fd00:0:0:2::10"}, DROP_BAD_ADDRESS, NULL);
	whole_stop();
}

static void
refuses_wrong_frames(void **state)
{
	struct rte_mbuf *m;

	whole_start(lab);
	expect_drop(&(struct pkt){A_TO_B, .dmac = "02:00:00:00:00:77"}, DROP_NOT_OUR_MAC, NULL);
	expect_drop(&(struct pkt){A_TO_B, .vlan = 7}, DROP_NO_INTERFACE, NULL);
	expect_drop(&(struct pkt){A_TO_B, .bad_checksum = true}, DROP_IP_CHECKSUM, NULL);

	m = pkt_build(&(struct pkt){A_TO_B});
	rte_pktmbuf_mtod(m, uint8_t *)[12] = 0x88;
	pkt_inject("p0", m);
	whole_settle();
	assert_int_equal(drops_of(DROP_ETHERTYPE), 1);

	m = pkt_build(&(struct pkt){A_TO_B, .payload = 64});
	assert_int_equal(rte_pktmbuf_trim(m, 40), 0);
	pkt_inject("p0", m);
	whole_settle();
	assert_int_equal(drops_of(DROP_TRUNCATED), 1);

	m = pkt_build(&(struct pkt){A_TO_B});
	rte_pktmbuf_mtod(m, uint8_t *)[14] = 0x65;
	pkt_inject("p0", m);
	whole_settle();
	assert_int_equal(drops_of(DROP_IP_VERSION) + drops_of(DROP_TRUNCATED), 2);
	whole_stop();
}

static void
expect_unreachable(const char *to, enum drop_reason reason)
{
	uint64_t before = drops_of(reason);
	struct rte_mbuf *m;
	uint16_t size;
	uint8_t *l3;

	pkt_send(&(struct pkt){.port = "p0", .smac = "02:00:00:00:01:10", .src = "10.0.1.10", .dst = to, .payload = 8});
	m = port_out("p0");
	assert_non_null(m);
	l3 = frame_l3(m, &size);
	assert_memory_equal(l3 + 12, "\x0a\0\x01\x01\x0a\0\x01\x0a", 8);
	assert_memory_equal(l3 + 20, "\x03\0", 2); /* network unreachable */
	rte_pktmbuf_free(m);
	assert_int_equal(drops_of(reason), before + 1);
}

/* The sender hears of a destination that cannot be reached, not of one that somebody wants dropped. */
static void
names_why_there_is_no_way(void **state)
{
	whole_start(lab);
	expect_unreachable("10.0.3.10", DROP_SUBNET_NOT_ATTACHED);
	expect_unreachable("10.0.99.1", DROP_SUBNET_NOT_ATTACHED);
	expect_unreachable("8.8.8.8", DROP_NO_INTERNET);
	expect_drop(&(struct pkt){.port = "p0", .src = "10.0.1.10", .dst = "192.168.1.1"}, DROP_ROUTE_NONE, NULL);
	whole_stop();
}

/* The gateway answers echo; a hop limit that ends here is told to the sender. */
static void
answers_echo_and_tells_of_expired_ttl(void **state)
{
	struct rte_mbuf *m;
	uint16_t size;
	uint8_t *l3;

	whole_start(lab);
	pkt_send(&(struct pkt){.port = "p0",
		.smac = "02:00:00:00:01:10",
		.src = "10.0.1.10",
		.dst = "10.0.1.1",
		.protocol = IPPROTO_ICMP,
		.icmp_type = 8,
		.sport = 77,
		.payload = 32});
	m = port_out("p0");
	assert_non_null(m);
	l3 = frame_l3(m, &size);
	assert_memory_equal(l3 + 12, "\x0a\0\x01\x01\x0a\0\x01\x0a", 8);
	assert_int_equal(l3[20], 0);
	assert_int_equal(rte_raw_cksum(l3 + 20, size - 20), 0xffff);
	rte_pktmbuf_free(m);

	pkt_send(&(struct pkt){A_TO_B, .ttl = 1, .payload = 8});
	m = port_out("p0");
	assert_non_null(m);
	l3 = frame_l3(m, &size);
	assert_int_equal(l3[20], 11);
	assert_memory_equal(l3 + 28 + 12, "\x0a\0\x01\x0a\x0a\0\x02\x0a", 8);
	rte_pktmbuf_free(m);

	pkt_send(&(struct pkt){A_TO_B6, .ttl = 1, .payload = 8});
	m = port_out("p0");
	assert_non_null(m);
	l3 = frame_l3(m, &size);
	assert_int_equal(l3[40], 3);
	rte_pktmbuf_free(m);
	whole_stop();
}

/* Too large for the way on: the sender is told the MTU, or the packet is split where that is allowed. */
static void
splits_or_tells_the_mtu(void **state)
{
	static char yaml[sizeof(lab) + 64];
	struct rte_mbuf *m;
	uint16_t size, total = 0;
	uint8_t *l3;

	snprintf(yaml, sizeof(yaml), "%s", lab);
	memcpy(strstr(yaml, "{name: p1, driver: ring}"), "{name: p1, driver: ring,", 24);
	{
		char *at = strstr(yaml, "driver: ring,") + 13;
		static char tail[sizeof(lab)];

		snprintf(tail, sizeof(tail), "%s", at);
		snprintf(at, sizeof(yaml) - (size_t)(at - yaml), " mtu: 1300}%s", tail);
	}
	whole_start(yaml);
	pkt_send(&(struct pkt){A_TO_B, .df = true, .payload = 1400});
	m = port_out("p0");
	assert_non_null(m);
	l3 = frame_l3(m, &size);
	assert_int_equal(l3[20], 3);
	assert_int_equal(l3[21], 4);
	assert_int_equal(l3[26] << 8 | l3[27], 1300);
	rte_pktmbuf_free(m);

	pkt_send(&(struct pkt){A_TO_B, .payload = 1400});
	while ((m = port_out("p1")) != NULL) {
		l3 = frame_l3(m, &size);
		assert_true(size <= 1300);
		assert_int_equal(rte_raw_cksum(l3, 20), 0xffff);
		total += size - 20;
		rte_pktmbuf_free(m);
	}
	assert_int_equal(total, 1408);
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(forwards_between_subnets_and_vlans, whole_teardown),
		cmocka_unit_test_teardown(forwards_ipv6, whole_teardown),
		cmocka_unit_test_teardown(link_padding_does_not_travel, whole_teardown),
		cmocka_unit_test_teardown(refuses_foreign_and_martian_addresses, whole_teardown),
		cmocka_unit_test_teardown(refuses_wrong_frames, whole_teardown),
		cmocka_unit_test_teardown(names_why_there_is_no_way, whole_teardown),
		cmocka_unit_test_teardown(answers_echo_and_tells_of_expired_ttl, whole_teardown),
		cmocka_unit_test_teardown(splits_or_tells_the_mtu, whole_teardown),
	};

	return WHOLE_RUN("forward", tests);
}
