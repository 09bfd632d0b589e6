/* In the vendor's shapes (BgpPeerStatusListResult, GatewayRouteListResult): {"value": [...]}. Who would know is bird:
 * it is asked, and the answer comes when all have theirs. Of a daemon that is not ours the kernel's routes are known.
 */
#include "control/show_bgp.h"

#include "control/bird.h"
#include "control/daemon.h"
#include "control/show_health.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHT 32768 /* what the vendor's gateways say of every route */

/* One request. It ends with the last answer, and is told nothing more. */
struct bgp_question {
	struct daemon *d;
	struct api_ticket from;
	enum verb verb;
	uint32_t pending;
	json_t *list;
};

/* One of its questions to a bird. */
struct bgp_asked {
	struct bgp_question *q;
	char *gateway;               /* a name: the world may be another by then */
	char session[BIRD_NAME_MAX]; /* "": all */
};

/* ---- what names stand for ---------------------------------------------------------------- */

static bool
session_named(const struct config *c, const char *gateway, const char *name, struct gateway_session *out)
{
	char own[BIRD_NAME_MAX];

	for (uint32_t at = 0; gateway_session_next_of(c, gateway, &at, out);) {
		bird_session_name(out, own);
		if (strcmp(own, name) == 0)
			return true;
	}
	return false;
}

/* By what it goes: the connection, which of its links, or the other gateway. */
static void
way_set(json_t *o, const struct gateway_session *s)
{
	json_object_set_new(o, "connection", s->connection == CFG_NONE ? json_null() : json_string(s->of));
	if (s->kind == SESSION_CIRCUIT)
		json_object_set_new(o, "circuitLink", json_string(circuit_link_name[s->link]));
	if (s->connection == CFG_NONE)
		json_object_set_new(o, "peerGateway", json_string(s->of));
}

/* ---- bgp peers ------------------------------------------------------------------------- */

/* BgpPeerState */
static const char *
peer_state(const char *state)
{
	static const struct {
		const char *bird, *vendor;
	} words[] = {{"Established", "Connected"}, {"Connect", "Connecting"}, {"Active", "Connecting"},
		{"OpenSent", "Connecting"}, {"OpenConfirm", "Connecting"}, {"Idle", "Idle"}, {"Passive", "Idle"},
		{"Down", "Stopped"}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(state, words[i].bird) == 0)
			return words[i].vendor;
	return "Unknown";
}

/* "2026-11-28 12:22:27" of bird's clock as "[DAYS.]HH:MM:SS" ago. */
static json_t *
duration_json(const char *since)
{
	struct tm t = {.tm_isdst = -1};
	long s;

	if (!strptime(since, "%Y-%m-%d %H:%M:%S", &t))
		return json_null();
	s = (long)(time(NULL) - mktime(&t));
	if (s < 0)
		s = 0;
	if (s >= 86400)
		return json_sprintf("%ld.%02ld:%02ld:%02ld", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
	return json_sprintf("%02ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

/* b NULL: nobody knows. */
static json_t *
peer_json(const char *gateway, const struct gateway_session *s, const struct bird_session *b)
{
	bool up = b && strcmp(b->state, "Established") == 0;
	json_t *o = json_object();

	json_object_set_new(o, "virtualNetworkGateway", json_string(gateway));
	way_set(o, s);
	json_object_set_new(o, "localAddress", address_json(&s->local));
	json_object_set_new(o, "neighbor", address_json(&s->peer));
	json_object_set_new(o, "asn", json_integer(s->peer_asn));
	json_object_set_new(o, "state", json_string(b ? peer_state(b->state) : "Unknown"));
	json_object_set_new(o, "connectedDuration", up ? duration_json(b->since) : json_null());
	json_object_set_new(o, "routesReceived", json_integer(up ? (json_int_t)b->imported : 0));
	json_object_set_new(o, "routesAdvertised", json_integer(up ? (json_int_t)b->exported : 0));
	json_object_set_new(o, "messagesReceived", json_integer(b ? (json_int_t)b->updates_in : 0));
	json_object_set_new(o, "messagesSent", json_integer(b ? (json_int_t)b->updates_out : 0));
	json_object_set_new(o, "lastError", b && b->error[0] ? json_string(b->error) : json_null());
	return o;
}

struct telling {
	const struct bgp_asked *asked;
	const struct config *c;
	json_t *list;
};

static void
peer_append(void *context, const struct bird_session *b)
{
	const struct telling *t = context;
	struct gateway_session s;

	if (session_named(t->c, t->asked->gateway, b->name, &s))
		json_array_append_new(t->list, peer_json(t->asked->gateway, &s, b));
}

/* Bird is not there, or is somebody else's. */
static void
peers_unknown(const struct config *c, const char *gateway, json_t *list)
{
	struct gateway_session s;

	for (uint32_t at = 0; gateway_session_next_of(c, gateway, &at, &s);)
		json_array_append_new(list, peer_json(gateway, &s, NULL));
}

/* ---- routes ---------------------------------------------------------------------------- */

static json_t *
route_json(const char *gateway, const char *network, const char *as_path, const char *origin)
{
	json_t *o = json_object();

	json_object_set_new(o, "virtualNetworkGateway", json_string(gateway));
	json_object_set_new(o, "network", json_string(network));
	json_object_set_new(o, "asPath", json_string(as_path));
	json_object_set_new(o, "origin", json_string(origin));
	json_object_set_new(o, "weight", json_integer(WEIGHT));
	return o;
}

/* AS_PATH as the vendor writes it: numbers with hyphens between. */
static void
path_text(const char *path, char *out, size_t n)
{
	size_t used = 0;

	for (; *path && used + 1 < n; path++)
		out[used++] = *path == ' ' ? '-' : *path;
	out[used] = '\0';
}

static void
learned_append(void *context, const struct bird_route *r)
{
	const struct telling *t = context;
	struct gateway_session s;
	char path[sizeof r->as_path];
	json_t *o;

	path_text(r->as_path, path, sizeof path);
	if (session_named(t->c, t->asked->gateway, r->session, &s)) {
		o = route_json(t->asked->gateway, r->network, path, s.local_asn == s.peer_asn ? "IBgp" : "EBgp");
		json_object_set_new(o, "localAddress", address_json(&s.local));
		json_object_set_new(o, "sourcePeer", address_json(&s.peer));
		json_object_set_new(o, "nextHop", json_string(r->next_hop));
	} else if (strncmp(r->session, "own", 3) == 0 || strncmp(r->session, "far", 3) == 0) {
		o = route_json(t->asked->gateway, r->network, "", "Network");
		json_object_set_new(o, "localAddress", json_null());
		json_object_set_new(o, "sourcePeer", json_null());
		json_object_set_new(o, "nextHop", json_null());
	} else {
		return;
	}
	json_object_set_new(o, "best", json_boolean(r->best));
	json_array_append_new(t->list, o);
}

static void
advertised_append(void *context, const struct bird_route *r)
{
	const struct telling *t = context;
	char path[sizeof r->as_path + 12], received[sizeof r->as_path];
	struct gateway_session s;
	json_t *o;

	if (!session_named(t->c, t->asked->gateway, t->asked->session, &s))
		return;
	path_text(r->as_path, received, sizeof received);
	if (s.local_asn == s.peer_asn)
		snprintf(path, sizeof path, "%s", received);
	else
		snprintf(path, sizeof path, "%u%s%s", s.local_asn, received[0] ? "-" : "", received);
	o = route_json(t->asked->gateway, r->network, path, r->origin[0] ? r->origin : "IGP");
	way_set(o, &s);
	json_object_set_new(o, "localAddress", address_json(&s.local));
	json_object_set_new(o, "sourcePeer", address_json(&s.peer));
	json_object_set_new(o, "nextHop", address_json(&s.local));
	json_array_append_new(t->list, o);
}

/* Of a daemon that is not ours: what it gave its kernel. */
static void
kernel_append(const struct gateway_net *n, json_t *list)
{
	struct learned_routes all;

	if (learned_list(n->learned, &all) != 0)
		return;
	for (uint32_t i = 0; i < all.n; i++) {
		char text[ADDRESS_TEXT_MAX];

		for (uint8_t k = 0; k < all.route[i].n; k++) {
			json_t *o = route_json(
				n->gateway, prefix_text(&all.route[i].prefix, text, sizeof text), "", "EBgp");

			json_object_set_new(o, "localAddress", json_null());
			json_object_set_new(o, "sourcePeer", json_null());
			json_object_set_new(o, "nextHop", address_json(&all.route[i].via[k].address));
			json_object_set_new(o, "best", json_true());
			json_array_append_new(list, o);
		}
	}
	learned_routes_free(&all);
}

/* ---- asking ---------------------------------------------------------------------------- */

/* NULL: not all have answered. */
static json_t *
question_end(struct bgp_question *q)
{
	json_t *o;

	if (--q->pending > 0)
		return NULL;
	o = json_object();
	json_object_set_new(o, "value", q->list);
	free(q);
	return o;
}

static void
answered(void *context, const char *text, const char *error)
{
	struct bgp_asked *a = context;
	struct telling t = {a, a->q->d->world->config, a->q->list};
	struct daemon *d = a->q->d;
	struct api_ticket from = a->q->from;
	json_t *o;

	(void)error;
	if (a->q->verb == VERB_GATEWAY_HEALTH)
		json_array_append_new(t.list, gateway_health_json(d, a->gateway, text, false));
	else if (a->q->verb == VERB_BGP_PEERS && text)
		bird_sessions_read(text, peer_append, &t);
	else if (a->q->verb == VERB_BGP_PEERS)
		peers_unknown(t.c, a->gateway, t.list);
	else if (text)
		bird_routes_read(text, a->q->verb == VERB_ROUTES_LEARNED ? learned_append : advertised_append, &t);
	o = question_end(a->q);
	if (o && d->api)
		api_answer(d->api, from, o);
	else
		json_decref(o);
	free(a->gateway);
	free(a);
}

static void
ask(struct bgp_question *q, const struct gateway_net *n, const char *session, const char *command)
{
	struct bgp_asked *a = calloc(1, sizeof *a);

	if (!a)
		return;
	a->q = q;
	a->gateway = strdup(n->gateway);
	snprintf(a->session, sizeof a->session, "%s", session);
	q->pending++;
	if (!a->gateway || bird_ask(bird_client(n->bird), command, answered, a) != 0)
		answered(a, NULL, "bird is not there");
}

/* Per session, since what is advertised differs. */
static void
ask_advertised(struct bgp_question *q, const struct gateway_net *n, const struct argument *peer)
{
	const struct config *c = q->d->world->config;
	char name[BIRD_NAME_MAX], command[64 + BIRD_NAME_MAX];
	struct gateway_session s;

	for (uint32_t at = 0; gateway_session_next_of(c, n->gateway, &at, &s);) {
		if (peer->given && !address_equal(&s.peer, &peer->address))
			continue;
		bird_session_name(&s, name);
		snprintf(command, sizeof command, "show route all table all export %s", name);
		ask(q, n, name, command);
	}
}

static void
ask_gateway(struct bgp_question *q, const struct gateway_net *n, const struct request *r)
{
	if (q->verb == VERB_ROUTES_ADVERTISED && n->bird)
		ask_advertised(q, n, request_argument(r, "peer"));
	else if (q->verb == VERB_ROUTES_LEARNED && n->bird)
		ask(q, n, "",
			"show route all table all where source = RTS_BGP || proto ~ \"own?\" || proto ~ \"far?\"");
	else if (q->verb == VERB_ROUTES_LEARNED)
		kernel_append(n, q->list);
	else if (n->bird)
		ask(q, n, "", "show protocols all");
	else if (q->verb == VERB_GATEWAY_HEALTH)
		json_array_append_new(q->list, gateway_health_json(q->d, n->gateway, NULL, true));
	else if (q->verb == VERB_BGP_PEERS)
		peers_unknown(q->d->world->config, n->gateway, q->list);
}

json_t *
show_bgp_begin(struct daemon *d, const struct request *r, struct api_ticket from, struct failure *f)
{
	const struct argument *only = request_argument(r, "gateway");
	const struct gateway_net *n = only->given ? gateway_nets_find(d->gateways, only->text) : NULL;
	struct bgp_question *q;

	if (only->given && !n)
		return failure_set(f, "NotFound", "there is no gateway \"%.200s\" with BGP here", only->text);
	q = calloc(1, sizeof *q);
	if (!q)
		return failure_set(f, "NoMemory", "no memory to ask the routing daemons");
	*q = (struct bgp_question){d, from, r->verb, 1, json_array()};
	if (n)
		ask_gateway(q, n, r);
	for (uint32_t i = 0; !n && gateway_nets_at(d->gateways, i) != NULL; i++)
		ask_gateway(q, gateway_nets_at(d->gateways, i), r);
	return question_end(q);
}
