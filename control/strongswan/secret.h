/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where the keys of live SAs are kept, for the case that isthmusd restarts: memory that is neither swapped nor dumped,
 * wiped when an SA goes. The caller serializes.
 */
#pragma once

#include "control/strongswan/protocol.h"

struct secret {
	uint8_t encryption[IKE_KEY_MAX], integrity[IKE_KEY_MAX];
};

/* Zeroed; NULL when there is no memory. Where locking is refused (RLIMIT_MEMLOCK) the memory is not locked, and the
 * first such case is logged. */
struct secret *secret_new(void);

/* Wipes. NULL is legal. */
void secret_free(struct secret *s);
