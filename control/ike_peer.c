/* Peers: a connection, or the point-to-site clients of a gateway, by the if_id that charon knows them by. A peer stays
 * when a configuration drops it, as long as charon still has SAs of it; they are not published then.
 */
#include "control/ike_id.h"
#include "control/ike_store_state.h"

#include "drivers/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define P2S_PREFIX "p2s-" /* of the IKE configuration's name, before the gateway's */

static struct ike_peer **
bucket_of(struct ike_store *s, uint32_t if_id)
{
	return &s->peer[(if_id ^ if_id >> 12) % PEER_BUCKETS];
}

struct ike_peer *
ike_peer_get(struct ike_store *s, uint32_t if_id)
{
	struct ike_peer **head = bucket_of(s, if_id), *p;

	for (p = *head; p; p = p->hash_next)
		if (p->if_id == if_id)
			return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->if_id = if_id;
	p->tunnel = TUNNEL_NONE;
	p->hash_next = *head;
	*head = p;
	return p;
}

struct ike_peer *
ike_peer_named(struct ike_store *s, const char *ike_name)
{
	size_t skip = sizeof(P2S_PREFIX) - 1;

	for (uint32_t i = 0; i < s->n_connections; i++)
		if (s->connection[i] && strcmp(s->connection[i]->name, ike_name) == 0)
			return s->connection[i];
	for (uint32_t i = 0; i < s->n_gateways; i++)
		if (s->gateway[i] && strncmp(ike_name, P2S_PREFIX, skip) == 0 &&
			strcmp(s->gateway[i]->name, ike_name + skip) == 0)
			return s->gateway[i];
	return NULL;
}

void
ike_peers_free(struct ike_store *s)
{
	ike_policies_flush(s);
	for (uint32_t i = 0; i < PEER_BUCKETS; i++) {
		while (s->peer[i]) {
			struct ike_peer *p = s->peer[i];

			s->peer[i] = p->hash_next;
			free(p);
		}
	}
	free(s->connection);
	free(s->gateway);
}

/* ---- the bound world ------------------------------------------------------------------- */

static void
unbind(struct ike_store *s)
{
	for (uint32_t i = 0; i < PEER_BUCKETS; i++) {
		for (struct ike_peer *p = s->peer[i]; p; p = p->hash_next) {
			p->kind = IKE_PEER_UNKNOWN;
			p->tunnel = TUNNEL_NONE;
		}
	}
}

static uint32_t
name_made(const struct ike_store *s, const char *kind, const char *name, const char *what)
{
	char text[400];

	snprintf(text, sizeof(text), "%s %.300s%s", kind, name, what);
	return names_id(s->tools.names, text);
}

static void
bind_peer(struct ike_store *s, struct ike_peer *p, enum ike_peer_kind kind, uint32_t index, const char *name)
{
	const char *word = kind == IKE_PEER_CONNECTION ? "connection" : "gateway";

	p->kind = kind;
	p->index = index;
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->name_tunnel = name_made(s, word, name, "");
	p->name_in = name_made(s, word, name, "/sa in");
	p->name_out = name_made(s, word, name, "/sa out");
}

static int
bind_connections(struct ike_store *s, const struct world *w, const struct ike_ids *ids)
{
	const struct config *c = w->config;

	for (uint32_t i = 0; i < c->n_connections; i++) {
		const struct cfg_connection *x = &c->connections[i];

		if (!x->uses_ike || w->tunnel[i] == TUNNEL_NONE)
			continue;
		s->connection[i] = ike_peer_get(s, ids->connection[i]);
		if (!s->connection[i])
			return -ENOMEM;
		bind_peer(s, s->connection[i], IKE_PEER_CONNECTION, i, x->name);
		s->connection[i]->tunnel = w->tunnel[i];
		s->connection[i]->wanted = x->ike.tunnels ? x->ike.tunnels : 1;
	}
	return 0;
}

static int
bind_gateways(struct ike_store *s, const struct world *w, const struct ike_ids *ids)
{
	const struct config *c = w->config;

	for (uint32_t i = 0; i < c->n_gateways; i++) {
		if (c->gateways[i].p2s.pool.n == 0)
			continue;
		s->gateway[i] = ike_peer_get(s, ids->gateway[i]);
		if (!s->gateway[i])
			return -ENOMEM;
		bind_peer(s, s->gateway[i], IKE_PEER_GATEWAY, i, c->gateways[i].name);
		s->gateway[i]->wanted = 1;
	}
	return 0;
}

int
ike_store_bind(struct ike_store *s, const struct world *w)
{
	const struct config *c = w->config;
	struct ike_ids ids;
	int r = ike_ids_make(c, &ids);

	if (r != 0)
		return r;
	free(s->connection);
	free(s->gateway);
	s->connection = calloc(c->n_connections + 1, sizeof(*s->connection));
	s->gateway = calloc(c->n_gateways + 1, sizeof(*s->gateway));
	s->n_connections = s->connection ? c->n_connections : 0;
	s->n_gateways = s->gateway ? c->n_gateways : 0;
	s->world = w;
	s->change++;
	unbind(s);
	r = s->connection && s->gateway ? bind_connections(s, w, &ids) : -ENOMEM;
	if (r == 0)
		r = bind_gateways(s, w, &ids);
	ike_ids_free(&ids);
	return r;
}

const struct ike_status *
ike_store_connection(const struct ike_store *s, uint32_t connection)
{
	return connection < s->n_connections && s->connection[connection] ? &s->connection[connection]->status : NULL;
}

const struct ike_status *
ike_store_gateway(const struct ike_store *s, uint32_t gateway)
{
	return gateway < s->n_gateways && s->gateway[gateway] ? &s->gateway[gateway]->status : NULL;
}

/* ---- which SAs are used side by side ----------------------------------------------------- */

static bool
selectors_equal(const struct ike_sa *a, const struct ike_sa *b)
{
	return a->n_selectors == b->n_selectors &&
	       (a->n_selectors == 0 || memcmp(a->selector, b->selector, a->n_selectors * sizeof(*a->selector)) == 0);
}

/* Outbound, and of one class with `of`: its rivals. */
static bool
rival(const struct ike_sa *sa, const struct ike_sa *of)
{
	return sa->outbound && !sa->superseded && selectors_equal(sa, of);
}

/* How many newer SAs have this one's number, and which numbers are taken by anybody. */
static uint32_t
newer_with(const struct ike_peer *p, const struct ike_sa *of, uint64_t *taken)
{
	bool newer = true;
	uint32_t n = 0;

	*taken = 0;
	for (const struct ike_sa *sa = p->sas; sa; sa = sa->next) {
		if (sa == of)
			newer = false;
		if (!rival(sa, of))
			continue;
		*taken |= 1ull << sa->config.resource;
		if (newer && sa->config.resource == of->config.resource)
			n++;
	}
	return n;
}

/* A number that a newer SA of the class has too is not this one's alone: while others are free it moves to one. That
 * heals a wrong guess of which SA a new one replaces. A gateway's thousands of clients have one each. */
static void
spread(struct ike_peer *p)
{
	for (struct ike_sa *sa = p->sas; sa && p->kind != IKE_PEER_GATEWAY; sa = sa->next) {
		uint64_t taken, wanted = p->wanted >= 64 ? UINT64_MAX : (1ull << p->wanted) - 1;

		if (!sa->outbound || sa->superseded || newer_with(p, sa, &taken) == 0)
			continue;
		if (~taken & wanted)
			sa->config.resource = (uint8_t)__builtin_ctzll(~taken & wanted);
	}
}

static void
up_or_down(struct ike_peer *p)
{
	struct ike_status *t = &p->status;
	bool was = t->inbound && t->outbound, is;

	t->inbound = t->outbound = 0;
	for (const struct ike_sa *sa = p->sas; sa; sa = sa->next)
		if (!sa->deleted)
			*(sa->outbound ? &t->outbound : &t->inbound) += 1;
	is = t->inbound && t->outbound;
	if (is && !was) {
		t->established = time(NULL);
		t->established_ns = clock_boot_ns();
		t->lost_ns = 0;
	} else if (was && !is) {
		t->lost_ns = clock_boot_ns();
	}
}

void
ike_peer_settle(struct ike_store *s, struct ike_peer *p)
{
	s->change++;
	spread(p);
	up_or_down(p);
}
