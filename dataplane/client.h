/* Point-to-site clients by gateway and address. Worker; built in view_client.c. */
#pragma once

#include "dataplane/view.h"

#include <string.h>

#define CLIENT_PROBES_MAX 16

struct client {
	struct ip_addr address; /* family 0 = free */
	uint16_t gateway, tunnel;
};

/* Where probing starts: open addressing, at most CLIENT_PROBES_MAX places. */
static inline uint32_t
client_hash(uint16_t gateway, uint8_t family, const uint8_t *address)
{
	uint64_t part[2] = {gateway, 0};
	uint32_t v4;

	if (family == IP_V6) {
		memcpy(part, address, 16);
		part[0] ^= gateway;
	} else {
		memcpy(&v4, address, 4);
		part[0] ^= (uint64_t)v4 << 16;
	}
	part[0] = (part[0] ^ part[1] * 0xff51afd7ed558ccdull) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(part[0] >> 32);
}

/* The tunnel of the client that has this address, TUNNEL_NONE: nobody has. */
static inline uint16_t
client_tunnel(const struct view *v, uint16_t gateway, uint8_t family, const uint8_t *address)
{
	uint32_t at = client_hash(gateway, family, address) & v->client_mask;
	size_t size = family == IP_V6 ? 16 : 4;

	for (uint32_t probe = 0; probe < CLIENT_PROBES_MAX; probe++, at = (at + 1) & v->client_mask) {
		const struct client *c = &v->client[at];

		if (c->address.family == IP_NONE)
			break;
		if (c->address.family == family && c->gateway == gateway && memcmp(c->address.b, address, size) == 0)
			return c->tunnel;
	}
	return TUNNEL_NONE;
}
