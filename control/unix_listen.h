/* A listening Unix socket of mode 0600: made where nobody listens, removed if it is still ours. Control thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

struct unix_listen {
	int fd;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	ino_t inode; /* of the socket we bound: another one in its place is not ours to remove */
};

/* type: SOCK_STREAM or SOCK_SEQPACKET. A file left by a process that was killed is replaced. -EADDRINUSE: somebody
 * serves the path; -ENAMETOOLONG, -EEXIST (not a socket), -errno; with a text. */
int unix_listen_open(struct unix_listen *l, const char *path, int type, char *error, size_t n);
/* Removes the file; the descriptor is the caller's to close. */
void unix_listen_remove(const struct unix_listen *l);
/* May the process at the other end speak to us? Root and our own user may. */
bool unix_peer_allowed(int fd);
