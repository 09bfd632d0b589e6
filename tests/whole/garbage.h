/* Frames that nobody should send, from a seeded generator; addresses are those of lab.h. */
#pragma once

#include "whole.h"

uint64_t garbage_random(void);
/* A frame to port pa, pb or w, from the test's pool: half are random bytes behind a link header that is the port's,
 * half are sound packets with up to three bytes changed or their end cut off. */
struct rte_mbuf *garbage_frame(const char *port);
