/* What a configuration says to charon, as text. */
#include "tests/unit/config_case.h"

#include "control/ike_conf.h"

#define SECRET "S3cr3t-of-the-test"

/* One connection; more: further keys of it, in braces of JSON; addresses: of the uplink; own: more of `appliance`. */
#define SITE(more) SITE_OF(more, "192.0.2.1/24", "")
#define SITE_OF(more, addresses, own)                                                                                  \
	"{virtualNetworks: [{name: v, location: x, addressSpace: {addressPrefixes: [10.1.0.0/16]},"                    \
	" subnets: [{name: GatewaySubnet, addressPrefix: 10.1.255.0/27}]}],"                                           \
	" publicIPAddresses: [{name: here, ipAddress: 192.0.2.1}],"                                                    \
	" virtualNetworkGateways: [{name: gw, gatewayType: Vpn, vpnType: RouteBased, ipConfigurations: ["              \
	" {subnet: {id: v/GatewaySubnet}, publicIPAddress: {id: here}}]}],"                                            \
	" localNetworkGateways: [{name: a, gatewayIpAddress: 198.51.100.1,"                                            \
	" localNetworkAddressSpace: {addressPrefixes: [172.16.0.0/24]}}],"                                             \
	" connections: [{name: site, connectionType: IPsec, virtualNetworkGateway1: {id: gw},"                         \
	" localNetworkGateway2: {id: a}, sharedKey: " SECRET ", " more "}],"                                           \
	" appliance: {ports: [{name: wan, driver: \"null\"}],"                                                         \
	" uplinks: [{name: wan, port: wan, addresses: [" addresses "]}]" own "}}"
#define PAIR                                                                                                           \
	", highAvailability: {lease: {kind: static}, virtualAddresses: [192.0.2.1/32], asn: 65001,"                    \
	" routers: [{name: r, address: 203.0.113.1, asn: 65002}]}"

static const char golden[] = "# load-shared isthmus-psk-site\n"
			     "id = isthmus-psk-site\n"
			     "type = IKE\n"
			     "data = <hidden>\n"
			     "owners [\n"
			     "\t198.51.100.1\n"
			     "]\n"
			     "# load-conn site\n"
			     "site {\n"
			     "\tversion = 2\n"
			     "\tlocal_addrs [\n"
			     "\t\t192.0.2.1\n"
			     "\t]\n"
			     "\tremote_addrs [\n"
			     "\t\t198.51.100.1\n"
			     "\t]\n"
			     "\tproposals [\n"
			     "\t\taes256-sha384-modp2048s256\n"
			     "\t]\n"
			     "\tunique = replace\n"
			     "\tkeyingtries = 0\n"
			     "\tdpd_delay = 15s\n"
			     "\tdpd_timeout = 45s\n"
			     "\trekey_time = 28800s\n"
			     "\trand_time = 2880s\n"
			     "\tover_time = 2880s\n"
			     "\treauth_time = 0\n"
			     "\tencap = no\n"
			     "\tmobike = yes\n"
			     "\tfragmentation = yes\n"
			     "\tif_id_in = 662829680\n"
			     "\tif_id_out = 662829680\n"
			     "\tlocal {\n"
			     "\t\tauth = psk\n"
			     "\t\tid = 192.0.2.1\n"
			     "\t}\n"
			     "\tremote {\n"
			     "\t\tauth = psk\n"
			     "\t\tid = 198.51.100.1\n"
			     "\t}\n"
			     "\tchildren {\n"
			     "\t\tsite-1 {\n"
			     "\t\t\tlocal_ts [\n"
			     "\t\t\t\t0.0.0.0/0\n"
			     "\t\t\t\t::/0\n"
			     "\t\t\t]\n"
			     "\t\t\tremote_ts [\n"
			     "\t\t\t\t0.0.0.0/0\n"
			     "\t\t\t\t::/0\n"
			     "\t\t\t]\n"
			     "\t\t\tesp_proposals [\n"
			     "\t\t\t\taes256gcm16\n"
			     "\t\t\t]\n"
			     "\t\t\trekey_time = 3240s\n"
			     "\t\t\tlife_time = 3600s\n"
			     "\t\t\trand_time = 360s\n"
			     "\t\t\trekey_bytes = 94371840\n"
			     "\t\t\tlife_bytes = 104857600\n"
			     "\t\t\trand_bytes = 1048576\n"
			     "\t\t\tmode = tunnel\n"
			     "\t\t\tpolicies = yes\n"
			     "\t\t\thw_offload = no\n"
			     "\t\t\tcopy_df = yes\n"
			     "\t\t\treplay_window = 1024\n"
			     "\t\t\tif_id_in = 662829680\n"
			     "\t\t\tif_id_out = 662829680\n"
			     "\t\t\tstart_action = none\n"
			     "\t\t\tclose_action = none\n"
			     "\t\t\tdpd_action = clear\n"
			     "\t\t}\n"
			     "\t}\n"
			     "}\n";

static struct ike_conf *
conf_of(const char *text)
{
	struct config *c = case_load(text);
	struct ike_conf *conf = NULL;

	assert_int_equal(ike_conf_make(c, &conf, &case_errors), 0);
	config_free(c);
	return conf;
}

static char *
printed(const char *text)
{
	struct ike_conf *conf = conf_of(text);
	char *out = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&out, &n);

	ike_conf_print(conf, to);
	fclose(to);
	ike_conf_free(conf);
	return out;
}

static void
says(const char *text, const char *const *words)
{
	char *out = printed(text);

	for (; *words; words++) {
		const char *word = *words[0] == '!' ? *words + 1 : *words;

		if ((strstr(out, word) != NULL) == (*words[0] == '!'))
			fail_msg("'%s' is %s in\n%s", word, *words[0] == '!' ? "there" : "not", out);
	}
	free(out);
}

#define SAYS(text, ...) says(text, (const char *const[]){__VA_ARGS__, NULL})

static void
a_policy_is_all_that_is_offered(void **state)
{
	char *out = printed(SITE("connectionMode: ResponderOnly, ipsecPolicies: [{saLifeTimeSeconds: 3600,"
				 " saDataSizeKilobytes: 102400, ipsecEncryption: GCMAES256, ipsecIntegrity: GCMAES256,"
				 " ikeEncryption: AES256, ikeIntegrity: SHA384, dhGroup: DHGroup24, pfsGroup: None}]"));

	(void)state;
	assert_string_equal(out, golden);
	free(out);
}

static void
secrets_are_in_the_message_and_not_in_print(void **state)
{
	struct ike_conf *conf = conf_of(SITE("routingWeight: 1"));
	const struct ike_item *item = ike_conf_find(conf, IKE_SHARED, "isthmus-psk-site");

	(void)state;
	assert_non_null(item);
	assert_non_null(memmem(item->message.data, item->message.len, SECRET, strlen(SECRET)));
	ike_conf_free(conf);
	SAYS(SITE("routingWeight: 1"), "data = <hidden>", "!" SECRET);
}

static void
weak_algorithms_need_their_name(void **state)
{
	(void)state;
	SAYS(SITE("routingWeight: 1"), "!des", "!md5", "!modp1024", "!modp768", "!sha1");
	SAYS(SITE("appliance: {ikeProfile: azure-default}"), "\t\tdes-sha1", "3des-sha1-modp1024",
		"aes256-sha1-modp1024");
	SAYS(SITE("appliance: {espProposals: [aes128-sha1], ikeProposals: [aes128-sha1-modp1536]}"), "\taes128-sha1\n",
		"\taes128-sha1-modp1536\n", "!gcm");
}

static void
who_starts(void **state)
{
	struct ike_conf *conf = conf_of(SITE("routingWeight: 1"));
	const struct ike_item *item = ike_conf_find(conf, IKE_CONN, "site");

	(void)state;
	assert_true(item->starts);
	assert_int_equal(item->n_children, 1);
	assert_string_equal(item->child[0], "site-1");
	ike_conf_free(conf);
	conf = conf_of(SITE("connectionMode: ResponderOnly"));
	assert_false(ike_conf_find(conf, IKE_CONN, "site")->starts);
	assert_null(ike_conf_find(conf, IKE_CONN, "other"));
	assert_null(ike_conf_find(conf, IKE_KEY, "site"));
	ike_conf_free(conf);
	SAYS(SITE("connectionMode: InitiatorOnly"), "start_action = none", "!start_action = trap");
}

/* charon starts no child that is equal to one it has, whatever their names are. */
static void
tunnels_side_by_side_differ(void **state)
{
	(void)state;
	SAYS(SITE("appliance: {tunnels: 3}"), "\t\tsite-3 {", "\t\t\tpriority = 2\n", "\t\t\tpriority = 3\n",
		"!priority = 1\n");
	SAYS(SITE("appliance: {tunnels: 1}"), "!priority");
}

static void
lives(void **state)
{
	(void)state;
	SAYS(SITE("appliance: {childLifetimeSeconds: 5, childLifetimePackets: 1000, ikeLifetimeSeconds: 10}"),
		"\t\t\trekey_time = 5s", "\t\t\tlife_time = 65s", "rekey_packets = 1000", "life_packets = 2000",
		"\n\trekey_time = 10s", "\n\tover_time = 60s");
	SAYS(SITE("appliance: {esn: on}"), "aes256gcm16-aes128gcm16-esn-noesn");
	SAYS(SITE("appliance: {esn: on, espProposals: [aes128gcm16, aes256gcm16-noesn]}"), "\taes128gcm16-esn-noesn\n",
		"\taes256gcm16-noesn\n");
	SAYS(SITE("connectionProtocol: IKEv1"), "version = 1", "!esn", "mobike = no", "!::/0");
}

/* The peer is told of no address that is one node's. */
static void
a_shared_address_does_not_move(void **state)
{
	(void)state;
	SAYS(SITE("routingWeight: 1"), "mobike = yes");
	SAYS(SITE_OF("routingWeight: 1", "203.0.113.2/24, 192.0.2.1/32", PAIR), "\t\t192.0.2.1\n", "mobike = no");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_is_all_that_is_offered),
		cmocka_unit_test(secrets_are_in_the_message_and_not_in_print),
		cmocka_unit_test(weak_algorithms_need_their_name),
		cmocka_unit_test(who_starts),
		cmocka_unit_test(tunnels_side_by_side_differ),
		cmocka_unit_test(lives),
		cmocka_unit_test(a_shared_address_does_not_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
