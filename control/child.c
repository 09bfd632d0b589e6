/* Starting and watching. Between fork and exec only what a signal handler might do: other
 * threads held whatever lock they held.
 */
#include "control/child.h"
#include "drivers/eal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3
#define END_MS 5000 /* of a process that was killed */

/* ---- its log ------------------------------------------------------------------------- */

static void
line_end(struct child *p)
{
	p->text[p->n] = '\0';
	if (p->n > 0)
		p->line(p->context, p->text);
	p->n = 0;
}

static void
log_ready(void *context, uint32_t events)
{
	struct child *p = context;
	char piece[4096];
	ssize_t n = read(p->log.fd, piece, sizeof(piece));

	(void)events;
	for (ssize_t i = 0; i < n; i++) {
		if (piece[i] == '\n' || p->n == sizeof(p->text) - 1)
			line_end(p);
		if (piece[i] != '\n')
			p->text[p->n++] = piece[i];
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		loop_remove(p->loop, &p->log);
}

/* ---- its end ------------------------------------------------------------------------- */

static void
forget(struct child *p)
{
	loop_remove(p->loop, &p->exit);
	loop_remove(p->loop, &p->log);
	p->pid = 0;
	p->n = 0;
}

static void
exit_ready(void *context, uint32_t events)
{
	struct child *p = context;

	(void)events;
	while (p->log.fd >= 0 && poll(&(struct pollfd){p->log.fd, POLLIN, 0}, 1, 0) > 0)
		log_ready(p, EPOLLIN);
	line_end(p);
	if (p->ours)
		waitpid(p->pid, NULL, WNOHANG);
	forget(p);
	p->ended(p->context);
}

void
child_init(struct child *p)
{
	p->exit = (struct loop_source){-1, exit_ready, p};
	p->log = (struct loop_source){-1, log_ready, p};
}

static int
watch(struct child *p, pid_t pid)
{
	int r;

	p->pid = pid;
	p->exit.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p->exit.fd < 0)
		return -errno;
	r = fcntl(p->exit.fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -errno;
	return r == 0 ? loop_add(p->loop, &p->exit, EPOLLIN) : r;
}

/* ---- start --------------------------------------------------------------------------- */

static void __attribute__((noreturn)) fail(const char *what)
{
	const char *why = strerrordesc_np(errno);

	if (write(STDERR_FILENO, what, strlen(what)) > 0 && why && write(STDERR_FILENO, ": ", 2) > 0 &&
		write(STDERR_FILENO, why, strlen(why)) > 0)
		(void)!write(STDERR_FILENO, "\n", 1);
	_exit(127);
}

/* In the child. Its own session: a terminal's interrupt is not for it. SIGPIPE stays ignored: its log may lose its
 * reader. */
static void __attribute__((noreturn))
become(const struct child *p, char *const *environment, const cpu_set_t *cores, int netns, int log)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (dup2(log, STDERR_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0)
		_exit(127);
	if (netns >= 0 && setns(netns, CLONE_NEWNET) != 0)
		fail("network namespace");
	/* ours is one core alone, and it has dozens of threads; where that fails it works, too */
	sched_setaffinity(0, sizeof(*cores), cores);
	syscall(SYS_close_range, FIRST_FD, ~0u, 0);
	execve(p->argument[0], (char *const *)(uintptr_t)p->argument, environment);
	fail(p->argument[0]);
}

static void
environment_free(char **e)
{
	for (int i = 0; e && i <= CHILD_VARIABLES; i++)
		free(e[i]);
	free(e);
}

static char **
environment_make(const struct child *p)
{
	char **e = calloc(CHILD_VARIABLES + 2, sizeof(*e));
	int n = 0;

	if (e)
		e[n] = strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	for (int i = 0; e && e[n] && i < CHILD_VARIABLES; i++)
		if (p->variable[i].name && p->variable[i].value[0] &&
			asprintf(&e[++n], "%s=%s", p->variable[i].name, p->variable[i].value) < 0)
			e[n] = NULL;
	if (e && e[n])
		return e;
	environment_free(e);
	return NULL;
}

int
child_start(struct child *p, int netns)
{
	char **environment = environment_make(p);
	cpu_set_t cores;
	int ends[2], r;
	pid_t pid;

	if (!environment)
		return -ENOMEM;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		environment_free(environment);
		return -errno;
	}
	eal_cores_beside_workers(&cores);
	pid = fork();
	if (pid == 0)
		become(p, environment, &cores, netns, ends[1]);
	r = pid < 0 ? -errno : 0;
	environment_free(environment);
	close(ends[1]);
	if (r == 0) {
		p->ours = true;
		r = watch(p, pid);
	}
	/* only our end must not block: the other is the daemon's */
	p->log.fd = ends[0];
	if (r == 0 && (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 || loop_add(p->loop, &p->log, EPOLLIN) != 0))
		r = -EIO;
	if (r != 0 && pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (r != 0)
		forget(p);
	return r;
}

int
child_adopt(struct child *p, pid_t pid)
{
	int r;

	p->ours = false;
	r = watch(p, pid);
	if (r != 0)
		forget(p);
	return r;
}

/* ---- stop ---------------------------------------------------------------------------- */

void
child_signal(struct child *p, int signal)
{
	if (p->exit.fd >= 0)
		syscall(SYS_pidfd_send_signal, p->exit.fd, signal, NULL, 0);
}

void
child_leave(struct child *p)
{
	forget(p);
}

void
child_end(struct child *p)
{
	struct pollfd end = {p->exit.fd, POLLIN, 0};

	if (p->exit.fd < 0)
		return;
	child_signal(p, SIGKILL);
	poll(&end, 1, END_MS);
	if (p->ours)
		waitpid(p->pid, NULL, WNOHANG);
	forget(p);
}
