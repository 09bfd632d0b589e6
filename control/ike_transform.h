/* What IKE negotiated, in our words: IANA transform ids (RFC 7296 section 3.3.2) to algorithms of an SA.
 *
 * Any thread; pure.
 */
#pragma once

#include "config/config.h"

#include <stdint.h>

/* Ids without integrity: IKEv2's NONE, and AUTH_UNDEFINED of charon's own for combined modes. */
#define IKE_INTEGRITY_NONE 0
#define IKE_INTEGRITY_UNDEFINED 1024

/* Lengths are bytes of key material; that of a counter mode ends with its salt or nonce. Writes encryption, integrity
 * and the two lengths of `out`, nothing else, and only when it returns 0.
 * -ENOTSUP: an algorithm that the workers have not. -EINVAL: a length that the algorithm does not take, or
 * integrity that is missing or too much. */
int ike_transform(uint16_t encryption_id, uint16_t integrity_id, uint16_t encryption_key_length,
	uint16_t integrity_key_length, struct cfg_sa *out);
