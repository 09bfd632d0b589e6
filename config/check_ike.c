/* Connections that negotiate their keys by IKE: what they need to, and that both ends of one agree.
 *
 * A connection without any keys is loaded, as exported ones are: it carries nothing. One that
 * says how it wants to negotiate, but not with what, is an error. The other side's object of a
 * Vnet2Vnet pair may stand in the file, too: it is compared, not run.
 */
#include "config/check.h"
#include "config/schemas.h"

#include <string.h>

static bool
has_key(const struct cfg_ike *i)
{
	return i->shared_key_len > 0 || i->shared_key_file != NULL;
}

/* Whether something was written that only IKE would do. Beside keys by hand the profile only lets weak ones in. */
static bool
asks_for_ike(const struct cfg_connection *c)
{
	const struct cfg_ike *i = &c->ike;

	return has_key(i) || i->authentication == AUTHENTICATION_CERTIFICATE || i->mode != MODE_DEFAULT ||
	       i->n_policies > 0 || i->ike_proposals.n > 0 || i->esp_proposals.n > 0 ||
	       (i->profile != IKE_PROFILE_DEFAULT && c->n_sas == 0) || i->credentials.certificate != NULL ||
	       i->credentials.key_file != NULL || i->credentials.ca_files.n > 0 || i->tunnels > 1;
}

/* ---- what to negotiate with ------------------------------------------------------ */

static void
check_shared_key(struct check *k, const struct cfg_connection *c)
{
	if (!has_key(&c->ike))
		config_error(k->b->errors, c->mark, "SharedKeyMissing",
			"connection '%.80s' has no keys: appliance.sharedKeyFile lets IKE negotiate them, "
			"appliance.securityAssociations gives them by hand",
			c->name);
}

static void
check_certificate(struct check *k, const struct cfg_connection *c)
{
	const struct cfg_credentials *own = &c->ike.credentials;
	const struct cfg_credentials *all = &k->c->gateways[c->gateway1].credentials;
	const char *missing = NULL;

	if (own->certificate == NULL && all->certificate == NULL)
		missing = "certificate";
	else if (own->key_file == NULL && all->key_file == NULL)
		missing = "privateKeyFile";
	else if (own->ca_files.n == 0 && all->ca_files.n == 0)
		missing = "caFiles";
	if (missing != NULL)
		config_error(k->b->errors, c->mark, "CertificateMissing",
			"connection '%.80s' authenticates by certificate and needs appliance.%s, its own or its "
			"gateway's",
			c->name, missing);
	else if ((own->certificate == NULL) != (own->key_file == NULL))
		config_error(k->b->errors, c->mark, "CertificateMissing",
			"connection '%.80s': certificate and privateKeyFile belong together", c->name);
}

/* ---- both ends in one file ------------------------------------------------------- */

static bool
is_other_side(const struct cfg_connection *a, const struct cfg_connection *b)
{
	return a->type == CONNECTION_VNET2VNET && b->type == CONNECTION_VNET2VNET && a->gateway1 == b->gateway2 &&
	       a->gateway2 == b->gateway1 && a->gateway1 != CFG_NONE && a->gateway2 != CFG_NONE;
}

static bool
same_key(const struct cfg_ike *a, const struct cfg_ike *b)
{
	return a->shared_key_len == b->shared_key_len && memcmp(a->shared_key, b->shared_key, a->shared_key_len) == 0;
}

static bool
same_policy(const struct cfg_ike *a, const struct cfg_ike *b)
{
	const struct cfg_ipsec_policy *p = a->policies, *q = b->policies;

	if (a->n_policies != b->n_policies)
		return false;
	return a->n_policies == 0 ||
	       (p->ipsec_encryption == q->ipsec_encryption && p->ipsec_integrity == q->ipsec_integrity &&
		       p->ike_encryption == q->ike_encryption && p->ike_integrity == q->ike_integrity &&
		       p->dh_group == q->dh_group && p->pfs_group == q->pfs_group);
}

/* What stands in both objects must fit, or the tunnel would never come up. */
static void
check_pair(struct check *k, const struct cfg_connection *a, const struct cfg_connection *b)
{
	const char *what = NULL;

	if (a->ike.protocol != b->ike.protocol)
		what = "different connectionProtocol";
	else if (a->ike.authentication != b->ike.authentication)
		what = "different authenticationType";
	else if (!same_policy(&a->ike, &b->ike))
		what = "different ipsecPolicies";
	else if (a->enable_bgp != b->enable_bgp)
		what = "different enableBgp";
	else if (a->ike.mode != MODE_DEFAULT && a->ike.mode == b->ike.mode)
		what = a->ike.mode == MODE_RESPONDER_ONLY ? "connectionMode ResponderOnly both: neither would start"
							  : "connectionMode InitiatorOnly both: neither would answer";
	if (what != NULL)
		config_error(k->b->errors, a->mark, "ConnectionsDiffer",
			"connections '%.80s' and '%.80s' are the two sides of one, but have %s", b->name, a->name,
			what);
	if (a->ike.shared_key_len > 0 && b->ike.shared_key_len > 0 && !same_key(&a->ike, &b->ike))
		config_error(k->b->errors, MARK(k, &a->ike.shared_key_len, a), "SharedKeysDiffer",
			"connections '%.80s' and '%.80s' are the two sides of one, but have different shared keys",
			b->name, a->name);
}

/* The earlier object of the other side that belongs to this one: the n-th of theirs to our n-th. */
static const struct cfg_connection *
earlier_side(const struct check *k, const struct cfg_connection *c)
{
	const struct cfg_connection *first = k->c->connections;
	uint32_t before = 0;

	for (const struct cfg_connection *d = first; d < c; d++)
		before += d->type == c->type && d->gateway1 == c->gateway1 && d->gateway2 == c->gateway2;
	for (const struct cfg_connection *d = first; d < c; d++)
		if (is_other_side(c, d) && before-- == 0)
			return d;
	return NULL;
}

/* Some connection of the pair is run here. */
static bool
other_side_is_ours(const struct check *k, const struct cfg_connection *c)
{
	const struct ip_addr *ours;

	for (uint32_t i = 0; i < k->c->n_connections; i++)
		if (is_other_side(c, &k->c->connections[i]) &&
			outer_find(k, &k->c->connections[i], &ours) == OUTER_OURS)
			return true;
	return false;
}

/* ---- one connection -------------------------------------------------------------- */

/* A policy-based gateway speaks IKEv1, has one tunnel, and proves itself by a shared key. */
static void
check_policy_based(struct check *k, const struct cfg_connection *c, const struct cfg_gateway *g)
{
	const char *what = NULL;

	for (const struct cfg_connection *d = k->c->connections; d < c && what == NULL; d++)
		if (d->gateway1 == c->gateway1)
			what = "one connection";
	if (what == NULL && c->ike.protocol != PROTOCOL_IKEV1)
		what = "connectionProtocol IKEv1";
	else if (c->ike.authentication != AUTHENTICATION_PSK)
		what = "authenticationType PSK";
	else if (c->ike.tunnels > 1)
		what = "one tunnel";
	if (what != NULL)
		config_error(k->b->errors, c->mark, "VpnTypeNotSupported",
			"connection '%.80s': gateway '%.80s' is PolicyBased and has %s only", c->name, g->name, what);
}

static void
check_negotiation(struct check *k, struct cfg_connection *c)
{
	const struct ip_addr *ours;
	enum outer found = outer_find(k, c, &ours);

	c->uses_ike = found == OUTER_OURS;
	if (found == OUTER_AWAY && other_side_is_ours(k, c))
		return;
	check_outer(k, c, "negotiates its keys");
	if (c->ike.authentication == AUTHENTICATION_PSK)
		check_shared_key(k, c);
	else
		check_certificate(k, c);
}

static void
complete(const struct check *k, struct cfg_connection *c)
{
	bool policy_based = c->gateway1 != CFG_NONE && !gateway_is_route_based(&k->c->gateways[c->gateway1]);

	if (c->ike.protocol == PROTOCOL_UNSET)
		c->ike.protocol = policy_based ? PROTOCOL_IKEV1 : PROTOCOL_IKEV2;
	if (c->gateway1 != CFG_NONE && k->c->gateways[c->gateway1].disable_replay_protection)
		c->ike.replay_window = 0;
}

static void
check_connection(struct check *k, struct cfg_connection *c)
{
	const struct cfg_connection *other;

	if (asks_for_ike(c) && c->n_sas > 0) {
		config_error(k->b->errors, c->sas[0].mark, "KeysTwice",
			"connection '%.80s' has security associations given by hand and also says how IKE shall "
			"negotiate them: one of them",
			c->name);
		return;
	}
	if (c->type == CONNECTION_EXPRESS_ROUTE && asks_for_ike(c))
		config_error(k->b->errors, c->mark, "InvalidValue",
			"connection '%.80s' of type ExpressRoute has no keys and no policies: nothing is sealed on a "
			"circuit",
			c->name);
	if (c->gateway1 == CFG_NONE || c->type == CONNECTION_EXPRESS_ROUTE)
		return;
	if (!gateway_is_route_based(&k->c->gateways[c->gateway1]))
		check_policy_based(k, c, &k->c->gateways[c->gateway1]);
	if (asks_for_ike(c))
		check_negotiation(k, c);
	check_proposals(k, c);
	if (c->ike.esn == ESN_ON && c->ike.protocol == PROTOCOL_IKEV1)
		config_error(k->b->errors, MARK(k, &c->ike.esn, c), "InvalidValue",
			"connection '%.80s': IKEv1 negotiates no extended sequence numbers (esn)", c->name);
	other = earlier_side(k, c);
	if (other != NULL)
		check_pair(k, c, other);
}

int
check_ike(struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_connections; i++)
		complete(k, &k->c->connections[i]);
	for (uint32_t i = 0; i < k->c->n_connections; i++)
		check_connection(k, &k->c->connections[i]);
	return 0;
}
