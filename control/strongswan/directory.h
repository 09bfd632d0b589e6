/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A backend_t before another one, which finds among thousands of configurations those that may fit.
 *
 * charon looks through all configurations of all backends twice for each IKE_SA that a peer begins: by addresses for
 * the first message, by identities for the second. A backend may leave out what does not fit, and vici's does not.
 */
#pragma once

#include <config/backend.h>

/* All that inner knows, in its order, but what charon would refuse anyway. NULL without memory. Thread that loads
 * plugins; the backend's functions: any thread. */
backend_t *directory_create(backend_t *inner);
/* Nobody may use it any more. inner stays. */
void directory_free(backend_t *directory);
