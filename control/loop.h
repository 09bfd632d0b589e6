/* The control thread's event loop: file descriptors by epoll, signals, a tick, and the dataplane's
 * slow path between them. Control thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What waits for a file descriptor. Sources are never freed while the loop runs: an event of this round
 * may still name one that another event closed. fd < 0: closed, its events are skipped. */
struct loop_source {
	int fd;
	void (*ready)(void *context, uint32_t events);
	void *context;
};

struct loop_hooks {
	void *context;
	uint32_t (*poll)(void *context); /* the slow path; returns what it handled */
	void (*tick)(void *context);     /* ten times a second */
	void (*reload)(void *context);   /* SIGHUP */
};

struct loop {
	int epoll, signal, timer;
	bool stop;
	bool leave; /* a successor starts at once: what can outlive us stays */
	struct loop_source signal_source, timer_source;
	struct loop_hooks hooks;
};

/* SIGTERM, SIGINT, SIGUSR2 and SIGHUP are blocked in the calling thread and all it starts later: call it before
 * EAL. SIGPIPE is ignored. */
int loop_block_signals(void);

int loop_open(struct loop *l, const struct loop_hooks *hooks);
void loop_close(struct loop *l);
int loop_add(struct loop *l, struct loop_source *s, uint32_t events);
int loop_change(struct loop *l, struct loop_source *s, uint32_t events);
/* Takes it out and closes its descriptor. */
void loop_remove(struct loop *l, struct loop_source *s);
/* Takes it out; its descriptor is somebody else's to close. */
void loop_forget(struct loop *l, struct loop_source *s);
/* Until SIGTERM, SIGINT, SIGUSR2 or loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* For what has to happen behind a stop: rounds go on until it is over or the time is up, then for a moment while
 * there is something left to do. */
void loop_serve(struct loop *l, bool (*over)(void *context), void *context, uint64_t timeout_ns);
