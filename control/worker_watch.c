#include "control/worker_watch.h"

#include "config/limit.h"

_Static_assert(sizeof(((struct worker_watch *)0)->of) / sizeof(((struct worker_watch *)0)->of[0]) == LIMIT_WORKERS,
	"one for each");

#define PAUSE_NS (WORKER_STUCK_NS / 4) /* between two looks: more is a pause of ours */

uint32_t
worker_watch_look(struct worker_watch *w, const struct dataplane *dp, uint64_t now_ns)
{
	bool paused = now_ns - w->looked_ns > PAUSE_NS;
	uint32_t stuck = 0;

	w->looked_ns = now_ns;
	for (uint16_t i = 0; i < dataplane_workers(dp); i++) {
		struct worker_stats s;

		dataplane_worker_stats(dp, i, &s);
		if (paused || s.loops != w->of[i].loops)
			w->of[i].turned_ns = now_ns;
		w->of[i].loops = s.loops;
		stuck += now_ns - w->of[i].turned_ns >= WORKER_STUCK_NS;
	}
	return stuck;
}
