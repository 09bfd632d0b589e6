/* Between workers: what drivers lack is made up for here.
 *
 * Worker only. A port without symmetric RSS gives all packets to the worker of its queue, which hands
 * each to the worker its flow hash names (software RSS), or its SPI when it is one of a tunnel. A port
 * with fewer transmit queues than workers is sent to by one of them; the others hand it finished
 * frames. Only mbufs cross: the receiver parses and looks up anew in its own view.
 */
#pragma once

#include "dataplane/worker.h"

#define HANDOFF_RING 4096

/* After parse on a queue that wants spreading: keep what is ours, hand over the rest. */
void handoff_spread(struct worker *w, struct burst *b);
/* Frames others received for us; at most n. */
uint16_t handoff_receive(struct worker *w, struct rte_mbuf **m, uint16_t n);
/* Send a port's frames, directly or through the worker that owns the port. Returns how many were taken. */
uint16_t handoff_tx(struct worker *w, struct tx_buffer *t);
/* Send what other workers put into our outbox. */
void handoff_outbox(struct worker *w);
