/* Ports in one process: ring, null, pcap and memif on itself; device arguments; refusals. */
#include "drivers/log.h"
#include "drivers/port_vdev.h"
#include "tests/unit/eal.h"

#include <rte_mempool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define BUFFERS 8191

static struct rte_mempool *pool;
static char folder[] = "/tmp/isthmus-port-XXXXXX";
static char error[512];

static int
open_ports(struct cfg_port *ports, uint32_t n, uint16_t workers)
{
	const struct cfg_appliance a = {.name = "test", .workers = workers, .ports = ports, .n_ports = n};
	int r;

	error[0] = '\0';
	r = ports_open(&a, pool, error, sizeof error);
	if (r == 0)
		r = ports_start(error, sizeof error);
	return r;
}

static const char *
in_folder(const char *name)
{
	static char path[8][128];
	static int turn;

	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof path[0], "%s/%s", folder, name);
	return path[turn];
}

static struct rte_mbuf *
packet(uint32_t length, uint8_t fill)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	char *data;

	assert_non_null(m);
	data = rte_pktmbuf_append(m, (uint16_t)length);
	assert_non_null(data);
	memset(data, fill, length);
	return m;
}

static struct rte_mbuf *
packet_in_two(uint32_t first, uint32_t second)
{
	struct rte_mbuf *m = packet(first, 1);

	assert_int_equal(rte_pktmbuf_chain(m, packet(second, 2)), 0);
	return m;
}

static int
nothing_is_lost(void **state)
{
	ports_stop();
	ports_close();
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	assert_int_equal(ports_count(), 0);
	return 0;
}

/* ---- ring and null ---------------------------------------------------------------- */

static void
ring_carries_both_ways(void **state)
{
	struct cfg_port c[] = {{.name = "r", .driver = DRIVER_RING}};
	struct rte_mbuf *in[] = {packet(60, 1), packet(1514, 2)}, *got[4];
	struct port_stats s;

	assert_int_equal(open_ports(c, 1, 2), 0);
	assert_string_equal(port_name(0), "r");
	assert_string_equal(port_driver_name(0), "ring");
	assert_int_equal(port_caps(0)->rx_queues, 2);
	assert_true(port_caps(0)->rss);
	assert_true(port_link_up(0));

	assert_int_equal(port_ring_inject(0, 1, in, 2), 2);
	assert_int_equal(port_rx(0, 0, got, 4), 0);
	assert_int_equal(port_rx(0, 1, got, 4), 2);
	assert_ptr_equal(got[0], in[0]);
	assert_ptr_equal(got[1], in[1]);

	assert_int_equal(port_tx(0, 0, got, 2), 2);
	assert_int_equal(port_ring_collect(0, 1, got, 4), 0);
	assert_int_equal(port_ring_collect(0, 0, got, 4), 2);
	assert_ptr_equal(got[1], in[1]);
	rte_pktmbuf_free_bulk(got, 2);

	assert_int_equal(port_stats(0, &s), 0);
	assert_int_equal(s.rx_packets, 2);
	assert_int_equal(s.rx_bytes, 1574);
	assert_int_equal(s.tx_packets, 2);
	assert_int_equal(s.tx_bytes, 1574);
}

static void
a_full_ring_leaves_the_rest_to_the_caller(void **state)
{
	struct cfg_port c[] = {{.name = "r", .driver = DRIVER_RING, .descriptors = 64}};
	struct rte_mbuf *in[100];
	struct port_stats s;

	for (int i = 0; i < 100; i++)
		in[i] = packet(60, 1);
	assert_int_equal(open_ports(c, 1, 1), 0);
	assert_int_equal(port_tx(0, 0, in, 50), 50);
	assert_int_equal(port_tx(0, 0, in + 50, 50), 14);
	assert_int_equal(port_ring_inject(0, 0, in + 64, 36), 36);
	assert_int_equal(port_stats(0, &s), 0);
	assert_int_equal(s.tx_packets, 64);
	/* Both rings are full of packets now; closing frees them (teardown looks). */
}

static void
fewer_queues_than_workers(void **state)
{
	struct cfg_port c[] = {{.name = "r", .driver = DRIVER_RING, .queues = 1}};
	struct rte_mbuf *p[2] = {packet(60, 1), packet(60, 2)}, *got[4];

	assert_int_equal(open_ports(c, 1, 3), 0);
	assert_int_equal(port_caps(0)->rx_queues, 1);
	assert_false(port_caps(0)->rss);
	assert_int_equal(port_rx(0, 2, got, 4), 0);
	/* Two workers send, one queue takes both. */
	assert_int_equal(port_tx(0, 1, p, 1), 1);
	assert_int_equal(port_tx(0, 2, p + 1, 1), 1);
	assert_int_equal(port_ring_collect(0, 0, got, 4), 2);
	rte_pktmbuf_free_bulk(got, 2);
}

static void
null_takes_and_gives_nothing(void **state)
{
	struct cfg_port c[] = {{.name = "n", .driver = DRIVER_NULL}};
	struct rte_mbuf *p[3] = {packet(60, 1), packet(100, 2), packet(1514, 3)};
	struct port_stats s;

	assert_int_equal(open_ports(c, 1, 1), 0);
	assert_int_equal(port_tx(0, 0, p, 3), 3);
	assert_int_equal(port_rx(0, 0, p, 3), 0);
	assert_int_equal(port_ring_inject(0, 0, p, 3), 0);
	assert_int_equal(port_stats(0, &s), 0);
	assert_int_equal(s.tx_packets, 3);
	assert_int_equal(s.tx_bytes, 1674);
	assert_int_equal(port_stats(1, &s), -ENODEV);
}

/* The longest frame is the MTU with its header and two tags. */
static void
long_frames_are_dropped_and_counted(void **state)
{
	struct cfg_port c[] = {{.name = "n", .driver = DRIVER_NULL, .mtu = 1000}};
	struct rte_mbuf *p[] = {packet(60, 1), packet(1023, 2), packet(1022, 3), packet(5, 4), packet(60, 5)};
	struct port_stats s;

	assert_int_equal(open_ports(c, 1, 1), 0);
	assert_int_equal(port_tx(0, 0, p, 5), 5);
	assert_int_equal(port_stats(0, &s), 0);
	assert_int_equal(s.tx_packets, 3);
	assert_int_equal(s.tx_errors, 2);
	assert_int_equal(s.tx_bytes, 60 + 1022 + 60);
}

/* ---- pcap ------------------------------------------------------------------------- */

static uint16_t
receive_all(uint16_t port, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = 0;

	for (int i = 0; i < 100 && got < n; i++)
		got += port_rx(port, 0, pkts + got, n - got);
	return got;
}

static void
pcap_writes_and_reads(void **state)
{
	const char *path = in_folder("frames.pcap");
	struct cfg_port out[] = {{.name = "w", .driver = DRIVER_PCAP, .tx_path = (char *)path, .mtu = 9000}};
	struct cfg_port in[] = {{.name = "r", .driver = DRIVER_PCAP, .rx_path = (char *)path}};
	struct rte_mbuf *p[] = {packet(60, 7), packet_in_two(700, 800), packet(1600, 9), packet(100, 8)}, *got[8];
	struct port_stats s;

	assert_int_equal(open_ports(out, 1, 1), 0);
	assert_int_equal(port_caps(0)->mtu, 9000);
	assert_int_equal(port_tx(0, 0, p, 4), 4);
	ports_stop();
	ports_close();

	/* 1600 bytes do not fit this port's MTU. */
	assert_int_equal(open_ports(in, 1, 2), 0);
	assert_int_equal(port_caps(0)->rx_queues, 1);
	assert_false(port_caps(0)->rss);
	assert_int_equal(receive_all(0, got, 8), 3);
	assert_int_equal(got[0]->pkt_len, 60);
	assert_int_equal(got[1]->pkt_len, 1500);
	assert_int_equal(got[1]->nb_segs, 1);
	assert_int_equal(rte_pktmbuf_mtod(got[1], uint8_t *)[699], 1);
	assert_int_equal(rte_pktmbuf_mtod(got[1], uint8_t *)[700], 2);
	assert_int_equal(got[2]->pkt_len, 100);
	rte_pktmbuf_free_bulk(got, 3);
	assert_int_equal(port_stats(0, &s), 0);
	assert_int_equal(s.rx_packets, 3);
	assert_int_equal(s.rx_errors, 1);
}

/* ---- memif ------------------------------------------------------------------------ */

static void
memif_links_two_roles(void **state)
{
	const char *path = in_folder("memif.sock");
	struct cfg_port c[] = {
		{.name = "s", .driver = DRIVER_MEMIF, .path = (char *)path, .server = true, .mtu = 9000},
		{.name = "c", .driver = DRIVER_MEMIF, .path = (char *)path, .mtu = 9000},
	};
	struct rte_mbuf *p[1], *got[4];

	assert_int_equal(open_ports(c, 2, 1), 0);
	for (int i = 0; i < 500 && !(port_link_up(0) && port_link_up(1)); i++)
		usleep(10000);
	assert_true(port_link_up(0) && port_link_up(1));

	p[0] = packet(60, 1);
	assert_int_equal(port_tx(0, 0, p, 1), 1);
	assert_int_equal(receive_all(1, got, 1), 1);
	assert_int_equal(port_tx(1, 0, got, 1), 1);
	assert_int_equal(receive_all(0, got, 1), 1);
	assert_int_equal(got[0]->pkt_len, 60);
	rte_pktmbuf_free(got[0]);

	/* Jumbo, in one segment at the far end. */
	p[0] = packet_in_two(1500, 1700);
	assert_int_equal(port_tx(0, 0, p, 1), 1);
	assert_int_equal(receive_all(1, got, 1), 1);
	assert_int_equal(got[0]->pkt_len, 3200);
	assert_int_equal(got[0]->nb_segs, 1);
	rte_pktmbuf_free(got[0]);

	ports_stop();
	ports_close();
	assert_int_not_equal(access(path, F_OK), 0);
}

/* A socket file of a process that died does not stand in the way; a live one does. */
static void
socket_files_are_judged(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct cfg_port c[] = {
		{.name = "s", .driver = DRIVER_MEMIF, .path = (char *)in_folder("old.sock"), .server = true}};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", c[0].path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_not_equal(open_ports(c, 1, 1), 0);
	assert_non_null(strstr(error, "served by another process"));

	close(fd);
	assert_int_equal(open_ports(c, 1, 1), 0);
	ports_stop();
	ports_close();

	fclose(fopen(c[0].path, "w"));
	assert_int_not_equal(open_ports(c, 1, 1), 0);
	assert_non_null(strstr(error, "not a socket"));
	unlink(c[0].path);
}

/* ---- device arguments ------------------------------------------------------------- */

static int
arguments_of(struct cfg_port *c, char *name, char *arguments)
{
	struct port p = {
		.id = 5, .workers = 3, .descriptors = 512, .frame_max = 1522, .caps.mac = {{0x02, 0, 0, 0, 0, 0x2a}}};

	error[0] = '\0';
	return vdev_arguments(&p, c, name, arguments, error, sizeof error);
}

static void
arguments_per_kind(void **state)
{
	char name[PORT_NAME_MAX], arguments[VDEV_ARGUMENTS_MAX];
	struct cfg_port vhost = {.driver = DRIVER_VHOST_USER, .path = "/run/v", .server = true};
	struct cfg_port virtio = {.driver = DRIVER_VIRTIO_USER, .path = "/run/v", .queues = 2};
	struct cfg_port pcap = {.driver = DRIVER_PCAP, .rx_path = "/a", .tx_path = "/b"};

	assert_int_equal(arguments_of(&vhost, name, arguments), 0);
	assert_string_equal(name, "net_vhost5");
	assert_string_equal(arguments, "iface=/run/v,queues=3,client=0");

	assert_int_equal(arguments_of(&virtio, name, arguments), 0);
	assert_string_equal(name, "net_virtio_user5");
	assert_string_equal(arguments, "path=/run/v,queues=2,queue_size=512,mac=02:00:00:00:00:2a");

	assert_int_equal(arguments_of(&pcap, name, arguments), 0);
	assert_string_equal(arguments, "rx_pcap=/a,tx_pcap=/b");
	pcap.rx_path = NULL;
	assert_int_equal(arguments_of(&pcap, name, arguments), 0);
	assert_string_equal(arguments, "tx_pcap=/b");
}

static void
arguments_that_cannot_be_are_refused(void **state)
{
	char name[PORT_NAME_MAX], arguments[VDEV_ARGUMENTS_MAX], longest[300];
	struct cfg_port c = {.driver = DRIVER_VHOST_USER};

	assert_int_not_equal(arguments_of(&c, name, arguments), 0);
	assert_non_null(strstr(error, "path ''"));
	c.path = "/run/a,role=server";
	assert_int_not_equal(arguments_of(&c, name, arguments), 0);
	assert_non_null(strstr(error, "cannot take one"));
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	c.path = longest;
	assert_int_not_equal(arguments_of(&c, name, arguments), 0);
	assert_non_null(strstr(error, "1 to 200 bytes"));
	c = (struct cfg_port){.driver = DRIVER_PCAP};
	assert_int_not_equal(arguments_of(&c, name, arguments), 0);
	c = (struct cfg_port){.driver = DRIVER_TAP};
	assert_int_not_equal(arguments_of(&c, name, arguments), 0);
}

/* ---- refusals --------------------------------------------------------------------- */

static void
refused(struct cfg_port c, const char *why)
{
	c.name = "bad";
	assert_int_not_equal(open_ports(&c, 1, 1), 0);
	assert_non_null(strstr(error, "port bad ("));
	assert_non_null(strstr(error, why));
	assert_int_equal(ports_count(), 0);
}

static void
refusals_name_port_and_reason(void **state)
{
	refused((struct cfg_port){.driver = DRIVER_AF_PACKET, .interface = "isthmus-none"},
		"'isthmus-none': No such device");
	refused((struct cfg_port){.driver = DRIVER_AF_PACKET}, "not a name");
	refused((struct cfg_port){.driver = DRIVER_AF_PACKET, .interface = "lo"}, "not an Ethernet");
	refused((struct cfg_port){.driver = DRIVER_AF_XDP, .interface = "isthmus-none"}, "No such device");
	refused((struct cfg_port){.driver = DRIVER_AF_XDP, .interface = "lo", .mtu = 9000}, "3818 at most");
	refused((struct cfg_port){.driver = DRIVER_TAP, .interface = "a-name-that-is-too-long"}, "not a name");
	refused((struct cfg_port){.driver = DRIVER_PCI, .address = "fe:1f.7"}, "no PCI device 0000:fe:1f.7");
	refused((struct cfg_port){.driver = DRIVER_PCI, .address = "eth0"}, "not a PCI address");
	refused((struct cfg_port){.driver = DRIVER_PCI}, "not a PCI address");
	refused((struct cfg_port){.driver = DRIVER_PCAP, .rx_path = "/nowhere/x.pcap"}, "No such file");
	refused((struct cfg_port){.driver = DRIVER_MEMIF, .server = true, .path = "/nowhere/x.sock"},
		"folder '/nowhere/'");
}

/* The second port fails: the first one is gone with it, its rings and its counters. */
static void
a_failed_open_unwinds(void **state)
{
	struct cfg_port c[] = {
		{.name = "r", .driver = DRIVER_RING},
		{.name = "p", .driver = DRIVER_PCAP, .tx_path = (char *)in_folder("unwound.pcap")},
		{.name = "x", .driver = DRIVER_AF_PACKET, .interface = "isthmus-none"},
	};

	for (int i = 0; i < 3; i++) {
		assert_int_not_equal(open_ports(c, 3, 1), 0);
		assert_non_null(strstr(error, "port x (af_packet)"));
		assert_int_equal(ports_count(), 0);
		assert_int_equal(rte_eth_dev_count_avail(), 0);
		assert_null(port_fast[0].tx);
	}
	assert_int_equal(open_ports(c, 2, 1), 0);
}

static void
too_many_are_refused(void **state)
{
	static struct cfg_port c[PORTS_MAX + 1];

	for (int i = 0; i <= PORTS_MAX; i++)
		c[i] = (struct cfg_port){.name = "n", .driver = DRIVER_NULL};
	assert_int_equal(open_ports(c, PORTS_MAX + 1, 1), -E2BIG);
	assert_int_equal(open_ports(c, PORTS_MAX, PORT_QUEUES_MAX), 0);
	assert_int_equal(ports_count(), PORTS_MAX);
	ports_stop();
	ports_close();
	assert_int_equal(open_ports(c, 1, PORT_QUEUES_MAX + 1), -E2BIG);
}

static void
addresses_are_stable_and_differ(void **state)
{
	struct cfg_port c[] = {{.name = "a", .driver = DRIVER_NULL}, {.name = "b", .driver = DRIVER_NULL},
		{.name = "c", .driver = DRIVER_NULL, .has_mac = true, .mac = {{2, 3, 4, 5, 6, 7}}}};
	struct mac_addr first;

	assert_int_equal(open_ports(c, 3, 1), 0);
	first = port_caps(0)->mac;
	assert_int_equal(first.b[0], 2);
	assert_memory_not_equal(&first, &port_caps(1)->mac, 6);
	assert_memory_equal(&c[2].mac, &port_caps(2)->mac, 6);
	ports_stop();
	ports_close();
	assert_int_equal(open_ports(c, 1, 1), 0);
	assert_memory_equal(&first, &port_caps(0)->mac, 6);
}

static void
steering_is_for_shared_interfaces(void **state)
{
	struct cfg_port c[] = {{.name = "n", .driver = DRIVER_NULL}};
	struct port_steer what = {.everything = true};

	assert_int_equal(open_ports(c, 1, 1), 0);
	assert_int_equal(port_steer(0, &what, error, sizeof error), -ENOTSUP);
	assert_non_null(strstr(error, "port n"));
	assert_int_equal(port_steer(7, &what, error, sizeof error), -ENOTSUP);
}

static int
setup(void **state)
{
	log_open(LOG_LEVEL_ERROR);
	if (!mkdtemp(folder) || test_eal_start("port") != 0)
		return -1;
	pool = rte_pktmbuf_pool_create("packets", BUFFERS, 0, 0, 128 + 4096, SOCKET_ID_ANY);
	return pool ? 0 : -1;
}

static int
teardown(void **state)
{
	char command[128];

	rte_mempool_free(pool);
	test_eal_stop();
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

#define PORT_TEST(f) cmocka_unit_test_teardown(f, nothing_is_lost)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PORT_TEST(ring_carries_both_ways),
		PORT_TEST(a_full_ring_leaves_the_rest_to_the_caller),
		PORT_TEST(fewer_queues_than_workers),
		PORT_TEST(null_takes_and_gives_nothing),
		PORT_TEST(long_frames_are_dropped_and_counted),
		PORT_TEST(pcap_writes_and_reads),
		PORT_TEST(memif_links_two_roles),
		PORT_TEST(socket_files_are_judged),
		PORT_TEST(arguments_per_kind),
		PORT_TEST(arguments_that_cannot_be_are_refused),
		PORT_TEST(refusals_name_port_and_reason),
		PORT_TEST(a_failed_open_unwinds),
		PORT_TEST(too_many_are_refused),
		PORT_TEST(addresses_are_stable_and_differ),
		PORT_TEST(steering_is_for_shared_interfaces),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
