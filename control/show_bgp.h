/* bgp peers, routes learned, routes advertised, gateway health. Control thread. */
#pragma once

#include "control/api.h"

struct daemon;

/* NULL without a code in f: the answer comes when the routing daemons have theirs. */
json_t *show_bgp_begin(struct daemon *d, const struct request *r, struct api_ticket from, struct failure *f);
