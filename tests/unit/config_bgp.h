/* A site with BGP, for tests. */
#pragma once

#include "config_case.h"
#include "config_tunnel.h"

/* Line 8 is the local network gateway, 10 gateway g, 12 the connection; what follows starts in line 13. */
#define BGP_SITE(own, peer, session)                                                                                   \
	"virtualNetworks:\n"                                                                                           \
	"- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/16, 'fd00::/48']}, subnets: [\n"                        \
	"   {name: a, addressPrefix: 10.0.1.0/24},\n"                                                                  \
	"   {name: GatewaySubnet, addressPrefixes: ['fd00::/64', 10.0.0.0/27]}]}\n"                                    \
	"publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}]\n"                                                       \
	"\n"                                                                                                           \
	"localNetworkGateways:\n"                                                                                      \
	"- {name: l, gatewayIpAddress: 192.0.2.9, bgpSettings: {" peer "}}\n"                                          \
	"virtualNetworkGateways:\n" GATEWAY(                                                                           \
		"g", "v", "i", ", enableBgp: true" own) "connections:\n"                                               \
							"- {name: c, connectionType: IPsec, virtualNetworkGateway1: "  \
							"g, localNetworkGateway2: l, enableBgp: true" session "}\n"
#define BGP_PEER "asn: 65001, bgpPeeringAddress: 172.16.0.1"

static inline void
address_is(const struct ip_addr *a, const char *text)
{
	struct ip_addr wanted;

	assert_int_equal(address_parse(text, &wanted), 0);
	assert_memory_equal(a, &wanted, sizeof(wanted));
}
