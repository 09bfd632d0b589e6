/* Rates per second, from two looks at the counters a second apart. Control thread. */
#pragma once

#include "dataplane/dataplane.h"

#define RATE_DROPS_MAX 2048
#define RATE_PORTS_MAX 64

struct rate_port {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
};

struct rate_worker {
	uint64_t rx_packets, tx_packets, dropped, punted, loops, busy_loops;
};

struct rates_look {
	uint64_t ns; /* 0 = none taken */
	uint32_t n_drops;
	struct drop_count drop[RATE_DROPS_MAX];
	struct rate_port port[RATE_PORTS_MAX];
	struct rate_worker worker[WORKERS_MAX];
};

struct rates {
	struct rates_look look[2];
	uint32_t newest; /* look[newest] */
};

/* Every tick; takes a look when a second has passed. */
void rates_tick(struct rates *r, const struct dataplane *dp, uint64_t now_ns);
/* Between the two looks; 0 before there are two. */
double rates_seconds(const struct rates *r);
double rates_drop(const struct rates *r, enum drop_reason reason, uint32_t name);
struct rate_port rates_port(const struct rates *r, uint16_t port);       /* difference, not yet per second */
struct rate_worker rates_worker(const struct rates *r, uint16_t worker); /* difference, not yet per second */
