/* gateway health: the failure that costs operators hours is a tunnel that is up and carries nothing, because routes are
 * missing. Each session is held against its tunnel; and that between the gateways of both types, without which all
 * tunnels carry nothing, has a word of its own.
 */
#include "control/show_health.h"

#include "control/bird_status.h"
#include "control/connection.h"
#include "control/daemon.h"

#include <string.h>

struct sessions {
	struct bird_session found; /* what bird says of the one that is looked for */
	char wanted[BIRD_NAME_MAX];
};

static void
session_take(void *context, const struct bird_session *s)
{
	struct sessions *all = context;

	if (strcmp(s->name, all->wanted) == 0)
		all->found = *s;
}

static void
fault_add(json_t *faults, const char *id, const char *resource, const char *summary, json_t *evidence)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "resource", json_string(resource));
	json_object_set_new(o, "summary", json_string(summary));
	json_object_set_new(o, "evidence", evidence);
	json_array_append_new(faults, o);
}

/* tunnel NULL: the session is in none. */
static json_t *
evidence_of(const struct connection_state *tunnel, const struct bird_session *s)
{
	json_t *list = json_array();

	if (tunnel)
		json_array_append_new(
			list, json_sprintf("the connection is %s", connection_status_name(tunnel->status)));
	json_array_append_new(list, json_sprintf("the BGP session is %s", s->state[0] ? s->state : "not there"));
	if (s->error[0])
		json_array_append_new(list, json_sprintf("its last error: %s", s->error));
	if (strcmp(s->state, "Established") == 0)
		json_array_append_new(list, json_sprintf("routes told by the peer: %lu", s->imported));
	return list;
}

/* The tunnel first: without it there is no session. */
static void
tunnel_judge(json_t *faults, const struct cfg_connection *c, const struct connection_state *tunnel,
	const struct bird_session *s)
{
	bool up = strcmp(s->state, "Established") == 0;

	if (tunnel->status != CONNECTION_CONNECTED)
		fault_add(faults, "TUNNEL_DOWN", c->name, "the tunnel is down; \"vpn troubleshoot\" tells why",
			evidence_of(tunnel, s));
	else if (!up)
		fault_add(faults, "BGP_DOWN", c->name,
			"the tunnel is up and the BGP session inside is not: the peer's routes are missing",
			evidence_of(tunnel, s));
	else if (s->imported == 0)
		fault_add(faults, "NO_ROUTES", c->name,
			"the tunnel and the BGP session are up, and the peer has told no route that is believed",
			evidence_of(tunnel, s));
}

static void
circuit_judge(json_t *faults, const struct gateway_session *g, const struct bird_session *s)
{
	json_t *evidence = evidence_of(NULL, s);

	json_array_append_new(evidence, json_sprintf("on the %s link", circuit_link_name[g->link]));
	if (strcmp(s->state, "Established") != 0)
		fault_add(faults, "CIRCUIT_BGP_DOWN", g->of,
			"the BGP session with the provider's edge is not up: nothing goes by this link", evidence);
	else if (s->imported == 0)
		fault_add(faults, "NO_ROUTES", g->of,
			"the BGP session with the provider's edge is up, and it has told no route that is believed",
			evidence);
	else
		json_decref(evidence);
}

/* Both gateways say so: operators look at the one whose tunnels carry nothing. */
static void
beside_judge(const struct daemon *d, const char *gateway, json_t *faults, const struct gateway_session *g,
	const struct bird_session *s)
{
	const struct config *c = d->world->config;
	json_t *evidence;
	uint32_t up = 0;

	if (strcmp(s->state, "Established") == 0)
		return;
	for (uint32_t i = 0; i < c->n_connections; i++) {
		struct connection_state tunnel;
		int32_t own = c->connections[i].gateway1;

		if (own == CFG_NONE || c->connections[i].type == CONNECTION_EXPRESS_ROUTE ||
			(own != g->beside && strcmp(c->gateways[own].name, gateway) != 0))
			continue;
		connection_state(d, i, &tunnel);
		up += tunnel.status == CONNECTION_CONNECTED;
	}
	evidence = evidence_of(NULL, s);
	json_array_append_new(evidence, json_sprintf("tunnels up: %u", up));
	fault_add(faults, "COEX_BGP_DOWN", g->of,
		"the BGP session between the VPN gateway and the ExpressRoute gateway is down: the network has no "
		"routes "
		"to what the tunnels lead to, though these may be up",
		evidence);
}

static void
hub_judge(json_t *faults, const struct gateway_session *g, const struct bird_session *s)
{
	if (strcmp(s->state, "Established") != 0)
		fault_add(faults, "HUB_BGP_DOWN", g->of,
			"the BGP session with the other hub is down: what its sites and circuits tell is missing",
			evidence_of(NULL, s));
}

static void
sessions_judge(const struct daemon *d, const char *gateway, const char *text, json_t *faults)
{
	const struct config *c = d->world->config;
	struct gateway_session g;

	for (uint32_t at = 0; gateway_session_next_of(c, gateway, &at, &g);) {
		struct sessions all = {0};
		struct connection_state tunnel;

		bird_session_name(&g, all.wanted);
		bird_sessions_read(text, session_take, &all);
		switch (g.kind) {
		case SESSION_TUNNEL:
			connection_state(d, (uint32_t)g.connection, &tunnel);
			tunnel_judge(faults, &c->connections[g.connection], &tunnel, &all.found);
			break;
		case SESSION_CIRCUIT:
			if (gateway_session_here(d->world, &g))
				circuit_judge(faults, &g, &all.found);
			break;
		case SESSION_COEXISTENCE:
			beside_judge(d, gateway, faults, &g, &all.found);
			break;
		case SESSION_HUB:
			hub_judge(faults, &g, &all.found);
			break;
		}
	}
}

json_t *
gateway_health_json(const struct daemon *d, const char *gateway, const char *text, bool external)
{
	const struct gateway_net *n = gateway_nets_find(d->gateways, gateway);
	json_t *o = json_object(), *faults = json_array();

	if (!text && !external)
		fault_add(faults, "BGP_DAEMON_DOWN", gateway, "the routing daemon does not answer", json_array());
	else if (text)
		sessions_judge(d, gateway, text, faults);
	if (n && !n->monitor)
		fault_add(faults, "ROUTES_NOT_FOLLOWED", gateway,
			"what the routing daemon gives its kernel is not followed; apply the configuration again",
			json_array());
	if (n && learned_refused(n->learned) > 0)
		fault_add(faults, "TOO_MANY_ROUTES", gateway, "routes beyond the limit were left out", json_array());
	json_object_set_new(o, "virtualNetworkGateway", json_string(gateway));
	json_object_set_new(o, "health",
		json_string(json_array_size(faults) ? "Degraded"
			    : external              ? "Unknown"
						    : "Healthy"));
	json_object_set_new(o, "learnedRoutes", json_integer(n ? (json_int_t)learned_count(n->learned) : 0));
	json_object_set_new(o, "faults", faults);
	return o;
}
