/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What charon's alerts, and errors that a peer notifies, mean to an operator: enum ike_fault, and a text. Any thread.
 */
#pragma once

#include "control/strongswan/protocol.h"

#include <daemon.h>
#include <stdarg.h>

/* Fills fault and text, and the hosts where a message tells them. false: nothing worth telling (a retransmission). */
bool fault_of_alert(struct ike_alert *a, alert_t kind, va_list args);

/* Fills alert, fault and text. false: the message holds no such error. */
bool fault_of_message(struct ike_alert *a, ike_sa_t *ike_sa, message_t *m);
