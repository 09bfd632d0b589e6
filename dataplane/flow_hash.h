/* The hash of a conversation, the same in both directions: which worker, which SA of several, which tunnel of several.
 * Workers and verdicts. */
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint32_t
flow_hash_mix(uint64_t addresses, uint32_t rest)
{
	uint64_t h = (addresses ^ ((uint64_t)rest << 32 | rest)) * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

/* What addresses, as they lie in a header, give to it. */
static inline uint64_t
flow_hash_v4(uint32_t source, uint32_t destination)
{
	return (uint64_t)(source ^ destination) << 32 | (source + destination);
}

static inline uint64_t
flow_hash_v6(const uint8_t *source, const uint8_t *destination)
{
	uint64_t s[2], d[2];

	memcpy(s, source, sizeof(s));
	memcpy(d, destination, sizeof(d));
	return s[0] ^ d[0] ^ (s[1] ^ d[1]) * 3;
}

/* And what else tells conversations apart. */
static inline uint32_t
flow_hash_rest(uint8_t protocol, uint16_t source_port, uint16_t destination_port)
{
	return protocol | (uint32_t)(source_port ^ destination_port) << 8;
}

/* One of n, n > 0. Not by the bits that choose workers and SAs: the choices are independent. */
static inline uint32_t
flow_share(uint32_t hash, uint32_t n)
{
	return (uint32_t)(((uint64_t)(hash * 0x85ebca6bu) * n) >> 32);
}
