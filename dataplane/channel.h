/* The command channel: one ring down and one ring up per worker, single producer, single consumer.
 *
 * Orders go by value; an element is one cache line. Down: control produces, the worker consumes.
 * Up: the worker produces, control consumes. A full ring refuses and nothing changed. The release
 * store of `head` publishes the element, the acquire load of it by the consumer receives it:
 * nothing else orders the two sides.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_ELEMENT 64

struct channel_element {
	_Alignas(CHANNEL_ELEMENT) uint8_t b[CHANNEL_ELEMENT];
};

struct channel {
	/* producer writes */
	_Alignas(64) _Atomic uint32_t head;
	uint32_t tail_seen;
	/* consumer writes */
	_Alignas(64) _Atomic uint32_t tail;
	uint32_t head_seen;
	/* constant */
	_Alignas(64) uint32_t mask;
	struct channel_element *ring;
};

/* size: a power of two. Returns 0 or -ENOMEM. Control, before the worker starts. */
static inline int
channel_init(struct channel *c, uint32_t size)
{
	memset(c, 0, sizeof(*c));
	c->mask = size - 1;
	c->ring = aligned_alloc(CHANNEL_ELEMENT, (size_t)size * CHANNEL_ELEMENT);
	return c->ring ? 0 : -12;
}

static inline void
channel_fini(struct channel *c)
{
	free(c->ring);
	c->ring = NULL;
}

/* Producer. False: full. size <= CHANNEL_ELEMENT. */
static inline bool
channel_put(struct channel *c, const void *element, size_t size)
{
	uint32_t head = atomic_load_explicit(&c->head, memory_order_relaxed);

	if (head - c->tail_seen > c->mask) {
		c->tail_seen = atomic_load_explicit(&c->tail, memory_order_acquire);
		if (head - c->tail_seen > c->mask)
			return false;
	}
	memcpy(&c->ring[head & c->mask], element, size);
	atomic_store_explicit(&c->head, head + 1, memory_order_release);
	return true;
}

/* Consumer. False: empty. */
static inline bool
channel_get(struct channel *c, void *element, size_t size)
{
	uint32_t tail = atomic_load_explicit(&c->tail, memory_order_relaxed);

	if (tail == c->head_seen) {
		c->head_seen = atomic_load_explicit(&c->head, memory_order_acquire);
		if (tail == c->head_seen)
			return false;
	}
	memcpy(element, &c->ring[tail & c->mask], size);
	atomic_store_explicit(&c->tail, tail + 1, memory_order_release);
	return true;
}

/* Producer. Free places, at least. */
static inline uint32_t
channel_room(struct channel *c)
{
	uint32_t head = atomic_load_explicit(&c->head, memory_order_relaxed);

	c->tail_seen = atomic_load_explicit(&c->tail, memory_order_acquire);
	return c->mask + 1 - (head - c->tail_seen);
}
