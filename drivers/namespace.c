/* A file that is not mounted on is what a process left that died between making and mounting: it is made anew. */
#include "drivers/namespace.h"

#include "drivers/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FOLDER "/run/netns"
#define OWN "/proc/thread-self/ns/net"
#define PATH_SIZE (sizeof(FOLDER) + 1 + NAMESPACE_NAME_MAX)

static void
path_make(char path[PATH_SIZE], const char *name)
{
	snprintf(path, PATH_SIZE, FOLDER "/%s", name);
}

static bool
name_valid(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && strlen(name) < NAMESPACE_NAME_MAX && !strchr(name, '/');
}

/* Shared, so that processes in other mount namespaces see what is mounted here later, and its end. */
static int
folder_share(void)
{
	if (mkdir(FOLDER, 0755) != 0 && errno != EEXIST)
		return -errno;
	if (mount("", FOLDER, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	if (mount(FOLDER, FOLDER, "none", MS_BIND | MS_REC, NULL) != 0 ||
		mount("", FOLDER, "none", MS_SHARED | MS_REC, NULL) != 0)
		return -errno;
	return 0;
}

/* -ENOENT: there is none. */
static int
existing_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct statfs f;

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &f) == 0 && f.f_type == NSFS_MAGIC)
		return fd;
	close(fd);
	return unlink(path) == 0 ? -ENOENT : -errno;
}

static void
go_back(int home)
{
	if (setns(home, CLONE_NEWNET) == 0)
		return;
	log_error("namespace", "cannot return to the own network namespace: %s", strerror(errno));
	abort();
}

/* The calling thread stands in a new namespace for the time of the mount. */
static int
mount_new(const char *path, int home)
{
	int r = 0;

	if (unshare(CLONE_NEWNET) != 0)
		return -errno;
	if (mount(OWN, path, "none", MS_BIND, NULL) != 0)
		r = -errno;
	go_back(home);
	return r;
}

static int
make(const char *path)
{
	int home, file, r;

	r = folder_share();
	if (r != 0)
		return r;
	file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (file < 0)
		return -errno;
	close(file);
	home = open(OWN, O_RDONLY | O_CLOEXEC);
	r = home < 0 ? -errno : mount_new(path, home);
	if (home >= 0)
		close(home);
	if (r == 0)
		return existing_open(path);
	unlink(path);
	return r;
}

int
namespace_open(const char *name, struct network_namespace *ns, char *error, size_t n)
{
	char path[PATH_SIZE];

	*ns = (struct network_namespace){.fd = -1};
	if (!name_valid(name)) {
		snprintf(error, n, "'%s' cannot be the name of a network namespace", name);
		return -EINVAL;
	}
	path_make(path, name);
	ns->fd = existing_open(path);
	if (ns->fd == -ENOENT) {
		ns->fd = make(path);
		ns->made = ns->fd >= 0;
	}
	if (ns->fd < 0) {
		int r = ns->fd;

		snprintf(error, n, "network namespace %s: %s", path, strerror(-r));
		ns->fd = -1;
		return r;
	}
	snprintf(ns->name, sizeof ns->name, "%s", name);
	return 0;
}

void
namespace_close(struct network_namespace *ns, bool remove)
{
	char path[PATH_SIZE];

	if (ns->fd < 0)
		return;
	close(ns->fd);
	ns->fd = -1;
	if (!remove)
		return;
	path_make(path, ns->name);
	if (umount2(path, MNT_DETACH) != 0 || unlink(path) != 0)
		log_warning("namespace", "%s stays: %s", path, strerror(errno));
}

int
namespace_run(const struct network_namespace *ns, int (*function)(void *context), void *context)
{
	int home = open(OWN, O_RDONLY | O_CLOEXEC), r;

	if (home < 0)
		return -errno;
	if (setns(ns->fd, CLONE_NEWNET) == 0) {
		r = function(context);
		go_back(home);
	} else {
		r = -errno;
	}
	close(home);
	return r;
}
