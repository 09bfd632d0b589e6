/* The lock is flock(2) on the folder itself: no file that could be left behind. */
#include "control/state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int
folder_make(const char *path, unsigned mode, int *made)
{
	char part[PATH_MAX];

	if (made)
		*made = 0;
	if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
		return -ENAMETOOLONG;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(part, mode) == 0) {
		if (made)
			*made = 1;
		return 0;
	}
	return errno == EEXIST ? 0 : -errno;
}

int
state_lock(const char *folder, char *error, size_t error_size)
{
	int r = folder_make(folder, 0700, NULL), fd;

	if (r != 0) {
		snprintf(error, error_size, "%s: %s", folder, strerror(-r));
		return r;
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		snprintf(error, error_size, "%s: %s", folder, strerror(-r));
		return r;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		r = -errno;
		snprintf(error, error_size,
			r == -EWOULDBLOCK ? "another isthmusd runs with the state folder %s" : "flock %s", folder);
		close(fd);
		return r;
	}
	return fd;
}
