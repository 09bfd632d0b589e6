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

/* ---- SAs that IKE negotiated --------------------------------------------------------- */

/* Control. An SA of new keys; `record` names it to the functions below. Its first numbers may be used at once: after a
 * crash before they were durable the store does not know the SA, and `replayed` asks just that.
 * replayed: one that ran before this process, whose numbers go on at its mark; -ENOENT: the store does not know it,
 * so its keys must never be used again. -EEXIST: keys that are known and were not said to be replayed.
 * -EINVAL: keys and algorithms do not go together. */
int sa_store_take(
	struct sa_store *s, const struct cfg_sa *c, uint32_t name, bool replayed, struct sa **out, uint32_t *record);
/* Control. Its successor with other UDP ports; both live until dropped. NULL: no memory. */
struct sa *sa_store_rebind(struct sa_store *s, uint32_t record, struct sa *running, const struct cfg_sa *c);
/* Control, when no worker can see the SA any more. With its last one the record is forgotten. */
void sa_store_drop(struct sa_store *s, uint32_t record, struct sa *sa);
/* Control. charon has told of all its SAs: marks of others are of no use any more. */
void sa_store_forget_unclaimed(struct sa_store *s);
