/* drops, stats and the rates that watch repeats. */
#include "control/show_running.h"

#include "control/daemon.h"
#include "drivers/clock.h"
#include "drivers/port.h"

#include <stdlib.h>
#include <string.h>

/* ---- drops -------------------------------------------------------------------------- */

static int
most_first(const void *a, const void *b)
{
	const struct drop_count *x = a, *y = b;

	if ((x->name == NAME_NONE) != (y->name == NAME_NONE))
		return x->name == NAME_NONE ? -1 : 1;
	return x->packets < y->packets ? 1 : x->packets > y->packets ? -1 : 0;
}

static json_t *
drop_json(const struct daemon *d, const struct drop_count *row)
{
	json_t *o = json_object();

	json_object_set_new(o, "reason", json_string(drop_name(row->reason)));
	json_object_set_new(o, "text", json_string(drop_text(row->reason)));
	json_object_set_new(o, "packets", json_integer((json_int_t)row->packets));
	json_object_set_new(o, "perSecond", json_real(rates_drop(&d->rates, row->reason, NAME_NONE)));
	json_object_set_new(o, "decidedBy", json_array());
	return o;
}

static json_t *
decided_json(const struct daemon *d, const struct drop_count *row)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", name_json(d->names, row->name));
	json_object_set_new(o, "packets", json_integer((json_int_t)row->packets));
	json_object_set_new(o, "perSecond", json_real(rates_drop(&d->rates, row->reason, row->name)));
	return o;
}

/* Rows come sorted: sums first, then who decided. */
json_t *
drops_json(struct daemon *d, bool all)
{
	struct drop_count *rows = calloc(RATE_DROPS_MAX, sizeof *rows);
	json_t *by_reason[DROP_REASON_COUNT] = {0}, *list = json_array();
	uint32_t n = rows ? dataplane_drops(d->dp, rows, RATE_DROPS_MAX) : 0;

	if (n > RATE_DROPS_MAX)
		n = RATE_DROPS_MAX;
	if (n > 1)
		qsort(rows, n, sizeof *rows, most_first);
	for (uint32_t i = 0; i < n; i++) {
		json_t **o = &by_reason[rows[i].reason];

		if (rows[i].name == NAME_NONE) {
			*o = drop_json(d, &rows[i]);
			json_array_append_new(list, *o);
		} else if (*o) {
			json_array_append_new(json_object_get(*o, "decidedBy"), decided_json(d, &rows[i]));
		}
	}
	for (int reason = 0; all && reason < DROP_REASON_COUNT; reason++)
		if (!by_reason[reason])
			json_array_append_new(
				list, drop_json(d, &(struct drop_count){.reason = (enum drop_reason)reason}));
	free(rows);
	return list;
}

json_t *
show_drops(struct daemon *d, const struct request *r, struct failure *f)
{
	(void)f;
	return drops_json(d, request_argument(r, "all")->number != 0);
}

/* ---- stats -------------------------------------------------------------------------- */

static json_t *
stages_json(const struct worker_stats *s)
{
	json_t *list = json_array();

	for (int i = 0; i < STAGE_COUNT; i++) {
		uint64_t packets = s->stage_packets[i], cycles = s->stage_cycles[i];
		json_t *o = json_object();

		json_object_set_new(o, "stage", json_string(stage_name((enum stage)i)));
		json_object_set_new(o, "packets", json_integer((json_int_t)packets));
		json_object_set_new(o, "cycles", json_integer((json_int_t)cycles));
		json_object_set_new(
			o, "cyclesPerPacket", packets ? json_real((double)cycles / (double)packets) : json_null());
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *
microseconds_json(uint64_t cycles)
{
	return json_real((double)cycles * 1e6 / (double)rte_get_tsc_hz());
}

static json_t *
worker_json(const struct daemon *d, uint16_t worker)
{
	struct worker_stats s;
	json_t *o = json_object();

	dataplane_worker_stats(d->dp, worker, &s);
	json_object_set_new(o, "worker", json_integer(worker));
	json_object_set_new(o, "lcore", json_integer(s.lcore));
	json_object_set_new(o, "loops", json_integer((json_int_t)s.loops));
	json_object_set_new(o, "busyLoops", json_integer((json_int_t)s.busy_loops));
	json_object_set_new(o, "bursts", json_integer((json_int_t)s.bursts));
	json_object_set_new(o, "rxPackets", json_integer((json_int_t)s.rx_packets));
	json_object_set_new(o, "txPackets", json_integer((json_int_t)s.tx_packets));
	json_object_set_new(o, "dropped", json_integer((json_int_t)s.dropped));
	json_object_set_new(o, "punted", json_integer((json_int_t)s.punted));
	json_object_set_new(o, "viewGeneration", json_integer((json_int_t)s.view_generation));
	json_object_set_new(o, "longestTurnMicroseconds", microseconds_json(s.longest_turn_cycles));
	json_object_set_new(o, "longestTurnLastMinuteMicroseconds", microseconds_json(s.recent_turn_cycles));
	json_object_set_new(o, "longestOrdersMicroseconds", microseconds_json(s.longest_orders_cycles));
	json_object_set_new(o, "longestOrdersLastMinuteMicroseconds", microseconds_json(s.recent_orders_cycles));
	json_object_set_new(o, "stages", stages_json(&s));
	return o;
}

json_t *
show_stats(struct daemon *d, const struct request *r, struct failure *f)
{
	const struct argument *only = request_argument(r, "worker");
	uint16_t workers = dataplane_workers(d->dp);
	json_t *o, *list;

	if (only->given && only->number >= workers)
		return failure_set(f, "NotFound", "there is no worker %u; there are %u", only->number, workers);
	list = json_array();
	for (uint16_t i = 0; i < workers; i++)
		if (!only->given || only->number == i)
			json_array_append_new(list, worker_json(d, i));
	o = json_object();
	json_object_set_new(o, "cyclesPerSecond", json_integer((json_int_t)rte_get_tsc_hz()));
	json_object_set_new(o, "workers", list);
	return o;
}

/* ---- rates -------------------------------------------------------------------------- */

static json_t *
port_rates_json(const struct daemon *d, uint16_t port, double seconds)
{
	struct rate_port p = rates_port(&d->rates, port);
	json_t *o = json_object();

	json_object_set_new(o, "port", json_string(port_name(port)));
	json_object_set_new(o, "rxPacketsPerSecond", json_real((double)p.rx_packets / seconds));
	json_object_set_new(o, "txPacketsPerSecond", json_real((double)p.tx_packets / seconds));
	json_object_set_new(o, "rxBitsPerSecond", json_real((double)p.rx_bytes * 8 / seconds));
	json_object_set_new(o, "txBitsPerSecond", json_real((double)p.tx_bytes * 8 / seconds));
	return o;
}

static json_t *
worker_rates_json(const struct daemon *d, uint16_t worker, double seconds)
{
	struct rate_worker w = rates_worker(&d->rates, worker);
	json_t *o = json_object();

	json_object_set_new(o, "worker", json_integer(worker));
	json_object_set_new(o, "rxPacketsPerSecond", json_real((double)w.rx_packets / seconds));
	json_object_set_new(o, "txPacketsPerSecond", json_real((double)w.tx_packets / seconds));
	json_object_set_new(o, "droppedPerSecond", json_real((double)w.dropped / seconds));
	json_object_set_new(o, "puntedPerSecond", json_real((double)w.punted / seconds));
	json_object_set_new(
		o, "busyPercent", json_real(w.loops ? 100.0 * (double)w.busy_loops / (double)w.loops : 0.0));
	return o;
}

json_t *
show_rates(struct daemon *d, const struct request *r, struct failure *f)
{
	double seconds = rates_seconds(&d->rates);
	json_t *o = json_object(), *ports = json_array(), *workers = json_array();

	(void)r;
	(void)f;
	for (uint16_t i = 0; seconds > 0 && i < ports_count() && i < RATE_PORTS_MAX; i++)
		json_array_append_new(ports, port_rates_json(d, i, seconds));
	for (uint16_t i = 0; seconds > 0 && i < dataplane_workers(d->dp); i++)
		json_array_append_new(workers, worker_rates_json(d, i, seconds));
	json_object_set_new(o, "seconds", json_real(seconds));
	json_object_set_new(o, "ports", ports);
	json_object_set_new(o, "workers", workers);
	json_object_set_new(o, "drops", drops_json(d, false));
	return o;
}
