/* Ports that share a kernel interface through AF_XDP: our XDP program (xdp/) picks the frames.
 *
 * Not DPDK's driver of that name: it leaves its program attached when killed, hides the maps that
 * tell ours what to take, and needs packet buffers below a page in size. Here each receive queue
 * of the interface has a socket with frames of its own; packets are copied to and from mbufs,
 * which the kernel's copy mode dwarfs anyway.
 *
 * Every receive queue needs a socket, or its frames would go to the kernel: with more queues than
 * workers, worker i serves the sockets i, i + workers, ... How the NIC spreads flows is the
 * kernel's configuration, so caps.rss is false with several workers.
 *
 * Frames of a socket: the first half circulates between the kernel and receiving, the other half
 * between sending and the completion ring.
 */
#include "drivers/log.h"
#include "drivers/netdev.h"
#include "drivers/offload.h"
#include "drivers/port_kind.h"
#include "drivers/xdp/loader.h"

#include <linux/if_link.h>
#include <xdp/xsk.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS_MAX 256
#define COPY_MODE_BATCH 32 /* frames the kernel sends per call */
#define XDP_HEADROOM 256

struct socket {
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	uint8_t *frames;
	size_t size;
	uint32_t frame_size;

	/* the worker that receives */
	struct xsk_ring_cons rx;
	struct xsk_ring_prod fill;

	/* the worker that sends, or several under port.c's lock */
	struct xsk_ring_prod tx __rte_cache_aligned;
	struct xsk_ring_cons completed;
	uint64_t *spare; /* frames to send from */
	uint32_t n_spare;
};

/* The sockets of one worker. */
struct group {
	struct af_xdp *port;
	uint16_t first, step;
	uint16_t next; /* worker: where to look first */
};

struct af_xdp {
	struct netdev netdev;
	struct xdp_loader *program;
	int listen; /* keeps multicast or promiscuous mode */
	bool skb_mode, zero_copy, complete_checksums;
	uint16_t n_sockets;
	struct socket *socket;
	struct group group[PORT_QUEUES_MAX];
};

/* ---- receiving -------------------------------------------------------------------- */

static void
frame_copy(struct rte_mbuf *m, const struct socket *s, const struct xdp_desc *d, bool complete_checksum)
{
	uint32_t length = RTE_MIN(d->len, (uint32_t)rte_pktmbuf_tailroom(m));

	rte_memcpy(rte_pktmbuf_mtod(m, void *), s->frames + d->addr, length);
	m->data_len = (uint16_t)length;
	m->pkt_len = length;
	if (complete_checksum)
		offload_checksum_guess(rte_pktmbuf_mtod(m, uint8_t *), length);
}

static uint16_t
socket_receive(struct port_queue *q, struct socket *s, struct rte_mbuf **pkts, uint16_t n, bool complete_checksums)
{
	uint32_t at = 0, refill = 0, got = xsk_ring_cons__peek(&s->rx, n, &at);

	if (got == 0) {
		if (xsk_ring_prod__needs_wakeup(&s->fill))
			recvfrom(xsk_socket__fd(s->xsk), NULL, 0, MSG_DONTWAIT, NULL, NULL);
		return 0;
	}
	if (unlikely(rte_pktmbuf_alloc_bulk(q->port->pool, pkts, got) != 0)) {
		xsk_ring_cons__cancel(&s->rx, got);
		port_count(&q->count.rx_nombuf, 1);
		return 0;
	}

	/* The fill ring has as many places as there are frames to receive into. */
	xsk_ring_prod__reserve(&s->fill, got, &refill);
	for (uint32_t i = 0; i < got; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&s->rx, at + i);

		frame_copy(pkts[i], s, d, complete_checksums);
		*xsk_ring_prod__fill_addr(&s->fill, refill + i) = d->addr - d->addr % s->frame_size;
	}
	xsk_ring_prod__submit(&s->fill, got);
	xsk_ring_cons__release(&s->rx, got);
	return (uint16_t)got;
}

static uint16_t
af_xdp_receive(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct group *g = q->rx;
	struct af_xdp *x = g->port;
	uint16_t got = 0, looked = 0;

	/* Begin where the last burst ended, so that a busy queue does not starve the others. */
	for (; looked < x->n_sockets && got < n; looked += g->step) {
		got += socket_receive(q, &x->socket[g->next], pkts + got, n - got, x->complete_checksums);
		g->next = g->next + g->step < x->n_sockets ? g->next + g->step : g->first;
	}
	return got;
}

/* ---- sending ---------------------------------------------------------------------- */

static void
completed_take(struct socket *s, uint32_t most)
{
	uint32_t at = 0, n = xsk_ring_cons__peek(&s->completed, most, &at);

	for (uint32_t i = 0; i < n; i++)
		s->spare[s->n_spare++] = *xsk_ring_cons__comp_addr(&s->completed, at + i);
	xsk_ring_cons__release(&s->completed, n);
}

/* In copy mode each call sends a batch and says EAGAIN when there is more. */
static void
kernel_wake(struct socket *s, uint16_t n)
{
	if (!xsk_ring_prod__needs_wakeup(&s->tx))
		return;
	for (int i = 0; i <= n / COPY_MODE_BATCH; i++)
		if (sendto(xsk_socket__fd(s->xsk), NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 || errno != EAGAIN)
			return;
}

static uint16_t
af_xdp_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct socket *s = q->tx;
	uint32_t at = 0;

	completed_take(s, XSK_RING_PROD__DEFAULT_NUM_DESCS);
	n = (uint16_t)RTE_MIN(n, s->n_spare);
	if (n == 0 || xsk_ring_prod__reserve(&s->tx, n, &at) != n) {
		kernel_wake(s, COPY_MODE_BATCH);
		return 0;
	}

	for (uint16_t i = 0; i < n; i++) {
		struct xdp_desc *d = xsk_ring_prod__tx_desc(&s->tx, at + i);

		d->addr = s->spare[--s->n_spare];
		d->len = pkts[i]->data_len;
		d->options = 0;
		rte_memcpy(s->frames + d->addr, rte_pktmbuf_mtod(pkts[i], void *), pkts[i]->data_len);
	}
	xsk_ring_prod__submit(&s->tx, n);
	rte_pktmbuf_free_bulk(pkts, n);
	kernel_wake(s, n);
	return n;
}

/* ---- sockets ---------------------------------------------------------------------- */

static void
socket_close(struct socket *s)
{
	if (s->xsk)
		xsk_socket__delete(s->xsk);
	if (s->umem)
		xsk_umem__delete(s->umem);
	if (s->frames)
		munmap(s->frames, s->size);
	free(s->spare);
	memset(s, 0, sizeof *s);
}

static int
umem_make(struct socket *s, const struct port *p)
{
	const struct xsk_umem_config config = {
		.fill_size = p->descriptors,
		.comp_size = p->descriptors,
		.frame_size = s->frame_size,
	};

	s->size = 2 * (size_t)p->descriptors * s->frame_size;
	s->frames = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->frames == MAP_FAILED) {
		s->frames = NULL;
		return -errno;
	}
	s->spare = calloc(p->descriptors, sizeof *s->spare);
	if (!s->spare)
		return -ENOMEM;
	return xsk_umem__create(&s->umem, s->frames, s->size, &s->fill, &s->completed, &config);
}

static void
frames_hand_out(struct socket *s, uint32_t n)
{
	uint32_t at = 0;

	xsk_ring_prod__reserve(&s->fill, n, &at);
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&s->fill, at + i) = (uint64_t)i * s->frame_size;
	xsk_ring_prod__submit(&s->fill, n);
	for (uint32_t i = n; i < 2 * n; i++)
		s->spare[s->n_spare++] = (uint64_t)i * s->frame_size;
}

static int
socket_open(struct socket *s, const struct port *p, const struct cfg_port *c, uint16_t queue)
{
	const struct xsk_socket_config config = {
		.rx_size = p->descriptors,
		.tx_size = p->descriptors,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.xdp_flags = c->skb_mode ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE,
		.bind_flags = XDP_USE_NEED_WAKEUP | (c->force_copy || c->skb_mode ? XDP_COPY : 0),
	};
	int r;

	s->frame_size = p->frame_max + XDP_HEADROOM <= 2048 ? 2048 : 4096;
	r = umem_make(s, p);
	if (r == 0)
		r = xsk_socket__create(&s->xsk, c->interface, queue, s->umem, &s->rx, &s->tx, &config);
	if (r == 0)
		frames_hand_out(s, p->descriptors);
	return r;
}

static bool
socket_is_zero_copy(const struct socket *s)
{
	struct xdp_options options = {0};
	socklen_t size = sizeof options;

	return getsockopt(xsk_socket__fd(s->xsk), SOL_XDP, XDP_OPTIONS, &options, &size) == 0 &&
	       options.flags & XDP_OPTIONS_ZEROCOPY;
}

static int
sockets_open(struct port *p, struct af_xdp *x, const struct cfg_port *c, char *error, size_t n)
{
	x->socket = calloc(x->n_sockets, sizeof *x->socket);
	if (!x->socket)
		return -ENOMEM;
	for (uint16_t i = 0; i < x->n_sockets; i++) {
		int r = socket_open(&x->socket[i], p, c, i);

		if (r == 0)
			r = xdp_loader_socket_add(x->program, i, xsk_socket__fd(x->socket[i].xsk));
		if (r != 0) {
			snprintf(error, n, "AF_XDP socket on queue %u of interface '%s': %s", i, c->interface,
				strerror(-r));
			return r;
		}
	}
	x->zero_copy = socket_is_zero_copy(&x->socket[0]);
	return 0;
}

/* ---- the kind --------------------------------------------------------------------- */

static void
af_xdp_close(struct port *p)
{
	struct af_xdp *x = p->state;

	if (!x)
		return;
	for (uint16_t i = 0; x->socket && i < x->n_sockets; i++)
		socket_close(&x->socket[i]);
	free(x->socket);
	xdp_loader_close(x->program);
	if (x->listen >= 0)
		close(x->listen);
	netdev_restore(&x->netdev);
	free(x);
	p->state = NULL;
}

static void
queues_assign(struct port *p, struct af_xdp *x)
{
	p->caps.rx_queues = p->caps.tx_queues = RTE_MIN(x->n_sockets, p->workers);
	for (uint16_t i = 0; i < p->caps.rx_queues; i++) {
		x->group[i] = (struct group){.port = x, .first = i, .next = i, .step = p->caps.rx_queues};
		p->rx[i] = &x->group[i];
		p->tx[i] = &x->socket[i];
	}
	p->caps.rss = p->workers == 1;
}

static int
interface_prepare(struct port *p, struct af_xdp *x, const struct cfg_port *c, char *error, size_t n)
{
	int r = netdev_open(&x->netdev, c->interface, error, n);

	if (r == 0)
		r = netdev_mtu_set(&x->netdev, p->caps.mtu, error, n);
	if (r == 0)
		r = netdev_up(&x->netdev, error, n);
	if (r != 0)
		return r;

	if (netdev_rx_offloads_off(&x->netdev) != 0)
		log_warning("port", "%s: interface '%s' may strip VLAN tags before we see them", p->name, c->interface);
	x->listen = netdev_listen(&x->netdev, c->has_mac);
	if (x->listen < 0) {
		snprintf(error, n, "interface '%s' does not listen to multicast: %s", c->interface,
			strerror(-x->listen));
		return x->listen;
	}
	x->complete_checksums = netdev_is_veth(c->interface);
	x->n_sockets = RTE_MIN(netdev_channels(c->interface), SOCKETS_MAX);
	return 0;
}

static int
af_xdp_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	const uint32_t most = 4096 - XDP_HEADROOM;
	struct af_xdp *x;
	int r;

	if (p->frame_max > most) {
		snprintf(error, n, "mtu %u: a frame of AF_XDP holds %u at most", p->caps.mtu,
			most - (p->frame_max - p->caps.mtu));
		return -ERANGE;
	}
	x = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->listen = -1;
	x->skb_mode = c->skb_mode;
	p->state = x;

	r = interface_prepare(p, x, c, error, n);
	if (r == 0)
		r = xdp_loader_open(&x->program, error, n);
	if (r == 0)
		r = sockets_open(p, x, c, error, n);
	if (r != 0) {
		af_xdp_close(p);
		return r;
	}
	if (!c->has_mac)
		p->caps.mac = x->netdev.mac;
	queues_assign(p, x);
	return 0;
}

static int
af_xdp_start(struct port *p, char *error, size_t n)
{
	struct af_xdp *x = p->state;
	int r = xdp_loader_attach(x->program, x->netdev.name, x->netdev.index, x->skb_mode, error, n);

	if (r == 0)
		log_info("port", "%s: XDP in %s mode, %s", p->name, x->skb_mode ? "generic" : "driver",
			x->zero_copy ? "zero copy" : "copying");
	return r;
}

static void
af_xdp_stop(struct port *p)
{
	struct af_xdp *x = p->state;

	xdp_loader_detach(x->program);
}

static bool
af_xdp_link(const struct port *p, uint32_t *mbps)
{
	const struct af_xdp *x = p->state;

	return netdev_link(x->netdev.name, mbps);
}

static void
af_xdp_stats(const struct port *p, struct port_stats *sum)
{
	const struct af_xdp *x = p->state;

	for (uint16_t i = 0; i < x->n_sockets; i++) {
		struct xdp_statistics k = {0};
		socklen_t size = sizeof k;

		if (getsockopt(xsk_socket__fd(x->socket[i].xsk), SOL_XDP, XDP_STATISTICS, &k, &size) != 0)
			continue;
		sum->rx_missed += k.rx_dropped + k.rx_ring_full;
		sum->tx_errors += k.tx_invalid_descs;
	}
}

static int
af_xdp_steer(struct port *p, const struct port_steer *what, char *error, size_t n)
{
	struct af_xdp *x = p->state;

	return xdp_loader_steer(x->program, what, error, n);
}

const struct port_kind port_af_xdp = {
	.name = "af_xdp",
	.open = af_xdp_open,
	.start = af_xdp_start,
	.stop = af_xdp_stop,
	.close = af_xdp_close,
	.link = af_xdp_link,
	.stats = af_xdp_stats,
	.steer = af_xdp_steer,
	.receive = af_xdp_receive,
	.send = af_xdp_send,
};
