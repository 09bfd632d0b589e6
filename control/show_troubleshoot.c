/* vpn troubleshoot: VPN gateways and connections of this appliance (of circuits "gateway health" tells), what is wrong
 * with each, and what says so; in the shape of the vendor's `az network watcher troubleshooting start`. */
#include "control/show_running.h"

#include "control/daemon.h"
#include "control/troubleshoot.h"
#include "drivers/port.h"

#include <string.h>

#define EVIDENCE_MAX 16
#define BUSY_PERCENT 95.0

struct report {
	const struct daemon *d;
	const char *only; /* NULL: all */
	json_t *results;
	bool found, unhealthy;
};

static void
result_add(struct report *r, const char *type, const char *name, const struct diagnosis *g, json_t *evidence)
{
	json_t *o = json_object(), *actions = json_array();

	if (g->action)
		json_array_append_new(actions, json_pack("{s:s}", "actionText", g->action));
	json_object_set_new(o, "resource", json_string(name));
	json_object_set_new(o, "resourceType", json_string(type));
	json_object_set_new(o, "id", json_string(g->id));
	json_object_set_new(o, "reasonType", g->reason ? json_string(g->reason) : json_null());
	json_object_set_new(o, "summary", json_string(g->summary));
	json_object_set_new(o, "evidence", evidence);
	json_object_set_new(o, "recommendedActions", actions);
	json_array_append_new(r->results, o);
	r->unhealthy |= g != &diagnosis_none;
}

/* ---- connections ----------------------------------------------------------------------- */

static json_t *
faults_json(const struct ike_fault_record *const *fault, size_t n)
{
	json_t *list = json_array(), *o;

	for (size_t i = 0; i < n; i++) {
		o = json_object();
		json_object_set_new(o, "time", time_json(fault[i]->last));
		json_object_set_new(o, "fault", json_string(ike_fault_name(fault[i]->fault)));
		json_object_set_new(o, "peer", address_json(&fault[i]->remote));
		json_object_set_new(o, "count", json_integer((json_int_t)fault[i]->count));
		json_object_set_new(o, "detail", json_string(fault[i]->text));
		json_array_append_new(list, o);
	}
	return list;
}

/* Prefixes of a connection that packets do not take, for a network here has their addresses. */
struct overlap {
	const char *connection, *subnet;
	json_t *evidence;
};

static void
overlap_take(void *context, const struct effective_route *r)
{
	struct overlap *o = context;
	char prefix[ADDRESS_TEXT_MAX];

	if (r->source != SOURCE_VIRTUAL_NETWORK_GATEWAY || r->active || !r->name || !r->why ||
		strcmp(r->name, o->connection) != 0 || strcmp(r->why, WHY_STRONG) != 0)
		return;
	json_array_append_new(o->evidence, json_sprintf("%s, seen from %s: %s",
						   prefix_text(&r->prefix, prefix, sizeof prefix), o->subnet, r->why));
}

static json_t *
overlaps_json(const struct daemon *d, const char *connection)
{
	const struct world *w = d->world;
	struct overlap o = {.connection = connection, .evidence = json_array()};
	char subnet[600];

	for (uint32_t i = 0; i < w->n_tables && json_array_size(o.evidence) < EVIDENCE_MAX; i++) {
		const struct cfg_vnet *v = &w->config->vnets[w->table[i].vnet];

		snprintf(subnet, sizeof subnet, "%s/%s", v->name, v->subnets[w->table[i].subnet].name);
		o.subnet = subnet;
		effective_each(&w->table[i], overlap_take, &o);
	}
	return o.evidence;
}

static void
connection_report(struct report *r, uint32_t i)
{
	const struct cfg_connection *c = &r->d->world->config->connections[i];
	const struct ike_fault_record *evidence[EVIDENCE_MAX], *strangers;
	struct connection_state s;
	json_t *overlaps;
	uint32_t n;
	size_t found;

	connection_state(r->d, i, &s);
	strangers = ike_store_strangers(r->d->ike, &n);
	found = troubleshoot_evidence(&s, strangers, n, evidence, EVIDENCE_MAX);
	if (s.here && !port_link_up(s.uplink_port))
		result_add(r, "vpnConnection", c->name, &diagnosis_link, json_array());
	else
		result_add(r, "vpnConnection", c->name,
			troubleshoot_connection(&s, c->ike.protocol == PROTOCOL_IKEV1, evidence, found),
			faults_json(evidence, found));
	overlaps = overlaps_json(r->d, c->name);
	if (json_array_size(overlaps) > 0)
		result_add(r, "vpnConnection", c->name, &diagnosis_overlap, overlaps);
	else
		json_decref(overlaps);
}

/* ---- gateways -------------------------------------------------------------------------- */

static const struct diagnosis *
worker_health(const struct daemon *d, json_t *evidence)
{
	bool busy = false;

	for (uint16_t i = 0; rates_seconds(&d->rates) > 0 && i < dataplane_workers(d->dp); i++) {
		struct rate_worker w = rates_worker(&d->rates, i);
		double percent = w.loops ? 100.0 * (double)w.busy_loops / (double)w.loops : 0;

		if (percent <= BUSY_PERCENT)
			continue;
		busy = true;
		json_array_append_new(evidence, json_sprintf("worker %u: %.1f %%", i, percent));
	}
	return busy ? &diagnosis_cpu : &diagnosis_none;
}

/* Counts the gateway's connections with an end here; those not connected go to evidence. */
static uint32_t
connections_look(const struct daemon *d, int32_t gateway, json_t *evidence, bool *service)
{
	const struct config *c = d->world->config;
	struct connection_state s;
	uint32_t n = 0;

	*service = true;
	for (uint32_t i = 0; i < c->n_connections; i++) {
		if (c->connections[i].gateway1 != gateway)
			continue;
		connection_state(d, i, &s);
		if (!s.here)
			continue;
		n++;
		*service &= s.service;
		if (s.status != CONNECTION_CONNECTED)
			json_array_append_new(evidence,
				json_sprintf("%s: %s", c->connections[i].name, connection_status_name(s.status)));
	}
	return n;
}

static void
gateway_report(struct report *r, uint32_t i)
{
	const struct cfg_gateway *g = &r->d->world->config->gateways[i];
	bool clients = g->p2s.pool.n > 0, service;
	json_t *evidence = json_array();
	uint32_t n = connections_look(r->d, (int32_t)i, evidence, &service);
	const struct diagnosis *found = &diagnosis_none;

	if (clients)
		service &= ike_store_synced(r->d->ike);
	if (!service)
		found = &diagnosis_service;
	else if (n == 0 && !clients)
		found = &diagnosis_empty;
	else if (json_array_size(evidence) > 0)
		found = &diagnosis_down;
	else
		found = worker_health(r->d, evidence);
	result_add(r, "vnetGateway", g->name, found, evidence);
}

/* ---- verb ----------------------------------------------------------------------------- */

static bool
is_asked(struct report *r, const char *name)
{
	bool asked = !r->only || strcmp(r->only, name) == 0;

	r->found |= asked;
	return asked;
}

json_t *
troubleshoot(struct daemon *d, const struct request *request, struct failure *f)
{
	const struct argument *only = request_argument(request, "resource");
	struct report r = {.d = d, .only = only->given ? only->text : NULL, .results = json_array()};
	const struct config *c = d->world->config;
	time_t now = time(NULL);
	json_t *o;

	for (uint32_t i = 0; i < c->n_gateways; i++)
		if (!c->gateways[i].express_route && is_asked(&r, c->gateways[i].name))
			gateway_report(&r, i);
	for (uint32_t i = 0; i < c->n_connections; i++)
		if (c->connections[i].type != CONNECTION_EXPRESS_ROUTE && is_asked(&r, c->connections[i].name))
			connection_report(&r, i);
	if (r.only && !r.found) {
		json_decref(r.results);
		return failure_set(f, "NotFound", "there is no VPN connection or gateway \"%.200s\"", r.only);
	}
	o = json_object();
	json_object_set_new(o, "startTime", time_json(now));
	json_object_set_new(o, "endTime", time_json(time(NULL)));
	json_object_set_new(o, "code", json_string(r.unhealthy ? "UnHealthy" : "Healthy"));
	json_object_set_new(o, "results", r.results);
	return o;
}
