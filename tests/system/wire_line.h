/* One direction of the wire: what happens to a frame on its way, and the frames that wait for their time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FRAME_MAX 9216

enum frame_class { CLASS_IKE, CLASS_ESP, CLASS_OTHER, CLASSES };

/* Percentages are of all frames of the class; times in microseconds. */
struct faults {
	double loss, duplicate, reorder, corrupt;
	uint64_t delay_us, jitter_us, hold_us; /* hold: how much later than due a reordered frame comes */
	uint64_t rate_kbit, queue_us;          /* rate 0: none; a frame that would wait longer than queue_us is lost */
	uint64_t drop;                         /* the next so many are lost */
};

struct class_counters {
	uint64_t frames, bytes, lost, cut, overflow, duplicated, reordered, corrupted, sent, failed;
};

struct line_class {
	struct faults faults;
	struct class_counters counters;
	uint64_t random;                /* state of its generator: the seed alone decides what happens to frame n */
	uint64_t last_us, line_free_us; /* when its last frame is due; when the rate lets another begin */
};

struct held {
	uint64_t due_us, number;
	uint8_t *frame;
	uint32_t length;
	enum frame_class class;
};

struct line {
	int to; /* socket */
	bool cut;
	struct line_class classes[CLASSES];
	struct held *heap; /* the earliest first, first come first of equals */
	uint32_t n_heap;
	uint64_t numbers;
	uint64_t missed; /* lost by the kernel before we saw them: we were too slow */
};

/* Class of an Ethernet frame. Fragments behind the first have no ports and are CLASS_OTHER. */
enum frame_class frame_classify(const uint8_t *frame, uint32_t length);

const char *frame_class_name(enum frame_class class);

/* 0, or -ENOMEM. */
int line_init(struct line *l, int to, uint64_t seed);

/* A frame came in: lose it, send it or keep it. The frame may be changed. */
void line_take(struct line *l, uint8_t *frame, uint32_t length, uint64_t now_us);

/* Send what is due; returns when the next frame is, UINT64_MAX when none waits. */
uint64_t line_flush(struct line *l, uint64_t now_us);

/* A cut wire loses what is on its way, too. */
void line_cut(struct line *l, bool cut);

/* "key=value" into the faults; false: no such key, or not its value. */
bool faults_set(struct faults *f, const char *pair);

void faults_clear(struct faults *f);

/* The counters of all classes as an object of JSON. */
void line_print(const struct line *l, FILE *out);

void line_free(struct line *l);
