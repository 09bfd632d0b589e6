/* Flows for a successor that starts at once, in a file of the state folder. Control thread; what goes wrong is logged,
 * and costs the flows.
 */
#pragma once

#include "control/world.h"

/* Workers have stopped. */
void flow_file_save(const char *folder, struct dataplane *dp, const struct world *w, struct names *names);
/* Before workers start. The file is read once: it goes, whatever was in it. */
void flow_file_load(const char *folder, struct dataplane *dp, const struct world *w, struct names *names);
