/* The state folder belongs to one daemon at a time. Control thread, at start and end. */
#pragma once

#include <stddef.h>

/* Makes the folder (0700, its parents 0755) when it is missing and locks it for as long as the returned
 * descriptor is open; the kernel lets go when the process dies. -errno with a text on error. */
int state_lock(const char *folder, char *error, size_t error_size);

/* mkdir -p. *made, when not NULL: the last part did not exist before. 0 or -errno. */
int folder_make(const char *path, unsigned mode, int *made);
