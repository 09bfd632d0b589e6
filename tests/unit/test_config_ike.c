/* Connections that negotiate their keys: what they need, and what does not fit. */
#include "config_case.h"
#include "config_tunnel.h"

/* Lines 12 on: the connection. Both gateways' addresses are ours. */
#define UPLINK                                                                                                         \
	"appliance: {ports: [{name: p, driver: ring}], uplinks: [{name: u, port: p, addresses: [192.0.2.1/24, "        \
	"192.0.2.2/24]}]}\n"
#define SITE(more)                                                                                                     \
	TWO UPLINK "connections:\n- {name: c, connectionType: IPsec, virtualNetworkGateway1: g, "                      \
		   "localNetworkGateway2: l" more "}\n"
#define SIDE(name, from, to, more)                                                                                     \
	"- {name: " name ", connectionType: Vnet2Vnet, virtualNetworkGateway1: " from                                  \
	", virtualNetworkGateway2: " to more "}\n"
#define PAIR(one, other) TWO UPLINK "connections:\n" SIDE("c", "g", "h", one) SIDE("d", "h", "g", other)
#define KEY ", sharedKey: 'Secret, 17!'"

/* ---- what is read ---------------------------------------------------------------- */

static void
defaults(void **state)
{
	struct config *c = case_load(SITE(KEY));
	const struct cfg_ike *i = &c->connections[0].ike;

	assert_true(c->connections[0].uses_ike);
	assert_int_equal(i->protocol, PROTOCOL_IKEV2);
	assert_int_equal(i->mode, MODE_DEFAULT);
	assert_int_equal(i->authentication, AUTHENTICATION_PSK);
	assert_string_equal(i->shared_key, "Secret, 17!");
	assert_int_equal(i->shared_key_len, 11);
	assert_int_equal(i->dpd_s, 45);
	assert_int_equal(i->tunnels, 1);
	assert_int_equal(i->profile, IKE_PROFILE_DEFAULT);
	assert_int_equal(i->esn, ESN_AUTO);
	assert_true(i->mobike && i->fragmentation);
	assert_false(i->force_encap || i->accept_any_selector);
	assert_int_equal(i->replay_window, 1024);
	config_free(c);
}

static void
every_key(void **state)
{
	struct config *c = case_load(SITE(KEY
		", connectionProtocol: ikev2, connectionMode: ResponderOnly, authenticationType: PSK, "
		"dpdTimeoutSeconds: 9,\n"
		" ipsecPolicies: [{saLifeTimeSeconds: 300, saDataSizeKilobytes: 1024, ipsecEncryption: GCMAES256,\n"
		" ipsecIntegrity: GCMAES256, ikeEncryption: AES256, ikeIntegrity: SHA384, dhGroup: ECP384, pfsGroup: "
		"PFSMM}],\n"
		" appliance: {localId: one.example, remoteId: two.example, tunnels: 64, ikeLifetimeSeconds: 2,\n"
		" childLifetimeSeconds: 3, childLifetimePackets: 4, esn: on, forceEncapsulation: true, mobike: false,\n"
		" fragmentation: false, acceptAnySelector: true, replayWindow: 64, ikeProfile: azure-default}"));
	const struct cfg_ike *i = &c->connections[0].ike;

	assert_int_equal(i->protocol, PROTOCOL_IKEV2);
	assert_int_equal(i->mode, MODE_RESPONDER_ONLY);
	assert_int_equal(i->dpd_s, 9);
	assert_int_equal(i->n_policies, 1);
	assert_int_equal(i->policies[0].sa_life_s, 300);
	assert_int_equal(i->policies[0].sa_data_kb, 1024);
	assert_int_equal(i->policies[0].ipsec_encryption, IPSEC_GCMAES256);
	assert_int_equal(i->policies[0].ipsec_integrity, IPSEC_INT_GCMAES256);
	assert_int_equal(i->policies[0].ike_encryption, IKE_AES256);
	assert_int_equal(i->policies[0].ike_integrity, IKE_SHA384);
	assert_int_equal(i->policies[0].dh_group, DH_ECP384);
	assert_int_equal(i->policies[0].pfs_group, PFS_MM);
	assert_string_equal(i->credentials.local_id, "one.example");
	assert_string_equal(i->remote_id, "two.example");
	assert_int_equal(i->tunnels, 64);
	assert_int_equal(i->ike_life_s, 2);
	assert_int_equal(i->child_life_s, 3);
	assert_int_equal(i->child_life_packets, 4);
	assert_int_equal(i->esn, ESN_ON);
	assert_true(i->force_encap && i->accept_any_selector);
	assert_false(i->mobike || i->fragmentation);
	assert_int_equal(i->replay_window, 64);
	assert_int_equal(i->profile, IKE_PROFILE_AZURE);
	config_free(c);
}

/* Which gateway speaks what, and which connections are ours to run. */
static void
completed(void **state)
{
	struct config *c =
		case_load(BASE GATEWAY("g", "v", "i", ", vpnType: PolicyBased, disableIPSecReplayProtection: true")
				UPLINK "connections: [{name: c, connectionType: IPsec, virtualNetworkGateway1: g, "
				       "localNetworkGateway2: l, sharedKey: x}]\n");

	assert_int_equal(c->connections[0].ike.protocol, PROTOCOL_IKEV1);
	assert_int_equal(c->connections[0].ike.replay_window, 0);
	config_free(c);

	/* exported without its key: nothing to negotiate with */
	c = case_load(SITE(", sharedKey: null, connectionProtocol: IKEv2, connectionMode: Default"));
	assert_false(c->connections[0].uses_ike);
	config_free(c);

	/* the other side's object of a pair is not run here */
	c = case_load(TWO "appliance: {ports: [{name: p, driver: ring}], uplinks: [{name: u, port: p, addresses: "
			  "[192.0.2.1/24]}]}\nconnections:\n" SIDE("c", "g", "h", KEY) SIDE("d", "h", "g", KEY));
	assert_true(c->connections[0].uses_ike);
	assert_false(c->connections[1].uses_ike);
	config_free(c);

	/* a peer known by name */
	c = case_load("virtualNetworks:\n- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/16]}, subnets: [\n"
		      "  {name: GatewaySubnet, addressPrefix: 10.0.0.0/27}]}\n"
		      "publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}]\n"
		      "localNetworkGateways: [{name: l, fqdn: vpn.example.com, gatewayIpAddress: '',\n"
		      "  localNetworkAddressSpace: {addressPrefixes: [192.168.0.0/16]}}]\n"
		      "virtualNetworkGateways:\n" GATEWAY("g", "v", "i", "") UPLINK
		"connections:\n- {name: c, connectionType: IPsec, virtualNetworkGateway1: g, "
		"localNetworkGateway2: l" KEY "}\n");
	assert_string_equal(c->local_gateways[0].fqdn, "vpn.example.com");
	assert_int_equal(c->local_gateways[0].address.family, IP_NONE);
	assert_true(c->connections[0].uses_ike);
	config_free(c);
}

/* ---- what is refused ------------------------------------------------------------- */

#define POLICY_OF(enc, integ, ike, hash, dh, pfs)                                                                      \
	KEY ",\n ipsecPolicies: [{saLifeTimeSeconds: 300, saDataSizeKilobytes: 1024, ipsecEncryption: " enc            \
	    ", ipsecIntegrity: " integ ", ikeEncryption: " ike ", ikeIntegrity: " hash ", dhGroup: " dh                \
	    ", pfsGroup: " pfs "}]"
#define IKE(words) KEY ",\n appliance: {ikeProposals: [" words "]}"
#define ESP(words) KEY ",\n appliance: {espProposals: [" words "]}"

/* The connection stands in line 14. */
static void
incomplete(void **state)
{
	static const struct case_refusal cases[] = {
		{SITE(", connectionMode: InitiatorOnly"), "SharedKeyMissing", 14,
			"sharedKeyFile lets IKE negotiate them, appliance.securityAssociations gives them by hand"},
		{SITE(", appliance: {tunnels: 2}"), "SharedKeyMissing", 14, NULL},
		{SITE(", authenticationType: Certificate"), "CertificateMissing", 14, "appliance.certificate"},
		{SITE(", authenticationType: Certificate, appliance: {certificate: x, privateKeyFile: y}"),
			"CertificateMissing", 14, "caFiles"},
		{SITE(", authenticationType: Certificate, appliance: {certificate: x, caFiles: y}"),
			"CertificateMissing", 14, "privateKeyFile"},
		{SITE(KEY ", authenticationType: None"), "InvalidValue", 14, "PSK, Certificate"},
		{SITE(KEY ", connectionMode: Both"), "InvalidValue", 14, "InitiatorOnly"},
		{SITE(KEY ", connectionProtocol: IKEv3"), "InvalidValue", 14, "IKEv2, IKEv1"},
		{SITE(KEY ", dpdTimeoutSeconds: 8"), "InvalidValue", 14, "9 to 3600"},
		{SITE(KEY ", dpdTimeoutSeconds: 3601"), "InvalidValue", 14, "or 0"},
		{SITE(KEY ", certificateAuthentication: {outboundAuthCertificate: x}"), "NotSupported", 14,
			"appliance.certificate"},
		{SITE(KEY ", appliance: {tunnels: 65}"), "InvalidValue", 14, "1 to 64"},
		{SITE(KEY ", appliance: {replayWindow: 63}"), "InvalidValue", 14, "or 0"},
		{SITE(KEY ", appliance: {childLifetimeSeconds: 1}"), "InvalidValue", 14, "2 to"},
		{SITE(KEY ", connectionProtocol: IKEv1, appliance: {esn: on}"), "InvalidValue", 14, "IKEv1"},
		{SITE(KEY ",\n appliance: {securityAssociations: [\n{direction: out, spi: 300, encryption: "
			  "aes-gcm-128, key: "
			  "000102030405060708090a0b0c0d0e0f10111213},\n{direction: in, spi: 300, encryption: "
			  "aes-gcm-128, "
			  "key: 200102030405060708090a0b0c0d0e0f10111213}]}"),
			"KeysTwice", 16, "one of them"},
		{TWO "connections:\n- {name: c, connectionType: IPsec, virtualNetworkGateway1: g, "
		     "localNetworkGateway2: l" KEY "}\n",
			"TunnelAddressNotOnUplink", 13, "negotiates its keys"},
		{BASE GATEWAY("g", "v", "k", "") UPLINK
			"connections:\n- {name: c, connectionType: IPsec, virtualNetworkGateway1: g, "
			"localNetworkGateway2: l" KEY "}\n",
			"TunnelAddressFamily", 13, NULL},
	};

	CASE_REFUSE_ALL(cases);
	/* the gateway's own are everyone's */
	case_accept(BASE GATEWAY("g", "v", "i", ", appliance: {certificate: x, privateKeyFile: y, caFiles: [z]}") UPLINK
		"connections: [{name: c, connectionType: IPsec, virtualNetworkGateway1: g, localNetworkGateway2: l, "
		"authenticationType: Certificate}]\n");
}

static void
policy_based_gateways(void **state)
{
#define OLD(more)                                                                                                      \
	BASE GATEWAY("g", "v", "i", ", vpnType: PolicyBased") UPLINK                                                   \
		"connections:\n- {name: c, connectionType: IPsec, virtualNetworkGateway1: g, localNetworkGateway2: "   \
		"l" more "}\n"
	static const struct case_refusal cases[] = {
		{OLD(KEY ", connectionProtocol: IKEv2"), "VpnTypeNotSupported", 13, "IKEv1 only"},
		{OLD(KEY ", appliance: {tunnels: 2}"), "VpnTypeNotSupported", 13, "one tunnel only"},
		{OLD(", authenticationType: Certificate, appliance: {certificate: x, privateKeyFile: y, caFiles: z}"),
			"VpnTypeNotSupported", 13, "PSK only"},
		{OLD(KEY) "- {name: d, connectionType: IPsec, virtualNetworkGateway1: g, localNetworkGateway2: l" KEY
			  "}\n",
			"VpnTypeNotSupported", 14, "one connection only"},
	};

	case_accept(OLD(KEY ", connectionProtocol: IKEv1, usePolicyBasedTrafficSelectors: true"));
	CASE_REFUSE_ALL(cases);
	case_accept(SITE(KEY ", connectionProtocol: IKEv1"));
}

static void
policies(void **state)
{
	static const struct case_refusal cases[] = {
		{SITE(KEY ",\n ipsecPolicies: [{saLifeTimeSeconds: 300, saDataSizeKilobytes: 1024, ipsecEncryption: "
			  "AES256, ipsecIntegrity: SHA256, ikeEncryption: AES256, ikeIntegrity: SHA256, dhGroup: "
			  "ECP256}]"),
			"MissingKey", 15, "pfsGroup"},
		{SITE(KEY ",\n ipsecPolicies: [{}, {}]"), "LimitExceeded", 15, "at most 1"},
		{SITE(KEY ",\n ipsecPolicies: [{saLifeTimeSeconds: 299, saDataSizeKilobytes: 1024, ipsecEncryption: "
			  "AES256, ipsecIntegrity: SHA256, ikeEncryption: AES256, ikeIntegrity: SHA256, dhGroup: "
			  "ECP256, pfsGroup: None}]"),
			"InvalidValue", 15, "300 to 172799"},
		{SITE(KEY ",\n ipsecPolicies: [{saLifeTimeSeconds: 300, saDataSizeKilobytes: 1023, ipsecEncryption: "
			  "AES256, ipsecIntegrity: SHA256, ikeEncryption: AES256, ikeIntegrity: SHA256, dhGroup: "
			  "ECP256, pfsGroup: None}]"),
			"InvalidValue", 15, "1024 to"},
		{SITE(POLICY_OF("AES256", "SHA512", "AES256", "SHA256", "ECP256", "None")), "InvalidValue", 15,
			"MD5, SHA1, SHA256"},
		{SITE(POLICY_OF("GCMAES256", "SHA256", "AES256", "SHA256", "ECP256", "None")), "InvalidAlgorithm", 15,
			"with GCM both are the same"},
		{SITE(POLICY_OF("GCMAES256", "GCMAES128", "AES256", "SHA256", "ECP256", "None")), "InvalidAlgorithm",
			15, "GCMAES128"},
		{SITE(POLICY_OF("AES256", "GCMAES256", "AES256", "SHA256", "ECP256", "None")), "InvalidAlgorithm", 15,
			NULL},
		{SITE(POLICY_OF("AES256", "SHA256", "AES256", "GCMAES256", "ECP256", "None")), "InvalidAlgorithm", 15,
			"ikeIntegrity"},
		{SITE(POLICY_OF("DES", "SHA256", "AES256", "SHA256", "ECP256", "None")), "WeakAlgorithm", 15,
			"azure-default"},
		{SITE(POLICY_OF("None", "SHA256", "AES256", "SHA256", "ECP256", "None")), "WeakAlgorithm", 15,
			"'ipsecEncryption': None"},
		{SITE(POLICY_OF("AES256", "MD5", "AES256", "SHA256", "ECP256", "None")), "WeakAlgorithm", 15, "MD5"},
		{SITE(POLICY_OF("AES256", "SHA1", "DES", "SHA256", "ECP256", "None")), "WeakAlgorithm", 15,
			"'ikeEncryption': DES"},
		{SITE(POLICY_OF("AES256", "SHA1", "DES3", "MD5", "ECP256", "None")), "WeakAlgorithm", 15,
			"'ikeIntegrity': MD5"},
		{SITE(POLICY_OF("AES256", "SHA1", "DES3", "SHA1", "DHGroup1", "None")), "WeakAlgorithm", 15,
			"DHGroup1"},
		{SITE(POLICY_OF("AES256", "SHA1", "DES3", "SHA1", "None", "None")), "WeakAlgorithm", 15,
			"'dhGroup': None"},
		{SITE(POLICY_OF("AES256", "SHA1", "DES3", "SHA1", "DHGroup2", "PFS1")), "WeakAlgorithm", 15, "PFS1"},
		{SITE(POLICY_OF(
			 "AES256", "SHA1", "GCMAES256", "SHA384", "ECP384", "PFS24") ", connectionProtocol: IKEv1"),
			"InvalidAlgorithm", 15, "IKEv1"},
		{SITE(POLICY_OF("AES256", "SHA1", "AES256", "SHA384", "ECP384",
			 "PFS24") ", appliance: {espProposals: aes256gcm16}"),
			"InvalidValue", 15, "one of them"},
	};

	CASE_REFUSE_ALL(cases);
	case_accept(
		SITE(POLICY_OF("DES", "MD5", "DES", "MD5", "None", "PFS1") ", appliance: {ikeProfile: azure-default}"));
	case_accept(SITE(POLICY_OF("GCMAES192", "GCMAES192", "GCMAES128", "GCMAES128", "DHGroup2048", "PFSMM")));
	case_accept(SITE(POLICY_OF("DES3", "SHA1", "GCMAES256", "SHA256", "DHGroup24", "PFS14")));
}

static void
proposals(void **state)
{
	static const struct case_refusal cases[] = {
		{SITE(IKE("aes256gcm16-prfsha385-ecp384")), "InvalidAlgorithm", 15, "did you mean 'prfsha384'?"},
		{SITE(IKE("aes256-sha256")), "InvalidAlgorithm", 15, "no Diffie-Hellman group"},
		{SITE(IKE("aes256gcm16-ecp384")), "InvalidAlgorithm", 15, "pseudo-random"},
		{SITE(IKE("aes256-ecp384")), "InvalidAlgorithm", 15, "no integrity"},
		{SITE(IKE("sha256-ecp384")), "InvalidAlgorithm", 15, "no encryption"},
		{SITE(IKE("aes256-aes256gcm16-sha256-ecp384")), "InvalidAlgorithm", 15, "make two"},
		{SITE(IKE("null-sha256-ecp384")), "InvalidAlgorithm", 15, "'null' is no algorithm"},
		{SITE(IKE("aes256-sha256-ecp384-esn")), "InvalidAlgorithm", 15, "'esn'"},
		{SITE(IKE("des-sha256-ecp384")), "WeakAlgorithm", 15, "des is weak"},
		{SITE(IKE("aes256gcm16-prfsha256-ecp384") ", connectionProtocol: IKEv1"), "InvalidAlgorithm", 15,
			"IKEv1"},
		{SITE(ESP("aes256gcm16-sha256")), "InvalidAlgorithm", 15, "beside encryption"},
		{SITE(ESP("aes256gcm16, aes256")), "InvalidAlgorithm", 15, "'aes256' has no integrity"},
		{SITE(ESP("aes256gcm16-prfsha256")), "InvalidAlgorithm", 15, "prfsha256"},
		{SITE(ESP("aes256-md5")), "WeakAlgorithm", 15, "md5"},
		{SITE(ESP("aes256-sha1-modp768")), "WeakAlgorithm", 15, "modp768"},
		{SITE(ESP("aes192ccm12-modp3072")), "InvalidAlgorithm", 15, "aes192ccm12"},
		{SITE(ESP("camellia256-sha256")), "InvalidAlgorithm", 15, "camellia256"},
		{SITE(ESP("''")), "InvalidAlgorithm", 15, NULL},
		{SITE(ESP("aes256gcm16--esn")), "InvalidAlgorithm", 15, NULL},
		{SITE(ESP("aes256gcm16-")), "InvalidAlgorithm", 15, NULL},
	};
	static const char *const fine[] = {
		SITE(IKE("aes256-aes128-sha384-sha256-ecp384-modp2048, chacha20poly1305-prfsha512-x25519")),
		SITE(ESP("aes192gcm8-esn-noesn, aes128-sha1-sha256-ecp521")),
		SITE(IKE("aes192ccm12-prfsha256-modp3072")),
		SITE(ESP("aes256ccm12-modp3072, aes256ctr-sha512, null-sha256, aes256gmac, 3des-sha1, "
			 "chacha20poly1305")),
		SITE(KEY ", appliance: {ikeProfile: azure-default, espProposals: des-md5-modp768}"),
	};

	CASE_REFUSE_ALL(cases);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		case_accept(fine[i]);
}

static void
both_sides(void **state)
{
	static const struct case_refusal cases[] = {
		{PAIR(KEY, ", sharedKey: other"), "SharedKeysDiffer", 15, "'c' and 'd'"},
		{PAIR(KEY, KEY ", connectionProtocol: IKEv1"), "ConnectionsDiffer", 15, "connectionProtocol"},
		{PAIR(KEY, ", authenticationType: Certificate, appliance: {certificate: x, privateKeyFile: y, "
			   "caFiles: z}"),
			"ConnectionsDiffer", 15, "authenticationType"},
		{PAIR(POLICY_OF("AES256", "SHA1", "AES256", "SHA384", "ECP384", "PFS24"), KEY), "ConnectionsDiffer", 16,
			"ipsecPolicies"},
		{PAIR(KEY ", connectionMode: ResponderOnly", KEY ", connectionMode: ResponderOnly"),
			"ConnectionsDiffer", 15, "neither would start"},
		{PAIR(KEY ", connectionMode: InitiatorOnly", KEY ", connectionMode: InitiatorOnly"),
			"ConnectionsDiffer", 15, "neither would answer"},
	};

	case_accept(PAIR(KEY, KEY));
	case_accept(PAIR(KEY ", connectionMode: InitiatorOnly", KEY ", connectionMode: ResponderOnly"));
	/* one side's key stands elsewhere */
	case_accept(PAIR(KEY, ""));
	CASE_REFUSE_ALL(cases);
	/* the first to the first, the second to the second */
	case_accept(PAIR(KEY, KEY) SIDE("e", "g", "h", ", sharedKey: two") SIDE("f", "h", "g", ", sharedKey: two"));
	case_refuse(PAIR(KEY, KEY) SIDE("e", "g", "h", ", sharedKey: two") SIDE("f", "h", "g", KEY), "SharedKeysDiffer",
		17, "'e' and 'f'");
}

static void
peers_by_name(void **state)
{
#define PEER(more)                                                                                                     \
	"localNetworkGateways:\n- {name: l, localNetworkAddressSpace: {addressPrefixes: [10.9.0.0/16]}, " more "}\n"
	static const struct case_refusal cases[] = {
		{PEER("fqdn: ''"), "MissingKey", 2, "gatewayIpAddress or fqdn"},
		{PEER("fqdn: a.example, gatewayIpAddress: 192.0.2.1"), "InvalidValue", 2, "one of them"},
		{PEER("fqdn: 192.0.2.1"), "InvalidValue", 2, "vpn.example.com"},
		{PEER("fqdn: a..example"), "InvalidValue", 2, NULL},
		{PEER("fqdn: -a.example"), "InvalidValue", 2, NULL},
		{PEER("fqdn: a-.example"), "InvalidValue", 2, NULL},
		{PEER("fqdn: 'a b'"), "InvalidValue", 2, NULL},
		{PEER("fqdn: a."), "InvalidValue", 2, NULL},
	};

	case_accept(PEER("fqdn: A-1.example, gatewayIpAddress: null"));
	CASE_REFUSE_ALL(cases);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_key),
		cmocka_unit_test(completed),
		cmocka_unit_test(incomplete),
		cmocka_unit_test(policy_based_gateways),
		cmocka_unit_test(policies),
		cmocka_unit_test(proposals),
		cmocka_unit_test(both_sides),
		cmocka_unit_test(peers_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
