#!/usr/bin/python3
"""ExpressRoute: a gateway with a circuit of two clear links to a provider's edge (bird), beside a VPN gateway with a
tunnel to a site. Routes by BGP, packets by the kernel's stack, and what the wires carried."""

import os
import socket
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib import resources as az
from lib.bgp_site import await_routes, gateway_routes, inside
from lib.capture import Capture
from lib.edge import ASN, BEHIND, HOST, SESSION, Edge, link_peer, link_prefix
from lib.ike_pair import Pair
from lib.ike_site import inner, space

PORTS = ("er1", "er2")
NAMES = ("primary", "secondary")


class Site(Pair):
    def __init__(self):
        super().__init__()
        self.edge = self.clear_wire = None
        try:
            self.edge = Edge(self.left.box, *PORTS)
        except BaseException:
            self.close()
            raise

    def config(self):
        """Of the left end: both types of gateway."""
        config = self.left.config(self.connections(self.left))
        config["virtualNetworkGateways"].append({**az.gateway("er", "net"), "gatewayType": "ExpressRoute",
                                                 "ipConfigurations": [{"subnet": az.ref("net/GatewaySubnet")}]})
        config["expressRouteCircuits"] = [{
            "name": "line", "peerings": [{
                "name": "AzurePrivatePeering", "peerASN": ASN, "vlanId": 0,
                **{f"{name}PeerAddressPrefix": link_prefix(n) for n, name in enumerate(NAMES)}}],
            "appliance": {**{f"{name}Port": port for name, port in zip(NAMES, PORTS)}, "bgp": SESSION}}]
        config["connections"].append({"name": "line", "connectionType": "ExpressRoute",
                                      "virtualNetworkGateway1": az.ref("er"), "peer": az.ref("line")})
        config["appliance"]["ports"] += [az.port(port, port) for port in PORTS]
        return config

    def start(self, daemon=None, **appliance):
        self.record()
        folder = os.path.join(self.folder, "clear")
        os.mkdir(folder)
        self.clear_wire = Capture(folder, *((self.left.box.namespace, port) for port in PORTS),
                                  *((self.edge.space, link) for link in self.edge.links))
        self.left.box.start(self.config(), wait=False)
        self.right.start(self.connections(self.right), wait=False)
        for end in self.end:
            end.box.wait()
        return self

    def sessions(self):
        """{(gateway, its peer): state}"""
        return {(row["virtualNetworkGateway"], row["neighbor"]): row["state"]
                for row in self.left.box.ask("bgp peers")["value"]}

    def faults(self):
        """{gateway: [fault]}"""
        return {row["virtualNetworkGateway"]: sorted(fault["id"] for fault in row["faults"])
                for row in self.left.box.ask("gateway health")["value"]}

    def links(self, gateway):
        """{link: its counters} of a gateway's namespace."""
        return next(row["links"] for row in self.left.box.ask("status")["gatewayNamespaces"]
                    if row["virtualNetworkGateway"] == gateway)

    def carried(self):
        """Packets that each link of the circuit has carried to the edge."""
        return [int(self.edge.space.sh(f"cat /sys/class/net/{link}/statistics/rx_packets").stdout)
                for link in self.edge.links]

    def close(self):
        if self.clear_wire:
            for dump in self.clear_wire.dumps:
                dump.stop()
        if self.edge:
            self.edge.close()
        super().close()


def routes_of_both_gateways(site):
    site.start()
    site.edge.tell([BEHIND])
    await_routes(site.left, lambda routes: routes.get(BEHIND) == routes.get(space(2)) == "Active", 40)
    net.eventually(lambda: set(site.sessions().values()) == {"Connected"}, 20, what="all sessions")
    assert set(site.sessions()) == {("er", link_peer(0)), ("er", link_peer(1)), ("er", "10.1.255.30"),
                                    ("gw", "10.1.255.29")}, site.sessions()
    net.eventually(lambda: site.edge.heard() == {space(1): "12076"}, 10, what="the network alone, at the edge")
    net.eventually(lambda: site.faults() == {"er": [], "gw": []}, 10, what="both gateways healthy")
    statuses = {row["name"]: row["connectionStatus"] for row in site.left.box.ask("connection list")}
    assert statuses["line"] == "Connected", statuses
    judged = [row["resource"] for row in site.left.box.ask("vpn troubleshoot")["results"]]
    assert "gw" in judged and "er" not in judged and "line" not in judged, judged


def packets_by_both(site):
    site.await_pings()
    net.eventually(lambda: site.left.ping(HOST, 1, wait=1), 20, what="an answer from behind the edge")
    assert site.left.ping(HOST, 5) == 5
    before = site.carried()
    with site.left.host.entered():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        for port in range(64):
            s.sendto(b"flow", (HOST, 20000 + port))
    net.eventually(lambda: sum(site.carried()) - sum(before) >= 64, what="the flows")
    assert min(now - was for now, was in zip(site.carried(), before)) >= 15, (before, site.carried())


def no_transit(site):
    """From the circuit the site is not reached, and nobody says that it was."""
    ping = "ping -c 2 -i 0.2 -W 1 -I"
    site.edge.space.ip(f"route add {space(2)} via 172.16.0.2")
    for source, destination, answered in ((HOST, inner(2), False), (HOST, inner(1), True)):
        got = site.edge.space.sh(f"{ping} {source} {destination}", check=False)
        assert (got.returncode == 0) == answered, (source, destination, got.stdout)
    site.edge.space.ip(f"route del {space(2)}")
    # an address of the virtual network's own comes from no circuit
    before = site.left.drops().get("source-check", 0)
    site.edge.space.ip("address add 10.1.1.77/32 dev lo")
    site.edge.space.sh(f"{ping} 10.1.1.77 {inner(1)}", check=False)
    site.edge.space.ip("address del 10.1.1.77/32 dev lo")
    assert site.left.drops().get("source-check", 0) >= before + 2, site.left.drops()


def the_circuit_goes_first(site):
    """Both lead to one prefix: the circuit has it, and while it is down, the tunnel."""
    site.edge.tell([BEHIND, space(2)])
    net.eventually(lambda: site.left.box.ask("next-hop", subnet="net/hosts", source=inner(1), destination=inner(2))
                   ["hop"] == "circuit", 10, what="the circuit")
    site.edge.tell([BEHIND])
    net.eventually(lambda: site.left.box.ask("next-hop", subnet="net/hosts", source=inner(1), destination=inner(2))
                   ["hop"] == "tunnel", 10, what="the tunnel")
    site.await_pings()


def a_cut_link_is_left(site):
    """BFD sees it; the other link has all flows."""
    site.edge.space.ip(f"link set {site.edge.links[0]} down")
    net.eventually(lambda: site.faults()["er"] == ["CIRCUIT_BGP_DOWN"], 10, what="a fault of the primary link")
    net.eventually(lambda: site.left.ping(HOST, 5) == 5, 10, what="the other link")
    site.edge.space.ip(f"link set {site.edge.links[0]} up")
    net.eventually(lambda: site.faults()["er"] == [], 20, what="the link again")


def a_link_is_taken_away_and_given_back(site):
    """By the configuration: the other one carries on."""
    config = site.config()
    circuit = config["expressRouteCircuits"][0]
    del circuit["appliance"]["secondaryPort"], circuit["peerings"][0]["secondaryPeerAddressPrefix"]
    site.left.box.apply(config)
    net.eventually(lambda: ("er", link_peer(1)) not in site.sessions(), 10, what="the session is forgotten")
    net.eventually(lambda: site.left.ping(HOST, 5) == 5, 10, what="the other link, once the edge knows")
    assert list(site.links("er")) == ["er", "circuit line primary"], site.links("er")
    site.left.box.apply(site.config())
    net.eventually(lambda: site.sessions().get(("er", link_peer(1))) == "Connected", 20, what="the session again")
    net.eventually(lambda: site.faults()["er"] == [], 20, what="nothing is wrong")
    assert site.links("er")["circuit line secondary"]["bgpToDaemon"]["packets"] > 0, site.links("er")


def the_costly_failure_has_a_name(site):
    """The session between the gateways is down: the tunnel is up and carries nothing, and one command says why."""
    control = f"birdc -s /run/isthmus/{site.left.box.name}-er.b"
    shown = inside(site.left, f"{control} show protocols all", "er").stdout
    name, = [block.split()[0] for block in shown.split("\n\n") if "10.1.255.30" in block and "BGP" in block]
    inside(site.left, f"{control} disable {name}", "er")
    await_routes(site.left, lambda routes: space(2) not in routes and routes.get(BEHIND) == "Active")
    assert len(site.left.sas()) == 1, "the tunnel is up"
    assert site.left.ping(inner(2), 1, wait=1) == 0
    assert site.faults() == {"er": ["COEX_BGP_DOWN"], "gw": ["COEX_BGP_DOWN"]}, site.faults()
    assert "COEX_BGP_DOWN" in site.left.box.command("gateway", "health").stdout
    inside(site.left, f"{control} enable {name}", "er")
    await_routes(site.left, lambda routes: routes.get(space(2)) == "Active", 20)
    site.await_pings()


def what_the_wires_carried(site):
    """No ESP and no IKE in the clear wire, nothing clear on the other one."""
    site.clear_wire.stop()
    secret = site.clear_wire.lines("ip proto 50 or udp port 500 or udp port 4500")
    assert not secret, secret[:5]
    assert site.clear_wire.count(f"src host {inner(1)} and dst host {HOST}") >= 10
    assert not site.clear_wire.lines(f"dst net {space(2)} and src net {space(1)}")
    site.check_clear()


def main():
    net.signals_raise()
    with Site() as site:
        for story in (routes_of_both_gateways, packets_by_both, no_transit, the_circuit_goes_first, a_cut_link_is_left,
                      a_link_is_taken_away_and_given_back, the_costly_failure_has_a_name, what_the_wires_carried):
            tap.add(story.__name__, story, site)
        tap.main()


main()
