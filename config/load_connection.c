/* The schema of connections: what two ends there are, how their keys are found, what may pass. */
#include "config/key.h"
#include "config/schemas.h"

#include <errno.h>
#include <string.h>

static const char *const connection_words[] = {"IPsec", "Vnet2Vnet", "ExpressRoute", NULL};

const char *const connection_mode_words[] = {"Default", "InitiatorOnly", "ResponderOnly", NULL};
const char *const connection_protocol_words[] = {"IKEv2", "IKEv1", NULL};
static const char *const authentication_words[] = {"PSK", "Certificate", NULL};
static const char *const profile_words[] = {"default", "azure-default", NULL};
static const char *const esn_words[] = {"auto", "off", "on", NULL};

/* by enum cfg_ike_encryption and so on, the cloud's words */
const char *const ike_encryption_words[] = {
	"DES", "DES3", "AES128", "AES192", "AES256", "GCMAES128", "GCMAES256", NULL};
const char *const ike_integrity_words[] = {"MD5", "SHA1", "SHA256", "SHA384", "GCMAES128", "GCMAES256", NULL};
const char *const dh_group_words[] = {
	"None", "DHGroup1", "DHGroup2", "DHGroup14", "DHGroup2048", "ECP256", "ECP384", "DHGroup24", NULL};
const char *const ipsec_encryption_words[] = {
	"None", "DES", "DES3", "AES128", "AES192", "AES256", "GCMAES128", "GCMAES192", "GCMAES256", NULL};
const char *const ipsec_integrity_words[] = {"MD5", "SHA1", "SHA256", "GCMAES128", "GCMAES192", "GCMAES256", NULL};
const char *const pfs_group_words[] = {
	"None", "PFS1", "PFS2", "PFS2048", "ECP256", "ECP384", "PFS24", "PFS14", "PFSMM", NULL};

/* ---- selectors ------------------------------------------------------------------- */

static const struct field selector_fields[] = {
	PREFIXES("localAddressRanges", struct cfg_selector, local, LIMIT_SPACE_PREFIXES),
	PREFIXES("remoteAddressRanges", struct cfg_selector, remote, LIMIT_SPACE_PREFIXES),
	END_OF_FIELDS,
};

const struct schema selector_schema = {
	.noun = "traffic selector policy", .fields = selector_fields, .size = sizeof(struct cfg_selector)};

/* ---- the shared key -------------------------------------------------------------- */

static void
shared_key_refuse(struct binder *b, const struct node *n, const char *code, const char *key, const char *reason)
{
	config_error(b->errors, n->mark, code, "'%s' %s", key, reason);
}

/* Nothing written here is ever quoted: any text may be the key. */
int
bind_shared_key(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_ike *ike = &((struct cfg_connection *)object)->ike;
	const char *reason = "is text";
	int length = -EINVAL;

	if (!b->private) {
		shared_key_refuse(b, n, "SharedKeyExposed", f->key,
			"stands in a file that others may read: its mode must be 0600 or stricter, or else use "
			"appliance.sharedKeyFile");
		return 0;
	}
	if (n->kind == NODE_SCALAR)
		length = shared_key_parse(n->text, strlen(n->text), ike->shared_key, &reason);
	if (ike->shared_key_len != 0)
		reason = "stands beside appliance.sharedKeyFile: one of them";
	if (length < 0 || ike->shared_key_len != 0)
		shared_key_refuse(b, n, "InvalidKey", f->key, reason);
	else
		ike->shared_key_len = (uint16_t)length;
	return bind_mark(b, &ike->shared_key_len, n);
}

static int
bind_shared_key_file(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_ike *ike = &((struct cfg_connection *)object)->ike;
	const char *reason;
	char text[400];
	int length;

	if (ike->shared_key_len != 0) {
		shared_key_refuse(b, n, "InvalidKey", f->key, "stands beside sharedKey: one of them");
		return 0;
	}
	if (bind_text(b, n, LIMIT_PATH, &ike->shared_key_file) < 0)
		return -ENOMEM;
	if (ike->shared_key_file == NULL)
		return 0;
	length = shared_key_read(b->folder, ike->shared_key_file, ike->shared_key, &reason);
	if (length < 0) {
		snprintf(text, sizeof(text), "names a file that %s%s%s", reason, length == -EINVAL ? "" : ": ",
			length == -EINVAL ? "" : strerror(-length));
		shared_key_refuse(b, n, "InvalidKeyFile", f->key, text);
		return bind_mark(b, &ike->shared_key_file, n);
	}
	ike->shared_key_len = (uint16_t)length;
	return bind_mark(b, &ike->shared_key_len, n);
}

/* The placeholder is refused when loaded. */
void
print_shared_key(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_ike *ike = &((const struct cfg_connection *)object)->ike;

	if (ike->shared_key_len == 0 || ike->shared_key_file != NULL)
		return;
	json_key(j, f->key);
	json_text(j, SHARED_KEY_HIDDEN);
}

static void
print_shared_key_file(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_ike *ike = &((const struct cfg_connection *)object)->ike;

	if (ike->shared_key_file == NULL)
		return;
	json_key(j, f->key);
	json_text(j, ike->shared_key_file);
}

/* ---- policies -------------------------------------------------------------------- */

#define POLICY_NUMBER(k, m, least, most)                                                                               \
	{                                                                                                              \
		.key = k, .type = FIELD_NUMBER, .required = true, .offset = offsetof(struct cfg_ipsec_policy, m),      \
		.size = MEMBER_SIZE(struct cfg_ipsec_policy, m), .min = least, .max = most                             \
	}
#define POLICY_WORD(k, m, list)                                                                                        \
	{                                                                                                              \
		.key = k, .type = FIELD_WORD, .required = true, .offset = offsetof(struct cfg_ipsec_policy, m),        \
		.size = MEMBER_SIZE(struct cfg_ipsec_policy, m), .words = list                                         \
	}

/* No partial policy, as in the cloud: every key is required. */
static const struct field policy_fields[] = {
	POLICY_NUMBER("saLifeTimeSeconds", sa_life_s, 300, 172799),
	POLICY_NUMBER("saDataSizeKilobytes", sa_data_kb, 1024, 2147483647),
	POLICY_WORD("ipsecEncryption", ipsec_encryption, ipsec_encryption_words),
	POLICY_WORD("ipsecIntegrity", ipsec_integrity, ipsec_integrity_words),
	POLICY_WORD("ikeEncryption", ike_encryption, ike_encryption_words),
	POLICY_WORD("ikeIntegrity", ike_integrity, ike_integrity_words),
	POLICY_WORD("dhGroup", dh_group, dh_group_words),
	POLICY_WORD("pfsGroup", pfs_group, pfs_group_words),
	END_OF_FIELDS,
};

const struct schema policy_schema = {
	.noun = "IPsec policy", .fields = policy_fields, .size = sizeof(struct cfg_ipsec_policy)};

/* ---- the connection -------------------------------------------------------------- */

static const struct field connection_appliance_fields[] = {
	{.key = "securityAssociations",
		.type = FIELD_LIST,
		.offset = offsetof(struct cfg_connection, sas),
		.count = offsetof(struct cfg_connection, n_sas),
		.max = LIMIT_SAS,
		.schema = &sa_schema},
	{.key = "sharedKeyFile", .type = FIELD_CUSTOM, .bind = bind_shared_key_file, .print = print_shared_key_file},
	WORD("ikeProfile", struct cfg_connection, ike.profile, profile_words),
	TEXTS("ikeProposals", struct cfg_connection, ike.ike_proposals, LIMIT_PROPOSALS),
	TEXTS("espProposals", struct cfg_connection, ike.esp_proposals, LIMIT_PROPOSALS),
	CREDENTIALS(struct cfg_connection, ike.credentials),
	TEXT("remoteId", struct cfg_connection, ike.remote_id, LIMIT_PATH),
	NUMBER("tunnels", struct cfg_connection, ike.tunnels, 1, LIMIT_RESOURCES),
	ZERO_OR("ikeLifetimeSeconds", struct cfg_connection, ike.ike_life_s, 2, 31536000),
	ZERO_OR("childLifetimeSeconds", struct cfg_connection, ike.child_life_s, 2, 31536000),
	NUMBER("childLifetimePackets", struct cfg_connection, ike.child_life_packets, 0, UINT64_MAX),
	WORD("esn", struct cfg_connection, ike.esn, esn_words),
	FLAG("forceEncapsulation", struct cfg_connection, ike.force_encap),
	FLAG("mobike", struct cfg_connection, ike.mobike),
	FLAG("fragmentation", struct cfg_connection, ike.fragmentation),
	FLAG("acceptAnySelector", struct cfg_connection, ike.accept_any_selector),
	ZERO_OR("replayWindow", struct cfg_connection, ike.replay_window, 64, 4096),
	PART_AT("bgp", struct cfg_connection, bgp, &bgp_session_schema),
	ZERO_OR("mtu", struct cfg_connection, mtu, 576, 9000),
	ZERO_OR("tcpMss", struct cfg_connection, tcp_mss, 216, 8960),
	FLAG("copyDscp", struct cfg_connection, copy_dscp),
	FLAG("copyDf", struct cfg_connection, copy_df),
	END_OF_FIELDS,
};

const struct schema connection_appliance_schema = {
	.noun = "connection's appliance part", .fields = connection_appliance_fields};

static const struct field connection_fields[] = {
	NAME(struct cfg_connection),
	ID(struct cfg_connection),
	{.key = "connectionType",
		.type = FIELD_WORD,
		.required = true,
		.offset = offsetof(struct cfg_connection, type),
		.size = MEMBER_SIZE(struct cfg_connection, type),
		.words = connection_words},
	{.key = "virtualNetworkGateway1",
		.type = FIELD_REF,
		.required = true,
		.offset = offsetof(struct cfg_connection, gateway1_ref)},
	REF("virtualNetworkGateway2", struct cfg_connection, gateway2_ref),
	REF("localNetworkGateway2", struct cfg_connection, local_gateway_ref),
	REF("peer", struct cfg_connection, circuit_ref),
	NUMBER("routingWeight", struct cfg_connection, routing_weight, 0, 32000),
	FLAG("usePolicyBasedTrafficSelectors", struct cfg_connection, policy_based),
	{.key = "trafficSelectorPolicies",
		.type = FIELD_LIST,
		.offset = offsetof(struct cfg_connection, selectors),
		.count = offsetof(struct cfg_connection, n_selectors),
		.max = LIMIT_SELECTORS,
		.schema = &selector_schema},
	FLAG("enableBgp", struct cfg_connection, enable_bgp),
	{.key = "gatewayCustomBgpIpAddresses",
		.type = FIELD_CUSTOM,
		.schema = &custom_bgp_address_schema,
		.bind = bind_custom_bgp_address,
		.print = print_custom_bgp_address},
	PART("appliance", &connection_appliance_schema),
	WORD("connectionProtocol", struct cfg_connection, ike.protocol, connection_protocol_words),
	WORD("connectionMode", struct cfg_connection, ike.mode, connection_mode_words),
	WORD("authenticationType", struct cfg_connection, ike.authentication, authentication_words),
	CUSTOM("sharedKey", bind_shared_key, print_shared_key),
	LIST_AT("ipsecPolicies", struct cfg_connection, ike.policies, ike.n_policies, LIMIT_POLICIES, &policy_schema),
	ZERO_OR("dpdTimeoutSeconds", struct cfg_connection, ike.dpd_s, 9, 3600),
	IGNORED("connectionStatus"),
	IGNORED("egressBytesTransferred"),
	IGNORED("ingressBytesTransferred"),
	IGNORED("tunnelConnectionStatus"),
	REFUSED("authorizationKey"),
	REFUSED_TO("certificateAuthentication",
		"certificates are files here: appliance.certificate, privateKeyFile and caFiles"),
	REFUSED("egressNatRules"),
	REFUSED("enablePrivateLinkFastPath"),
	REFUSED("expressRouteGatewayBypass"),
	REFUSED("ingressNatRules"),
	REFUSED("tunnelProperties"),
	REFUSED("useLocalAzureIpAddress"),
	END_OF_FIELDS,
};

void
connection_init(void *object)
{
	struct cfg_connection *c = object;

	c->gateway1 = c->gateway2 = c->local_gateway = c->circuit = CFG_NONE;
	c->copy_dscp = c->copy_df = true;
	c->ike.protocol = PROTOCOL_UNSET;
	c->ike.dpd_s = 45;
	c->ike.tunnels = 1;
	c->ike.mobike = c->ike.fragmentation = true;
	c->ike.replay_window = 1024;
	bgp_session_init(&c->bgp);
}

const struct schema connection_schema = {.noun = "connection",
	.fields = connection_fields,
	.size = sizeof(struct cfg_connection),
	.init = connection_init,
	.implied = offsetof(struct cfg_connection, implied),
	.resource = true};
