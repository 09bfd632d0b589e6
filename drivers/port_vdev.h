/* Names and device arguments of the virtual DPDK devices. Pure; apart for the unit test. */
#pragma once

#include "drivers/port_kind.h"

#define VDEV_ARGUMENTS_MAX 512

/* Returns 0, or -EINVAL with the reason. */
int vdev_arguments(const struct port *p, const struct cfg_port *c, char name[PORT_NAME_MAX],
	char arguments[VDEV_ARGUMENTS_MAX], char *error, size_t n);
