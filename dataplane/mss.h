/* TCP MSS clamping: a connection through a tunnel should not depend on path MTU discovery. */
#pragma once

#include "dataplane/packet.h"

/* Worker. Lowers the MSS option of a SYN to at most `mss` and corrects the TCP checksum; true when
 * it did. Leaves everything else alone, malformed options too: they are the end hosts' business. */
bool mss_clamp(struct packet *p, uint16_t mss);
