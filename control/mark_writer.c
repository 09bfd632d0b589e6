/* The thread that writes sequence marks. */
#include "control/mark_writer.h"

#include "control/sequence_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct mark_writer {
	const char *folder;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under lock */
	enum mark_writer_state state;
	char *text;
	size_t size;
	int result;
	bool stop;
};

static void *
writer_main(void *writer)
{
	struct mark_writer *w = writer;
	int result;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->stop && w->state != WRITER_BUSY)
			pthread_cond_wait(&w->changed, &w->lock);
		if (w->state != WRITER_BUSY)
			break;
		pthread_mutex_unlock(&w->lock);
		result = sequence_file_write(w->folder, w->text, w->size);
		pthread_mutex_lock(&w->lock);
		free(w->text);
		w->text = NULL;
		w->result = result;
		w->state = WRITER_DONE;
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int
mark_writer_start(const char *folder, struct mark_writer **out)
{
	struct mark_writer *w = calloc(1, sizeof(*w));
	int rc;

	*out = NULL;
	if (!w)
		return -ENOMEM;
	w->folder = folder;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	rc = pthread_create(&w->thread, NULL, writer_main, w);
	if (rc) {
		free(w);
		return -rc;
	}
	*out = w;
	return 0;
}

void
mark_writer_stop(struct mark_writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}

void
mark_writer_give(struct mark_writer *w, char *text, size_t size)
{
	pthread_mutex_lock(&w->lock);
	w->text = text;
	w->size = size;
	w->state = WRITER_BUSY;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

enum mark_writer_state
mark_writer_ask(struct mark_writer *w, int *result)
{
	enum mark_writer_state state;

	pthread_mutex_lock(&w->lock);
	state = w->state;
	if (state == WRITER_DONE) {
		*result = w->result;
		w->state = WRITER_IDLE;
	}
	pthread_mutex_unlock(&w->lock);
	return state;
}

void
mark_writer_settle(struct mark_writer *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->state == WRITER_BUSY)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
}
