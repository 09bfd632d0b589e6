/* Nothing of a new configuration is seen before dataplane_publish returns 0, and then all of it is: a
 * burst has either the old view or the new one. Until then the old world stands; whatever fails on the
 * way frees the job and leaves it so.
 *
 * Publishing may have to wait: a worker's ring was full (-EAGAIN), or too many worlds are not yet retired.
 * reload_poll tries again every round of the loop.
 */
#include "control/reload.h"

#include "control/bgp.h"
#include "control/ha.h"
#include "control/ike.h"
#include "control/notify.h"
#include "control/sa_store.h"
#include "control/steer.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LEARNED_SPACING 3
#define LEARNED_PAUSE_MAX_NS 2000000000ull
#define LEARNED_AGAIN_NS 1000000000ull

static void outcome(struct daemon *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
outcome(struct daemon *d, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(d->reload.last, sizeof d->reload.last, format, arguments);
	va_end(arguments);
	d->reload.last_time = time(NULL);
}

/* ---- begin -------------------------------------------------------------------------- */

static void
job_give(struct daemon *d, struct build_job *job)
{
	/* Views of other SAs are published while this job is under way: it stays alive all the same. */
	job->previous = view_ref(dataplane_view(d->dp));
	job->fixed = &d->world->config->appliance;
	d->reload.learned = gateway_nets_change(d->gateways);
	job->learned = gateway_nets_learned(d->gateways);
	d->reload.state = RELOAD_BUILDING;
	builder_give(d->builder, job);
}

static struct build_job *
job_make(const char *path, bool check_only)
{
	struct build_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->path = strdup(path);
	job->check_only = check_only;
	if (!job->path) {
		free(job);
		return NULL;
	}
	return job;
}

/* Somebody waits for a configuration, or it is being built. Learned routes make way. */
static bool
busy(const struct daemon *d)
{
	return d->reload.next || (d->reload.state != RELOAD_IDLE && !d->reload.routes);
}

json_t *
reload_begin(struct daemon *d, const char *path, bool check_only, struct api_ticket from, struct failure *f)
{
	struct build_job *job;

	if (busy(d))
		return failure_set(f, "Busy", "another configuration is being loaded; try again");
	job = job_make(path ? path : d->config_path, check_only);
	if (!job)
		return failure_set(f, "NoMemory", "no memory to load a configuration");

	if (!check_only)
		notify_reloading();
	log_info("reload", "%s %s", check_only ? "checking" : "loading", job->path);
	d->reload.from = from;
	if (d->reload.state == RELOAD_IDLE)
		job_give(d, job);
	else
		d->reload.next = job;
	return NULL;
}

void
reload_signal(struct daemon *d)
{
	struct failure f = {0};

	if (busy(d)) {
		d->reload.again = true;
		return;
	}
	reload_begin(d, NULL, false, (struct api_ticket){0}, &f);
	if (f.code[0])
		log_error("reload", "%s", f.message);
	failure_clear(&f);
}

/* ---- end ---------------------------------------------------------------------------- */

/* SAs that no world names any more. Not while a job is under way: its world's SAs are in the store
 * already and in no list of ours. */
static void
sas_sweep(struct daemon *d)
{
	struct world *live[WORLDS_MAX + 1];

	if (d->reload.state != RELOAD_IDLE)
		return;
	live[0] = d->world;
	memcpy(live + 1, d->retired, d->n_retired * sizeof *live);
	sa_store_sweep(d->sas, live, d->n_retired + 1);
}

static void
reload_end(struct daemon *d)
{
	struct build_job *next = d->reload.next;

	d->reload.state = RELOAD_IDLE;
	d->reload.routes = false;
	d->reload.job = NULL;
	d->reload.next = NULL;
	sas_sweep(d);
	if (next) {
		job_give(d, next);
	} else if (d->reload.again) {
		d->reload.again = false;
		reload_signal(d);
	}
}

static void
errors_log(const struct config_errors *errors)
{
	for (uint32_t i = 0; i < errors->n; i++)
		log_error("reload", "%s:%u:%u: %s: %s", errors->path, errors->e[i].mark.line, errors->e[i].mark.column,
			errors->e[i].code, errors->e[i].text);
}

static void
reload_refused(struct daemon *d, struct build_job *job)
{
	struct failure f = {0};

	if (job->again) { /* what is kept stays wanted: tried again, not at once */
		errors_log(&job->errors);
		d->reload.learned = 0;
		d->reload.learned_ns = clock_boot_ns() + LEARNED_AGAIN_NS;
		return;
	}

	failure_from_errors(&f, &job->errors);
	errors_log(&job->errors);
	if (!job->check_only) {
		d->reload.refused++;
		outcome(d, "refused: %s", f.message);
		log_error("reload", "%s refused, nothing changed", job->path);
		notify("READY=1\nSTATUS=running; the last configuration was refused");
	}
	api_refuse(d->api, d->reload.from, &f);
}

static json_t *
success_json(const struct build_job *job, const struct world *w)
{
	json_t *o = json_object();

	json_object_set_new(o, "file", json_string(job->path));
	json_object_set_new(o, "milliseconds", json_integer((json_int_t)(job->took_ns / 1000000)));
	json_object_set_new(o, "warnings", warnings_json(w));
	return o;
}

static void
checked(struct daemon *d, struct build_job *job)
{
	json_t *o = success_json(job, job->world);

	json_object_set_new(o, "valid", json_true());
	api_answer(d->api, d->reload.from, o);
}

/* ---- publish ------------------------------------------------------------------------ */

/* The view is published and stays, whatever the kernel says: the operator is told. */
static void
namespaces_apply(struct daemon *d)
{
	char error[256] = "";
	int r = local_uplinks_apply(d->local, d->world, d->names, error, sizeof error);

	if (r != 0)
		log_error("reload", "control namespace: %s", error[0] ? error : strerror(-r));
	error[0] = '\0';
	r = bgp_apply(d, error, sizeof error);
	if (r != 0)
		log_error("reload", "routing daemons: %s", error[0] ? error : strerror(-r));
}

static void
world_replace(struct daemon *d, struct build_job *job)
{
	d->retired[d->n_retired] = d->world;
	d->retired_by[d->n_retired++] = dataplane_generation(d->dp);
	d->world = job->world;
	job->world = NULL;
}

/* The dataplane has the view: what the job made is what runs. */
static void
published(struct daemon *d, struct build_job *job)
{
	json_t *o;

	world_replace(d, job);
	if (job->again) {
		log_debug("reload", "learned routes run (built in %u ms)", (unsigned)(job->took_ns / 1000000));
		return;
	}
	json_decref(d->text);
	d->text = job->text;
	free(d->path);
	d->path = strdup(job->path);
	d->loaded = time(NULL);
	d->generation++;
	d->reload.done++;
	steer_ports(d->world->config);
	namespaces_apply(d);
	ha_apply(d);
	ike_apply(d, job->ike);
	job->ike = NULL;
	outcome(d, "applied %s", job->path);

	o = success_json(job, d->world);
	json_object_set_new(o, "applied", json_true());
	json_object_set_new(o, "generation", json_integer((json_int_t)d->generation));
	api_answer(d->api, d->reload.from, o);
	for (uint32_t i = 0; i < d->world->n_warnings; i++)
		log_warning("reload", "%s:%u:%u: %s", job->path, d->world->warning[i].mark.line,
			d->world->warning[i].mark.column, d->world->warning[i].text);
	log_notice("reload", "%s runs (loaded in %u ms)", job->path, (unsigned)(job->took_ns / 1000000));
	notify("READY=1\nSTATUS=running");

	job->text = NULL;
}

/* False: try again later. */
static bool
publish(struct daemon *d, struct build_job *job)
{
	int r = d->n_retired < WORLDS_MAX ? ike_view_publish(d, job->world, &job->view) : -EAGAIN;

	if (r == -EAGAIN)
		return false;
	if (r == 0) {
		published(d, job);
	} else {
		job->errors.n = job->errors.total = 1;
		snprintf(job->errors.e[0].code, sizeof job->errors.e[0].code, "Publish");
		snprintf(job->errors.e[0].text, sizeof job->errors.e[0].text, "the dataplane refuses the view: %s",
			strerror(-r));
		reload_refused(d, job);
	}
	return true;
}

void
reload_built(void *daemon, uint32_t events)
{
	struct daemon *d = daemon;
	struct build_job *job = builder_take(d->builder);

	(void)events;
	if (!job)
		return;
	if (job->result == 0 && !job->check_only) {
		d->reload.job = job;
		d->reload.state = RELOAD_PUBLISHING;
		reload_poll(d);
		return;
	}
	if (job->result != 0)
		reload_refused(d, job);
	else
		checked(d, job);
	build_job_free(job);
	reload_end(d);
}

/* Views of other SAs are published all the time: what counts is that every worker has seen the world's successor. */
static void
worlds_free(struct daemon *d)
{
	uint64_t settled = dataplane_settled(d->dp);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < d->n_retired; i++) {
		if (d->retired_by[i] <= settled) {
			world_free(d->retired[i]);
			continue;
		}
		d->retired[kept] = d->retired[i];
		d->retired_by[kept++] = d->retired_by[i];
	}
	if (kept == d->n_retired)
		return;
	d->n_retired = kept;
	sas_sweep(d);
}

/* ---- learned routes -------------------------------------------------------------------- */

/* Many changes that come together are built together: what a build takes is waited for several times over, so that
 * a full table that flaps leaves the builder's core to others. */
static void
learned_ended(struct daemon *d, const struct build_job *job)
{
	uint64_t pause = LEARNED_SPACING * job->took_ns, now = clock_boot_ns();

	if (d->reload.learned_ns < now)
		d->reload.learned_ns = now + (pause < LEARNED_PAUSE_MAX_NS ? pause : LEARNED_PAUSE_MAX_NS);
}

static void
learned_poll(struct daemon *d)
{
	struct build_job *job;

	if (d->reload.state != RELOAD_IDLE || gateway_nets_change(d->gateways) == d->reload.learned)
		return;
	if (clock_boot_ns() < d->reload.learned_ns)
		return;
	job = job_make(d->path, false);
	if (!job)
		return;
	job->config = config_ref(d->world->config);
	job->again = d->world;
	d->reload.routes = true;
	job_give(d, job);
}

void
reload_poll(struct daemon *d)
{
	struct build_job *job = d->reload.job;

	if (d->reload.state == RELOAD_PUBLISHING && publish(d, job)) {
		if (job->again)
			learned_ended(d, job);
		build_job_free(job);
		reload_end(d);
	}
	if (d->n_retired > 0)
		worlds_free(d);
	learned_poll(d);
}

void
reload_abandon(struct daemon *d)
{
	build_job_free(d->reload.job);
	build_job_free(d->reload.next);
	d->reload.job = d->reload.next = NULL;
	d->reload.state = RELOAD_IDLE;
}
