/* A view of other SAs: negotiated ones come and go far more often than configurations.
 *
 * Control thread. Interfaces, hops, routes, rules and tags are those of the base, by reference; tunnels, paths and the
 * table of SPIs are built anew. The base's own tunnels keep their ids, which its hops hold; those of clients stand
 * behind them and are found by the client's address.
 */
#include "dataplane/view_build.h"

#include <errno.h>
#include <stdatomic.h>

/* Workers index by what stands here without a check. */
static int
check(struct build *b)
{
	const struct sas_spec *s = &b->sas;
	const struct view *base = b->view->base;

	if (s->n_tunnels < base->n_static || s->n_tunnels >= TUNNEL_NONE)
		return build_fail(b, "%u tunnels, %u of them of the configuration: there may be %u in all",
			s->n_tunnels, base->n_static, TUNNEL_NONE - 1);
	for (uint32_t i = 0; i < s->n_tunnels; i++) {
		const struct tunnel_spec *t = &s->tunnel[i];

		if (i < base->n_static && t->name != base->tunnel[i].name)
			return build_fail(b, "tunnel %u is not the configuration's", i);
		if (t->gateway >= base->n_ifaces || t->uplink >= base->n_ifaces)
			return build_fail(b, "tunnel %u has no interface", i);
	}
	for (uint32_t i = 0; i < s->n_sas; i++)
		if (s->sa[i].tunnel >= s->n_tunnels || s->sa[i].uplink >= base->n_ifaces)
			return build_fail(b, "SA %u has no tunnel or interface", i);
	for (uint32_t i = 0; i < s->n_clients; i++)
		if (s->client[i].tunnel >= s->n_tunnels || s->client[i].address.family == IP_NONE)
			return build_fail(b, "client %u has no tunnel or address", i);
	return 0;
}

/* What the base has of its own stays its own. */
static void
share(struct view *v, const struct view *base)
{
	*v = (struct view){
		.base = view_ref(base),
		.number = base->number,
		.n_static = base->n_static,
		.iface_mask = base->iface_mask,
		.hop_mask = base->hop_mask,
		.iface = base->iface,
		.hop = base->hop,
		.attach = base->attach,
		.n_ports = base->n_ports,
		.routes = base->routes,
		.gateway_table = base->gateway_table,
		.acl = base->acl,
		.tags = base->tags,
		.n_routes = base->n_routes,
		.n_gateway_tables = base->n_gateway_tables,
		.n_acls = base->n_acls,
		.n_tags = base->n_tags,
		.n_ifaces = base->n_ifaces,
		.n_hops = base->n_hops,
		.nic_store = base->nic_store,
		.standby = base->standby,
		.n_standby = base->n_standby,
	};
	atomic_init(&v->references, 1);
}

struct view *
view_with_sas(const struct view *base, const struct sas_spec *spec, char *error, size_t error_size)
{
	static int (*const steps[])(struct build *) = {check, build_selectors, build_tunnels, build_paths,
		build_standby, build_spis, build_clients, build_encap_ports};
	struct build b = {.sas = *spec, .error = error, .error_size = error_size};

	error[0] = '\0';
	b.view = build_array(&b, 1, sizeof(*b.view));
	if (b.view == NULL)
		return NULL;
	share(b.view, base->base ? base->base : base);
	for (size_t i = 0; i < RTE_DIM(steps); i++) {
		if (steps[i](&b) != 0) {
			view_free(b.view);
			return NULL;
		}
	}
	return b.view;
}
