/* The bench's packets: a template for each size, addresses and ports by conversation. */
#pragma once

#include "bench.h"

#define IMIX_SIZES 3
#define IMIX_CYCLE 12 /* packets after which sizes repeat */

struct traffic {
	const struct scenario *scenario;
	uint32_t flows;       /* conversations */
	uint32_t first, step; /* its own are first, first + step, ... */
	uint32_t random;      /* state of its own: workers fill at the same time */
	uint32_t serial;      /* of the next packet */
	bool in_turn;         /* conversations one after the other, for priming; else a random one each time */
	struct {
		uint8_t frame[2048];
		uint16_t length;
	} template[IMIX_SIZES];
};

/* In the running world. */
void traffic_init(struct traffic *t, const struct scenario *s);
/* From now on it has only every n-th conversation. */
void traffic_share(struct traffic *t, uint32_t first, uint32_t n);
uint32_t traffic_random(struct traffic *t);
/* Make the buffer the next packet, as it comes from port pa. */
void traffic_fill(struct traffic *t, struct rte_mbuf *m);
/* The (inner) IP packet's size of packet number n. */
uint16_t traffic_size(const struct scenario *s, uint32_t n);
