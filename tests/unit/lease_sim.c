#include "tests/unit/lease_sim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint64_t
below(struct sim *s, uint64_t n)
{
	return n == 0 ? 0 : (uint64_t)(erand48(s->seed) * (double)n);
}

static uint64_t
clock_of(const struct sim_node *n)
{
	return n->offset_ns + (uint64_t)((double)n->sim->now_ns * n->rate);
}

/* ---- requests: they run until they have to wait ---------------------------------------- */

static struct sim_node *running;

static void
pause_for(struct sim_node *n, uint64_t ns)
{
	n->wake_ns = n->sim->now_ns + ns;
	swapcontext(&n->context, &n->sim->main);
}

/* One step of the storage or of the network takes its time; a slow disk takes longer than a lease. */
static void
take_time(struct sim_node *n)
{
	struct sim *s = n->sim;
	bool slow = s->now_ns < n->slow_until;

	pause_for(n, below(s, !slow ? SIM_S / 20 : below(s, 2) ? SIM_DURATION_NS / 5 : 2 * SIM_DURATION_NS));
	while (s->kind == SIM_FILES && s->now_ns < n->cut_until)
		pause_for(n, SIM_S / 10);
}

/* A server decides by its own clock, which is the true time here; a lost answer may have been a grant. */
static void
ask_server(struct sim_node *n)
{
	struct sim *s = n->sim;
	struct lease_request r = {LEASE_RENEW, n->identity, NULL, SIM_DURATION_NS};
	bool lost;

	n->answer = (struct lease_answer){.verdict = LEASE_FAILED, .error = "no answer"};
	take_time(n);
	if (s->now_ns >= n->cut_until) {
		int result = lease_apply(&s->server, &r, s->now_ns);

		r.operation = LEASE_ACQUIRE;
		if (result != 0)
			result = lease_apply(&s->server, &r, s->now_ns);
		n->answer.verdict = result == 0 ? LEASE_GRANTED : LEASE_DENIED;
		n->answer.epoch = s->server.epoch;
		snprintf(n->answer.holder, sizeof(n->answer.holder), "%s", s->server.holder);
	}
	take_time(n);
	lost = s->now_ns < n->cut_until || s->now_ns > n->timeout_ns || (s->now_ns < s->quiet_ns && below(s, 20) == 0);
	if (lost)
		n->answer = (struct lease_answer){.verdict = LEASE_FAILED, .error = "no answer"};
}

static void
release(struct sim_node *n)
{
	const struct lease_request r = {LEASE_RELEASE, n->identity, NULL, 0};

	take_time(n);
	if (n->sim->kind == SIM_FILES)
		lease_file_release(&n->file);
	else if (n->sim->now_ns >= n->cut_until)
		lease_apply(&n->sim->server, &r, n->sim->now_ns);
}

static void
request_main(void)
{
	struct sim_node *n = running;

	if (n->core.leaving)
		release(n);
	else if (n->sim->kind == SIM_SERVER)
		ask_server(n);
	else
		lease_file_attempt(&n->file, n->core.epoch_seen, &n->answer);
	n->busy = false;
	swapcontext(&n->context, &n->sim->main);
}

static void
ask(struct sim_node *n)
{
	getcontext(&n->context);
	n->context.uc_stack.ss_sp = n->stack;
	n->context.uc_stack.ss_size = SIM_STACK;
	n->context.uc_link = NULL;
	makecontext(&n->context, request_main, 0);
	n->busy = true;
	n->wake_ns = n->sim->now_ns;
	n->timeout_ns = n->sim->now_ns + 2 * SIM_DURATION_NS;
}

static void
file_drop(void *context)
{
	struct sim_node *n = context;

	for (uint64_t e = 1; e < SIM_EPOCHS; e++)
		if (n->sim->files[e].locked_by == n->id)
			n->sim->files[e].locked_by = -1;
}

static void
stop(struct sim_node *n, uint64_t for_ns)
{
	n->up = false;
	n->down_until = n->sim->now_ns + for_ns;
	file_drop(n);
}

static void
resume(struct sim_node *n)
{
	running = n;
	swapcontext(&n->sim->main, &n->context);
	if (n->busy)
		return;
	if (n->released) {
		stop(n, SIM_S);
		return;
	}
	n->released = n->core.leaving;
	if (n->released) {
		ask(n);
		return;
	}
	if (n->sim->defect == SIM_LATE_START)
		n->core.asked_ns = clock_of(n);
	lease_core_answer(&n->core, &n->answer, clock_of(n));
}

/* ---- the files: each step may be delayed before and after ------------------------------- */

static int
file_find(void *context, uint64_t *epoch)
{
	struct sim_node *n = context;

	take_time(n);
	*epoch = 0;
	for (uint64_t e = SIM_EPOCHS; e-- > 1 && *epoch == 0;)
		if (n->sim->files[e].exists)
			*epoch = e;
	take_time(n);
	return 0;
}

static int
file_read(void *context, uint64_t epoch, struct lease_file_record *r)
{
	struct sim_node *n = context;
	bool exists;

	take_time(n);
	exists = n->sim->files[epoch].exists;
	if (n->sim->defect != SIM_NO_SECOND_LOOK || !n->claiming)
		n->looked = n->sim->files[epoch].record;
	*r = n->looked;
	take_time(n);
	return exists ? 0 : -ENOENT;
}

static int
file_alive(void *context, uint64_t epoch, bool *alive)
{
	struct sim_node *n = context;
	bool exists;

	n->claiming = false;
	take_time(n);
	exists = n->sim->files[epoch].exists;
	*alive = n->sim->files[epoch].locked_by >= 0;
	take_time(n);
	return exists ? 0 : -ENOENT;
}

static int
file_claim(void *context, const struct lease_file_record *r)
{
	struct sim_node *n = context;
	struct sim *s = n->sim;

	take_time(n);
	if (r->epoch >= SIM_EPOCHS || s->files[r->epoch].exists)
		return -EEXIST;
	s->files[r->epoch].exists = true;
	s->files[r->epoch].locked_by = n->id;
	s->files[r->epoch].record = *r;
	n->claiming = true;
	take_time(n);
	return 0;
}

static int
file_write(void *context, const struct lease_file_record *r)
{
	struct sim_node *n = context;

	take_time(n);
	n->sim->files[r->epoch].record = *r; /* a file that was swept is written all the same */
	take_time(n);
	return 0;
}

static void
file_sweep(void *context, uint64_t epoch)
{
	struct sim_node *n = context;

	for (uint64_t e = 1; e < epoch; e++)
		n->sim->files[e].exists = false;
}

static uint64_t
file_now(void *context)
{
	return clock_of(context);
}

/* ---- nodes and their faults ------------------------------------------------------------- */

static void
start(struct sim_node *n)
{
	struct sim *s = n->sim;
	struct lease_terms t = {SIM_DURATION_NS, SIM_DURATION_NS / 10, SIM_S / 5, n->id == 0 ? 0 : SIM_S};

	if (s->defect == SIM_NO_MARGIN)
		t.margin_ns = 0;
	if (s->defect == SIM_NO_DEADLINE) /* but for its end, which is far */
		t.margin_ns = (uint64_t) - (int64_t)(1000 * SIM_S);
	n->up = true;
	n->busy = n->released = false;
	n->run++;
	snprintf(n->identity, sizeof(n->identity), "n%d/%d", n->id, n->run);
	lease_core_init(&n->core, &t, clock_of(n));
	n->storage = (struct lease_storage){
		n, file_find, file_read, file_alive, file_claim, file_write, file_drop, file_sweep, file_now};
	n->file = (struct lease_file){.storage = &n->storage, .identity = n->identity, .duration_ns = SIM_DURATION_NS};
	if (s->defect == SIM_EARLY_CHALLENGE)
		n->file.duration_ns = SIM_DURATION_NS / 2;
}

static void
fault(struct sim_node *n)
{
	struct sim *s = n->sim;
	uint64_t until_ns = s->now_ns + below(s, below(s, 2) ? SIM_S : 3 * SIM_DURATION_NS);

	s->faults++;
	switch (below(s, 5)) {
	case 0:
		n->stopped_until = until_ns;
		break;
	case 1:
		stop(n, until_ns - s->now_ns);
		break;
	case 2:
		lease_core_leave(&n->core);
		n->released = !n->busy;
		if (n->released)
			ask(n);
		break;
	case 3:
		n->cut_until = until_ns;
		break;
	default:
		n->slow_until = until_ns;
		break;
	}
}

/* ---- the checker ------------------------------------------------------------------------ */

/* What a worker does: it compares, then acts. Whoever is stopped does neither. */
static void
check(struct sim_node *n)
{
	struct sim *s = n->sim;
	uint64_t e = n->core.epoch;

	if (!n->up || s->now_ns < n->stopped_until || clock_of(n) >= n->core.deadline_ns)
		return;
	s->primaries++;
	if (e >= SIM_EPOCHS)
		return;
	if (s->holder[e][0] == '\0')
		s->epochs++;
	else if (strcmp(s->holder[e], n->identity) != 0)
		s->shared_epochs++;
	snprintf(s->holder[e], sizeof(s->holder[e]), "%s", n->identity);
}

static void
check_all(struct sim *s)
{
	s->primaries = 0;
	for (unsigned i = 0; i < s->nodes; i++)
		check(&s->node[i]);
	if (s->primaries > 1)
		s->two_primaries++;
}

static void
node_step(struct sim_node *n, uint64_t step)
{
	struct sim *s = n->sim;

	if (!n->up && s->now_ns >= n->down_until)
		start(n);
	if (n->up && s->now_ns < s->quiet_ns && below(s, 500) == 0)
		fault(n);
	if (!n->up || s->now_ns < n->stopped_until)
		return;
	if (n->busy && s->now_ns >= n->wake_ns)
		resume(n);
	if (step % SIM_TICK_STEPS == 0 && lease_core_tick(&n->core, clock_of(n)))
		ask(n);
	check_all(s);
}

void
sim_run(struct sim *s, enum sim_kind kind, enum sim_defect defect, long seed, unsigned seconds)
{
	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->defect = defect;
	s->seed[0] = (unsigned short)seed;
	s->seed[1] = (unsigned short)(seed >> 16);
	s->seed[2] = 0x330e;
	s->nodes = 2 + (unsigned)below(s, 2);
	s->skew = defect == SIM_NO_MARGIN ? 0.1 : 0.02;
	s->quiet_ns = (seconds - 60) * SIM_S;
	for (int e = 0; e < SIM_EPOCHS; e++)
		s->files[e].locked_by = -1;
	for (unsigned i = 0; i < s->nodes; i++) {
		struct sim_node *n = &s->node[i];

		n->sim = s;
		n->id = (int)i;
		n->offset_ns = SIM_S + below(s, 1000000 * SIM_S);
		n->rate = 1 - s->skew + 2 * s->skew * erand48(s->seed);
		n->stack = malloc(SIM_STACK);
		start(n);
	}
	for (uint64_t step = 0; s->now_ns < seconds * SIM_S; step++, s->now_ns += SIM_STEP_NS) {
		check_all(s);
		s->acting_ns += s->primaries > 0 ? SIM_STEP_NS : 0;
		for (unsigned i = 0; i < s->nodes; i++)
			node_step(&s->node[i], step);
	}
	for (unsigned i = 0; i < s->nodes; i++)
		free(s->node[i].stack);
}
