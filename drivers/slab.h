/* Memory for small objects that workers read in random order: SAs, their keys and states.
 *
 * Scattered over the heap, a thousand SAs are thousands of pages, more than the TLB knows, and at like distances
 * their lines crowd into few sets of a cache. So objects of one size stand side by side in chunks of 2 MiB, which the
 * kernel backs with a huge page where it can, and each is an odd number of cache lines long.
 *
 * Builder and control, any thread. Not for workers.
 */
#pragma once

#include <stddef.h>

/* Zeroed, aligned to a cache line; at most SLAB_SIZE_MAX bytes. NULL: no memory. */
void *slab_alloc(size_t size);
/* The size it was asked for with. NULL is fine. What held a key was wiped before. */
void slab_free(void *object, size_t size);

#define SLAB_SIZE_MAX 8192
