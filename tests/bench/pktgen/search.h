/* The no-drop rate of RFC 2544 section 26.1: a search over trials, whatever runs them. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct trial {
	uint64_t offered, lost; /* frames; what the device's full ring refused is offered and lost */
	double pps;             /* frames really offered per second: a generator may fall short of its order */
	bool sound;             /* nothing but loss happened: no reordering, no corruption, no duplicate */
};

struct search {
	double low, high;  /* pps: the search lies between; high is tried first */
	double resolution; /* stop when the gap is at most this share of the upper end */
	double loss;       /* share of the offered frames that may be lost; 0: none */
	unsigned trials;   /* at most */
};

enum search_end {
	SEARCH_FOUND,     /* the device lost frames a step above */
	SEARCH_CEILING,   /* no loss at the highest rate that was asked for */
	SEARCH_GENERATOR, /* no loss at the highest rate the generator managed to offer */
	SEARCH_NONE,      /* loss at every rate down to the lowest */
	SEARCH_UNSOUND,   /* a trial reordered, doubled or changed frames: no rate makes that good */
};

struct search_result {
	enum search_end end;
	double pps; /* the highest rate offered without loss; 0: none */
	unsigned trials;
	struct trial best; /* the trial that pps comes from */
};

/* Offer `pps`, fill *out. Returns 0 or -errno, which ends the search. */
typedef int search_trial(void *device, double pps, struct trial *out);

/* 0, or what `run` returned. */
int search_no_drop(const struct search *s, search_trial *run, void *device, struct search_result *out);
const char *search_end_name(enum search_end end);
