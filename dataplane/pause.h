/* How long a worker was away from its queues: the longest since the start, and second by second for the last minute.
 *
 * The worker writes. Control reads without a lock (aligned words): an entry that the worker is just taking into use
 * may show the cycles of a minute ago for an instant.
 */
#pragma once

#include <stdint.h>

#define PAUSE_SECONDS 64

struct pause_second {
	uint64_t second, cycles;
};

struct pauses {
	uint64_t longest; /* cycles */
	struct pause_second recent[PAUSE_SECONDS];
};

/* Worker. */
static inline void
pause_note(struct pauses *p, uint32_t now_s, uint64_t cycles)
{
	struct pause_second *s = &p->recent[now_s % PAUSE_SECONDS];

	if (s->second != now_s)
		*s = (struct pause_second){now_s, 0};
	if (cycles > s->cycles)
		s->cycles = cycles;
	if (cycles > p->longest)
		p->longest = cycles;
}

/* Any thread. The longest of the last so many seconds, the current one included. */
static inline uint64_t
pause_recent(const struct pauses *p, uint64_t now_s, uint32_t seconds)
{
	uint64_t longest = 0;

	for (uint32_t i = 0; i < PAUSE_SECONDS; i++) {
		const struct pause_second *s = &p->recent[i];

		if (s->second + seconds > now_s && s->cycles > longest)
			longest = s->cycles;
	}
	return longest;
}
