/* A world whose worker turns on an lcore of its own, as the daemon's does. The caller's thread is control. */
#pragma once

#include "tests/whole/whole.h"

/* A subnet, a gateway and a connection to another; the connection's `appliance` may follow, and the appliance's ports
 * must. */
#define TURNING_SITE                                                                                                   \
	"virtualNetworks:\n"                                                                                           \
	"  - name: v\n"                                                                                                \
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"                                                         \
	"    subnets:\n"                                                                                               \
	"      - {name: s, addressPrefix: 10.1.1.0/24}\n"                                                              \
	"      - {name: GatewaySubnet, addressPrefix: 10.1.255.0/27}\n"                                                \
	"publicIPAddresses: [{name: ip, ipAddress: 203.0.113.1}]\n"                                                    \
	"virtualNetworkGateways:\n"                                                                                    \
	"  - {name: gw, ipConfigurations: [{subnet: {id: v/GatewaySubnet}, publicIPAddress: {id: ip}}]}\n"             \
	"localNetworkGateways:\n"                                                                                      \
	"  - {name: far, gatewayIpAddress: 203.0.113.9, localNetworkAddressSpace: {addressPrefixes: [20.0.0.0/8]}}\n"  \
	"connections:\n"                                                                                               \
	"  - name: c\n"                                                                                                \
	"    connectionType: IPsec\n"                                                                                  \
	"    virtualNetworkGateway1: {id: gw}\n"                                                                       \
	"    localNetworkGateway2: {id: far}\n"

/* Are there enough free huge pages? Says so when not. */
bool turning_huge_pages(uint32_t memory_mb);
/* EAL with two lcores. 0, or -1 and a text. */
int turning_begin(const char *name, uint32_t memory_mb, bool huge);
/* Before turning_start: how long the worker's core is away at worst while it does nothing but read the clock for so
 * many seconds. What the machine takes, no worker can give back. */
double turning_bare_pause_us(uint32_t seconds);
/* After whole_start: from here on the worker turns by itself, until turning_stop, which ends the world too. */
void turning_start(void);
void turning_stop(void);

struct published {
	double seen_ms, freed_ms; /* from the call until the worker has drained it; until the old view is freed */
};

/* Build from spec beside the present view and publish; exits with a text when that fails. */
struct view *turning_build(const struct view_spec *spec);
struct published turning_publish(struct view *v);

double turning_ms(void); /* a clock */
