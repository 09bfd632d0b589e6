#!/usr/bin/python3
"""A live Linux kernel on the other end of the tunnel: every kind of SA, traffic in both directions.

One guest kernel and one appliance share a wire. Behind the appliance stands a host in a subnet, behind the kernel
its own loopback addresses. For each kind the appliance is given the connection's keys by a reload, the kernel the
same keys by `ip xfrm`; then each side speaks first once, and both must have counted every packet on the SAs.
"""

import hashlib
import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import uml
from lib import net, tap
from lib import resources as az
from lib.appliance import Appliance
from sa_kinds import KINDS, NAT_T_PORT, Kind, xfrm_counters, xfrm_policy, xfrm_state

HOST = {4: "10.1.1.4", 6: "fd01:0:0:1::4"}           # in the appliance's subnet
GATEWAY = {4: "10.1.1.1", 6: "fd01:0:0:1::1"}        # the appliance as that subnet's gateway
NEAR = {4: "192.0.2.1", 6: "2001:db8::1"}            # the appliance's public addresses
FAR = {4: "192.0.2.2", 6: "2001:db8::2"}             # the kernel's
INNER = {4: "10.2.0.1", 6: "fd02::1"}                # behind the kernel
NEAR_SPACE = {4: "10.1.0.0/16", 6: "fd01::/48"}
FAR_SPACE = {4: "10.2.0.0/16", 6: "fd02::/48"}
PINGS = 10


def config(kind, spi_in, spi_out):
    """One VNet, one subnet, one gateway with a public address of each family, one connection."""
    def association(direction, way, spi):
        key, auth_key = kind.keys(way)
        nat_t = {"localPort": NAT_T_PORT, "remotePort": NAT_T_PORT} if kind.nat_t else None
        return az.sa(direction, spi, kind.encryption, key, kind.integrity, auth_key, kind.esn, 1024, nat_t)

    return {
        "virtualNetworks": [az.vnet("near", NEAR_SPACE.values(), [
            az.subnet("hosts", "10.1.1.0/24", "fd01:0:0:1::/64"), az.subnet("GatewaySubnet", "10.1.255.0/27")])],
        "publicIPAddresses": [az.public_ip("near4", NEAR[4]), az.public_ip("near6", NEAR[6])],
        "virtualNetworkGateways": [az.gateway("near", "near", "near4", "near6")],
        "localNetworkGateways": [az.local_gateway("far", FAR[kind.outer], *FAR_SPACE.values())],
        "connections": [az.connection("near-far", "near", "far", [
            association("out", "near", spi_out), association("in", "far", spi_in)], ikeProfile="azure-default")],
        "appliance": {
            "ports": [az.port("hosts", "hosts"), az.port("wan", "wan")],
            "attachments": [az.attach("near/hosts", "hosts")],
            "uplinks": [az.uplink("wan", "wan", NEAR[4] + "/24", NEAR[6] + "/64")]}}


class Wire:
    """The rig: built once, each case changes the connection on both ends."""

    def __init__(self):
        self.box = Appliance("kernel")
        self.host = net.Namespace("host")
        self.guest = None
        self.spi = 0x1000

    def start(self):
        self.box.cable("hosts", self.host)
        self.guest = uml.Guest(self.box.namespace, "wan")
        for family, length in ((4, 24), (6, 64)):
            self.host.address("eth0", f"{HOST[family]}/{length}")
            self.host.route("default", GATEWAY[family])
        self.guest.batch(["link set vec0 up",
                          f"addr add {FAR[4]}/24 dev vec0", f"addr add {FAR[6]}/64 dev vec0 nodad",
                          f"addr add {INNER[4]}/32 dev lo", f"addr add {INNER[6]}/128 dev lo nodad",
                          f"route add {NEAR_SPACE[4]} via {NEAR[4]} src {INNER[4]}",
                          f"route add {NEAR_SPACE[6]} via {NEAR[6]} src {INNER[6]}"])
        uml.open_nat_t(self.guest)
        self.box.start(config(Kind("aes-gcm-256"), 0x1000, 0x1001))

    def agree(self, kind):
        """Both ends take the kind's keys under new SPIs."""
        self.spi += 2
        self.box.apply(config(kind, self.spi, self.spi + 1))
        self.tell_kernel(kind, {})

    def tell_kernel(self, kind, sequence):
        """The kernel's SAs and policies anew. sequence: the last number of each sender."""
        near, far = NEAR[kind.outer], FAR[kind.outer]
        self.guest.batch(["xfrm state flush", "xfrm policy flush",
                          xfrm_state(kind, "near", near, far, self.spi + 1, sequence.get("near", 0)),
                          xfrm_state(kind, "far", far, near, self.spi, sequence.get("far", 0)),
                          xfrm_policy("out", FAR_SPACE[kind.inner], NEAR_SPACE[kind.inner], far, near),
                          xfrm_policy("in", NEAR_SPACE[kind.inner], FAR_SPACE[kind.inner], near, far)])

    def counters(self):
        """Packets on the two SAs as the appliance and the kernel counted them."""
        _, states = self.guest.run("ip -s xfrm state")
        ours = {int(row["spi"], 0): row["counters"]["packets"] for row in self.box.ask("sa list")}
        return [(xfrm_counters(states, spi), ours[spi]) for spi in (self.spi, self.spi + 1)]

    def sequence(self, direction):
        return next(row["counters"]["sequence"] for row in self.box.ask("sa list") if row["direction"] == direction)

    def restart_at(self, number):
        """End the appliance and start it with its outbound numbers recorded as used up to `number`."""
        self.box.stop()
        path = os.path.join(self.box.folder, "state", "sequence")
        with open(path, encoding="ascii") as file:
            lines = file.read().splitlines()[:-1]
        lines = [f"{line.rsplit(' ', 1)[0]} {number}" if line.startswith("out ") else line for line in lines]
        text = "\n".join(lines) + "\n"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{text}sha256 {hashlib.sha256(text.encode()).hexdigest()}\n")
        self.box.start()

    def close(self):
        if self.guest:
            self.guest.close()
        self.host.close()
        self.box.close()


def counted(wire, packets):
    for kernel, appliance in wire.counters():
        assert kernel == appliance == packets, f"kernel counted {kernel}, appliance {appliance}, sent {packets}"


def appliance_first(wire, kind):
    wire.agree(kind)
    replies = wire.host.ping(INNER[kind.inner], PINGS, options=["-s", "1000"])
    assert replies == PINGS, f"{replies} of {PINGS} replies; drops: {wire.box.ask('drops')}"
    counted(wire, PINGS)


def kernel_first(wire, kind):
    """After appliance_first, on the same SAs."""
    status, output = wire.guest.run(f"ping -n -c {PINGS} -i 0.02 -W 2 {HOST[kind.inner]}", check=False)
    assert status == 0 and " 0% packet loss" in output, f"{output}\ndrops: {wire.box.ask('drops')}"
    counted(wire, 2 * PINGS)


CROSSING = Kind("aes-gcm-128", esn=True, salt="crossing")
STOPPING = Kind("aes-gcm-128", salt="stopping")
BEFORE_END = (1 << 32) - 8


def esn_crosses_inbound(wire):
    """The kernel's numbers pass 2^32: the appliance must infer the high half (RFC 4303, appendix A2)."""
    # A receiver at 0 takes numbers just below 2^32 for old ones, so there is a step on the way.
    wire.agree(CROSSING)
    for sequence, count in ((0xffff0000, 1), (BEFORE_END, 20)):
        wire.tell_kernel(CROSSING, {"far": sequence})
        status, output = wire.guest.run(f"ping -n -c {count} -i 0.02 -W 2 {HOST[4]}", check=False)
        assert status == 0 and " 0% packet loss" in output, f"{output}\ndrops: {wire.box.ask('drops')}"
    assert wire.sequence("in") == BEFORE_END + 20, wire.sequence("in")


def esn_crosses_outbound(wire):
    """Our numbers pass 2^32 and the kernel infers the high half. The record on disk is moved up to get there.

    After esn_crosses_inbound, whose SA it goes on with.
    """
    wire.restart_at(BEFORE_END)
    wire.tell_kernel(CROSSING, {"near": 0xffff0000, "far": BEFORE_END + 100})
    assert wire.host.ping(INNER[4], 20) == 20, wire.box.ask("drops")
    assert wire.sequence("out") == BEFORE_END + 20, wire.sequence("out")
    _, states = wire.guest.run("ip xfrm state")
    assert "seq-hi 0x1" in states, states


def without_esn_it_stops(wire):
    """At 2^32 an SA without ESN is used up: packets drop by name and no number comes twice."""
    wire.agree(STOPPING)
    assert wire.host.ping(INNER[4], 1) == 1
    wire.restart_at(BEFORE_END)
    wire.tell_kernel(STOPPING, {"near": 0xffff0000, "far": 100})
    replies = wire.host.ping(INNER[4], 12, wait=1)
    assert replies <= 8, replies
    net.eventually(lambda: any(row["reason"] == "sa-sequence-exhausted" and row["packets"] >= 4
                               for row in wire.box.ask("drops")), what=f"the drops after {replies} replies")
    assert wire.sequence("out") == 1 << 32, "the next number would be the first that does not fit"


def tcp_to_kernel(wire, kind):
    wire.agree(kind)
    wire.guest.run("rm -f /tmp/got; setsid socat -u TCP6-LISTEN:7000,reuseaddr,ipv6only=0 CREATE:/tmp/got "
                   "> /dev/null 2>&1 & sleep 1")
    wire.host.sh(f"head -c 1000000 /dev/zero | socat -u - TCP:{bracket(INNER[kind.inner])}:7000")
    wire.guest.run("for i in $(seq 50); do test \"$(stat -c %s /tmp/got)\" = 1000000 && exit 0; sleep 0.1; done; "
                   "stat -c %s /tmp/got; exit 1")


def tcp_from_kernel(wire, kind):
    got = os.path.join(wire.box.folder, "got")
    listener = wire.host.start("socat", "-u", "TCP6-LISTEN:7001,reuseaddr,ipv6only=0", f"CREATE:{got}")
    net.eventually(lambda: ":7001" in wire.host.run("ss", "-ltn").stdout, what="the listener")
    wire.guest.run(f"head -c 1000000 /dev/zero | socat -u - TCP:{bracket(HOST[kind.inner])}:7001", timeout=60)
    net.eventually(lambda: os.path.getsize(got) == 1000000, what="all of it")
    listener.stop()


def bracket(address):
    return f"[{address}]" if ":" in address else address


def main():
    net.signals_raise()
    wire = Wire()
    try:
        wire.start()
        for kind in KINDS:
            tap.add(f"appliance to kernel: {kind.name}", appliance_first, wire, kind)
            tap.add(f"kernel to appliance: {kind.name}", kernel_first, wire, kind)
        for kind in (Kind("aes-gcm-256", esn=True), Kind("aes-cbc-256", "sha256-128", nat_t=True),
                     Kind("aes-gcm-128", outer=6, inner=6)):
            tap.add(f"TCP to the kernel: {kind.name}", tcp_to_kernel, wire, kind)
            tap.add(f"TCP from the kernel: {kind.name}", tcp_from_kernel, wire, kind)
        tap.add("ESN across 2^32, kernel to appliance", esn_crosses_inbound, wire)
        tap.add("ESN across 2^32, appliance to kernel", esn_crosses_outbound, wire)
        tap.add("without ESN an SA stops at 2^32", without_esn_it_stops, wire)
        tap.main()
    finally:
        wire.close()


main()
