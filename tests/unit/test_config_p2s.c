/* Point-to-site clients, the gateway's SKU, and the appliance's IKE daemon. */
#include "config/sku.h"
#include "config_case.h"
#include "config_tunnel.h"

#define UPLINK                                                                                                         \
	"appliance: {ports: [{name: p, driver: ring}], uplinks: [{name: u, port: p, addresses: [192.0.2.1/24]}]}\n"
#define POOL(p) "vpnClientConfiguration: {vpnClientAddressPool: {addressPrefixes: [" p "]}"
#define ROOT "vpnClientRootCertificates: [{name: r, properties: {publicCertData: 'MIIB\n  AA=='}}]"
#define OWN "certificate: gw.pem, privateKeyFile: gw.key"
/* the gateway in line 10 */
#define CLIENTS(more) BASE GATEWAY("g", "v", "i", ",\n  " more) UPLINK
#define SOUND(more) CLIENTS(POOL("172.16.0.0/24") ", " ROOT "}, appliance: {" OWN more "}")
#define USER(name, more) "{name: " name ", passwordFile: x" more "}"

static void
clients(void **state)
{
	struct config *c = case_load(
		CLIENTS("vpnClientConfiguration: {vpnClientAddressPool: {addressPrefixes: "
			"[172.16.0.0/24, 'fd00:1::/64']}, vpnClientProtocols: [ikev2],\n"
			" vpnAuthenticationTypes: [Certificate], " ROOT
			", vpnClientRevokedCertificates: [{name: s, thumbprint: "
			"00112233445566778899AABBCCDDEEFF00112233}], radiusServerAddress: '', aadTenant: null,\n"
			" vpnClientIpsecPolicies: []}, customRoutes: {addressPrefixes: [10.7.0.0/16]},\n"
			" sku: {name: VpnGw2AZ}, vpnGatewayGeneration: Generation2, appliance: {" OWN
			", localId: vpn.example, limitRate: true, p2sDnsServers: [10.0.1.4],\n"
			" p2sUsers: [" USER("ann", "") ", " USER("bob@example", ", address: 172.16.0.9") "]}"));
	const struct cfg_gateway *g = &c->gateways[0];
	char *text;

	assert_true(g->is_ours && g->limit_rate);
	assert_int_equal(g->p2s.pool.n, 2);
	assert_true(g->p2s.certificate && g->p2s.eap);
	assert_int_equal(g->p2s.n_roots, 1);
	assert_string_equal(g->p2s.revoked[0].thumbprint, "00112233445566778899AABBCCDDEEFF00112233");
	assert_int_equal(g->p2s.n_users, 2);
	assert_int_equal(g->p2s.users[0].address.family, IP_NONE);
	assert_int_equal(g->p2s.users[1].address.b[3], 9);
	assert_int_equal(g->p2s.dns.n, 1);
	assert_int_equal(g->custom_routes.n, 1);
	assert_string_equal(g->credentials.certificate, "gw.pem");
	assert_string_equal(g->credentials.local_id, "vpn.example");
	assert_int_equal(sku_of(g)->aggregate_mbps, 1250);
	assert_int_equal(sku_of(g)->clients, 500);
	text = case_print(c);
	config_free(c);

	c = case_load(text);
	free(text);
	assert_true(c->gateways[0].p2s.certificate && c->gateways[0].p2s.eap);
	assert_int_equal(c->gateways[0].generation, GENERATION_2);
	config_free(c);

	/* another appliance's gateway: its own files are no matter here */
	c = case_load(BASE GATEWAY("g", "v", "i", ", " POOL("172.16.0.0/24") ", " ROOT "}"));
	assert_false(c->gateways[0].is_ours);
	config_free(c);
	/* as exported without clients */
	case_accept(CLIENTS("vpnClientConfiguration: {vpnClientAddressPool: null, vpnClientProtocols: [], "
			    "vpnClientRootCertificates: [], radiusServers: []}, customRoutes: {addressPrefixes: []}"));
}

static void
clients_refused(void **state)
{
	static const struct case_refusal cases[] = {
		{CLIENTS(POOL("10.0.9.0/24") ", " ROOT "}, appliance: {" OWN "}"), "ClientAddressPoolOverlaps", 11,
			"10.0.0.0/16 of virtual network 'v'"},
		{CLIENTS(POOL("172.16.0.0/24, 172.16.0.0/25") ", " ROOT "}, appliance: {" OWN "}"),
			"ClientAddressPoolOverlaps", 11, "172.16.0.0/25"},
		{CLIENTS(POOL("192.168.4.0/24") ", " ROOT "}, appliance: {" OWN
						"}") "connections: [{name: c, connectionType: IPsec, "
						     "virtualNetworkGateway1: g, "
						     "localNetworkGateway2: l}]\n",
			"ClientAddressPoolOverlaps", 11, "local network gateway 'l'"},
		{BASE GATEWAY("g", "v", "i", ",\n  " POOL("10.1.7.0/24") ", " ROOT "}, appliance: {" OWN "}")
				GATEWAY("h", "w", "j", "") UPLINK
			"connections: [{name: c, connectionType: Vnet2Vnet, virtualNetworkGateway1: g, "
			"virtualNetworkGateway2: h}]\n",
			"ClientAddressPoolOverlaps", 11, "connected virtual network 'w'"},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT "}"), "CertificateMissing", 10, "appliance.certificate"},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT "}, appliance: {certificate: x}"), "CertificateMissing", 10,
			"appliance.privateKeyFile"},
		{CLIENTS(POOL("172.16.0.0/24") "}, appliance: {" OWN "}"), "MissingKey", 10, "p2sUsers"},
		{CLIENTS(POOL("172.16.0.0/24") ", vpnAuthenticationTypes: [Certificate]}, appliance: {" OWN "}"),
			"MissingKey", 10, "vpnClientRootCertificates"},
		{CLIENTS("vpnClientConfiguration: {" ROOT "}, appliance: {" OWN "}"), "MissingKey", 10,
			"vpnClientAddressPool"},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT "}, vpnType: PolicyBased, appliance: {" OWN "}"),
			"VpnTypeNotSupported", 10, "PolicyBased"},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT "}, sku: {name: basic}, appliance: {" OWN "}"),
			"GatewaySkuNotSupported", 12, "IKEv2"},
		{CLIENTS("sku: {name: VpnGw6}, appliance: {limitRate: true}"), "GatewaySkuUnknown", 11, "VpnGw1"},
		{CLIENTS("appliance: {limitRate: true}"), "GatewaySkuUnknown", 10, NULL},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT ", vpnClientProtocols: [IkeV2, OpenVPN]}, appliance: {" OWN
					       "}"),
			"NotSupported", 12, "not 'OpenVPN'"},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT ", vpnClientProtocols: [SSTP]}, appliance: {" OWN "}"),
			"NotSupported", 12, "SSTP"},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT ", vpnAuthenticationTypes: [AAD]}, appliance: {" OWN "}"),
			"NotSupported", 12, "p2sUsers"},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT ", radiusServerAddress: 10.0.1.9}, appliance: {" OWN "}"),
			"NotSupported", 12, "radiusServerAddress"},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT ", aadTenant: x}, appliance: {" OWN "}"), "NotSupported", 12,
			"aadTenant"},
		{CLIENTS(POOL("172.16.0.0/24") ", " ROOT ", vpnClientRevokedCertificates: [{name: s, thumbprint: "
					       "0011}]}, appliance: {" OWN "}"),
			"InvalidValue", 12, "40 hexadecimal digits"},
		{CLIENTS(POOL("172.16.0.0/24") ", vpnClientRootCertificates: [{name: r, publicCertData: "
					       "'-----BEGIN CERTIFICATE-----'}]}, appliance: {" OWN "}"),
			"InvalidValue", 11, "base64"},
		{CLIENTS(POOL("172.16.0.0/24") ", vpnClientRootCertificates: [{name: r}]}, appliance: {" OWN "}"),
			"MissingKey", 11, "publicCertData"},
		{SOUND(", p2sUsers: [{name: a}]"), "MissingKey", 12, "passwordFile"},
		{SOUND(", p2sUsers: [" USER("a", ", address: 172.16.1.1") "]"), "ClientAddressNotInPool", 12,
			"172.16.1.1 of user 'a'"},
		{SOUND(", p2sUsers: [" USER("a", ", address: 172.16.0.4") ",\n " USER(
			 "b", ", address: 172.16.0.4") "]"),
			"ClientAddressInUse", 13, "line 12"},
		{SOUND(", p2sUsers: [" USER("a", "") ",\n " USER("A", "") "]"), "DuplicateName", 13, "line 12"},
		{SOUND(", p2sUsers: [" USER("''", "") "]"), "InvalidName", 12, NULL},
		{SOUND(", p2sDnsServers: [10.0.1.0/24]"), "InvalidAddress", 12, "10.0.1.0/24"},
	};

	case_accept(SOUND(""));
	CASE_REFUSE_ALL(cases);
	case_refuse(
		"virtualNetworks:\n"
		"- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/16]}, subnets: [{name: GatewaySubnet, "
		"addressPrefix: 10.0.0.0/27}], virtualNetworkPeerings: [{name: p, remoteVirtualNetwork: {id: w}}]}\n"
		"- {name: w, addressSpace: {addressPrefixes: [10.1.0.0/16]}}\n"
		"publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}]\n"
		"virtualNetworkGateways:\n" GATEWAY("g", "v", "i", ",\n  " POOL("10.1.4.0/24") ", " ROOT "}"),
		"ClientAddressPoolOverlaps", 7, "peered virtual network 'w'");
}

static void
skus(void **state)
{
	static const struct {
		const char *name;
		enum cfg_generation generation;
		uint32_t mbps;
	} cases[] = {
		{"Basic", GENERATION_NONE, 100},
		{"vpngw1", GENERATION_NONE, 650},
		{"VpnGw2", GENERATION_NONE, 1000},
		{"VpnGw3AZ", GENERATION_1, 1250},
		{"VpnGw2", GENERATION_2, 1250},
		{"VpnGw3AZ", GENERATION_2, 2500},
		{"VpnGw4", GENERATION_2, 5000},
		{"VpnGw5AZ", GENERATION_NONE, 10000},
		{"BasicAZ", GENERATION_NONE, 0},
		{"VpnGw10", GENERATION_NONE, 0},
		{"", GENERATION_NONE, 0},
		{NULL, GENERATION_NONE, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cfg_gateway g = {
			.sku = (char *)(uintptr_t)cases[i].name, .generation = cases[i].generation};
		const struct sku *s = sku_of(&g);

		assert_int_equal(s ? s->aggregate_mbps : 0, cases[i].mbps);
	}
}

/* ---- the IKE daemon -------------------------------------------------------------- */

static void
daemon_part(void **state)
{
	static const struct case_refusal cases[] = {
		{"appliance: {controlNamespace: a/b}", "InvalidName", 1, "file name"},
		{"appliance: {controlNamespace: '..'}", "InvalidName", 1, NULL},
		{"appliance: {ike: {daemon: other}}", "InvalidValue", 1, "managed, external"},
		{"appliance: {ike: {logLevel: 3}}", "InvalidValue", 1, "to 2"},
		{"appliance: {ike: {charon: charon}}", "InvalidValue", 1, "path from the root"},
		{"appliance: {ike: {viciSocket: /x, pluginSocket: /x}}", "InvalidValue", 1, "three files"},
	};
	struct config *c = case_load("appliance: {name: a}");

	assert_string_equal(c->appliance.control_namespace, "isthmus-a");
	assert_int_equal(c->appliance.ike.daemon, IKE_DAEMON_MANAGED);
	assert_string_equal(c->appliance.ike.vici_socket, "/run/isthmus/a-vici.sock");
	assert_string_equal(c->appliance.ike.plugin_socket, "/run/isthmus/a-ike.sock");
	assert_string_equal(c->appliance.ike.charon, "/usr/sbin/charon-systemd");
	assert_null(c->appliance.ike.plugin);
	assert_int_equal(c->appliance.ike.log_level, 1);
	config_free(c);

	c = case_load("appliance: {controlNamespace: n.1, ike: {daemon: external, viciSocket: /v, pluginSocket: /p, "
		      "charon: /c, plugin: /l.so, logLevel: 2, retransmitTries: 3, halfOpenTimeoutSeconds: 4}}");
	assert_string_equal(c->appliance.control_namespace, "n.1");
	assert_int_equal(c->appliance.ike.daemon, IKE_DAEMON_EXTERNAL);
	assert_string_equal(c->appliance.ike.plugin, "/l.so");
	assert_int_equal(c->appliance.ike.retransmit_tries, 3);
	assert_int_equal(c->appliance.ike.half_open_timeout_s, 4);
	config_free(c);
	CASE_REFUSE_ALL(cases);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients),
		cmocka_unit_test(clients_refused),
		cmocka_unit_test(skus),
		cmocka_unit_test(daemon_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
