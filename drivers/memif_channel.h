/* Messages over the socket of a memif link, one at a time, with patience that ends. */
#pragma once

#include "drivers/memif_wire.h"

#include <stdbool.h>

/* passed: a descriptor to send along, or -1. 0 or -errno. */
int memif_send(int fd, const struct memif_message *m, int passed);
/* A message of any kind. Waits until one comes, until `stop` is readable (-ECANCELED), or
 * timeout_ms (-1 = for ever; -ETIMEDOUT). The peer gone: -ECONNRESET; it says goodbye: -ESHUTDOWN.
 * *passed: the descriptor that came along, or -1; the caller's. */
int memif_receive(int fd, int stop, int timeout_ms, struct memif_message *m, int *passed);
/* Waits for one that must be of this type; a descriptor that comes along is closed. */
int memif_expect(int fd, int stop, enum memif_type type, struct memif_message *m);
void memif_say_goodbye(int fd, const char *reason);
