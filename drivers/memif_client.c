/* A memif client: makes the memory, lays out rings and buffers, and offers them to a server. */
#include "drivers/memif_agree.h"
#include "drivers/memif_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Region 0: the rings, c2s first, then a buffer for each of their slots. */
static size_t
ring_offset(const struct memif_link *l, uint16_t ring)
{
	return ring * MEMIF_RING_BYTES(1u << l->log2_size);
}

static size_t
buffers_offset(const struct memif_link *l, uint16_t n_rings, uint16_t ring)
{
	size_t rings = (ring_offset(l, n_rings) + 4095) & ~(size_t)4095;

	return rings + (size_t)ring * l->buffer_size * (1u << l->log2_size);
}

size_t
memif_client_memory(const struct memif_link *l, uint16_t queues)
{
	return buffers_offset(l, 2 * queues, 2 * queues);
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
		memif_end_attach(e, &as[i]);
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

int
memif_client_agree(struct memif_link *l, int fd, struct memif_message *m)
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
		r = region_make(l, memif_client_memory(l, queues), &region);
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
