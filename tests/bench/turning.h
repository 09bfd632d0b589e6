/* A world whose worker turns on an lcore of its own, as the daemon's does. The caller's thread is control. */
#pragma once

#include "tests/whole/whole.h"

/* EAL with two lcores, on huge pages when there are enough free ones (it says so when not). 0, or -1 and a text. */
int turning_begin(const char *name, uint32_t memory_mb);
/* Start a world and its worker; extend as in whole_start_extended, or NULL. */
void turning_start(const char *yaml, void (*extend)(struct view_spec *spec, void *context), void *context);
void turning_stop(void);

struct published {
	double seen_ms, freed_ms; /* from the call until the worker has drained it; until the old view is freed */
};

/* Build from spec beside the present view and publish; exits with a text when that fails. */
struct view *turning_build(const struct view_spec *spec);
struct published turning_publish(struct view *v);

double turning_ms(void); /* a clock */
