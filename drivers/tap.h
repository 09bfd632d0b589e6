/* TAP interfaces: made by opening, gone when the last descriptor is closed, killed or not,
 * unless they were made persistent. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP_NAME_MAX 16 /* IFNAMSIZ */

/* Makes the interface `name` (may hold "%d", the name given is written back), or with
 * multi_queue one more queue of it. Returns a non-blocking descriptor of whole frames, or
 * -errno. The interface is down. Control thread. */
int tap_open(char name[TAP_NAME_MAX], bool multi_queue, char *error, size_t n);
/* Whether the interface outlives its last descriptor; then tap_open of its name takes it over. */
int tap_persist(int fd, bool persist);
