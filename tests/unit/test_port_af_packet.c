/* Ports on kernel interfaces in one process, at the two ends of a veth pair in a network namespace of its own. */
#include "drivers/log.h"
#include "drivers/port.h"
#include "tests/unit/eal.h"

#include <rte_mempool.h>

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BURST 256 /* what a worker gathers before it sends, dataplane/worker.h */

static struct rte_mempool *pool;

static int
received(uint16_t port)
{
	struct rte_mbuf *m[32];
	int n = 0;

	for (int waits = 0; n < BURST && waits < 200; waits++) {
		uint16_t some = port_rx(port, 0, m, RTE_DIM(m));

		rte_pktmbuf_free_bulk(m, some);
		n += some;
		if (some == 0)
			usleep(1000);
	}
	return n;
}

static void
a_burst_is_sent_whole(void **state)
{
	struct cfg_port ports[] = {
		{.name = "a", .driver = DRIVER_AF_PACKET, .interface = "a0", .descriptors = 1024, .mtu = 1500},
		{.name = "b", .driver = DRIVER_AF_PACKET, .interface = "b0", .descriptors = 1024, .mtu = 1500},
	};
	const struct cfg_appliance a = {.name = "test", .workers = 1, .ports = ports, .n_ports = RTE_DIM(ports)};
	struct rte_mbuf *m[BURST];
	char error[512] = "";

	if (geteuid() != 0)
		skip();
	assert_int_equal(ports_open(&a, pool, error, sizeof(error)), 0);
	assert_int_equal(ports_start(error, sizeof(error)), 0);

	for (int i = 0; i < BURST; i++) {
		uint8_t *frame;

		m[i] = rte_pktmbuf_alloc(pool);
		assert_non_null(m[i]);
		frame = (uint8_t *)rte_pktmbuf_append(m[i], 60);
		memset(frame, 0xff, 60);
		frame[6] = 2; /* a source that is no group's */
	}
	assert_int_equal(port_tx(0, 0, m, BURST), BURST);
	assert_int_equal(received(1), BURST);

	ports_stop();
	ports_close();
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static int
setup(void **state)
{
	log_open(LOG_LEVEL_ERROR);
	if (geteuid() == 0 && (unshare(CLONE_NEWNET) != 0 ||
				      system("ip link add a0 type veth peer name b0 && "
					     "echo 1 | tee /proc/sys/net/ipv6/conf/[ab]0/disable_ipv6 >/dev/null && "
					     "ip link set a0 up && ip link set b0 up") != 0))
		return -1;
	if (test_eal_start("port-af-packet") != 0)
		return -1;
	pool = rte_pktmbuf_pool_create("packets", 4095, 0, 0, 128 + 2048, SOCKET_ID_ANY);
	return pool ? 0 : -1;
}

static int
teardown(void **state)
{
	rte_mempool_free(pool);
	test_eal_stop();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_sent_whole),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
