#include "control/events.h"

#include "control/charon.h"
#include "control/daemon.h"
#include "control/sa_store.h"
#include "drivers/log.h"

static void
sa_event(void *daemon, const struct sa_event *e)
{
	static const char *const what[] = {
		[SA_EVENT_SOFT] = "soft lifetime reached",
		[SA_EVENT_HARD] = "hard lifetime reached",
		[SA_EVENT_EXHAUSTED] = "sequence numbers exhausted",
		[SA_EVENT_REMOTE_PORT] = "peer's address or port changed",
	};
	struct daemon *d = daemon;

	if (e->kind != SA_EVENT_RESERVE_LOW)
		log_notice("sa", "%s: %s", names_text(d->names, e->name), what[e->kind]);
	sa_store_tick(d->sas);
	ike_store_sa_event(d->ike, e);
}

static void
tunnel_miss(void *daemon, const struct tunnel_miss *m)
{
	struct daemon *d = daemon;
	const char *connection = ike_store_tunnel(d->ike, m->name);

	if (!connection || !d->charon || !charon_hurry(d->charon, connection))
		ike_store_miss(d->ike, m);
}

/* BGP on uplinks is for routers of a pair; without one nobody listens there, and whoever asks is told so. */
static bool
is_for_uplinks(const struct daemon *d, enum punt_class class)
{
	return (class != PUNT_BGP && class != PUNT_BFD) || d->world->config->appliance.ha.addresses.n > 0;
}

static bool
local_packet(void *daemon, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length)
{
	const struct daemon *d = daemon;

	return (is_for_uplinks(d, class) && local_net_packet(d->local, class, iface, l3, length)) ||
	       gateway_nets_packet(d->gateways, class, iface, l3, length);
}

struct dataplane_events
events_of(struct daemon *d)
{
	return (struct dataplane_events){.context = d,
		.sa_event = sa_event,
		.tunnel_miss = tunnel_miss,
		.local_packet = local_packet,
		.trace = trace_take};
}
