/* The kind `file`: a thread of its own works on the files, as a file system may hang. The control thread gives it one
 * request at a time and hears of the answer by an eventfd. A thread that hangs when we stop is left behind with all it
 * uses: nobody waits for a dead disk.
 */
#include "control/lease_backend.h"
#include "control/lease_file_storage.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 100000000ull
#define STOP_S 1

struct lease_file_thread {
	const struct lease_client *client; /* control thread */
	struct loop_source source;         /* control thread; its descriptor is written by the thread */
	int event;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under lock */
	bool asked, answered, leave, left;
	uint64_t epoch_seen;
	struct lease_answer answer;

	/* the thread's own */
	char identity[LEASE_NAME_MAX];
	struct lease_file_storage storage;
	struct lease_file file;
};

/* ---- the thread ----------------------------------------------------------------------- */

static void
attempt(struct lease_file_thread *t, uint64_t epoch_seen, struct lease_answer *a)
{
	int r = lease_file_storage_open(&t->storage);

	if (r == 0) {
		lease_file_attempt(&t->file, epoch_seen, a);
		return;
	}
	*a = (struct lease_answer){.verdict = LEASE_FAILED};
	snprintf(a->error, sizeof(a->error), "%.200s: %s", t->storage.folder, strerror(-r));
}

static void *
thread_main(void *context)
{
	struct lease_file_thread *t = context;
	struct lease_answer a;

	pthread_setname_np(pthread_self(), "isthmus-lease");
	pthread_mutex_lock(&t->lock);
	for (;;) {
		uint64_t epoch_seen;

		while (!t->asked && !t->leave)
			pthread_cond_wait(&t->changed, &t->lock);
		if (t->leave)
			break;
		t->asked = false;
		epoch_seen = t->epoch_seen;
		pthread_mutex_unlock(&t->lock);
		attempt(t, epoch_seen, &a);
		pthread_mutex_lock(&t->lock);
		t->answer = a;
		t->answered = true;
		if (!t->leave)
			eventfd_write(t->event, 1);
	}
	pthread_mutex_unlock(&t->lock);
	lease_file_release(&t->file);
	pthread_mutex_lock(&t->lock);
	t->left = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* ---- the control thread ---------------------------------------------------------------- */

static void
answer_ready(void *context, uint32_t events)
{
	struct lease_file_thread *t = context;
	struct lease_answer a;
	eventfd_t count;
	bool answered;

	(void)events;
	eventfd_read(t->event, &count);
	pthread_mutex_lock(&t->lock);
	answered = t->answered;
	a = t->answer;
	t->answered = false;
	pthread_mutex_unlock(&t->lock);
	if (answered)
		t->client->answered(t->client->context, &a);
}

static void
file_attempt(void *backend, uint64_t epoch_seen)
{
	struct lease_file_thread *t = backend;

	pthread_mutex_lock(&t->lock);
	t->asked = true;
	t->epoch_seen = epoch_seen;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static void
thread_free(struct lease_file_thread *t)
{
	lease_file_storage_close(&t->storage);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void *
file_open(const struct lease_client *client, char *error, size_t n)
{
	struct lease_file_thread *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return NULL;
	t->client = client;
	snprintf(t->identity, sizeof(t->identity), "%s", client->identity);
	lease_file_storage_init(&t->storage, client->ha->lease.path, t->identity);
	t->file = (struct lease_file){.storage = &t->storage.operations,
		.identity = t->identity,
		.duration_ns = client->ha->lease.duration_s * 1000000000ull};
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	t->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	t->source = (struct loop_source){t->event, answer_ready, t};
	r = t->event < 0 ? -errno : loop_add(client->loop, &t->source, EPOLLIN);
	if (r == 0) {
		r = -pthread_create(&t->thread, NULL, thread_main, t);
		if (r != 0)
			loop_remove(client->loop, &t->source);
	}
	if (r != 0) {
		snprintf(error, n, "%s", strerror(-r));
		thread_free(t);
		return NULL;
	}
	return t;
}

static void
file_close(void *backend)
{
	struct lease_file_thread *t = backend;
	struct timespec end;
	bool left;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += STOP_S;
	pthread_mutex_lock(&t->lock);
	t->leave = true;
	loop_remove(t->client->loop, &t->source);
	pthread_cond_signal(&t->changed);
	while (!t->left && pthread_cond_clockwait(&t->changed, &t->lock, CLOCK_MONOTONIC, &end) == 0)
		;
	left = t->left;
	pthread_mutex_unlock(&t->lock);
	if (!left) {
		pthread_detach(t->thread);
		return;
	}
	pthread_join(t->thread, NULL);
	thread_free(t);
}

const struct lease_kind lease_files = {
	.name = "file",
	.exclusive = true,
	.poll_ns = POLL_NS,
	.open = file_open,
	.attempt = file_attempt,
	.close = file_close,
};
