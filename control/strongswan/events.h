/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Events of isthmusd, handed to charon: expiry, packets that want a tunnel, a peer whose NAT has moved.
 *
 * Link's thread, which holds no lock: charon only queues jobs for its own threads.
 */
#pragma once

#include "control/strongswan/protocol.h"

#include <stdbool.h>

void events_expire(const struct ike_sa_id *sa, bool hard);

/* A record of type IKE_EXPIRE or above. -EPROTO when it is none of them, or malformed. */
int events_dispatch(const struct ike_header *h);
