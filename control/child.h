/* A daemon that is ours to run: started in its network namespace, watched, its words in our log, stopped.
 *
 * One that outlived a killed isthmusd is adopted by its process id: nothing but its log is lost. Control thread.
 */
#pragma once

#include "control/loop.h"

#include <sys/types.h>

#define CHILD_ARGUMENTS 12
#define CHILD_VARIABLES 2

struct child {
	/* given */
	struct loop *loop;
	const char *argument[CHILD_ARGUMENTS]; /* its program's path first, NULL behind the last */
	struct {
		const char *name, *value; /* "": without this one */
	} variable[CHILD_VARIABLES];      /* of its environment, beside PATH */
	void *context;
	void (*line)(void *context, const char *text); /* one of its log */
	void (*ended)(void *context);

	/* its own */
	pid_t pid; /* 0: none */
	bool ours; /* our child */
	struct loop_source exit, log;
	char text[1024];
	size_t n;
};

void child_init(struct child *p);
/* netns: descriptor of the network namespace, -1 for ours. */
int child_start(struct child *p, int netns);
int child_adopt(struct child *p, pid_t pid);
void child_signal(struct child *p, int signal);
/* Forgets it, alive or not. */
void child_leave(struct child *p);
/* Kills it if it still runs, and waits for that. For the way out, when no loop runs. */
void child_end(struct child *p);
