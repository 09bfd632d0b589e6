/* The bench's worlds: addresses that the text, the extension and the traffic agree on. */
#pragma once

#include "bench.h"

/* Senders live all over a's subnet; every packet ends at b's host. */
#define SUBNET_A "10.0.0.0/10, 'fd00:a:0:1::/64'"
#define SUBNET_B "10.128.0.0/16, 'fd00:b:0:1::/64'"
#define HOST_B4 "10.128.0.10"
#define HOST_B6 "fd00:b:0:1::a"

/* Ports in the order of the configuration. */
enum { PORT_A, PORT_B, WIRE_A, WIRE_B };

#define RULES_PER_GROUP 1000 /* as the vendor has it */

/* Of the first SA each way; those beside it follow. */
#define SPI_AB 0x1000
#define SPI_BA 0x2000

/* Build and start the world; the worker is still to be turned. */
void world_start(const struct scenario *s);
void world_stop(void);

/* extension.c: for whole_start_extended; context is the plan. */
void extension_add(struct view_spec *spec, void *plan);
void extension_free(void);
/* Where conversation i of this world leads. */
struct ip_addr extension_destination(const struct bench_world *plan, uint32_t i);
