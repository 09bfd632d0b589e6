/* The link to the other node of a pair: its addresses and the file with its key. */
#include "config_folder.h"

#define KEY32 "0123456789abcdef0123456789abcdef"
#define PEER(text)                                                                                                     \
	"appliance: {name: box, highAvailability: {lease: {kind: static}, peer: {\n" text "\nkeyFile: node.key}}}\n"
#define GOOD "localAddress: 10.7.0.1, address: 10.7.0.2,"

static void
key_with(const char *text, mode_t mode)
{
	write_file("node.key", text, mode);
}

static void
all_of_it(void **state)
{
	struct config *c = NULL;
	const struct cfg_node_peer *p;
	char *text;

	(void)state;
	key_with(KEY32 "\n", 0600);
	assert_int_equal(load_file(PEER(GOOD), 0644, &c), 0);
	p = &c->appliance.ha.peer;
	assert_true(p->given);
	assert_int_equal(p->port, 4790);
	assert_int_equal(p->key_len, 32);
	assert_string_equal(p->key, KEY32);
	text = case_print(c);
	assert_null(strstr(text, KEY32));
	assert_non_null(strstr(text, "\"keyFile\": \"node.key\""));
	free(text);
	config_wipe_node_key(c);
	assert_string_equal(p->key, "");
	assert_int_equal(p->key_len, 32);
	config_free(c);
}

static void
refused(const char *text, const char *code, const char *says)
{
	struct config *c = NULL;
	const struct config_error *e;

	assert_int_not_equal(load_file(text, 0644, &c), 0);
	e = case_find(code);
	if (!e || !strstr(e->text, says) || strstr(e->text, KEY32))
		config_errors_print(&case_errors, stderr);
	assert_true(e && strstr(e->text, says) && !strstr(e->text, KEY32));
	assert_int_equal(case_errors.total, 1);
}

static void
addresses_are_judged(void **state)
{
	(void)state;
	key_with(KEY32 "\n", 0600);
	refused(PEER("localAddress: 10.7.0.1, address: 10.7.0.1,"), "InvalidAddress", "two of one family");
	refused(PEER("localAddress: 10.7.0.1, address: 'fd00::1',"), "InvalidAddress", "two of one family");
	refused(PEER("localAddress: 10.7.0.1,"), "MissingKey", "'address'");
	refused(PEER(GOOD " port: 0,"), "InvalidValue", "port");
}

static void
keys_are_judged(void **state)
{
	(void)state;
	key_with("0123456789abcdef0123456789abcde\n", 0600);
	refused(PEER(GOOD), "InvalidKeyFile", "31 characters");
	key_with("\n", 0600);
	refused(PEER(GOOD), "InvalidKeyFile", "keyFile");
	key_with(KEY32 "\n", 0640);
	refused(PEER(GOOD), "InvalidKeyFile", "keyFile");
	refused("appliance: {highAvailability: {lease: {kind: static}, peer: {localAddress: 10.7.0.1, "
		"address: 10.7.0.2}}}",
		"MissingKey", "keyFile");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(addresses_are_judged),
		cmocka_unit_test(keys_are_judged),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
