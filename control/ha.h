/* This appliance among others: the lease that says whether it is primary, and what follows from the role. Control
 * thread.
 *
 * A module of main.c's table, the last one: a node is primary when all it needs runs, and gives the role back first.
 */
#pragma once

#include "control/vip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct daemon;

/* All of it is nothing without appliance.highAvailability. */

/* Until the lease says otherwise this node is not primary. Before the dataplane starts; it is there by then. */
void ha_fence(struct daemon *d);
int ha_module_start(struct daemon *d, char *error, size_t n);
void ha_module_stop(struct daemon *d);
void ha_tick(struct daemon *d, uint64_t now_ns);
/* Another world was published. */
void ha_apply(struct daemon *d);
/* At the end, the loop still open: the role goes, and traffic goes elsewhere while it is still carried here. */
void ha_farewell(struct daemon *d);
/* As what this node's virtual addresses are told; high availability is configured. */
enum vip_level ha_level(const struct daemon *d);
/* It may start what all nodes have in common. True without high availability. */
bool ha_is_primary(const struct daemon *d);
