/* Ports on a kernel interface through AF_PACKET: rings to receive, sendmmsg to send.
 *
 * Not DPDK's driver of that name: it drops the word that a checksum is still missing, cuts frames
 * that are longer than its buffers without saying so, and leaves promiscuous mode behind when
 * killed. Here a virtio header precedes each frame (PACKET_VNET_HDR), so checksums of local
 * senders are completed and their large TCP frames segmented; what does not fit the ring comes by
 * recv(). Whatever the sockets hold (promiscuous mode, fanout) ends with the process.
 *
 * Each receive queue is one socket of a fanout group (fanout.h).
 */
#include "drivers/fanout.h"
#include "drivers/netdev.h"
#include "drivers/offload.h"
#include "drivers/port_kind.h"

#include <rte_malloc.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_SIZE (1u << 17)
#define LARGE_MAX (1u << 17) /* of a frame that comes by recv() */
#define SEND_MAX 64

struct rx_queue {
	/* control */
	int fd;
	uint8_t *ring;
	size_t ring_size;
	uint32_t frame_size, mask;
	struct rte_mempool *pool;
	uint8_t *large; /* virtio header and frame */

	/* worker */
	uint32_t next;
	uint32_t tag; /* of the frame under segmentation: TPID and TCI, 0 = none */
	bool segmenting;
	struct offload_segments segments;
};

struct tx_queue {
	int fd;
	struct mmsghdr message[SEND_MAX];
	struct iovec part[SEND_MAX];
};

struct af_packet {
	struct netdev netdev;
	struct rx_queue rx[PORT_QUEUES_MAX];
	struct tx_queue tx[PORT_QUEUES_MAX];
	uint64_t missed; /* control: the kernel forgets its count when asked */
};

/* ---- receiving -------------------------------------------------------------------- */

/* The kernel takes the outer tag off every frame; put it back. */
static bool
tag_insert(struct rte_mbuf *m, uint32_t tag)
{
	uint8_t *frame;

	if (tag == 0)
		return true;
	frame = (uint8_t *)rte_pktmbuf_prepend(m, RTE_VLAN_HLEN);
	if (!frame)
		return false;
	memmove(frame, frame + RTE_VLAN_HLEN, 2 * RTE_ETHER_ADDR_LEN);
	tag = rte_cpu_to_be_32(tag);
	memcpy(frame + 2 * RTE_ETHER_ADDR_LEN, &tag, sizeof tag);
	return true;
}

static uint32_t
tag_read(const struct tpacket2_hdr *h)
{
	uint32_t tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->tp_vlan_tpid : ETH_P_8021Q;

	return h->tp_status & TP_STATUS_VLAN_VALID ? tpid << 16 | h->tp_vlan_tci : 0;
}

static struct rte_mbuf *
frame_refuse(struct port_queue *q, struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
	port_count(&q->count.rx_errors, 1);
	return NULL;
}

static struct rte_mbuf *
frame_copy(struct port_queue *q, struct rx_queue *rx, struct rte_mbuf *m, const struct virtio_net_hdr *v,
	const uint8_t *frame, uint32_t length, uint32_t tag)
{
	if (length > rte_pktmbuf_tailroom(m))
		return frame_refuse(q, m);
	rte_memcpy(rte_pktmbuf_mtod(m, void *), frame, length);
	m->data_len = (uint16_t)length;
	m->pkt_len = length;
	if ((v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !offload_checksum(v, rte_pktmbuf_mtod(m, uint8_t *), length))
		return frame_refuse(q, m);
	return tag_insert(m, tag) ? m : frame_refuse(q, m);
}

static struct rte_mbuf *
segment_copy(struct port_queue *q, struct rx_queue *rx, struct rte_mbuf *m)
{
	uint32_t length = offload_segments_next(&rx->segments, rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_tailroom(m));

	rx->segmenting = length > 0 && rx->segments.header + rx->segments.done < rx->segments.length;
	if (length == 0)
		return frame_refuse(q, m);
	m->data_len = (uint16_t)length;
	m->pkt_len = length;
	return tag_insert(m, rx->tag) ? m : frame_refuse(q, m);
}

/* A large frame stays in `large` while its segments are handed out, over several bursts perhaps. */
static struct rte_mbuf *
segmentation_begin(struct port_queue *q, struct rx_queue *rx, struct rte_mbuf *m, uint32_t length, uint32_t tag)
{
	const struct virtio_net_hdr *v = (const struct virtio_net_hdr *)rx->large;

	if (!offload_segments_begin(&rx->segments, v, rx->large + sizeof *v, length))
		return frame_refuse(q, m);
	rx->tag = tag;
	return segment_copy(q, rx, m);
}

/* The frame did not fit the ring: the socket's ordinary queue has all of it. */
static struct rte_mbuf *
large_receive(struct port_queue *q, struct rx_queue *rx, struct rte_mbuf *m, uint32_t tag)
{
	const struct virtio_net_hdr *v = (const struct virtio_net_hdr *)rx->large;
	ssize_t got = recv(rx->fd, rx->large, LARGE_MAX, MSG_DONTWAIT | MSG_TRUNC);
	uint32_t length;

	if (got < (ssize_t)(sizeof *v + RTE_ETHER_HDR_LEN) || got > (ssize_t)LARGE_MAX)
		return frame_refuse(q, m);
	length = (uint32_t)got - (uint32_t)sizeof *v;
	if (v->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return frame_copy(q, rx, m, v, rx->large + sizeof *v, length, tag);
	return segmentation_begin(q, rx, m, length, tag);
}

static struct rte_mbuf *
ring_frame_receive(struct port_queue *q, struct rx_queue *rx, struct rte_mbuf *m, const struct tpacket2_hdr *h)
{
	const uint8_t *frame = (const uint8_t *)h + h->tp_mac;
	struct virtio_net_hdr v;

	if (h->tp_snaplen < h->tp_len)
		return h->tp_status & TP_STATUS_COPY ? large_receive(q, rx, m, tag_read(h)) : frame_refuse(q, m);

	memcpy(&v, frame - sizeof v, sizeof v);
	if (v.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return frame_copy(q, rx, m, &v, frame, h->tp_len, tag_read(h));

	memcpy(rx->large, frame - sizeof v, sizeof v + h->tp_len);
	return segmentation_begin(q, rx, m, h->tp_len, tag_read(h));
}

static uint16_t
af_packet_receive(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct rx_queue *rx = q->rx;
	uint16_t got = 0;

	while (got < n) {
		struct tpacket2_hdr *h = (struct tpacket2_hdr *)(rx->ring + (size_t)rx->next * rx->frame_size);
		struct rte_mbuf *m;

		if (!rx->segmenting && !(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			break;
		m = rte_pktmbuf_alloc(rx->pool);
		if (unlikely(!m)) {
			port_count(&q->count.rx_nombuf, 1);
			break;
		}

		if (rx->segmenting) {
			m = segment_copy(q, rx, m);
		} else {
			m = ring_frame_receive(q, rx, m, h);
			__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
			rx->next = (rx->next + 1) & rx->mask;
		}
		if (likely(m))
			pkts[got++] = m;
	}
	return got;
}

/* ---- sending ---------------------------------------------------------------------- */

/* Errors that will not go away for this frame, against a queue that is full for now. */
static bool
is_lasting(int error)
{
	return error != EAGAIN && error != ENOBUFS && error != EINTR && error != ENOMEM;
}

/* Up to SEND_MAX frames; returns how many are done with. */
static uint16_t
some_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct tx_queue *tx = q->tx;
	uint16_t done = 0;

	for (uint16_t i = 0; i < n; i++) {
		tx->part[i].iov_base = rte_pktmbuf_mtod(pkts[i], void *);
		tx->part[i].iov_len = pkts[i]->data_len;
	}
	while (done < n) {
		int sent = sendmmsg(tx->fd, tx->message + done, n - done, MSG_DONTWAIT);

		if (sent > 0) {
			done += (uint16_t)sent;
			continue;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent == 0 || !is_lasting(errno))
			break;
		port_count(&q->count.tx_errors, 1);
		done++;
	}
	rte_pktmbuf_free_bulk(pkts, done);
	return done;
}

static uint16_t
af_packet_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t done = 0, some, sent;

	do {
		some = (uint16_t)RTE_MIN(n - done, SEND_MAX);
		sent = some_send(q, pkts + done, some);
		done += sent;
	} while (sent == some && done < n);
	return done;
}

/* ---- sockets ---------------------------------------------------------------------- */

static int
option_set(int fd, int option, const void *value, size_t size)
{
	return setsockopt(fd, SOL_PACKET, option, value, (socklen_t)size) == 0 ? 0 : -errno;
}

static int
filter_everything(int fd, bool drop)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &nothing};
	int none = 0;

	if (drop)
		return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0 : -errno;
	return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none) == 0 ? 0 : -errno;
}

static int
ring_map(struct rx_queue *rx, const struct port *p)
{
	uint32_t frame = (uint32_t)rte_align32pow2(TPACKET2_HDRLEN + 64 + p->frame_max);
	struct tpacket_req request = {
		.tp_block_size = RTE_MAX(BLOCK_SIZE, frame),
		.tp_frame_size = frame,
		.tp_frame_nr = RTE_MAX(p->descriptors, BLOCK_SIZE / frame),
	};
	int r;

	request.tp_block_nr = request.tp_frame_nr * frame / request.tp_block_size;
	r = option_set(rx->fd, PACKET_RX_RING, &request, sizeof request);
	if (r != 0)
		return r;

	rx->frame_size = frame;
	rx->mask = request.tp_frame_nr - 1;
	rx->ring_size = (size_t)request.tp_block_nr * request.tp_block_size;
	rx->ring = mmap(NULL, rx->ring_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, rx->fd, 0);
	if (rx->ring == MAP_FAILED) {
		rx->ring = NULL;
		return -errno;
	}
	return 0;
}

static int
rx_options_set(const struct rx_queue *rx, int ifindex)
{
	const struct packet_mreq promiscuous = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};
	const int version = TPACKET_V2, one = 1, large = 4 << 20;
	int r = filter_everything(rx->fd, true);

	if (r == 0)
		r = option_set(rx->fd, PACKET_VERSION, &version, sizeof version);
	if (r == 0)
		r = option_set(rx->fd, PACKET_VNET_HDR, &one, sizeof one);
	if (r == 0)
		r = option_set(rx->fd, PACKET_COPY_THRESH, &one, sizeof one);
	if (r == 0)
		r = option_set(rx->fd, PACKET_IGNORE_OUTGOING, &one, sizeof one);
	if (r == 0)
		r = option_set(rx->fd, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous);
	/* Room for the large frames beside the ring. Fails only without CAP_NET_ADMIN. */
	if (r == 0)
		setsockopt(rx->fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
	return r;
}

static int
socket_bind(int fd, int ifindex, uint16_t protocol)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_ifindex = ifindex,
		.sll_protocol = rte_cpu_to_be_16(protocol),
	};

	return bind(fd, (struct sockaddr *)&at, sizeof at) == 0 ? 0 : -errno;
}

static int
rx_open(struct rx_queue *rx, const struct port *p, int ifindex)
{
	int r;

	rx->pool = p->pool;
	rx->large = malloc(LARGE_MAX);
	if (!rx->large)
		return -ENOMEM;
	rx->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (rx->fd < 0)
		return -errno;
	r = rx_options_set(rx, ifindex);
	if (r == 0)
		r = ring_map(rx, p);
	if (r == 0)
		r = socket_bind(rx->fd, ifindex, ETH_P_ALL);
	return r;
}

static int
tx_open(struct tx_queue *tx, int ifindex)
{
	const int one = 1;
	int r;

	for (int i = 0; i < SEND_MAX; i++) {
		tx->message[i].msg_hdr.msg_iov = &tx->part[i];
		tx->message[i].msg_hdr.msg_iovlen = 1;
	}
	tx->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (tx->fd < 0)
		return -errno;
	r = option_set(tx->fd, PACKET_QDISC_BYPASS, &one, sizeof one);
	return r == 0 ? socket_bind(tx->fd, ifindex, 0) : r;
}

/* ---- the kind --------------------------------------------------------------------- */

static void
af_packet_close(struct port *p)
{
	struct af_packet *s = p->state;

	if (!s)
		return;
	for (uint16_t i = 0; i < PORT_QUEUES_MAX; i++) {
		if (s->rx[i].ring)
			munmap(s->rx[i].ring, s->rx[i].ring_size);
		if (s->rx[i].fd > 0)
			close(s->rx[i].fd);
		if (s->tx[i].fd > 0)
			close(s->tx[i].fd);
		free(s->rx[i].large);
	}
	netdev_restore(&s->netdev);
	free(s);
	p->state = NULL;
}

static int
sockets_open(struct port *p, struct af_packet *s, uint16_t queues, char *error, size_t n)
{
	int group = 0, r = 0;

	for (uint16_t i = 0; r == 0 && i < queues; i++) {
		r = rx_open(&s->rx[i], p, s->netdev.index);
		p->rx[i] = &s->rx[i];
	}
	for (uint16_t i = 0; r == 0 && i < p->workers; i++) {
		r = tx_open(&s->tx[i], s->netdev.index);
		p->tx[i] = &s->tx[i];
	}
	for (uint16_t i = 0; r == 0 && queues > 1 && i < queues; i++)
		r = fanout_join(s->rx[i].fd, &group, i == 0);
	if (r != 0)
		snprintf(error, n, "packet sockets on interface '%s': %s", s->netdev.name, strerror(-r));
	return r;
}

static int
af_packet_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	uint16_t queues = c->queues && c->queues < p->workers ? c->queues : p->workers;
	struct af_packet *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	p->state = s;
	r = netdev_open(&s->netdev, c->interface, error, n);
	if (r == 0)
		r = netdev_mtu_set(&s->netdev, p->caps.mtu, error, n);
	if (r == 0)
		r = netdev_up(&s->netdev, error, n);
	if (r == 0)
		r = sockets_open(p, s, queues, error, n);
	if (r != 0) {
		af_packet_close(p);
		return r;
	}

	if (!c->has_mac)
		p->caps.mac = s->netdev.mac;
	p->caps.rx_queues = queues;
	p->caps.tx_queues = p->workers;
	p->caps.rss = queues == p->workers;
	return 0;
}

static int
af_packet_start(struct port *p, char *error, size_t n)
{
	struct af_packet *s = p->state;
	int r = 0;

	for (uint16_t i = 0; r == 0 && i < p->caps.rx_queues; i++)
		r = filter_everything(s->rx[i].fd, false);
	return r;
}

static void
af_packet_stop(struct port *p)
{
	struct af_packet *s = p->state;

	for (uint16_t i = 0; i < p->caps.rx_queues; i++)
		filter_everything(s->rx[i].fd, true);
}

static bool
af_packet_link(const struct port *p, uint32_t *mbps)
{
	const struct af_packet *s = p->state;

	return netdev_link(s->netdev.name, mbps);
}

/* Frames that came while the ring was full. */
static void
af_packet_stats(const struct port *p, struct port_stats *sum)
{
	struct af_packet *s = p->state;

	for (uint16_t i = 0; i < p->caps.rx_queues; i++) {
		struct tpacket_stats k;
		socklen_t size = sizeof k;

		if (getsockopt(s->rx[i].fd, SOL_PACKET, PACKET_STATISTICS, &k, &size) == 0)
			s->missed += k.tp_drops;
	}
	sum->rx_missed += s->missed;
}

const struct port_kind port_af_packet = {
	.name = "af_packet",
	.open = af_packet_open,
	.start = af_packet_start,
	.stop = af_packet_stop,
	.close = af_packet_close,
	.link = af_packet_link,
	.stats = af_packet_stats,
	.receive = af_packet_receive,
	.send = af_packet_send,
};
