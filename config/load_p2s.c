/* The schema of point-to-site: vpnClientConfiguration, and the users that stand in the appliance's part.
 *
 * What protocol and what authentication clients may use are lists of the cloud's words, of which
 * this appliance has one each; the others are refused by name, so that nobody waits for them.
 */
#include "config/hub_gateway.h"
#include "config/schemas.h"

#include <string.h>
#include <strings.h>

/* ---- words that can only be one -------------------------------------------------- */

/* 1 if the list holds the word, 0 if it holds nothing; others are told. */
static int
bind_only(struct binder *b, const struct field *f, const struct node *n, const char *word, const char *why)
{
	int found = 0;

	for (uint32_t i = 0; i < node_count(n); i++) {
		const struct node *item = node_item(n, i);

		if (item->kind == NODE_SCALAR && strcasecmp(item->text, word) == 0)
			found = 1;
		else
			config_error(b->errors, item->mark, "NotSupported", "'%s' of this version is %s, not '%.40s'%s",
				f->key, word, bind_quote(b, item), why);
	}
	return found;
}

static int
bind_protocols(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	(void)object;
	bind_only(b, f, n, "IkeV2", "");
	return 0;
}

static int
bind_authentication(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_p2s *p = object;

	p->certificate = bind_only(b, f, n, "Certificate", ": users with passwords stand in appliance.p2sUsers") == 1;
	return 0;
}

static void
print_words(struct json *j, const char *key, const char *word)
{
	json_key(j, key);
	json_open(j, '[');
	json_item(j);
	json_text(j, word);
	json_close(j, ']');
}

static void
print_protocols(struct json *j, const struct field *f, const void *object)
{
	if (((const struct cfg_p2s *)object)->pool.n > 0)
		print_words(j, f->key, "IkeV2");
}

static void
print_authentication(struct json *j, const struct field *f, const void *object)
{
	if (((const struct cfg_p2s *)object)->certificate)
		print_words(j, f->key, "Certificate");
}

/* ---- certificates ---------------------------------------------------------------- */

static const struct field root_fields[] = {
	NAME(struct cfg_root_certificate),
	{.key = "publicCertData",
		.type = FIELD_TEXT,
		.required = true,
		.offset = offsetof(struct cfg_root_certificate, data),
		.max = LIMIT_CERTIFICATE_TEXT},
	END_OF_FIELDS,
};

static const struct schema root_schema = {.noun = "root certificate",
	.fields = root_fields,
	.size = sizeof(struct cfg_root_certificate),
	.resource = true};

static const struct field revoked_fields[] = {
	NAME(struct cfg_revoked_certificate),
	{.key = "thumbprint",
		.type = FIELD_TEXT,
		.required = true,
		.offset = offsetof(struct cfg_revoked_certificate, thumbprint),
		.max = LIMIT_PATH},
	END_OF_FIELDS,
};

static const struct schema revoked_schema = {.noun = "revoked certificate",
	.fields = revoked_fields,
	.size = sizeof(struct cfg_revoked_certificate),
	.resource = true};

/* ---- the configuration of clients ------------------------------------------------ */

static const struct field pool_fields[] = {
	PREFIXES("addressPrefixes", struct cfg_p2s, pool, LIMIT_P2S_POOLS),
	REFUSED("ipamPoolPrefixAllocations"),
	END_OF_FIELDS,
};

static const struct schema pool_schema = {.noun = "client address pool", .fields = pool_fields};

static const struct field p2s_fields[] = {
	PART("vpnClientAddressPool", &pool_schema),
	CUSTOM("vpnClientProtocols", bind_protocols, print_protocols),
	CUSTOM("vpnAuthenticationTypes", bind_authentication, print_authentication),
	LIST_AT("vpnClientRootCertificates", struct cfg_p2s, roots, n_roots, LIMIT_P2S_CERTIFICATES, &root_schema),
	LIST_AT("vpnClientRevokedCertificates", struct cfg_p2s, revoked, n_revoked, LIMIT_P2S_CERTIFICATES,
		&revoked_schema),
	LIST_AT("vpnClientIpsecPolicies", struct cfg_p2s, policies, n_policies, LIMIT_POLICIES, &policy_schema),
	REFUSED("aadAudience"),
	REFUSED("aadIssuer"),
	REFUSED("aadTenant"),
	REFUSED("radiusServerAddress"),
	REFUSED("radiusServerSecret"),
	REFUSED("radiusServers"),
	REFUSED("vngClientConnectionConfigurations"),
	END_OF_FIELDS,
};

const struct schema p2s_schema = {.noun = "VPN client configuration", .fields = p2s_fields};

/* ---- of hubs ---------------------------------------------------------------------- */

static int
bind_server_authentication(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	return bind_authentication(b, f, n, &((struct cfg_server_configuration *)object)->p2s);
}

static void
print_server_authentication(struct json *j, const struct field *f, const void *object)
{
	print_authentication(j, f, &((const struct cfg_server_configuration *)object)->p2s);
}

static void
print_server_protocols(struct json *j, const struct field *f, const void *object)
{
	(void)object;
	print_words(j, f->key, "IkeV2");
}

/* Of a virtual WAN's gateways, which have the pools. */
static const struct field server_configuration_fields[] = {
	NAME(struct cfg_server_configuration),
	ID(struct cfg_server_configuration),
	CUSTOM("vpnProtocols", bind_protocols, print_server_protocols),
	CUSTOM("vpnAuthenticationTypes", bind_server_authentication, print_server_authentication),
	LIST_AT("vpnClientRootCertificates", struct cfg_server_configuration, p2s.roots, p2s.n_roots,
		LIMIT_P2S_CERTIFICATES, &root_schema),
	LIST_AT("vpnClientRevokedCertificates", struct cfg_server_configuration, p2s.revoked, p2s.n_revoked,
		LIMIT_P2S_CERTIFICATES, &revoked_schema),
	LIST_AT("vpnClientIpsecPolicies", struct cfg_server_configuration, p2s.policies, p2s.n_policies, LIMIT_POLICIES,
		&policy_schema),
	IGNORED("p2SVpnGateways"),
	REFUSED("aadAuthenticationParameters"),
	REFUSED("configurationPolicyGroups"),
	REFUSED("radiusClientRootCertificates"),
	REFUSED("radiusServerAddress"),
	REFUSED("radiusServerRootCertificates"),
	REFUSED("radiusServerSecret"),
	REFUSED("radiusServers"),
	END_OF_FIELDS,
};

const struct schema server_configuration_schema = {.noun = "VPN server configuration",
	.fields = server_configuration_fields,
	.size = sizeof(struct cfg_server_configuration),
	.resource = true};

/* ---- users ----------------------------------------------------------------------- */

static const struct field user_fields[] = {
	NAME(struct cfg_p2s_user),
	{.key = "passwordFile",
		.type = FIELD_TEXT,
		.required = true,
		.offset = offsetof(struct cfg_p2s_user, password_file),
		.max = LIMIT_PATH},
	{.key = "address", .type = FIELD_ADDRESS, .offset = offsetof(struct cfg_p2s_user, address)},
	END_OF_FIELDS,
};

const struct schema p2s_user_schema = {
	.noun = "point-to-site user", .fields = user_fields, .size = sizeof(struct cfg_p2s_user)};
