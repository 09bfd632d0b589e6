/* ExpressRoute: circuits with their links, the connections that use them, and gateways of both types beside each
 * other.
 */
#include "config/check.h"

#include <string.h>
#include <strings.h>

#define COEXISTENCE_LEN 27 /* of a GatewaySubnet for both types of gateway, at most */

/* ---- circuits -------------------------------------------------------------------- */

static void
check_asns(struct check *k, const struct cfg_circuit *c, const struct cfg_circuit_peering *p)
{
	if (p->peer_asn == p->asn || p->peer_asn == CFG_BGP_ASN || asn_is_reserved(p->peer_asn))
		config_error(k->b->errors, MARK(k, &p->peer_asn, p), "BgpAsnNotAllowed",
			"circuit '%.80s': peerASN %u is this side's, or reserved by the cloud or IANA", c->name,
			p->peer_asn);
}

static void
check_prefixes(struct check *k, const struct cfg_circuit *c, const struct cfg_circuit_peering *p)
{
	char text[ADDRESS_TEXT_MAX];

	for (int i = 0; i < CFG_CIRCUIT_LINKS; i++)
		if (p->prefix[i].addr.family != IP_NONE &&
			(p->prefix[i].addr.family != IP_V4 || p->prefix[i].len != 30))
			config_error(k->b->errors, MARK(k, &p->prefix[i], p), "InvalidAddressPrefix",
				"circuit '%.80s': %sPeerAddressPrefix is an IPv4 prefix of length 30, not %s", c->name,
				circuit_link_name[i], prefix_text(&p->prefix[i], text, sizeof(text)));
	if (p->prefix[0].addr.family != IP_NONE && prefix_overlaps(&p->prefix[0], &p->prefix[1]))
		config_error(k->b->errors, MARK(k, &p->prefix[1], p), "InvalidAddressPrefix",
			"circuit '%.80s': primaryPeerAddressPrefix and secondaryPeerAddressPrefix overlap", c->name);
}

static const char *
type_of(const struct cfg_circuit_peering *p)
{
	return p->type != NULL ? p->type : p->name;
}

static void
check_circuit_peerings(struct check *k, struct cfg_circuit *c)
{
	for (uint32_t i = 0; i < c->n_peerings; i++) {
		const struct cfg_circuit_peering *p = &c->peerings[i];

		if (p->disabled || p->name == NULL)
			continue;
		if (strcasecmp(type_of(p), "AzurePrivatePeering") != 0) {
			config_error(k->b->errors, p->mark, "NotSupported",
				"circuit '%.80s': peering '%.80s' is not AzurePrivatePeering, the only one that leads "
				"to virtual networks; its state may be Disabled",
				c->name, type_of(p));
			continue;
		}
		if (c->private_peering != NULL)
			config_error(k->b->errors, p->mark, "InvalidValue",
				"circuit '%.80s' has AzurePrivatePeering twice", c->name);
		c->private_peering = p;
		check_asns(k, c, p);
		check_prefixes(k, c, p);
	}
}

static void
check_ports(struct check *k, struct cfg_circuit *c)
{
	for (int i = 0; i < CFG_CIRCUIT_LINKS; i++) {
		c->port[i] = reference_resolve(k, KIND_PORT, &c->port_ref[i], c->mark);
		if (c->port_ref[i] != NULL &&
			(c->private_peering == NULL || c->private_peering->prefix[i].addr.family == IP_NONE))
			config_error(k->b->errors, MARK(k, &c->port_ref[i], c), "MissingKey",
				"circuit '%.80s' has %sPort and needs an enabled AzurePrivatePeering with "
				"%sPeerAddressPrefix",
				c->name, circuit_link_name[i], circuit_link_name[i]);
	}
}

/* ---- connections ----------------------------------------------------------------- */

/* The links' addresses are nobody's in the network that they lead to. */
static void
check_apart(struct check *k, const struct cfg_circuit *c, const struct cfg_vnet *v)
{
	char text[ADDRESS_TEXT_MAX];

	for (int i = 0; c->private_peering != NULL && i < CFG_CIRCUIT_LINKS; i++)
		for (uint32_t n = 0; n < v->space.n; n++)
			if (prefix_overlaps(&c->private_peering->prefix[i], &v->space.p[n]))
				config_error(k->b->errors, MARK(k, &c->private_peering->prefix[i], c),
					"InvalidAddressPrefix",
					"circuit '%.80s': %s overlaps virtual network '%.80s', which it is connected "
					"to",
					c->name, prefix_text(&c->private_peering->prefix[i], text, sizeof(text)),
					v->name);
}

static void
check_connection(struct check *k, const struct cfg_connection *c, int32_t index)
{
	struct cfg_circuit *circuit = &k->c->circuits[c->circuit];
	struct cfg_gateway *g = c->gateway1 == CFG_NONE ? NULL : &k->c->gateways[c->gateway1];

	if (circuit->connection != CFG_NONE)
		config_error(k->b->errors, MARK(k, &c->circuit_ref, c), "NotSupported",
			"circuit '%.80s' is in use by connection '%.80s': in this version it leads to one gateway, "
			"whose "
			"virtual network others may use by peering",
			circuit->name, k->c->connections[circuit->connection].name);
	circuit->connection = index;
	if (g == NULL)
		return;
	g->is_ours |= circuit->port[0] != CFG_NONE || circuit->port[1] != CFG_NONE;
	if (g->vnet != CFG_NONE)
		check_apart(k, circuit, &k->c->vnets[g->vnet]);
}

/* ---- both types ------------------------------------------------------------------ */

static void
check_coexistence(struct check *k, const struct cfg_vnet *v)
{
	const struct cfg_gateway *vpn = &k->c->gateways[v->gateway], *er = &k->c->gateways[v->express_route];
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t s = 0; s < v->n_subnets; s++)
		for (uint32_t i = 0; v->subnets[s].is_gateway && i < v->subnets[s].prefixes.n; i++)
			if (v->subnets[s].prefixes.p[i].addr.family == IP_V4 &&
				v->subnets[s].prefixes.p[i].len > COEXISTENCE_LEN)
				config_error(k->b->errors, MARK(k, &v->subnets[s].prefixes.p[i], &v->subnets[s]),
					"GatewaySubnetTooSmall",
					"virtual network '%.80s' has gateways of both types: its GatewaySubnet is a "
					"/%d or "
					"shorter, not %s",
					v->name, COEXISTENCE_LEN,
					prefix_text(&v->subnets[s].prefixes.p[i], text, sizeof(text)));
	if (vpn->bgp.address.family != IP_NONE && address_equal(&vpn->bgp.address, &er->bgp.address))
		config_error(k->b->errors, MARK(k, &er->bgp.address, er), "BgpAddressNotAllowed",
			"gateways '%.80s' and '%.80s' have one bgpPeeringAddress %s: each needs its own", vpn->name,
			er->name, address_text(&er->bgp.address, text, sizeof(text)));
}

int
check_circuits(struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_circuits; i++) {
		struct cfg_circuit *c = &k->c->circuits[i];

		check_circuit_peerings(k, c);
		check_ports(k, c);
		check_bgp_timers(k, &c->bgp, "circuit", c->name, c->mark);
	}
	for (uint32_t i = 0; i < k->c->n_connections; i++)
		if (k->c->connections[i].circuit != CFG_NONE && k->c->connections[i].type == CONNECTION_EXPRESS_ROUTE)
			check_connection(k, &k->c->connections[i], (int32_t)i);
	for (uint32_t i = 0; i < k->c->n_vnets; i++)
		if (k->c->vnets[i].gateway != CFG_NONE && k->c->vnets[i].express_route != CFG_NONE)
			check_coexistence(k, &k->c->vnets[i]);
	return 0;
}
