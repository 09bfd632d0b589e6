/* Connections as tunnels: one for each connection whose own end has a public address on an uplink here. */
#include "control/gateway.h"

#include <string.h>

/* The uplink that carries a public address, IFACE_NONE. */
static uint16_t
uplink_with(const struct world_build *b, const struct ip_addr *a)
{
	const struct cfg_appliance *appliance = &b->config->appliance;

	for (uint32_t u = 0; u < appliance->n_uplinks; u++) {
		for (uint32_t i = 0; i < appliance->uplinks[u].addresses.n; i++) {
			if (address_equal(&appliance->uplinks[u].address[i], a))
				return b->uplink_iface[u];
		}
	}
	return IFACE_NONE;
}

static struct ip_addr
remote_address(const struct config *c, const struct cfg_connection *connection)
{
	if (connection->local_gateway != CFG_NONE)
		return c->local_gateways[connection->local_gateway].address;
	if (connection->gateway2 != CFG_NONE)
		return gateway_public_ip(c, connection->gateway2);
	return (struct ip_addr){0};
}

/* The peer's address is known only once charon has resolved its name: each negotiated SA brings its own ends. */
static bool
is_by_name(const struct config *c, const struct cfg_connection *connection)
{
	return connection->local_gateway != CFG_NONE && c->local_gateways[connection->local_gateway].fqdn != NULL;
}

/* Our end: the first of the gateway's public addresses that is on an uplink and of the remote's family. */
static bool
local_end(const struct world_build *b, const struct cfg_gateway *g, bool any_family, struct tunnel_spec *t)
{
	for (uint32_t i = 0; i < g->public_ip_refs.n; i++) {
		if (g->public_ips[i] == CFG_NONE)
			continue;
		t->local = b->config->public_ips[g->public_ips[i]].address;
		t->uplink = uplink_with(b, &t->local);
		if (t->uplink != IFACE_NONE && (any_family || t->local.family == t->remote.family))
			return true;
	}
	return false;
}

/* ---- selectors ------------------------------------------------------------------------- */

/* Every local prefix with every remote one of the same family. */
static void
add_cross_product(struct world_build *b, struct tunnel_spec *t, const struct cfg_prefixes *local,
	const struct cfg_prefixes *remote)
{
	for (uint32_t i = 0; i < local->n; i++) {
		for (uint32_t k = 0; k < remote->n; k++) {
			struct selector_spec *grown;

			if (local->p[i].addr.family != remote->p[k].addr.family)
				continue;
			grown = world_grow(b, t->selector, t->n_selectors, sizeof(*grown));
			if (grown == NULL)
				return;
			t->selector = grown;
			grown[t->n_selectors++] = (struct selector_spec){.local = local->p[i], .remote = remote->p[k]};
		}
	}
}

/* usePolicyBasedTrafficSelectors: the VNet's prefixes, and those of VNets that use its gateway, by the remote ones. */
static void
add_policy_selectors(struct world_build *b, struct tunnel_spec *t, int32_t vnet, const struct cfg_prefixes *remote)
{
	add_cross_product(b, t, &b->config->vnets[vnet].space, remote);
	for (uint32_t i = 0; i < b->config->vnets[vnet].n_peerings; i++) {
		struct crossing c;

		if (crossing_of(b, vnet, i, &c) && crossing_is_transit(&c))
			add_cross_product(b, t, c.space, remote);
	}
}

static void
add_selectors(struct world_build *b, struct tunnel_spec *t, const struct cfg_connection *c)
{
	struct cfg_prefixes remote = gateway_remote_prefixes(b->config, c);
	int32_t vnet = b->config->gateways[c->gateway1].vnet;

	for (uint32_t i = 0; i < c->n_selectors; i++)
		add_cross_product(b, t, &c->selectors[i].local, &c->selectors[i].remote);
	if (c->n_selectors == 0 && c->policy_based && vnet != CFG_NONE)
		add_policy_selectors(b, t, vnet, &remote);
}

/* ---- tunnels and their SAs --------------------------------------------------------------- */

static void
add_sas(struct world_build *b, uint16_t tunnel, const struct cfg_connection *c)
{
	for (uint32_t i = 0; i < c->n_sas; i++) {
		struct sa_spec *grown = world_grow(b, b->spec->sa, b->spec->n_sas, sizeof(*grown));

		if (grown == NULL)
			return;
		b->spec->sa = grown;
		grown[b->spec->n_sas++] = (struct sa_spec){.tunnel = tunnel,
			.config = c->sas[i],
			.name = world_name(b, "connection %s/sa %s 0x%x", c->name, c->sas[i].outbound ? "out" : "in",
				c->sas[i].spi)};
	}
}

static void
add_tunnel(struct world_build *b, uint32_t connection)
{
	const struct cfg_connection *c = &b->config->connections[connection];
	const struct cfg_gateway *g = &b->config->gateways[c->gateway1];
	struct tunnel_spec t = {.name = world_name(b, "connection %s", c->name),
		.mtu = c->mtu,
		.tcp_mss = c->tcp_mss,
		.copy_dscp = c->copy_dscp,
		.copy_df = c->copy_df,
		.gateway = b->gateway[c->gateway1].iface,
		.remote = remote_address(b->config, c)};
	struct tunnel_spec *grown;

	if (!local_end(b, g, is_by_name(b->config, c), &t)) {
		world_warn(b, c->mark,
			"connection %s: no public address of gateway %s is on an uplink here and of the peer's family; "
			"its routes drop",
			c->name, g->name);
		return;
	}
	add_selectors(b, &t, c);
	grown = world_grow(b, b->spec->tunnel, b->spec->n_tunnels, sizeof(*grown));
	if (grown == NULL || b->spec->n_tunnels == TUNNEL_NONE)
		return;
	b->spec->tunnel = grown;
	b->tunnel[connection] = (uint16_t)b->spec->n_tunnels;
	grown[b->spec->n_tunnels++] = t;
	add_sas(b, b->tunnel[connection], c);
}

void
gateway_tunnels(struct world_build *b)
{
	for (uint32_t i = 0; i < b->config->n_connections; i++) {
		if (b->config->connections[i].gateway1 != CFG_NONE &&
			b->config->connections[i].type != CONNECTION_EXPRESS_ROUTE)
			add_tunnel(b, i);
	}
}
