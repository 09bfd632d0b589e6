/* The process: started in the control namespace, watched, its words in our log, started again, stopped.
 *
 * One that outlived a killed isthmusd is adopted by its process id: nothing but its log is lost. Control thread.
 */
#pragma once

#include "control/loop.h"

#include <sys/types.h>

struct charon_process {
	/* given */
	struct loop *loop;
	const char *program, *settings, *preload; /* preload: "" for none */
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

void charon_process_init(struct charon_process *p);
/* netns: descriptor of the network namespace, -1 for ours. */
int charon_process_start(struct charon_process *p, int netns);
int charon_process_adopt(struct charon_process *p, pid_t pid);
void charon_process_signal(struct charon_process *p, int signal);
/* Forgets it, alive or not. */
void charon_process_leave(struct charon_process *p);
/* Kills it if it still runs, and waits for that. For the way out, when no loop runs. */
void charon_process_end(struct charon_process *p);
