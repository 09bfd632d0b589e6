/* The bench's vocabulary. A scenario is one line of the table in scenarios.c: a world, what traffic goes through it,
 * and how its packets arrive. All of it is data; world.c builds the world, traffic.c the packets, runner.c measures.
 */
#pragma once

#include "tests/whole/whole.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- a scenario ------------------------------------------------------------------------------- */

/* Subnet a on port pa, subnet b with one host on port pb, and between them... */
enum bench_shape {
	SHAPE_VNET,   /* ...nothing: one VNet */
	SHAPE_PEERED, /* ...a peering of two VNets */
	SHAPE_TUNNEL, /* ...tunnels between two gateways, over ports w0 (a's side) and w1 (b's side) */
};

enum bench_algorithm { GCM_128, GCM_256, CBC_SHA256 };

struct bench_world {
	enum bench_shape shape;
	enum bench_algorithm algorithm;
	bool v6;            /* inside; tunnels run over IPv4 */
	uint32_t routes;    /* random prefixes in the table of a's gateway, all by one hop; 0: none but the VNet's */
	uint32_t rules;     /* of the NSG; none matches but the last default one */
	uint32_t tunnels;   /* 0: one */
	uint32_t resources; /* SAs of the one tunnel side by side, each way; 0: one */
	uint16_t workers;   /* 0: one */
};

#define SIZE_IMIX 1 /* 7 : 4 : 1 packets of 64, 576 and 1400 bytes */

enum bench_depth { DEPTH_QUICK, DEPTH_DEFAULT, DEPTH_FULL };

struct scenario {
	const char *name;
	struct bench_world world;
	enum bench_depth depth; /* the least thorough run that measures it */
	uint16_t size;          /* of the (inner) IP packet, or SIZE_IMIX */
	uint32_t flows;         /* conversations; each packet is of a random one; 0: a single one */
	bool fresh;             /* each packet opens a flow */
	bool open;              /* measured is the tunnel's far end: packets are sealed first, untimed */
	uint16_t burst;         /* packets ready at once; 0: RX_BURST, a worker's own */
	bool cold;          /* packets come from L3: thousands are filled and pushed out before the first is taken */
	uint32_t memory_mb; /* of huge pages, where it is more than all others need */
};

extern const struct scenario bench_scenarios[];
extern const uint32_t bench_scenarios_n;

/* How much of everything. */
struct effort {
	uint32_t bursts;  /* of each kind and pass */
	uint32_t at_most; /* routes, flows and tunnels */
};

/* ---- figures ------------------------------------------------------------------------------------ */

enum kind {
	KIND_TOTAL,  /* a worker's turn: receive, path, send */
	KIND_PATH,   /* the path alone: packets in hand, frames left in the transmit buffers */
	KIND_PORT,   /* receive and send alone */
	KIND_STAGES, /* a turn with its stages clocked */
	KIND_COUNT
};

struct figure {
	double min, median; /* TSC cycles per packet */
};

/* What one pass over a scenario found. */
struct pass {
	struct figure kind[KIND_COUNT], stage[STAGE_COUNT];
	struct figure raw; /* IPsec-MB alone; 0: no cipher here */
	/* where two workers run: KIND_TOTAL is both of them as one; one alone; rates on their cores, both by alone */
	struct figure alone;
	double speedup;
};

#define PASSES 5
#define NOISE 0.05

/* Passes, some time apart, and their middle: a neighbour's bad moment is not in it, nor a moment of higher clock. */
struct result {
	const struct scenario *scenario;
	struct pass pass[PASSES], middle;
	bool noisy; /* minima differ by more than NOISE even without the least and the largest */
};

/* The next number after *state, which may be anything at first. */
uint32_t bench_random(uint32_t *state);
/* Zeroed; ends the program when there is no memory. */
void *bench_array(size_t n, size_t size);
/* Cycles between two readings of the clock with nothing between them. */
uint64_t bench_clock_cost(void);

/* What lies on the cipher: 0 where there is none. */
struct ratios {
	double esp_by_mb, path_by_mb, total_by_floor; /* minima; the floor is the cipher and the port */
};

/* figures.c: of samples, which get sorted; and of all passes their middle, and whether they are noisy. */
struct figure figures_of(double *sample, uint32_t n);
void figures_conclude(struct result *r);
struct ratios figures_ratios(const struct pass *p, bool open);

/* ---- the parts ------------------------------------------------------------------------------------ */

/* runner.c: one pass over a scenario in its running world. */
void runner_pass(const struct scenario *s, const struct effort *effort, struct pass *pass);
/* pair.c: one pass with two workers on two cores. */
void pair_pass(const struct scenario *s, const struct effort *effort, struct pass *pass);
/* floor.c: IPsec-MB alone at the lengths that ESP gives it, in bursts as large. */
void floor_pass(const struct scenario *s, const struct effort *effort, struct pass *pass);

/* report.c */
void report_head(void);
void report_line(const struct result *r);
void report_end(const struct result *r, uint32_t n);
void report_smoke(uint32_t number, const struct scenario *s, const struct pass *pass);
int report_json(const char *path, const struct result *r, uint32_t n, bool huge);
