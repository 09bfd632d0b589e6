#include "control/ike.h"

#include "control/daemon.h"
#include "control/ike_link.h"
#include "drivers/log.h"

#include <errno.h>
#include <string.h>

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

static int
link_start(struct daemon *d, char *error, size_t n)
{
	const struct ike_link_handlers handlers = {.context = d, .message = from_plugin, .gone = plugin_gone};
	const char *path = d->world->config->appliance.ike.plugin_socket;
	int r = ike_link_start(path, &d->loop, &handlers, &d->ike_link, error, n);

	if (r == 0)
		log_info("ike", "charon's plugin is awaited at %s", path);
	return r;
}

int
ike_module_start(struct daemon *d, char *error, size_t n)
{
	return local_net_wanted(d->world->config) ? link_start(d, error, n) : 0;
}

void
ike_module_stop(struct daemon *d)
{
	ike_link_stop(d->ike_link);
	d->ike_link = NULL;
}

void
ike_apply(struct daemon *d)
{
	char error[512] = "";

	if (!d->ike_link && local_net_wanted(d->world->config) && link_start(d, error, sizeof error) != 0)
		log_error("ike", "%s", error);
}
