/* What bird says of its sessions and routes, read. Pure functions. */
#pragma once

#include "control/bird_conf.h"

/* One BGP session, of "show protocols all". */
struct bird_session {
	char name[BIRD_NAME_MAX];
	char state[24];  /* bird's word of BGP: Idle, Connect, Active, OpenSent, OpenConfirm, Established, Down, Passive
			  */
	char since[40];  /* as bird writes it: a time of today, or a date */
	char error[160]; /* the last one, "" */
	uint64_t imported, exported;      /* routes now */
	uint64_t updates_in, updates_out; /* of the protocol's counters: messages that were handled, or told */
};

/* Calls each() for every BGP session of the answer. */
void bird_sessions_read(const char *text, void (*each)(void *context, const struct bird_session *s), void *context);

/* One path, of "show route all". */
struct bird_route {
	char network[64], next_hop[64], from[64];
	char session[BIRD_NAME_MAX]; /* who told; a protocol of ours for what it did not learn */
	char as_path[256], origin[16];
	uint32_t local_preference;
	bool best;
};

void bird_routes_read(const char *text, void (*each)(void *context, const struct bird_route *r), void *context);
