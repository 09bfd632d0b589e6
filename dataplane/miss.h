/* Packets that would leave by a tunnel and find no SA: control may ask IKE for one. */
#pragma once

#include "dataplane/worker.h"

/* Worker. Tell control of this packet, at most once a second and tunnel, if the connection's selectors want it. Silent
 * for clients: they come themselves. The packet stays the caller's, to drop. */
void miss_tell(struct worker *w, const struct packet *p, const struct tunnel *t);
