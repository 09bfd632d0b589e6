#!/usr/bin/python3
"""A pair as a VPN gateway behind a virtual address: the primary has the tunnel, and whoever becomes primary gets it."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net
from lib import resources as az
from lib.capture import Capture
from lib.ike_pair import End
from lib.ike_site import inner, space
from lib.pair import tell
from lib.pki import write
from lib.vip_pair import VIP, VipPair

SECRET = "a key for tests, and a long one"
HERE, REMOTE = 1, 2  # numbers of sites, see lib/ike_site.py
PEER, PEER_ROUTER = "198.51.100.130", "198.51.100.129"
BOUND_S = 8  # of an outage, on machines without time


class Cable:
    """To the router, as a site plugs itself to a wire."""

    def __init__(self, router):
        self.router = router

    def plug(self, namespace, link):
        net.veth(self.router, "to-site", namespace, link)
        self.router.address("to-site", f"{PEER_ROUTER}/25")
        self.router.sh("sysctl -qw net.ipv4.conf.to-site.rp_filter=0")


class Remote(End):
    """The site at the other end, which is not a pair."""

    def __init__(self, router):
        super().__init__(Cable(router), REMOTE, name="remote")
        self.addresses = [PEER]

    def config(self, connections, **more):
        config = super().config(connections, **more)
        config["appliance"]["uplinks"] = [az.uplink("wan", "wan", f"{PEER}/25", gateway4=PEER_ROUTER)]
        return config


class VpnPair(VipPair):
    """The nodes' port `lan` is on a switch, as is the host behind them; the remote site answers and never starts."""

    def __init__(self, lease):
        super().__init__(lease)
        self.modes = {"pair": "Default", "site": "ResponderOnly"}
        self.switch, self.host = net.Namespace("switch"), net.Namespace("host1")
        self.switch.sh("ip link add br0 type bridge && ip link set br0 up")
        self._plug(self.host, "eth0", "host")
        for node, box in self.box.items():
            self._plug(box.namespace, "lan", f"node-{node}")
            net.quiet(box.namespace, "lan")
        self.host.address("eth0", inner(HERE) + "/24")
        self.host.route("default", inner(HERE)[:-1] + "1")
        self.remote = Remote(self.router.space)
        self.capture = Capture(self.box["a"].folder, *((self.router.space, f"to-{end}") for end in ("a", "b", "site")))

    def _plug(self, namespace, link, name):
        net.veth(self.switch, name, namespace, link, plain=False)
        self.switch.ip(f"link set {name} master br0")

    def config(self, node, **more):
        config, box = super().config(node, **more), self.box[node]
        key = write(box.folder, "psk", SECRET.encode())
        config["appliance"]["ports"].append(az.port("lan", "lan"))
        config["appliance"].update(
            attachments=[az.attach("net/hosts", "lan")],
            ike={"viciSocket": os.path.join(box.folder, "vici"), "pluginSocket": os.path.join(box.folder, "plugin")})
        config.update(
            virtualNetworks=[az.vnet("net", [space(HERE)], [az.subnet("hosts", f"10.{HERE}.1.0/24"),
                                                            az.subnet("GatewaySubnet", f"10.{HERE}.255.0/27")])],
            publicIPAddresses=[az.public_ip("vip", VIP)], virtualNetworkGateways=[az.gateway("gw", "net", "vip")],
            localNetworkGateways=[az.local_gateway("remote", PEER, space(REMOTE))],
            connections=[{"name": "s2s", "connectionType": "IPsec", "virtualNetworkGateway1": az.ref("gw"),
                          "localNetworkGateway2": az.ref("remote"), "connectionMode": self.modes["pair"],
                          "appliance": {"sharedKeyFile": key}}])
        return config

    def site(self):
        return [self.remote.connection("s2s", VIP, [space(HERE)], key=SECRET, connectionMode=self.modes["site"])]

    def start_site(self):
        self.remote.start(self.site())

    def state(self, node):
        return self.box[node].ask("connection show", name="s2s")

    def has_tunnel(self, node):
        shown = self.state(node)
        return shown["connectionStatus"] == "Connected" and shown["appliance"]["state"]["ikeState"] == "Established"

    def pings(self, count=3, wait=2):
        return self.host.ping(inner(REMOTE), count, wait=wait)

    def moves(self, to, how):
        """What `how` costs: from then on until packets pass by the other node's tunnel."""
        began = time.monotonic()
        how()
        net.eventually(lambda: self.pings(1, wait=0.1), BOUND_S, what=f"pings pass by {to}")
        print(f"# packets pass again after {time.monotonic() - began:.2f} s")
        assert self.primary() == to and self.has_tunnel(to), self.state(to)
        assert self.pings(20) == 20 and self.remote.ping(inner(HERE), 3) == 3
        sas = self.remote.established()
        assert len(sas) == 1 and (not sas[0].get("initiator") or self.modes["site"] != "ResponderOnly"), sas

    def hands_over(self, node):
        """By an operator's word; it is standby again afterwards."""
        other = self.other(node)
        self.moves(other, lambda: self.box[node].ask("ha drain"))
        self.await_routes(other, node)
        self.box[node].ask("ha resume")
        net.eventually(lambda: self.show(node)["advertisedAs"] == "standby", what=f"{node} is standby")
        time.sleep(0 if node == "a" else 1)  # one that is not preferred waits so long before it asks for the role

    def close(self):
        for dump in self.capture.dumps:
            dump.stop()
        super().close()
        self.remote.close()
        for namespace in (self.switch, self.host):
            namespace.close()


def the_primary_alone_starts_it(p):
    p.start("a", "b")
    assert p.primary() == "a"
    p.await_routes("a", "b")
    p.moves("a", p.start_site)
    state = p.state("b")
    assert state["connectionStatus"] != "Connected" and state["appliance"]["state"]["ikeState"] == "Down", state
    assert not state["securityAssociations"], state
    told = p.box["b"].ask("vpn troubleshoot", resource="s2s")["results"]
    assert [row["reasonType"] for row in told] == ["Standby"], told


def a_drained_one_hands_it_over(p):
    p.hands_over("a")


def what_is_stale_is_renewed(p):
    """The tunnel that a had before, which the peer knows no more."""
    p.hands_over("b")


def a_killed_one_is_followed(p):
    p.moves("b", lambda: p.kill("a"))
    p.await_routes("b")


def one_that_comes_back_renews_what_it_left(p):
    """Its charon outlived it, with a tunnel of that time."""
    p.start("a")
    p.await_routes("b", "a")
    net.eventually(lambda: p.state("a")["connectionStatus"] == "Connected", what="charon tells of what it has")
    assert p.has_tunnel("b") and p.pings() == 3
    p.hands_over("b")


def the_new_primary_is_not_patient(p):
    """Where both ends may start: the site sees no reason to."""
    p.modes["site"] = "Default"
    p.remote.apply(p.site())
    p.hands_over("a")
    p.hands_over("b")


def nothing_was_in_clear(p):
    missed = p.capture.stop()
    found = p.capture.lines("net 10.0.0.0/8")
    assert not missed and not found, found[:5]
    assert p.capture.count("udp port 4500 or ip proto 50") > 100


tell(VpnPair, (the_primary_alone_starts_it, a_drained_one_hands_it_over, what_is_stale_is_renewed,
               a_killed_one_is_followed, one_that_comes_back_renews_what_it_left, the_new_primary_is_not_patient,
               nothing_was_in_clear))
