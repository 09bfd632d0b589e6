/* Security associations at run time: precomputed at creation, then counters and windows only.
 * The full layout is the ESP engine's business (sa.c, esp_open.c, esp_seal.c).
 */
#pragma once

#include "dataplane/dataplane.h"

/* Builder. Bytes that sealing adds at most around an inner packet of any length: outer IP, UDP, ESP, IV, padding, ICV. */
uint16_t sa_overhead(const struct sa *sa, uint8_t outer_family);
/* Builder. The largest inner packet whose sealed form is at most outer_mtu bytes. */
uint16_t sa_inner_mtu(const struct sa *sa, uint8_t outer_family, uint16_t outer_mtu);
