/* Once a second and tunnel: a small set-associative table of who was told lately. Any thread that owns it.
 *
 * When more tunnels than a set holds ask in one second, the others wait until a place is free: packets that keep coming
 * ask again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MISS_SETS 64
#define MISS_WAYS 4

struct miss_limiter {
	struct miss_place {
		uint64_t until; /* no news of this one before */
		uint32_t name;
	} place[MISS_SETS][MISS_WAYS];
};

/* May this tunnel be told of now? Then it may not for a `period` of now's unit. */
static inline bool
miss_due(struct miss_limiter *l, uint32_t name, uint64_t now, uint64_t period)
{
	struct miss_place *set = l->place[name * 0x9e3779b1u >> 26], *place = NULL;

	for (uint32_t i = 0; i < MISS_WAYS; i++) {
		if (set[i].until > now) {
			if (set[i].name == name)
				return false;
		} else {
			place = &set[i];
		}
	}
	if (place == NULL)
		return false;
	*place = (struct miss_place){now + period, name};
	return true;
}
