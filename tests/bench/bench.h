/* The bench's vocabulary: a scenario is a world, a packet, and how packets differ. */
#pragma once

#include "tests/whole/whole.h"

#define BENCH_BURSTS 4000

struct figure {
	double min, median; /* TSC cycles per packet */
};

struct result {
	struct figure total, stage[STAGE_COUNT], raw;
};

struct bench_addresses {
	char src[48], dst[48];
};

struct scenario {
	const char *name;
	const char *(*world)(void); /* its configuration */
	struct pkt packet;
	/* Make packet number n of this scenario out of the template; texts live in *text. */
	void (*vary)(const struct scenario *s, struct pkt *p, struct bench_addresses *text, uint32_t n);
	const char *out;                /* port that measured packets leave by */
	bool opens;                     /* measured is the far side: packets are sealed first, untimed */
	const char *wire_out, *wire_in; /* uplink ports of the sealing and of the opening side */
	void (*raw)(const struct scenario *s, struct figure *out); /* the floor, or NULL */
};

extern const struct scenario bench_scenarios[];
extern const uint32_t bench_scenarios_n;

uint32_t bench_random(void);
struct figure bench_figure(double *sample, uint32_t n);
uint16_t bench_port(const char *name);
/* Let neighbours on the uplinks find each other. */
void bench_resolve(const struct scenario *s);
/* Are there free huge pages for it? Says so when not. */
bool bench_huge_pages(void);
