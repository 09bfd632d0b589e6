/* The process is known by its socket, and held by a descriptor before anything is done to it: its number alone could be
 * another one's by then. */
#include "control/takeover.h"

#include "drivers/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* A connection; -ENOENT, -ECONNREFUSED: nobody serves it. */
static int
server_connect(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* A descriptor of the process behind the connection, which still is that one while the connection stands. */
static int
server_hold(int connection)
{
	struct ucred who;
	socklen_t n = sizeof(who);
	char byte;
	int fd;

	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return -errno;
	if (who.uid != geteuid() && who.uid != 0)
		return -EPERM;
	fd = (int)syscall(SYS_pidfd_open, who.pid, 0);
	if (fd < 0)
		return -errno;
	if (recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

static int
leave(int process)
{
	struct pollfd p = {.fd = process, .events = POLLIN};

	if (syscall(SYS_pidfd_send_signal, process, SIGUSR2, NULL, 0) != 0)
		return errno == ESRCH ? 0 : -errno;
	return poll(&p, 1, PATIENCE_MS) == 1 ? 0 : -ETIMEDOUT;
}

int
takeover(const char *socket_path, char *error, size_t n)
{
	int connection = server_connect(socket_path), process, r;

	if (connection == -ENOENT || connection == -ECONNREFUSED)
		return 0;
	process = connection < 0 ? connection : server_hold(connection);
	r = process;
	if (process >= 0) {
		log_notice("main", "the isthmusd that runs is told to leave");
		r = leave(process);
		close(process);
	}
	if (connection >= 0)
		close(connection);
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		snprintf(error, n, "whoever serves %s does not leave: %s", socket_path, strerror(-r));
	return r < 0 ? r : 0;
}
