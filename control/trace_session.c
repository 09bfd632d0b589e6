/* Every worker is told to record `count` packets, so more may come than were asked for: the rest is
 * told off and ignored.
 */
#include "control/trace_session.h"

#include "control/daemon.h"
#include "control/show_running.h"
#include "drivers/clock.h"

#include <string.h>

static bool
filter_make(const struct daemon *d, const struct request *r, struct flow_filter *out, struct failure *f)
{
	const struct argument *subnet = request_argument(r, "subnet"), *protocol = request_argument(r, "protocol");
	struct show s = daemon_show(d);

	*out = (struct flow_filter){
		.iface = IFACE_NONE,
		.source = request_argument(r, "source")->prefix,
		.destination = request_argument(r, "destination")->prefix,
		.protocol = protocol->given ? (int16_t)protocol->number : -1,
		.source_port = (uint16_t)request_argument(r, "source-port")->number,
		.destination_port = (uint16_t)request_argument(r, "destination-port")->number,
	};
	if (subnet->given) {
		const struct effective_table *t = show_subnet(&s, subnet->text, f);

		if (!t)
			return false;
		if (t->iface == IFACE_NONE) {
			failure_set(
				f, "SubnetNotAttached", "subnet \"%.200s\" is attached to no port here", subnet->text);
			return false;
		}
		out->iface = t->iface;
	}
	return true;
}

json_t *
trace_begin(struct daemon *d, const struct request *r, struct api_ticket from, struct failure *f)
{
	struct trace_session *t = &d->trace;
	struct flow_filter filter;

	if (t->to.serial != 0)
		return failure_set(f, "Busy", "another trace is under way");
	if (!filter_make(d, r, &filter, f))
		return NULL;
	if (dataplane_trace(d->dp, &filter, request_argument(r, "count")->number) != 0)
		return failure_set(f, "Busy", "the workers take no order now; try again");

	*t = (struct trace_session){
		.to = from,
		.deadline_ns = clock_boot_ns() + request_argument(r, "timeout")->number * 1000000000ull,
		.wanted = request_argument(r, "count")->number,
	};
	return NULL;
}

/* Nobody listens any more: workers go back to not looking. */
static void
workers_off(struct daemon *d)
{
	static const struct flow_filter nothing = {.protocol = -1};

	d->trace.cancel = dataplane_trace(d->dp, &nothing, 0) != 0;
}

static void
trace_end(struct daemon *d, bool timed_out)
{
	struct trace_session *t = &d->trace;
	struct api_ticket to = t->to;
	json_t *o = json_object();

	json_object_set_new(o, "packets", json_integer(t->seen));
	json_object_set_new(o, "lost", json_integer(t->lost));
	json_object_set_new(o, "timedOut", json_boolean(timed_out));
	t->to = (struct api_ticket){0};
	workers_off(d);
	api_answer(d->api, to, o);
}

void
trace_take(void *daemon, const struct trace_record *record)
{
	struct daemon *d = daemon;
	struct trace_session *t = &d->trace;
	struct show s = daemon_show(d);

	if (t->to.serial == 0)
		return;
	t->seen++;
	if (!api_record(d->api, t->to, trace_json(&s, record)))
		t->lost++;
	/* The client may have gone while it was written to. */
	if (t->to.serial != 0 && t->seen >= t->wanted)
		trace_end(d, false);
}

void
trace_tick(struct daemon *d, uint64_t now_ns)
{
	if (d->trace.to.serial != 0 && now_ns >= d->trace.deadline_ns)
		trace_end(d, true);
	else if (d->trace.cancel && d->trace.to.serial == 0)
		workers_off(d);
}

void
trace_gone(struct daemon *d, struct api_ticket from)
{
	if (d->trace.to.serial == 0 || d->trace.to.serial != from.serial)
		return;
	d->trace.to = (struct api_ticket){0};
	workers_off(d);
}
