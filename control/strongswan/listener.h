/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What happens to IKE_SAs and what goes wrong with them, told to isthmusd as notices; and clients whose certificate is
 * revoked are turned away.
 */
#pragma once

#include "control/strongswan/requests.h"

/* Thread that loads plugins. From now on notices are queued in r. */
void listener_start(struct requests *r);
void listener_stop(void);
