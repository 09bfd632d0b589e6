/* Shared keys: read only where it is safe, and never seen again. The files that control reads follow the
 * same rule.
 */
#include "config_folder.h"
#include "config_tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* the connection in line 14 */
#define UPLINK                                                                                                         \
	"appliance: {ports: [{name: p, driver: ring}], uplinks: [{name: u, port: p, addresses: [192.0.2.1/24, "        \
	"192.0.2.2/24]}]}\n"
#define SITE(more)                                                                                                     \
	TWO UPLINK "connections:\n- {name: c, connectionType: IPsec, virtualNetworkGateway1: g, "                      \
		   "localNetworkGateway2: l" more "}\n"
#define KEY ", sharedKey: 'Secret, 17!'"

/* A key in the file only where nobody else reads the file. */
static void
exposed_key(void **state)
{
	struct config *c;

	assert_int_equal(load_file(SITE(KEY), 0600, &c), 0);
	assert_string_equal(c->connections[0].ike.shared_key, "Secret, 17!");
	config_free(c);
	assert_int_equal(load_file(SITE(KEY), 0640, &c), -22);
	assert_int_equal(case_find("SharedKeyExposed")->mark.line, 14);
	assert_non_null(strstr(case_find("SharedKeyExposed")->text, "sharedKeyFile"));
	assert_int_equal(load_file(SITE(KEY), 0604, &c), -22);
	assert_int_equal(load_file(SITE(", sharedKey: null"), 0644, &c), 0);
	config_free(c);
}

static void
key_files(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *says;
	} bad[] = {
		{"Secret", 0644, "0600"},
		{"", 0600, "one shared key"},
		{"two\nSecret", 0600, "one line"},
		{"Secr\303\251t", 0600, "ASCII"},
		{"<hidden>", 0600, "one shared key"},
	};
	struct config *c;

	write_file("psk", "  Secret in a file\r\n", 0600);
	assert_int_equal(load_file(SITE(", appliance: {sharedKeyFile: psk}"), 0644, &c), 0);
	assert_string_equal(c->connections[0].ike.shared_key, "Secret in a file");
	assert_int_equal(c->connections[0].ike.shared_key_len, 16);
	assert_string_equal(c->connections[0].ike.shared_key_file, "psk");
	config_free(c);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct config_error *e;

		write_file("bad", bad[i].text, bad[i].mode);
		assert_int_equal(load_file(SITE(", appliance: {sharedKeyFile: bad}"), 0644, &c), -22);
		e = case_find("InvalidKeyFile");
		assert_non_null(e);
		assert_int_equal(case_errors.total, 1);
		assert_non_null(strstr(e->text, bad[i].says));
		assert_null(strstr(e->text, "Secr"));
	}
	assert_int_equal(load_file(SITE(KEY ", appliance: {sharedKeyFile: psk}"), 0600, &c), -22);
	assert_non_null(strstr(case_find("InvalidKey")->text, "one of them"));

	/* the service manager's */
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(load_file(SITE(", appliance: {sharedKeyFile: 'credential:psk'}"), 0644, &c), -22);
	assert_non_null(strstr(case_find("InvalidKeyFile")->text, "CREDENTIALS_DIRECTORY"));
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	assert_int_equal(load_file(SITE(", appliance: {sharedKeyFile: 'credential:psk'}"), 0644, &c), 0);
	assert_string_equal(c->connections[0].ike.shared_key, "Secret in a file");
	config_free(c);
	assert_int_equal(load_file(SITE(", appliance: {sharedKeyFile: 'credential:../psk'}"), 0644, &c), -22);
	assert_non_null(strstr(case_find("InvalidKeyFile")->text, "no name of a credential"));
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
keys_in_place(void **state)
{
	static const struct case_refusal cases[] = {
		{SITE(", sharedKey: ''"), "InvalidKey", 14, "1 to 255"},
		{SITE(", sharedKey: ' Secret'"), "InvalidKey", 14, "blanks"},
		{SITE(", sharedKey: \"Sec\\tret\""), "InvalidKey", 14, "ASCII"},
		{SITE(", sharedKey: <hidden>"), "InvalidKey", 14, "placeholder"},
		{SITE(", sharedKey: [Secret]"), "InvalidKey", 14, "text"},
	};
	char text[4096], key[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		case_refuse(cases[i].text, cases[i].code, cases[i].line, cases[i].says);
		assert_null(strstr(case_errors.e[0].text, "Sec"));
	}
	memset(key, 'k', sizeof(key));
	for (int length = 255; length <= 256; length++) {
		snprintf(text, sizeof(text), SITE(", sharedKey: %.*s"), length, key);
		if (length == 255)
			case_accept(text);
		else
			case_refuse(text, "InvalidKey", 14, "255");
	}
}

/* Nobody sees a key again; what is printed loads once there is one. */
static void
keys_unseen(void **state)
{
	struct config *c = case_load(SITE(KEY));
	char *text = case_print(c);

	assert_null(strstr(text, "Secret"));
	assert_non_null(strstr(text, "\"sharedKey\": \"<hidden>\""));
	free(text);
	config_wipe_secrets(c);
	assert_int_equal(c->connections[0].ike.shared_key_len, 11);
	for (size_t i = 0; i < sizeof(c->connections[0].ike.shared_key); i++)
		assert_int_equal(c->connections[0].ike.shared_key[i], 0);
	config_free(c);

	write_file("psk", "Secret", 0600);
	assert_int_equal(load_file(SITE(", appliance: {sharedKeyFile: psk}"), 0644, &c), 0);
	text = case_print(c);
	assert_null(strstr(text, "Secret"));
	assert_non_null(strstr(text, "\"sharedKeyFile\": \"psk\""));
	config_free(c);
	assert_int_equal(load_file(text, 0644, &c), 0);
	assert_string_equal(c->connections[0].ike.shared_key, "Secret");
	free(text);
	config_free(c);
}

/* What control asks for: paths and private keys, by the same rule. */
static void
files_for_control(void **state)
{
	struct config *c;
	const char *reason;
	char path[256], wanted[256], buffer[16];

	write_file("bad", "0123456789abcdef", 0600);
	assert_int_equal(load_file("{}", 0644, &c), 0);
	assert_int_equal(config_file_path(c, "x/y.pem", path, sizeof(path), &reason), 0);
	snprintf(wanted, sizeof(wanted), "%s/x/y.pem", folder);
	assert_string_equal(path, wanted);
	assert_int_equal(config_file_path(c, "/y.pem", path, sizeof(path), &reason), 0);
	assert_string_equal(path, "/y.pem");
	assert_int_equal(config_file_path(c, "y.pem", path, 4, &reason), -ENAMETOOLONG);
	assert_int_equal(config_secret_read(c, "bad", buffer, 16, &reason), 16);
	assert_memory_equal(buffer, "0123456789abcdef", 16);
	assert_int_equal(config_secret_read(c, "bad", buffer, 15, &reason), -EINVAL);
	assert_non_null(strstr(reason, "too large"));
	write_file("bad", "x", 0604);
	assert_int_equal(config_secret_read(c, "bad", buffer, 16, &reason), -EINVAL);
	assert_non_null(strstr(reason, "0600"));
	assert_int_equal(config_secret_read(c, "none", buffer, 16, &reason), -ENOENT);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exposed_key),
		cmocka_unit_test(key_files),
		cmocka_unit_test(keys_in_place),
		cmocka_unit_test(keys_unseen),
		cmocka_unit_test(files_for_control),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
