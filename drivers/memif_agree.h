/* What the two roles of a memif link share: memif_link.c holds the thread, memif_server.c and
 * memif_client.c agree with a peer. For these three alone.
 */
#pragma once

#include "drivers/memif_link.h"

#define MEMIF_PATIENCE_MS 2000
#define MEMIF_RING_BYTES(size) (sizeof(struct memif_ring) + (size_t)(size) * sizeof(struct memif_descriptor))

/* From the peer's first message until packets may flow. *m holds the last message heard. 0 or
 * -errno (memif_channel.h); the caller drops what was attached. */
int memif_server_agree(struct memif_link *l, int fd, struct memif_message *m);
int memif_client_agree(struct memif_link *l, int fd, struct memif_message *m);
/* Bytes of shared memory a client needs for so many queues. */
size_t memif_client_memory(const struct memif_link *l, uint16_t queues);

/* Makes the ring visible to the worker that owns this end; e takes over the eventfd. */
void memif_end_attach(struct memif_end *e, const struct memif_end *as);
