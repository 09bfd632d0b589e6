/* The control namespace without a daemon: names, what goes in, what is kept for a successor, and whose it is.
 *
 * The process leaves for a network and mount namespace of its own, with an empty /run: nothing outlives it.
 */
#include "control/local_uplinks.h"

#include "drivers/clock.h"
#include "drivers/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH "/run/netns/isthmus-unit"

static bool able; /* to make namespaces */
static struct names *names;
static struct loop loop;
static struct cfg_connection connection = {.uses_ike = true};
static struct config config = {.appliance = {.name = (char *)"unit"}, .connections = &connection, .n_connections = 1};
static struct iface_spec iface[3];
static struct world world = {.config = &config, .spec = {.iface = iface, .n_ifaces = 2}};

/* No port is open. */
const struct port_caps *__wrap_port_caps(uint16_t port);

const struct port_caps *
__wrap_port_caps(uint16_t port)
{
	static const struct port_caps caps = {.mac = {{2, 0, 0, 0, 0, 7}}};

	return &caps;
}

static uint32_t
nothing_to_poll(void *context)
{
	return 0;
}

static void
uplink_set(uint16_t id, const char *name, const char *address)
{
	struct iface_spec *i = &iface[id];

	if (!able)
		skip();
	memset(i, 0, sizeof(*i));
	i->kind = IFACE_UPLINK;
	i->name = names_id(names, name);
	i->mtu = 1400;
	i->n_prefixes = 1;
	assert_int_equal(address_parse(address, &i->address[0]), 0);
	i->prefix[0] = (struct ip_prefix){.addr = i->address[0], .len = 24};
}

static int
setup(void **state)
{
	const struct loop_hooks hooks = {.poll = nothing_to_poll};

	names = names_create();
	able = geteuid() == 0 && unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0;
	return loop_open(&loop, &hooks);
}

static int
teardown(void **state)
{
	loop_close(&loop);
	names_free(names);
	return 0;
}

static struct local_net *
start(void)
{
	struct local_net *l = local_uplinks_create(&loop, NULL);
	char error[256] = "";
	int r = local_uplinks_apply(l, &world, names, error, sizeof(error));

	if (r != 0)
		fail_msg("%s: %s", error, strerror(-r));
	return l;
}

static bool
exists(void)
{
	return access(PATH, F_OK) == 0;
}

static int
index_inside(void *name)
{
	return (int)if_nametoindex(name);
}

static int
index_of(const char *interface)
{
	struct network_namespace ns;
	char error[256];
	int index;

	assert_int_equal(namespace_open("isthmus-unit", &ns, error, sizeof(error)), 0);
	assert_false(ns.made);
	index = namespace_run(&ns, index_inside, (void *)(uintptr_t)interface);
	namespace_close(&ns, false);
	return index;
}

/* ---- names ------------------------------------------------------------------------------- */

static void
names_fit_the_kernel(void **state)
{
	static const char *const bad[] = {"lo", "all", "default", "a/b", ".hidden", "a b", "%d", "sixteen-letters-",
		"a-very-long-name-for-an-uplink", "-x"};
	char name[LINK_NAME_MAX], other[LINK_NAME_MAX];

	local_tap_name("wan.20_a-b", 0, name);
	assert_string_equal(name, "wan.20_a-b");
	local_tap_name("fifteen-letters", 0, name);
	assert_string_equal(name, "fifteen-letters");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		local_tap_name(bad[i], 0, name);
		assert_string_not_equal(name, bad[i]);
		assert_null(strpbrk(name, "/% :"));
		local_tap_name(bad[i], 1, other);
		assert_string_not_equal(name, other);
	}
	local_tap_name("a-very-long-name-for-an-uplink", 0, name);
	local_tap_name("a-very-long-name-for-another", 0, other);
	assert_int_equal(strlen(name), 15);
	assert_string_not_equal(name, other);
}

static void
wrong_namespaces(void **state)
{
	static const char *const bad[] = {
		"", ".", "..", "a/b", "0123456789012345678901234567890123456789012345678901234567890123"};
	struct network_namespace ns;
	char error[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(namespace_open(bad[i], &ns, error, sizeof(error)), -EINVAL);
	namespace_close(&ns, true); /* never opened */
}

/* ---- life ---------------------------------------------------------------------------------- */

static void
comes_and_goes(void **state)
{
	struct local_net *l;

	uplink_set(1, "uplink wan", "192.0.2.1");
	l = start();
	assert_true(exists());
	assert_string_equal(local_net_name(l), "isthmus-unit");
	assert_true(local_net_fd(l) >= 0);
	assert_true(index_of("wan") > 0);

	connection.uses_ike = false;
	assert_int_equal(local_uplinks_apply(l, &world, names, NULL, 0), 0);
	assert_true(exists()); /* daemons may be inside */
	local_net_tick(l, clock_boot_ns());
	assert_true(index_of("wan") > 0); /* and have peers to tell */
	local_net_tick(l, UINT64_MAX);
	assert_int_equal(index_of("wan"), 0);
	connection.uses_ike = true;
	assert_int_equal(local_uplinks_apply(l, &world, names, NULL, 0), 0);
	assert_true(index_of("wan") > 0);
	local_net_stop(l, false);
	assert_false(exists());
}

static void
a_successor_takes_over(void **state)
{
	struct local_net *l;
	int index;

	uplink_set(1, "uplink wan", "192.0.2.1");
	uplink_set(2, "uplink old", "198.51.100.1");
	world.spec.n_ifaces = 3;
	l = start();
	index = index_of("wan");
	assert_true(index_of("old") > 0);
	local_net_stop(l, true);
	assert_true(exists());
	assert_int_equal(index_of("wan"), index);

	world.spec.n_ifaces = 2;
	l = start();
	assert_int_equal(index_of("wan"), index);
	assert_int_equal(index_of("old"), 0);
	local_net_stop(l, false);
	assert_false(exists());
}

/* Whose links do not stand beside another's. */
static void
not_alone(void)
{
	const struct local_traits traits = {.noun = "gateway", .links_max = 1, .alone = true};
	struct local_net *l = local_net_create(&loop, NULL, &traits);
	struct local_link link = {.name = "gw", .iface = 1, .is = {.mac = {{2}}, .mtu = 1400}};
	char error[256] = "";

	assert_int_equal(local_net_set(l, "isthmus-unit", "unit, gateway gw", &link, 1, error, sizeof(error)), -EBUSY);
	assert_non_null(strstr(error, "another appliance or gateway has made it"));
	assert_int_equal(index_of("gw"), 0);
	local_net_stop(l, false);
	assert_true(exists());
}

/* Another appliance's, or an operator's: used, not removed. What is no namespace is made one. */
static void
others_stay(void **state)
{
	struct local_net *l;

	uplink_set(1, "uplink wan", "192.0.2.1");
	l = start();
	local_net_stop(l, true);
	config.appliance.name = (char *)"other";
	config.appliance.control_namespace = (char *)"isthmus-unit";
	l = start();
	local_net_stop(l, false);
	assert_true(exists());
	assert_int_equal(index_of("wan"), 0);
	config.appliance.name = (char *)"unit";
	config.appliance.control_namespace = NULL;
	l = start();
	local_net_stop(l, false);
	assert_false(exists());

	fclose(fopen(PATH, "w"));
	l = start();
	assert_true(index_of("wan") > 0);
	not_alone();
	local_net_stop(l, false);
	assert_false(exists());
}

/* An interface of another kind has the name: told, and the rest is done. */
static int
other_kind(void *unused)
{
	return system("ip link add wan type bridge");
}

static void
a_name_is_taken(void **state)
{
	struct network_namespace ns;
	struct local_net *l;
	char error[256] = "";

	uplink_set(1, "uplink wan", "192.0.2.1");
	uplink_set(2, "uplink second", "198.51.100.1");
	assert_int_equal(namespace_open("isthmus-unit", &ns, error, sizeof(error)), 0);
	assert_int_equal(namespace_run(&ns, other_kind, NULL), 0);
	world.spec.n_ifaces = 3;
	l = local_uplinks_create(&loop, NULL);
	assert_int_not_equal(local_uplinks_apply(l, &world, names, error, sizeof(error)), 0);
	assert_non_null(strstr(error, "'wan'"));
	assert_true(index_of("second") > 0);
	world.spec.n_ifaces = 2;
	local_net_stop(l, false);
	assert_true(exists());
	namespace_close(&ns, true);
	assert_false(exists());
}

/* ---- packets --------------------------------------------------------------------------------- */

static int
listener_open(void *unused)
{
	const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(500)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	return bind(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 ? fd : -1;
}

static void
packets_go_in_by_class(void **state)
{
	/* UDP without a checksum: 192.0.2.9:500 to 192.0.2.1:500, "hi" */
	uint8_t d[] = {0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0xf6, 0xc4, 192, 0, 2, 9, 192, 0, 2, 1, 1, 0xf4, 1, 0xf4, 0,
		10, 0, 0, 'h', 'i'};
	struct local_net *l;
	uint32_t sum = 0;
	char got[8];
	int fd;

	memset(d + 10, 0, 2);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(d[i] << 8 | d[i + 1]);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	d[10] = (uint8_t)(sum >> 8);
	d[11] = (uint8_t)sum;

	uplink_set(1, "uplink wan", "192.0.2.1");
	l = start();
	fd = namespace_run(&(struct network_namespace){.fd = local_net_fd(l)}, listener_open, NULL);
	assert_true(fd >= 0);
	assert_true(local_net_packet(l, PUNT_IKE, 1, d, sizeof(d)));
	assert_int_equal(recv(fd, got, sizeof(got), 0), 2);
	assert_int_equal(local_net_tap(l, 0)->to_daemons[PUNT_IKE].packets, 1);

	assert_false(local_net_packet(l, PUNT_IKE, 2, d, sizeof(d)));  /* no such uplink */
	assert_false(local_net_packet(l, PUNT_ECHO, 1, d, sizeof(d))); /* no daemon is asked */
	assert_false(local_net_packet(NULL, PUNT_IKE, 1, d, sizeof(d)));
	assert_int_equal(recv(fd, got, sizeof(got), 0), -1);

	local_net_hold_ike(l, true);
	assert_true(local_net_packet(l, PUNT_IKE, 1, d, sizeof(d)));
	assert_int_equal(local_net_tap(l, 0)->to_daemons[PUNT_IKE].dropped, 1);
	assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
	local_net_hold_ike(l, false);
	assert_true(local_net_packet(l, PUNT_IKE, 1, d, sizeof(d)));
	assert_int_equal(recv(fd, got, sizeof(got), 0), 2);
	assert_null(local_net_tap(l, 1));
	close(fd);
	local_net_stop(l, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_fit_the_kernel),
		cmocka_unit_test(wrong_namespaces),
		cmocka_unit_test(comes_and_goes),
		cmocka_unit_test(a_successor_takes_over),
		cmocka_unit_test(others_stay),
		cmocka_unit_test(a_name_is_taken),
		cmocka_unit_test(packets_go_in_by_class),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
