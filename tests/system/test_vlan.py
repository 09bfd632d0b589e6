#!/usr/bin/python3
"""Several subnets on one port by VLAN. The host is made of frames: a kernel without 802.1Q runs this too."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import threading

from scapy.all import ARP, ICMP, IP, Dot1Q, Ether, conf, sendp, sniff

from lib import net, tap
from lib import resources as az
from lib.appliance import Appliance

MAC = {100: "02:00:00:00:01:00", 200: "02:00:00:00:02:00", 0: "02:00:00:00:00:04"}
NETWORK = {100: "10.1.1", 200: "10.1.2", 0: "10.1.3"}


def config():
    return {
        "virtualNetworks": [az.vnet("v", ["10.1.0.0/16"], [
            az.subnet("red", "10.1.1.0/24"), az.subnet("blue", "10.1.2.0/24"), az.subnet("plain", "10.1.3.0/24")])],
        "appliance": {"ports": [az.port("trunk", "trunk")],
                      "attachments": [az.attach("v/red", "trunk", 100), az.attach("v/blue", "trunk", 200),
                                      az.attach("v/plain", "trunk")]}}


def tagged(vlan, mac, target):
    frame = Ether(src=mac, dst=target)
    return frame / Dot1Q(vlan=vlan) if vlan else frame


class Trunk:
    """Answers ARP for .4 of each network and sends what a story wants."""

    def __init__(self):
        self.box, self.host = Appliance("vlan"), net.Namespace("host")
        self.box.cable("trunk", self.host)
        self.host.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
        self.host.run("ethtool", "-K", "eth0", "rxvlan", "off", "txvlan", "off", check=False)
        self.heard = []
        self.box.start(config())
        self.running = True
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()
        self.ready.wait(5)

    def listen(self):
        with self.host.entered():
            sniff(iface="eth0", prn=self.hear, store=False, stop_filter=lambda _: not self.running,
                  started_callback=self.ready.set)

    def hear(self, frame):
        vlan = frame[Dot1Q].vlan if Dot1Q in frame else 0
        if frame.src in MAC.values():
            return
        self.heard.append((vlan, frame))
        address = NETWORK.get(vlan, "?") + ".4"
        if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == address:
            sendp(tagged(vlan, MAC[vlan], frame.src)
                  / ARP(op=2, hwsrc=MAC[vlan], psrc=address, hwdst=frame.src, pdst=frame[ARP].psrc), iface="eth0")

    def send(self, frame):
        with self.host.entered():
            sendp(frame, iface="eth0")

    def gateway(self, vlan):
        """The appliance's MAC as it answers on a VLAN."""
        self.heard.clear()
        self.send(tagged(vlan, MAC[vlan], "ff:ff:ff:ff:ff:ff")
                  / ARP(op=1, hwsrc=MAC[vlan], psrc=NETWORK[vlan] + ".4", pdst=NETWORK[vlan] + ".1"))
        def answer():
            return next((f[ARP].hwsrc for v, f in list(self.heard)
                         if v == vlan and ARP in f and f[ARP].op == 2 and f[ARP].psrc == NETWORK[vlan] + ".1"), None)
        return net.eventually(answer, 5, what=f"an ARP answer on VLAN {vlan}; heard {self.heard}")

    def drops(self, reason):
        return {row["reason"]: row["packets"] for row in self.box.ask("drops")}.get(reason, 0)

    def close(self):
        self.running = False
        try:
            self.send(Ether(src=MAC[0], dst=MAC[0]) / b"wake up")
            self.send(Ether(src="02:00:00:00:00:99", dst=MAC[0]) / b"wake up")
        finally:
            self.thread.join(5)
            self.host.close()
            self.box.close()


def answers_on_its_vlans(trunk):
    for vlan in NETWORK:
        assert trunk.gateway(vlan)


def routes_between_vlans(trunk):
    for a, b in ((100, 200), (200, 100), (100, 0), (0, 200)):
        gateway = trunk.gateway(a)
        trunk.heard.clear()
        trunk.send(tagged(a, MAC[a], gateway) / IP(src=NETWORK[a] + ".4", dst=NETWORK[b] + ".4", ttl=9)
                   / ICMP(id=a, seq=b) / b"between")
        def arrived(there=b):
            return [f for v, f in list(trunk.heard) if v == there and ICMP in f and f[ICMP].type == 8]
        frame = net.eventually(arrived, 5, what=f"{a} to {b}; {trunk.box.ask('drops')}")[0]
        assert frame.dst == MAC[b] and frame[IP].ttl == 8, frame.show(dump=True)


def unknown_vlan_is_dropped_by_name(trunk):
    gateway, before = trunk.gateway(100), trunk.drops("no-interface")
    trunk.send([tagged(300, MAC[100], gateway) / IP(src="10.1.1.4", dst="10.1.2.4") / ICMP()] * 3)
    net.eventually(lambda: trunk.drops("no-interface") >= before + 3, what="the drops")


def source_belongs_to_its_vlan(trunk):
    """An address of red does not pass from blue's VLAN."""
    gateway, before = trunk.gateway(200), trunk.drops("source-check")
    trunk.send([tagged(200, MAC[200], gateway) / IP(src="10.1.1.4", dst="10.1.3.4") / ICMP()] * 3)
    net.eventually(lambda: trunk.drops("source-check") >= before + 3, what="the drops")


def main():
    net.signals_raise()
    conf.verb = 0
    trunk = Trunk()
    try:
        for story in (answers_on_its_vlans, routes_between_vlans, unknown_vlan_is_dropped_by_name,
                      source_belongs_to_its_vlan):
            tap.add(story.__name__, story, trunk)
        tap.main()
    finally:
        trunk.close()


main()
