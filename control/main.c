/* isthmusd: reads a configuration, starts the modules in order, runs the loop, stops them in reverse.
 *
 * The control thread is the process's first thread and EAL's main lcore. Workers are EAL's other lcores;
 * the builder is the only further thread.
 */
#include "control/api_verbs.h"
#include "control/bgp.h"
#include "control/daemon.h"
#include "control/events.h"
#include "control/flow_file.h"
#include "control/ha.h"
#include "control/ike.h"
#include "control/notify.h"
#include "control/options.h"
#include "control/reload.h"
#include "control/sa_store.h"
#include "control/state_lock.h"
#include "control/steer.h"
#include "control/takeover.h"
#include "drivers/clock.h"
#include "drivers/eal.h"
#include "drivers/log.h"
#include "drivers/port.h"

#include <rte_mempool.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ERROR_MAX 512

/* One step of the way up. start returns 0 or -errno with a text; stop undoes it. */
struct module {
	const char *name;
	int (*start)(struct daemon *d, char *error, size_t n);
	void (*stop)(struct daemon *d);
};

/* ---- the loop's hooks --------------------------------------------------------------- */

static uint32_t
poll_hook(void *daemon)
{
	struct daemon *d = daemon;
	uint32_t n = dataplane_poll(d->dp);

	reload_poll(d);
	ike_view_poll(d);
	return n;
}

static void
watchdog_tick(struct daemon *d, uint64_t now_ns)
{
	if (d->watchdog_ns == 0 || now_ns < d->watchdog_due_ns)
		return;
	notify("WATCHDOG=1");
	d->watchdog_due_ns = now_ns + d->watchdog_ns;
}

static void
tick_hook(void *daemon)
{
	struct daemon *d = daemon;
	uint64_t now_ns = clock_boot_ns();

	sa_store_tick(d->sas);
	local_net_tick(d->local, now_ns);
	bgp_tick(d, now_ns);
	ike_tick(d, now_ns);
	ha_tick(d, now_ns);
	rates_tick(&d->rates, d->dp, now_ns);
	trace_tick(d, now_ns);
	api_tick(d->api, now_ns);
	watchdog_tick(d, now_ns);
}

static void
reload_hook(void *daemon)
{
	log_notice("main", "SIGHUP: loading the configuration again");
	reload_signal(daemon);
}

/* ---- modules ------------------------------------------------------------------------ */

static int
config_start(struct daemon *d, char *error, size_t n)
{
	struct config_errors *errors = calloc(1, sizeof *errors);
	int r;

	if (!errors)
		return -ENOMEM;
	r = config_load(d->config_path, &d->config, errors);
	for (uint32_t i = 0; i < errors->n; i++)
		log_error("config", "%s:%u:%u: %s: %s", d->config_path, errors->e[i].mark.line,
			errors->e[i].mark.column, errors->e[i].code, errors->e[i].text);
	if (r != 0)
		snprintf(error, n, "%s is refused with %u errors", d->config_path, errors->total);
	free(errors);
	return r;
}

static void
config_stop(struct daemon *d)
{
	config_free(d->config);
	world_free(d->world);
	for (uint32_t i = 0; i < d->n_retired; i++)
		world_free(d->retired[i]);
	json_decref(d->text);
	free(d->path);
}

/* A configuration that is refused has ended the start by now: whoever runs goes on. */
static int
lock_start(struct daemon *d, char *error, size_t n)
{
	int r = d->takeover ? takeover(d->config->appliance.socket, error, n) : 0;

	if (r != 0)
		return r;
	d->lock = state_lock(d->config->appliance.state_dir, error, n);
	return d->lock < 0 ? d->lock : 0;
}

static void
lock_stop(struct daemon *d)
{
	close(d->lock);
}

static int
eal_module_start(struct daemon *d, char *error, size_t n)
{
	char prefix[128];

	snprintf(prefix, sizeof prefix, "isthmus-%s", d->config->appliance.name);
	return eal_start(&d->config->appliance, prefix, error, n);
}

static void
eal_module_stop(struct daemon *d)
{
	(void)d;
	eal_stop();
}

static int
ports_module_start(struct daemon *d, char *error, size_t n)
{
	int r;

	d->pool = packet_pool_create(&d->config->appliance, 0, error, n);
	if (!d->pool)
		return -ENOMEM;
	r = ports_open(&d->config->appliance, d->pool, error, n);
	if (r != 0)
		rte_mempool_free(d->pool);
	return r;
}

static void
ports_module_stop(struct daemon *d)
{
	ports_close();
	rte_mempool_free(d->pool);
}

static int
sas_start(struct daemon *d, char *error, size_t n)
{
	return sa_store_open(d->config->appliance.state_dir, &d->sas, error, n);
}

static void
sas_stop(struct daemon *d)
{
	sa_store_close(d->sas);
}

static int
names_start(struct daemon *d, char *error, size_t n)
{
	(void)error;
	(void)n;
	d->names = names_create();
	d->iface_ids = iface_ids_create();
	return d->names && d->iface_ids ? 0 : -ENOMEM;
}

static void
names_stop(struct daemon *d)
{
	iface_ids_free(d->iface_ids);
	names_free(d->names);
}

/* The first world is built here, by the very function the builder calls later. */
static int
world_start(struct daemon *d, char *error, size_t n)
{
	const struct builder_tools tools = {d->names, d->iface_ids, d->sas};
	struct build_job *job = calloc(1, sizeof *job);
	int r;

	if (!job)
		return -ENOMEM;
	job->path = strdup(d->config_path);
	job->config = d->config;
	d->config = NULL;
	build(&tools, job);
	r = job->result;
	for (uint32_t i = 0; i < job->errors.n; i++)
		log_error("config", "%s:%u:%u: %s: %s", job->path, job->errors.e[i].mark.line,
			job->errors.e[i].mark.column, job->errors.e[i].code, job->errors.e[i].text);
	if (r != 0) {
		snprintf(error, n, "%s cannot be compiled", d->config_path);
	} else {
		d->world = job->world;
		d->first_view = job->view;
		d->text = job->text;
		d->ike_conf = job->ike;
		job->ike = NULL;
		d->path = job->path;
		d->loaded = time(NULL);
		job->world = NULL;
		job->view = NULL;
		job->text = NULL;
		job->path = NULL;
	}
	build_job_free(job);
	for (uint32_t i = 0; r == 0 && i < d->world->n_warnings; i++)
		log_warning("config", "%s:%u:%u: %s", d->path, d->world->warning[i].mark.line,
			d->world->warning[i].mark.column, d->world->warning[i].text);
	return r;
}

static void
world_stop(struct daemon *d)
{
	if (d->first_view)
		view_free(d->first_view);
}

static int
dataplane_module_start(struct daemon *d, char *error, size_t n)
{
	const struct dataplane_events events = events_of(d);
	int r;

	d->dp = dataplane_create(&d->world->config->appliance, d->pool, error, n);
	if (!d->dp)
		return -ENOMEM;
	flow_file_load(d->world->config->appliance.state_dir, d->dp, d->world, d->names);
	ha_fence(d);
	steer_ports(d->world->config);
	r = ports_start(error, n);
	if (r == 0) {
		r = dataplane_start(d->dp, d->first_view, &events);
		d->first_view = NULL;
	}
	if (r != 0) {
		ports_stop();
		dataplane_free(d->dp);
	}
	return r;
}

/* Workers leave first, then ports stop: whatever was under way is out or freed. */
static void
dataplane_module_stop(struct daemon *d)
{
	dataplane_stop(d->dp);
	ports_stop();
	if (d->loop.leave)
		flow_file_save(d->world->config->appliance.state_dir, d->dp, d->world, d->names);
	dataplane_free(d->dp);
}

static int
loop_module_start(struct daemon *d, char *error, size_t n)
{
	const struct loop_hooks hooks = {d, poll_hook, tick_hook, reload_hook};

	(void)error;
	(void)n;
	return loop_open(&d->loop, &hooks);
}

static void
loop_module_stop(struct daemon *d)
{
	loop_close(&d->loop);
}

static int
local_module_start(struct daemon *d, char *error, size_t n)
{
	int r;

	d->local = local_uplinks_create(&d->loop, d->dp);
	if (!d->local)
		return -ENOMEM;
	r = local_uplinks_apply(d->local, d->world, d->names, error, n);
	if (r != 0) {
		local_net_stop(d->local, false);
		d->local = NULL;
	}
	return r;
}

static void
local_module_stop(struct daemon *d)
{
	local_net_stop(d->local, d->loop.leave);
	d->local = NULL;
}

static int
builder_module_start(struct daemon *d, char *error, size_t n)
{
	const struct builder_tools tools = {d->names, d->iface_ids, d->sas};
	int r = builder_start(&tools, &d->builder);

	(void)error;
	(void)n;
	if (r != 0)
		return r;
	d->builder_source = (struct loop_source){builder_fd(d->builder), reload_built, d};
	r = loop_add(&d->loop, &d->builder_source, EPOLLIN);
	if (r != 0)
		builder_stop(d->builder);
	return r;
}

/* A job under way ends first; what it made is thrown away. */
static void
builder_module_stop(struct daemon *d)
{
	builder_stop(d->builder);
	reload_abandon(d);
}

static int
api_module_start(struct daemon *d, char *error, size_t n)
{
	const char *path = d->world->config->appliance.socket, *slash = strrchr(path, '/');
	int made = 0, r = 0;

	d->socket_dir = slash && slash != path ? strndup(path, (size_t)(slash - path)) : NULL;
	if (d->socket_dir)
		r = folder_make(d->socket_dir, 0755, &made);
	if (r != 0)
		snprintf(error, n, "%s: %s", d->socket_dir, strerror(-r));
	else
		r = api_start(path, &d->loop, verbs_answer, verbs_gone, d, &d->api, error, n);
	if (r != 0 && made)
		rmdir(d->socket_dir);
	if (r != 0 || !made) {
		free(d->socket_dir);
		d->socket_dir = NULL;
	}
	if (r == 0)
		log_info("api", "listening on %s", path);
	return r;
}

/* The folder stays while another daemon's socket is in it. */
static void
api_module_stop(struct daemon *d)
{
	struct api *a = d->api;

	d->api = NULL;
	api_stop(a);
	if (d->socket_dir)
		rmdir(d->socket_dir);
	free(d->socket_dir);
}

/* The order is the order of need: each may use what stands above it. */
static const struct module modules[] = {
	{"configuration", config_start, config_stop},
	{"state folder", lock_start, lock_stop},
	{"EAL", eal_module_start, eal_module_stop},
	{"ports", ports_module_start, ports_module_stop},
	{"SA store", sas_start, sas_stop},
	{"names", names_start, names_stop},
	{"first view", world_start, world_stop},
	{"IKE store", ike_store_module_start, ike_store_module_stop},
	{"dataplane", dataplane_module_start, dataplane_module_stop},
	{"loop", loop_module_start, loop_module_stop},
	{"control namespace", local_module_start, local_module_stop},
	{"BGP", bgp_module_start, bgp_module_stop},
	{"builder", builder_module_start, builder_module_stop},
	{"control socket", api_module_start, api_module_stop},
	{"IKE", ike_module_start, ike_module_stop},
	{"lease", ha_module_start, ha_module_stop},
};

#define MODULES (sizeof modules / sizeof *modules)

static size_t
modules_start(struct daemon *d)
{
	for (size_t i = 0; i < MODULES; i++) {
		char error[ERROR_MAX] = "";
		int r = modules[i].start(d, error, sizeof error);

		if (r != 0) {
			log_error("main", "%s: %s", modules[i].name, error[0] ? error : strerror(-r));
			return i;
		}
	}
	return MODULES;
}

static void
modules_stop(struct daemon *d, size_t started)
{
	while (started-- > 0)
		modules[started].stop(d);
}

/* ---- main --------------------------------------------------------------------------- */

static int
run(struct daemon *d)
{
	size_t started = modules_start(d);

	if (started == MODULES) {
		log_notice("main", "%s runs with %u workers and %u ports", d->world->config->appliance.name,
			dataplane_workers(d->dp), ports_count());
		notify("READY=1\nSTATUS=running");
		loop_run(&d->loop);
		notify("STOPPING=1");
		ha_farewell(d);
		bgp_farewell(d);
		ike_farewell(d);
	}
	modules_stop(d, started);
	if (started == MODULES)
		log_notice("main", "stopped");
	return started == MODULES ? 0 : 2;
}

int
main(int argc, char **argv)
{
	static struct daemon d; /* large: the rates' two looks */
	enum log_level level = LOG_LEVEL_INFO;
	const char *config = NULL;
	int status = options_read(argc, argv, &config, &d.takeover, &level);
	char *path;

	if (status >= 0)
		return status;
	log_open(level);
	/* Before EAL: every thread inherits the mask. */
	if (loop_block_signals() != 0)
		return 2;
	path = realpath(config, NULL);
	if (!path) {
		log_error("main", "%s: %s", config, strerror(errno));
		return 2;
	}
	d.config_path = path;
	d.start_ns = clock_boot_ns();
	d.watchdog_ns = notify_watchdog_ns();
	status = run(&d);
	free(path);
	return status;
}
