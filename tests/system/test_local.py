#!/usr/bin/python3
"""The control namespace: daemons there talk IKE's ports with peers on the wire, and nothing else gets in or out.

peer ==wan== appliance ==side, VLAN 20== peer; the peer is also its own gateway, with addresses behind it. Two hosts
in two subnets see to it that the rest goes on.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib import resources as az
from lib.scene import Scene
from lib.vlan import Vlan

MARKER = bytes(4)
LONG = "the-other-way-out.by-vlan-20"
US = {4: "192.0.2.1", 6: "2001:db8::1"}
ON_LINK = {4: "192.0.2.9", 6: "2001:db8::9"}
FAR = {4: "203.0.113.9", 6: "2001:db8:f::9"}
SIDE, SIDE_PEER = "198.51.100.1", "198.51.100.9"
CONFIG = {
    "virtualNetworks": [az.vnet("v", ["10.1.0.0/16"], [
        az.subnet("a", "10.1.1.0/24"), az.subnet("b", "10.1.2.0/24"), az.subnet("GatewaySubnet", "10.1.255.0/27")])],
    "publicIPAddresses": [az.public_ip("here", US[4])],
    "virtualNetworkGateways": [az.gateway("here", "v", "here")],
    "localNetworkGateways": [az.local_gateway("there", ON_LINK[4], "10.9.0.0/16")]}


class Local(Scene):
    vlan = None

    def __init__(self):
        super().__init__(CONFIG, {"a": "v/a", "b": "v/b"}, "local", start=False)
        try:
            self.peer = self.host["peer"] = net.Namespace("peer")
            self.prepare()
            self.box.start(self.config)
        except BaseException:
            self.close()
            raise

    def prepare(self):
        key = os.path.join(self.box.folder, "psk")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write("a key that nobody will ever use\n")
        self.config["connections"] = [{
            "name": "c", "connectionType": "IPsec", "virtualNetworkGateway1": {"id": "here"},
            "localNetworkGateway2": {"id": "there"}, "appliance": {"sharedKeyFile": key}}]
        self.box.cable("wan", self.peer, "wan")
        self.box.cable("side", self.peer, "side")
        self.peer.sh("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
        self.vlan = Vlan(self.peer, "side", "vlan", 20)
        self.peer.address("wan", "192.0.2.9/24", "192.0.2.254/24", "2001:db8::9/64", "2001:db8::fe/64")
        self.peer.address("lo", FAR[4] + "/32", FAR[6] + "/128")
        self.peer.address("vlan", SIDE_PEER + "/24")
        appliance = self.config["appliance"]
        appliance["ports"] += [az.port("wan", "wan"), az.port("side", "side")]
        appliance["ike"] = {"daemon": "external"}  # and there is none
        appliance["uplinks"] = [
            az.uplink("wan", "wan", US[4] + "/24", US[6] + "/64", gateway4="192.0.2.254", gateway6="2001:db8::fe"),
            az.uplink(LONG, "side", SIDE + "/24", vlan=20)]

    def close(self):
        if self.vlan:
            self.vlan.close()
        super().close()

    # The control namespace, as seen in the appliance's folders

    @property
    def path(self):
        return f"/run/netns/isthmus-{self.box.name}"

    def exists(self):
        return self.box.namespace.run("test", "-e", self.path, check=False).returncode == 0

    @contextlib.contextmanager
    def entered(self):
        root = f"/proc/{self.box.namespace.pid}/root"
        with open("/proc/self/ns/net", "rb") as home, open(root + self.path, "rb") as there:
            net.set_namespace(there)
            try:
                yield
            finally:
                net.set_namespace(home)

    def inside(self, *command):
        return self.box.namespace.run("nsenter", f"--net={self.path}", *command).stdout

    def interfaces(self):
        """{alias: what ip tells of it}"""
        return {link["ifalias"]: link for link in json.loads(self.inside("ip", "-d", "-j", "address"))
                if link["ifname"] != "lo"}

    def counters(self):
        return self.box.ask("status")["controlNamespace"]["uplinks"]

    # Two ends of a conversation

    @contextlib.contextmanager
    def ends(self, us, them, port=500, their_port=None):
        """A daemon's socket and a peer's."""
        with contextlib.ExitStack() as stack:
            family = socket.AF_INET6 if ":" in us else socket.AF_INET
            pair = []
            for space, address, number in ((self, us, port), (self.peer, them, their_port or port)):
                with space.entered():
                    s = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address, number))
                s.settimeout(10)
                pair.append(s)
            yield pair

    def talk(self, us, them, port=500, data=MARKER + b"hello"):
        with self.ends(us, them, port) as (daemon, peer):
            peer.sendto(data, (us, port))
            got, sender = daemon.recvfrom(65536)
            while got != data:  # what a flood left on its way
                got, sender = daemon.recvfrom(65536)
            assert sender[:2] == (them, port), sender
            daemon.sendto(data[::-1], sender[:2])
            got, sender = peer.recvfrom(65536)
            assert (got, sender[:2]) == (data[::-1], (us, port)), (len(got), sender)


scene = None


@tap.case
def interfaces_are_the_uplinks():
    links = scene.interfaces()
    assert set(links) == {"isthmusd: uplink wan", f"isthmusd: uplink {LONG}"}, links
    wan, side = links["isthmusd: uplink wan"], links[f"isthmusd: uplink {LONG}"]
    assert wan["ifname"] == "wan" and side["ifname"].startswith("the_other_-"), links
    ports = {p["name"]: p for p in scene.box.ask("port list")}
    assert wan["address"].lower().replace(":", "-") == ports["wan"]["macAddress"].lower().replace(":", "-"), ports
    assert wan["mtu"] == 1500 and {"NOARP", "UP"} <= set(wan["flags"]), wan
    assert {a["local"] for a in wan["addr_info"]} == {US[4], US[6]}, wan
    assert {a["local"] for a in side["addr_info"]} == {SIDE}, side
    for version, gateway in (("-4", "192.0.2.254"), ("-6", "2001:db8::fe")):
        routes = json.loads(scene.inside("ip", version, "-j", "route", "show", "default"))
        assert [(r["gateway"], r["dev"]) for r in routes] == [(gateway, "wan")], routes
    assert scene.box.ask("status")["controlNamespace"]["name"] == f"isthmus-{scene.box.name}"


@tap.case
def daemons_and_peers_talk():
    for version in (4, 6):
        for them in (ON_LINK[version], FAR[version]):
            for port in (500, 4500):
                scene.talk(US[version], them, port)
    scene.talk(SIDE, SIDE_PEER)
    counters = scene.counters()
    assert counters["wan"]["ikeToDaemons"]["packets"] >= 8 and counters["wan"]["fromDaemons"]["packets"] >= 8, counters
    assert counters[LONG]["ikeToDaemons"] == {"packets": 1, "dropped": 0}, counters


@tap.case
def large_datagrams_arrive():
    data = MARKER + bytes(i & 255 for i in range(2996))
    for us, them in ((US[4], ON_LINK[4]), (US[6], ON_LINK[6]), (US[4], FAR[4]), (SIDE, SIDE_PEER)):
        for port in (500, 4500):
            scene.talk(us, them, port, data)


@tap.case
def the_source_chooses_the_uplink():
    """The kernel's route leads out by wan; what bears the other uplink's address leaves there all the same."""
    scene.peer.address("vlan", "198.18.0.9/32")
    with scene.ends(SIDE, "198.18.0.9") as (daemon, peer):
        before = scene.counters()
        daemon.sendto(b"hello", ("192.0.2.9", 500))
        net.eventually(lambda: scene.counters()[LONG]["fromDaemons"]["packets"] ==
                       before[LONG]["fromDaemons"]["packets"] + 1, what="it left by its own uplink")
        assert scene.counters()["wan"]["fromDaemons"] == before["wan"]["fromDaemons"]
        del peer


@tap.case
def esp_and_keepalives_are_not_delivered():
    for version in (4, 6):
        with scene.ends(US[version], ON_LINK[version], 4500) as (daemon, peer):
            before = scene.drops()
            for data in (b"\0\0\1\2" + bytes(60), b"\xff", b""):
                peer.sendto(data, (US[version], 4500))
            peer.sendto(MARKER + b"last", (US[version], 4500))
            assert daemon.recvfrom(100)[0] == MARKER + b"last"
            drops = scene.drops()
            assert drops["esp-keepalive"] == before.get("esp-keepalive", 0) + 1, drops
            assert drops["esp-spi-unknown"] == before.get("esp-spi-unknown", 0) + 1, drops


@tap.case
def others_are_refused_as_ever():
    for version in (4, 6):
        with scene.ends(US[version], ON_LINK[version], 501) as (daemon, peer):
            peer.connect((US[version], 501))
            peer.send(b"hello")
            try:
                peer.recv(100)
                raise AssertionError("no error came back")
            except ConnectionRefusedError:
                pass
            daemon.setblocking(False)
            assert not select.select([daemon], [], [], 0)[0]


@tap.case
def errors_reach_the_daemon():
    """Nobody listens at the peer: its port unreachable ends the daemon's wait."""
    for version in (4, 6):
        with scene.ends(US[version], ON_LINK[version], 4500) as (daemon, peer):
            peer.close()
            daemon.connect((ON_LINK[version], 4500))
            daemon.send(MARKER + b"hello")
            try:
                daemon.recv(100)
                raise AssertionError("no error came back")
            except ConnectionRefusedError:
                pass


@tap.case
def a_flood_disturbs_nobody():
    stop = threading.Event()
    sent = [0]

    def flood(peer):
        while not stop.is_set():
            for _ in range(50):
                peer.sendto(MARKER + bytes(100), (US[4], 500))
            sent[0] += 50

    with scene.ends(US[4], ON_LINK[4]) as (_, peer):
        before = scene.box.ask("status")["exceptionPath"]["ike"]
        thread = threading.Thread(target=flood, args=(peer,))
        thread.start()
        try:
            assert scene.pings("a", "10.1.1.1", count=20, wait=5) == 20
            assert scene.pings("a", "b", count=20, wait=5) == 20
            assert scene.peer.ping(US[4], count=10, wait=5) == 10
        finally:
            stop.set()
            thread.join()
        after = scene.box.ask("status")["exceptionPath"]["ike"]
        assert after["packets"] > before["packets"] and after["dropped"] > before["dropped"], (after, sent)
        assert after["packets"] - before["packets"] < sent[0]
    scene.talk(US[4], ON_LINK[4])


@tap.case
def reload_changes_what_changed():
    before = scene.interfaces()
    uplinks = scene.config["appliance"]["uplinks"]

    def other_addresses(_config):
        uplinks[1] = az.uplink(LONG, "side", "198.51.100.2/24", "198.51.100.3/24", gateway4=SIDE_PEER, vlan=20)
        uplinks.append(az.uplink("third", "side", "198.18.1.1/24", vlan=30))

    scene.apply(other_addresses)
    after = scene.interfaces()
    assert after["isthmusd: uplink wan"] == before["isthmusd: uplink wan"], after
    side = after[f"isthmusd: uplink {LONG}"]
    assert side["ifindex"] == before[f"isthmusd: uplink {LONG}"]["ifindex"]
    assert {a["local"] for a in side["addr_info"]} == {"198.51.100.2", "198.51.100.3"}, side
    assert "isthmusd: uplink third" in after
    assert "198.51.100.9" in scene.inside("ip", "route", "show", "default")
    scene.talk("198.51.100.2", SIDE_PEER)
    scene.talk("198.51.100.3", SIDE_PEER)

    def back(_config):
        uplinks[1:] = [az.uplink(LONG, "side", SIDE + "/24", vlan=20)]

    scene.apply(back)
    assert set(scene.interfaces()) == set(before)
    assert "198.51.100.9" not in scene.inside("ip", "route", "show", "default")
    scene.talk(SIDE, SIDE_PEER)
    scene.talk(US[4], FAR[4])


@tap.case
def killed_and_started_again():
    scene.box.stop(signal.SIGKILL)
    assert scene.exists()
    scene.box.start()
    for version in (4, 6):
        scene.talk(US[version], FAR[version])
    scene.talk(SIDE, SIDE_PEER)


@tap.case
def leftovers_are_taken_over():
    """An interface that outlived its daemon is used again, or removed when nobody wants it."""
    scene.box.stop(signal.SIGKILL)
    scene.inside("sh", "-c", "ip tuntap add wan mode tap && ip address add 10.99.0.1/24 dev wan && "
                 "ip tuntap add old mode tap && ip link set old alias 'isthmusd: uplink old'")
    scene.box.start()
    links = scene.interfaces()
    assert set(links) == {"isthmusd: uplink wan", f"isthmusd: uplink {LONG}"}, links
    assert {a["local"] for a in links["isthmusd: uplink wan"]["addr_info"]} == {US[4], US[6]}, links
    scene.talk(US[4], ON_LINK[4])


@tap.case
def without_ike_nothing_gets_in():
    connections = scene.config["connections"]
    scene.apply(lambda config: config.update(connections=[]))
    net.eventually(lambda: scene.interfaces() == {}, what="the end of the interfaces")
    assert scene.counters() == {}
    with scene.peer.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(10)
        peer.connect((US[4], 500))
        peer.send(b"hello")
        try:
            peer.recv(100)
            raise AssertionError("no error came back")
        except ConnectionRefusedError:
            pass
    scene.apply(lambda config: config.update(connections=connections))
    scene.talk(US[4], ON_LINK[4])


@tap.case
def an_operators_namespace_stays():
    scene.box.stop()
    scene.box.namespace.ip(f"netns add isthmus-{scene.box.name}")
    scene.box.start()
    scene.talk(US[4], ON_LINK[4])
    assert scene.box.stop() == 0
    assert scene.inside("ip", "-br", "link").split()[0] == "lo"
    scene.box.namespace.ip(f"netns delete isthmus-{scene.box.name}")
    scene.box.start()


@tap.case
def stop_leaves_nothing():
    assert scene.box.stop() == 0, scene.box.log()
    assert not scene.exists()
    mounts = scene.box.namespace.run("cat", "/proc/self/mountinfo").stdout
    assert f"isthmus-{scene.box.name}" not in mounts, mounts
    assert scene.box.namespace.run("ip", "netns", "list").stdout == ""


def main():
    global scene
    net.signals_raise()
    if "--list" not in sys.argv:
        scene = Local()
    try:
        tap.main()
    finally:
        if scene:
            scene.close()


main()
