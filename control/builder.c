/* load -> restart check -> world -> SAs -> view -> text, in this order; the first that fails ends it.
 *
 * A check makes no SAs: they would enter the store, and their sequence numbers the disk. Its view's
 * tunnels have none, which a view must stand anyway.
 */
#include "control/builder.h"

#include "control/ike_conf.h"
#include "control/learned.h"
#include "control/restart.h"
#include "control/sa_store.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <rte_lcore.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define BUILDER_NICE 10

struct builder {
	struct builder_tools tools;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t given;
	int event;
	/* under lock */
	struct build_job *todo, *done;
	bool stop;
};

/* ---- the work ----------------------------------------------------------------------- */

static void
job_error(struct build_job *job, const char *code, const char *text)
{
	struct config_error *e = &job->errors.e[0];

	job->errors.n = job->errors.total = 1;
	e->mark = (struct cfg_mark){0, 0};
	snprintf(e->code, sizeof e->code, "%s", code);
	snprintf(e->text, sizeof e->text, "%s", text);
}

/* The one printer of configurations is config_print; tools pick from what it prints. */
static json_t *
config_json(const struct config *c)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	json_t *root;

	if (!to)
		return NULL;
	config_print(c, to);
	fclose(to);
	root = json_loadb(text, size, 0, NULL);
	free(text);
	return root;
}

static int
job_load(struct build_job *job)
{
	int r = 0;

	if (job->again)
		return 0;
	job->errors.path = job->path;
	if (!job->config)
		r = config_load(job->path, &job->config, &job->errors);
	if (r == 0 && job->fixed)
		r = restart_check(job->fixed, &job->config->appliance, &job->errors);
	if (r == 0)
		r = ike_conf_make(job->config, &job->ike, &job->errors);
	if (job->config)
		config_wipe_shared_keys(job->config);
	return r;
}

static int
job_sas(const struct builder_tools *tools, struct build_job *job)
{
	char error[400] = "";
	int r = 0;

	/* one configuration: the same SAs in the same order */
	for (uint32_t i = 0; job->again && i < job->world->spec.n_sas; i++)
		job->world->spec.sa[i].sa = job->again->spec.sa[i].sa;
	if (!job->again && tools->sas && !job->check_only)
		r = sa_store_fill(tools->sas, job->world, error, sizeof error);
	if (r != 0)
		job_error(job, "SaStore", error);
	return r;
}

static int
job_compile(const struct builder_tools *tools, struct build_job *job)
{
	char error[400] = "";
	int r = world_build(job->config, job->learned, tools->names, tools->iface_ids, &job->world, &job->errors);

	if (r != 0)
		return r;
	job->config = NULL; /* the world's now */

	r = job_sas(tools, job);
	if (r != 0)
		return r;
	job->view = view_build(&job->world->spec, job->previous, error, sizeof error);
	if (!job->view) {
		job_error(job, "ViewBuild", error);
		return -EINVAL;
	}
	return 0;
}

void
build(const struct builder_tools *tools, struct build_job *job)
{
	uint64_t start = clock_boot_ns();

	job->result = job_load(job);
	if (job->result == 0)
		job->result = job_compile(tools, job);
	if (job->result == 0 && !job->again) {
		job->text = config_json(job->world->config);
		if (!job->text) {
			job_error(job, "NoMemory", "no memory to print the configuration");
			job->result = -ENOMEM;
		}
	}
	job->took_ns = clock_boot_ns() - start;
}

void
build_job_free(struct build_job *job)
{
	if (!job)
		return;
	view_free(job->view);
	view_free(job->previous);
	ike_conf_free(job->ike);
	world_free(job->world);
	config_free(job->config);
	learned_all_free(job->learned);
	json_decref(job->text);
	free(job->path);
	free(job);
}

/* ---- the thread --------------------------------------------------------------------- */

static struct build_job *
job_wait(struct builder *b)
{
	struct build_job *job;

	pthread_mutex_lock(&b->lock);
	while (!b->todo && !b->stop)
		pthread_cond_wait(&b->given, &b->lock);
	job = b->stop ? NULL : b->todo;
	pthread_mutex_unlock(&b->lock);
	return job;
}

static void
job_return(struct builder *b, struct build_job *job)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&b->lock);
	b->todo = NULL;
	b->done = job;
	pthread_mutex_unlock(&b->lock);
	if (write(b->event, &one, sizeof one) < 0)
		log_error("builder", "eventfd: %s", strerror(errno));
}

static void *
builder_main(void *argument)
{
	struct builder *b = argument;
	struct build_job *job;

	/* Shares control's core, and yields it: BFD and ARP do not wait behind a compilation. */
	pthread_setname_np(pthread_self(), "isthmus-build");
	setpriority(PRIO_PROCESS, (id_t)gettid(), BUILDER_NICE);
	if (rte_thread_register() != 0)
		log_warning("builder", "EAL has no place for the builder's thread");
	while ((job = job_wait(b))) {
		build(&b->tools, job);
		job_return(b, job);
	}
	rte_thread_unregister();
	return NULL;
}

int
builder_start(const struct builder_tools *tools, struct builder **out)
{
	struct builder *b = calloc(1, sizeof *b);
	int r;

	if (!b)
		return -ENOMEM;
	b->tools = *tools;
	b->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b->event < 0) {
		r = -errno;
		goto free_builder;
	}
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->given, NULL);
	r = -pthread_create(&b->thread, NULL, builder_main, b);
	if (r != 0)
		goto close_event;
	*out = b;
	return 0;

close_event:
	pthread_cond_destroy(&b->given);
	pthread_mutex_destroy(&b->lock);
	close(b->event);
free_builder:
	free(b);
	return r;
}

void
builder_stop(struct builder *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->given);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);

	build_job_free(b->todo);
	build_job_free(b->done);
	pthread_cond_destroy(&b->given);
	pthread_mutex_destroy(&b->lock);
	close(b->event);
	free(b);
}

int
builder_fd(const struct builder *b)
{
	return b->event;
}

void
builder_give(struct builder *b, struct build_job *job)
{
	pthread_mutex_lock(&b->lock);
	b->todo = job;
	pthread_cond_signal(&b->given);
	pthread_mutex_unlock(&b->lock);
}

struct build_job *
builder_take(struct builder *b)
{
	struct build_job *job;
	uint64_t count;

	if (read(b->event, &count, sizeof count) < 0)
		return NULL;
	pthread_mutex_lock(&b->lock);
	job = b->done;
	b->done = NULL;
	pthread_mutex_unlock(&b->lock);
	return job;
}
