/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * isthmusd as charon's kernel: kernel_ipsec_t.
 */
#pragma once

#include "control/strongswan/requests.h"

/* Where the instances that charon makes will ask; before backend_create(). Thread that loads plugins. */
void backend_use(struct requests *r);

/* charon's constructor for kernel_ipsec_register. NULL without memory. */
kernel_ipsec_t *backend_create(void);
