/* Test traffic that can be accounted for: UDP flows whose frames carry a flow, a number, a time and
 * a pattern, so that loss, disorder, doubles and damage are known exactly. Bytes only, no ports.
 *
 * One thread. Frame sizes count the CRC, as RFC 2544 does; what is made and taken comes without it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TRAFFIC_FRAME_MAX 1518
#define TRAFFIC_CRC 4
#define TRAFFIC_IMIX 0 /* as a size: 7 of 64, 4 of 594, 1 of 1518 bytes, 361.8 on average */
#define TRAFFIC_FLOWS_MAX 60000

struct traffic_plan {
	uint8_t source_mac[6], gateway_mac[6];
	uint32_t source, destination; /* IPv4, host order; the first destination */
	uint32_t destinations, flows; /* flow f goes to destination + f % destinations */
	uint64_t seed;
};

struct traffic_count {
	uint64_t made, intact, reordered, doubled, damaged;
	uint64_t stale;   /* of an earlier trial */
	uint64_t foreign; /* not ours */
};

struct traffic;

/* NULL: no memory, or a plan out of bounds. */
struct traffic *traffic_build(const struct traffic_plan *plan);
void traffic_free(struct traffic *t);

/* A new trial: all counts and numbers begin again. size: 64..1518 or TRAFFIC_IMIX. */
void traffic_begin(struct traffic *t, uint16_t size);
/* Writes the next frame, at most TRAFFIC_FRAME_MAX bytes; returns its length. */
uint16_t traffic_make(struct traffic *t, uint8_t *frame, uint64_t now);
void traffic_take(struct traffic *t, const uint8_t *frame, uint16_t length, uint64_t now);

const struct traffic_count *traffic_counts(const struct traffic *t);
/* Ticks that the share `part` of the intact frames took at most, within 3 per cent. 0: none came. */
uint64_t traffic_latency(const struct traffic *t, double part);
/* Bytes of an average frame. */
double traffic_mean_size(uint16_t size);
