/* Interface ids by name. Builder thread (or an offline tool that is alone). */
#pragma once

#include "control/world.h"

/* A new world is being built: names not taken before the next begin are out of use. */
void iface_ids_begin(struct iface_ids *ids);
/* The id of a name; IFACE_NONE when all are in use, or no memory. */
uint16_t iface_ids_take(struct iface_ids *ids, const char *name);
