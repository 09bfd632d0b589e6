/* Ports of a worker that feeds itself: see loop.c. Control calls these; worker: near is where frames come from. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#define LOOP_FLOWS 4096
#define LOOP_FRAMES 256 /* under way */
#define LOOP_FRAME 64   /* bytes */

struct rte_mbuf;

/* The flow's frame is a copy of this one. */
void loop_frame(uint32_t flow, struct rte_mbuf *m);
/* While the worker stands: replace the ports' functions; frames enter at one and leave, sealed, at the other. */
void loop_attach(uint16_t near, uint16_t far);
/* While it stands: make good what has left the loop; and give all back, returning how many frames were in it. */
void loop_fill(void);
uint32_t loop_empty(void);

pid_t loop_thread(void); /* the worker's */
/* The longest time on its core between two turns, since the beginning. */
void loop_pause_begin(void);
uint64_t loop_pause_ns(void);
