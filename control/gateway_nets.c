#include "control/gateway_nets.h"

#include "control/bird.h"
#include "control/gateway_session.h"
#include "control/text_hash.h"

#include "config/limit.h"
#include "drivers/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define ROUTES_MAX 1000000 /* of one gateway */
#define LINKS_MAX (1 + CFG_CIRCUIT_LINKS * LIMIT_CIRCUITS)

struct gateway_nets {
	struct loop *loop;
	struct dataplane *dp;
	struct gateway_net **of; /* never freed before the end: the loop may still name their sources */
	uint32_t n;
};

struct gateway_nets *
gateway_nets_create(struct loop *loop, struct dataplane *dp)
{
	struct gateway_nets *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->loop = loop;
	g->dp = dp;
	return g;
}

/* ---- following ------------------------------------------------------------------------ */

static void
monitor_close(struct gateway_net *n)
{
	if (!n->monitor)
		return;
	/* the descriptors are the monitor's */
	loop_forget(n->all->loop, &n->changes);
	loop_forget(n->all->loop, &n->dump);
	route_monitor_close(n->monitor);
	n->monitor = NULL;
}

static void
routes_ready(void *net, uint32_t events)
{
	struct gateway_net *n = net;
	int r = n->monitor ? route_monitor_read(n->monitor) : 0;

	(void)events;
	if (r == 0)
		return;
	log_error("bgp", "routes of gateway %s can be followed no more: %s; a reload begins again", n->gateway,
		strerror(-r));
	monitor_close(n);
}

static int
monitor_make(void *net)
{
	struct gateway_net *n = net;
	struct route_monitor_events e = learned_events(n->learned);

	return route_monitor_open(&e, &n->monitor);
}

static int
monitor_open(struct gateway_net *n)
{
	int r = namespace_run(&(struct network_namespace){.fd = local_net_fd(n->net)}, monitor_make, n);

	if (r != 0)
		return r;
	n->changes = (struct loop_source){route_monitor_changes_fd(n->monitor), routes_ready, n};
	n->dump = (struct loop_source){route_monitor_dump_fd(n->monitor), routes_ready, n};
	r = loop_add(n->all->loop, &n->changes, EPOLLIN);
	if (r == 0)
		r = loop_add(n->all->loop, &n->dump, EPOLLIN);
	if (r != 0)
		monitor_close(n);
	return r;
}

/* ---- one gateway ---------------------------------------------------------------------- */

static struct gateway_net *
known(const struct gateway_nets *g, const char *gateway)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (strcmp(g->of[i]->gateway, gateway) == 0)
			return g->of[i];
	return NULL;
}

static void
net_free(struct gateway_net *n, bool keep)
{
	bird_free(n->bird, keep);
	monitor_close(n);
	local_net_stop(n->net, keep);
	learned_free(n->learned);
	free(n->peer);
	free(n->beside);
	free(n->gateway);
	free(n);
}

/* Between the daemons of two gateways no worker has a part. */
static bool
to_beside(void *net, const uint8_t *l3, uint16_t length)
{
	const struct gateway_net *n = net;
	bool v6 = l3[0] >> 4 == 6;

	for (uint32_t i = 0; i < n->n_beside; i++) {
		const struct gateway_beside *to = &n->beside[i];

		if (to->address.family != (v6 ? IP_V6 : IP_V4) ||
			memcmp(l3 + (v6 ? 24 : 16), to->address.b, v6 ? 16 : 4) != 0)
			continue;
		local_net_packet(to->net->net, PUNT_BGP, to->iface, l3, length);
		return true;
	}
	return false;
}

static struct gateway_net *
add(struct gateway_nets *g, const char *gateway)
{
	struct gateway_net *n = calloc(1, sizeof *n), **grown;
	const struct local_traits traits = {.noun = "gateway",
		.divert = to_beside,
		.context = n,
		.links_max = LINKS_MAX,
		.alone = true,
		.classes = 1u << PUNT_BGP | 1u << PUNT_BFD | 1u << PUNT_LOCAL};

	if (!n)
		return NULL;
	n->all = g;
	n->changes.fd = n->dump.fd = -1;
	n->gateway = strdup(gateway);
	n->net = local_net_create(g->loop, g->dp, &traits);
	n->learned = learned_create(ROUTES_MAX);
	grown = reallocarray(g->of, g->n + 1, sizeof(struct gateway_net *));
	if (grown)
		g->of = grown;
	if (!n->gateway || !n->net || !n->learned || !grown) {
		net_free(n, false);
		return NULL;
	}
	return g->of[g->n++] = n;
}

/* "CONTROL-GATEWAY", cut and hashed where it is too long or has other characters than names of files should. */
static void
space_name(const struct cfg_appliance *a, const char *gateway, char name[NAMESPACE_NAME_MAX])
{
	bool plain = true;
	char whole[512];
	uint32_t hash;
	int n;

	n = a->control_namespace ? snprintf(whole, sizeof whole, "%s-%s", a->control_namespace, gateway)
				 : snprintf(whole, sizeof whole, "isthmus-%s-%s", a->name, gateway);
	hash = text_hash(whole);
	for (char *c = whole; *c; c++) {
		if (isalnum((unsigned char)*c) || *c == '-' || *c == '_' || *c == '.')
			continue;
		*c = '_';
		plain = false;
	}
	if (plain && n < NAMESPACE_NAME_MAX)
		snprintf(name, NAMESPACE_NAME_MAX, "%.*s", NAMESPACE_NAME_MAX - 1, whole);
	else
		snprintf(name, NAMESPACE_NAME_MAX, "%.*s-%08x", NAMESPACE_NAME_MAX - 10, whole, hash);
}

/* A circuit's peer is on its network; behind a gateway's link is everything else. */
static void
describe(const struct iface_spec *i, struct local_settings *s)
{
	memset(s, 0, sizeof *s);
	s->mac = (struct mac_addr){{2}}; /* nobody asks for it */
	s->mtu = i->mtu;
	for (uint16_t k = 0; k < i->n_prefixes; k++) {
		const struct ip_addr *a = &i->address[k];

		s->address[s->n].address = *a;
		s->address[s->n++].len = i->prefix[k].len;
		if (i->kind == IFACE_GATEWAY)
			s->gateway[a->family == IP_V6].family = a->family; /* unspecified */
	}
}

/* The gateway's, then those of its circuits; how many. */
static uint32_t
links_describe(const struct gateway_net *n, const struct world *w, const struct names *names, uint32_t gateway,
	struct local_link link[LINKS_MAX])
{
	const struct config *c = w->config;
	uint32_t links = 0;

	link[links] = (struct local_link){.name = n->gateway, .iface = w->gateway_iface[gateway]};
	describe(&w->spec.iface[link[links].iface], &link[links].is);
	links++;
	for (uint32_t i = 0; i < CFG_CIRCUIT_LINKS * c->n_circuits; i++) {
		const struct cfg_circuit *k = &c->circuits[i / CFG_CIRCUIT_LINKS];
		uint16_t iface = w->circuit_iface[i / CFG_CIRCUIT_LINKS][i % CFG_CIRCUIT_LINKS];

		if (iface == IFACE_NONE || c->connections[k->connection].gateway1 != (int32_t)gateway)
			continue;
		link[links] = (struct local_link){.name = names_text(names, w->spec.iface[iface].name), .iface = iface};
		describe(&w->spec.iface[iface], &link[links].is);
		links++;
	}
	return links;
}

/* A daemon that resolves next hops finds them on the link, whatever it has learned: a peer may tell of a network that
 * its own address is in. */
static int
peers_apply(struct gateway_net *n, const struct config *c, uint32_t gateway, uint16_t iface)
{
	struct ip_addr *peer = calloc(c->n_connections + c->wan.n_hubs + 2, sizeof *peer);
	struct gateway_session s;
	uint32_t peers = 0;
	int r;

	if (!peer)
		return -ENOMEM;
	for (uint32_t at = 0; gateway_session_next(c, gateway, &at, &s);)
		if (s.kind != SESSION_CIRCUIT)
			peer[peers++] = s.peer;
	r = local_net_hosts(n->net, iface, peer, peers, n->peer, n->n_peers);
	free(n->peer);
	n->peer = peer;
	n->n_peers = peers;
	return r;
}

static void
beside_add(struct gateway_net *n, const struct world *w, const struct gateway_session *s)
{
	struct gateway_net *other = known(n->all, s->of);
	struct gateway_beside *grown = reallocarray(n->beside, n->n_beside + 1, sizeof *grown);

	if (grown)
		n->beside = grown;
	if (grown && other)
		grown[n->n_beside++] = (struct gateway_beside){other, s->peer, w->gateway_iface[s->beside]};
}

/* All gateways' links are there by now. */
static void
beside_apply(struct gateway_nets *g, const struct world *w)
{
	const struct config *c = w->config;
	struct gateway_session s;

	for (uint32_t i = 0; i < g->n; i++)
		g->of[i]->n_beside = 0;
	for (uint32_t i = 0; i < c->n_gateways; i++) {
		struct gateway_net *n = known(g, c->gateways[i].name);

		for (uint32_t at = 0; n && n->wanted && gateway_session_next(c, i, &at, &s);)
			if (s.kind == SESSION_COEXISTENCE || s.kind == SESSION_HUB)
				beside_add(n, w, &s);
	}
}

static int
netns_of(void *net)
{
	return local_net_fd(((const struct gateway_net *)net)->net);
}

static int
daemon_apply(struct gateway_net *n, const struct world *w, uint32_t gateway, char *error, size_t size)
{
	const struct cfg_appliance *a = &w->config->appliance;
	char whose[300];
	uint64_t links = 0;
	char *text;
	int r = 0;

	if (a->bgp.daemon != BGP_DAEMON_MANAGED)
		return 0;
	snprintf(whose, sizeof whose, "gateway %s", n->gateway);
	if (!n->bird)
		r = bird_create(n->all->loop, &a->bgp, a->name, n->gateway, whose, netns_of, n, &n->bird, error, size);
	if (r != 0)
		return r;
	text = bird_conf_make(w, gateway, local_net_tap_of(n->net, w->gateway_iface[gateway])->interface);
	if (!text)
		return -ENOMEM;
	bird_apply(n->bird, text);
	for (uint32_t i = 0; local_net_tap(n->net, i); i++)
		links = 31 * links + (uint64_t)local_net_tap(n->net, i)->index;
	if (n->links != links)
		bird_link_made(n->bird);
	n->links = links;
	return 0;
}

static int
net_apply(struct gateway_net *n, const struct world *w, const struct names *names, uint32_t gateway, char *error,
	size_t size)
{
	const struct cfg_appliance *a = &w->config->appliance;
	uint16_t iface = w->gateway_iface[gateway];
	struct local_link link[LINKS_MAX];
	char name[NAMESPACE_NAME_MAX], owner[256];
	uint32_t links = links_describe(n, w, names, gateway, link);
	int r;

	space_name(a, n->gateway, name);
	snprintf(owner, sizeof owner, "%.100s, gateway %.100s", a->name, n->gateway);
	r = local_net_set(n->net, name, owner, link, links, error, size);
	if (r == 0) {
		r = peers_apply(n, w->config, gateway, iface);
		if (r != 0)
			snprintf(error, size, "routes to peers in network namespace %s: %s", name, strerror(-r));
	}
	if (r == 0 && !n->monitor) {
		r = monitor_open(n);
		if (r != 0)
			snprintf(error, size, "routes of network namespace %s: %s", name, strerror(-r));
	}
	return r != 0 ? r : daemon_apply(n, w, gateway, error, size);
}

/* ---- all ------------------------------------------------------------------------------ */

/* Daemons say goodbye, then the link goes; what was learned is nobody's at once. */
static void
drop(struct gateway_net *n)
{
	if (n->bird)
		bird_apply(n->bird, NULL);
	monitor_close(n);
	learned_clear(n->learned);
	local_net_idle(n->net);
}

int
gateway_nets_apply(struct gateway_nets *g, const struct world *w, const struct names *names, char *error, size_t n)
{
	const struct config *c = w->config;
	char other[256];
	int result = 0;

	for (uint32_t i = 0; i < g->n; i++)
		g->of[i]->wanted = false;
	for (uint32_t i = 0; i < c->n_gateways; i++) {
		struct gateway_net *net;
		int r;

		if (!gateway_speaks(&c->gateways[i]))
			continue;
		net = known(g, c->gateways[i].name);
		if (!net)
			net = add(g, c->gateways[i].name);
		if (net)
			net->wanted = true;
		r = net ? net_apply(net, w, names, i, result ? other : error, result ? sizeof other : n) : -ENOMEM;
		result = result ? result : r;
	}
	beside_apply(g, w);
	for (uint32_t i = 0; i < g->n; i++)
		if (!g->of[i]->wanted && g->of[i]->monitor)
			drop(g->of[i]);
	return result;
}

void
gateway_nets_tick(struct gateway_nets *g, uint64_t now_ns)
{
	for (uint32_t i = 0; g && i < g->n; i++) {
		if (g->of[i]->bird)
			bird_tick(g->of[i]->bird, now_ns);
		local_net_tick(g->of[i]->net, now_ns);
	}
}

void
gateway_nets_goodbye(struct gateway_nets *g)
{
	for (uint32_t i = 0; g && i < g->n; i++)
		if (g->of[i]->bird)
			bird_goodbye(g->of[i]->bird);
}

bool
gateway_nets_gone(const struct gateway_nets *g)
{
	for (uint32_t i = 0; g && i < g->n; i++)
		if (g->of[i]->bird && !bird_gone(g->of[i]->bird))
			return false;
	return true;
}

void
gateway_nets_stop(struct gateway_nets *g, bool keep)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->n; i++)
		net_free(g->of[i], keep);
	free(g->of);
	free(g);
}

bool
gateway_nets_packet(struct gateway_nets *g, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length)
{
	for (uint32_t i = 0; g && i < g->n; i++)
		if (g->of[i]->wanted && local_net_packet(g->of[i]->net, class, iface, l3, length))
			return true;
	return false;
}

/* ---- what they have learned ------------------------------------------------------------- */

uint64_t
gateway_nets_change(const struct gateway_nets *g)
{
	uint64_t change = 0;

	for (uint32_t i = 0; g && i < g->n; i++)
		change += learned_change(g->of[i]->learned);
	return change;
}

struct learned_all *
gateway_nets_learned(const struct gateway_nets *g)
{
	struct learned_all *all = calloc(1, sizeof *all);

	if (!all)
		return NULL;
	all->of = calloc(g ? g->n + 1 : 1, sizeof *all->of);
	for (uint32_t i = 0; all->of && g && i < g->n; i++) {
		struct learned_gateway *l = &all->of[all->n];

		if (!g->of[i]->wanted)
			continue;
		l->gateway = strdup(g->of[i]->gateway);
		if (!l->gateway || learned_list(g->of[i]->learned, &l->routes) != 0) {
			free(l->gateway);
			learned_all_free(all);
			return NULL;
		}
		all->n++;
	}
	if (all->of)
		return all;
	free(all);
	return NULL;
}

const struct gateway_net *
gateway_nets_at(const struct gateway_nets *g, uint32_t n)
{
	for (uint32_t i = 0; g && i < g->n; i++)
		if (g->of[i]->wanted && n-- == 0)
			return g->of[i];
	return NULL;
}

const struct gateway_net *
gateway_nets_find(const struct gateway_nets *g, const char *gateway)
{
	const struct gateway_net *n = g ? known(g, gateway) : NULL;

	return n && n->wanted ? n : NULL;
}
