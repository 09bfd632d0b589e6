/* Security associations given by hand: algorithms and keys that fit, keys read only from safe files,
 * used once, and never seen again.
 */
#include "config_folder.h"
#include "config_tunnel.h"
#include "tests/unit/sanitized.h"

/* ---- security associations ------------------------------------------------------- */

#define K20 "000102030405060708090a0b0c0d0e0f10111213"
#define L20 "202122232425262728292a2b2c2d2e2f30313233"
#define M20 "404142434445464748494a4b4c4d4e4f50515253"
#define K16 "000102030405060708090a0b0c0d0e0f"
#define L16 "202122232425262728292a2b2c2d2e2f"
#define GCM "encryption: aes-gcm-128, key: "
#define UPLINK                                                                                                         \
	"appliance: {ports: [{name: p, driver: ring}], uplinks: [{name: u, port: p, addresses: [192.0.2.1/24, "        \
	"192.0.2.2/24]}]}\n"
#define SAS_OF(name, from, to, sas)                                                                                    \
	"- name: " name "\n  connectionType: Vnet2Vnet\n  virtualNetworkGateway1: " from                               \
	"\n  virtualNetworkGateway2: " to "\n  appliance:\n    securityAssociations:\n" sas
/* associations from line 20 on */
#define SAS(sas) TWO UPLINK "connections:\n" SAS_OF("c", "g", "h", sas)
#define IN "    - {direction: in, spi: 0x1001, " GCM L20 "}\n"

static void
associations(void **state)
{
	static const struct case_refusal cases[] = {
		{SAS("    - {direction: out, spi: 255, " GCM K20 "}\n" IN), "InvalidValue", 20, "from 256"},
		{SAS("    - {direction: out, spi: 4294967296, " GCM K20 "}\n" IN), "InvalidValue", 20, NULL},
		{SAS("    - {direction: out, spi: 300, encryption: aes-gcm-256, key: " K20 "}\n" IN), "InvalidKey", 20,
			"36 bytes (72 hexadecimal digits), the last 4 are the salt, not 20"},
		{SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128}\n" IN), "InvalidKey", 20, "not 0"},
		{SAS("    - {direction: out, spi: 300, " GCM K20 ", integrity: sha256-128}\n" IN), "InvalidAlgorithm",
			20, "none"},
		{SAS("    - {direction: out, spi: 300, " GCM K20 ", authKey: " K20 "}\n" IN), "InvalidKey", 20,
			"no 'authKey'"},
		{SAS("    - {direction: out, spi: 300, encryption: aes-cbc-128, key: " K16 "}\n" IN),
			"InvalidAlgorithm", 20, "needs an integrity"},
		{SAS("    - {direction: out, spi: 300, encryption: aes-cbc-128, integrity: sha1-96, key: " K16
		     "}\n" IN),
			"InvalidKey", 20, "'authKey' for sha1-96 has 20 bytes"},
		{SAS("    - {direction: out, spi: 300, encryption: 'null'}\n" IN), "InvalidAlgorithm", 20, "integrity"},
		{SAS("    - {direction: out, spi: 300, encryption: 'null', integrity: sha1-96, authKey: " M20
		     ", key: " K16 "}\n" IN),
			"InvalidKey", 20, "null takes no 'key'"},
		{SAS("    - {direction: out, spi: 300, encryption: des, key: " K20 "}\n" IN), "InvalidValue", 20,
			"aes-gcm-256"},
		{SAS("    - {direction: out, spi: 300, encryption: des-cbc, integrity: sha1-96, key: 0001020304050607, "
		     "authKey: " M20 "}\n" IN),
			"WeakAlgorithm", 20, "'encryption': des-cbc is weak and taken only with appliance.ikeProfile"},
		{SAS("    - {direction: out, spi: 300, encryption: 3des-cbc, integrity: md5-96, key: " K16
		     "0001020304050607, authKey: " L16 "}\n" IN),
			"WeakAlgorithm", 20, "'integrity': md5-96 is weak"},
		{SAS("    - {direction: out, spi: 300, encryption: 3des-cbc, integrity: sha1-96, key: " K16
		     ", authKey: " M20 "}\n" IN),
			"InvalidKey", 20, "'key' for 3des-cbc has 24 bytes (48 hexadecimal digits), not 16"},
		{SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, key: 0x" K20 "}\n" IN), "InvalidKey",
			20, "hexadecimal"},
		{SAS("    - {direction: out, spi: 300, " GCM K20 ", resource: 64}\n" IN), "InvalidValue", 20, "63"},
		{SAS("    - {direction: out, spi: 300, " GCM K20 ", replayWindow: 63}\n" IN), "InvalidValue", 20,
			"or 0"},
		{SAS("    - {direction: out, spi: 300, " GCM K20 ", replayWindow: 4097}\n" IN), "InvalidValue", 20,
			NULL},
		{SAS("    - {direction: out, spi: 300, " GCM K20 ", lifetime: {bytes: {soft: 2, hard: 1}}}\n" IN),
			"InvalidValue", 20, "soft"},
		{SAS("    - {direction: out, spi: 300, " GCM K20 ", encapsulation: {localPort: 0}}\n" IN),
			"InvalidValue", 20, NULL},
		{SAS("    - {direction: out, spi: 300, " GCM K20 "}\n    - {direction: out, spi: 300, " GCM M20
		     "}\n" IN),
			"SpiInUse", 21, "line 20"},
		{SAS("    - {direction: out, spi: 300, " GCM L20 "}\n" IN), "KeyReuse", 21, "line 20"},
		/* another salt does not make another key */
		{SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, key: "
		     "202122232425262728292a2b2c2d2e2f00000000}\n" IN),
			"KeyReuse", 21, NULL},
		{SAS("    - {direction: out, spi: 300, " GCM K20 "}\n    - {direction: out, spi: 301, " GCM K20
		     "}\n" IN),
			"KeyReuse", 21, NULL},
		{SAS("    - {direction: out, spi: 300, encryption: 'null', integrity: sha1-96, authKey: " K20 "}\n"
		     "    - {direction: in, spi: 300, encryption: 'null', integrity: sha1-96, authKey: " K20 "}\n"),
			"KeyReuse", 21, "authKey"},
		{SAS("    - {direction: out, spi: 300, " GCM K20 "}\n"), "SecurityAssociationMissing", 20, "'in'"},
		{SAS(IN), "SecurityAssociationMissing", 20, "'out'"},
		{TWO "connections:\n" SAS_OF("c", "g", "h", "    - {direction: out, spi: 300, " GCM K20 "}\n" IN),
			"TunnelAddressNotOnUplink", 13, "192.0.2.1"},
	};

	CASE_REFUSE_ALL(cases);
	/* absence never means no encryption */
	case_refuse(
		SAS("    - {direction: out, spi: 300, encryption: null, integrity: sha1-96, authKey: " K20 "}\n" IN),
		"MissingKey", 20, "encryption");
}

static void
associations_accepted(void **state)
{
	struct config *c = case_load(SAS(
		"    - {direction: out, spi: 300, encryption: AES-CBC-256, integrity: sha512-256, key: " K16 L16
		", authKey: " K16 L16 K16 L16
		", resource: 63, esn: true, encapsulation: {keepalive: 0}, lifetime: {packets: {soft: 1, hard: 2}}}\n"
		"    - {direction: in, spi: 300, encryption: 'null', integrity: sha384-192, authKey: " L16 K16 L16
		", replayWindow: 0}\n"));
	const struct cfg_sa *s = c->connections[0].sas;

	assert_int_equal(c->connections[0].n_sas, 2);
	assert_true(s[0].outbound && !s[1].outbound);
	assert_int_equal(s[0].encryption, ENC_AES_CBC_256);
	assert_int_equal(s[0].integrity, INTEG_SHA512_256);
	assert_int_equal(s[0].enc_key_len, 32);
	assert_int_equal(s[0].enc_key[31], 0x2f);
	assert_int_equal(s[0].auth_key_len, 64);
	assert_int_equal(s[0].resource, 63);
	assert_int_equal(s[1].resource, 0);
	assert_true(s[0].esn && s[0].udp_encap);
	assert_int_equal(s[0].udp_local_port, 4500);
	assert_int_equal(s[0].keepalive_s, 0);
	assert_int_equal(s[0].life_packets_hard, 2);
	assert_int_equal(s[0].replay_window, 1024);
	assert_int_equal(s[1].encryption, ENC_NULL);
	assert_int_equal(s[1].replay_window, 0);
	assert_false(s[1].udp_encap);
	config_free(c);

	/* the gateway's word on replay protection goes for what enters */
	c = case_load(
		BASE GATEWAY("g", "v", "i", ", disableIPSecReplayProtection: true") GATEWAY("h", "w", "j", "") UPLINK
		"connections:\n" SAS_OF("c", "g", "h", "    - {direction: out, spi: 300, " GCM K20 "}\n" IN));
	assert_int_equal(c->connections[0].sas[0].replay_window, 1024);
	assert_int_equal(c->connections[0].sas[1].replay_window, 0);
	config_free(c);

	/* both ends of two associations in one file: a laboratory */
	case_accept(SAS("    - {direction: out, spi: 300, " GCM K20 "}\n    - {direction: in, spi: 301, " GCM L20
			"}\n" SAS_OF("d", "h", "g",
				"    - {direction: out, spi: 301, " GCM L20
				"}\n    - {direction: in, spi: 300, " GCM K20 "}\n")));
	/* weak ones where the profile that has them is named */
	case_accept(SAS(
		"    - {direction: out, spi: 300, encryption: des-cbc, integrity: sha1-96, key: 0001020304050607, "
		"authKey: " M20 "}\n    - {direction: in, spi: 300, encryption: 3des-cbc, integrity: md5-96, key: " L16
		"0001020304050607, authKey: " L16 "}\n    ikeProfile: azure-default\n"));
	/* but not two senders with one key */
	case_refuse(SAS("    - {direction: out, spi: 300, " GCM K20 "}\n    - {direction: in, spi: 301, " GCM L20
			"}\n" SAS_OF("d", "h", "g",
				"    - {direction: out, spi: 302, " GCM K20
				"}\n    - {direction: in, spi: 303, " GCM M20 "}\n")),
		"KeyReuse", 28, NULL);
}

/* ---- keys in files, and keys unseen ---------------------------------------------- */

static int
load_with(const char *key_file, struct config **c)
{
	char path[256], text[4096];

	snprintf(path, sizeof(path), "%s/lab.yaml", folder);
	snprintf(text, sizeof(text),
		SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, keyFile: '%s'}\n" IN), key_file);
	return config_parse(path, text, strlen(text), c, &case_errors);
}

static void
key_files(void **state)
{
	static const struct {
		const char *name, *says;
	} bad[] = {
		{"open", "0600"},
		{"group", "0600"},
		{"exec", "0600"},
		{"bad", "hexadecimal"},
		{"big", "4096"},
		{"empty", "hexadecimal"},
		{"pipe", "regular"},
		{"missing", "No such file"},
		{".", "regular"},
		{"/dev/zero", "regular"},
	};
	char big[5000], path[256], absolute[256];
	struct config *c = NULL;

	memset(big, '0', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	write_file("good", "  " M20 "\n", 0600);
	write_file("open", M20, 0644);
	write_file("group", M20, 0640);
	write_file("exec", M20, 0700);
	write_file("bad", "secretsecretsecretsecret", 0600);
	write_file("big", big, 0600);
	write_file("empty", "\n", 0400);
	write_file("short", K16, 0400);
	snprintf(path, sizeof(path), "%s/pipe", folder);
	assert_int_equal(mkfifo(path, 0600), 0);

	assert_int_equal(load_with("good", &c), 0);
	assert_int_equal(c->connections[0].sas[0].enc_key_len, 20);
	assert_int_equal(c->connections[0].sas[0].enc_key[0], 0x40);
	config_free(c);
	snprintf(absolute, sizeof(absolute), "%s/good", folder);
	assert_int_equal(load_with(absolute, &c), 0);
	config_free(c);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct config_error *e;

		assert_int_equal(load_with(bad[i].name, &c), -22);
		e = case_find("InvalidKeyFile");
		assert_non_null(e);
		if (strstr(e->text, bad[i].says) == NULL)
			fprintf(stderr, "%s: %s\n", bad[i].name, e->text);
		assert_non_null(strstr(e->text, bad[i].says));
		assert_null(strstr(e->text, "secret"));
		assert_int_equal(e->mark.line, 20);
	}
	assert_int_equal(load_with("short", &c), -22);
	assert_non_null(case_find("InvalidKey"));
	case_refuse(
		SAS("    - {direction: out, spi: 300, " GCM K20 ", keyFile: x}\n" IN), "InvalidKey", 20, "one of them");
}

/* Another user's file is no key of ours. */
static void
foreign_key_file(void **state)
{
	struct config *c = NULL;
	char path[256];

	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "%s/good", folder);
	write_file("good", M20, 0600);
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_int_equal(load_with("good", &c), -22);
	assert_non_null(strstr(case_find("InvalidKeyFile")->text, "another user"));
	assert_int_equal(chown(path, 0, 0), 0);
}

static void
keys_are_not_told(void **state)
{
	static const char *const texts[] = {
		/* the key where another value belongs, a bad key, a key as a key */
		SAS("    - {direction: out, spi: " K20 ", " GCM M20 "}\n" IN),
		SAS("    - {direction: " K20 ", spi: 300, " GCM M20 "}\n" IN),
		SAS("    - {direction: out, spi: 300, encryption: " K20 ", key: " M20 "}\n" IN),
		SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, key: " K20 "zz}\n" IN),
		SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, keyfile: " K20 "}\n" IN),
		SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, keyFile: " K20 "}\n" IN),
		SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, " K20 ": x}\n" IN),
		SAS("    - {direction: out, spi: 300, " GCM K20 ", key: " K20 "}\n" IN),
		SAS("    - {direction: out, spi: 300, " GCM K20 ", " K20 ": x, " K20 ": y}\n" IN),
		SAS("    - {direction: out, spi: 300, " GCM K20 ", esn: " K20 "}\n" IN),
		SAS("    - " K20 "\n" IN),
		SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, key: [" K20 "]}\n" IN),
		SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, key: {" K20 ": " K20 "}}\n" IN),
		SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, key: &" K20 " x, esn: *" K20 "}\n" IN),
		SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, key: '" K20 "}\n" IN),
		TWO "connections:\n- {name: c, virtualNetworkGateway1: g, localNetworkGateway2: l, connectionType: "
		    "IPsec, sharedKey: " K20 "}\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config *c = NULL;

		assert_int_equal(config_parse("x", texts[i], strlen(texts[i]), &c, &case_errors), -22);
		for (uint32_t j = 0; j < case_errors.n; j++) {
			if (strstr(case_errors.e[j].text, "0405060708") != NULL)
				fprintf(stderr, "case %zu: %s\n", i, case_errors.e[j].text);
			assert_null(strstr(case_errors.e[j].text, "0405060708"));
		}
	}
}

static void
keys_are_not_printed(void **state)
{
	struct config *c = case_load(SAS("    - {direction: out, spi: 300, " GCM K20 "}\n" IN));
	char *text = case_print(c);

	assert_null(strstr(text, "0a0b0c"));
	assert_null(strstr(text, "0A0B0C"));
	assert_non_null(strstr(text, "\"key\": \"<hidden>\""));
	free(text);
	config_free(c);

	/* a printed key is no key */
	case_refuse(SAS("    - {direction: out, spi: 300, encryption: aes-gcm-128, key: <hidden>}\n" IN), "InvalidKey",
		20, NULL);

	write_file("good", M20, 0600);
	assert_int_equal(load_with("good", &c), 0);
	text = case_print(c);
	assert_non_null(strstr(text, "\"keyFile\": \"good\""));
	free(text);
	config_free(c);
}

/* A sanitizer's heap is no [heap], and holds what was freed for a while. */
#if !SANITIZED
/* Whether these bytes are anywhere in the heap; needle is made here, so that no literal is found. */
static bool
heap_holds(const unsigned char *needle, size_t n)
{
	unsigned long from = 0, to = 0;
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "re");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, "[heap]") != NULL)
			assert_int_equal(sscanf(line, "%lx-%lx", &from, &to), 2);
	fclose(maps);
	return to > from && memmem((void *)from, to - from, needle, n) != NULL;
}

/* After free, neither the key nor its text is left behind, however it came. */
static void
keys_are_wiped(void **state)
{
	unsigned char key[20], text_part[16];
	struct config *c = NULL;
	unsigned char *planted;

	for (unsigned int i = 0; i < sizeof(key); i++)
		key[i] = (unsigned char)(0x40 + i);
	write_file("good", M20, 0600);
	assert_int_equal(load_with("good", &c), 0);
	assert_true(heap_holds(key, 8)); /* the search finds what is there */
	config_free(c);
	assert_false(heap_holds(key, 8));
	/* the middle of the key's text: never in a buffer of ours for a key file */
	for (unsigned int i = 0; i < sizeof(text_part); i++)
		text_part[i] = (unsigned char)("0123456789abcdef"[i % 2 ? (0x48 + i / 2) & 15 : (0x48 + i / 2) >> 4]);
	planted = malloc(64);
	memcpy(planted, text_part, sizeof(text_part));
	assert_true(heap_holds(text_part, sizeof(text_part)));
	explicit_bzero(planted, 64);
	free(planted);
	assert_false(heap_holds(text_part, sizeof(text_part)));

	/* in place: the whole text is gone too (its beginning passes through libyaml's scratch) */
	{
		static const char inline_text[] = SAS("    - {direction: out, spi: 300, " GCM M20 "}\n" IN);
		char path[256];

		write_file("big", inline_text, 0600);
		snprintf(path, sizeof(path), "%s/big", folder);
		assert_int_equal(config_load(path, &c, &case_errors), 0);
		assert_true(heap_holds(key, 8));
		config_free(c);
		assert_false(heap_holds(key, 8));
		assert_false(heap_holds((const unsigned char *)&M20[20], 20));
	}
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(associations),
		cmocka_unit_test(associations_accepted),
		cmocka_unit_test(key_files),
		cmocka_unit_test(foreign_key_file),
		cmocka_unit_test(keys_are_not_told),
		cmocka_unit_test(keys_are_not_printed),
#if !SANITIZED
		cmocka_unit_test(keys_are_wiped),
#endif
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
