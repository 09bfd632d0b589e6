/* A connection as charon's conn: who, how, and its children.
 *
 * Uniqueness is `replace`: a peer that was restarted takes the place of its old self. charon replaces only among
 * conns that are equal in all, so two connections between the same identities are kept apart by their interface ids.
 * Replacing together with a close_action that starts again is how two ends that both initiate delete each other's
 * IKE_SAs for ever: no child has one, nor a dpd_action. control/charon_watch.c brings back what is missing, one end
 * after the other, at once where a packet waits for it; with charon's own traps there would be two who start a child.
 */
#include "control/ike_conf_build.h"
#include "control/ike_proposal.h"

#include "config/ike_profile.h"

#include <inttypes.h>
#include <string.h>

#define CHILD_LIFE_SHORT_S 300 /* below: the life is when to replace a child, not when it ends */
#define AZURE_KB 102400000

static const struct ip_prefix any4 = {.addr = {.family = IP_V4}}, any6 = {.addr = {.family = IP_V6}};

struct ends {
	struct ip_addr local, remote; /* remote: family 0 for a peer that is known by name */
	const char *fqdn;
	char local_id[256], remote_id[256];
};

/* ---- who ----------------------------------------------------------------------------- */

static struct ip_addr
peer_address(const struct config *c, const struct cfg_connection *x)
{
	const struct cfg_gateway *g;

	if (x->local_gateway != CFG_NONE)
		return c->local_gateways[x->local_gateway].address;
	if (x->gateway2 == CFG_NONE)
		return (struct ip_addr){0};
	g = &c->gateways[x->gateway2];
	return g->public_ip_refs.n > 0 && g->public_ips[0] != CFG_NONE ? c->public_ips[g->public_ips[0]].address
								       : (struct ip_addr){0};
}

/* The first public address of ours that is the peer's family's. */
static struct ip_addr
our_address(const struct config *c, const struct cfg_gateway *g, uint8_t family)
{
	for (uint32_t i = 0; i < g->public_ip_refs.n; i++) {
		const struct ip_addr *a =
			g->public_ips[i] == CFG_NONE ? NULL : &c->public_ips[g->public_ips[i]].address;

		if (a && ike_address_is_ours(c, a) && (family == IP_NONE || a->family == family))
			return *a;
	}
	return (struct ip_addr){0};
}

/* The connection's own credentials, or its gateway's. */
static const char *
own_or(const char *own, const char *gateways)
{
	return own ? own : gateways;
}

/* A hub's gateway may be called so by its clients alone: its sites' connections have what is theirs. */
static const char *
own_id(const struct cfg_connection *x, const struct cfg_gateway *g)
{
	if (x->implied && x->ike.authentication != AUTHENTICATION_CERTIFICATE)
		return x->ike.credentials.local_id;
	return own_or(x->ike.credentials.local_id, g->credentials.local_id);
}

/* Where nothing is said: with a shared key the addresses; a certificate's subject is charon's own default, and the
 * peer's may be whatever the authorities signed. */
static void
ids_of(const struct cfg_connection *x, const struct cfg_gateway *g, struct ends *e)
{
	bool certificate = x->ike.authentication == AUTHENTICATION_CERTIFICATE;
	const char *local = own_id(x, g), *remote = x->ike.remote_id;
	char text[ADDRESS_TEXT_MAX];

	if (!local)
		local = certificate ? "" : address_text(&e->local, text, sizeof(text));
	snprintf(e->local_id, sizeof(e->local_id), "%s", local);
	if (!remote)
		remote = certificate || e->remote.family == IP_NONE ? "%any"
								    : address_text(&e->remote, text, sizeof(text));
	snprintf(e->remote_id, sizeof(e->remote_id), "%s", remote);
}

static bool
ends_of(const struct config *c, const struct cfg_connection *x, struct ends *e)
{
	const struct cfg_gateway *g = &c->gateways[x->gateway1];

	*e = (struct ends){.remote = peer_address(c, x)};
	if (x->local_gateway != CFG_NONE)
		e->fqdn = c->local_gateways[x->local_gateway].fqdn;
	e->local = our_address(c, g, e->remote.family);
	if (e->local.family == IP_NONE || (e->remote.family == IP_NONE && !e->fqdn))
		return false;
	ids_of(x, g, e);
	return true;
}

static void
auth_add(struct ike_build *b, struct vici_message *m, const struct cfg_connection *x, const struct ends *e)
{
	const struct cfg_credentials *own = &x->ike.credentials, *all = &b->c->gateways[x->gateway1].credentials;
	bool certificate = x->ike.authentication == AUTHENTICATION_CERTIFICATE;

	vici_section(m, "local");
	vici_text(m, "auth", certificate ? "pubkey" : "psk");
	if (e->local_id[0])
		vici_text(m, "id", "%s", e->local_id);
	if (certificate)
		ike_certs_add(b, m, own_or(own->certificate, all->certificate), x->mark);
	vici_section_end(m);

	vici_section(m, "remote");
	vici_text(m, "auth", certificate ? "pubkey" : "psk");
	vici_text(m, "id", "%s", e->remote_id);
	if (certificate)
		ike_cacerts_add(b, m, own->ca_files.n > 0 ? &own->ca_files : &all->ca_files, x->mark);
	vici_section_end(m);
}

/* ---- how ----------------------------------------------------------------------------- */

static struct ike_offer
offer_of(const struct cfg_connection *x)
{
	return (struct ike_offer){
		.profile = x->ike.profile,
		.policy = x->ike.n_policies > 0 ? &x->ike.policies[0] : NULL,
		.ike = &x->ike.ike_proposals,
		.esp = &x->ike.esp_proposals,
		.esn = x->ike.esn == ESN_ON || (x->ike.esn == ESN_AUTO && x->type == CONNECTION_VNET2VNET),
		.ikev1 = x->ike.protocol == PROTOCOL_IKEV1,
		.initiator_only = x->ike.mode == MODE_INITIATOR_ONLY,
	};
}

static void
addresses_add(struct ike_item *item, const struct ends *e, bool mobike)
{
	struct vici_message *m = &item->message;
	char text[ADDRESS_TEXT_MAX];

	item->ours_at = item->ours_end = m->len;
	vici_list(m, "local_addrs");
	vici_item(m, "%s", address_text(&e->local, text, sizeof(text)));
	vici_list_end(m);
	if (mobike)
		item->ours_end = m->len;
	/* a name leads to the peer's address of the moment; the peer itself may come from another one */
	vici_list(m, "remote_addrs");
	if (e->fqdn) {
		vici_item(m, "%s", e->fqdn);
		vici_item(m, "%%any");
	} else {
		vici_item(m, "%s", address_text(&e->remote, text, sizeof(text)));
	}
	vici_list_end(m);
}

static void
conn_add(struct ike_item *item, const struct cfg_connection *x, const struct ends *e)
{
	const struct ike_offer offer = offer_of(x);
	/* of a shared address the peer is told no others: they are one node's */
	bool mobike = x->ike.mobike && !offer.ikev1 && !item->shared;
	struct vici_message *m = &item->message;

	vici_text(m, "version", "%d", offer.ikev1 ? 1 : 2);
	addresses_add(item, e, mobike);
	vici_list(m, "proposals");
	ike_proposals_add(m, &offer);
	vici_list_end(m);
	vici_text(m, "unique", "replace");
	vici_text(m, "keyingtries", "0");
	ike_timing_add(m, x->ike.dpd_s, x->ike.ike_life_s ? x->ike.ike_life_s : IKE_LIFE_S);
	vici_text(m, "encap", x->ike.force_encap ? "yes" : "no");
	vici_text(m, "mobike", mobike ? "yes" : "no");
	vici_text(m, "fragmentation", x->ike.fragmentation ? "yes" : "no");
	/* the first children's if_ids are this one's, too; and it keeps equal conns apart */
	vici_text(m, "if_id_in", "%u", item->if_id);
	vici_text(m, "if_id_out", "%u", item->if_id);
}

/* ---- children ------------------------------------------------------------------------ */

struct child {
	const struct cfg_connection *x;
	struct ike_build *b;
	struct ike_item *item;
	uint32_t if_id;
	uint32_t n;        /* so far */
	uint32_t priority; /* of its policies, which tells equals apart; 0: charon's own */
};

static void
life_add(struct vici_message *m, const struct cfg_connection *x)
{
	const struct cfg_ipsec_policy *p = x->ike.n_policies > 0 ? &x->ike.policies[0] : NULL;
	bool azure = !p && x->ike.profile == IKE_PROFILE_AZURE;
	uint32_t s = x->ike.child_life_s ? x->ike.child_life_s
		     : p && p->sa_life_s ? p->sa_life_s
					 : ike_profile_child_life(x->ike.profile);
	uint64_t bytes = p ? (uint64_t)p->sa_data_kb * 1024 : azure ? AZURE_KB * 1024ull : 0;
	bool brief = s < CHILD_LIFE_SHORT_S;

	vici_text(m, "rekey_time", "%us", brief ? s : s - s / 10);
	vici_text(m, "life_time", "%us", brief ? s + 60 : s);
	vici_text(m, "rand_time", "%us", s / 10);
	if (bytes) {
		vici_text(m, "rekey_bytes", "%" PRIu64, bytes - bytes / 10);
		vici_text(m, "life_bytes", "%" PRIu64, bytes);
		vici_text(m, "rand_bytes", "%" PRIu64, bytes / 100);
	}
	if (x->ike.child_life_packets) {
		vici_text(m, "rekey_packets", "%" PRIu64, x->ike.child_life_packets);
		vici_text(m, "life_packets", "%" PRIu64, 2 * x->ike.child_life_packets);
		vici_text(m, "rand_packets", "%" PRIu64, x->ike.child_life_packets / 10);
	}
}

static void
child_tail_add(struct child *c)
{
	const struct ike_offer offer = offer_of(c->x);
	struct vici_message *m = &c->item->message;

	vici_list(m, "esp_proposals");
	esp_proposals_add(m, &offer);
	vici_list_end(m);
	life_add(m, c->x);
	vici_text(m, "mode", "tunnel");
	vici_text(m, "policies", "yes");
	vici_text(m, "hw_offload", "no");
	vici_text(m, "copy_df", c->x->copy_df ? "yes" : "no");
	vici_text(m, "replay_window", "%u", c->x->ike.replay_window);
	vici_text(m, "if_id_in", "%u", c->if_id);
	vici_text(m, "if_id_out", "%u", c->if_id);
	if (c->priority)
		vici_text(m, "priority", "%u", c->priority);
	vici_text(m, "start_action", "none");
	vici_text(m, "close_action", "none");
	vici_text(m, "dpd_action", "clear");
}

/* quiet: only for what the peer proposes. */
static void
child_add(struct child *c, const char *name, const struct ip_prefix *local, const struct ip_prefix *remote, uint32_t n,
	bool quiet)
{
	struct vici_message *m = &c->item->message;

	vici_section(m, name);
	vici_list(m, "local_ts");
	for (uint32_t i = 0; i < n; i++)
		ike_prefix_add(m, &local[i]);
	vici_list_end(m);
	vici_list(m, "remote_ts");
	for (uint32_t i = 0; i < n; i++)
		ike_prefix_add(m, &remote[i]);
	vici_list_end(m);
	child_tail_add(c);
	vici_section_end(m);
	if (!quiet)
		ike_child_add(c->b, c->item, name);
	c->n++;
}

/* One child for each pair: a child with several selectors would let through what no pair allows, and IKEv1 has no
 * others. */
static void
cross_product_add(struct child *c, const struct cfg_prefixes *local, const struct cfg_prefixes *remote)
{
	for (uint32_t i = 0; i < local->n; i++) {
		for (uint32_t k = 0; k < remote->n; k++) {
			char name[300];

			if (local->p[i].addr.family != remote->p[k].addr.family)
				continue;
			snprintf(name, sizeof(name), "%s-%u", c->x->name, c->n + 1);
			child_add(c, name, &local->p[i], &remote->p[k], 1, false);
		}
	}
}

static struct cfg_prefixes
remote_prefixes(const struct config *c, const struct cfg_connection *x)
{
	if (x->local_gateway != CFG_NONE)
		return c->local_gateways[x->local_gateway].prefixes;
	if (x->gateway2 != CFG_NONE && c->gateways[x->gateway2].vnet != CFG_NONE)
		return c->vnets[c->gateways[x->gateway2].vnet].space;
	return (struct cfg_prefixes){0};
}

/* The spaces of the gateway's VNet and of those that use it across a peering. */
static void
policy_based_add(struct child *c, const struct config *config)
{
	const struct cfg_prefixes remote = remote_prefixes(config, c->x);
	int32_t vnet = config->gateways[c->x->gateway1].vnet;
	const struct cfg_prefixes *space;

	for (uint32_t i = 0; (space = ike_served_space(config, vnet, i)) != NULL; i++)
		cross_product_add(c, space, &remote);
}

/* Any to any, of both families. IKEv1 has one pair to a child: a second child where the peer has IPv6. Of children that
 * are equal in all but their names charon starts the first one only, so those side by side differ in what nobody reads:
 * the priority of their policies.
 */
static void
route_based_add(struct child *c, const struct config *config)
{
	const struct ip_prefix both[] = {any4, any6};
	const struct cfg_prefixes remote = remote_prefixes(config, c->x);
	uint32_t tunnels = c->x->ike.tunnels ? c->x->ike.tunnels : 1;
	bool v4 = false, v6 = false;
	char name[300];

	for (uint32_t i = 0; i < remote.n; i++) {
		v4 |= remote.p[i].addr.family == IP_V4;
		v6 |= remote.p[i].addr.family == IP_V6;
	}
	for (uint32_t t = 1; t <= tunnels; t++) {
		snprintf(name, sizeof(name), "%s-%u", c->x->name, t);
		c->priority = t > 1 ? t : 0;
		if (c->x->ike.protocol != PROTOCOL_IKEV1)
			child_add(c, name, both, both, 2, false);
		else if (v4 || !v6)
			child_add(c, name, &any4, &any4, 1, false);
	}
	c->priority = 0;
	snprintf(name, sizeof(name), "%s-6", c->x->name);
	if (c->x->ike.protocol == PROTOCOL_IKEV1 && v6)
		child_add(c, name, &any6, &any6, 1, false);
}

static void
children_add(struct child *c, const struct config *config)
{
	const struct ip_prefix both[] = {any4, any6};
	bool narrow = c->x->n_selectors > 0 || c->x->policy_based;

	vici_section(&c->item->message, "children");
	for (uint32_t i = 0; i < c->x->n_selectors; i++)
		cross_product_add(c, &c->x->selectors[i].local, &c->x->selectors[i].remote);
	if (!narrow)
		route_based_add(c, config);
	else if (c->x->n_selectors == 0)
		policy_based_add(c, config);
	/* whatever the peer proposes; the last of all, so that it is taken where none of ours fits */
	if (narrow && c->x->ike.accept_any_selector)
		child_add(c, "any", both, both, c->x->ike.protocol == PROTOCOL_IKEV1 ? 1 : 2, true);
	vici_section_end(&c->item->message);
}

/* ---- the whole ----------------------------------------------------------------------- */

/* Of two that may both start, the one with the higher address waits a little. */
static bool
is_patient(const struct cfg_connection *x, const struct ends *e)
{
	return x->ike.mode == MODE_DEFAULT && e->remote.family != IP_NONE &&
	       memcmp(&e->local, &e->remote, sizeof(e->local)) > 0;
}

static void
secrets_add(struct ike_build *b, const struct cfg_connection *x, const struct ends *e)
{
	const struct cfg_credentials *own = &x->ike.credentials, *all = &b->c->gateways[x->gateway1].credentials;
	char id[300];

	snprintf(id, sizeof(id), "isthmus-psk-%s", x->name);
	if (x->ike.authentication == AUTHENTICATION_PSK)
		ike_shared_add(b, id, "IKE", e->remote_id, x->ike.shared_key, x->ike.shared_key_len);
	if (x->ike.authentication != AUTHENTICATION_CERTIFICATE)
		return;
	ike_private_key_add(b, own_or(own->key_file, all->key_file), x->mark);
	ike_chain_add(b, own_or(own->certificate, all->certificate), x->mark);
}

static bool
is_virtual(const struct cfg_ha *ha, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < ha->addresses.n; i++)
		if (address_equal(&ha->addresses.p[i].addr, a))
			return true;
	return false;
}

void
ike_connection_add(struct ike_build *b, uint32_t connection)
{
	const struct cfg_connection *x = &b->c->connections[connection];
	struct child child = {.x = x, .b = b, .if_id = b->ids.connection[connection]};
	struct ike_item *item;
	struct ends e;

	if (x->gateway1 == CFG_NONE || !ends_of(b->c, x, &e))
		return;
	secrets_add(b, x, &e);
	item = ike_item_add(b, IKE_CONN, "%s", x->name);
	if (!item)
		return;
	item->if_id = child.if_id;
	item->starts = x->ike.mode != MODE_RESPONDER_ONLY;
	item->patient = is_patient(x, &e);
	item->shared = is_virtual(&b->c->appliance.ha, &e.local);
	vici_section(&item->message, x->name);
	conn_add(item, x, &e);
	auth_add(b, &item->message, x, &e);
	child.item = item;
	children_add(&child, b->c);
	vici_section_end(&item->message);
}
