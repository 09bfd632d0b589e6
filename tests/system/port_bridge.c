/* Two ports tied together: what comes in at one goes out at the other, as a worker would do it.
 *
 *	port_bridge SECONDS WORKERS KIND:KEY=VALUE,... KIND:KEY=VALUE,...
 *
 * One thread per worker; worker i polls queue i of both ports. Prints what the ports say of
 * themselves when they run ("ready") and their counters at the end. Ends early on SIGTERM. Exit
 * code 2: opening failed, the reason is on stdout; 1: packets were lost by their pool.
 *
 * PORT_BRIDGE_SPREAD=1: the last two bytes of every frame are its flow's number; at the end it
 * prints how many flows each worker saw, and how many were seen by more than one.
 */
#include "drivers/eal.h"
#include "drivers/log.h"
#include "drivers/port.h"

#include <rte_lcore.h>
#include <rte_mempool.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;
static uint64_t refused[PORT_QUEUES_MAX];
static bool spread_wanted;
static uint8_t seen[PORT_QUEUES_MAX][65536];

/* What an af_xdp port shall take: "steer=ADDRESS" and "steervlan=N", repeated. */
static struct port_steer_address addresses[16];
static uint16_t vlans[16];
static struct port_steer steer = {.addresses = addresses, .vlans = vlans, .neighbours = true, .icmp = true};

static void
on_signal(int number)
{
	stopping = 1;
}

static void
key_set(struct cfg_port *c, const char *key, char *value)
{
	if (strcmp(key, "if") == 0)
		c->interface = value;
	else if (strcmp(key, "path") == 0)
		c->path = value;
	else if (strcmp(key, "address") == 0)
		c->address = value;
	else if (strcmp(key, "rx") == 0)
		c->rx_path = value;
	else if (strcmp(key, "tx") == 0)
		c->tx_path = value;
	else if (strcmp(key, "server") == 0)
		c->server = atoi(value);
	else if (strcmp(key, "queues") == 0)
		c->queues = (uint16_t)atoi(value);
	else if (strcmp(key, "mtu") == 0)
		c->mtu = (uint16_t)atoi(value);
	else if (strcmp(key, "skb") == 0)
		c->skb_mode = atoi(value);
	else if (strcmp(key, "copy") == 0)
		c->force_copy = atoi(value);
	else if (strcmp(key, "steer") == 0)
		address_parse(value, &addresses[steer.n_addresses++].address);
	else if (strcmp(key, "steervlan") == 0)
		vlans[steer.n_vlans++] = (uint16_t)atoi(value);
	else if (strcmp(key, "mac") == 0)
		c->has_mac = mac_parse(value, &c->mac) == 0;
	else
		fprintf(stderr, "unknown key %s\n", key), exit(64);
}

static void
port_parse(struct cfg_port *c, char *text)
{
	char *kind = strsep(&text, ":"), *pair;

	memset(c, 0, sizeof *c);
	c->name = kind;
	for (c->driver = DRIVER_PCI; strcmp(port_kind_name(c->driver), kind) != 0; c->driver++)
		if (c->driver == DRIVER_NULL)
			fprintf(stderr, "unknown kind %s\n", kind), exit(64);
	while ((pair = strsep(&text, ","))) {
		char *key = strsep(&pair, "=");

		if (key[0])
			key_set(c, key, pair);
	}
}

static void
flows_note(uint16_t worker, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *end = rte_pktmbuf_mtod_offset(pkts[i], uint8_t *, pkts[i]->data_len);

		seen[worker][end[-2] << 8 | end[-1]] = 1;
	}
}

static void
flows_print(uint16_t workers)
{
	unsigned several = 0;

	for (uint16_t w = 0; w < workers; w++) {
		unsigned count = 0;

		for (unsigned f = 0; f < 65536; f++)
			count += seen[w][f];
		printf("worker %u flows=%u\n", w, count);
	}
	for (unsigned f = 0; f < 65536; f++) {
		unsigned by = 0;

		for (uint16_t w = 0; w < workers; w++)
			by += seen[w][f];
		several += by > 1;
	}
	printf("several flows=%u\n", several);
}

static unsigned
pass(uint16_t from, uint16_t to, uint16_t queue)
{
	struct rte_mbuf *pkts[32];
	uint16_t got = port_rx(from, queue, pkts, 32);
	uint16_t sent;

	if (got == 0)
		return 0;
	if (spread_wanted)
		flows_note(queue, pkts, got);
	sent = port_tx(to, queue, pkts, got);
	refused[queue] += got - sent;
	if (sent < got)
		rte_pktmbuf_free_bulk(pkts + sent, got - sent);
	return got;
}

static int
worker_run(void *number)
{
	uint16_t queue = (uint16_t)(uintptr_t)number;

	while (!stopping)
		if (pass(0, 1, queue) + pass(1, 0, queue) == 0)
			usleep(50);
	return 0;
}

static void
caps_print(uint16_t port)
{
	const struct port_caps *c = port_caps(port);
	char mac[ADDRESS_TEXT_MAX];

	printf("caps %s rx_queues=%u tx_queues=%u rss=%d mtu=%u mac=%s\n", port_name(port), c->rx_queues, c->tx_queues,
		c->rss, c->mtu, mac_text(&c->mac, mac, sizeof mac));
}

static void
stats_print(uint16_t port)
{
	struct port_stats s;

	port_stats(port, &s);
	printf("stats %s link=%d rx=%" PRIu64 " rx_bytes=%" PRIu64 " tx=%" PRIu64 " tx_bytes=%" PRIu64
	       " rx_missed=%" PRIu64 " rx_errors=%" PRIu64 " tx_errors=%" PRIu64 " rx_nombuf=%" PRIu64 "\n",
		port_name(port), port_link_up(port), s.rx_packets, s.rx_bytes, s.tx_packets, s.tx_bytes, s.rx_missed,
		s.rx_errors, s.tx_errors, s.rx_nombuf);
}

static void
workers_run(uint16_t workers, unsigned seconds)
{
	struct timespec end, now;

	for (uint16_t i = 0; i < workers; i++)
		rte_eal_remote_launch(worker_run, (void *)(uintptr_t)i, eal_worker_lcore(i));
	printf("ready\n");
	clock_gettime(CLOCK_MONOTONIC, &end);
	do {
		usleep(20000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!stopping && now.tv_sec < end.tv_sec + (time_t)seconds);
	stopping = 1;
	rte_eal_mp_wait_lcore();
}

int
main(int argc, char **argv)
{
	struct cfg_port c[2];
	struct cfg_appliance a = {.name = "bridge", .flows = 1024, .neighbours = 1024, .ports = c, .n_ports = 2};
	struct rte_mempool *pool;
	char error[512] = "";
	unsigned lost = 0;

	if (argc != 5)
		return 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_open(getenv("PORT_BRIDGE_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	spread_wanted = getenv("PORT_BRIDGE_SPREAD") != NULL;
	a.workers = (uint16_t)atoi(argv[2]);
	port_parse(&c[0], argv[3]);
	port_parse(&c[1], argv[4]);

	if (eal_start(&a, "isthmus-bridge", error, sizeof error) != 0)
		return printf("error %s\n", error), 2;
	pool = packet_pool_create(&a, 0, error, sizeof error);
	if (!pool || ports_open(&a, pool, error, sizeof error) != 0) {
		printf("error %s\n", error);
		eal_stop();
		return 2;
	}
	if ((steer.n_addresses || steer.n_vlans) && port_steer(0, &steer, error, sizeof error) != 0)
		return printf("error %s\n", error), 2;
	if (ports_start(error, sizeof error) != 0) {
		printf("error %s\n", error);
		ports_close();
		eal_stop();
		return 2;
	}

	caps_print(0);
	caps_print(1);
	workers_run(a.workers, (unsigned)atoi(argv[1]));
	stats_print(0);
	stats_print(1);
	for (uint16_t i = 0; i < a.workers; i++)
		lost += refused[i];
	printf("refused %u\n", lost);
	if (spread_wanted)
		flows_print(a.workers);

	ports_stop();
	ports_close();
	lost = rte_mempool_in_use_count(pool);
	printf("lost %u\n", lost);
	rte_mempool_free(pool);
	eal_stop();
	return lost ? 1 : 0;
}
