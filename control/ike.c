#include "control/ike.h"

#include "control/charon.h"
#include "control/daemon.h"
#include "control/ha.h"
#include "control/ike_link.h"
#include "control/state_lock.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAREWELL_NS 5000000000ull /* of charon, at the end */

/* ---- the store ---------------------------------------------------------------------- */

static void
to_plugin(void *daemon, enum ike_message_type type, uint16_t result, uint64_t serial, const void *body, size_t size)
{
	struct daemon *d = daemon;

	if (d->ike_link)
		ike_link_send(d->ike_link, type, result, serial, body, size);
}

static void
plugin_refuse(void *daemon, const char *why)
{
	struct daemon *d = daemon;

	log_error("ike", "charon's plugin is turned away: %s", why);
	ike_link_refuse(d->ike_link, why);
}

int
ike_store_module_start(struct daemon *d, char *error, size_t n)
{
	const struct ike_store_tools tools = {.context = d,
		.send = to_plugin,
		.refuse = plugin_refuse,
		.marks = d->sas,
		.names = d->names,
		.appliance = d->world->config->appliance.name};

	(void)error;
	(void)n;
	d->ike = ike_store_create(&tools);
	return d->ike ? ike_store_bind(d->ike, d->world) : -ENOMEM;
}

void
ike_store_module_stop(struct daemon *d)
{
	ike_store_free(d->ike);
	d->ike = NULL;
}

/* ---- the socket --------------------------------------------------------------------- */

static void
from_plugin(void *daemon, const struct ike_header *h, const void *body)
{
	struct daemon *d = daemon;

	ike_store_message(d->ike, h, body);
}

static void
plugin_gone(void *daemon)
{
	struct daemon *d = daemon;

	ike_store_gone(d->ike);
}

/* The folder of the sockets, when it is not there yet: ours to remove, if nobody else is in it then. */
static int
folder_begin(struct daemon *d, const char *path, char *error, size_t n)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash && slash != path ? strndup(path, (size_t)(slash - path)) : NULL;
	int made = 0, r = folder ? folder_make(folder, 0755, &made) : 0;

	if (r != 0)
		snprintf(error, n, "%s: %s", folder, strerror(-r));
	if (r == 0 && made)
		d->ike_folder = folder;
	else
		free(folder);
	return r;
}

static int
link_start(struct daemon *d, char *error, size_t n)
{
	const struct ike_link_handlers handlers = {.context = d, .message = from_plugin, .gone = plugin_gone};
	const char *path = d->world->config->appliance.ike.plugin_socket;
	int r = folder_begin(d, path, error, n);

	if (r == 0)
		r = ike_link_start(path, &d->loop, &handlers, &d->ike_link, error, n);
	if (r == 0)
		log_info("ike", "charon's plugin is awaited at %s", path);
	return r;
}

/* ---- charon ------------------------------------------------------------------------- */

static int
namespace_fd(void *daemon)
{
	const struct daemon *d = daemon;

	return local_net_fd(d->local);
}

static bool
initiated(void *daemon, uint32_t spi)
{
	const struct daemon *d = daemon;

	return ike_store_initiated(d->ike, spi);
}

static int
charon_begin(struct daemon *d, char *error, size_t n)
{
	const struct charon_hooks hooks = {.context = d, .initiated = initiated};

	return charon_create(&d->loop, &d->world->config->appliance, &hooks, namespace_fd, &d->charon, error, n);
}

static int
begin(struct daemon *d, char *error, size_t n)
{
	int r = d->ike_link ? 0 : link_start(d, error, n);

	if (r == 0 && !d->charon)
		r = charon_begin(d, error, n);
	if (r != 0)
		return r;
	charon_role(d->charon, ha_is_primary(d), false);
	charon_apply(d->charon, d->ike_conf);
	d->ike_conf = NULL;
	return 0;
}

bool
ike_wanted(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_connections; i++)
		if (c->connections[i].uses_ike)
			return true;
	for (uint32_t i = 0; i < c->n_gateways; i++)
		if (c->gateways[i].p2s.pool.n)
			return true;
	return false;
}

int
ike_module_start(struct daemon *d, char *error, size_t n)
{
	int r = ike_wanted(d->world->config) ? begin(d, error, n) : 0;

	if (r != 0)
		ike_module_stop(d);
	return r;
}

static bool
is_gone(void *charon)
{
	return charon_gone(charon);
}

/* charon says goodbye to its peers before its plugin and its interfaces lose us. */
void
ike_farewell(struct daemon *d)
{
	if (!d->charon || d->loop.leave)
		return;
	charon_goodbye(d->charon);
	loop_serve(&d->loop, is_gone, d->charon, FAREWELL_NS);
}

void
ike_module_stop(struct daemon *d)
{
	charon_stop(d->charon, d->loop.leave ? CHARON_LEAVE : CHARON_STOP);
	d->charon = NULL;
	ike_link_stop(d->ike_link);
	d->ike_link = NULL;
	ike_conf_free(d->ike_conf);
	d->ike_conf = NULL;
	if (d->ike_folder)
		rmdir(d->ike_folder);
	free(d->ike_folder);
	d->ike_folder = NULL;
}

/* Without IKE in the new configuration charon stays, with nothing to do. */
void
ike_apply(struct daemon *d, struct ike_conf *conf)
{
	char error[512] = "";

	ike_conf_free(d->ike_conf);
	d->ike_conf = conf;
	if ((d->charon || ike_wanted(d->world->config)) && begin(d, error, sizeof error) != 0)
		log_error("ike", "%s", error);
}

void
ike_tick(struct daemon *d, uint64_t now_ns)
{
	ike_store_tick(d->ike, now_ns);
	if (!d->charon)
		return;
	charon_tick(d->charon, now_ns);
	local_net_hold_ike(d->local, !charon_ready(d->charon));
}
