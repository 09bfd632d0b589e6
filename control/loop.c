/* The loop serves whatever descriptor is ready, then the dataplane's slow path. ARP, ND and whatever
 * else workers punt waits no longer than the loop sleeps: a millisecond when nothing happens, not at
 * all while packets come, a little in between. A sleep is cut short by any descriptor.
 */
#include "control/loop.h"

#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_ROUND 16
#define IDLE_NS 1000000
#define EAGER_NS 100000 /* for a while after the last punted packet: its answer may be near */
#define EAGER_ROUNDS 20
#define TICK_NS 100000000
/* How long a stop goes on with what is still to do once all is over. */
#define LAST_NS 100000000

static void
signals_make(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR2);
}

int
loop_block_signals(void)
{
	sigset_t set;

	signals_make(&set);
	signal(SIGPIPE, SIG_IGN);
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void
signal_ready(void *context, uint32_t events)
{
	struct loop *l = context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(l->signal, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP) {
			l->hooks.reload(l->hooks.context);
			continue;
		}
		l->leave = info.ssi_signo == SIGUSR2;
		log_notice("loop", "%s: stopping%s",
			info.ssi_signo == SIGTERM  ? "SIGTERM"
			: info.ssi_signo == SIGINT ? "SIGINT"
						   : "SIGUSR2",
			l->leave ? ", charon and its tunnels stay" : "");
		l->stop = true;
	}
}

static void
timer_ready(void *context, uint32_t events)
{
	struct loop *l = context;
	uint64_t ticks;

	(void)events;
	/* Missed ticks are not made up for. */
	if (read(l->timer, &ticks, sizeof ticks) == (ssize_t)sizeof ticks)
		l->hooks.tick(l->hooks.context);
}

int
loop_open(struct loop *l, const struct loop_hooks *hooks)
{
	const struct itimerspec tick = {{0, TICK_NS}, {0, TICK_NS}};
	sigset_t set;
	int r = 0;

	*l = (struct loop){.hooks = *hooks};
	signals_make(&set);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->signal = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	l->signal_source = (struct loop_source){l->signal, signal_ready, l};
	l->timer_source = (struct loop_source){l->timer, timer_ready, l};
	if (l->epoll < 0 || l->signal < 0 || l->timer < 0 || timerfd_settime(l->timer, 0, &tick, NULL) != 0)
		r = -errno;
	if (r == 0)
		r = loop_add(l, &l->signal_source, EPOLLIN);
	if (r == 0)
		r = loop_add(l, &l->timer_source, EPOLLIN);
	if (r != 0)
		loop_close(l);
	return r;
}

void
loop_close(struct loop *l)
{
	const int fds[] = {l->timer, l->signal, l->epoll};

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] > 0)
			close(fds[i]);
	l->timer = l->signal = l->epoll = -1;
}

int
loop_add(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &e) == 0 ? 0 : -errno;
}

int
loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	return epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &e) == 0 ? 0 : -errno;
}

void
loop_forget(struct loop *l, struct loop_source *s)
{
	if (s->fd < 0)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	s->fd = -1;
}

void
loop_remove(struct loop *l, struct loop_source *s)
{
	int fd = s->fd;

	loop_forget(l, s);
	if (fd >= 0)
		close(fd);
}

/* Whether there was anything to do. */
static bool
serve_round(struct loop *l, long sleep_ns, bool *packets)
{
	const struct timespec sleep = {0, sleep_ns};
	struct epoll_event event[EVENTS_PER_ROUND];
	int n = epoll_pwait2(l->epoll, event, EVENTS_PER_ROUND, &sleep, NULL);

	for (int i = 0; i < n; i++) {
		struct loop_source *s = event[i].data.ptr;

		if (s->fd >= 0)
			s->ready(s->context, event[i].events);
	}
	*packets = l->hooks.poll(l->hooks.context) > 0;
	return n > 0 || *packets;
}

void
loop_run(struct loop *l)
{
	unsigned eager = 0;
	long sleep_ns = 0;
	bool packets;

	while (!l->stop) {
		serve_round(l, sleep_ns, &packets);
		if (packets) {
			eager = EAGER_ROUNDS;
			sleep_ns = 0;
		} else if (eager > 0) {
			eager--;
			sleep_ns = EAGER_NS;
		} else {
			sleep_ns = IDLE_NS;
		}
	}
}

void
loop_serve(struct loop *l, bool (*over)(void *context), void *context, uint64_t timeout_ns)
{
	uint64_t end = clock_boot_ns() + timeout_ns;
	bool packets;

	while (!over(context) && clock_boot_ns() < end)
		serve_round(l, IDLE_NS, &packets);
	end = clock_boot_ns() + LAST_NS;
	while (serve_round(l, IDLE_NS, &packets) && clock_boot_ns() < end)
		;
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
}
