/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The connection to isthmusd: a thread that connects, greets, replays, sends what is queued, and hands on what comes.
 */
#pragma once

#include "control/strongswan/requests.h"

struct link;

/* Starts the thread. path: of isthmusd's socket; it need not exist yet. NULL without memory or thread. */
struct link *link_open(const char *path, uint32_t timeout_ms);

/* Sends what is queued and awaits the answers (at most a second), closes, ends the thread. NULL is legal. */
void link_close(struct link *l);

struct requests *link_requests(struct link *l);
