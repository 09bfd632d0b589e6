/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between charon's objects and the structures of protocol.h. Any thread.
 */
#pragma once

#include "control/strongswan/protocol.h"

#include <daemon.h>

/* CLOCK_BOOTTIME, ns. */
uint64_t wire_now(void);

/* with_port: the outer header is UDP. host NULL: family 0. */
void wire_from_host(struct ike_address *to, host_t *host, bool with_port);

/* NULL when the family is neither 4 nor 6. To be destroyed. */
host_t *wire_to_host(const struct ike_address *from);

void wire_from_selector(struct ike_selector *to, traffic_selector_t *from);

/* NULL when the family is neither 4 nor 6. To be destroyed. */
traffic_selector_t *wire_to_selector(const struct ike_selector *from);

/* Same IP address, whatever the ports. */
bool wire_same_ip(const struct ike_address *a, const struct ike_address *b);

/* Cut to the room that is there; with strongSwan's conversions (%H, %Y, %R, %P). */
void wire_text(char *to, size_t room, const char *format, ...);
