/* Memory that lives and dies together: a document tree, or a whole configuration.
 *
 * One owner at a time, no locks. Freeing wipes, since keys may stand anywhere in it.
 */
#pragma once

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes handed out by the newest block */
	int failed;  /* an allocation failed once: the whole load is -ENOMEM */
};

/* Zeroed, aligned for anything; NULL (and failed) when memory is out. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_text(struct arena *a, const char *text, size_t length);
/* Wipes with explicit_bzero, then frees. */
void arena_free(struct arena *a);
