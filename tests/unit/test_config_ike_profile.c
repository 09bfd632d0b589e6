/* Profiles and policies as strongSwan's keywords: the cloud's rows, and nothing its own check would refuse. */
#include "config/ike_profile.h"
#include "config_case.h"
#include "config_tunnel.h"

#define UPLINK                                                                                                         \
	"appliance: {ports: [{name: p, driver: ring}], uplinks: [{name: u, port: p, addresses: [192.0.2.1/24, "        \
	"192.0.2.2/24]}]}\n"
#define SITE(more)                                                                                                     \
	TWO UPLINK "connections:\n- {name: c, connectionType: IPsec, virtualNetworkGateway1: g, "                      \
		   "localNetworkGateway2: l" more "}\n"
#define KEY ", sharedKey: 'Secret, 17!'"

/* The cloud's rows in its own words: how a responder of a route-based gateway knows them. */
static const struct {
	const char *encryption, *integrity, *pfs;
} rows[] = {{"GCM-AES256", "", "none"}, {"AES256", "SHA1", "none"}, {"3DES", "SHA1", "none"},
	{"AES256", "SHA256", "none"}, {"AES128", "SHA1", "none"}, {"3DES", "SHA256", "none"}, {"DES", "SHA1", "none"},
	{"AES256", "SHA1", "1"}, {"AES256", "SHA1", "2"}, {"AES256", "SHA1", "14"}, {"AES128", "SHA1", "1"},
	{"AES128", "SHA1", "2"}, {"AES128", "SHA1", "14"}, {"3DES", "SHA1", "1"}, {"3DES", "SHA1", "2"},
	{"3DES", "SHA256", "2"}, {"AES256", "SHA256", "1"}, {"AES256", "SHA256", "2"}, {"AES256", "SHA256", "14"},
	{"AES256", "SHA1", "24"}, {"AES256", "SHA256", "24"}, {"AES128", "SHA256", "none"}, {"AES128", "SHA256", "1"},
	{"AES128", "SHA256", "2"}, {"AES128", "SHA256", "14"}, {"3DES", "SHA1", "14"}};

static const char *
keyword(const char *word)
{
	static const char *const words[][2] = {{"GCM-AES256", "aes256gcm16"}, {"AES256", "aes256"},
		{"AES128", "aes128"}, {"3DES", "3des"}, {"DES", "des"}, {"", ""}, {"SHA1", "-sha1"},
		{"SHA256", "-sha256"}, {"none", ""}, {"1", "-modp768"}, {"2", "-modp1024"}, {"14", "-modp2048"},
		{"24", "-modp2048s256"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], word) == 0)
			return words[i][1];
	fail();
	return NULL;
}

static void
azure_rows(void **state)
{
	static const char *const main_mode[] = {"AES256", "SHA1", "AES256", "SHA256", "AES128", "SHA1", "AES128",
		"SHA256", "3DES", "SHA1", "3DES", "SHA256"};
	const char *const *esp = ike_profile_esp(IKE_PROFILE_AZURE, PROTOCOL_IKEV2, false);
	const char *const *offers = ike_profile_esp(IKE_PROFILE_AZURE, PROTOCOL_IKEV2, true);
	const char *const *v1 = ike_profile_esp(IKE_PROFILE_AZURE, PROTOCOL_IKEV1, false);
	const char *const *ike = ike_profile_ike(IKE_PROFILE_AZURE, PROTOCOL_IKEV2);
	char text[64];

	assert_int_equal(sizeof(rows) / sizeof(rows[0]), 26);
	for (size_t i = 0; i < 26; i++) {
		snprintf(text, sizeof(text), "%s%s%s", keyword(rows[i].encryption), keyword(rows[i].integrity),
			keyword(rows[i].pfs));
		assert_string_equal(esp[i], text);
		if (i < 6)
			assert_string_equal(offers[i], text);
		if (strcmp(rows[i].pfs, "none") == 0)
			assert_string_equal(*v1++, text);
	}
	assert_null(esp[26]);
	assert_null(offers[6]);
	assert_null(*v1);
	for (size_t i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "%s%s-modp1024", keyword(main_mode[2 * i]), keyword(main_mode[2 * i + 1]));
		assert_string_equal(ike[i], text);
	}
	assert_null(ike[6]);
	assert_ptr_equal(ike_profile_ike(IKE_PROFILE_AZURE, PROTOCOL_IKEV1), ike);
	assert_int_equal(ike_profile_child_life(IKE_PROFILE_AZURE), 27000);
	assert_int_equal(ike_profile_child_life(IKE_PROFILE_DEFAULT), 3600);
}

/* What a profile makes is what the appliance can do, and what the profile says. */
static void
profiles_pass_their_own_check(void **state)
{
	char text[8192];

	for (int profile = 0; profile < 2; profile++) {
		for (int v = 0; v < 2; v++) {
			enum cfg_connection_protocol protocol = v ? PROTOCOL_IKEV1 : PROTOCOL_IKEV2;
			const char *const *ike = ike_profile_ike((enum cfg_ike_profile)profile, protocol);
			const char *const *esp = ike_profile_esp((enum cfg_ike_profile)profile, protocol, false);

			for (; *ike != NULL; ike++)
				for (const char *const *e = esp; *e != NULL; e++) {
					snprintf(text, sizeof(text),
						SITE(KEY ", connectionProtocol: %s, appliance: {ikeProfile: %s, "
							 "ikeProposals: "
							 "%s, espProposals: %s}"),
						v ? "IKEv1" : "IKEv2", profile ? "azure-default" : "default", *ike, *e);
					case_accept(text);
				}
		}
	}
}

static void
policy_keywords(void **state)
{
	static const struct {
		struct cfg_ipsec_policy policy;
		const char *ike, *esp;
	} cases[] = {
		{{.ike_encryption = IKE_AES256,
			 .ike_integrity = IKE_SHA384,
			 .dh_group = DH_GROUP24,
			 .ipsec_encryption = IPSEC_AES256,
			 .ipsec_integrity = IPSEC_SHA256,
			 .pfs_group = PFS_MM},
			"aes256-sha384-modp2048s256", "aes256-sha256-modp2048s256"},
		{{.ike_encryption = IKE_GCMAES256,
			 .ike_integrity = IKE_INT_GCMAES256,
			 .dh_group = DH_ECP384,
			 .ipsec_encryption = IPSEC_GCMAES192,
			 .ipsec_integrity = IPSEC_INT_GCMAES192,
			 .pfs_group = PFS_2048},
			"aes256gcm16-prfsha384-ecp384", "aes192gcm16-modp2048"},
		{{.ike_encryption = IKE_GCMAES128,
			 .ike_integrity = IKE_SHA1,
			 .dh_group = DH_GROUP14,
			 .ipsec_encryption = IPSEC_GCMAES128,
			 .ipsec_integrity = IPSEC_INT_GCMAES128,
			 .pfs_group = PFS_NONE},
			"aes128gcm16-prfsha1-modp2048", "aes128gcm16"},
		{{.ike_encryption = IKE_DES,
			 .ike_integrity = IKE_MD5,
			 .dh_group = DH_NONE,
			 .ipsec_encryption = IPSEC_ENC_NONE,
			 .ipsec_integrity = IPSEC_MD5,
			 .pfs_group = PFS_1},
			"des-md5-modp1024", "null-md5-modp768"},
		{{.ike_encryption = IKE_DES3,
			 .ike_integrity = IKE_SHA1,
			 .dh_group = DH_GROUP1,
			 .ipsec_encryption = IPSEC_DES3,
			 .ipsec_integrity = IPSEC_SHA1,
			 .pfs_group = PFS_ECP256},
			"3des-sha1-modp768", "3des-sha1-ecp256"},
	};
	char text[IKE_PROPOSAL_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ike_policy_ike(&cases[i].policy, text, sizeof(text));
		assert_string_equal(text, cases[i].ike);
		ike_policy_esp(&cases[i].policy, text, sizeof(text));
		assert_string_equal(text, cases[i].esp);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(azure_rows),
		cmocka_unit_test(profiles_pass_their_own_check),
		cmocka_unit_test(policy_keywords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
