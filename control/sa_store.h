/* The SA store: run-time SAs that outlive views, and the durable marks that keep nonces unique.
 *
 * An SA is known by connection, direction, SPI and a fingerprint of its keys and algorithm; the same SA in a
 * new configuration is the same object. For every outbound SA the file `sequence` in the state folder records a
 * mark no sequence number may reach before a higher one is on disk (write, fsync, rename); after a crash
 * numbering continues at the mark. Inbound: the highest number accepted is recorded now and then, and numbers
 * at or below the recorded one are refused after a restart.
 * Control thread, but for sa_store_fill, which the builder calls.
 */
#pragma once

#include "control/world.h"

struct sa_store;

/* Creates the folder (0700) if it is missing. -errno with text on error. */
int sa_store_open(const char *state_dir, struct sa_store **out, char *error, size_t error_size);
/* Fill spec.sa[].sa of a world, creating what is new. Keys in the world's specs are wiped. */
int sa_store_fill(struct sa_store *s, struct world *w, char *error, size_t error_size);
/* SAs that no world in `live` names may go; call when views that named them are retired. */
void sa_store_sweep(struct sa_store *s, struct world *const *live, uint32_t n);
/* Every 100 ms or so and on SA_EVENT_RESERVE_LOW: raise marks where more than half is used. */
void sa_store_tick(struct sa_store *s);
void sa_store_close(struct sa_store *s); /* writes exact marks */
