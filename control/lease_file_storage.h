/* The lease's files on a file system: PATH.EPOCH, one line of text each. One thread at a time; every call may hang. */
#pragma once

#include "control/lease_file.h"

#include <limits.h>

struct lease_file_storage {
	char folder[PATH_MAX], base[NAME_MAX + 1], temporary[NAME_MAX + 1];
	int folder_fd; /* -1: not open yet */
	int own_fd;    /* of our claim, locked; -1: none */
	struct lease_storage operations;
};

/* path: LIMIT_PATH at most. identity: makes the temporary file's name one of its own. */
void lease_file_storage_init(struct lease_file_storage *s, const char *path, const char *identity);
/* Before anything else is called, and again after -errno: the folder may not be mounted yet. */
int lease_file_storage_open(struct lease_file_storage *s);
void lease_file_storage_close(struct lease_file_storage *s);
