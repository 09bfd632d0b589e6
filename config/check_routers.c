/* A pair's virtual addresses, and the routers that hear of them by BGP. */
#include "config/check.h"

#include <errno.h>
#include <string.h>

/* ---- virtual addresses ----------------------------------------------------------- */

/* Alone on its network: what is in a network of an uplink's is looked for there by everyone on it, not by routes. */
static const struct cfg_uplink *
uplink_alone_with(const struct check *k, const struct ip_prefix *p)
{
	for (uint32_t i = 0; i < k->c->appliance.n_uplinks; i++) {
		const struct cfg_uplink *u = &k->c->appliance.uplinks[i];

		for (uint32_t j = 0; j < u->addresses.n; j++)
			if (prefix_equal(&u->addresses.p[j], p))
				return u;
	}
	return NULL;
}

static bool
is_told(const struct cfg_ha *h, uint8_t family)
{
	for (uint32_t i = 0; i < h->n_routers; i++)
		if (h->routers[i].address.family == family || h->routers[i].address.family == IP_NONE)
			return true;
	return h->n_routers == 0;
}

static void
check_address(struct check *k, const struct cfg_ha *h, uint32_t n)
{
	const struct ip_prefix *p = &h->addresses.p[n];
	struct cfg_mark mark = MARK(k, p, h);
	char text[ADDRESS_TEXT_MAX];

	prefix_text(p, text, sizeof(text));
	if (p->len != address_bits(&p->addr))
		config_error(k->b->errors, mark, "InvalidAddressPrefix",
			"'virtualAddresses': %s is no host's address, of length 32 or 128", text);
	else if (uplink_alone_with(k, p) == NULL)
		config_error(k->b->errors, mark, "VirtualAddressNotOnUplink",
			"'virtualAddresses': %s is none of an uplink's 'addresses' (with this length, outside its "
			"other networks)",
			text);
	else if (!is_told(h, p->addr.family))
		config_error(k->b->errors, mark, "VirtualAddressNotTold",
			"'virtualAddresses': %s has no router of its family", text);
	for (uint32_t i = 0; i < n; i++)
		if (prefix_equal(&h->addresses.p[i], p))
			config_error(
				k->b->errors, mark, "InvalidValue", "'virtualAddresses': %s stands there twice", text);
}

/* ---- routers --------------------------------------------------------------------- */

/* RFC 7607, 6793, 7300: nobody's. The cloud's own numbers are free here: routers are the operator's. */
static bool
is_nobodys(uint32_t asn)
{
	return asn == 23456 || asn == 65535 || asn == UINT32_MAX;
}

/* Our address on the network that it is on. */
static void
local_find(const struct check *k, struct cfg_router *r)
{
	for (uint32_t i = 0; i < k->c->appliance.n_uplinks && r->local.family == IP_NONE; i++) {
		const struct cfg_uplink *u = &k->c->appliance.uplinks[i];

		for (uint32_t j = 0; j < u->addresses.n; j++)
			if (prefix_has(&u->addresses.p[j], &r->address) &&
				!address_equal(&u->address[j], &r->address)) {
				r->local = u->address[j];
				break;
			}
	}
}

static void
check_router(struct check *k, const struct cfg_ha *h, uint32_t n)
{
	struct cfg_router *r = &h->routers[n];
	char text[ADDRESS_TEXT_MAX];

	address_text(&r->address, text, sizeof(text));
	check_bgp_timers(k, &r->bgp, "router", r->name ? r->name : text, r->mark);
	if (is_nobodys(r->asn))
		config_error(k->b->errors, MARK(k, &r->asn, r), "BgpAsnNotAllowed",
			"router '%.40s': autonomous system %u is nobody's", r->name, r->asn);
	if (r->address.family == IP_NONE)
		return;
	local_find(k, r);
	if (r->local.family == IP_NONE || address_is_ours(k, &r->address))
		config_error(k->b->errors, MARK(k, &r->address, r), "RouterNotOnUplink",
			"router '%.40s': %s is not another address in a network of an uplink's", r->name, text);
	for (uint32_t i = 0; i < n; i++)
		if (address_equal(&h->routers[i].address, &r->address))
			config_error(k->b->errors, MARK(k, &r->address, r), "BgpPeerInUse",
				"router '%.40s' has the address of router '%.40s', %s", r->name, h->routers[i].name,
				text);
}

static void
check_speaker(struct check *k, const struct cfg_ha *h)
{
	if (h->asn == 0)
		config_error(k->b->errors, h->mark, "MissingKey", "highAvailability with routers needs asn");
	else if (is_nobodys(h->asn))
		config_error(k->b->errors, MARK(k, &h->asn, h), "BgpAsnNotAllowed",
			"highAvailability: autonomous system %u is nobody's", h->asn);
	if (h->addresses.n == 0)
		config_error(k->b->errors, h->mark, "MissingKey",
			"highAvailability with routers needs virtualAddresses to tell them of");
	if (k->c->appliance.bgp.daemon == BGP_DAEMON_EXTERNAL)
		config_error(k->b->errors, MARK(k, &h->routers, h), "NotSupported",
			"'routers' are told by the appliance's own daemon, but appliance.bgp.daemon is external: that "
			"one finds virtualAddresses on the interfaces vip-primary, vip-standby and vip-drained");
}

int
check_routers(struct check *k)
{
	struct cfg_ha *h = &k->c->appliance.ha;
	struct names names;

	if (!h->given)
		return 0;
	if (names_build(k->b->arena, &names, h->routers, h->n_routers, sizeof(*h->routers)) < 0)
		return -ENOMEM;
	names_check(k->b, &names, "router", false);
	if (h->n_routers > 0)
		check_speaker(k, h);
	for (uint32_t i = 0; i < h->n_routers; i++)
		check_router(k, h, i);
	for (uint32_t i = 0; i < h->addresses.n; i++)
		check_address(k, h, i);
	for (uint32_t i = 0; h->addresses.n > 0 && i < k->c->appliance.n_uplinks; i++)
		if (k->c->appliance.uplinks[i].name != NULL && strncmp(k->c->appliance.uplinks[i].name, "vip-", 4) == 0)
			config_error(k->b->errors,
				MARK(k, &k->c->appliance.uplinks[i].name, &k->c->appliance.uplinks[i]), "InvalidName",
				"uplink '%.40s': where there are virtualAddresses, 'vip-' begins their interfaces' "
				"names",
				k->c->appliance.uplinks[i].name);
	return 0;
}
