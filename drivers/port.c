/* The table of ports, their life, and what every kind has in common on the packet path.
 *
 * Each worker has one struct port_queue per port: its counters, and which queue of the driver it
 * uses. Where the driver has fewer transmit queues than there are workers, several workers share
 * one under a spinlock; where it has fewer receive queues, the later workers receive nothing and
 * the dataplane hands packets over (caps.rss is false then).
 *
 * Receiving from a NIC with a queue per worker goes without the wrapping: it keeps to the MTU,
 * delivers one segment as the buffers are large enough, and counts itself.
 */
#include "drivers/port.h"
#include "drivers/log.h"
#include "drivers/port_kind.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct port_fast port_fast[PORTS_MAX];

static struct port ports[PORTS_MAX];
static uint16_t n_ports;

static const struct port_kind *const kinds[] = {
	[DRIVER_PCI] = &port_pci,
	[DRIVER_AF_XDP] = &port_af_xdp,
	[DRIVER_AF_PACKET] = &port_af_packet,
	[DRIVER_TAP] = &port_tap,
	[DRIVER_MEMIF] = &port_memif,
	[DRIVER_VHOST_USER] = &port_vhost_user,
	[DRIVER_VIRTIO_USER] = &port_virtio_user,
	[DRIVER_PCAP] = &port_pcap,
	[DRIVER_RING] = &port_ring,
	[DRIVER_NULL] = &port_null,
};

/* ---- packet path ------------------------------------------------------------------ */

/* One segment, an Ethernet header at least, the MTU at most: either way. */
static bool
frame_is_fit(const struct port_queue *q, struct rte_mbuf *m)
{
	if (unlikely(m->pkt_len > q->frame_max || m->pkt_len < RTE_ETHER_HDR_LEN))
		return false;
	return likely(m->nb_segs == 1) || rte_pktmbuf_linearize(m) == 0;
}

static uint16_t
queue_receive(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = q->receive(q, pkts, n), kept = 0;
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < got; i++) {
		if (unlikely(!frame_is_fit(q, pkts[i]))) {
			rte_pktmbuf_free(pkts[i]);
			continue;
		}
		bytes += pkts[i]->pkt_len;
		pkts[kept++] = pkts[i];
	}

	if (got > 0) {
		port_count(&q->count.rx_packets, kept);
		port_count(&q->count.rx_bytes, bytes);
		port_count(&q->count.rx_errors, got - kept);
	}
	return kept;
}

static uint16_t
queue_is_absent(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	return 0;
}

/* Sends a run of fit frames; the driver may free them while we look away, so bytes are counted
 * before and corrected by what was not taken. */
static uint16_t
run_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t bytes = 0;
	uint16_t sent;

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	if (q->tx_lock)
		rte_spinlock_lock(q->tx_lock);
	sent = q->send(q, pkts, n);
	if (q->tx_lock)
		rte_spinlock_unlock(q->tx_lock);
	for (uint16_t i = sent; i < n; i++)
		bytes -= pkts[i]->pkt_len;

	port_count(&q->count.tx_packets, sent);
	port_count(&q->count.tx_bytes, bytes);
	return sent;
}

/* Unfit frames are taken and dropped: sent by no kind, not even one that could. */
static uint16_t
queue_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t done = 0;

	while (done < n) {
		uint16_t run = 0, sent;

		while (done + run < n && likely(frame_is_fit(q, pkts[done + run])))
			run++;
		sent = run_send(q, pkts + done, run);
		done += sent;
		if (sent < run || done == n)
			break;

		rte_pktmbuf_free(pkts[done++]);
		port_count(&q->count.tx_errors, 1);
	}
	return done;
}

/* ---- opening ---------------------------------------------------------------------- */

/* A locally administered address that stays the same from start to start and differs between
 * appliances: for kinds whose other end has no say in it. FNV-1a, its bits mixed. */
static struct mac_addr
mac_derived(const char *appliance, const char *port)
{
	uint64_t hash = 0xcbf29ce484222325u;
	struct mac_addr mac = {.b = {0x02}};

	for (const char *s = appliance ? appliance : ""; *s; s++)
		hash = (hash ^ (uint8_t)*s) * 0x100000001b3u;
	hash = (hash ^ '/') * 0x100000001b3u;
	for (const char *s = port; *s; s++)
		hash = (hash ^ (uint8_t)*s) * 0x100000001b3u;
	hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u;
	for (int i = 1; i < 6; i++)
		mac.b[i] = (uint8_t)(hash >> (8 * i));
	return mac;
}

static uint16_t
power_of_two(uint16_t n)
{
	return n >= 32768 ? 32768 : (uint16_t)rte_align32pow2(n < 64 ? 64 : n);
}

static void
port_preset(struct port *p, uint16_t id, const struct cfg_appliance *a, struct rte_mempool *pool)
{
	const struct cfg_port *c = &a->ports[id];

	memset(p, 0, sizeof *p);
	snprintf(p->name, sizeof p->name, "%s", c->name);
	p->id = id;
	p->workers = a->workers;
	p->descriptors = power_of_two(c->descriptors ? c->descriptors : PORT_DESCRIPTORS);
	p->pool = pool;
	p->kind = kinds[c->driver];
	p->caps.mtu = c->mtu ? c->mtu : PORT_MTU_DEFAULT;
	p->caps.mac = c->has_mac ? c->mac : mac_derived(a->name, c->name);
	p->frame_max = p->caps.mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++)
		rte_spinlock_init(&p->tx_lock[i]);
}

static void
queue_fill(struct port_queue *q, struct port *p, uint16_t worker)
{
	q->port = p;
	q->receive = p->kind->receive;
	q->send = p->kind->send;
	q->ethdev = p->ethdev;
	q->frame_max = p->frame_max;
	q->rx_index = worker;
	q->rx = worker < p->caps.rx_queues ? p->rx[worker] : NULL;
	q->tx_index = worker % p->caps.tx_queues;
	q->tx = p->tx[q->tx_index];
	q->tx_lock = p->caps.tx_queues < p->workers ? &p->tx_lock[q->tx_index] : NULL;
	if (worker >= p->caps.rx_queues)
		q->receive = queue_is_absent;
}

static bool
receives_straight(const struct port *p)
{
	return p->kind == &port_pci && p->caps.rx_queues == p->workers;
}

static void
queues_free(struct port_fast *f)
{
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++)
		rte_free(f->queue[i]);
	memset(f, 0, sizeof *f);
}

static int
queues_make(struct port *p, char *error, size_t n)
{
	struct port_fast *f = &port_fast[p->id];

	for (uint16_t i = 0; i < p->workers; i++) {
		f->queue[i] = rte_zmalloc("port_queue", sizeof *f->queue[i], RTE_CACHE_LINE_SIZE);
		if (!f->queue[i]) {
			queues_free(f);
			snprintf(error, n, "no memory for its queues");
			return -ENOMEM;
		}
		queue_fill(f->queue[i], p, i);
	}
	f->ethdev = p->ethdev;
	if (!receives_straight(p))
		f->rx = p->kind->bare ? p->kind->receive : queue_receive;
	f->tx = p->kind->bare ? p->kind->send : queue_send;
	return 0;
}

static void
port_close(struct port *p)
{
	if (p->started)
		p->kind->stop(p);
	p->kind->close(p);
	queues_free(&port_fast[p->id]);
	memset(p, 0, sizeof *p);
}

static int
port_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	char reason[400] = "";
	int r = p->kind->open(p, c, reason, sizeof reason);

	if (r == 0) {
		r = queues_make(p, reason, sizeof reason);
		if (r != 0)
			p->kind->close(p);
	}
	if (r != 0) {
		snprintf(error, n, "port %s (%s): %s", p->name, p->kind->name, reason[0] ? reason : strerror(-r));
		return r;
	}

	log_info("port", "%s: %s, %u rx and %u tx queues, mtu %u, mac %02x:%02x:%02x:%02x:%02x:%02x%s", p->name,
		p->kind->name, p->caps.rx_queues, p->caps.tx_queues, p->caps.mtu, p->caps.mac.b[0], p->caps.mac.b[1],
		p->caps.mac.b[2], p->caps.mac.b[3], p->caps.mac.b[4], p->caps.mac.b[5],
		p->caps.rss ? "" : ", flows are spread in software");
	return 0;
}

int
ports_open(const struct cfg_appliance *a, struct rte_mempool *pool, char *error, size_t error_size)
{
	if (a->n_ports > PORTS_MAX || a->workers < 1 || a->workers > PORT_QUEUES_MAX) {
		snprintf(error, error_size, "%u ports and %u workers: at most %u and %u", a->n_ports, a->workers,
			PORTS_MAX, PORT_QUEUES_MAX);
		return -E2BIG;
	}

	for (uint16_t i = 0; i < a->n_ports; i++) {
		int r;

		port_preset(&ports[i], i, a, pool);
		r = port_open(&ports[i], &a->ports[i], error, error_size);
		if (r != 0) {
			ports_close();
			return r;
		}
		n_ports = i + 1;
	}
	return 0;
}

void
ports_close(void)
{
	while (n_ports > 0)
		port_close(&ports[--n_ports]);
}

int
ports_start(char *error, size_t error_size)
{
	for (uint16_t i = 0; i < n_ports; i++) {
		char reason[400] = "";
		int r = ports[i].kind->start(&ports[i], reason, sizeof reason);

		if (r != 0) {
			snprintf(error, error_size, "port %s (%s): %s", ports[i].name, ports[i].kind->name,
				reason[0] ? reason : strerror(-r));
			ports_stop();
			return r;
		}
		ports[i].started = true;
	}
	return 0;
}

void
ports_stop(void)
{
	for (uint16_t i = 0; i < n_ports; i++) {
		if (ports[i].started)
			ports[i].kind->stop(&ports[i]);
		ports[i].started = false;
	}
}

/* ---- questions -------------------------------------------------------------------- */

uint16_t
ports_count(void)
{
	return n_ports;
}

const char *
port_name(uint16_t port)
{
	return port < n_ports ? ports[port].name : "";
}

const char *
port_driver_name(uint16_t port)
{
	return port < n_ports ? ports[port].kind->name : "";
}

const char *
port_kind_name(enum cfg_driver driver)
{
	return kinds[driver]->name;
}

const struct port_caps *
port_caps(uint16_t port)
{
	return port < n_ports ? &ports[port].caps : NULL;
}

bool
port_link_up(uint16_t port)
{
	uint32_t mbps;

	return port < n_ports && ports[port].started && ports[port].kind->link(&ports[port], &mbps);
}

uint32_t
port_link_mbps(uint16_t port)
{
	uint32_t mbps = 0;

	return port < n_ports && ports[port].kind->link(&ports[port], &mbps) ? mbps : 0;
}

int
port_stats(uint16_t port, struct port_stats *out)
{
	memset(out, 0, sizeof *out);
	if (port >= n_ports)
		return -ENODEV;

	for (uint16_t i = 0; i < ports[port].workers; i++) {
		const struct port_stats *c = &port_fast[port].queue[i]->count;

		out->rx_packets += port_counted(&c->rx_packets);
		out->tx_packets += port_counted(&c->tx_packets);
		out->rx_bytes += port_counted(&c->rx_bytes);
		out->tx_bytes += port_counted(&c->tx_bytes);
		out->rx_missed += port_counted(&c->rx_missed);
		out->rx_errors += port_counted(&c->rx_errors);
		out->tx_errors += port_counted(&c->tx_errors);
		out->rx_nombuf += port_counted(&c->rx_nombuf);
	}
	if (ports[port].kind->stats)
		ports[port].kind->stats(&ports[port], out);
	return 0;
}

int
port_steer(uint16_t port, const struct port_steer *what, char *error, size_t error_size)
{
	char reason[400] = "";
	int r;

	if (port >= n_ports || !ports[port].kind->steer) {
		snprintf(error, error_size, "port %s takes the whole interface", port_name(port));
		return -ENOTSUP;
	}
	r = ports[port].kind->steer(&ports[port], what, reason, sizeof reason);
	if (r != 0)
		snprintf(error, error_size, "port %s (%s): %s", port_name(port), ports[port].kind->name, reason);
	return r;
}
