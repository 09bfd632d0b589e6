/* What cannot change while the daemon runs is refused by its key; what can is not. */
#include "control/restart.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct config_errors errors;

static void
load(const char *appliance, struct config **out)
{
	char text[4096];
	int n = snprintf(text, sizeof text,
		"virtualNetworks:\n"
		"  - {name: v, addressSpace: {addressPrefixes: [10.0.0.0/16]}, subnets: [{name: a, addressPrefix: "
		"10.0.1.0/24}]}\n"
		"appliance:\n  name: box\n%s",
		appliance);

	memset(&errors, 0, sizeof errors);
	if (config_parse("test.yaml", text, (size_t)n, out, &errors) != 0)
		fail_msg("%s:%u: %s", errors.path, errors.e[0].mark.line, errors.e[0].text);
}

#define PORTS "  ports: [{name: p0, driver: \"null\"}, {name: p1, driver: \"null\"}]\n"
#define ATTACHED "  attachments: [{subnet: v/a, port: p0}]\n"
#define BASE PORTS ATTACHED
#define PAIR(kind) "  highAvailability: {lease: {kind: " kind "}}\n"
#define ETCD "etcd, key: k, endpoints: "

/* key NULL: allowed. */
static const struct {
	const char *running, *wanted, *key;
} changes[] = {
	{BASE, BASE, NULL},
	{BASE, PORTS "  attachments: [{subnet: v/a, port: p1, vlan: 7}]\n", NULL},
	{BASE, BASE "  uplinks: [{name: up, port: p1, addresses: [192.0.2.1/24]}]\n", NULL},
	{BASE, BASE "  workers: 2\n", "appliance.workers"},
	{BASE "  workers: 2\n", BASE "  workers: 2\n  cores: [0, 1, 2]\n", "appliance.cores"},
	{BASE "  cores: [0, 1]\n", BASE "  cores: [1, 0]\n", "appliance.cores"},
	{BASE, BASE "  memory: 512\n", "appliance.memory"},
	{BASE, BASE "  hugepages: \"off\"\n", "appliance.hugepages"},
	{BASE, BASE "  mbufs: 16384\n", "appliance.mbufs"},
	{BASE, BASE "  flows: 4096\n", "appliance.flows"},
	{BASE, BASE "  neighbours: 256\n", "appliance.neighbours"},
	{BASE, BASE "  maxSimd: 512\n", "appliance.maxSimd"},
	{BASE, BASE "  socket: /tmp/other.sock\n", "appliance.socket"},
	{BASE, BASE "  stateDirectory: /tmp/other\n", "appliance.stateDirectory"},
	{BASE, BASE "  controlNamespace: other\n", "appliance.controlNamespace"},
	{BASE, BASE "  busyPoll: false\n", "appliance.busyPoll"},
	{BASE, BASE PAIR("file, path: /a"), "appliance.highAvailability"},
	{BASE PAIR("file, path: /a"), BASE, "appliance.highAvailability"},
	{BASE PAIR("file, path: /a"), BASE PAIR("file, path: /a"), NULL},
	{BASE PAIR("file, path: /a"), BASE PAIR("file, path: /b"), "appliance.highAvailability"},
	{BASE PAIR("file, path: /a"), BASE PAIR("static"), "appliance.highAvailability"},
	{BASE PAIR("file, path: /a"), BASE PAIR("file, path: /a, durationSeconds: 9"), "appliance.highAvailability"},
	{BASE PAIR("static, marginMilliseconds: 11"), BASE PAIR("static"), "appliance.highAvailability"},
	{BASE "  highAvailability: {preferred: true, lease: {kind: static}}\n", BASE PAIR("static"),
		"appliance.highAvailability"},
	{BASE PAIR(ETCD "['http://a:1']"), BASE PAIR(ETCD "['http://a:2']"), "appliance.highAvailability"},
	{BASE PAIR(ETCD "['http://a:1']"), BASE PAIR(ETCD "['http://a:1', 'http://b:1']"),
		"appliance.highAvailability"},
	{BASE PAIR(ETCD "['http://a:1']"), BASE PAIR(ETCD "['http://a:1']"), NULL},
	{BASE, "  ports: [{name: p0, driver: \"null\"}]\n" ATTACHED, "appliance.ports (without p1)"},
	{BASE, "  ports: [{name: p0, driver: \"null\"}, {name: p2, driver: \"null\"}]\n" ATTACHED,
		"appliance.ports[1] (p2)"},
	{BASE, "  ports: [{name: p0, driver: \"null\", mtu: 9000}, {name: p1, driver: \"null\"}]\n" ATTACHED,
		"appliance.ports[0] (p0)"},
	{BASE, "  ports: [{name: p0, driver: ring}, {name: p1, driver: \"null\"}]\n" ATTACHED,
		"appliance.ports[0] (p0)"},
};

static void
names_the_key(void **state)
{
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		struct config *running, *wanted;
		int r;

		print_message("# %s\n", changes[i].key ? changes[i].key : "(allowed)");
		load(changes[i].running, &running);
		load(changes[i].wanted, &wanted);
		r = restart_check(&running->appliance, &wanted->appliance, &errors);
		if (changes[i].key) {
			assert_int_equal(r, -EINVAL);
			assert_int_equal(errors.total, 1);
			assert_string_equal(errors.e[0].code, "NeedsRestart");
			assert_int_equal(strncmp(errors.e[0].text, changes[i].key, strlen(changes[i].key)), 0);
		} else {
			assert_int_equal(r, 0);
			assert_int_equal(errors.total, 0);
		}
		config_free(running);
		config_free(wanted);
	}
}

/* All of them at once: each is told, and no more is kept than there is room for. */
static void
counts_what_it_cannot_keep(void **state)
{
	struct cfg_appliance none = {0};
	struct cfg_port port[100];
	struct cfg_appliance many = {.ports = port, .n_ports = 100};

	for (int i = 0; i < 100; i++)
		port[i] = (struct cfg_port){.name = "p"};
	memset(&errors, 0, sizeof errors);
	assert_int_equal(restart_check(&none, &many, &errors), -EINVAL);
	assert_int_equal(errors.total, 100);
	assert_int_equal(errors.n, CONFIG_ERRORS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_key),
		cmocka_unit_test(counts_what_it_cannot_keep),
	};

	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
