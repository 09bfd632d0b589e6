/* Connections that negotiate their keys: what they need, what does not fit, and that a shared key is
 * read only where it is safe and never seen again.
 */
#include "config_case.h"
#include "config_tunnel.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_key),
		cmocka_unit_test(completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
