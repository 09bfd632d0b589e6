/* The configuration of a gateway's bird while it is written: what bird_conf.c and bird_hub.c share. */
#pragma once

#include "control/bird_conf.h"
#include "control/gateway_session.h"

#include <stdio.h>

struct writing {
	FILE *to;
	const struct world *w;
	const struct config *c;
	uint32_t gateway;
	const char *interface;
};

/* Sessions whose end is here. */
bool bird_next_session(const struct writing *x, uint32_t *at, struct gateway_session *s);
/* In a filter: exactly a prefix of the gateway's networks is refused. */
void bird_not_own_write(const struct writing *x, uint8_t family, const char *indent);
/* And here what is inside or around one. */
void bird_overlap_write(const struct writing *x, uint8_t family);

/* bird_hub.c */
void bird_hub_filters_write(const struct writing *x, uint8_t family);
void bird_hub_policy_write(const struct writing *x, const struct gateway_session *s, int v);
