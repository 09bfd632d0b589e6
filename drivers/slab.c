/* A chunk begins with its header and belongs to one size. Free objects of a chunk form a list through their first
 * word. Chunks with room stand first in their size's list; one that is wholly free goes back to the kernel, unless it
 * is the only one with room: an object that comes and goes does not take its chunk along. AddressSanitizer is told of
 * what is free.
 */
#include "drivers/slab.h"

#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>

#define CHUNK ((size_t)2 << 20)
#define LINE 64
#define CLASSES (SLAB_SIZE_MAX / LINE + 2)

struct chunk {
	LIST_ENTRY(chunk) link; /* while it has room */
	void *free;             /* list of objects that were given back */
	uint32_t used, fresh;   /* objects handed out; those before `fresh` were so at least once */
	uint32_t capacity;
};

static LIST_HEAD(chunks, chunk) room[CLASSES]; /* by lines */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Objects have an odd number of lines, so that those at like places of objects use all sets of a cache. */
static size_t
lines_of(size_t size)
{
	return (size + LINE - 1) / LINE | 1;
}

static void *
object_at(struct chunk *c, size_t lines, uint32_t n)
{
	return (uint8_t *)c + LINE + n * lines * LINE;
}

static struct chunk *
chunk_of(void *object)
{
	return (struct chunk *)((uintptr_t)object & ~(CHUNK - 1));
}

/* 2 MiB on their own boundary, out of twice as much. */
static void *
map_aligned(void)
{
	uint8_t *memory = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (memory == MAP_FAILED)
		return NULL;
	before = (CHUNK - (uintptr_t)memory % CHUNK) % CHUNK;
	if (before != 0)
		munmap(memory, before);
	munmap(memory + before + CHUNK, CHUNK - before);
	return memory + before;
}

static struct chunk *
chunk_make(size_t lines)
{
	struct chunk *c = map_aligned();

	_Static_assert(sizeof(*c) <= LINE, "the header is one line");
	if (c == NULL)
		return NULL;
	madvise(c, CHUNK, MADV_HUGEPAGE); /* without one it works, too */
	c->capacity = (uint32_t)((CHUNK - LINE) / (lines * LINE));
	LIST_INSERT_HEAD(&room[lines], c, link);
	return c;
}

static void *
take(struct chunk *c, size_t lines)
{
	void *object = c->free ? c->free : object_at(c, lines, c->fresh++);

	ASAN_UNPOISON_MEMORY_REGION(object, lines * LINE);
	if (c->free)
		memcpy(&c->free, object, sizeof(c->free));
	if (++c->used == c->capacity)
		LIST_REMOVE(c, link);
	return object;
}

static void
give(struct chunk *c, size_t lines, void *object)
{
	bool only;

	if (c->used-- == c->capacity)
		LIST_INSERT_HEAD(&room[lines], c, link);
	memcpy(object, &c->free, sizeof(c->free));
	c->free = object;
	ASAN_POISON_MEMORY_REGION(object, lines * LINE);
	only = LIST_FIRST(&room[lines]) == c && LIST_NEXT(c, link) == NULL;
	if (c->used == 0 && !only) {
		LIST_REMOVE(c, link);
		ASAN_UNPOISON_MEMORY_REGION(c, CHUNK);
		munmap(c, CHUNK);
	}
}

void *
slab_alloc(size_t size)
{
	size_t lines = lines_of(size);
	struct chunk *c;
	void *object;

	if (size > SLAB_SIZE_MAX)
		return NULL;
	pthread_mutex_lock(&lock);
	c = LIST_FIRST(&room[lines]);
	if (c == NULL)
		c = chunk_make(lines);
	object = c ? take(c, lines) : NULL;
	pthread_mutex_unlock(&lock);
	if (object)
		memset(object, 0, size);
	return object;
}

void
slab_free(void *object, size_t size)
{
	if (object == NULL)
		return;
	pthread_mutex_lock(&lock);
	give(chunk_of(object), lines_of(size), object);
	pthread_mutex_unlock(&lock);
}
