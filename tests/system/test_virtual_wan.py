#!/usr/bin/python3
"""A virtual WAN of two hubs: networks, branches with strongSwan (one with BGP inside its tunnel), a circuit; who reaches
whom across hubs, by which table, by whose preference, and what a Basic one lacks."""

import copy
import os
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, pki, tap
from lib import resources as az
from lib.branch import Branch, Client, host, network, public, speaker
from lib.edge import ASN, BEHIND, HOST, Edge, link_prefix
from lib.edge import SESSION as LINE_SESSION
from lib.pki import write
from lib.scene import Scene
from lib.switch import Switch

SECRET = "a key for tests, and a long one"
SESSION = {"keepaliveSeconds": 1, "holdSeconds": 3}
BRANCH_ASN = 65010
EAST, WEST = "203.0.113.1", "203.0.113.2"
HOSTS = {"a": "a/s", "b": "b/s", "c": "c/s", "lab": "lab/s", "nva": ("c/s", 10)}
OLD, OLDER = "172.30.0.0/16", "172.30.0.4"  # behind the appliance in network c, and a host there
NO_TRANSIT = "hub-no-transit"
NAME = "vpn.example.com"  # of the gateway that clients come to


def vnet(number, name):
    return az.vnet(name, [f"10.{number}.0.0/16"], [az.subnet("s", f"10.{number}.1.0/24")])


def hub(name, number, *networks, **more):
    return {"name": name, "virtualWan": az.ref("wan"), "addressPrefix": f"10.{number}.0.0/24",
            "hubVirtualNetworkConnections": [
                {"name": f"to-{n}", "remoteVirtualNetwork": az.ref(n), **routing} for n, routing in networks], **more}


def site(number, *prefixes, **more):
    return {"name": f"site{number}", "virtualWan": az.ref("wan"), "addressSpace": {"addressPrefixes": list(prefixes)},
            "vpnSiteLinks": [{"name": "fibre", "ipAddress": public(number), **more}]}


def vpn_gateway(of, number, labels=("default",), **more):
    return {"name": f"{of}-vpn", "virtualHub": az.ref(of), "appliance": {"publicIPAddresses": [az.ref(f"ip-{of}")]},
            "connections": [{
                "name": f"branch{number}", "remoteVpnSite": az.ref(f"site{number}"),
                "routingConfiguration": {"propagatedRouteTables": {"labels": list(labels)}},
                "vpnLinkConnections": [{
                    "name": "fibre", "vpnSiteLink": az.ref(f"site{number}/fibre"),
                    "vpnLinkConnectionMode": "ResponderOnly",
                    **more, "appliance": {"sharedKeyFile": "key", "forceEncapsulation": True, "bgp": SESSION}}]}]}


def clients(authority):
    """Clients come to hub west."""
    return {"vpnServerConfigurations": [{"name": "people", "vpnClientRootCertificates": [
                {"name": "clients", "publicCertData": authority.base64}]}],
            "p2sVpnGateways": [{
                "name": "west-p2s", "virtualHub": az.ref("west"), "vpnServerConfiguration": az.ref("people"),
                "p2SConnectionConfigurations": [
                    {"name": "pool", "vpnClientAddressPool": {"addressPrefixes": ["172.20.0.0/24"]}}],
                "appliance": {"certificate": "gateway.pem", "privateKeyFile": "gateway.key", "localId": NAME}}]}


def configuration():
    """Networks a, b and lab at hub east with branch 1 and the circuit, c at hub west with branch 2, which has BGP."""
    lab = {"routingConfiguration": {"associatedRouteTable": az.ref("lab"),
                                    "propagatedRouteTables": {"labels": ["default", "lab"]}}}
    old = {"routingConfiguration": {"vnetRoutes": {"staticRoutes": [
        {"name": "old", "addressPrefixes": [OLD], "nextHopIpAddress": "10.3.1.10"}]}}}
    return {
        "virtualWans": [{"name": "wan", "type": "Standard"}],
        "virtualHubs": [hub("east", 100, ("a", {}), ("b", {}), ("lab", lab),
                            hubRouteTables=[{"name": "lab", "labels": ["lab"]}]),
                        hub("west", 101, ("c", old))],
        "vpnSites": [site(1, network(1)),
                     site(2, bgpProperties={"asn": BRANCH_ASN, "bgpPeeringAddress": speaker(2)})],
        "vpnGateways": [vpn_gateway("east", 1, ("default", "lab")), vpn_gateway("west", 2, enableBgp=True)],
        "expressRouteCircuits": [{
            "name": "line", "peerings": [{"name": "AzurePrivatePeering", "peerASN": ASN,
                                          "primaryPeerAddressPrefix": link_prefix(0)}],
            "appliance": {"primaryPort": "line", "bgp": LINE_SESSION}}],
        "expressRouteGateways": [{
            "name": "east-er", "virtualHub": az.ref("east"), "expressRouteConnections": [
                {"name": "line", "expressRouteCircuitPeering": az.ref("line")}]}],
        "virtualNetworks": [vnet(1, "a"), vnet(2, "b"), vnet(3, "c"), vnet(4, "lab")],
        "networkInterfaces": [az.nic("nva", "c/s", "10.3.1.10", forwarding=True)],
        "publicIPAddresses": [az.public_ip("ip-east", EAST), az.public_ip("ip-west", WEST)],
        "appliance": {"ports": [az.port("wan", "wan"), az.port("line", "line")],
                      "uplinks": [az.uplink("wan", "wan", f"{EAST}/24", f"{WEST}/24")]}}


class Wan(Scene):
    def __init__(self):
        self.switch, self.branch, self.edge, self.client = Switch(), {}, None, None
        self.gateways, people = pki.Authority("gateways"), pki.Authority("clients")
        self.laptop = people.issue("laptop")
        super().__init__({**configuration(), **clients(people)}, HOSTS, "wan", start=False)
        try:
            self.switch.plug(self.box.namespace, "wan")
            net.quiet(self.box.namespace, "wan")
            self.edge = Edge(self.box, "line")
            own = self.gateways.issue("gateway", names=[NAME], server=True)
            for file, data in (("key", SECRET.encode() + b"\n"), ("gateway.pem", own.pem), ("gateway.key", own.key)):
                write(self.box.folder, file, data)
            self.config["appliance"]["ike"] = {"viciSocket": os.path.join(self.box.folder, "vici"),
                                               "pluginSocket": os.path.join(self.box.folder, "plugin")}
            self.box.start(self.config, wait=False)
            self.branch = {n: Branch(self.switch, n) for n in (1, 2)}
            self.client = Client(self.switch, 3)
            self.host["nva"].sh(f"sysctl -qw net.ipv4.ip_forward=1; ip address add {OLDER}/32 dev lo")
            self.box.wait()
        except BaseException:
            self.close()
            raise

    def hop(self, subnet, destination):
        answer = self.box.ask("next-hop", subnet=subnet, source=self.ip(subnet.split("/")[0]), destination=destination)
        return answer["hop"], answer.get("tunnel") or answer.get("dropReason") or answer["interface"]

    def routes(self, of, table="defaultRouteTable"):
        """{prefix: next hop type} of a hub's table."""
        return {row["addressPrefixes"][0]: row["nextHopType"]
                for row in self.box.ask("hub routes", hub=of, table=table)["value"]}

    def tunnels(self):
        """Both branches set up theirs; an appliance that has just started may not know them yet."""
        for number, gateway in ((1, EAST), (2, WEST)):
            net.eventually(lambda n=number: f"vici connection: branch{n}.fibre\n" in self.box.log(), 20,
                           what=f"charon to know branch {number}")
            self.branch[number].connect(gateway, SECRET)

    def close(self):
        for part in (*self.branch.values(), self.client, self.edge):
            if part:
                part.close()
        if hasattr(self, "box"):
            super().close()
        self.switch.close()


def networks_reach_each_other(wan):
    """In one hub and across, before any branch is there."""
    for source, target in (("a", "b"), ("b", "a"), ("a", "c"), ("c", "b")):
        assert wan.reaches(source, target), (source, target, wan.drops())
    assert wan.routes("east")["10.3.0.0/16"] == "Remote Hub", wan.routes("east")


def an_appliance_leads_on(wan):
    """Static routes of a network's connection; the network itself has none of them."""
    net.eventually(lambda: wan.pings("a", OLDER, count=1, wait=1), 10, what="an answer from behind the appliance")
    assert wan.pings("a", OLDER) == 3, wan.drops()
    assert wan.hop("c/s", OLDER)[0] == "drop", wan.hop("c/s", OLDER)


def branches_reach_networks_of_all_hubs(wan):
    wan.tunnels()
    net.eventually(lambda: wan.pings("a", host(1), count=1, wait=1), 10, what="branch 1 from its hub")
    assert wan.pings("c", host(1)) == 3, "branch 1 from the other hub"
    assert wan.branch[1].ping(wan.ip("c")) == 3 and wan.branch[1].ping(OLDER) == 3
    statuses = {row["name"]: row["connectionStatus"] for row in wan.box.ask("connection list")}
    assert statuses["branch1.fibre"] == statuses["branch2.fibre"] == "Connected", statuses


def what_one_hub_learns_all_know(wan):
    wan.branch[2].tell("10.101.0.254", BRANCH_ASN)
    wan.edge.tell([BEHIND])
    net.eventually(lambda: wan.routes("east").get(network(2)) == "Remote Hub", 20, what="branch 2 at hub east")
    net.eventually(lambda: wan.routes("west").get(BEHIND) == "Remote Hub", 20, what="the circuit at hub west")
    assert wan.routes("west")[network(2)] == "VPN_S2S_Gateway" and wan.routes("east")[BEHIND] == "ExpressRouteGateway"
    assert wan.pings("a", host(2)) == 3 and wan.pings("c", host(2)) == 3
    assert wan.pings("c", HOST) == 3 and wan.branch[2].ping(HOST) == 3, "the circuit from hub west"
    assert wan.branch[1].ping(host(2)) == 3 and wan.branch[1].ping(HOST) == 3, "from branch to branch"
    peers = {(row["virtualNetworkGateway"], row["neighbor"]): row for row in wan.box.ask("bgp peers")["value"]}
    assert peers["east", "10.101.0.254"]["peerGateway"] == "west", peers
    assert {row["state"] for row in peers.values()} == {"Connected"}, peers


def peers_are_told_where_it_is(wan):
    """Of other hubs with 65520 twice in the path; the circuit's peer hears of branches, too."""
    def told():
        heard = wan.branch[2].heard()
        return heard if set(heard) >= {BEHIND, network(1)} else None
    heard = net.eventually(told, 10, what="all, at branch 2")
    assert heard == {"10.101.0.0/24": "65515", "10.3.0.0/16": "65515", OLD: "65515", "10.1.0.0/16": "65515 65520 65520",
                     "10.2.0.0/16": "65515 65520 65520", "10.4.0.0/16": "65515 65520 65520",
                     network(1): "65515 65520 65520", "172.20.0.0/24": "65515", BEHIND: f"65515 65520 65520 {ASN}"}, heard
    heard = net.eventually(lambda: network(2) in wan.edge.heard() and wan.edge.heard(), 10, what="branch 2, at the edge")
    assert heard == {"10.100.0.0/24": "12076", "10.1.0.0/16": "12076", "10.2.0.0/16": "12076", "10.4.0.0/16": "12076",
                     "10.3.0.0/16": "12076 65520 65520", OLD: "12076 65520 65520", network(1): "12076", "172.20.0.0/24": "12076 65520 65520",
                     network(2): f"12076 65520 65520 {BRANCH_ASN}"}, heard


def clients_reach_all_hubs(wan):
    net.eventually(lambda: "added vici connection: p2s-west\n" in wan.box.log(), 20, what="a gateway for clients")
    address = wan.client.connect(WEST, NAME, wan.gateways, wan.laptop)
    net.eventually(lambda: wan.client.space.ping(wan.ip("c"), 1, wait=1), 10, what="an answer to the client")
    assert wan.client.space.ping(wan.ip("a")) == 3 and wan.pings("a", address) == 3, "a network of the other hub"
    assert wan.client.space.ping(host(1)) == 3, "a branch of the other hub"
    assert wan.client.space.ping(OLDER) == 3, "behind an appliance"
    assert wan.routes("east")["172.20.0.0/24"] == "Remote Hub", wan.routes("east")


def nobody_poses_as_a_network(wan):
    """From the circuit come no addresses of connected networks."""
    before = wan.drops().get("source-check", 0)
    wan.edge.space.ip("address add 10.1.1.77/32 dev lo")
    wan.edge.space.sh(f"ping -c 2 -i 0.1 -W 1 -I 10.1.1.77 {wan.ip('c')}", check=False)
    wan.edge.space.ip("address del 10.1.1.77/32 dev lo")
    assert wan.drops().get("source-check", 0) >= before + 2, wan.drops()


def a_table_keeps_the_lab_apart(wan):
    """It knows branch 1 alone, and answers nobody else."""
    assert wan.routes("east", "lab") == {network(1): "VPN_S2S_Gateway", "10.4.0.0/16": "Virtual Network Connection"}
    assert wan.pings("lab", host(1)) == 3 and wan.branch[1].ping(wan.ip("lab")) == 3
    for source, target in (("lab", "a"), ("a", "lab"), ("lab", "c")):
        assert wan.silent(source, target), (source, target)
    assert wan.branch[2].ping(wan.ip("lab"), 1, wait=1) == 0


def preference_decides(wan):
    """The circuit tells what branch 1 has, and what branch 2 tells at the other hub."""
    wan.edge.tell([BEHIND, network(1), network(2)])
    net.eventually(lambda: wan.hop("a/s", host(1))[0] == "circuit", 10, what="the circuit, which is preferred")
    net.eventually(lambda: wan.hop("a/s", host(2))[0] == "circuit", 10, what="the circuit of this hub")
    assert wan.hop("c/s", host(2)) == ("tunnel", "connection branch2.fibre"), "each hub its own first"
    wan.apply(lambda config: config["virtualHubs"][0].update(hubRoutingPreference="VpnGateway"))
    net.eventually(lambda: wan.hop("a/s", host(1)) == ("tunnel", "connection branch1.fibre"), 10, what="the tunnel")
    assert wan.hop("a/s", host(2))[0] == "circuit", "a hub's own still goes first"
    # branch 2 has one number in its path, and two come in front between the hubs
    wan.edge.tell([BEHIND, network(1), network(2)], longer=3)
    net.eventually(lambda: {row["asPath"] for row in wan.box.ask("routes learned", gateway="east")["value"]
                            if row["network"] == network(2)} >= {f"{ASN}-{ASN}-{ASN}-{ASN}"}, 10, what="a longer path")
    time.sleep(0.5)
    assert wan.hop("a/s", host(2))[0] == "circuit", "a hub's own, however long"
    wan.apply(lambda config: config["virtualHubs"][0].update(hubRoutingPreference="ASPath"))
    net.eventually(lambda: wan.hop("a/s", host(2)) == ("tunnel", "connection branch2.fibre"), 10, what="the shorter path")
    wan.edge.tell([BEHIND])
    net.eventually(lambda: wan.hop("a/s", host(2)) == ("tunnel", "connection branch2.fibre"), 10, what="branch 2 again")
    assert wan.pings("a", host(1)) == 3 and wan.pings("a", host(2)) == 3


def branches_may_be_kept_apart(wan):
    wan.apply(lambda config: config["virtualWans"][0].update(allowBranchToBranchTraffic=False))
    before = wan.drops().get(NO_TRANSIT, 0)
    assert wan.branch[1].ping(host(2), 2, wait=1) == 0 and wan.branch[1].ping(HOST, 2, wait=1) == 0
    assert wan.drops().get(NO_TRANSIT, 0) >= before + 4, wan.drops()
    assert wan.branch[1].ping(wan.ip("c")) == 3
    net.eventually(lambda: set(wan.branch[2].heard()) == {
        "10.101.0.0/24", OLD, "10.3.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.4.0.0/16"}, 10, what="networks alone")


def basic_has_sites_only(wan):
    def change(config):
        config["virtualWans"] = [{"name": "wan", "type": "Basic"}]
        del config["expressRouteGateways"], config["p2sVpnGateways"], config["virtualHubs"][0]["hubRouteTables"]
        config["virtualHubs"][0]["hubVirtualNetworkConnections"][2].pop("routingConfiguration")
        config["virtualHubs"][1]["hubVirtualNetworkConnections"][0].pop("routingConfiguration")
        for gateway in config["vpnGateways"]:
            gateway["connections"][0].pop("routingConfiguration")
    before = copy.deepcopy(wan.config)
    wan.apply(change)
    assert wan.reaches("c", "c") and wan.pings("a", host(1)) == 3 and wan.branch[1].ping(wan.ip("b")) == 3
    dropped = wan.drops().get(NO_TRANSIT, 0)
    assert wan.silent("a", "b"), "from network to network"
    assert wan.drops()[NO_TRANSIT] >= dropped + 2, wan.drops()
    assert "virtual WAN wan" in wan.deciders(NO_TRANSIT), wan.deciders(NO_TRANSIT)
    assert wan.silent("a", "c") and wan.pings("c", host(1), count=1, wait=1) == 0, "from hub to hub"
    assert wan.pings("c", host(2)) == 3, "a branch with BGP and its own hub"
    wan.config = before
    wan.box.apply(before)
    net.eventually(lambda: wan.pings("a", "c", count=1, wait=1), 10, what="Standard again")


def main():
    net.signals_raise()
    wan = Wan()
    try:
        for story in (networks_reach_each_other, an_appliance_leads_on, branches_reach_networks_of_all_hubs, what_one_hub_learns_all_know,
                      peers_are_told_where_it_is, clients_reach_all_hubs, nobody_poses_as_a_network, a_table_keeps_the_lab_apart, preference_decides,
                      branches_may_be_kept_apart, basic_has_sites_only):
            tap.add(story.__name__, story, wan)
        tap.main()
    finally:
        wan.close()


main()
