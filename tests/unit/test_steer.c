/* What an af_xdp port takes from the interface it shares with the kernel. */
#include "control/steer.h"
#include "drivers/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct {
	char text[PORTS_MAX][512];
	uint32_t calls;
	bool everything;
} steered;

/* The driver's: here it writes down what it is told. */
int
port_steer(uint16_t port, const struct port_steer *what, char *error, size_t n)
{
	char *text = steered.text[port], address[ADDRESS_TEXT_MAX];
	size_t used = 0, size = sizeof steered.text[port];

	text[0] = '\0';
	steered.calls++;
	steered.everything = what->everything;
	assert_true(what->icmp && what->neighbours);
	assert_false(what->ike || what->all_to_addresses);
	for (uint16_t i = 0; i < what->n_vlans && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "vlan %u;", what->vlans[i]);
	for (uint16_t i = 0; i < what->n_addresses && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s vlan %u;",
			address_text(&what->addresses[i].address, address, sizeof address), what->addresses[i].vlan);
	return 0;
}

static struct config *
loaded(const char *appliance)
{
	static struct config_errors errors;
	struct config *c;
	char text[4096];
	int n = snprintf(text, sizeof text,
		"virtualNetworks:\n"
		"  - name: v\n"
		"    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
		"    subnets: [{name: a, addressPrefix: 10.0.1.0/24}, {name: b, addressPrefix: 10.0.2.0/24}]\n"
		"appliance:\n  name: box\n"
		"  ports:\n"
		"    - {name: x0, driver: af_xdp, interface: eth0}\n"
		"    - {name: x1, driver: af_xdp, interface: eth1}\n"
		"    - {name: p0, driver: af_packet, interface: eth2}\n%s",
		appliance);

	memset(&errors, 0, sizeof errors);
	memset(&steered, 0, sizeof steered);
	if (config_parse("test.yaml", text, (size_t)n, &c, &errors) != 0)
		fail_msg("%u: %s", errors.e[0].mark.line, errors.e[0].text);
	return c;
}

static void
by_the_configuration(void **state)
{
	struct config *c = loaded("  attachments:\n"
				  "    - {subnet: v/a, port: x0}\n"
				  "    - {subnet: v/b, port: x0, vlan: 7}\n"
				  "  uplinks:\n"
				  "    - {name: up, port: x1, vlan: 9, addresses: [192.0.2.1/24, 'fd00::1/64']}\n"
				  "    - {name: more, port: x0, vlan: 8, addresses: [198.51.100.1/24]}\n");

	steer_ports(c);
	assert_int_equal(steered.calls, 2); /* not the af_packet port */
	assert_string_equal(steered.text[0], "vlan 0;vlan 7;198.51.100.1 vlan 8;");
	assert_string_equal(steered.text[1], "192.0.2.1 vlan 9;fd00::1 vlan 9;");
	assert_false(steered.everything);
	config_free(c);
}

static void
clear_traffic_takes_the_whole(void **state)
{
	struct config *c = loaded("  uplinks:\n"
				  "    - {name: up, port: x0, vlan: 3, addresses: [192.0.2.1/24], internet: true}\n");

	steer_ports(c);
	assert_string_equal(steered.text[0], "vlan 3;");
	assert_string_equal(steered.text[1], ""); /* nothing is attached: nothing is taken */
	config_free(c);
}

/* More addresses than the driver's table holds: all of the interface rather than half of the tunnels. */
static void
too_many_take_everything(void **state)
{
	struct cfg_port port = {.name = "x0", .driver = DRIVER_AF_XDP};
	struct ip_addr *address = calloc(PORT_STEER_ADDRESSES + 1, sizeof *address);
	struct cfg_uplink uplink = {.addresses = {.n = PORT_STEER_ADDRESSES + 1}, .address = address};
	struct config c = {.appliance = {.ports = &port, .n_ports = 1, .uplinks = &uplink, .n_uplinks = 1}};

	for (int i = 0; i <= PORT_STEER_ADDRESSES; i++)
		address[i] = address_from_v4(0x0a000000u + (uint32_t)i);
	memset(&steered, 0, sizeof steered);
	steer_ports(&c);
	assert_true(steered.everything);
	uplink.addresses.n = PORT_STEER_ADDRESSES;
	steer_ports(&c);
	assert_false(steered.everything);
	free(address);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_configuration),
		cmocka_unit_test(clear_traffic_takes_the_whole),
		cmocka_unit_test(too_many_take_everything),
	};

	return cmocka_run_group_tests_name("steer", tests, NULL, NULL);
}
