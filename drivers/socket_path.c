/* Nobody accepts at the file of a dead process: connecting says so whatever the socket's type. */
#include "drivers/socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
socket_try(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
	close(fd);
	return r;
}

static int
folder_check(const char *path, char *error, size_t n)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof((struct sockaddr_un *)0)->sun_path + 1];
	int r;

	if (!slash)
		return 0;
	snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path);
	if (access(folder, W_OK) == 0)
		return 0;
	r = -errno;
	snprintf(error, n, "folder '%s' cannot be written to: %s", folder, strerror(-r));
	return r;
}

static int
place_clear(const char *path, char *error, size_t n)
{
	struct stat s;

	if (lstat(path, &s) != 0)
		return 0;
	if (!S_ISSOCK(s.st_mode)) {
		snprintf(error, n, "'%s' exists and is not a socket", path);
		return -EEXIST;
	}
	if (socket_try(path) != -ECONNREFUSED) {
		snprintf(error, n, "'%s' is served by another process", path);
		return -EADDRINUSE;
	}
	return unlink(path) == 0 ? 0 : -errno;
}

int
socket_path_check(const char *path, bool server, char *error, size_t n)
{
	size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;
	int r;

	if (!path || !path[0] || strlen(path) > most) {
		snprintf(error, n, "path '%s' is not one of 1 to %zu bytes", path ? path : "", most);
		return -EINVAL;
	}
	if (!server)
		return 0;
	r = folder_check(path, error, n);
	return r == 0 ? place_clear(path, error, n) : r;
}
