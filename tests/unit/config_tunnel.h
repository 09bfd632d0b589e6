/* Two networks with gateways, for tests of what connects them. */
#pragma once

/* Lines 1-9: networks v and w with their gateways' subnets; gateways follow in line 10. */
#define BASE                                                                                                           \
	"virtualNetworks:\n"                                                                                           \
	"- {name: v, addressSpace: {addressPrefixes: [10.0.0.0/16]}, subnets: [{name: a, addressPrefix: "              \
	"10.0.1.0/24},\n"                                                                                              \
	"   {name: GatewaySubnet, addressPrefix: 10.0.0.0/27}]}\n"                                                     \
	"- {name: w, addressSpace: {addressPrefixes: [10.1.0.0/16]}, subnets: [\n"                                     \
	"   {name: GatewaySubnet, addressPrefix: 10.1.0.0/27}]}\n"                                                     \
	"publicIPAddresses: [{name: i, ipAddress: 192.0.2.1}, {name: j, ipAddress: 192.0.2.2},\n"                      \
	"   {name: k, ipAddress: '2001:db8::1'}]\n"                                                                    \
	"localNetworkGateways: [{name: l, gatewayIpAddress: 192.0.2.9, localNetworkAddressSpace: {addressPrefixes: "   \
	"[192.168.0.0/16]}}]\n"                                                                                        \
	"virtualNetworkGateways:\n"
#define GATEWAY(name, net, ip, more)                                                                                   \
	"- {name: " name ", ipConfigurations: [{subnet: " net "/GatewaySubnet, publicIPAddress: " ip "}]" more "}\n"
#define TWO BASE GATEWAY("g", "v", "i", "") GATEWAY("h", "w", "j", "")
#define CONNECTION(more) TWO "connections:\n- {name: c, virtualNetworkGateway1: g, " more "}\n"
