/* Reloading, with everything around it faked: nothing is seen before the dataplane has the view, whatever
 * fails on the way changes nothing, and old worlds go when nobody sees them.
 */
#include "control/bgp.h"
#include "control/ha.h"
#include "control/ike.h"
#include "control/reload.h"
#include "control/notify.h"
#include "control/sa_store.h"
#include "control/steer.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config configs[8];
static struct fake {
	struct build_job *given; /* at the builder */
	int publish_result;
	uint32_t published, retired, views_freed, worlds_freed, swept, live;
	uint32_t configs_kept, namespaces;
	uint64_t learned;
	const struct config *steered;
	json_t *answer;
	char code[48], notified[256];
} fake;

/* ---- what stands around --------------------------------------------------------------- */

void
builder_give(struct builder *b, struct build_job *job)
{
	assert_null(fake.given);
	fake.given = job;
}

struct build_job *
builder_take(struct builder *b)
{
	struct build_job *job = fake.given;

	fake.given = NULL;
	return job;
}

void
build_job_free(struct build_job *job)
{
	if (!job)
		return;
	fake.views_freed += job->view != NULL;
	world_free(job->world);
	json_decref(job->text);
	free(job->path);
	free(job);
}

int
local_uplinks_apply(struct local_net *l, const struct world *w, const struct names *names, char *error, size_t n)
{
	return 0;
}

int
bgp_apply(struct daemon *d, char *error, size_t n)
{
	fake.namespaces++;
	return 0;
}

void
ha_apply(struct daemon *d)
{
}

uint64_t
gateway_nets_change(const struct gateway_nets *g)
{
	return fake.learned;
}

struct learned_all *
gateway_nets_learned(const struct gateway_nets *g)
{
	return NULL;
}

struct config *
config_ref(struct config *c)
{
	fake.configs_kept++;
	return c;
}

int
ike_view_publish(struct daemon *d, const struct world *w, struct view **v)
{
	if (fake.publish_result == 0) {
		fake.published++;
		fake.retired++;
		*v = NULL;
	}
	return fake.publish_result;
}

void
ike_apply(struct daemon *d, struct ike_conf *conf)
{
}

const struct view *
dataplane_view(const struct dataplane *dp)
{
	return (const struct view *)0x1000;
}

struct view *
view_ref(const struct view *v)
{
	return (struct view *)(uintptr_t)v;
}

uint64_t
dataplane_generation(const struct dataplane *dp)
{
	return fake.published;
}

uint64_t
dataplane_settled(const struct dataplane *dp)
{
	return fake.published - fake.retired;
}

void
world_free(struct world *w)
{
	fake.worlds_freed += w != NULL;
	free(w);
}

void
sa_store_sweep(struct sa_store *s, struct world *const *live, uint32_t n)
{
	fake.swept++;
	fake.live = n;
}

void
api_answer(struct api *a, struct api_ticket to, json_t *result)
{
	json_decref(fake.answer);
	fake.answer = result;
}

void
api_refuse(struct api *a, struct api_ticket to, struct failure *f)
{
	snprintf(fake.code, sizeof fake.code, "%s", f->code);
	failure_clear(f);
}

void
notify(const char *text)
{
	snprintf(fake.notified, sizeof fake.notified, "%s", text);
}

void
notify_reloading(void)
{
	notify("RELOADING=1");
}

void
steer_ports(const struct config *c)
{
	fake.steered = c;
}

json_t *
warnings_json(const struct world *w)
{
	return json_array();
}

/* ---- the daemon ------------------------------------------------------------------------ */

static struct daemon daemon_of_test;

static struct daemon *
begin(void)
{
	struct daemon *d = &daemon_of_test;

	memset(d, 0, sizeof *d);
	json_decref(fake.answer);
	memset(&fake, 0, sizeof fake);
	d->config_path = "/etc/own.yaml";
	d->world = calloc(1, sizeof *d->world);
	d->world->config = &configs[0];
	return d;
}

static void
end(struct daemon *d)
{
	reload_abandon(d);
	for (uint32_t i = 0; i < d->n_retired; i++)
		free(d->retired[i]);
	free(d->world);
	free(d->path);
	json_decref(d->text);
	json_decref(fake.answer);
	fake.answer = NULL;
}

/* The builder is done with what it was given. */
static void
built(struct daemon *d, int result)
{
	struct build_job *job = fake.given;

	assert_non_null(job);
	job->result = result;
	if (result == 0) {
		job->world = calloc(1, sizeof *job->world);
		job->world->config = &configs[1];
		job->view = (struct view *)0x2000;
		job->text = json_object();
	} else {
		job->errors.path = job->path;
		job->errors.n = job->errors.total = 1;
		strcpy(job->errors.e[0].code, "UnknownKey");
	}
	reload_built(d, 0);
}

static void
asks(struct daemon *d, const char *path, const char *code)
{
	struct failure f = {0};

	assert_null(reload_begin(d, path, false, (struct api_ticket){0, 1}, &f));
	assert_string_equal(f.code, code);
	failure_clear(&f);
}

/* ---- stories --------------------------------------------------------------------------- */

static void
publishes_whole(void **state)
{
	struct daemon *d = begin();
	struct world *before = d->world;

	asks(d, "/tmp/new.yaml", "");
	assert_string_equal(fake.given->path, "/tmp/new.yaml");
	assert_ptr_equal(fake.given->fixed, &configs[0].appliance);
	assert_string_equal(fake.notified, "RELOADING=1");
	reload_poll(d);
	assert_ptr_equal(d->world, before);

	built(d, 0);
	assert_int_equal(fake.published, 1);
	assert_ptr_not_equal(d->world, before);
	assert_string_equal(d->path, "/tmp/new.yaml");
	assert_true(json_is_true(json_object_get(fake.answer, "applied")));
	assert_non_null(strstr(fake.notified, "READY=1"));
	assert_int_equal(fake.views_freed, 0); /* the dataplane's now */
	assert_ptr_equal(fake.steered, &configs[1]);

	/* The old world stays until no worker can see it. */
	reload_poll(d);
	assert_int_equal(fake.worlds_freed, 0);
	assert_int_equal(fake.live, 2);
	fake.retired = 0;
	reload_poll(d);
	assert_int_equal(fake.worlds_freed, 1);
	assert_int_equal(fake.live, 1);
	end(d);
}

static void
refused_changes_nothing(void **state)
{
	struct daemon *d = begin();
	struct world *before = d->world;

	asks(d, "/tmp/new.yaml", "");
	built(d, -EINVAL);
	assert_ptr_equal(d->world, before);
	assert_int_equal(fake.published, 0);
	assert_string_equal(fake.code, "UnknownKey");
	assert_null(fake.steered);
	assert_int_equal(d->reload.refused, 1);
	assert_int_equal(d->reload.state, RELOAD_IDLE);
	assert_non_null(strstr(fake.notified, "READY=1"));

	/* The dataplane says no: the same. */
	fake.publish_result = -ENOMEM;
	asks(d, "/tmp/new.yaml", "");
	built(d, 0);
	assert_ptr_equal(d->world, before);
	assert_string_equal(fake.code, "Publish");
	assert_int_equal(fake.views_freed, 1);
	assert_int_equal(fake.worlds_freed, 1);
	end(d);
}

static void
waits_for_room(void **state)
{
	struct daemon *d = begin();
	struct world *before = d->world;

	fake.publish_result = -EAGAIN;
	asks(d, "/tmp/new.yaml", "");
	built(d, 0);
	for (int i = 0; i < 100; i++)
		reload_poll(d);
	assert_ptr_equal(d->world, before);
	assert_null(fake.answer);
	asks(d, "/tmp/other.yaml", "Busy");

	fake.publish_result = 0;
	reload_poll(d);
	assert_int_equal(fake.published, 1);
	assert_ptr_not_equal(d->world, before);
	assert_non_null(fake.answer);
	end(d);
}

static void
one_at_a_time(void **state)
{
	struct daemon *d = begin();

	asks(d, "/tmp/new.yaml", "");
	asks(d, "/tmp/other.yaml", "Busy");
	/* Signals are never lost: however many come, one more load follows. */
	reload_signal(d);
	reload_signal(d);
	built(d, 0);
	assert_non_null(fake.given);
	assert_string_equal(fake.given->path, "/etc/own.yaml");
	built(d, 0);
	assert_null(fake.given);
	assert_int_equal(d->reload.done, 2);
	assert_int_equal(fake.published, 2);
	end(d);
}

static void
checks_without_a_trace(void **state)
{
	struct daemon *d = begin();
	struct world *before = d->world;
	struct failure f = {0};

	assert_null(reload_begin(d, "/tmp/new.yaml", true, (struct api_ticket){0, 1}, &f));
	assert_true(fake.given->check_only);
	assert_string_equal(fake.notified, "");
	built(d, 0);
	assert_ptr_equal(d->world, before);
	assert_int_equal(fake.published, 0);
	assert_true(json_is_true(json_object_get(fake.answer, "valid")));
	assert_int_equal(fake.views_freed, 1);
	assert_int_equal(fake.worlds_freed, 1);
	end(d);
}

/* A worker that never reports: worlds pile up to the bound, then publishing waits. */
static void
bounds_what_is_retired(void **state)
{
	struct daemon *d = begin();

	for (uint32_t i = 0; i < WORLDS_MAX; i++) {
		asks(d, NULL, "");
		built(d, 0);
	}
	assert_int_equal(d->n_retired, WORLDS_MAX);
	asks(d, NULL, "");
	built(d, 0);
	assert_int_equal(fake.published, WORLDS_MAX);
	assert_int_equal(d->reload.state, RELOAD_PUBLISHING);

	fake.retired = 0;
	reload_poll(d); /* makes room */
	reload_poll(d);
	assert_int_equal(fake.published, WORLDS_MAX + 1);
	assert_int_equal(d->n_retired, 1);
	end(d);
}

/* ---- learned routes --------------------------------------------------------------------- */

static void
learned_routes_replace_the_world(void **state)
{
	struct daemon *d = begin();
	struct world *before = d->world;

	reload_poll(d);
	assert_null(fake.given);
	d->path = strdup("/tmp/runs.yaml");
	fake.learned = 5;
	reload_poll(d);
	assert_ptr_equal(fake.given->again, before);
	assert_ptr_equal(fake.given->config, before->config);
	assert_int_equal(fake.configs_kept, 1);
	fake.learned = 7; /* meanwhile */
	reload_poll(d);
	fake.given->took_ns = 1;
	built(d, 0);
	assert_ptr_not_equal(d->world, before);
	assert_int_equal(fake.published, 1);
	/* nothing that a configuration brings */
	assert_null(fake.steered);
	assert_int_equal(fake.namespaces, 0);
	assert_null(fake.answer);
	assert_string_equal(fake.notified, "");
	assert_int_equal(d->reload.done, 0);
	assert_string_equal(d->path, "/tmp/runs.yaml");

	reload_poll(d);
	assert_ptr_equal(fake.given->again, d->world); /* what came meanwhile */
	built(d, 0);
	reload_poll(d);
	assert_null(fake.given);
	end(d);
}

static void
a_configuration_waits_for_learned_routes(void **state)
{
	struct daemon *d = begin();

	d->path = strdup("/tmp/runs.yaml");
	fake.learned = 5;
	reload_poll(d);
	asks(d, "/tmp/new.yaml", ""); /* who asks does not hear of it */
	asks(d, "/tmp/other.yaml", "Busy");
	reload_signal(d);
	assert_non_null(fake.given->again);
	built(d, 0);
	assert_null(fake.given->again);
	assert_string_equal(fake.given->path, "/tmp/new.yaml");
	assert_ptr_equal(fake.given->fixed, &d->world->config->appliance);
	built(d, 0);
	assert_true(json_is_true(json_object_get(fake.answer, "applied")));
	assert_string_equal(fake.given->path, "/etc/own.yaml"); /* the signal */
	built(d, 0);
	assert_int_equal(fake.published, 3);
	assert_int_equal(d->reload.done, 2);
	end(d);
}

/* Not at once: whatever it was may last. */
static void
learned_routes_that_cannot_be_built_are_tried_again(void **state)
{
	struct daemon *d = begin();
	struct world *before = d->world;

	d->path = strdup("/tmp/runs.yaml");
	fake.learned = 5;
	reload_poll(d);
	built(d, -ENOMEM);
	assert_ptr_equal(d->world, before);
	assert_int_equal(d->reload.refused, 0);
	assert_string_equal(fake.code, "");
	reload_poll(d);
	assert_null(fake.given);
	assert_in_range(d->reload.learned_ns, clock_boot_ns(), clock_boot_ns() + 1000000000);
	d->reload.learned_ns = 0;
	reload_poll(d);
	assert_non_null(fake.given);
	built(d, 0);
	end(d);
}

/* A build that takes long is not followed by the next one at once. */
static void
learned_routes_leave_time_to_others(void **state)
{
	struct daemon *d = begin();

	d->path = strdup("/tmp/runs.yaml");
	fake.learned = 5;
	reload_poll(d);
	fake.given->took_ns = 100000000;
	built(d, 0);
	fake.learned = 6;
	reload_poll(d);
	assert_null(fake.given);
	assert_in_range(d->reload.learned_ns, clock_boot_ns() + 200000000, clock_boot_ns() + 400000000);
	asks(d, "/tmp/new.yaml", ""); /* a configuration does not wait, and has them */
	built(d, 0);
	d->reload.learned_ns = 0;
	reload_poll(d);
	assert_null(fake.given);
	end(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publishes_whole),
		cmocka_unit_test(refused_changes_nothing),
		cmocka_unit_test(waits_for_room),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(checks_without_a_trace),
		cmocka_unit_test(bounds_what_is_retired),
		cmocka_unit_test(learned_routes_replace_the_world),
		cmocka_unit_test(a_configuration_waits_for_learned_routes),
		cmocka_unit_test(learned_routes_that_cannot_be_built_are_tried_again),
		cmocka_unit_test(learned_routes_leave_time_to_others),
	};

	log_open(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
