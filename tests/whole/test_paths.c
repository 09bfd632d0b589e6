/* Several SAs side by side in one connection: flows are hashed over them and keep their order, in both directions
 * and through two workers.
 *
 * Both gateways live in this one appliance; the test carries frames from uplink w0 to w1 and back. Ports have one
 * queue, so both workers' packets come from one and leave through one.
 */
#include "whole.h"

#include "dataplane/worker.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS 64
#define EACH 12

static const char lab[] =
	"appliance:\n"
	"  name: lab\n"
	"  workers: 2\n"
	"  ports: [{name: pa, driver: ring, queues: 1}, {name: pb, driver: ring, queues: 1}, "
	"{name: w0, driver: ring, queues: 1}, {name: w1, driver: ring, queues: 1}]\n"
	"  attachments: [{subnet: a/s, port: pa}, {subnet: b/s, port: pb}]\n"
	"  uplinks:\n"
	"    - {name: u0, port: w0, addresses: [192.0.2.1/25], gateway: 192.0.2.126}\n"
	"    - {name: u1, port: w1, addresses: [192.0.2.129/25], gateway: 192.0.2.254}\n"
	"publicIPAddresses: [{name: ip-a, ipAddress: 192.0.2.1}, {name: ip-b, ipAddress: 192.0.2.129}]\n"
	"virtualNetworks:\n"
	"  - name: a\n"
	"    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.0.0.0/24}, {name: GatewaySubnet, addressPrefix: 10.0.255.0/27}]\n"
	"  - name: b\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.1.0.0/24}, {name: GatewaySubnet, addressPrefix: 10.1.255.0/27}]\n"
	"networkInterfaces:\n"
	"  - {name: ha, macAddress: 02-00-00-00-0a-10, ipConfigurations: [{name: c, privateIPAddress: 10.0.0.10, "
	"subnet: a/s}]}\n"
	"  - {name: hb, macAddress: 02-00-00-00-0b-10, ipConfigurations: [{name: c, privateIPAddress: 10.1.0.10, "
	"subnet: b/s}]}\n"
	"virtualNetworkGateways:\n"
	"  - {name: gw-a, gatewayType: Vpn, vpnType: RouteBased, ipConfigurations: [{name: c, subnet: a/GatewaySubnet, "
	"publicIPAddress: {id: ip-a}}]}\n"
	"  - {name: gw-b, gatewayType: Vpn, vpnType: RouteBased, ipConfigurations: [{name: c, subnet: b/GatewaySubnet, "
	"publicIPAddress: {id: ip-b}}]}\n"
	"connections:\n";

/* ---- the world ----------------------------------------------------------------------- */

#define SPI_TO_B 0x1000
#define SPI_TO_A 0x2000
#define NEWER 0x100 /* in the SPI of an SA that follows another one of its resource */

static char yaml[65536];
static size_t yaml_size;

static void
sa_add(const char *direction, uint32_t spi)
{
	yaml_size += (size_t)snprintf(yaml + yaml_size, sizeof(yaml) - yaml_size,
		"        - {direction: %s, resource: %u, spi: %u, encryption: aes-gcm-128, key: '%08x%032x'}\n",
		direction, spi & 0xff, spi, spi, 7);
}

/* One end: outbound SAs of the resources whose bits are set, inbound ones of all. */
static void
end_add(const char *ours, const char *theirs, uint32_t out, uint32_t in, uint32_t resources, uint32_t newer)
{
	yaml_size += (size_t)snprintf(yaml + yaml_size, sizeof(yaml) - yaml_size,
		"  - name: %s-to-%s\n"
		"    connectionType: Vnet2Vnet\n"
		"    virtualNetworkGateway1: {id: gw-%s}\n"
		"    virtualNetworkGateway2: {id: gw-%s}\n"
		"    appliance:\n"
		"      securityAssociations:\n",
		ours, theirs, ours, theirs);
	for (uint32_t r = 0; r < 32; r++) {
		sa_add("in", in + r);
		sa_add("in", in + r + NEWER);
		if (resources >> r & 1)
			sa_add("out", out + r);
		if (newer >> r & 1)
			sa_add("out", out + r + NEWER);
	}
}

static const char *
world(uint32_t resources, uint32_t newer)
{
	yaml_size = (size_t)snprintf(yaml, sizeof(yaml), "%s", lab);
	end_add("a", "b", SPI_TO_B, SPI_TO_A, resources, newer);
	end_add("b", "a", SPI_TO_A, SPI_TO_B, resources, newer);
	return yaml;
}

/* Packets that the outbound SA has sealed. */
static uint64_t
sealed(uint32_t spi)
{
	const struct view_spec *spec = &whole_world()->spec;
	struct sa_counters c;

	for (uint32_t i = 0; i < spec->n_sas; i++) {
		if (spec->sa[i].config.spi != spi || !spec->sa[i].config.outbound)
			continue;
		sa_counters_read(spec->sa[i].sa, &c);
		return c.packets;
	}
	return 0;
}

/* ---- packets ------------------------------------------------------------------------- */

static struct pkt
packet(bool to_b, uint16_t flow, uint16_t id)
{
	struct pkt p = {.port = to_b ? "pa" : "pb", .id = id, .sport = 3000 + flow, .dport = 80, .payload = 30};

	p.src = to_b ? "10.0.0.10" : "10.1.0.10";
	p.dst = to_b ? "10.1.0.10" : "10.0.0.10";
	if (!to_b) {
		p.dport = p.sport;
		p.sport = 80;
	}
	return p;
}

/* Neighbours of the uplinks are learned. */
static void
warm_up(void)
{
	for (int to_b = 0; to_b < 2; to_b++) {
		struct pkt p = packet(to_b, 0, 0);

		pkt_send(&p);
		assert_true(whole_wire("w0", "w1", NULL) >= 1);
		rte_pktmbuf_free(port_out(to_b ? "pb" : "pa"));
	}
}

/* One worker's turn, any: they never run in step. */
static void
some_turns(uint32_t n)
{
	while (n--)
		worker_turn(whole_dataplane()->worker[rand() & 1]);
}

/* What is on the wire, in its order; turns in between. */
static void
carry(const char *from, const char *to)
{
	struct rte_mbuf *m;
	const char *end;

	while ((m = port_out(from)) != NULL) {
		pkt_inject(to, whole_route(m, from, to, &end));
		if (rand() % 40 == 0)
			some_turns(3);
	}
}

/* Per flow, ids count from 1. */
static uint32_t
take_in_order(const char *port, bool to_b, uint16_t *next)
{
	struct rte_mbuf *m;
	uint32_t n = 0;

	while ((m = port_out(port)) != NULL) {
		uint16_t size, flow;
		uint8_t *l3 = frame_l3(m, &size), *port_at = l3 + (to_b ? 20 : 22);

		flow = (uint16_t)(port_at[0] << 8 | port_at[1]) - 3000;
		assert_true(flow < FLOWS);
		assert_int_equal(l3[4] << 8 | l3[5], ++next[flow]);
		rte_pktmbuf_free(m);
		n++;
	}
	return n;
}

/* All flows in turn, in both directions; nothing is lost, each flow arrives in order. */
static void
flows_cross(void)
{
	uint16_t next[2][FLOWS] = {{0}};
	uint32_t arrived = 0;

	for (uint16_t id = 1; id <= EACH; id++) {
		for (uint16_t flow = 0; flow < FLOWS; flow++) {
			for (int to_b = 0; to_b < 2; to_b++) {
				struct pkt p = packet(to_b, flow, id);

				pkt_inject(p.port, pkt_build(&p));
			}
			if (rand() % 50 == 0)
				some_turns(2);
		}
		carry("w0", "w1");
		carry("w1", "w0");
		arrived += take_in_order("pb", true, next[1]) + take_in_order("pa", false, next[0]);
	}
	for (int round = 0; round < 4; round++) {
		whole_settle();
		carry("w0", "w1");
		carry("w1", "w0");
		arrived += take_in_order("pb", true, next[1]) + take_in_order("pa", false, next[0]);
	}
	assert_int_equal(arrived, 2 * FLOWS * EACH);
}

/* ---- stories ------------------------------------------------------------------------- */

static void
flows_keep_their_order_on_many_sas(void **state)
{
	static const uint32_t sets[] = {0x1, 0x3, 0xf, 0x7, 0x8421, 0xffff};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		uint32_t n = (uint32_t)__builtin_popcount(sets[i]), total = FLOWS * EACH + 1;

		srand(7 + (unsigned)i);
		whole_start(world(sets[i], 0));
		warm_up();
		flows_cross();
		for (uint32_t r = 0; r < 32; r++) {
			uint64_t to_b = sealed(SPI_TO_B + r), to_a = sealed(SPI_TO_A + r);

			/* both ends hash alike: a conversation is on one resource */
			assert_int_equal(to_b, to_a);
			if (!(sets[i] >> r & 1))
				continue;
			assert_in_range(to_b, total / n / 4, n == 1 ? total : total * 2 / n);
		}
		whole_stop();
	}
}

/* Which worker sealed, on which SA: each worker feeds all. */
static void
every_worker_feeds_every_sa(void **state)
{
	uint32_t fed[2][4] = {{0}};

	whole_start(world(0xf, 0));
	warm_up();
	for (int i = 0; i < 2; i++)
		whole_dataplane()->worker[i]->sample_mask = 0; /* count the packets of every stage */
	for (uint16_t flow = 0; flow < 200; flow++) {
		struct pkt p = packet(true, flow, 1);
		uint64_t by_sa[4], by_first = whole_dataplane()->worker[0]->stats.stage_packets[STAGE_ESP_SEAL];

		for (uint32_t r = 0; r < 4; r++)
			by_sa[r] = sealed(SPI_TO_B + r);
		pkt_send(&p);
		by_first = whole_dataplane()->worker[0]->stats.stage_packets[STAGE_ESP_SEAL] - by_first;
		for (uint32_t r = 0; r < 4; r++)
			fed[by_first == 0][r] += sealed(SPI_TO_B + r) > by_sa[r];
	}
	for (int i = 0; i < 2; i++)
		for (int r = 0; r < 4; r++)
			assert_in_range(fed[i][r], 15, 35);
	whole_stop();
}

static uint32_t
resource_of(const struct pkt *p, uint32_t packets)
{
	uint64_t before[8];
	uint32_t found = UINT32_MAX;

	for (uint32_t r = 0; r < 8; r++)
		before[r] = sealed(SPI_TO_B + r);
	pkt_send(p);
	for (uint32_t r = 0; r < 8; r++) {
		if (sealed(SPI_TO_B + r) == before[r])
			continue;
		assert_int_equal(found, UINT32_MAX);
		assert_int_equal(sealed(SPI_TO_B + r), before[r] + packets);
		found = r;
	}
	assert_true(found < 8);
	return found;
}

/* What we split goes with the packets of its flow that were not. */
static void
pieces_stay_with_their_flow(void **state)
{
	whole_start(world(0xff, 0));
	warm_up();
	for (uint16_t flow = 0; flow < 30; flow++) {
		struct pkt small = packet(true, flow, 1), large = small;

		large.payload = 1470;
		assert_int_equal(resource_of(&large, 2), resource_of(&small, 1));
	}
	whole_stop();
}

/* The newest of each resource is used, and one whose last is gone leaves its flows to the others. */
static void
resources_come_and_go(void **state)
{
	uint64_t old;

	srand(1);
	whole_start(world(0xf, 0));
	warm_up();
	flows_cross();
	assert_true(sealed(SPI_TO_B + 2) > 0);

	whole_apply(world(0xf, 1u << 2));
	old = sealed(SPI_TO_B + 2);
	flows_cross();
	assert_int_equal(sealed(SPI_TO_B + 2), old);
	assert_true(sealed(SPI_TO_B + 2 + NEWER) > FLOWS * EACH / 16);

	whole_apply(world(0xb, 0));
	old = sealed(SPI_TO_B + 1);
	flows_cross();
	assert_true(sealed(SPI_TO_B + 1) > old + FLOWS * EACH / 8);

	whole_apply(world(0, 1u << 3));
	flows_cross();
	assert_true(sealed(SPI_TO_B + 3 + NEWER) >= FLOWS * EACH);
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(flows_keep_their_order_on_many_sas, whole_teardown),
		cmocka_unit_test_teardown(every_worker_feeds_every_sa, whole_teardown),
		cmocka_unit_test_teardown(pieces_stay_with_their_flow, whole_teardown),
		cmocka_unit_test_teardown(resources_come_and_go, whole_teardown),
	};

	return WHOLE_RUN("paths", tests);
}
