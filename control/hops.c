/* Ids are given in the order of first use, so that a world built from nearly the same configuration gives nearly
 * the same ids and its tables can be shared with the last view's.
 */
#include "control/hops.h"

#include <string.h>

#define SLOTS_FIRST 1024 /* a power of two */

struct hop_spec
hop_drop(enum drop_reason reason, uint32_t name)
{
	return (struct hop_spec){.kind = HOP_DROP, .reason = reason, .tunnel = TUNNEL_NONE, .name = name};
}

static bool
equal(const struct hop_spec *a, const struct hop_spec *b)
{
	return a->kind == b->kind && a->reason == b->reason && a->iface == b->iface &&
	       address_equal(&a->address, &b->address) && a->tunnel == b->tunnel && a->name == b->name &&
	       a->deny_forwarded == b->deny_forwarded && a->deny_name == b->deny_name && a->n_standby == b->n_standby &&
	       a->spread == b->spread && memcmp(a->standby, b->standby, sizeof(a->standby)) == 0;
}

static uint64_t
combine(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15 + (hash >> 29);
}

static uint64_t
hash_of(const struct hop_spec *h)
{
	uint64_t half[2], hash = (uint64_t)h->kind << 8 | (uint64_t)h->reason;

	memcpy(half, h->address.b, sizeof(half));
	hash = combine(hash, (uint64_t)h->iface << 16 | h->tunnel);
	hash = combine(hash, (uint64_t)h->name << 32 | h->deny_name);
	hash = combine(hash, half[0]);
	hash = combine(hash, half[1] ^ h->deny_forwarded);
	return hash ^ hash >> 31;
}

static uint32_t *
find(const struct world_build *b, const struct hop_spec *h)
{
	uint64_t at = hash_of(h) & (b->hop_slots - 1);

	while (b->hop_slot[at] != 0 && !equal(&b->spec->hop[b->hop_slot[at]], h))
		at = (at + 1) & (b->hop_slots - 1);
	return &b->hop_slot[at];
}

/* At most half of the slots are taken. */
static bool
make_room(struct world_build *b)
{
	uint32_t slots = b->hop_slots ? 2 * b->hop_slots : SLOTS_FIRST;
	uint32_t *slot;

	if (b->spec->n_hops < b->hop_slots / 2)
		return true;
	slot = arena_array(b->arena, slots, sizeof(*slot));
	if (slot == NULL)
		return false;
	b->hop_slot = slot;
	b->hop_slots = slots;
	for (uint32_t i = 1; i < b->spec->n_hops; i++)
		*find(b, &b->spec->hop[i]) = i;
	return true;
}

static bool
append(struct world_build *b, const struct hop_spec *h)
{
	struct hop_spec *hop = world_grow(b, b->spec->hop, b->spec->n_hops, sizeof(*hop));

	if (hop == NULL)
		return false;
	b->spec->hop = hop;
	hop[b->spec->n_hops++] = *h;
	return true;
}

uint32_t
hops_add(struct world_build *b, const struct hop_spec *h)
{
	struct hop_spec none = hop_drop(DROP_NO_ROUTE, NAME_NONE);
	uint32_t *slot;

	if (b->spec->n_hops == 0 && !append(b, &none)) /* hop 0: HOP_NONE */
		return HOP_NONE;
	if (equal(h, &none) || !make_room(b))
		return HOP_NONE;
	slot = find(b, h);
	if (*slot == 0) {
		if (!append(b, h))
			return HOP_NONE;
		*slot = b->spec->n_hops - 1;
	}
	return *slot;
}
