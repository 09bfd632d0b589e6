/* Where a port's UNIX socket is, judged before a driver gets to see it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The path is given and short enough; a server's folder can be written to, and its file is not
 * there: one left by a process that died is removed, one in use is an error, never stolen. 0 or
 * -errno with the reason. Control thread. */
int socket_path_check(const char *path, bool server, char *error, size_t n);
