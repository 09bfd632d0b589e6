/* What makes an SA the same SA, and the end of its keys in the configuration. Builder; pure. */
#pragma once

#include "control/sequence_file.h"
#include "control/world.h"

/* The record of these keys before anything was numbered: number 1 out, 0 in. Outbound, numbers belong to the key,
 * whatever SPI it has; inbound, to the peer's SA. */
void sa_fingerprint(const struct cfg_sa *c, struct sequence_record *out);
/* All that makes two SAs with the same keys one and the same; memcmp compares. */
struct cfg_sa sa_without_keys(const struct cfg_sa *c);
/* Once SAs are made the configuration needs no key any more. */
void world_wipe_keys(struct world *w);
