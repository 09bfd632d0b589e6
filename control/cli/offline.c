#include "control/cli/offline.h"

#include "control/builder.h"
#include "control/show.h"
#include "drivers/eal.h"
#include "drivers/log.h"

#include <stdlib.h>
#include <string.h>

struct offline {
	struct builder_tools tools;
	struct build_job *job;
	bool eal;
};

static void
offline_close(struct offline *o)
{
	build_job_free(o->job);
	iface_ids_free(o->tools.iface_ids);
	names_free(o->tools.names);
	if (o->eal)
		eal_stop();
}

/* The check of the file comes before EAL: most refusals are quick. */
static bool
offline_open(struct offline *o, const char *path, struct failure *f)
{
	char error[400] = "";

	*o = (struct offline){.tools = {names_create(), iface_ids_create(), NULL}};
	o->job = calloc(1, sizeof *o->job);
	if (!o->tools.names || !o->tools.iface_ids || !o->job || !(o->job->path = strdup(path))) {
		failure_set(f, "NoMemory", "no memory");
		return false;
	}
	o->job->errors.path = o->job->path;
	if (config_load(path, &o->job->config, &o->job->errors) != 0) {
		failure_from_errors(f, &o->job->errors);
		return false;
	}

	log_open(LOG_LEVEL_ERROR);
	if (eal_offline_start(error, sizeof error) != 0) {
		failure_set(f, "Offline", "%s", error);
		return false;
	}
	o->eal = true;
	build(&o->tools, o->job);
	if (o->job->result != 0)
		failure_from_errors(f, &o->job->errors);
	return o->job->result == 0;
}

json_t *
offline_answer(const char *path, const struct request *r, struct failure *f)
{
	struct offline o;
	json_t *result = NULL;

	if (offline_open(&o, path, f)) {
		const struct show s = {o.job->world, o.job->view, o.tools.names, o.job->text};

		result = show_function_of(r->verb)(&s, r, f);
	}
	offline_close(&o);
	return result;
}

json_t *
offline_verify(const char *path, struct failure *f)
{
	struct offline o;
	json_t *result = NULL;

	if (offline_open(&o, path, f)) {
		result = json_object();
		json_object_set_new(result, "file", json_string(path));
		json_object_set_new(result, "valid", json_true());
		json_object_set_new(result, "warnings", warnings_json(o.job->world));
	}
	offline_close(&o);
	return result;
}
