/* Reloading: file -> builder -> checked and compiled -> published -> old world retired.
 * Control thread.
 */
#pragma once

#include "control/daemon.h"

/* Begin to apply (or only to verify) a file. NULL with f set when one is under way; NULL without when the
 * answer goes to `from` later. path: absolute, NULL = the daemon's own file. */
json_t *reload_begin(struct daemon *d, const char *path, bool check_only, struct api_ticket from, struct failure *f);
/* SIGHUP: at once, or after the one under way. */
void reload_signal(struct daemon *d);
/* The builder's descriptor is readable. */
void reload_built(void *daemon, uint32_t events);
/* Every round of the loop: publish what waits, free what nobody sees any more. */
void reload_poll(struct daemon *d);
/* At the end, with the builder stopped. */
void reload_abandon(struct daemon *d);
