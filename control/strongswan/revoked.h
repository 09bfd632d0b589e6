/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Clients' certificates that a point-to-site gateway takes no more.
 */
#pragma once

#include <daemon.h>

/* Whether the peer of an IKE_SA may not come in: one of its certificates is on the list, or cannot be compared with it.
 * text: why. charon's threads, when the peer has proved itself.
 *
 * The list is the setting `revoked` at that moment: SHA-1 thumbprints in hexadecimal (40 digits), with blanks between
 * them. It is asked for connections named p2s-... alone (control/ike_p2s.c).
 */
bool revoked_is(ike_sa_t *ike_sa, char *text, size_t n);
