#include "control/bgp.h"

#include "control/bird.h"
#include "control/daemon.h"
#include "control/router_conf.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FAREWELL_NS 2000000000ull
#define ROUTERS "routers of the pair" /* with blanks: no gateway's files are named so */

/* ---- routers of the pair ------------------------------------------------------------- */

static int
control_namespace(void *daemon)
{
	return local_net_fd(((const struct daemon *)daemon)->local);
}

static int
routers_apply(struct daemon *d, char *error, size_t n)
{
	const struct cfg_appliance *a = &d->world->config->appliance;
	char *text;
	int r = 0;

	if (a->ha.n_routers == 0) {
		if (d->routers)
			bird_apply(d->routers, NULL);
		return 0;
	}
	if (!d->routers)
		r = bird_create(
			&d->loop, &a->bgp, a->name, ROUTERS, ROUTERS, control_namespace, d, &d->routers, error, n);
	if (r != 0)
		return r;
	text = router_conf_make(a);
	if (!text)
		return -ENOMEM;
	bird_apply(d->routers, text);
	return 0;
}

/* ---- the module ---------------------------------------------------------------------- */

int
bgp_apply(struct daemon *d, char *error, size_t n)
{
	char other[256];
	int r = gateway_nets_apply(d->gateways, d->world, d->names, error, n);
	int s = routers_apply(d, r ? other : error, r ? sizeof(other) : n);

	config_wipe_bgp_passwords(d->world->config); /* bird's files have them */
	return r ? r : s;
}

int
bgp_module_start(struct daemon *d, char *error, size_t n)
{
	int r;

	d->gateways = gateway_nets_create(&d->loop, d->dp);
	if (!d->gateways)
		return -ENOMEM;
	r = bgp_apply(d, error, n);
	if (r != 0)
		bgp_module_stop(d);
	return r;
}

void
bgp_module_stop(struct daemon *d)
{
	bird_free(d->routers, d->loop.leave);
	d->routers = NULL;
	gateway_nets_stop(d->gateways, d->loop.leave);
	d->gateways = NULL;
}

void
bgp_tick(struct daemon *d, uint64_t now_ns)
{
	gateway_nets_tick(d->gateways, now_ns);
	if (d->routers)
		bird_tick(d->routers, now_ns);
}

static bool
is_gone(void *daemon)
{
	const struct daemon *d = daemon;

	return gateway_nets_gone(d->gateways) && (!d->routers || bird_gone(d->routers));
}

void
bgp_farewell(struct daemon *d)
{
	if (d->loop.leave)
		return;
	gateway_nets_goodbye(d->gateways);
	if (d->routers)
		bird_goodbye(d->routers);
	loop_serve(&d->loop, is_gone, d, FAREWELL_NS);
}
