/* Point-to-site as conns: one for clients with certificates, one for users with passwords, and one more for each user
 * with an address of their own.
 *
 * charon chooses among conns that fit by their order, and knows no user before EAP is over: a user's own conn asks
 * for that very EAP identity and is tried first, the common one is the last of all. Fixed addresses are pools of one,
 * and cut out of the common pool's ranges.
 *
 * charon does not replace a pool that has an address out, so a pool with other contents has another name: its conns
 * change with it, and clients that have an address of the old one come again.
 */
#include "control/ike_conf_build.h"
#include "control/ike_proposal.h"

#include "config/ike_profile.h"

#include <stdlib.h>
#include <string.h>

#define PASSWORD_MAX 256
#define NAME_MAX_LEN 400

struct site {
	struct ike_build *b;
	const struct cfg_gateway *g;
	uint32_t if_id;
	uint32_t n_pools;  /* common ones */
	uint32_t contents; /* of the common ones, as a digest */
};

/* ---- pools --------------------------------------------------------------------------- */

/* FNV-1a: goes on from `digest`. */
static uint32_t
digest_add(uint32_t digest, const char *text)
{
	do {
		digest = (digest ^ (uint8_t)*text) * 16777619u;
	} while (*text++ != '\0');
	return digest;
}

/* What all pools of the gateway have in common: their DNS servers. */
static uint32_t
digest_begin(const struct site *s)
{
	uint32_t digest = 2166136261u;
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < s->g->p2s.dns.n; i++)
		digest = digest_add(digest, address_text(&s->g->p2s.dns.p[i].addr, text, sizeof(text)));
	return digest;
}

static uint32_t
user_digest(const struct site *s, const struct cfg_p2s_user *u)
{
	char text[ADDRESS_TEXT_MAX];

	return digest_add(digest_begin(s), address_text(&u->address, text, sizeof(text)));
}

/* Which addresses are common: prefixes, and what users have for themselves. */
static uint32_t
common_digest(const struct site *s)
{
	const struct cfg_p2s *p = &s->g->p2s;
	uint32_t digest = digest_begin(s);
	char text[ADDRESS_TEXT_MAX + 8];

	for (uint32_t i = 0; i < p->pool.n; i++)
		digest = digest_add(digest, prefix_text(&p->pool.p[i], text, sizeof(text)));
	for (uint32_t i = 0; i < p->n_users; i++) {
		if (p->users[i].address.family != IP_NONE)
			digest = digest_add(digest, address_text(&p->users[i].address, text, sizeof(text)));
	}
	return digest;
}

static void
pool_add(struct site *s, const char *name, const char *addresses)
{
	struct ike_item *item = ike_item_add(s->b, IKE_POOL, "%s", name);
	char text[ADDRESS_TEXT_MAX];

	if (!item)
		return;
	vici_section(&item->message, name);
	vici_text(&item->message, "addrs", "%s", addresses);
	if (s->g->p2s.dns.n > 0) {
		vici_list(&item->message, "dns");
		for (uint32_t i = 0; i < s->g->p2s.dns.n; i++)
			vici_item(&item->message, "%s", address_text(&s->g->p2s.dns.p[i].addr, text, sizeof(text)));
		vici_list_end(&item->message);
	}
	vici_section_end(&item->message);
}

static void
step(struct ip_addr *a, int by)
{
	int last = a->family == IP_V4 ? 3 : 15, carry = by;

	for (int i = last; i >= 0 && carry != 0; i--) {
		int byte = a->b[i] + carry;

		carry = byte < 0 ? -1 : byte > 255 ? 1 : 0;
		a->b[i] = (uint8_t)byte;
	}
}

static struct ip_addr
last_of(const struct ip_prefix *p)
{
	struct ip_addr a = p->addr;

	for (int bit = p->len; bit < address_bits(&a); bit++)
		a.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return a;
}

static void
range_add(struct site *s, const struct ip_addr *from, const struct ip_addr *to)
{
	char name[NAME_MAX_LEN], range[2 * ADDRESS_TEXT_MAX + 2], a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	if (memcmp(from->b, to->b, sizeof(from->b)) > 0)
		return;
	snprintf(name, sizeof(name), "p2s-%s:%08x:%u", s->g->name, s->contents, ++s->n_pools);
	snprintf(range, sizeof(range), "%s-%s", address_text(from, a, sizeof(a)), address_text(to, b, sizeof(b)));
	pool_add(s, name, range);
}

/* The lowest fixed address of the prefix from `at` on, NULL. */
static const struct ip_addr *
next_fixed(const struct site *s, const struct ip_prefix *p, const struct ip_addr *at)
{
	const struct ip_addr *best = NULL;

	for (uint32_t i = 0; i < s->g->p2s.n_users; i++) {
		const struct ip_addr *a = &s->g->p2s.users[i].address;

		if (a->family != p->addr.family || !prefix_has(p, a) || memcmp(a->b, at->b, sizeof(at->b)) < 0)
			continue;
		if (!best || memcmp(a->b, best->b, sizeof(best->b)) < 0)
			best = a;
	}
	return best;
}

/* A prefix less its first and last address, which are no host's, and less what users have for themselves. */
static void
common_pools_add(struct site *s, const struct ip_prefix *p)
{
	struct ip_addr at = p->addr, end = last_of(p);
	const struct ip_addr *fixed;

	if (address_bits(&at) - p->len >= 2) {
		step(&at, 1);
		step(&end, -1);
	}
	while ((fixed = next_fixed(s, p, &at)) != NULL) {
		struct ip_addr from = at, to = *fixed;

		step(&to, -1);
		range_add(s, &from, &to);
		at = *fixed;
		step(&at, 1);
	}
	range_add(s, &at, &end);
}

/* ---- conns --------------------------------------------------------------------------- */

static void
child_add(struct site *s, struct vici_message *m, const char *name)
{
	const struct cfg_p2s *p = &s->g->p2s;
	const struct ike_offer offer = {.policy = p->n_policies > 0 ? &p->policies[0] : NULL};
	uint32_t life_s = offer.policy && offer.policy->sa_life_s ? offer.policy->sa_life_s
								  : ike_profile_child_life(IKE_PROFILE_DEFAULT);
	const struct cfg_prefixes *space;

	vici_section(m, "children");
	vici_section(m, name);
	vici_list(m, "local_ts");
	for (uint32_t i = 0; (space = ike_served_space(s->b->c, s->g->vnet, i)) != NULL; i++) {
		for (uint32_t k = 0; k < space->n; k++)
			ike_prefix_add(m, &space->p[k]);
	}
	for (uint32_t i = 0; i < s->g->custom_routes.n; i++)
		ike_prefix_add(m, &s->g->custom_routes.p[i]);
	vici_list_end(m);
	vici_list(m, "remote_ts");
	vici_item(m, "dynamic");
	vici_list_end(m);
	vici_list(m, "esp_proposals");
	esp_proposals_add(m, &offer);
	vici_list_end(m);
	vici_text(m, "rekey_time", "%us", life_s - life_s / 10);
	vici_text(m, "life_time", "%us", life_s);
	vici_text(m, "rand_time", "%us", life_s / 10);
	vici_text(m, "replay_window", "%u", s->g->disable_replay_protection ? 0 : 1024);
	vici_text(m, "if_id_in", "%u", s->if_id);
	vici_text(m, "if_id_out", "%u", s->if_id);
	vici_text(m, "start_action", "none");
	vici_text(m, "close_action", "none");
	vici_text(m, "dpd_action", "clear");
	vici_section_end(m);
	vici_section_end(m);
}

static void
head_add(struct site *s, struct vici_message *m, const char *unique)
{
	const struct cfg_p2s *p = &s->g->p2s;
	const struct ike_offer offer = {.policy = p->n_policies > 0 ? &p->policies[0] : NULL};
	char text[ADDRESS_TEXT_MAX];

	vici_text(m, "version", "2");
	vici_list(m, "local_addrs");
	for (uint32_t i = 0; i < s->g->public_ip_refs.n; i++) {
		const struct ip_addr *a =
			s->g->public_ips[i] == CFG_NONE ? NULL : &s->b->c->public_ips[s->g->public_ips[i]].address;

		if (a && ike_address_is_ours(s->b->c, a))
			vici_item(m, "%s", address_text(a, text, sizeof(text)));
	}
	vici_list_end(m);
	vici_list(m, "remote_addrs");
	vici_item(m, "%%any");
	vici_list_end(m);
	vici_list(m, "proposals");
	ike_proposals_add(m, &offer);
	vici_list_end(m);
	vici_text(m, "unique", "%s", unique);
	vici_text(m, "send_cert", "always");
	ike_timing_add(m, 45, IKE_LIFE_S);
	vici_text(m, "mobike", "yes");
	vici_text(m, "fragmentation", "yes");
	vici_text(m, "if_id_in", "%u", s->if_id);
	vici_text(m, "if_id_out", "%u", s->if_id);
}

static void
local_add(struct site *s, struct vici_message *m)
{
	const struct cfg_credentials *c = &s->g->credentials;

	vici_section(m, "local");
	vici_text(m, "auth", "pubkey");
	if (c->local_id)
		vici_text(m, "id", "%s", c->local_id);
	ike_certs_add(s->b, m, c->certificate, s->g->mark);
	vici_section_end(m);
}

static void
common_pools_name(struct site *s, struct vici_message *m)
{
	vici_list(m, "pools");
	for (uint32_t i = 1; i <= s->n_pools; i++)
		vici_item(m, "p2s-%s:%08x:%u", s->g->name, s->contents, i);
	vici_list_end(m);
}

/* A certificate may be on several devices at once. */
static void
certificate_conn_add(struct site *s)
{
	struct ike_item *item = ike_item_add(s->b, IKE_CONN, "p2s-%s", s->g->name);
	struct vici_message *m = item ? &item->message : NULL;

	if (!m)
		return;
	item->if_id = s->if_id;
	vici_section(m, item->name);
	head_add(s, m, "no");
	common_pools_name(s, m);
	local_add(s, m);
	vici_section(m, "remote");
	vici_text(m, "auth", "pubkey");
	vici_text(m, "id", "%%any");
	vici_list(m, "cacerts");
	for (uint32_t i = 0; i < s->g->p2s.n_roots; i++)
		ike_base64_add(s->b, m, s->g->p2s.roots[i].data, s->g->p2s.roots[i].mark);
	vici_list_end(m);
	vici_section_end(m);
	child_add(s, m, item->name);
	vici_section_end(m);
}

/* user NULL: whoever has no address of their own. A user is in one place at a time. */
static void
eap_conn_add(struct site *s, const struct cfg_p2s_user *user)
{
	struct ike_item *item =
		ike_item_add(s->b, IKE_CONN, "p2s-%s:eap%s%s", s->g->name, user ? ":" : "", user ? user->name : "");
	struct vici_message *m = item ? &item->message : NULL;

	if (!m)
		return;
	item->if_id = s->if_id;
	item->last = user == NULL;
	vici_section(m, item->name);
	head_add(s, m, "replace");
	if (user) {
		vici_list(m, "pools");
		vici_item(m, "p2s-%s:%08x:%s", s->g->name, user_digest(s, user), user->name);
		vici_list_end(m);
	} else {
		common_pools_name(s, m);
	}
	local_add(s, m);
	vici_section(m, "remote");
	vici_text(m, "auth", "eap-mschapv2");
	vici_text(m, "id", "%%any");
	vici_text(m, "eap_id", "%s", user ? user->name : "%any");
	vici_section_end(m);
	child_add(s, m, item->name);
	vici_section_end(m);
}

static void
user_add(struct site *s, const struct cfg_p2s_user *u)
{
	char password[PASSWORD_MAX + 1], name[NAME_MAX_LEN], text[ADDRESS_TEXT_MAX];
	const char *reason = "cannot be read";
	int n = config_secret_read(s->b->c, u->password_file, password, PASSWORD_MAX, &reason);

	if (n > 0 && password[n - 1] == '\n')
		n--;
	if (n <= 0) {
		ike_refuse(s->b, u->mark, "%s: %s", u->password_file, n == 0 ? "is empty" : reason);
		return;
	}
	snprintf(name, sizeof(name), "isthmus-eap-%s:%s", s->g->name, u->name);
	ike_shared_add(s->b, name, "EAP", u->name, password, (size_t)n);
	explicit_bzero(password, sizeof(password));
	if (u->address.family == IP_NONE)
		return;
	snprintf(name, sizeof(name), "p2s-%s:%08x:%s", s->g->name, user_digest(s, u), u->name);
	pool_add(s, name, address_text(&u->address, text, sizeof(text)));
	eap_conn_add(s, u);
}

static bool
is_ours(const struct config *c, const struct cfg_gateway *g)
{
	for (uint32_t i = 0; i < g->public_ip_refs.n; i++) {
		if (g->public_ips[i] != CFG_NONE && ike_address_is_ours(c, &c->public_ips[g->public_ips[i]].address))
			return true;
	}
	return false;
}

void
ike_p2s_add(struct ike_build *b, uint32_t gateway)
{
	const struct cfg_gateway *g = &b->c->gateways[gateway];
	struct site s = {.b = b, .g = g, .if_id = b->ids.gateway[gateway]};

	if (!is_ours(b->c, g))
		return;
	ike_private_key_add(b, g->credentials.key_file, g->mark);
	ike_chain_add(b, g->credentials.certificate, g->mark);
	s.contents = common_digest(&s);
	for (uint32_t i = 0; i < g->p2s.pool.n; i++)
		common_pools_add(&s, &g->p2s.pool.p[i]);
	if (g->p2s.certificate)
		certificate_conn_add(&s);
	for (uint32_t i = 0; g->p2s.eap && i < g->p2s.n_users; i++)
		user_add(&s, &g->p2s.users[i]);
	if (g->p2s.eap)
		eap_conn_add(&s, NULL);
}
