/* Who answers which verb in the running daemon. Control thread. */
#include "control/api_verbs.h"

#include "control/daemon.h"
#include "control/reload.h"
#include "control/show_bgp.h"
#include "control/show_running.h"

static running_function *const running_verbs[VERB_COUNT] = {
	[VERB_STATUS] = show_status,
	[VERB_PORT_LIST] = show_ports,
	[VERB_PORT_SHOW] = show_port,
	[VERB_CONNECTION_LIST] = show_connections,
	[VERB_CONNECTION_SHOW] = show_connection,
	[VERB_CONNECTION_RESET] = reset_connection,
	[VERB_CLIENTS] = show_clients,
	[VERB_TROUBLESHOOT] = troubleshoot,
	[VERB_HA_SHOW] = show_ha,
	[VERB_HA_DRAIN] = drain_ha,
	[VERB_HA_RESUME] = resume_ha,
	[VERB_SA_LIST] = show_sas,
	[VERB_FLOW_LIST] = show_flows,
	[VERB_NEIGHBOUR_LIST] = show_neighbours,
	[VERB_DROPS] = show_drops,
	[VERB_STATS] = show_stats,
	[VERB_WATCH] = show_rates,
};

struct show
daemon_show(const struct daemon *d)
{
	return (struct show){d->world, dataplane_view(d->dp), d->names, d->text};
}

json_t *
verbs_answer(void *daemon, const struct request *r, struct api_ticket from, struct failure *f)
{
	struct daemon *d = daemon;
	show_function *of_world = show_function_of(r->verb);
	struct show s = daemon_show(d);

	if (r->verb == VERB_TRACE)
		return trace_begin(d, r, from, f);
	if (r->verb == VERB_BGP_PEERS || r->verb == VERB_ROUTES_LEARNED || r->verb == VERB_ROUTES_ADVERTISED ||
		r->verb == VERB_GATEWAY_HEALTH)
		return show_bgp_begin(d, r, from, f);
	if (r->verb == VERB_APPLY || r->verb == VERB_VERIFY)
		return reload_begin(d, request_argument(r, "file")->text, r->verb == VERB_VERIFY, from, f);
	if (of_world)
		return of_world(&s, r, f);
	if (running_verbs[r->verb])
		return running_verbs[r->verb](d, r, f);
	return failure_set(f, "UnknownVerb", "\"%s\" is not served here", verbs[r->verb].name);
}

void
verbs_gone(void *daemon, struct api_ticket from)
{
	trace_gone(daemon, from);
}
