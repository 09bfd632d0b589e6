/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Keys of live SAs in locked memory; see secret.h. Blocks of pages are never given back: a free secret is a link in a
 * list, and an SA that comes later takes it.
 */
#include "control/strongswan/secret.h"

#include <daemon.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK 65536

union slot {
	struct secret secret;
	union slot *next;
};

static union slot *free_slots;
static bool told;

static void
lock(void *block)
{
	if (mlock(block, BLOCK) != 0 && !told) {
		DBG1(DBG_KNL, "isthmus: keys cannot be locked in memory: %s (RLIMIT_MEMLOCK)", strerror(errno));
		told = true;
	}
	madvise(block, BLOCK, MADV_DONTDUMP);
	madvise(block, BLOCK, MADV_DONTFORK);
}

static void
grow(void)
{
	union slot *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return;
	lock(block);
	for (size_t i = 0; i < BLOCK / sizeof(*block); i++) {
		block[i].next = free_slots;
		free_slots = &block[i];
	}
}

struct secret *
secret_new(void)
{
	union slot *s;

	if (!free_slots)
		grow();
	s = free_slots;
	if (!s)
		return NULL;
	free_slots = s->next;
	s->next = NULL;
	return &s->secret;
}

void
secret_free(struct secret *secret)
{
	union slot *s = (union slot *)secret;

	if (!s)
		return;
	explicit_bzero(s, sizeof(*s));
	s->next = free_slots;
	free_slots = s;
}
