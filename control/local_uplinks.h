/* The control namespace: charon's, with a TAP for each uplink. Made for the first configuration with a connection or
 * point-to-site gateway that negotiates its keys, or with virtual addresses. Control thread. */
#pragma once

#include "control/local_net.h"
#include "control/world.h"

struct local_net *local_uplinks_create(struct loop *loop, struct dataplane *dp);
/* As the published world wants them: see local_net_set. */
int local_uplinks_apply(struct local_net *l, const struct world *w, const struct names *names, char *error, size_t n);
