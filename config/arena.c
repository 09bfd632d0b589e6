/* Bump allocation in blocks; see arena.h. Called by whoever owns the arena. */
#include "config/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_BLOCK 0 /* a block for each object, so that the sanitizer sees its edges */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_BLOCK 0
#endif
#endif
#ifndef ARENA_BLOCK
#define ARENA_BLOCK (64 * 1024)
#endif

#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(max_align_t) unsigned char bytes[];
};

static struct arena_block *
block_add(struct arena *a, size_t size)
{
	struct arena_block *b;

	size = size > ARENA_BLOCK ? size : ARENA_BLOCK;
	b = calloc(1, sizeof(*b) + size);
	if (b == NULL) {
		a->failed = 1;
		return NULL;
	}
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	a->used = 0;
	return b;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;
	void *p;

	if (size > SIZE_MAX / 2) {
		a->failed = 1;
		return NULL;
	}
	size = size == 0 ? 1 : size;
	if (ARENA_BLOCK > 0)
		size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (b == NULL || b->size - a->used < size)
		b = block_add(a, size);
	if (b == NULL)
		return NULL;
	p = b->bytes + a->used;
	a->used += size;
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		a->failed = 1;
		return NULL;
	}
	return arena_alloc(a, bytes);
}

char *
arena_text(struct arena *a, const char *text, size_t length)
{
	char *copy = arena_alloc(a, length + 1);

	if (copy != NULL && length > 0)
		memcpy(copy, text, length);
	return copy;
}

void
arena_free(struct arena *a)
{
	struct arena_block *next;

	for (struct arena_block *b = a->blocks; b != NULL; b = next) {
		next = b->next;
		explicit_bzero(b->bytes, b->size);
		free(b);
	}
	*a = (struct arena){0};
}
