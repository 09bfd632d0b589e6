/* A group of packet sockets that shares the frames of one interface, symmetrically.
 *
 * Both directions of a TCP or UDP flow reach the same socket, IPv4 and IPv6; fragments and other
 * protocols go by their addresses. The kernel's own hash is symmetric only while both ends set an
 * IPv6 flow label or neither does.
 */
#pragma once

#include <stdbool.h>

/* Control thread. The first socket makes the group and writes its number, the others join it; all
 * are bound already. 0 or -errno. */
int fanout_join(int fd, int *group, bool first);
