/* Two virtual networks beside `hub`, in YAML: `near` (10.2.0.0/16) uses the hub's gateway, `far` (10.3.0.0/16) does
 * not. */
#pragma once

#define WORLD_SPOKES                                                                                                   \
	"  - name: near\n"                                                                                             \
	"    addressSpace: {addressPrefixes: [10.2.0.0/16]}\n"                                                         \
	"    subnets: [{name: s, addressPrefix: 10.2.1.0/24}]\n"                                                       \
	"    virtualNetworkPeerings: [{name: to-hub, remoteVirtualNetwork: {id: hub}, useRemoteGateways: true}]\n"     \
	"  - name: far\n"                                                                                              \
	"    addressSpace: {addressPrefixes: [10.3.0.0/16]}\n"                                                         \
	"    subnets: [{name: s, addressPrefix: 10.3.1.0/24}]\n"                                                       \
	"    virtualNetworkPeerings: [{name: to-hub, remoteVirtualNetwork: {id: hub}}]\n"
