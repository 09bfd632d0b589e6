/* Two workers on ports with one queue: software RSS spreads flows, both directions of a conversation
 * meet at one worker, a flow keeps its order, tunnel packets go by their SPI, and frames of either worker
 * leave through the one transmit queue.
 */
#include "whole.h"

#include "dataplane/worker.h"

#include <rte_tcp.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const char lab[] = "appliance:\n"
			  "  name: lab\n"
			  "  workers: 2\n"
			  "  ports: [{name: pa, driver: ring, queues: 1}, {name: pb, driver: ring, queues: 1}, "
			  "{name: w, driver: ring, queues: 1}]\n"
			  "  attachments: [{subnet: v/a, port: pa}, {subnet: v/b, port: pb}]\n"
			  "  uplinks: [{name: u, port: w, addresses: [192.0.2.1/24], gateway: 192.0.2.254}]\n"
			  "virtualNetworks:\n"
			  "  - name: v\n"
			  "    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
			  "    subnets:\n"
			  "      - {name: a, addressPrefix: 10.0.1.0/24}\n"
			  "      - {name: b, addressPrefix: 10.0.2.0/24, networkSecurityGroup: {id: quiet}}\n"
			  "networkSecurityGroups:\n"
			  "  - name: quiet\n"
			  "    securityRules:\n"
			  "      - {name: nothing-out, priority: 100, direction: Outbound, access: Deny, protocol: "
			  "'*', sourceAddressPrefix: '*', "
			  "sourcePortRange: '*', destinationAddressPrefix: '*', destinationPortRange: '*'}\n"
			  "networkInterfaces:\n"
			  "  - {name: ha, macAddress: 02-00-00-00-0a-10, ipConfigurations: [{name: c, "
			  "privateIPAddress: 10.0.1.10, subnet: v/a}]}\n"
			  "  - {name: hb, macAddress: 02-00-00-00-0b-10, ipConfigurations: [{name: c, "
			  "privateIPAddress: 10.0.2.10, subnet: v/b}]}\n";

static void
one_queue_feeds_two_workers(void **state)
{
	struct worker_stats s[2];

	whole_start(lab);
	for (uint16_t port = 1000; port < 1200; port++) {
		expect_forwarded(&(struct pkt){.port = "pa",
					 .src = "10.0.1.10",
					 .dst = "10.0.2.10",
					 .protocol = IPPROTO_TCP,
					 .sport = port,
					 .dport = 80,
					 .tcp_flags = RTE_TCP_SYN_FLAG},
			"pb");
		/* a reply passes only where its flow is known, whichever worker it comes to */
		expect_forwarded(&(struct pkt){.port = "pb",
					 .src = "10.0.2.10",
					 .dst = "10.0.1.10",
					 .protocol = IPPROTO_TCP,
					 .sport = 80,
					 .dport = port,
					 .tcp_flags = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG},
			"pa");
	}
	for (uint16_t i = 0; i < 2; i++) {
		dataplane_worker_stats(whole_dataplane(), i, &s[i]);
		assert_true(s[i].tx_packets > 100);
	}
	whole_stop();
}

/* Flows in turn, several bursts at once: each leaves in its order, and both workers have carried some. */
static void
flows_keep_their_order(void **state)
{
	enum { FLOWS = 20, EACH = 15 };
	uint16_t next[FLOWS] = {0};
	struct rte_mbuf *m;
	struct worker_stats s;

	whole_start(lab);
	for (uint16_t i = 0; i < FLOWS * EACH; i++)
		pkt_inject("pa", pkt_build(&(struct pkt){.port = "pa",
					 .src = "10.0.1.10",
					 .dst = "10.0.2.10",
					 .sport = 2000 + i % FLOWS,
					 .dport = 7,
					 .id = i / FLOWS}));
	whole_settle();
	whole_settle();
	while ((m = port_out("pb")) != NULL) {
		uint16_t size, flow;
		uint8_t *l3 = frame_l3(m, &size);

		flow = (uint16_t)(l3[20] << 8 | l3[21]) - 2000;
		assert_true(flow < FLOWS);
		assert_int_equal(l3[4] << 8 | l3[5], next[flow]++);
		rte_pktmbuf_free(m);
	}
	for (uint16_t flow = 0; flow < FLOWS; flow++)
		assert_int_equal(next[flow], EACH);
	for (uint16_t i = 0; i < 2; i++) {
		dataplane_worker_stats(whole_dataplane(), i, &s);
		assert_true(s.tx_packets >= 4 * EACH);
	}
	whole_stop();
}

/* A packet of the SA, in UDP or not, with some outer source: which worker met it? Nobody has such an SA. */
static uint16_t
worker_of_spi(uint32_t spi, bool udp, const char *peer)
{
	uint64_t before = whole_dataplane()->worker[1]->drops[DROP_ESP_SPI_UNKNOWN];
	struct pkt p = {.port = "w", .src = peer, .dst = "192.0.2.1", .payload = 64};
	uint32_t be = rte_cpu_to_be_32(spi);
	struct rte_mbuf *m;

	p.protocol = udp ? IPPROTO_UDP : IPPROTO_ESP;
	p.sport = p.dport = 4500;
	m = pkt_build(&p);
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 20 + (udp ? 8 : 0)), &be, 4);
	pkt_inject("w", m);
	whole_settle();
	return (uint16_t)(whole_dataplane()->worker[1]->drops[DROP_ESP_SPI_UNKNOWN] - before);
}

static void
tunnel_packets_go_by_their_spi(void **state)
{
	uint32_t second = 0;

	whole_start(lab);
	for (uint32_t spi = 0x1000; spi < 0x1040; spi++) {
		uint16_t worker = worker_of_spi(spi, false, "192.0.2.9");

		assert_int_equal(worker_of_spi(spi, true, "192.0.2.9"), worker);
		assert_int_equal(worker_of_spi(spi, false, "198.51.100.77"), worker);
		second += worker;
	}
	assert_int_equal(drops_of(DROP_ESP_SPI_UNKNOWN), 3 * 0x40);
	assert_in_range(second, 28, 36);
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_queue_feeds_two_workers, whole_teardown),
		cmocka_unit_test_teardown(flows_keep_their_order, whole_teardown),
		cmocka_unit_test_teardown(tunnel_packets_go_by_their_spi, whole_teardown),
	};

	return WHOLE_RUN("workers", tests);
}
