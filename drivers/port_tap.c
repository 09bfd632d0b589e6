/* Ports whose wire is a TAP interface: the local kernel is the neighbour.
 *
 * The kernel's end has a MAC of its own, the port another (derived or configured). One queue per
 * worker; the kernel picks the queue of what it sends by what was last received from that flow,
 * which is no promise, so caps.rss is false with several workers.
 *
 * Not DPDK's driver of that name, which waits for signals and takes no MTU above 1500.
 */
#include "drivers/netdev.h"
#include "drivers/port_kind.h"
#include "drivers/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct tap {
	struct netdev netdev;
	int fd[PORT_QUEUES_MAX];
	struct rte_mempool *pool;
};

/* The kind's queue is the descriptor, one more than it so that none is NULL. */
static void *
fd_queue(int fd)
{
	return (void *)(uintptr_t)(fd + 1);
}

static int
queue_fd(const void *queue)
{
	return (int)(uintptr_t)queue - 1;
}

static uint16_t
tap_receive(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = 0;

	while (got < n) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(q->port->pool);
		ssize_t length;

		if (unlikely(!m)) {
			port_count(&q->count.rx_nombuf, 1);
			break;
		}
		/* A frame of the full room was cut: longer than any MTU, port.c drops it. */
		length = read(queue_fd(q->rx), rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
		if (length <= 0) {
			rte_pktmbuf_free(m);
			break;
		}
		m->data_len = (uint16_t)length;
		m->pkt_len = (uint32_t)length;
		pkts[got++] = m;
	}
	return got;
}

static uint16_t
tap_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t done = 0;

	for (; done < n; done++) {
		ssize_t r = write(queue_fd(q->tx), rte_pktmbuf_mtod(pkts[done], void *), pkts[done]->data_len);

		if (r < 0 && errno == EAGAIN)
			break;
		/* EIO: the interface is down. */
		if (r < 0)
			port_count(&q->count.tx_errors, 1);
		rte_pktmbuf_free(pkts[done]);
	}
	return done;
}

static void
tap_close(struct port *p)
{
	struct tap *s = p->state;

	if (!s)
		return;
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
	free(s);
	p->state = NULL;
}

static int
tap_queues_open(struct port *p, struct tap *s, const struct cfg_port *c, uint16_t queues, char *error, size_t n)
{
	char name[TAP_NAME_MAX];

	if (!c->interface || strlen(c->interface) >= sizeof name) {
		snprintf(error, n, "interface '%s' is not a name of 1 to %zu bytes", c->interface ? c->interface : "",
			sizeof name - 1);
		return -EINVAL;
	}
	snprintf(name, sizeof name, "%s", c->interface);
	for (uint16_t i = 0; i < queues; i++) {
		s->fd[i] = tap_open(name, queues > 1, error, n);
		if (s->fd[i] < 0)
			return s->fd[i];
		p->rx[i] = p->tx[i] = fd_queue(s->fd[i]);
	}
	return netdev_open(&s->netdev, name, error, n);
}

static int
tap_kind_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	uint16_t queues = c->queues && c->queues < p->workers ? c->queues : p->workers;
	struct tap *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++)
		s->fd[i] = -1;
	p->state = s;
	r = tap_queues_open(p, s, c, queues, error, n);
	if (r == 0)
		r = netdev_mtu_set(&s->netdev, p->caps.mtu, error, n);
	if (r != 0) {
		tap_close(p);
		return r;
	}
	p->caps.rx_queues = p->caps.tx_queues = queues;
	p->caps.rss = p->workers == 1;
	return 0;
}

static int
tap_start(struct port *p, char *error, size_t n)
{
	struct tap *s = p->state;

	return netdev_up(&s->netdev, error, n);
}

static void
tap_stop(struct port *p)
{
	struct tap *s = p->state;

	netdev_restore(&s->netdev);
}

static bool
tap_link(const struct port *p, uint32_t *mbps)
{
	const struct tap *s = p->state;

	return netdev_link(s->netdev.name, mbps);
}

const struct port_kind port_tap = {
	.name = "tap",
	.open = tap_kind_open,
	.start = tap_start,
	.stop = tap_stop,
	.close = tap_close,
	.link = tap_link,
	.receive = tap_receive,
	.send = tap_send,
};
