/* This appliance among others: the lease that says whether it is primary. Control thread.
 *
 * A module of main.c's table, the last one: a node is primary when all it needs runs, and gives the role back first.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct daemon;

/* All of it is nothing without appliance.highAvailability. */

/* Until the lease says otherwise this node is not primary. Before the dataplane starts; it is there by then. */
void ha_fence(struct daemon *d);
int ha_module_start(struct daemon *d, char *error, size_t n);
void ha_module_stop(struct daemon *d);
void ha_tick(struct daemon *d, uint64_t now_ns);
