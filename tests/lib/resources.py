"""Configurations as Python: short constructors of the resources, in the cloud's property names.

A configuration is a dict; JSON is what the appliance loads.
"""


def ref(name):
    return {"id": name} if name else None


def absent(**keys):
    """The keys that were given."""
    return {k: v for k, v in keys.items() if v is not None}


def subnet(name, *prefixes, nsg=None, route_table=None):
    return absent(name=name, addressPrefixes=list(prefixes), networkSecurityGroup=ref(nsg),
                  routeTable=ref(route_table))


def vnet(name, space, subnets, peerings=(), **more):
    return {"name": name, "addressSpace": {"addressPrefixes": list(space)}, "subnets": list(subnets),
            "virtualNetworkPeerings": list(peerings), **more}


def peering(name, remote, access=True, forwarded=False, transit=False, remote_gateways=False, strict=None):
    return absent(name=name, remoteVirtualNetwork=ref(remote), allowVirtualNetworkAccess=access,
                  allowForwardedTraffic=forwarded, allowGatewayTransit=transit, useRemoteGateways=remote_gateways,
                  appliance={"strictAccess": strict} if strict is not None else None)


def rule(name, priority, direction, access, protocol="*", source="*", destination="*", port="*"):
    return {"name": name, "priority": priority, "direction": direction, "access": access, "protocol": protocol,
            "sourceAddressPrefix": source, "sourcePortRange": "*", "destinationAddressPrefix": destination,
            "destinationPortRange": port}


def nsg(name, *rules):
    return {"name": name, "securityRules": list(rules)}


def route(name, prefix, kind, address=None):
    return absent(name=name, addressPrefix=prefix, nextHopType=kind, nextHopIpAddress=address)


def route_table(name, *routes, **more):
    return {"name": name, "routes": list(routes), **more}


def nic(name, where, *addresses, forwarding=False, nsg_name=None, mac=None):
    return absent(name=name, enableIPForwarding=forwarding, networkSecurityGroup=ref(nsg_name), macAddress=mac,
                  ipConfigurations=[{"name": f"ip{i}", "subnet": ref(where), "privateIPAddress": address}
                                    for i, address in enumerate(addresses)])


def public_ip(name, address):
    return {"name": name, "ipAddress": address}


def gateway(name, network, *public_ips):
    return {"name": name, "ipConfigurations": [{"name": f"ip{i}", "subnet": ref(f"{network}/GatewaySubnet"),
                                                "publicIPAddress": ref(p)} for i, p in enumerate(public_ips)]}


def local_gateway(name, address, *prefixes):
    return {"name": name, "gatewayIpAddress": address, "localNetworkAddressSpace": {"addressPrefixes": list(prefixes)}}


def sa(direction, spi, encryption, key=b"", integrity="none", auth_key=b"", esn=False, window=None, nat_t=None,
       lifetime=None):
    return absent(direction=direction, spi=spi, encryption=encryption, key=key.hex() or None,
                  integrity=integrity if integrity != "none" else None, authKey=auth_key.hex() or None, esn=esn,
                  replayWindow=window, encapsulation=nat_t, lifetime=lifetime)


def connection(name, local, remote, sas, selectors=(), **appliance):
    return {"name": name, "connectionType": "IPsec", "virtualNetworkGateway1": ref(local),
            "localNetworkGateway2": ref(remote),
            "trafficSelectorPolicies": [{"localAddressRanges": a, "remoteAddressRanges": b} for a, b in selectors],
            "appliance": {"securityAssociations": list(sas), **appliance}}


def port(name, interface, **more):
    return {"name": name, "driver": "af_packet", "interface": interface, **more}


def attach(where, port_name, vlan=0):
    return {"subnet": ref(where), "port": port_name, "vlan": vlan}


def uplink(name, port_name, *addresses, gateway4=None, gateway6=None, **more):
    return {**absent(name=name, port=port_name, addresses=list(addresses), gateway=gateway4, gateway6=gateway6),
            **more}
