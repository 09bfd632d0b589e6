/* A memif server port against clients that lie, leave, or fall over. The client is made here, by
 * hand, so that it can break every rule.
 */
#include "drivers/log.h"
#include "drivers/memif_channel.h"
#include "drivers/port.h"
#include "tests/unit/eal.h"

#include <rte_mempool.h>

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOTS 64
#define BUFFER 2048
#define RING (sizeof(struct memif_ring) + SLOTS * sizeof(struct memif_descriptor))
#define BUFFERS 4096 /* where they begin */
#define REGION (BUFFERS + 2 * SLOTS * BUFFER)

static struct rte_mempool *pool;
static char path[64];

/* What a client does; the fields are the lies. */
struct client {
	int fd, memory, event[2], stop;
	uint8_t *base;
	struct memif_ring *c2s, *s2c;
	bool unsealed;
	uint16_t version;
	uint64_t claimed_size;
	uint32_t ring_offset, cookie;
	uint16_t ring_index, ring_region, private_header;
	uint8_t log2_size;
	bool no_s2c;
};

static struct client
honest(void)
{
	return (struct client){
		.version = MEMIF_VERSION, .claimed_size = REGION, .cookie = MEMIF_COOKIE, .log2_size = 6};
}

static int
ask(struct client *c, struct memif_message *m, int passed)
{
	int r = memif_send(c->fd, m, passed);

	return r == 0 ? memif_expect(c->fd, c->stop, MEMIF_ACK, m) : r;
}

static void
memory_make(struct client *c)
{
	c->memory = memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(c->memory, REGION), 0);
	if (!c->unsealed)
		assert_int_equal(fcntl(c->memory, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	c->base = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED, c->memory, 0);
	c->c2s = (struct memif_ring *)c->base;
	c->s2c = (struct memif_ring *)(c->base + RING);
	c->c2s->cookie = c->s2c->cookie = c->cookie;
	for (uint32_t i = 0; i < SLOTS; i++) {
		c->c2s->descriptor[i] = (struct memif_descriptor){.length = 60, .offset = BUFFERS + i * BUFFER};
		c->s2c->descriptor[i] =
			(struct memif_descriptor){.length = BUFFER, .offset = BUFFERS + (SLOTS + i) * BUFFER};
	}
}

static int
ring_ask(struct client *c, int way)
{
	struct memif_message m = {
		.type = MEMIF_ADD_RING,
		.add_ring = {.flags = way ? 0 : MEMIF_RING_C2S,
			.index = c->ring_index,
			.region = c->ring_region,
			.offset = (uint32_t)(way ? RING : 0) + c->ring_offset,
			.log2_size = c->log2_size,
			.private_header = c->private_header},
	};

	return ask(c, &m, c->event[way]);
}

/* 0: the link is up. */
static int
client_link(struct client *c)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct memif_message m;
	int r;

	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	c->stop = eventfd(0, 0);
	c->event[0] = eventfd(0, EFD_NONBLOCK);
	c->event[1] = eventfd(0, EFD_NONBLOCK);
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
	memory_make(c);

	r = memif_expect(c->fd, c->stop, MEMIF_HELLO, &m);
	m = (struct memif_message){.type = MEMIF_INIT, .init = {.version = c->version}};
	if (r == 0)
		r = ask(c, &m, -1);
	m = (struct memif_message){.type = MEMIF_ADD_REGION, .add_region = {.size = c->claimed_size}};
	if (r == 0)
		r = ask(c, &m, c->memory);
	if (r == 0)
		r = ring_ask(c, 0);
	if (r == 0 && !c->no_s2c)
		r = ring_ask(c, 1);
	m = (struct memif_message){.type = MEMIF_CONNECT};
	if (r == 0)
		r = memif_send(c->fd, &m, -1);
	return r == 0 ? memif_expect(c->fd, c->stop, MEMIF_CONNECTED, &m) : r;
}

static void
client_end(struct client *c)
{
	close(c->fd);
	close(c->stop);
	close(c->event[0]);
	close(c->event[1]);
	munmap(c->base, REGION);
	close(c->memory);
}

static struct port_stats
stats(void)
{
	struct port_stats s;

	port_stats(0, &s);
	return s;
}

static uint16_t
receive_some(uint16_t wanted)
{
	struct rte_mbuf *pkts[32];
	uint16_t got = 0;

	for (int i = 0; i < 200 && got < wanted; i++) {
		uint16_t n = port_rx(0, 0, pkts, 32);

		rte_pktmbuf_free_bulk(pkts, n);
		got += n;
	}
	return got;
}

static void
packets_offer(struct client *c, uint16_t n)
{
	__atomic_store_n(&c->c2s->head, (uint16_t)(c->c2s->head + n), __ATOMIC_RELEASE);
}

/* ---- tests ------------------------------------------------------------------------ */

static void
an_honest_client_is_served(void **state)
{
	struct client c = honest();
	struct rte_mbuf *m;

	assert_int_equal(client_link(&c), 0);
	packets_offer(&c, 10);
	assert_int_equal(receive_some(10), 10);
	assert_int_equal(c.c2s->tail, 10);

	/* Nothing was given to send into; then two buffers are, of which one packet needs both. */
	m = rte_pktmbuf_alloc(pool);
	assert_non_null(rte_pktmbuf_append(m, 1000));
	assert_int_equal(port_tx(0, 0, &m, 1), 0);
	c.s2c->descriptor[0].length = c.s2c->descriptor[1].length = 600;
	__atomic_store_n(&c.s2c->head, 2, __ATOMIC_RELEASE);
	assert_int_equal(port_tx(0, 0, &m, 1), 1);
	assert_int_equal(c.s2c->tail, 2);
	assert_int_equal(c.s2c->descriptor[0].flags, MEMIF_DESCRIPTOR_NEXT);
	assert_int_equal(c.s2c->descriptor[0].length, 600);
	assert_int_equal(c.s2c->descriptor[1].flags, 0);
	assert_int_equal(c.s2c->descriptor[1].length, 400);
	client_end(&c);
}

static void
refused(struct client c)
{
	struct client good = honest();

	assert_int_not_equal(client_link(&c), 0);
	client_end(&c);
	assert_int_equal(client_link(&good), 0);
	client_end(&good);
}

static void
lies_at_the_door_are_refused(void **state)
{
	struct client c;

#define LIE(field, value)                                                                                              \
	c = honest();                                                                                                  \
	c.field = value;                                                                                               \
	refused(c)
	LIE(version, 0x0300);
	LIE(unsealed, true);
	LIE(claimed_size, REGION * 100);
	LIE(claimed_size, 0);
	LIE(cookie, 0x1234);
	LIE(ring_offset, REGION);
	LIE(ring_offset, REGION - 256);
	LIE(ring_offset, 0xffffffc0);
	LIE(ring_offset, 7);
	LIE(ring_index, 1);
	LIE(ring_index, 0xffff);
	LIE(ring_region, 1);
	LIE(ring_region, 0xffff);
	LIE(private_header, 8);
	LIE(log2_size, 15);
	LIE(log2_size, 200);
	LIE(no_s2c, true);
}

/* Each bad descriptor costs one packet and one count; the next packet is fine. */
static void
lies_in_descriptors_are_counted(void **state)
{
	static const struct memif_descriptor lies[] = {
		{.length = 60, .region = 1},
		{.length = 60, .region = 0xffff},
		{.length = 60, .offset = REGION - 59},
		{.length = 60, .offset = 0xffffffff},
		{.length = 0xffffffff, .offset = 0xffffffff},
		{.length = 0xffffffff},
		{.length = 60000, .offset = BUFFERS},
		{.length = 1600, .offset = BUFFERS},
		{.length = 13, .offset = BUFFERS},
		{.length = 0, .offset = BUFFERS},
	};
	struct client c = honest();
	uint64_t before = stats().rx_errors;

	assert_int_equal(client_link(&c), 0);
	for (uint16_t i = 0; i < RTE_DIM(lies); i++)
		c.c2s->descriptor[2 * i] = lies[i];
	packets_offer(&c, 2 * RTE_DIM(lies));
	assert_int_equal(receive_some(2 * RTE_DIM(lies)), RTE_DIM(lies));
	assert_int_equal(stats().rx_errors - before, RTE_DIM(lies));
	client_end(&c);
}

static void
chains_without_end_end(void **state)
{
	struct client c = honest();
	uint64_t before = stats().rx_errors;

	assert_int_equal(client_link(&c), 0);
	for (uint16_t i = 0; i < SLOTS; i++)
		c.c2s->descriptor[i].flags = MEMIF_DESCRIPTOR_NEXT;
	packets_offer(&c, SLOTS);
	assert_int_equal(receive_some(1), 0);
	assert_int_equal(stats().rx_errors - before, 1);
	assert_int_equal(c.c2s->tail, SLOTS);
	client_end(&c);
}

static void
counters_that_jump_are_not_followed(void **state)
{
	struct client c = honest();
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(rte_pktmbuf_append(m, 100));
	assert_int_equal(client_link(&c), 0);
	packets_offer(&c, SLOTS + 1);
	assert_int_equal(receive_some(1), 0);
	__atomic_store_n(&c.s2c->head, 40000, __ATOMIC_RELEASE);
	assert_int_equal(port_tx(0, 0, &m, 1), 0);
	c.s2c->descriptor[0].offset = REGION;
	__atomic_store_n(&c.s2c->head, 1, __ATOMIC_RELEASE);
	assert_int_equal(port_tx(0, 0, &m, 1), 0);
	rte_pktmbuf_free(m);
	client_end(&c);
}

/* Messages of random bytes, of any size, at any moment. */
static void
noise_at_the_door_does_no_harm(void **state)
{
	struct client good = honest();

	for (int round = 0; round < 12; round++) {
		struct sockaddr_un to = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

		snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
		assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
		for (int i = 0; i < 20; i++) {
			uint8_t noise[300];
			size_t size = round % 2 ? 128 : 1 + (size_t)rand() % sizeof noise;

			for (size_t k = 0; k < size; k++)
				noise[k] = (uint8_t)rand();
			noise[0] = (uint8_t)(rand() % 9);
			noise[1] = 0;
			if (send(fd, noise, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				break;
		}
		close(fd);
	}
	assert_int_equal(client_link(&good), 0);
	client_end(&good);
}

/* ---- clients that leave under a running worker ------------------------------------ */

static bool polling;

static void *
worker_run(void *context)
{
	struct rte_mbuf *pkts[32];

	while (__atomic_load_n(&polling, __ATOMIC_RELAXED)) {
		uint16_t n = port_rx(0, 0, pkts, 32), sent = port_tx(0, 0, pkts, n);

		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	}
	return NULL;
}

static void
clients_leave_while_packets_flow(void **state)
{
	pthread_t worker;
	uint64_t before = stats().rx_packets;

	__atomic_store_n(&polling, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_create(&worker, NULL, worker_run, NULL), 0);
	for (int i = 0; i < 8; i++) {
		struct client c = honest();

		assert_int_equal(client_link(&c), 0);
		__atomic_store_n(&c.s2c->head, SLOTS, __ATOMIC_RELEASE);
		for (int k = 0; k < 200; k++) {
			if (c.c2s->head == __atomic_load_n(&c.c2s->tail, __ATOMIC_ACQUIRE))
				packets_offer(&c, SLOTS);
			usleep(50);
		}
		client_end(&c);
	}
	__atomic_store_n(&polling, false, __ATOMIC_RELAXED);
	pthread_join(worker, NULL);
	assert_true(stats().rx_packets - before > 8 * SLOTS);
}

static int
setup(void **state)
{
	static struct cfg_port c[] = {{.name = "m", .driver = DRIVER_MEMIF, .path = path, .server = true}};
	const struct cfg_appliance a = {.name = "test", .workers = 1, .ports = c, .n_ports = 1};
	char error[512];

	log_open(LOG_LEVEL_ERROR);
	snprintf(path, sizeof path, "/tmp/isthmus-memif-%d.sock", (int)getpid());
	if (test_eal_start("memif") != 0)
		return -1;
	pool = rte_pktmbuf_pool_create("packets", 1023, 0, 0, 2304, SOCKET_ID_ANY);
	return !pool || ports_open(&a, pool, error, sizeof error) != 0 || ports_start(error, sizeof error) != 0;
}

static int
teardown(void **state)
{
	ports_stop();
	ports_close();
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	rte_mempool_free(pool);
	test_eal_stop();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_honest_client_is_served),
		cmocka_unit_test(lies_at_the_door_are_refused),
		cmocka_unit_test(lies_in_descriptors_are_counted),
		cmocka_unit_test(chains_without_end_end),
		cmocka_unit_test(counters_that_jump_are_not_followed),
		cmocka_unit_test(noise_at_the_door_does_no_harm),
		cmocka_unit_test(clients_leave_while_packets_flow),
	};

	srand(1);
	return cmocka_run_group_tests(tests, setup, teardown);
}
