/* BGP: what the cloud's rules and RFC 4271 ask of gateways, peers and sessions. After connections: their ends are
 * resolved. Where enableBgp is false nothing is looked at: exports always carry settings.
 */
#include "config/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- autonomous systems ---------------------------------------------------------- */

/* The cloud's, then IANA's. */
static const uint32_t reserved_asns[][2] = {{8074, 8075}, {12076, 12076}, {65517, 65520}, {0, 0}, {23456, 23456},
	{64496, 64511}, {65535, 65551}, {UINT32_MAX, UINT32_MAX}};

bool
asn_is_reserved(uint32_t asn)
{
	for (size_t i = 0; i < sizeof(reserved_asns) / sizeof(reserved_asns[0]); i++)
		if (asn >= reserved_asns[i][0] && asn <= reserved_asns[i][1])
			return true;
	return false;
}

static void
refuse_asn(struct check *k, const struct cfg_bgp *bgp, const char *noun, const char *name)
{
	config_error(k->b->errors, MARK(k, &bgp->asn, bgp), "BgpAsnNotAllowed",
		"%s '%.80s': autonomous system %u is reserved, by the cloud (8074, 8075, 12076, 65515, 65517 to 65520) "
		"or IANA (0, 23456, 64496 to 64511, 65535 to 65551, 4294967295)",
		noun, name, bgp->asn);
}

/* ---- gateways -------------------------------------------------------------------- */

/* As if it had been written. */
static void
complete_address(const struct cfg_subnet *s, struct cfg_gateway *g)
{
	struct cfg_bgp *bgp = &g->bgp;
	uint64_t from_end = g->express_route ? 3 : 2;

	bgp->given = true;
	for (uint32_t i = 0; i < s->prefixes.n && bgp->address.family == IP_NONE; i++)
		if (s->prefixes.p[i].addr.family == IP_V4 && s->prefixes.p[i].len <= 30)
			bgp->address =
				prefix_nth(&s->prefixes.p[i], (UINT64_C(1) << (32 - s->prefixes.p[i].len)) - from_end);
}

static void
check_own_address(struct check *k, const struct cfg_gateway *g)
{
	const struct cfg_subnet *s = &k->c->vnets[g->vnet].subnets[g->subnet];
	const struct ip_addr *a = &g->bgp.address;
	char text[ADDRESS_TEXT_MAX];
	uint32_t i = 0;

	if (a->family == IP_NONE) {
		config_error(k->b->errors, g->mark, "MissingKey",
			"gateway '%.80s' needs bgpSettings.bgpPeeringAddress: its GatewaySubnet has no IPv4 prefix",
			g->name);
		return;
	}
	address_text(a, text, sizeof(text));
	while (i < s->prefixes.n && !prefix_has(&s->prefixes.p[i], a))
		i++;
	if (i == s->prefixes.n)
		config_error(k->b->errors, MARK(k, a, g), "PrivateIPAddressNotInSubnet",
			"bgpPeeringAddress %s of gateway '%.80s' is not in its GatewaySubnet", text, g->name);
	else if (address_is_reserved(&s->prefixes.p[i], a))
		config_error(k->b->errors, MARK(k, a, g), "PrivateIPAddressInReservedRange",
			"bgpPeeringAddress %s of gateway '%.80s' is reserved in GatewaySubnet: the network, its "
			"gateway (first host) and the broadcast address",
			text, g->name);
}

static bool
is_link_local(const struct ip_addr *a)
{
	return a->family == IP_V4 && a->b[0] == 169 && a->b[1] == 254;
}

static void
check_custom_addresses(struct check *k, const struct cfg_gateway *g)
{
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < g->bgp.custom.n; i++) {
		const struct ip_prefix *p = &g->bgp.custom.p[i];

		if (!is_link_local(&p->addr) || p->addr.b[2] < 21 || p->addr.b[2] > 22)
			config_error(k->b->errors, MARK(k, p, g), "BgpAddressNotAllowed",
				"%s of gateway '%.80s': customBgpIpAddresses are of 169.254.21.0 to 169.254.22.255",
				address_text(&p->addr, text, sizeof(text)), g->name);
	}
}

static void
check_gateway(struct check *k, struct cfg_gateway *g)
{
	if (!g->express_route && !gateway_is_route_based(g))
		config_error(k->b->errors, MARK(k, &g->enable_bgp, g), "VpnTypeNotSupported",
			"gateway '%.80s' is PolicyBased and has no BGP", g->name);
	if (!g->express_route && g->sku != NULL && strcasecmp(g->sku, "Basic") == 0)
		config_error(k->b->errors, MARK(k, &g->sku, g), "GatewaySkuNotSupported",
			"gateway '%.80s': sku Basic has no BGP", g->name);
	if (asn_is_reserved(g->bgp.asn))
		refuse_asn(k, &g->bgp, "gateway", g->name);
	if (g->express_route && g->bgp.asn != CFG_BGP_ASN)
		config_error(k->b->errors, MARK(k, &g->bgp.asn, g), "BgpAsnNotAllowed",
			"gateway '%.80s' of type ExpressRoute is of autonomous system %u, not %u", g->name, CFG_BGP_ASN,
			g->bgp.asn);
	check_custom_addresses(k, g);
	if (g->subnet == CFG_NONE)
		return;
	complete_address(&k->c->vnets[g->vnet].subnets[g->subnet], g);
	check_own_address(k, g);
}

/* ---- local network gateways ------------------------------------------------------ */

static bool
is_host(const struct ip_addr *a)
{
	static const uint8_t low[15] = {0};

	if (a->family == IP_V4)
		return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
	if (memcmp(a->b, low, sizeof(low)) == 0 && a->b[15] <= 1)
		return false;
	return a->b[0] != 0xff && (a->b[0] != 0xfe || (a->b[1] & 0xc0) != 0x80);
}

/* Of one that some connection speaks BGP with. */
static void
check_peer(struct check *k, const struct cfg_local_gateway *l, const struct cfg_connection *c)
{
	char text[ADDRESS_TEXT_MAX];

	if (l->bgp.asn == 0 || l->bgp.address.family == IP_NONE)
		config_error(k->b->errors, MARK(k, &l->bgp, l), "MissingKey",
			"local network gateway '%.80s' needs bgpSettings.%s: connection '%.80s' has enableBgp", l->name,
			l->bgp.asn == 0 ? "asn" : "bgpPeeringAddress", c->name);
	if (l->bgp.asn == CFG_BGP_ASN || (l->bgp.asn != 0 && asn_is_reserved(l->bgp.asn)))
		refuse_asn(k, &l->bgp, "local network gateway", l->name);
	if (l->bgp.address.family == IP_NONE)
		return;
	address_text(&l->bgp.address, text, sizeof(text));
	if (!is_host(&l->bgp.address))
		config_error(k->b->errors, MARK(k, &l->bgp.address, l), "InvalidAddress",
			"bgpPeeringAddress %s of local network gateway '%.80s' is no host's address", text, l->name);
	else if (address_equal(&l->bgp.address, &l->address))
		config_error(k->b->errors, MARK(k, &l->bgp.address, l), "BgpAddressNotAllowed",
			"bgpPeeringAddress %s of local network gateway '%.80s' is its gatewayIpAddress: it is an "
			"address inside the tunnel",
			text, l->name);
}

/* No prefix and no BGP, nothing to send. */
static void
check_reach(struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_local_gateways; i++) {
		const struct cfg_local_gateway *l = &k->c->local_gateways[i];

		if (l->prefixes.n == 0 && !l->bgp.given)
			config_error(k->b->errors, l->mark, "MissingKey",
				"local network gateway '%.80s' needs localNetworkAddressSpace.addressPrefixes, or "
				"bgpSettings",
				l->name);
	}
	for (uint32_t i = 0; i < k->c->n_connections; i++) {
		const struct cfg_connection *c = &k->c->connections[i];
		const struct cfg_local_gateway *l =
			c->local_gateway == CFG_NONE ? NULL : &k->c->local_gateways[c->local_gateway];

		if (l != NULL && !c->enable_bgp && l->prefixes.n == 0 && l->bgp.given)
			config_error(k->b->errors, l->mark, "MissingKey",
				"local network gateway '%.80s' needs localNetworkAddressSpace.addressPrefixes: "
				"connection '%.80s' has no enableBgp to learn them by",
				l->name, c->name);
	}
}

/* ---- sessions -------------------------------------------------------------------- */

/* The other end's settings; config_check() has its address by now, if there is one. */
static const struct cfg_bgp *
peer_of(const struct check *k, const struct cfg_connection *c)
{
	if (c->type == CONNECTION_IPSEC)
		return &k->c->local_gateways[c->local_gateway].bgp;
	return &k->c->gateways[c->gateway2].bgp;
}

void
check_bgp_timers(
	struct check *k, const struct cfg_bgp_session *s, const char *noun, const char *name, struct cfg_mark mark)
{
	mark = binder_mark(k->b, &s->keepalive_s, binder_mark(k->b, &s->hold_s, mark));
	if (s->keepalive_s > s->hold_s / 3 || (s->keepalive_s == 0) != (s->hold_s == 0))
		config_error(k->b->errors, mark, "InvalidValue",
			"%s '%.80s': keepaliveSeconds %u with holdSeconds %u: at most a third of it, and 0 with 0 only",
			noun, name, s->keepalive_s, s->hold_s);
}

/* What passes is what BGP tells. */
static void
check_no_selectors(struct check *k, const struct cfg_connection *c)
{
	if (c->policy_based && gateway_is_route_based(&k->c->gateways[c->gateway1]))
		config_error(k->b->errors, MARK(k, &c->policy_based, c), "InvalidValue",
			"connection '%.80s' has enableBgp and usePolicyBasedTrafficSelectors: one of them", c->name);
	if (c->n_selectors > 0)
		config_error(k->b->errors, c->selectors[0].mark, "InvalidValue",
			"connection '%.80s' has enableBgp and trafficSelectorPolicies: one of them", c->name);
}

static void
check_asns_differ(
	struct check *k, const struct cfg_connection *c, const struct cfg_gateway *g, const struct cfg_bgp *peer)
{
	if (peer->asn == g->bgp.asn && (c->type == CONNECTION_VNET2VNET || peer->asn != CFG_BGP_ASN))
		config_error(k->b->errors, MARK(k, &c->enable_bgp, c), "BgpAsnNotAllowed",
			"connection '%.80s' has enableBgp, but both its ends are of autonomous system %u", c->name,
			peer->asn);
}

/* Addresses of APIPA speak with each other only, and across connections to sites only. */
static void
check_custom(struct check *k, const struct cfg_connection *c, const struct cfg_gateway *g, const struct cfg_bgp *peer)
{
	const struct ip_addr *own = &c->custom_bgp_address;
	char text[ADDRESS_TEXT_MAX];
	uint32_t i = 0;

	if (own->family != IP_NONE) {
		while (i < g->bgp.custom.n && !address_equal(&g->bgp.custom.p[i].addr, own))
			i++;
		address_text(own, text, sizeof(text));
		if (c->type == CONNECTION_VNET2VNET)
			config_error(k->b->errors, MARK(k, own, c), "BgpAddressNotAllowed",
				"connection '%.80s' of type Vnet2Vnet has no gatewayCustomBgpIpAddresses", c->name);
		else if (i == g->bgp.custom.n)
			config_error(k->b->errors, MARK(k, own, c), "BgpAddressNotAllowed",
				"%s of connection '%.80s' is none of the customBgpIpAddresses of gateway '%.80s'", text,
				c->name, g->name);
		else if (!is_link_local(&peer->address))
			config_error(k->b->errors, MARK(k, own, c), "BgpAddressNotAllowed",
				"connection '%.80s' has %s on this side: the peer's bgpPeeringAddress must be of "
				"169.254.0.0/16, too",
				c->name, text);
	} else if (is_link_local(&peer->address)) {
		config_error(k->b->errors, MARK(k, &c->enable_bgp, c), "BgpAddressNotAllowed",
			"connection '%.80s' needs gatewayCustomBgpIpAddresses: the peer's %s is of 169.254.0.0/16",
			c->name, address_text(&peer->address, text, sizeof(text)));
	}
}

static bool
is_gateways_own(const struct check *k, const struct cfg_gateway *g, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < g->bgp.custom.n; i++)
		if (address_equal(a, &g->bgp.custom.p[i].addr))
			return true;
	for (uint32_t i = 0; i < g->public_ip_refs.n; i++)
		if (g->public_ips[i] != CFG_NONE && address_equal(a, &k->c->public_ips[g->public_ips[i]].address))
			return true;
	return address_equal(a, &g->bgp.address);
}

/* The peer is beyond the tunnel. */
static void
check_peer_is_away(
	struct check *k, const struct cfg_connection *c, const struct cfg_gateway *g, const struct cfg_local_gateway *l)
{
	const struct ip_addr *a = &l->bgp.address;
	char text[ADDRESS_TEXT_MAX];

	address_text(a, text, sizeof(text));
	if (is_gateways_own(k, g, a)) {
		config_error(k->b->errors, MARK(k, a, l), "BgpAddressNotAllowed",
			"bgpPeeringAddress %s of local network gateway '%.80s' is gateway '%.80s's own", text, l->name,
			g->name);
		return;
	}
	if (g->vnet == CFG_NONE)
		return;
	for (uint32_t i = 0; i < k->c->vnets[g->vnet].space.n; i++)
		if (prefix_has(&k->c->vnets[g->vnet].space.p[i], a))
			config_error(k->b->errors, MARK(k, a, l), "BgpAddressNotAllowed",
				"bgpPeeringAddress %s of local network gateway '%.80s' lies inside virtual network "
				"'%.80s', which connection '%.80s' leaves from",
				text, l->name, k->c->vnets[g->vnet].name, c->name);
}

static void
check_ends(struct check *k, const struct cfg_connection *c)
{
	const struct cfg_gateway *g = &k->c->gateways[c->gateway1];
	const struct cfg_bgp *peer = peer_of(k, c);
	const struct ip_addr *own = c->custom_bgp_address.family ? &c->custom_bgp_address : &g->bgp.address;

	check_asns_differ(k, c, g, peer);
	if (peer->address.family == IP_NONE || own->family == IP_NONE)
		return;
	check_custom(k, c, g, peer);
	if (own->family != peer->address.family)
		config_error(k->b->errors, MARK(k, &c->enable_bgp, c), "BgpAddressFamily",
			"connection '%.80s' has enableBgp, but its ends' addresses of BGP are of different families",
			c->name);
	if (c->type == CONNECTION_IPSEC)
		check_peer_is_away(k, c, g, &k->c->local_gateways[c->local_gateway]);
}

static bool
gateway_speaks(struct check *k, const struct cfg_connection *c, int32_t gateway)
{
	const struct cfg_gateway *g = &k->c->gateways[gateway];

	if (!g->enable_bgp)
		config_error(k->b->errors, MARK(k, &c->enable_bgp, c), "BgpNotEnabled",
			"connection '%.80s' has enableBgp, but gateway '%.80s' has not", c->name, g->name);
	return g->enable_bgp;
}

/* Whether both ends are there. */
static bool
check_session(struct check *k, const struct cfg_connection *c, bool *peer_seen)
{
	int32_t other = c->type == CONNECTION_IPSEC ? c->local_gateway : c->gateway2;

	if (c->gateway1 == CFG_NONE || !gateway_speaks(k, c, c->gateway1))
		return false;
	check_no_selectors(k, c);
	check_bgp_timers(k, &c->bgp, "connection", c->name, c->mark);
	if (c->type == CONNECTION_VNET2VNET && other == c->gateway1)
		return false;
	if (other == CFG_NONE || (c->type == CONNECTION_VNET2VNET && !gateway_speaks(k, c, other)))
		return false;
	if (c->type == CONNECTION_IPSEC && !peer_seen[other])
		check_peer(k, &k->c->local_gateways[other], c);
	if (c->type == CONNECTION_IPSEC)
		peer_seen[other] = true;
	check_ends(k, c);
	return true;
}

/* ---- one session for each peer of a gateway -------------------------------------- */

struct session {
	const struct cfg_connection *c;
	const struct ip_addr *peer;
};

static int
session_order(const void *a, const void *b)
{
	const struct session *x = a, *y = b;
	int order = memcmp(x->peer, y->peer, sizeof(*x->peer));

	if (x->c->gateway1 != y->c->gateway1)
		return x->c->gateway1 < y->c->gateway1 ? -1 : 1;
	return order != 0 ? order : (x->c < y->c ? -1 : x->c > y->c);
}

static void
check_peers_apart(struct check *k, struct session *all, uint32_t n)
{
	char text[ADDRESS_TEXT_MAX];

	if (n > 1)
		qsort(all, n, sizeof(*all), session_order);
	for (uint32_t i = 1; i < n; i++)
		if (all[i].peer->family != IP_NONE && all[i].c->gateway1 == all[i - 1].c->gateway1 &&
			address_equal(all[i].peer, all[i - 1].peer))
			config_error(k->b->errors, MARK(k, &all[i].c->enable_bgp, all[i].c), "BgpPeerInUse",
				"connection '%.80s' has enableBgp, but its gateway has a session with peer %s by "
				"connection '%.80s' already",
				all[i].c->name, address_text(all[i].peer, text, sizeof(text)), all[i - 1].c->name);
}

int
check_bgp(struct check *k)
{
	struct session *all = arena_array(k->b->arena, k->c->n_connections, sizeof(*all));
	bool *peer_seen = arena_array(k->b->arena, k->c->n_local_gateways, sizeof(*peer_seen));
	uint32_t n = 0;

	if (all == NULL || peer_seen == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < k->c->n_gateways; i++)
		if (k->c->gateways[i].speaks_bgp)
			check_gateway(k, &k->c->gateways[i]);
	for (uint32_t i = 0; i < k->c->n_connections; i++) {
		const struct cfg_connection *c = &k->c->connections[i];

		if (c->enable_bgp && c->type != CONNECTION_EXPRESS_ROUTE && check_session(k, c, peer_seen))
			all[n++] = (struct session){c, &peer_of(k, c)->address};
	}
	check_peers_apart(k, all, n);
	check_reach(k);
	return 0;
}
