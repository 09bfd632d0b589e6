/* Ports that share a kernel interface through AF_XDP. */
#include "drivers/port_kind.h"

#include <errno.h>

static int
af_xdp_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	snprintf(error, n, "this build has no AF_XDP");
	return -ENOTSUP;
}

const struct port_kind port_af_xdp = {.name = "af_xdp", .open = af_xdp_open};
