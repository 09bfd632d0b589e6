/* What af_xdp ports take from the interfaces they share with the kernel, by the configuration. Control thread. */
#pragma once

#include "config/config.h"

/* After a configuration has come to run. Ports of other kinds take everything anyway. */
void steer_ports(const struct config *c);
