/* A configuration in a folder of its own, with files that it names, for tests of what may stand where. */
#pragma once

#include "config_case.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static inline void
write_file(const char *name, const char *text, mode_t mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static inline int
load_file(const char *text, mode_t mode, struct config **c)
{
	char path[256];

	write_file("site.yaml", text, mode);
	snprintf(path, sizeof(path), "%s/site.yaml", folder);
	return config_load(path, c, &case_errors);
}

static int
make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/isthmus-config-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

/* And all that the tests put there. */
static int
remove_folder(void **state)
{
	DIR *d = opendir(folder);
	const struct dirent *e;

	(void)state;
	while (d && (e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0); /* not . and .. */
	if (d)
		closedir(d);
	return rmdir(folder);
}
