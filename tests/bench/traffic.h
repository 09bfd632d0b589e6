/* The bench's packets: a template for each size, addresses and ports by conversation. */
#pragma once

#include "bench.h"

#define IMIX_SIZES 3
#define IMIX_CYCLE 12 /* packets after which sizes repeat */

struct traffic {
	const struct scenario *scenario;
	uint32_t flows;  /* conversations */
	uint32_t serial; /* of the next packet */
	bool in_turn;    /* conversations one after the other, for priming; else a random one each time */
	struct {
		uint8_t frame[2048];
		uint16_t length;
	} template[IMIX_SIZES];
};

/* In the running world. */
void traffic_init(struct traffic *t, const struct scenario *s);
/* Make the buffer the next packet, as it comes from port pa. */
void traffic_fill(struct traffic *t, struct rte_mbuf *m);
/* The (inner) IP packet's size of packet number n. */
uint16_t traffic_size(const struct scenario *s, uint32_t n);
