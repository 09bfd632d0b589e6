/* The list that a view is made of: the world's own tunnels and SAs, then what was negotiated, the oldest first, since
 * the last of equals is used. Each point-to-site client is a tunnel of its own behind the world's.
 */
#include "control/ike_store_state.h"

#include "drivers/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- room --------------------------------------------------------------------------- */

static int
room(void **array, uint32_t *have, uint32_t need, size_t size)
{
	void *grown;

	if (need <= *have)
		return 0;
	need += need / 2 + 16;
	grown = reallocarray(*array, need, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*have = need;
	return 0;
}

static int
rooms(struct ike_store *s)
{
	const struct view_spec *spec = &s->world->spec;
	uint32_t clients = 0;
	int r;

	for (uint32_t i = 0; i < s->n_gateways; i++)
		clients += s->gateway[i] ? s->gateway[i]->n_sas : 0;
	r = room((void **)&s->tunnel, &s->tunnel_room, spec->n_tunnels + clients + 1, sizeof(*s->tunnel));
	if (r == 0)
		r = room((void **)&s->sa, &s->sa_room, spec->n_sas + s->n_sas + 1, sizeof(*s->sa));
	if (r == 0)
		r = room((void **)&s->client, &s->client_room, 4 * clients + 1, sizeof(*s->client));
	return r;
}

/* ---- connections ---------------------------------------------------------------------- */

static uint16_t
uplink_with(const struct world *w, const struct ip_addr *local)
{
	for (uint32_t i = 0; i < w->spec.n_ifaces; i++) {
		const struct iface_spec *f = &w->spec.iface[i];

		for (uint32_t k = 0; f->kind == IFACE_UPLINK && k < f->n_prefixes; k++)
			if (address_equal(&f->address[k], local))
				return (uint16_t)i;
	}
	return IFACE_NONE;
}

static struct sa_spec
spec_of(const struct ike_store *s, const struct ike_sa *sa, uint16_t tunnel)
{
	return (struct sa_spec){.tunnel = tunnel,
		.config = sa->config,
		.sa = sa->sa,
		.name = sa->name,
		.uplink = uplink_with(s->world, &sa->local),
		.local = sa->local,
		.remote = sa->remote,
		.selector = sa->selector,
		.n_selectors = sa->n_selectors};
}

static void
add_connection(struct ike_store *s, struct sas_spec *out, const struct ike_peer *p)
{
	uint32_t at = out->n_sas + p->n_sas;

	out->n_sas = at;
	for (const struct ike_sa *sa = p->sas; sa; sa = sa->next)
		s->sa[--at] = spec_of(s, sa, p->tunnel);
}

/* ---- clients -------------------------------------------------------------------------- */

static bool
is_host(const struct ip_prefix *p)
{
	return p->len == (p->addr.family == IP_V4 ? 32 : 128);
}

/* Whose SA it is: the first single address at the far end; NULL: none, which no client has. */
static const struct ip_addr *
client_address(const struct ike_sa *sa)
{
	for (uint32_t i = 0; i < sa->n_selectors; i++)
		if (is_host(&sa->selector[i].remote))
			return &sa->selector[i].remote.addr;
	return NULL;
}

static int
client_order(const void *a, const void *b)
{
	const struct ike_sa *const *x = a, *const *y = b;
	int order = memcmp(client_address(*x), client_address(*y), sizeof(struct ip_addr));

	if (order != 0)
		return order;
	return (*x)->added_ns < (*y)->added_ns ? -1 : (*x)->added_ns > (*y)->added_ns;
}

static void
add_addresses(struct ike_store *s, struct sas_spec *out, const struct ike_sa *sa, uint16_t gateway, uint16_t tunnel)
{
	const struct ip_addr *last = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < sa->n_selectors && n < 4; i++) {
		const struct ip_prefix *p = &sa->selector[i].remote;

		if (!is_host(p) || (last && address_equal(last, &p->addr)))
			continue;
		s->client[out->n_clients++] = (struct client_spec){gateway, p->addr, tunnel};
		last = &p->addr;
		n++;
	}
}

static void
add_tunnel(struct ike_store *s, struct sas_spec *out, const struct ike_peer *p, const struct ike_sa *newest)
{
	char text[300], address[ADDRESS_TEXT_MAX];

	snprintf(text, sizeof(text), "gateway %.128s/client %s", p->name,
		address_text(client_address(newest), address, sizeof(address)));
	s->tunnel[out->n_tunnels++] = (struct tunnel_spec){.name = names_id(s->tools.names, text),
		.gateway = s->world->gateway_iface[p->index],
		.uplink = uplink_with(s->world, &newest->local),
		.local = newest->local,
		.remote = newest->remote,
		.copy_dscp = true,
		.copy_df = true};
}

static int
add_gateway(struct ike_store *s, struct sas_spec *out, const struct ike_peer *p)
{
	const struct ike_sa **sorted = calloc(p->n_sas + 1, sizeof(*sorted));
	uint32_t n = 0;

	if (!sorted)
		return -ENOMEM;
	for (const struct ike_sa *sa = p->sas; sa; sa = sa->next)
		if (client_address(sa) && uplink_with(s->world, &sa->local) != IFACE_NONE)
			sorted[n++] = sa;
	qsort(sorted, n, sizeof(*sorted), client_order);
	for (uint32_t i = 0; i < n; i++) {
		bool last = i + 1 == n || !address_equal(client_address(sorted[i]), client_address(sorted[i + 1]));

		s->sa[out->n_sas++] = spec_of(s, sorted[i], (uint16_t)out->n_tunnels);
		if (!last)
			continue;
		add_addresses(s, out, sorted[i], s->world->gateway_iface[p->index], (uint16_t)out->n_tunnels);
		add_tunnel(s, out, p, sorted[i]);
	}
	free(sorted);
	return out->n_tunnels < TUNNEL_NONE ? 0 : -E2BIG;
}

/* ---- all ------------------------------------------------------------------------------ */

int
ike_store_sas(struct ike_store *s, struct sas_spec *out)
{
	const struct view_spec *spec = &s->world->spec;
	int r = rooms(s);

	if (r != 0)
		return r;
	if (spec->n_tunnels)
		memcpy(s->tunnel, spec->tunnel, spec->n_tunnels * sizeof(*s->tunnel));
	if (spec->n_sas)
		memcpy(s->sa, spec->sa, spec->n_sas * sizeof(*s->sa));
	*out = (struct sas_spec){.tunnel = s->tunnel,
		.n_tunnels = spec->n_tunnels,
		.sa = s->sa,
		.n_sas = spec->n_sas,
		.client = s->client};
	for (uint32_t i = 0; i < s->n_connections; i++)
		if (s->connection[i])
			add_connection(s, out, s->connection[i]);
	for (uint32_t i = 0; i < s->n_gateways && r == 0; i++)
		if (s->gateway[i])
			r = add_gateway(s, out, s->gateway[i]);
	return r;
}

/* ---- looking -------------------------------------------------------------------------- */

static struct ike_sa_info
info_of(const struct ike_sa *sa)
{
	return (struct ike_sa_info){.name = sa->name,
		.tunnel = sa->peer->name_tunnel,
		.spi = sa->id.spi,
		.reqid = sa->reqid,
		.outbound = sa->outbound,
		.superseded = sa->superseded || sa->deleted,
		.visible = sa->waits == 0,
		.resource = sa->config.resource,
		.config = &sa->config,
		.local = sa->local,
		.remote = sa->remote,
		.selector = sa->selector,
		.n_selectors = sa->n_selectors,
		.sa = sa->sa,
		.added_ns = sa->added_ns,
		.soft_deadline_ns = sa->soft_ns,
		.hard_deadline_ns = sa->hard_ns,
		.identity = sa->identity,
		.past = sa->past};
}

static void
peer_each(const struct ike_peer *p, ike_store_look *each, void *context)
{
	for (const struct ike_sa *sa = p->sas; sa; sa = sa->next) {
		struct ike_sa_info info = info_of(sa);

		each(context, &info);
	}
}

bool
ike_store_initiated(const struct ike_store *s, uint32_t spi)
{
	const struct ike_sa *sa = ike_sa_by_spi(s, spi, false, NAME_NONE);

	return sa && sa->initiated;
}

void
ike_store_each(const struct ike_store *s, ike_store_look *each, void *context)
{
	for (uint32_t i = 0; i < PEER_BUCKETS; i++)
		for (const struct ike_peer *p = s->peer[i]; p; p = p->hash_next)
			peer_each(p, each, context);
}

void
ike_store_connection_each(const struct ike_store *s, uint32_t connection, ike_store_look *each, void *context)
{
	if (connection < s->n_connections && s->connection[connection])
		peer_each(s->connection[connection], each, context);
}

void
ike_store_gateway_each(const struct ike_store *s, uint32_t gateway, ike_store_look *each, void *context)
{
	if (gateway < s->n_gateways && s->gateway[gateway])
		peer_each(s->gateway[gateway], each, context);
}
