/* BGP in a configuration: what is read, its defaults, that it prints as it was read, and that no password shows. The
 * rules: test_config_bgp_rules.c.
 */
#include "config_bgp.h"
#include "config_folder.h"

#include <sys/stat.h>
#include <unistd.h>

/* What is printed loads to what prints the same. */
static void
round_trip(const struct config *c)
{
	char *first = case_print(c), *second;
	struct config *again = case_load(first);

	second = case_print(again);
	assert_string_equal(first, second);
	free(first);
	free(second);
	config_free(again);
}

static void
defaults(void **state)
{
	struct config *c = case_load(BGP_SITE("", BGP_PEER, ""));
	const struct cfg_bgp_session *s = &c->connections[0].bgp;
	char *text = case_print(c);

	assert_true(c->gateways[0].enable_bgp);
	assert_int_equal(c->gateways[0].bgp.asn, 65515);
	address_is(&c->gateways[0].bgp.address, "10.0.0.30");
	assert_int_equal(c->gateways[0].bgp.custom.n, 0);
	assert_true(c->connections[0].enable_bgp);
	assert_int_equal(c->connections[0].custom_bgp_address.family, IP_NONE);
	assert_int_equal(s->keepalive_s, 60);
	assert_int_equal(s->hold_s, 180);
	assert_int_equal(s->max_prefixes, 4000);
	assert_int_equal(s->password_len, 0);
	assert_null(s->password_file);
	assert_false(s->bfd);
	assert_int_equal(s->bfd_interval_ms, 300);
	assert_int_equal(s->bfd_multiplier, 3);
	assert_int_equal(c->appliance.bgp.daemon, BGP_DAEMON_MANAGED);
	assert_string_equal(c->appliance.bgp.bird, "/usr/sbin/bird");
	assert_string_equal(c->appliance.bgp.run_dir, "/run/isthmus");
	assert_null(strstr(text, "password"));
	assert_null(strstr(text, "customBgpIpAddress"));
	free(text);
	round_trip(c);
	config_free(c);
}

static void
everything_said(void **state)
{
	struct config *c = case_load(BGP_SITE(
		", bgpSettings: {asn: 4200000000, bgpPeeringAddress: 10.0.0.20, peerWeight: 7, bgpPeeringAddresses: "
		"[{ipconfigurationId: x/default, defaultBgpIpAddresses: [10.0.0.30], tunnelIpAddresses: [192.0.2.1], "
		"customBgpIpAddresses: [169.254.21.2, 169.254.22.255]}, {customBgpIpAddresses: 169.254.21.6}]}",
		"asn: 65001, bgpPeeringAddress: 169.254.21.1, peerWeight: 9",
		", gatewayCustomBgpIpAddresses: [{customBgpIpAddress: 169.254.21.6, ipConfigurationId: x}], appliance: "
		"{bgp: {keepaliveSeconds: 1, holdSeconds: 3, maxPrefixes: 12, bfd: true, bfdIntervalMilliseconds: "
		"10, bfdMultiplier: 4}}") "appliance: {bgp: {daemon: external, bird: /opt/bird, runDirectory: "
					  "/run/x}}\n");
	const struct cfg_bgp *own = &c->gateways[0].bgp, *peer = &c->local_gateways[0].bgp;
	const struct cfg_bgp_session *s = &c->connections[0].bgp;

	assert_true(own->given);
	assert_int_equal(own->mark.line, 10);
	assert_int_equal(own->asn, 4200000000);
	address_is(&own->address, "10.0.0.20");
	assert_int_equal(own->peer_weight, 7);
	assert_int_equal(own->custom.n, 3);
	address_is(&own->custom.p[1].addr, "169.254.22.255");
	address_is(&own->custom.p[2].addr, "169.254.21.6");
	assert_int_equal(own->custom.p[2].len, 32);
	assert_true(peer->given);
	assert_int_equal(peer->mark.line, 8);
	assert_int_equal(peer->asn, 65001);
	address_is(&peer->address, "169.254.21.1");
	assert_int_equal(peer->peer_weight, 9);
	address_is(&c->connections[0].custom_bgp_address, "169.254.21.6");
	assert_int_equal(s->keepalive_s, 1);
	assert_int_equal(s->hold_s, 3);
	assert_int_equal(s->max_prefixes, 12);
	assert_true(s->bfd);
	assert_int_equal(s->bfd_interval_ms, 10);
	assert_int_equal(s->bfd_multiplier, 4);
	assert_int_equal(c->appliance.bgp.daemon, BGP_DAEMON_EXTERNAL);
	assert_string_equal(c->appliance.bgp.bird, "/opt/bird");
	assert_string_equal(c->appliance.bgp.run_dir, "/run/x");
	round_trip(c);
	config_free(c);
}

/* What exports carry of gateways that do not speak BGP. */
static void
settings_without_meaning(void **state)
{
	struct config *c = case_load(BASE GATEWAY("g", "v", "i",
		", bgpSettings: {asn: 65517, bgpPeeringAddress: 10.0.0.30, peerWeight: 0, bgpPeeringAddresses: []}")
			GATEWAY("h", "w", "j", ", enableBgp: false, bgpSettings: null"));
	char *text;

	assert_false(c->gateways[0].enable_bgp);
	assert_true(c->gateways[0].bgp.given);
	assert_int_equal(c->gateways[0].bgp.asn, 65517);
	assert_false(c->gateways[1].bgp.given);
	assert_int_equal(c->gateways[1].bgp.address.family, IP_NONE);
	assert_false(c->local_gateways[0].bgp.given);
	text = case_print(c);
	assert_non_null(strstr(text, "\"asn\": 65517"));
	assert_null(strstr(text, "\"asn\": 65515"));
	free(text);
	round_trip(c);
	config_free(c);
	c = case_load(BASE GATEWAY("g", "v", "i", ", bgpSettings: {asn: 65010, bgpPeeringAddress: ''}"));
	text = case_print(c);
	assert_non_null(strstr(text, "\"asn\": 65010"));
	assert_null(strstr(text, "bgpPeeringAddress"));
	free(text);
	config_free(c);
}

/* ---- passwords ------------------------------------------------------------------- */

#define SESSION(text) BGP_SITE("", BGP_PEER, ", appliance: {bgp: {" text "}}")

static void
passwords_in_place(void **state)
{
	static const struct case_refusal cases[] = {
		{SESSION("password: ''"), "InvalidKey", 12, "1 to 80"},
		{SESSION("password: ' Secret'"), "InvalidKey", 12, "blanks"},
		{SESSION("password: \"Sec\\tret\""), "InvalidKey", 12, "ASCII"},
		{SESSION("password: 'Secr\"et'"), "InvalidKey", 12, "quotation"},
		{SESSION("password: <hidden>"), "InvalidKey", 12, "placeholder"},
		{SESSION("password: [Secret]"), "InvalidKey", 12, "text"},
	};
	char text[4096], key[100];
	struct config *c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		case_refuse(cases[i].text, cases[i].code, cases[i].line, cases[i].says);
		assert_null(strstr(case_errors.e[0].text, "Sec"));
	}
	memset(key, 'k', sizeof(key));
	snprintf(text, sizeof(text), SESSION("password: %.*s"), 80, key);
	case_accept(text);
	snprintf(text, sizeof(text), SESSION("password: %.*s"), 81, key);
	case_refuse(text, "InvalidKey", 12, "1 to 80");

	assert_int_equal(load_file(SESSION("password: 'Secret, 17!'"), 0640, &c), -22);
	assert_int_equal(case_find("SharedKeyExposed")->mark.line, 12);
	assert_int_equal(load_file(SESSION("password: 'Secret, 17!'"), 0600, &c), 0);
	assert_string_equal(c->connections[0].bgp.password, "Secret, 17!");
	assert_int_equal(c->connections[0].bgp.password_len, 11);
	config_free(c);
}

static void
password_files(void **state)
{
	struct config *c;

	write_file("md5", " Secret in a file\n", 0600);
	assert_int_equal(load_file(SESSION("passwordFile: md5"), 0644, &c), 0);
	assert_string_equal(c->connections[0].bgp.password, "Secret in a file");
	assert_int_equal(c->connections[0].bgp.password_len, 16);
	assert_string_equal(c->connections[0].bgp.password_file, "md5");
	config_free(c);
	assert_int_equal(load_file(SESSION("passwordFile: none"), 0644, &c), -22);
	assert_non_null(strstr(case_find("InvalidKeyFile")->text, "No such file"));
	assert_int_equal(load_file(SESSION("password: Secret, passwordFile: md5"), 0600, &c), -22);
	assert_non_null(strstr(case_find("InvalidKey")->text, "one of them"));
	assert_int_equal(load_file(SESSION("passwordFile: md5, password: Secret"), 0600, &c), -22);
	assert_non_null(strstr(case_find("InvalidKey")->text, "one of them"));
	write_file("md5", "two\nSecret", 0600);
	assert_int_equal(load_file(SESSION("passwordFile: md5"), 0644, &c), -22);
	assert_non_null(strstr(case_find("InvalidKeyFile")->text, "one line"));
	assert_null(strstr(case_find("InvalidKeyFile")->text, "Secret"));
	write_file("md5", "Secret", 0640);
	assert_int_equal(load_file(SESSION("passwordFile: md5"), 0644, &c), -22);
	assert_non_null(strstr(case_find("InvalidKeyFile")->text, "0600"));
}

static void
passwords_unseen(void **state)
{
	struct config *c = case_load(SESSION("password: 'Secret, 17!'"));
	char *text = case_print(c);

	assert_null(strstr(text, "Secret"));
	assert_non_null(strstr(text, "\"password\": \"<hidden>\""));
	free(text);
	strcpy(c->connections[0].ike.shared_key, "another's");
	config_wipe_bgp_passwords(c);
	assert_string_equal(c->connections[0].ike.shared_key, "another's");
	for (size_t i = 0; i < sizeof(c->connections[0].bgp.password); i++)
		assert_int_equal(c->connections[0].bgp.password[i], 0);
	assert_int_equal(c->connections[0].bgp.password_len, 11);
	config_free(c);

	c = case_load(SESSION("password: 'Secret, 17!'"));
	config_wipe_shared_keys(c);
	assert_string_equal(c->connections[0].bgp.password, "Secret, 17!");
	config_wipe_secrets(c);
	assert_int_equal(c->connections[0].bgp.password[0], 0);
	config_free(c);

	write_file("md5", "Secret", 0600);
	assert_int_equal(load_file(SESSION("passwordFile: md5"), 0644, &c), 0);
	text = case_print(c);
	assert_null(strstr(text, "Secret"));
	assert_non_null(strstr(text, "\"passwordFile\": \"md5\""));
	config_free(c);
	assert_int_equal(load_file(text, 0644, &c), 0);
	assert_string_equal(c->connections[0].bgp.password, "Secret");
	free(text);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(everything_said),
		cmocka_unit_test(settings_without_meaning),
		cmocka_unit_test(passwords_in_place),
		cmocka_unit_test(password_files),
		cmocka_unit_test(passwords_unseen),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
