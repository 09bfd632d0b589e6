#include "control/fitness.h"

#include "control/bird.h"
#include "control/bird_status.h"
#include "control/daemon.h"
#include "control/state_link.h"

#include "config/limit.h"

#include <string.h>

_Static_assert(
	sizeof(((struct fitness *)0)->of) / sizeof(((struct fitness *)0)->of[0]) == LIMIT_WORKERS, "one for each");

#define PAUSE_NS (WORKER_STUCK_NS / 4) /* between two looks: more is a pause of ours */
#define ASK_NS 500000000ull
#define ISOLATED_NS 1500000000ull

/* ---- workers ---------------------------------------------------------------------------- */

uint32_t
fitness_stuck_workers(struct fitness *f, const struct dataplane *dp, uint64_t now_ns)
{
	bool paused = now_ns - f->looked_ns > PAUSE_NS;
	uint32_t stuck = 0;

	f->looked_ns = now_ns;
	for (uint16_t i = 0; i < dataplane_workers(dp); i++) {
		struct worker_stats s;

		dataplane_worker_stats(dp, i, &s);
		if (paused || s.loops != f->of[i].loops)
			f->of[i].turned_ns = now_ns;
		f->of[i].loops = s.loops;
		stuck += now_ns - f->of[i].turned_ns >= WORKER_STUCK_NS;
	}
	return stuck;
}

/* ---- routers ---------------------------------------------------------------------------- */

static void
count(void *sessions, const struct bird_session *s)
{
	*(uint32_t *)sessions += strcmp(s->state, "Established") == 0;
}

static void
answered(void *daemon, const char *text, const char *error)
{
	struct daemon *d = daemon;

	(void)error;
	d->fitness.asking = false;
	d->fitness.sessions = 0;
	if (text)
		bird_sessions_read(text, count, &d->fitness.sessions);
	if (d->state)
		state_link_reaches(d->state, d->fitness.sessions > 0);
}

static void
ask(struct daemon *d, uint64_t now_ns)
{
	struct fitness *f = &d->fitness;

	if (f->asking || now_ns - f->asked_ns < ASK_NS)
		return;
	f->asked_ns = now_ns;
	f->asking = bird_ask(bird_client(d->routers), "show protocols all", answered, d) == 0;
	if (!f->asking)
		answered(d, NULL, NULL);
}

/* Where nobody reaches one, routers are what failed, and somebody has to be primary. */
static bool
is_isolated(struct daemon *d, uint64_t now_ns)
{
	struct fitness *f = &d->fitness;
	struct state_link_status other;

	if (!d->routers || !d->state || d->world->config->appliance.ha.n_routers == 0) {
		f->reached_ns = now_ns;
		return false;
	}
	ask(d, now_ns);
	if (f->sessions > 0)
		f->reached_ns = now_ns;
	if (now_ns - f->reached_ns < ISOLATED_NS)
		return false;
	state_link_status(d->state, &other);
	return other.connected && other.reaches;
}

const char *
fitness_look(struct daemon *d, uint64_t now_ns)
{
	if (fitness_stuck_workers(&d->fitness, d->dp, now_ns) > 0)
		return "a worker does not turn";
	return is_isolated(d, now_ns) ? "it reaches no router, and the other node does" : NULL;
}
