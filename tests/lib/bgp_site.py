"""Sites whose gateways speak BGP: what their configurations have more, and the namespaces of their routing daemons.

A gateway's own BGP address is 10.N.255.30, its number of an autonomous system 65000 + N.
"""

import os

from lib import net
from lib.ike_pair import SECRET, Pair
from lib.ike_site import outer


def bgp_address(number):
    return f"10.{number}.255.30"


def asn(number):
    return 65000 + number


def bgp_gateway(number, **settings):
    """More of a virtual network gateway."""
    return {"sku": {"name": "VpnGw1"}, "enableBgp": True, "bgpSettings": {"asn": asn(number), **settings}}


def bgp_connection(end, name, peer, to, prefixes=(), session=None, **appliance):
    """A connection to a peer (number of a site, or its address) with a session; prefixes: static ones besides."""
    connection, local = end.connection(name, to, prefixes, key=SECRET, enableBgp=True,
                                       appliance={**appliance, **({"bgp": session} if session else {})})
    local["bgpSettings"] = {"asn": asn(peer), "bgpPeeringAddress": bgp_address(peer)}
    if not prefixes:
        del local["localNetworkAddressSpace"]
    return connection, local


def space_of(end, gateway="gw"):
    """The namespace of a gateway's routing daemon, as the appliance's folders have it."""
    return f"isthmus-{end.box.name}-{gateway}"


def inside(end, command, gateway="gw", **more):
    """A command in that namespace."""
    return end.box.namespace.sh(f"ip netns exec {space_of(end, gateway)} {command}", **more)


SESSION = {"keepaliveSeconds": 1, "holdSeconds": 3}


def peers(end):
    """{connection: row} of its sessions."""
    return {row["connection"]: row for row in end.box.ask("bgp peers")["value"]}


def await_session(end, name="s2s", state="Connected", timeout=20):
    return net.eventually(lambda: peers(end)[name]["state"] == state and peers(end)[name], timeout,
                          what=f"session {name} of {end.name} is {state}")


def gateway_routes(end, subnet="net/hosts"):
    """{prefix: state} of what the gateway tells a subnet, the winners."""
    rows = end.box.ask("effective-routes", subnet=subnet)["value"]
    return {row["addressPrefix"][0]: row["state"] for row in reversed(rows) if row["source"] == "VirtualNetworkGateway"}


def await_routes(end, condition, timeout=10, what="routes"):
    return net.eventually(lambda: condition(gateway_routes(end)), timeout, what=f"{what} at {end.name}")


class BgpPair(Pair):
    """Two sites that tell each other their networks by BGP through the tunnel, or an operator's daemon does."""

    daemon = {1: "managed", 2: "managed"}

    def session(self, _number):
        return SESSION

    def connections(self, end, **appliance):
        peer = 3 - end.number
        return [bgp_connection(end, "s2s", peer, outer(peer), session=self.session(end.number), **appliance)]

    def config(self, end, **appliance):
        return {"connections": self.connections(end, **appliance), "gateway": bgp_gateway(end.number),
                "appliance": {"bgp": {"daemon": self.daemon[end.number]}}}

    def start(self, daemon=None, **appliance):
        self.record()
        for end in self.end:
            end.start(**self.config(end, **appliance), wait=False)
        for end in self.end:
            end.box.wait()
        return self


class OperatorsBird:
    """A bird of the operator's in the namespace of a gateway whose daemon is external: it tells what a test wants."""

    def __init__(self, end, peer, password=None):
        self.end, self.peer, self.password = end, peer, password
        self.file, self.socket = (os.path.join(end.box.folder, "bird" + kind) for kind in (".conf", ".ctl"))
        self.process = None

    def write(self, prefixes):
        routes = "".join(f"\troute {p} unreachable;\n" for p in prefixes)
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(f"""log stderr all;
router id {bgp_address(self.end.number)};
protocol device {{ }}
protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol static told {{ ipv4;\n{routes}}}
protocol static {{ ipv4; route {bgp_address(self.peer)}/32 via "gw"; }}
protocol bgp peer {{
	local {bgp_address(self.end.number)} as {asn(self.end.number)};
	neighbor {bgp_address(self.peer)} as {asn(self.peer)};
	multihop; hold time 3; keepalive time 1; connect retry time 1; connect delay time 1; error wait time 1, 2;
	{f'password "{self.password}";' if self.password else ""}
	ipv4 {{ import all; export where proto = "told"; next hop self; }};
}}
""")

    def tell(self, prefixes):
        self.write(prefixes)
        if self.process and self.process.alive():
            inside(self.end, f"birdc -s {self.socket} configure")
        else:
            self.process = self.end.box.namespace.start(
                "ip", "netns", "exec", space_of(self.end), "bird", "-f", "-c", self.file, "-s", self.socket,
                log=os.path.join(self.end.box.folder, "bird.log"))
        return self

    def stop(self):
        self.process.stop()
