/* The conversation, first as a server, then as a client, and what both share. */
#include "drivers/memif_link.h"
#include "drivers/log.h"
#include "drivers/memif_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 2000
#define RETRY_MS 200
#define RING_BYTES(size) (sizeof(struct memif_ring) + (size_t)(size) * sizeof(struct memif_descriptor))

/* ---- rings ------------------------------------------------------------------------ */

static void
end_attach(struct memif_end *e, const struct memif_end *as)
{
	rte_spinlock_lock(&e->lock);
	e->event = as->event;
	e->size = as->size;
	e->at = 0;
	e->bias = as->bias;
	e->ours = as->ours;
	e->theirs = as->theirs;
	e->region = as->region;
	e->n_regions = as->n_regions;
	e->own_offset = as->own_offset;
	e->buffer_size = as->buffer_size;
	e->ring = as->ring;
	rte_spinlock_unlock(&e->lock);
}

static void
end_detach(struct memif_end *e)
{
	int event;

	rte_spinlock_lock(&e->lock);
	event = e->event;
	e->ring = NULL;
	e->event = -1;
	rte_spinlock_unlock(&e->lock);
	if (event >= 0)
		close(event);
}

/* No worker is inside a ring once it was detached under its lock. */
static void
link_drop(struct memif_link *l)
{
	__atomic_store_n(&l->n_send, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&l->n_receive, 0, __ATOMIC_RELEASE);
	for (uint16_t i = 0; i < MEMIF_RINGS_MAX; i++) {
		end_detach(&l->send[i]);
		end_detach(&l->receive[i]);
	}
	for (uint16_t i = 0; i < l->n_regions; i++)
		munmap(l->region[i].base, l->region[i].size);
	l->n_regions = 0;
}

/* ---- as a server ------------------------------------------------------------------ */

/* Sealed against shrinking, or the peer could make our reading fault. */
static int
region_add(struct memif_link *l, const struct memif_add_region *a, int fd)
{
	struct memif_region *r = &l->region[l->n_regions];
	struct stat s;
	int seals = fd >= 0 ? fcntl(fd, F_GET_SEALS) : -1;
	void *base;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &s) != 0 || a->index != l->n_regions ||
		l->n_regions == MEMIF_REGIONS_MAX || a->size == 0 || a->size > (uint64_t)s.st_size)
		return -EPROTO;
	base = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	r->base = base;
	r->size = a->size;
	l->n_regions++;
	return 0;
}

/* Checked against the regions only when all of them are known (rings_check). */
struct offer {
	struct memif_add_ring ring[2][MEMIF_RINGS_MAX]; /* [0] s2c, [1] c2s */
	int event[2][MEMIF_RINGS_MAX];
	uint16_t n[2];
};

static int
ring_add(const struct memif_link *l, struct offer *o, const struct memif_add_ring *a, int fd)
{
	int way = a->flags & MEMIF_RING_C2S ? 1 : 0;

	if (fd < 0 || a->index != o->n[way] || a->index >= l->queues || a->log2_size > MEMIF_LOG2_SIZE_MAX ||
		a->private_header != 0)
		return -EPROTO;
	o->ring[way][a->index] = *a;
	o->event[way][a->index] = fd;
	o->n[way]++;
	return 0;
}

static int
ring_locate(struct memif_link *l, const struct memif_add_ring *a, struct memif_end *as)
{
	const struct memif_region *r;
	bool to_us = a->flags & MEMIF_RING_C2S;

	if (a->region >= l->n_regions || a->offset % 64 != 0)
		return -EPROTO;
	r = &l->region[a->region];
	if (a->offset + RING_BYTES(1u << a->log2_size) > r->size)
		return -EPROTO;

	*as = (struct memif_end){
		.ring = (struct memif_ring *)(r->base + a->offset),
		.size = (uint16_t)(1u << a->log2_size),
		.region = l->region,
		.n_regions = l->n_regions,
	};
	if (as->ring->cookie != MEMIF_COOKIE)
		return -EPROTO;
	as->ours = &as->ring->tail;
	as->theirs = &as->ring->head;
	__atomic_store_n(as->ours, 0, __ATOMIC_RELEASE);
	if (to_us)
		as->ring->flags = MEMIF_RING_POLLED;
	return 0;
}

static int
offer_take(struct memif_link *l, struct offer *o)
{
	if (o->n[0] == 0 || o->n[1] == 0)
		return -EPROTO;
	for (int way = 0; way < 2; way++) {
		for (uint16_t i = 0; i < o->n[way]; i++) {
			struct memif_end as;
			int r = ring_locate(l, &o->ring[way][i], &as);

			if (r != 0)
				return r;
			as.event = o->event[way][i];
			o->event[way][i] = -1;
			end_attach(way ? &l->receive[i] : &l->send[i], &as);
		}
	}
	__atomic_store_n(&l->n_send, o->n[0], __ATOMIC_RELEASE);
	__atomic_store_n(&l->n_receive, o->n[1], __ATOMIC_RELEASE);
	return 0;
}

static int
offer_hear(struct memif_link *l, int fd, struct offer *o, struct memif_message *m)
{
	const struct memif_message ack = {.type = MEMIF_ACK};

	for (;;) {
		int passed, r = memif_receive(fd, l->stop, PATIENCE_MS, m, &passed);

		if (r == 0 && m->type == MEMIF_CONNECT)
			return passed < 0 ? offer_take(l, o) : (close(passed), -EPROTO);
		if (r == 0 && m->type == MEMIF_ADD_RING) {
			r = ring_add(l, o, &m->add_ring, passed);
			if (r == 0)
				passed = -1;
		} else if (r == 0) {
			r = m->type == MEMIF_ADD_REGION ? region_add(l, &m->add_region, passed) : -EPROTO;
		}
		if (passed >= 0)
			close(passed);
		if (r == 0)
			r = memif_send(fd, &ack, -1);
		if (r != 0)
			return r;
	}
}

static int
server_agree(struct memif_link *l, int fd, struct memif_message *m)
{
	const struct memif_message hello = {
		.type = MEMIF_HELLO,
		.hello = {.name = "isthmus",
			.min_version = MEMIF_VERSION,
			.max_version = MEMIF_VERSION,
			.max_region = MEMIF_REGIONS_MAX - 1,
			.max_s2c_ring = (uint16_t)(l->queues - 1),
			.max_c2s_ring = (uint16_t)(l->queues - 1),
			.max_log2_size = MEMIF_LOG2_SIZE_MAX},
	};
	struct offer o;
	int r = memif_send(fd, &hello, -1);

	memset(&o, 0, sizeof o);
	memset(o.event, -1, sizeof o.event);
	if (r == 0)
		r = memif_expect(fd, l->stop, MEMIF_INIT, m);
	if (r == 0 && (m->init.version != MEMIF_VERSION || m->init.id != 0 || m->init.mode != 0))
		r = -EPROTO;
	if (r == 0)
		r = memif_send(fd, &(struct memif_message){.type = MEMIF_ACK}, -1);
	if (r == 0)
		r = offer_hear(l, fd, &o, m);
	for (uint16_t i = 0; i < MEMIF_RINGS_MAX; i++) {
		for (int way = 0; way < 2; way++)
			if (o.event[way][i] >= 0)
				close(o.event[way][i]);
	}

	if (r != 0)
		return r;
	*m = (struct memif_message){.type = MEMIF_CONNECTED};
	snprintf(m->name, sizeof m->name, "%.31s", l->name);
	return memif_send(fd, m, -1);
}

/* ---- as a client ------------------------------------------------------------------ */

/* Region 0: the rings, c2s first, then a buffer for each of their slots. */
static size_t
ring_offset(const struct memif_link *l, uint16_t ring)
{
	return ring * RING_BYTES(1u << l->log2_size);
}

static size_t
buffers_offset(const struct memif_link *l, uint16_t n_rings, uint16_t ring)
{
	size_t rings = (ring_offset(l, n_rings) + 4095) & ~(size_t)4095;

	return rings + (size_t)ring * l->buffer_size * (1u << l->log2_size);
}

static void
ring_init(struct memif_link *l, uint8_t *base, uint16_t n_rings, uint16_t ring, bool c2s, struct memif_end *as)
{
	uint16_t size = (uint16_t)(1u << l->log2_size);
	struct memif_ring *r = (struct memif_ring *)(base + ring_offset(l, ring));

	*as = (struct memif_end){
		.ring = r,
		.size = size,
		.bias = size,
		.ours = &r->head,
		.theirs = &r->tail,
		.region = l->region,
		.n_regions = 1,
		.own_offset = (uint32_t)buffers_offset(l, n_rings, ring),
		.buffer_size = l->buffer_size,
	};
	r->cookie = MEMIF_COOKIE;
	r->flags = c2s ? 0 : MEMIF_RING_POLLED;
	for (uint16_t i = 0; i < size; i++)
		r->descriptor[i] = (struct memif_descriptor){
			.length = l->buffer_size,
			.offset = as->own_offset + i * l->buffer_size,
		};
}

static int
region_make(struct memif_link *l, size_t size, int *fd)
{
	void *base;

	*fd = memfd_create("isthmus-memif", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return -errno;
	if (ftruncate(*fd, (off_t)size) != 0 || fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
		return -errno;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	l->region[0] = (struct memif_region){.base = base, .size = size};
	l->n_regions = 1;
	return 0;
}

/* The answer takes the question's place. */
static int
ask(struct memif_link *l, int fd, struct memif_message *m, int passed)
{
	int r = memif_send(fd, m, passed);

	return r == 0 ? memif_expect(fd, l->stop, MEMIF_ACK, m) : r;
}

static int
ring_offer(struct memif_link *l, int fd, uint16_t queues, uint16_t ring, struct memif_end *as, struct memif_message *m)
{
	bool c2s = ring < queues;

	*m = (struct memif_message){
		.type = MEMIF_ADD_RING,
		.add_ring = {.flags = c2s ? MEMIF_RING_C2S : 0,
			.index = c2s ? ring : (uint16_t)(ring - queues),
			.offset = (uint32_t)ring_offset(l, ring),
			.log2_size = l->log2_size},
	};

	ring_init(l, l->region[0].base, 2 * queues, ring, c2s, as);
	as->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return as->event < 0 ? -errno : ask(l, fd, m, as->event);
}

/* The rings are attached when the server says that it has them, empty buffers given first. */
static void
rings_attach(struct memif_link *l, uint16_t queues, struct memif_end *as)
{
	for (uint16_t i = 0; i < 2 * queues; i++) {
		struct memif_end *e = i < queues ? &l->send[i] : &l->receive[i - queues];

		__atomic_store_n(as[i].ours, i < queues ? 0 : as[i].size, __ATOMIC_RELEASE);
		end_attach(e, &as[i]);
		as[i].event = -1;
	}
	__atomic_store_n(&l->n_send, queues, __ATOMIC_RELEASE);
	__atomic_store_n(&l->n_receive, queues, __ATOMIC_RELEASE);
}

static int
rings_offer(struct memif_link *l, int fd, uint16_t queues, struct memif_message *m)
{
	struct memif_end as[2 * MEMIF_RINGS_MAX];
	int r = 0;

	for (uint16_t i = 0; i < 2 * queues; i++)
		as[i].event = -1;
	for (uint16_t i = 0; r == 0 && i < 2 * queues; i++)
		r = ring_offer(l, fd, queues, i, &as[i], m);
	if (r == 0) {
		*m = (struct memif_message){.type = MEMIF_CONNECT};
		snprintf(m->name, sizeof m->name, "%.31s", l->name);
		r = memif_send(fd, m, -1);
	}
	if (r == 0)
		r = memif_expect(fd, l->stop, MEMIF_CONNECTED, m);
	if (r == 0)
		rings_attach(l, queues, as);
	for (uint16_t i = 0; i < 2 * queues; i++)
		if (as[i].event >= 0)
			close(as[i].event);
	return r;
}

static int
client_agree(struct memif_link *l, int fd, struct memif_message *m)
{
	int region = -1, r = memif_expect(fd, l->stop, MEMIF_HELLO, m);
	uint16_t queues = l->offered;

	if (r != 0)
		return r;
	if (m->hello.min_version > MEMIF_VERSION || m->hello.max_version < MEMIF_VERSION ||
		m->hello.max_log2_size < l->log2_size)
		return -EPROTO;
	if (m->hello.max_c2s_ring + 1 < queues)
		queues = m->hello.max_c2s_ring + 1;
	if (m->hello.max_s2c_ring + 1 < queues)
		queues = m->hello.max_s2c_ring + 1;

	*m = (struct memif_message){.type = MEMIF_INIT, .init = {.version = MEMIF_VERSION, .name = "isthmus"}};
	r = ask(l, fd, m, -1);
	if (r == 0)
		r = region_make(l, buffers_offset(l, 2 * queues, 2 * queues), &region);
	if (r == 0) {
		*m = (struct memif_message){.type = MEMIF_ADD_REGION, .add_region = {.size = l->region[0].size}};
		r = ask(l, fd, m, region);
	}
	if (r == 0)
		r = rings_offer(l, fd, queues, m);
	if (region >= 0)
		close(region);
	return r;
}

/* ---- the thread ------------------------------------------------------------------- */

static const char *
end_text(int r)
{
	switch (r) {
	case -ECANCELED:
		return "we stop";
	case -ESHUTDOWN:
		return "goodbye";
	case -ECONNRESET:
		return "the peer is gone";
	case -EPROTO:
		return "the peer does not keep to the protocol";
	}
	return strerror(-r);
}

static void
end_report(const struct memif_link *l, int fd, int r, const struct memif_message *m)
{
	memif_say_goodbye(fd, end_text(r));
	if (r == -ESHUTDOWN)
		log_info("port", "%s: memif link ended: the peer says '%.*s'", l->name,
			(int)sizeof m->disconnect.reason, m->disconnect.reason);
	else
		log_info("port", "%s: memif link ended: %s", l->name, end_text(r));
}

/* From the first message to the last. A server may say that it can do more rings than it then
 * takes (DPDK's does): offer half the next time. */
static void
conversation(struct memif_link *l, int fd)
{
	struct memif_message m = {0};
	int passed, r = l->server ? server_agree(l, fd, &m) : client_agree(l, fd, &m);

	if (r == 0) {
		log_info("port", "%s: memif link is up, %u rings to send, %u to receive", l->name, l->n_send,
			l->n_receive);
		r = memif_receive(fd, l->stop, -1, &m, &passed);
		if (passed >= 0)
			close(passed);
		if (r == 0)
			r = -EPROTO;
		l->offered = l->queues;
	} else if (r == -ESHUTDOWN) {
		l->offered = l->offered > 1 ? l->offered / 2 : l->queues;
	}
	link_drop(l);
	end_report(l, fd, r, &m);
}

static bool
is_stopped(const struct memif_link *l, int timeout_ms)
{
	struct pollfd wait = {.fd = l->stop, .events = POLLIN};

	return poll(&wait, 1, timeout_ms) > 0;
}

static int
peer_connect(const struct memif_link *l)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, l->path, sizeof to.sun_path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* One peer at a time: the next waits in the backlog until this one is gone. */
static int
peer_accept(const struct memif_link *l)
{
	struct pollfd wait[] = {{.fd = l->listener, .events = POLLIN}, {.fd = l->stop, .events = POLLIN}};

	if (poll(wait, 2, -1) <= 0 || wait[1].revents)
		return -1;
	return accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
}

static void *
link_run(void *context)
{
	struct memif_link *l = context;

	while (!is_stopped(l, 0)) {
		int fd = l->server ? peer_accept(l) : peer_connect(l);

		if (fd >= 0) {
			conversation(l, fd);
			close(fd);
		}
		/* A peer that fails at once must not keep us busy. */
		is_stopped(l, RETRY_MS);
	}
	return NULL;
}

/* ---- life ------------------------------------------------------------------------- */

int
memif_link_open(struct memif_link *l, char *error, size_t n)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int r;

	if (!l->server && buffers_offset(l, 2 * l->queues, 2 * l->queues) > UINT32_MAX) {
		snprintf(error, n, "%u queues of %u buffers of %u bytes do not fit 4 GB", l->queues, 1u << l->log2_size,
			l->buffer_size);
		return -E2BIG;
	}
	l->listener = -1;
	l->offered = l->queues;
	l->stop = eventfd(0, EFD_CLOEXEC);
	if (l->stop < 0)
		return -errno;
	for (uint16_t i = 0; i < MEMIF_RINGS_MAX; i++) {
		rte_spinlock_init(&l->send[i].lock);
		rte_spinlock_init(&l->receive[i].lock);
		l->send[i].event = l->receive[i].event = -1;
	}
	if (!l->server)
		return 0;

	memcpy(at.sun_path, l->path, sizeof at.sun_path);
	l->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->listener >= 0 && bind(l->listener, (struct sockaddr *)&at, sizeof at) == 0 &&
		listen(l->listener, 4) == 0)
		return 0;
	r = -errno;
	snprintf(error, n, "socket '%s': %s", l->path, strerror(-r));
	close(l->listener);
	close(l->stop);
	return r;
}

int
memif_link_start(struct memif_link *l)
{
	sigset_t all, before;
	uint64_t count;
	int r;

	/* A stop before this start left its mark. */
	if (is_stopped(l, 0) && read(l->stop, &count, sizeof count) < 0)
		return -errno;
	/* Signals are the control thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&l->thread, NULL, link_run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	l->running = r == 0;
	return r;
}

void
memif_link_stop(struct memif_link *l)
{
	if (!l->running)
		return;
	if (eventfd_write(l->stop, 1) == 0)
		pthread_join(l->thread, NULL);
	l->running = false;
}

void
memif_link_close(struct memif_link *l)
{
	memif_link_stop(l);
	if (l->server) {
		close(l->listener);
		unlink(l->path);
	}
	close(l->stop);
}

bool
memif_link_is_up(const struct memif_link *l)
{
	return __atomic_load_n(&l->n_send, __ATOMIC_ACQUIRE) > 0;
}
