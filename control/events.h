/* What workers tell control, on its way to whom it concerns. Control thread. */
#pragma once

#include "dataplane/dataplane.h"

struct daemon;

struct dataplane_events events_of(struct daemon *d);
