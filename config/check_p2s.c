/* Point-to-site: a pool apart from all that the gateway reaches, and something to prove oneself with.
 *
 * A gateway that is not ours (its public address is on no uplink) stands for another appliance:
 * its clients' addresses are checked, but what only the running one needs is not asked for.
 */
#include "config/check_wan.h"
#include "config/schemas.h"
#include "config/sku.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the pool -------------------------------------------------------------------- */

/* Whose pool is looked at, and what stands against it. */
static void
check_apart(struct check *k, const struct cfg_gateway *g, const struct cfg_prefixes *others, const char *noun,
	const char *name)
{
	char x[ADDRESS_TEXT_MAX], y[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < g->p2s.pool.n; i++)
		for (uint32_t j = 0; j < others->n; j++)
			if (prefix_overlaps(&g->p2s.pool.p[i], &others->p[j]))
				config_error(k->b->errors, MARK(k, &g->p2s.pool.p[i], g), "ClientAddressPoolOverlaps",
					"%s of the clients of gateway '%.80s' overlaps %s of %s '%.80s'",
					prefix_text(&g->p2s.pool.p[i], x, sizeof(x)), g->name,
					prefix_text(&others->p[j], y, sizeof(y)), noun, name);
}

static void
check_pool_itself(struct check *k, const struct cfg_gateway *g)
{
	char x[ADDRESS_TEXT_MAX], y[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < g->p2s.pool.n; i++)
		for (uint32_t j = 0; j < i; j++)
			if (prefix_overlaps(&g->p2s.pool.p[i], &g->p2s.pool.p[j]))
				config_error(k->b->errors, MARK(k, &g->p2s.pool.p[i], g), "ClientAddressPoolOverlaps",
					"%s and %s of the clients of gateway '%.80s' overlap",
					prefix_text(&g->p2s.pool.p[j], x, sizeof(x)),
					prefix_text(&g->p2s.pool.p[i], y, sizeof(y)), g->name);
}

/* All that routes of the gateway's network can lead to. */
static void
check_pool(struct check *k, const struct cfg_gateway *g)
{
	const struct cfg_vnet *v = g->vnet == CFG_NONE ? NULL : &k->c->vnets[g->vnet];

	check_pool_itself(k, g);
	if (v != NULL)
		check_apart(k, g, &v->space, "virtual network", v->name);
	for (uint32_t i = 0; v != NULL && i < v->n_peerings; i++) {
		const struct cfg_peering *p = &v->peerings[i];

		if (p->remote != CFG_NONE)
			check_apart(k, g, &k->c->vnets[p->remote].space, "peered virtual network",
				k->c->vnets[p->remote].name);
		else
			check_apart(k, g, &p->remote_space, "peering", p->name);
	}
	for (uint32_t i = 0; i < k->c->n_connections; i++) {
		const struct cfg_connection *c = &k->c->connections[i];
		int32_t far = c->gateway2 == CFG_NONE ? CFG_NONE : k->c->gateways[c->gateway2].vnet;

		if (c->gateway1 == CFG_NONE || &k->c->gateways[c->gateway1] != g)
			continue;
		if (c->local_gateway != CFG_NONE)
			check_apart(k, g, &k->c->local_gateways[c->local_gateway].prefixes, "local network gateway",
				k->c->local_gateways[c->local_gateway].name);
		if (far != CFG_NONE)
			check_apart(k, g, &k->c->vnets[far].space, "connected virtual network", k->c->vnets[far].name);
	}
}

/* ---- certificates ---------------------------------------------------------------- */

static bool
is_base64(const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && *text != '='; text++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", *text) != NULL)
			n++;
		else if (strchr(" \t\r\n", *text) == NULL)
			return false;
	return n > 0 && text[strspn(text, "= \t\r\n")] == '\0';
}

static void
check_certificates(struct check *k, const struct cfg_gateway *g)
{
	for (uint32_t i = 0; i < g->p2s.n_roots; i++) {
		const struct cfg_root_certificate *r = &g->p2s.roots[i];

		if (r->data != NULL && !is_base64(r->data))
			config_error(k->b->errors, MARK(k, &r->data, r), "InvalidValue",
				"root certificate '%.80s': publicCertData is base64 without BEGIN and END lines",
				r->name ? r->name : "");
	}
	for (uint32_t i = 0; i < g->p2s.n_revoked; i++) {
		const struct cfg_revoked_certificate *r = &g->p2s.revoked[i];

		if (r->thumbprint != NULL &&
			(strlen(r->thumbprint) != 40 ||
				strspn(r->thumbprint, "0123456789abcdefABCDEF") != strlen(r->thumbprint)))
			config_error(k->b->errors, MARK(k, &r->thumbprint, r), "InvalidValue",
				"revoked certificate '%.80s': a thumbprint has 40 hexadecimal digits (SHA-1)",
				r->name ? r->name : "");
	}
}

/* ---- users ----------------------------------------------------------------------- */

static bool
pool_has(const struct cfg_p2s *p, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < p->pool.n; i++)
		if (prefix_has(&p->pool.p[i], a))
			return true;
	return false;
}

static void
check_user(struct check *k, const struct cfg_gateway *g, const struct cfg_p2s_user *u)
{
	char text[ADDRESS_TEXT_MAX];

	if (u->name != NULL && (u->name[0] == '\0' || strlen(u->name) > LIMIT_NAME))
		config_error(k->b->errors, MARK(k, &u->name, u), "InvalidName",
			"a point-to-site user's name has 1 to %d bytes", LIMIT_NAME);
	if (u->address.family != IP_NONE && !pool_has(&g->p2s, &u->address))
		config_error(k->b->errors, MARK(k, &u->address, u), "ClientAddressNotInPool",
			"%s of user '%.80s' is in no pool of gateway '%.80s'",
			address_text(&u->address, text, sizeof(text)), u->name ? u->name : "", g->name);
}

static int
user_name_order(const void *a, const void *b)
{
	const struct cfg_p2s_user *const *x = a, *const *y = b;
	int order = strcasecmp((*x)->name ? (*x)->name : "", (*y)->name ? (*y)->name : "");

	return order != 0 ? order : (*x < *y ? -1 : *x > *y);
}

static int
user_address_order(const void *a, const void *b)
{
	const struct cfg_p2s_user *const *x = a, *const *y = b;
	int order = memcmp(&(*x)->address, &(*y)->address, sizeof((*x)->address));

	return order != 0 ? order : (*x < *y ? -1 : *x > *y);
}

static int
check_users(struct check *k, const struct cfg_gateway *g)
{
	const struct cfg_p2s *p = &g->p2s;
	const struct cfg_p2s_user **sorted = arena_array(k->b->arena, p->n_users, sizeof(*sorted));
	char text[ADDRESS_TEXT_MAX];

	if (sorted == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n_users; i++) {
		check_user(k, g, &p->users[i]);
		sorted[i] = &p->users[i];
	}
	if (p->n_users < 2)
		return 0;
	qsort(sorted, p->n_users, sizeof(*sorted), user_name_order);
	for (uint32_t i = 1; i < p->n_users; i++)
		if (sorted[i]->name != NULL && sorted[i - 1]->name != NULL &&
			strcasecmp(sorted[i]->name, sorted[i - 1]->name) == 0)
			config_error(k->b->errors, sorted[i]->mark, "DuplicateName",
				"a point-to-site user named '%.80s' stands in line %u already", sorted[i]->name,
				sorted[i - 1]->mark.line);
	qsort(sorted, p->n_users, sizeof(*sorted), user_address_order);
	for (uint32_t i = 1; i < p->n_users; i++)
		if (sorted[i]->address.family != IP_NONE && address_equal(&sorted[i]->address, &sorted[i - 1]->address))
			config_error(k->b->errors, MARK(k, &sorted[i]->address, sorted[i]), "ClientAddressInUse",
				"%s is the address of the user in line %u already",
				address_text(&sorted[i]->address, text, sizeof(text)), sorted[i - 1]->mark.line);
	return 0;
}

static void
check_dns(struct check *k, const struct cfg_gateway *g)
{
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < g->p2s.dns.n; i++)
		if (g->p2s.dns.p[i].len != address_bits(&g->p2s.dns.p[i].addr))
			config_error(k->b->errors, MARK(k, &g->p2s.dns.p[i], g), "InvalidAddress",
				"p2sDnsServers are addresses, not prefixes like %s",
				prefix_text(&g->p2s.dns.p[i], text, sizeof(text)));
}

/* ---- the gateway ----------------------------------------------------------------- */

static void
check_sku(struct check *k, const struct cfg_gateway *g)
{
	if (g->limit_rate && sku_of(g) == NULL)
		config_error(k->b->errors, MARK(k, &g->sku, g), "GatewaySkuUnknown",
			"gateway '%.80s': limitRate needs a sku whose rate is known (Basic, VpnGw1 to VpnGw5, VpnGw1AZ "
			"to "
			"VpnGw5AZ), not '%.40s'",
			g->name, g->sku ? g->sku : "");
}

/* What can take clients at all. */
static void
check_kind(struct check *k, const struct cfg_gateway *g)
{
	if (!gateway_is_route_based(g))
		config_error(k->b->errors, g->mark, "VpnTypeNotSupported",
			"gateway '%.80s' is PolicyBased and takes no point-to-site clients", g->name);
	if (g->sku != NULL && strcasecmp(g->sku, "Basic") == 0)
		config_error(k->b->errors, MARK(k, &g->sku, g), "GatewaySkuNotSupported",
			"gateway '%.80s': sku Basic takes no point-to-site clients by IKEv2", g->name);
}

/* What we and the clients prove ourselves with. */
static void
check_proof(struct check *k, const struct cfg_gateway *g)
{
	if (g->credentials.certificate == NULL || g->credentials.key_file == NULL)
		config_error(k->b->errors, g->mark, "CertificateMissing",
			"gateway '%.80s' takes point-to-site clients and needs appliance.%s for them to know it by",
			g->name, g->credentials.certificate == NULL ? "certificate" : "privateKeyFile");
	if (g->p2s.certificate && g->p2s.n_roots == 0)
		config_error(k->b->errors, g->mark, "MissingKey",
			"gateway '%.80s': clients by certificate need vpnClientRootCertificates", g->name);
	if (!g->p2s.certificate && !g->p2s.eap)
		config_error(k->b->errors, g->mark, "MissingKey",
			"gateway '%.80s': clients prove themselves by vpnClientRootCertificates or appliance.p2sUsers",
			g->name);
}

static bool
gateway_is_ours(const struct check *k, const struct cfg_gateway *g)
{
	for (uint32_t i = 0; i < g->public_ip_refs.n; i++)
		if (g->public_ips[i] != CFG_NONE && address_is_ours(k, &k->c->public_ips[g->public_ips[i]].address))
			return true;
	return false;
}

static int
check_clients(struct check *k, struct cfg_gateway *g)
{
	struct cfg_p2s *p = &g->p2s;

	p->certificate |= p->n_roots > 0;
	p->eap = p->n_users > 0;
	if (p->pool.n == 0) {
		if (p->certificate || p->eap)
			config_error(k->b->errors, g->mark, "MissingKey",
				"gateway '%.80s': point-to-site clients need vpnClientAddressPool.addressPrefixes",
				g->name);
		return 0;
	}
	check_kind(k, g);
	check_pool(k, g);
	check_certificates(k, g);
	if (p->n_policies > 0)
		check_policy(k, &p->policies[0], IKE_PROFILE_DEFAULT);
	check_dns(k, g);
	if (gateway_is_ours(k, g))
		check_proof(k, g);
	return check_users(k, g);
}

int
check_p2s(struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_gateways; i++) {
		struct cfg_gateway *g = &k->c->gateways[i];

		if (!g->express_route)
			g->is_ours |= g->hub != CFG_NONE || gateway_is_ours(k, g); /* a circuit of a hub, too */
		check_sku(k, g);
		if (g->hub != CFG_NONE && expand_client_routes(k, g) < 0)
			return -ENOMEM;
		if (check_clients(k, g) < 0)
			return -ENOMEM;
	}
	return 0;
}
