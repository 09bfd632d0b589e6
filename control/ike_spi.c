#include "control/ike_spi.h"

#include "drivers/crypto.h"

#include <stdlib.h>

#define INDEX_BITS 20
#define INDEX_MASK ((1u << INDEX_BITS) - 1)
#define FIRST 256 /* RFC 4303 section 2.1: SPIs below are reserved */
#define ROOM_FIRST 1024
#define RESERVED_NS (180 * 1000000000ull) /* longer than any exchange lasts */

struct slot {
	uint32_t spi;         /* 0 = free */
	uint64_t reserved_ns; /* until then; 0 = used by an SA */
};

struct ike_spis {
	struct slot *slot; /* by index - FIRST */
	uint32_t room, used, next;
};

struct ike_spis *
ike_spis_create(void)
{
	struct ike_spis *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->room = ROOM_FIRST;
	s->slot = calloc(s->room, sizeof(*s->slot));
	if (!s->slot) {
		free(s);
		return NULL;
	}
	return s;
}

void
ike_spis_free(struct ike_spis *s)
{
	if (!s)
		return;
	free(s->slot);
	free(s);
}

static bool
room_make(struct ike_spis *s, uint32_t room)
{
	struct slot *grown;

	if (room > INDEX_MASK - FIRST)
		return false;
	grown = reallocarray(s->slot, room, sizeof(*grown));
	if (!grown)
		return false;
	for (uint32_t i = s->room; i < room; i++)
		grown[i] = (struct slot){0};
	s->slot = grown;
	s->room = room;
	return true;
}

static struct slot *
slot_of(const struct ike_spis *s, uint32_t spi)
{
	uint32_t index = spi & INDEX_MASK;

	return index >= FIRST && index - FIRST < s->room ? &s->slot[index - FIRST] : NULL;
}

/* Never more than half full, so a free one is near. */
static uint32_t
index_free(struct ike_spis *s)
{
	while (s->slot[s->next % s->room].spi)
		s->next++;
	return s->next++ % s->room;
}

uint32_t
ike_spi_take(struct ike_spis *s, uint64_t now_ns, bool (*taken)(void *context, uint32_t spi), void *context)
{
	uint32_t index, spi, chance;

	if (s->used >= s->room / 2 && !room_make(s, s->room * 2))
		return 0;
	for (int tries = 0; tries < 16; tries++) {
		if (crypto_random(&chance, sizeof(chance)) != 0)
			return 0;
		index = index_free(s);
		spi = chance << INDEX_BITS | (index + FIRST);
		if (taken && taken(context, spi))
			continue;
		s->slot[index] = (struct slot){spi, now_ns + RESERVED_NS};
		s->used++;
		return spi;
	}
	return 0;
}

bool
ike_spi_claim(struct ike_spis *s, uint32_t spi)
{
	uint32_t index = spi & INDEX_MASK, room = s->room;
	struct slot *at;

	while (index >= FIRST && index - FIRST >= room)
		room *= 2;
	if (index < FIRST || (room != s->room && !room_make(s, room)))
		return false;
	at = slot_of(s, spi);
	if (at->spi)
		return false;
	*at = (struct slot){spi, 0};
	s->used++;
	return true;
}

bool
ike_spi_use(struct ike_spis *s, uint32_t spi)
{
	struct slot *at = slot_of(s, spi);

	if (!at || at->spi != spi || at->reserved_ns == 0)
		return false;
	at->reserved_ns = 0;
	return true;
}

void
ike_spi_give(struct ike_spis *s, uint32_t spi)
{
	struct slot *at = slot_of(s, spi);

	if (!at || at->spi != spi)
		return;
	*at = (struct slot){0};
	s->used--;
}

void
ike_spi_cancel(struct ike_spis *s, uint32_t spi)
{
	const struct slot *at = slot_of(s, spi);

	if (at && at->spi == spi && at->reserved_ns)
		ike_spi_give(s, spi);
}

void
ike_spis_expire(struct ike_spis *s, uint64_t now_ns)
{
	for (uint32_t i = 0; i < s->room; i++)
		if (s->slot[i].spi && s->slot[i].reserved_ns && s->slot[i].reserved_ns < now_ns)
			ike_spi_give(s, s->slot[i].spi);
}
