/* Interface ids of IKE: the number by which charon names a connection, or a gateway's point-to-site clients, to us.
 *
 * It must be the same after a restart, as charon may have lived on: a hash of the name, and where two names hash alike
 * the next free number for the one that sorts last. Never 0. Any thread.
 */
#pragma once

#include "config/config.h"

struct ike_ids {
	uint32_t *connection; /* [connection] */
	uint32_t *gateway;    /* [gateway] */
};

/* -ENOMEM. ike_ids_free(&ids) is legal afterwards, too. */
int ike_ids_make(const struct config *c, struct ike_ids *ids);
void ike_ids_free(struct ike_ids *ids);
