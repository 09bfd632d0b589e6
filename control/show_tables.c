/* flow list, neighbour list: bounded looks into the dataplane's tables. */
#include "control/show_running.h"

#include "control/daemon.h"

#include <string.h>

struct table_walk {
	struct show show;
	json_t *list;
	uint32_t max, matched;    /* listed at most, and how many there were */
	uint16_t iface;           /* IFACE_NONE: any */
	struct ip_prefix address; /* family 0: any */
};

/* ---- flows -------------------------------------------------------------------------- */

static const char *
tcp_state_name(enum flow_tcp_state s)
{
	switch (s) {
	case FLOW_NOT_TCP:
		return "";
	case FLOW_TCP_SYN:
		return "syn";
	case FLOW_TCP_ESTABLISHED:
		return "established";
	case FLOW_TCP_CLOSING:
		return "closing";
	case FLOW_TCP_CLOSED:
		return "closed";
	}
	return "unknown";
}

static bool
flow_wanted(const struct table_walk *w, const struct flow_info *i)
{
	if (w->iface != IFACE_NONE && w->iface != i->iface)
		return false;
	return w->address.addr.family == IP_NONE || prefix_has(&w->address, &i->source) ||
	       prefix_has(&w->address, &i->destination);
}

static void
flow_each(void *context, const struct flow_info *i)
{
	struct table_walk *w = context;
	char protocol[4];
	json_t *o;

	if (!flow_wanted(w, i) || w->matched++ >= w->max)
		return;
	o = json_object();
	json_object_set_new(o, "subnet", json_string(show_iface(&w->show, i->iface)));
	json_object_set_new(o, "direction", json_string(i->inbound ? "in" : "out"));
	json_object_set_new(o, "protocol", json_string(protocol_text(i->protocol, protocol)));
	json_object_set_new(o, "source", address_json(&i->source));
	json_object_set_new(o, "sourcePort", json_integer(i->source_port));
	json_object_set_new(o, "destination", address_json(&i->destination));
	json_object_set_new(o, "destinationPort", json_integer(i->destination_port));
	json_object_set_new(o, "tcpState", json_string(tcp_state_name(i->tcp)));
	json_object_set_new(o, "idleSeconds", json_integer(i->idle_s));
	json_object_set_new(o, "timeoutSeconds", json_integer(i->timeout_s));
	json_object_set_new(o, "rule", name_json(w->show.names, i->rule_name));
	json_array_append_new(w->list, o);
}

json_t *
show_flows(struct daemon *d, const struct request *r, struct failure *f)
{
	const struct argument *subnet = request_argument(r, "subnet"), *address = request_argument(r, "address");
	struct table_walk w = {
		.show = daemon_show(d),
		.max = request_argument(r, "max")->number,
		.address = address->prefix,
	};
	bool filtered = subnet->given || address->given;
	const struct effective_table *t = NULL;
	uint32_t live;
	json_t *o;

	if (subnet->given) {
		t = show_subnet(&w.show, subnet->text, f);
		if (!t)
			return NULL;
		if (t->iface == IFACE_NONE)
			return failure_set(
				f, "SubnetNotAttached", "subnet \"%.200s\" is attached to no port here", subnet->text);
		w.iface = t->iface;
	}
	w.list = json_array();
	live = dataplane_flows(d->dp, filtered ? UINT32_MAX : w.max, flow_each, &w);

	o = json_object();
	json_object_set_new(o, "live", json_integer(live));
	json_object_set_new(o, "capacity", json_integer(d->world->config->appliance.flows));
	json_object_set_new(o, "matched", json_integer(filtered ? w.matched : live));
	json_object_set_new(o, "value", w.list);
	return o;
}

/* ---- neighbours --------------------------------------------------------------------- */

static const char *
neighbour_state_name(enum neighbour_state s)
{
	switch (s) {
	case NEIGHBOUR_FREE:
		return "free";
	case NEIGHBOUR_INCOMPLETE:
		return "incomplete";
	case NEIGHBOUR_REACHABLE:
		return "reachable";
	case NEIGHBOUR_STALE:
		return "stale";
	case NEIGHBOUR_PROBE:
		return "probe";
	case NEIGHBOUR_FAILED:
		return "failed";
	case NEIGHBOUR_STATIC:
		return "static";
	}
	return "unknown";
}

static void
neighbour_each(void *context, const struct neighbour_info *i)
{
	static const struct mac_addr none;
	struct table_walk *w = context;
	json_t *o = json_object();

	json_object_set_new(o, "interface", json_string(show_iface(&w->show, i->iface)));
	json_object_set_new(o, "address", address_json(&i->address));
	json_object_set_new(
		o, "macAddress", memcmp(&i->mac, &none, sizeof none) == 0 ? json_string("") : mac_json(&i->mac));
	json_object_set_new(o, "state", json_string(neighbour_state_name(i->state)));
	json_object_set_new(o, "ageSeconds", json_integer(i->age_s));
	json_object_set_new(o, "waitingPackets", json_integer(i->waiting));
	json_array_append_new(w->list, o);
}

json_t *
show_neighbours(struct daemon *d, const struct request *r, struct failure *f)
{
	struct table_walk w = {.show = daemon_show(d), .list = json_array()};

	(void)f;
	dataplane_neighbours(d->dp, request_argument(r, "max")->number, neighbour_each, &w);
	return w.list;
}
