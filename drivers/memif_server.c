/* A memif server: hears what a client offers, believes none of it, and maps what holds. */
#include "drivers/memif_agree.h"
#include "drivers/memif_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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
	if (a->offset + MEMIF_RING_BYTES(1u << a->log2_size) > r->size)
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
			memif_end_attach(way ? &l->receive[i] : &l->send[i], &as);
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
		int passed, r = memif_receive(fd, l->stop, MEMIF_PATIENCE_MS, m, &passed);

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

int
memif_server_agree(struct memif_link *l, int fd, struct memif_message *m)
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
