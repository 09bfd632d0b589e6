/* Frames on their way to a port. Worker only. */
#pragma once

#include "dataplane/worker.h"

/* A finished frame; ownership passes. */
void transmit_frame(struct worker *w, uint16_t port, struct rte_mbuf *m);
/* Send what has gathered; at the end of every loop. */
void transmit_flush(struct worker *w, struct tx_buffer *t);
