/* The hops of a view: equal ones are one. */
#pragma once

#include "control/world_build.h"

/* Id of the hop; HOP_NONE when memory is out. */
uint32_t hops_add(struct world_build *b, const struct hop_spec *h);
/* Shorthands. */
struct hop_spec hop_drop(enum drop_reason reason, uint32_t name);
