/* status: what runs, at a glance. */
#include "control/show_running.h"

#include "control/daemon.h"
#include "control/version.h"
#include "drivers/clock.h"
#include "drivers/port.h"

#include <rte_mempool.h>

#include <unistd.h>

static json_t *
configuration_json(const struct daemon *d)
{
	const struct config *c = d->world->config;
	json_t *o = json_object();

	json_object_set_new(o, "file", json_string(d->path));
	json_object_set_new(o, "loaded", time_json(d->loaded));
	json_object_set_new(o, "generation", json_integer((json_int_t)d->generation));
	json_object_set_new(o, "virtualNetworks", json_integer(c->n_vnets));
	json_object_set_new(o, "networkSecurityGroups", json_integer(c->n_nsgs));
	json_object_set_new(o, "routeTables", json_integer(c->n_route_tables));
	json_object_set_new(o, "connections", json_integer(c->n_connections));
	json_object_set_new(o, "warnings", warnings_json(d->world));
	return o;
}

static const char *
reload_state_name(enum reload_state state)
{
	switch (state) {
	case RELOAD_IDLE:
		return "idle";
	case RELOAD_BUILDING:
		return "building";
	case RELOAD_PUBLISHING:
		return "publishing";
	}
	return "unknown";
}

static json_t *
reload_json(const struct daemon *d)
{
	json_t *o = json_object();

	json_object_set_new(o, "state", json_string(reload_state_name(d->reload.state)));
	json_object_set_new(o, "applied", json_integer((json_int_t)d->reload.done));
	json_object_set_new(o, "refused", json_integer((json_int_t)d->reload.refused));
	json_object_set_new(o, "last", d->reload.last[0] ? json_string(d->reload.last) : json_null());
	json_object_set_new(o, "lastTime", time_json(d->reload.last_time));
	json_object_set_new(o, "retiredViews", json_integer(dataplane_retired(d->dp)));
	return o;
}

static json_t *
traffic_json(const struct daemon *d)
{
	uint16_t workers = dataplane_workers(d->dp);
	uint64_t rx = 0, tx = 0, dropped = 0, punted = 0;
	double rx_rate = 0, tx_rate = 0, seconds = rates_seconds(&d->rates);
	json_t *o = json_object();

	for (uint16_t i = 0; i < workers; i++) {
		struct rate_worker rate = rates_worker(&d->rates, i);
		struct worker_stats s;

		dataplane_worker_stats(d->dp, i, &s);
		rx += s.rx_packets;
		tx += s.tx_packets;
		dropped += s.dropped;
		punted += s.punted;
		if (seconds > 0) {
			rx_rate += (double)rate.rx_packets / seconds;
			tx_rate += (double)rate.tx_packets / seconds;
		}
	}
	json_object_set_new(o, "rxPackets", json_integer((json_int_t)rx));
	json_object_set_new(o, "txPackets", json_integer((json_int_t)tx));
	json_object_set_new(o, "dropped", json_integer((json_int_t)dropped));
	json_object_set_new(o, "punted", json_integer((json_int_t)punted));
	json_object_set_new(o, "rxPacketsPerSecond", json_real(rx_rate));
	json_object_set_new(o, "txPacketsPerSecond", json_real(tx_rate));
	return o;
}

static json_t *
buffers_json(const struct daemon *d)
{
	json_t *o = json_object();

	json_object_set_new(o, "total", json_integer(d->pool->size));
	json_object_set_new(o, "free", json_integer(rte_mempool_avail_count(d->pool)));
	return o;
}

json_t *
show_status(struct daemon *d, const struct request *r, struct failure *f)
{
	uint16_t up = 0;
	json_t *o = json_object(), *ports = json_object();

	(void)r;
	(void)f;
	for (uint16_t i = 0; i < ports_count(); i++)
		up += port_link_up(i);
	json_object_set_new(ports, "total", json_integer(ports_count()));
	json_object_set_new(ports, "up", json_integer(up));

	json_object_set_new(o, "name", json_string(d->world->config->appliance.name));
	json_object_set_new(o, "version", json_string(ISTHMUS_VERSION));
	json_object_set_new(o, "pid", json_integer(getpid()));
	json_object_set_new(
		o, "uptimeSeconds", json_integer((json_int_t)((clock_boot_ns() - d->start_ns) / 1000000000)));
	json_object_set_new(o, "workers", json_integer(dataplane_workers(d->dp)));
	json_object_set_new(o, "ports", ports);
	json_object_set_new(o, "packetBuffers", buffers_json(d));
	json_object_set_new(o, "configuration", configuration_json(d));
	json_object_set_new(o, "reload", reload_json(d));
	json_object_set_new(o, "traffic", traffic_json(d));
	json_object_set_new(o, "exceptionPath", exception_path_json(d));
	json_object_set_new(o, "controlNamespace", control_namespace_json(d));
	json_object_set_new(o, "gatewayNamespaces", gateway_namespaces_json(d));
	return o;
}
