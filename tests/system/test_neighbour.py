#!/usr/bin/python3
"""ARP and neighbour discovery with kernels and hand-made frames, and ICMP to the appliance itself."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import socket
import time

from scapy.all import ARP, IP, UDP, Ether, ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6, conf, sendp, sniff

from lib import net, tap
from lib import resources as az
from lib.scene import Scene

CONFIG = {"virtualNetworks": [az.vnet("v", ["10.1.0.0/16", "fd01::/48"], [
    az.subnet("a", "10.1.1.0/24", "fd01:0:0:1::/64"), az.subnet("b", "10.1.2.0/24", "fd01:0:0:2::/64")])],
    "networkInterfaces": [az.nic("static", "v/b", "10.1.2.9", mac="02:00:00:00:00:09")]}


def neighbours(scene):
    return {row["address"]: row for row in scene.box.ask("neighbour list")}


def mac(scene, host):
    return scene.host[host].run("cat", "/sys/class/net/eth0/address").stdout.strip()


def gateway_answers(scene):
    for version, address in ((4, "10.1.1.1"), (6, "fd01:0:0:1::1")):
        assert scene.pings("a", address) == 3, (version, scene.drops())


def gateway_answers_for_nothing_else(scene):
    """No proxy ARP: another address of the subnet stays unresolved."""
    assert scene.pings("a", "10.1.1.77", count=1, wait=1) == 0
    shown = scene.host["a"].run("ip", "neigh", "show", "10.1.1.77").stdout
    assert "lladdr" not in shown, shown


def hosts_are_learned(scene):
    for version in (4, 6):
        assert scene.reaches("a", "b", version), scene.drops()
    table = neighbours(scene)
    for host in ("a", "b"):
        for version in (4, 6):
            row = table[scene.ip(host, version)]
            assert row["macAddress"] == mac(scene, host), row


def moved_host_is_found_again(scene):
    """The host gets another MAC and says so (gratuitous ARP, unsolicited NA)."""
    assert scene.reaches("a", "b")
    scene.host["b"].sh("ip link set eth0 down; ip link set eth0 address 02:00:00:00:0b:0b; ip link set eth0 up; "
                       "ip route replace default via 10.1.2.1; ip -6 addr replace fd01:0:0:2::4/64 dev eth0 nodad; "
                       "ip -6 route replace default via fd01:0:0:2::1")
    moved, all_nodes = "02:00:00:00:0b:0b", "33:33:00:00:00:01"
    with scene.host["b"].entered():
        sendp([Ether(src=moved, dst="ff:ff:ff:ff:ff:ff")
               / ARP(op="who-has", hwsrc=moved, psrc=scene.ip("b"), pdst=scene.ip("b")),
               Ether(src=moved, dst=all_nodes) / IPv6(src=scene.ip("b", 6), dst="ff02::1", hlim=255)
               / ICMPv6ND_NA(R=0, S=0, O=1, tgt=scene.ip("b", 6)) / ICMPv6NDOptDstLLAddr(lladdr=moved)], iface="eth0")
    net.eventually(lambda: scene.pings("a", "b", count=1, wait=1) == 1, what="IPv4 after the move")
    net.eventually(lambda: scene.pings("a", "b", 6, count=1, wait=1) == 1, what="IPv6 after the move")
    assert neighbours(scene)[scene.ip("b")]["macAddress"] == moved


def unresolved_neighbour_drops_by_name(scene):
    before = scene.drops().get("neighbour-unresolved", 0)
    out = scene.host["a"].run("ping", "-n", "-c", "2", "-i", "0.3", "-W", "4", "10.1.2.99", check=False).stdout
    net.eventually(lambda: scene.drops().get("neighbour-unresolved", 0) > before, 10, what=f"the drop: {scene.drops()}")
    assert "Unreachable" in out or "100% packet loss" in out, out


def waiting_packets_are_bounded(scene):
    """A burst to a host that does not answer: a few wait, the rest drops at once, all of it counted."""
    before = scene.drops()
    with scene.host["a"].entered():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(200):
        try:
            s.sendto(b"x", ("10.1.2.98", 9))
        except OSError:
            pass  # the appliance's ICMP error of an earlier one
    s.close()

    def dropped():
        now = scene.drops()
        return sum(now.get(r, 0) - before.get(r, 0) for r in ("neighbour-unresolved", "neighbour-queue-full"))
    net.eventually(lambda: dropped() >= 190, 10, what=f"the drops: {scene.drops()}")
    assert scene.drops().get("neighbour-queue-full", 0) > before.get("neighbour-queue-full", 0), scene.drops()


def first_packets_wait_for_resolution(scene):
    """Nothing is lost while the appliance resolves."""
    scene.host["b"].ip("link set eth0 arp on")
    assert scene.pings("a", "b", count=5) == 5


def spoofed_sender_is_dropped(scene):
    """A source outside the subnet does not pass, nor does it enter the neighbour table."""
    gateway = scene.host["a"].sh("ip neigh show 10.1.1.1").stdout.split("lladdr ")[1].split()[0]
    before = scene.drops().get("source-check", 0)
    with scene.host["a"].entered():
        sendp([Ether(dst=gateway) / IP(src="10.1.9.9", dst=scene.ip("b")) / UDP() / b"x"] * 5, iface="eth0")
        sendp(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(op="is-at", psrc="10.1.2.4", hwsrc="02:00:00:00:66:66",
                                                   pdst="10.1.1.1"), iface="eth0")
    net.eventually(lambda: scene.drops().get("source-check", 0) >= before + 5, what=f"the drops: {scene.drops()}")
    assert neighbours(scene)["10.1.2.4"]["macAddress"] != "02:00:00:00:66:66"
    assert scene.reaches("a", "b")


def static_mac_of_an_interface_holds(scene):
    """networkInterfaces may name a MAC: no ARP is asked for it, and none can change it."""
    def capture():
        with scene.host["b"].entered():
            return sniff(iface="eth0", count=1, timeout=5, lfilter=lambda p: IP in p and p[IP].dst == "10.1.2.9",
                         started_callback=lambda: scene.host["a"].start("ping", "-c", "3", "-W", "1", "10.1.2.9"))
    seen = capture()
    assert seen and seen[0].dst == "02:00:00:00:00:09", seen
    assert neighbours(scene)["10.1.2.9"]["state"].lower() == "static", neighbours(scene)["10.1.2.9"]


def ttl_ends_here(scene):
    for version, option in ((4, "10.1.1.1"), (6, "fd01:0:0:1::1")):
        out = scene.host["a"].run("ping", "-n", "-c", "2", "-i", "0.3", "-t", "1", "-W", "2", scene.ip("b", version),
                                  check=False).stdout
        assert f"From {option}" in out and ("exceeded" in out.lower() or "Hop limit" in out), out
    assert scene.drops().get("ttl-expired", 0) >= 2


def unreachable_is_said(scene):
    """A destination that no effective route covers: the kernel hears it from its gateway."""
    for address, gateway in (("203.0.113.9", "10.1.1.1"), ("2001:db8::9", "fd01:0:0:1::1")):
        out = scene.host["a"].run("ping", "-n", "-c", "2", "-i", "0.3", "-W", "2", address, check=False).stdout
        assert f"From {gateway}" in out, (out, scene.drops())


def errors_are_rate_limited(scene):
    """A flood that deserves errors gets few of them: a burst of 200, then 1000 a second."""
    gateway = scene.host["a"].sh("ip neigh show 10.1.1.1").stdout.split("lladdr ")[1].split()[0]
    frame = bytes(Ether(src=mac(scene, "a"), dst=gateway) / IP(src=scene.ip("a"), dst="10.1.2.4", ttl=1) / UDP() / b"x")
    with scene.host["a"].entered():
        mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    mouth.bind(("eth0", 0))

    def heard():
        rows = [line.split() for line in scene.host["a"].sh("cat /proc/net/snmp").stdout.splitlines()
                if line.startswith("Icmp:")]
        return int(rows[1][rows[0].index("InTimeExcds")])
    before, expired = heard(), scene.drops().get("ttl-expired", 0)
    began = time.monotonic()
    for number in range(5000):
        mouth.send(frame)
        if number % 64 == 63:
            time.sleep(0.002)  # what a receive ring holds
    mouth.close()
    net.eventually(lambda: scene.drops().get("ttl-expired", 0) + scene.drops().get("punt-rate", 0)
                   + scene.drops().get("punt-full", 0) >= expired + 5000, what=f"the drops: {scene.drops()}")
    allowed = 200 + 1000 * (time.monotonic() - began)
    assert 0 < heard() - before <= allowed, (heard() - before, allowed)


def main():
    net.signals_raise()
    conf.verb = 0
    scene = Scene(CONFIG, {"a": "v/a", "b": "v/b"}, "neighbour")
    try:
        for story in (gateway_answers, gateway_answers_for_nothing_else, hosts_are_learned,
                      first_packets_wait_for_resolution, unresolved_neighbour_drops_by_name,
                      waiting_packets_are_bounded, spoofed_sender_is_dropped, static_mac_of_an_interface_holds,
                      ttl_ends_here, unreachable_is_said, errors_are_rate_limited, moved_host_is_found_again):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
