#include "control/bgp.h"

#include "control/daemon.h"

#include <errno.h>

#define FAREWELL_NS 2000000000ull

int
bgp_module_start(struct daemon *d, char *error, size_t n)
{
	int r;

	d->gateways = gateway_nets_create(&d->loop, d->dp);
	if (!d->gateways)
		return -ENOMEM;
	r = gateway_nets_apply(d->gateways, d->world, d->names, error, n);
	if (r != 0) {
		gateway_nets_stop(d->gateways, false);
		d->gateways = NULL;
	}
	return r;
}

void
bgp_module_stop(struct daemon *d)
{
	gateway_nets_stop(d->gateways, d->loop.leave);
	d->gateways = NULL;
}

static bool
is_gone(void *daemon)
{
	return gateway_nets_gone(((const struct daemon *)daemon)->gateways);
}

void
bgp_farewell(struct daemon *d)
{
	if (d->loop.leave)
		return;
	gateway_nets_goodbye(d->gateways);
	loop_serve(&d->loop, is_gone, d, FAREWELL_NS);
}
