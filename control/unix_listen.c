#include "control/unix_listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A socket nobody listens on was left by a daemon that was killed. */
static int
stale_remove(const struct sockaddr_un *address, int type, char *error, size_t n)
{
	struct stat s;
	int fd, r;

	if (lstat(address->sun_path, &s) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(s.st_mode)) {
		snprintf(error, n, "%s exists and is no socket", address->sun_path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;
	close(fd);
	if (r != -ECONNREFUSED) {
		snprintf(error, n, "another daemon serves %s", address->sun_path);
		return -EADDRINUSE;
	}
	return unlink(address->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int
bind_and_listen(struct unix_listen *l, const struct sockaddr_un *address, int type)
{
	struct stat s;
	mode_t mask;
	int r;

	l->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	mask = umask(0177);
	r = bind(l->fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;
	umask(mask);
	if (r == 0 && stat(l->path, &s) == 0)
		l->inode = s.st_ino;
	if (r == 0 && listen(l->fd, 16) != 0)
		r = -errno;
	return r;
}

int
unix_listen_open(struct unix_listen *l, const char *path, int type, char *error, size_t n)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r = -ENAMETOOLONG;

	*l = (struct unix_listen){.fd = -1};
	error[0] = '\0';
	if (strlen(path) < sizeof l->path) {
		strcpy(l->path, path);
		strcpy(address.sun_path, path);
		r = stale_remove(&address, type, error, n);
	}
	if (r == 0)
		r = bind_and_listen(l, &address, type);
	if (r != 0 && error[0] == '\0')
		snprintf(error, n, "%s: %s", path, strerror(-r));
	return r;
}

void
unix_listen_remove(const struct unix_listen *l)
{
	struct stat s;

	if (l->inode != 0 && stat(l->path, &s) == 0 && s.st_ino == l->inode)
		unlink(l->path);
}

bool
unix_peer_allowed(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}
