/* The rules are the vendor's (VPN Gateway BGP FAQ): advertised are the virtual network's prefixes, those of virtual
 * networks that use the gateway, of local network gateways and of point-to-site clients, and what other peers have
 * told, but for a default route and what overlaps the virtual network. What is told of exactly such a prefix is not
 * believed; a longer one would not be used (effective_routes.c), a shorter one is fine.
 *
 * A circuit's peer is told the networks alone, with the circuit's own number; and of what the VPN gateway beside tells,
 * which is all it would tell any peer and its default route, nothing is told on.
 *
 * Protocols: `own` is advertised, `peers` leads to next hops, each session is named by a hash of its connection, so
 * that a reconfiguration touches no session that stays.
 */
#include "control/bird_conf.h"

#include "control/bird_gateway.h"
#include "control/bird_write.h"
#include "control/gateway.h"
#include "control/text_hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ROOM 256
#define LOCAL_PREF 100       /* of a circuit whose connection has no routingWeight */
#define PREFERENCE_BESIDE 90 /* below BGP's 100: a circuit goes before the VPN gateway */
#define PREFERENCE 50 /* below BGP's 100: where a peer tells of a static prefix, others hear what it says of it */

void
bird_session_name(const struct gateway_session *s, char name[BIRD_NAME_MAX])
{
	char text[NAME_ROOM];

	switch (s->kind) {
	case SESSION_TUNNEL:
		snprintf(text, sizeof(text), "%s", s->of);
		break;
	case SESSION_CIRCUIT:
		snprintf(text, sizeof(text), "%s/%s", s->of, circuit_link_name[s->link]);
		break;
	case SESSION_COEXISTENCE:
		snprintf(text, sizeof(text), "gateway %s", s->of);
		break;
	case SESSION_HUB:
		snprintf(text, sizeof(text), "hub %s", s->of);
		break;
	}
	snprintf(name, BIRD_NAME_MAX, "c_%08x", text_hash(text));
}

static const char *
text_of(const struct ip_addr *a)
{
	static char text[2][ADDRESS_TEXT_MAX];
	static int turn;

	turn = !turn;
	return address_text(a, text[turn], sizeof(text[turn]));
}

/* ---- prefixes ------------------------------------------------------------------------- */

/* A set of those of one family, each with `pattern` behind; false: there is none. */
static bool
set_write(FILE *to, const struct cfg_prefixes *p, uint8_t family, const char *const *pattern, const char *before)
{
	char text[ADDRESS_TEXT_MAX];
	bool any = false;

	for (uint32_t i = 0; i < p->n; i++) {
		if (p->p[i].addr.family != family)
			continue;
		for (int k = 0; pattern[k]; k++) {
			fprintf(to, "%s%s%s", any ? ", " : before, prefix_text(&p->p[i], text, sizeof(text)),
				pattern[k]);
			any = true;
		}
	}
	if (any)
		fputs("]", to);
	return any;
}

struct listed {
	struct ip_prefix p;
	bool behind; /* a peer: next hops may be in it */
	bool far;    /* another hub's */
};

static int
listed_order(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int order = prefix_compare(&x->p, &y->p);

	return order != 0 ? order : y->behind - x->behind;
}

static uint32_t
listed_add(struct listed *l, uint32_t n, const struct cfg_prefixes *p, bool behind)
{
	for (uint32_t i = 0; i < p->n; i++)
		l[n++] = (struct listed){p->p[i], behind, false};
	return n;
}

static struct listed *
hub_list(const struct told_prefixes *told, uint32_t *n)
{
	struct listed *l = calloc(told->n + 1, sizeof(*l));

	*n = l ? told->n : 0;
	for (uint32_t i = 0; i < *n; i++)
		l[i] = (struct listed){told->p[i].prefix, told->p[i].behind, told->p[i].far};
	if (*n > 0)
		qsort(l, *n, sizeof(*l), listed_order);
	return l;
}

/* What is advertised whatever peers tell; sorted, some perhaps twice. */
static struct listed *
own_list(const struct writing *x, uint32_t *n)
{
	const struct cfg_gateway *g = &x->c->gateways[x->gateway];
	const struct cfg_prefixes *networks = &x->w->gateway_networks[x->gateway];
	uint32_t room = networks->n + g->p2s.pool.n;
	struct listed *l;

	if (g->hub != CFG_NONE)
		return hub_list(&x->w->hub_told[x->gateway], n);
	for (uint32_t i = 0; i < x->c->n_connections; i++)
		if (x->c->connections[i].gateway1 == (int32_t)x->gateway)
			room += gateway_remote_prefixes(x->c, &x->c->connections[i]).n;
	l = calloc(room + 1, sizeof(*l));
	*n = 0;
	if (!l)
		return NULL;
	*n = listed_add(l, *n, networks, false);
	*n = listed_add(l, *n, &g->p2s.pool, false);
	for (uint32_t i = 0; i < x->c->n_connections; i++) {
		struct cfg_prefixes p = gateway_remote_prefixes(x->c, &x->c->connections[i]);

		if (x->c->connections[i].gateway1 == (int32_t)x->gateway && x->w->tunnel[i] != TUNNEL_NONE)
			*n = listed_add(l, *n, &p, true);
	}
	if (*n > 0)
		qsort(l, *n, sizeof(*l), listed_order);
	return l;
}

static void
own_write(const struct writing *x, const struct listed *l, uint32_t n, uint8_t family, bool far)
{
	char text[ADDRESS_TEXT_MAX];

	fprintf(x->to, "protocol static %s%d {\n\tipv%d { preference %d; };\n", far ? "far" : "own",
		family == IP_V6 ? 6 : 4, family == IP_V6 ? 6 : 4, PREFERENCE);
	for (uint32_t i = 0; i < n; i++) {
		if (l[i].p.addr.family != family || l[i].far != far || (i > 0 && prefix_equal(&l[i - 1].p, &l[i].p)))
			continue;
		prefix_text(&l[i].p, text, sizeof(text));
		if (l[i].behind)
			fprintf(x->to, "\troute %s via \"%s\";\n", text, x->interface);
		else
			fprintf(x->to, "\troute %s unreachable;\n", text);
	}
	fputs("}\n", x->to);
}

/* ---- filters -------------------------------------------------------------------------- */

void
bird_not_own_write(const struct writing *x, uint8_t family, const char *indent)
{
	static const char *const exact[] = {"", NULL};
	char before[16];

	snprintf(before, sizeof(before), "%sif net ~ [", indent);
	if (set_write(x->to, &x->w->gateway_networks[x->gateway], family, exact, before))
		fputs(" then reject;\n", x->to);
}

void
bird_overlap_write(const struct writing *x, uint8_t family)
{
	static const char *const overlap[] = {"+", "-", NULL};

	if (set_write(x->to, &x->w->gateway_networks[x->gateway], family, overlap, "\tif net ~ ["))
		fputs(" then reject;\n", x->to);
}

static void
filters_write(const struct writing *x, uint8_t family)
{
	int v = family == IP_V6 ? 6 : 4;

	fprintf(x->to, "filter told%d {\n", v);
	bird_not_own_write(x, family, "\t");
	fprintf(x->to, "\taccept;\n}\nfilter tell%d {\n\tif source = RTS_STATIC && proto = \"own%d\" then accept;\n", v,
		v);
	fprintf(x->to, "\tif source != RTS_BGP || net = %s then reject;\n", family == IP_V6 ? "::/0" : "0.0.0.0/0");
	bird_overlap_write(x, family);
	fputs("\taccept;\n}\n", x->to);
}

static void
kernel_write(const struct writing *x, uint8_t family)
{
	int v = family == IP_V6 ? 6 : 4;

	fprintf(x->to,
		"protocol kernel kernel%d {\n\tscan time 20;\n\tmerge paths on limit 8;\n"
		"\tipv%d { import none; export where source = RTS_BGP; };\n}\n",
		v, v);
}

/* ---- sessions ------------------------------------------------------------------------- */

bool
bird_next_session(const struct writing *x, uint32_t *at, struct gateway_session *s)
{
	while (gateway_session_next(x->c, x->gateway, at, s))
		if (gateway_session_here(x->w, s))
			return true;
	return false;
}

/* A circuit's peer is on the link. */
static void
peers_write(const struct writing *x, uint8_t family)
{
	int v = family == IP_V6 ? 6 : 4;
	struct gateway_session s;

	fprintf(x->to, "protocol static peers%d {\n\tipv%d;\n", v, v);
	for (uint32_t at = 0; bird_next_session(x, &at, &s);)
		if (s.kind != SESSION_CIRCUIT && s.peer.family == family)
			fprintf(x->to, "\troute %s/%u via \"%s\";\n", text_of(&s.peer), address_bits(&s.peer),
				x->interface);
	fputs("}\n", x->to);
}

/* What is believed of the peer, and what it is told. */
static void
policy_write(const struct writing *x, const struct gateway_session *s, int v)
{
	bool express_route = x->c->gateways[x->gateway].express_route;

	if (x->c->gateways[x->gateway].hub != CFG_NONE) {
		bird_hub_policy_write(x, s, v);
		return;
	}
	switch (s->kind) {
	case SESSION_TUNNEL:
		fprintf(x->to, "\t\timport filter told%d;\n\t\texport filter tell%d;\n", v, v);
		break;
	case SESSION_CIRCUIT: /* two statements, for a filter calls no other */
		fprintf(x->to, "\t\timport filter {\n\t\t\tbgp_local_pref = %u;\n",
			LOCAL_PREF + x->c->connections[s->connection].routing_weight);
		bird_not_own_write(x, s->peer.family, "\t\t\t");
		fprintf(x->to, "\t\t\taccept;\n\t\t};\n\t\texport where proto = \"own%d\";\n", v);
		break;
	case SESSION_COEXISTENCE:
		if (express_route)
			fprintf(x->to, "\t\tpreference %d;\n\t\timport filter told%d;\n\t\texport none;\n",
				PREFERENCE_BESIDE, v);
		else
			fprintf(x->to, "\t\timport none;\n\t\texport where proto = \"own%d\" || source = RTS_BGP;\n",
				v);
		break;
	case SESSION_HUB: /* hubs have */
		break;
	}
}

static void
session_write(const struct writing *x, const struct gateway_session *s)
{
	char name[BIRD_NAME_MAX];
	struct bird_peer p = {.name = name,
		.of = s->of,
		.local = s->local,
		.peer = s->peer,
		.local_asn = s->local_asn,
		.peer_asn = s->peer_asn,
		.multihop = s->kind != SESSION_CIRCUIT,
		.retry_s = 5,
		.wait_max_s = 60,
		.settings = s->settings};
	int v = s->peer.family == IP_V6 ? 6 : 4;

	bird_session_name(s, name);
	bird_write_peer(x->to, &p);
	fprintf(x->to, "\tipv%d {\n", v);
	policy_write(x, s, v);
	fprintf(x->to, "\t\tnext hop self;\n\t\treceive limit %u action restart;\n\t};\n}\n",
		s->settings->max_prefixes);
}

/* ---- all ------------------------------------------------------------------------------ */

static void
write_all(const struct writing *x, const struct listed *own, uint32_t n)
{
	static const uint8_t family[] = {IP_V4, IP_V6};
	struct gateway_session session;

	bird_write_head(x->to, &x->c->gateways[x->gateway].bgp.address);
	for (int i = 0; i < 2; i++) {
		kernel_write(x, family[i]);
		own_write(x, own, n, family[i], false);
		peers_write(x, family[i]);
		if (x->c->gateways[x->gateway].hub == CFG_NONE) {
			filters_write(x, family[i]);
			continue;
		}
		own_write(x, own, n, family[i], true);
		bird_hub_filters_write(x, family[i]);
	}
	for (uint32_t at = 0; bird_next_session(x, &at, &session);)
		session_write(x, &session);
}

char *
bird_conf_make(const struct world *w, uint32_t gateway, const char *interface)
{
	struct writing x = {.w = w, .c = w->config, .gateway = gateway, .interface = interface};
	char *text = NULL;
	size_t size = 0;
	uint32_t n;
	struct listed *own = own_list(&x, &n);

	if (!own)
		return NULL;
	x.to = open_memstream(&text, &size);
	if (x.to) {
		write_all(&x, own, n);
		if (fclose(x.to) != 0) {
			free(text);
			text = NULL;
		}
	}
	free(own);
	return text;
}
