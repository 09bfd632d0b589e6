#!/usr/bin/python3
"""The kernel as a peer of IKE: charons in two guest kernels, and one of them with a charon that has ESP in userland.

When this fails, strongSwan, the guests or the wire are to blame, never the appliance.
"""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import uml
from lib import net, tap
from lib.charon import Charon, child, connection
from lib.wire import Wire
from uml_charon import GuestCharon

# outer 4, outer 6, inner 4, inner 6
LEFT = ("192.0.2.1", "2001:db8::1", "10.1.0.1", "fd01::1")
RIGHT = ("192.0.2.2", "2001:db8::2", "10.2.0.1", "fd02::1")
USER = ("192.0.2.3", "2001:db8::3", "10.3.0.1", "fd03::1")
GCM_ESN = ["aes256gcm16-ecp256-esn"]


class Lab:
    """left guest =wire= switch - right guest, and a host with a charon of its own."""

    def __init__(self):
        self.wire = Wire()
        self.switch = net.Namespace("switch")
        self.user = net.Namespace("user")
        self.guests = []
        self.user_charon = None
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self):
        end = self.wire.end()
        for space, link in ((self.wire.namespace, end), (self.switch, "guest")):
            self.guests.append(uml.Guest(space, link, wait=False))
        for guest in self.guests:
            guest.wait()
        self.wire.plug(self.switch, "wire")
        net.veth(self.user, "eth0", self.switch, "user")
        self.switch.sh("ip link add br0 type bridge; ip link set br0 up; "
                       "for l in wire guest user; do ip link set $l master br0; done")
        self.wire.start()
        self.user.address("eth0", USER[0] + "/24", USER[1] + "/64")
        self.user.address("lo", USER[2] + "/32", USER[3] + "/128")
        for guest, (outer4, outer6, inner4, inner6) in zip(self.guests, (LEFT, RIGHT)):
            guest.batch(["link set vec0 up", f"addr add {outer4}/24 dev vec0", f"addr add {outer6}/64 dev vec0 nodad",
                         f"addr add {inner4}/32 dev lo", f"addr add {inner6}/128 dev lo nodad"])
        self.left, self.right = (GuestCharon(guest).start() for guest in self.guests)
        self.user_charon = Charon(self.user).start()
        for c in (self.left, self.right, self.user_charon):
            c.psk("of the tests")

    def join(self, peer, addresses, outer, **more):
        """The left guest and a peer: both inner families through one tunnel."""
        prefixes = [f"{LEFT[2]}/32", f"{LEFT[3]}/128"], [f"{addresses[2]}/32", f"{addresses[3]}/128"]
        for c, here, there, own, other in ((self.left, LEFT, addresses, *prefixes), (peer, addresses, LEFT, *prefixes[::-1])):
            c.connection("site", connection(here[outer], there[outer], {"net": child(own, other, **more)}))
        self.left.initiate("net")

    def part(self, peer):
        self.left.terminate(ike="site")
        net.eventually(lambda: not peer.sas(), what="the peer forgets")

    def talks(self, addresses):
        for address in addresses[2:]:
            source = LEFT[3 if ":" in address else 2]
            _, output = self.guests[0].run(f"ping -n -c 5 -i 0.05 -W 2 -I {source} {address}", check=False)
            assert " 0% packet loss" in output, f"{output}\n{self.left.states()}\n{self.left.log()[-2000:]}"

    def close(self):
        for guest in self.guests:
            guest.close()
        if self.user_charon:
            self.user_charon.close()
        for space in (self.user, self.switch):
            space.close()
        self.wire.close()


def raw_esp_with_esn(lab, outer):
    before = lab.wire.counters()["right"]["esp"]["sent"]
    lab.join(lab.right, RIGHT, outer, esp_proposals=GCM_ESN)
    lab.talks(RIGHT)
    states = lab.left.states()
    assert states.count("esn") >= 2 and "espinudp" not in states, states
    assert lab.wire.counters()["right"]["esp"]["sent"] - before >= 10
    old = lab.left.children("net")[0]["spi-in"]
    lab.right.rekey(child="net")
    net.eventually(lambda: [c for c in lab.left.children("net") if c["spi-in"] != old], what="the new child")
    lab.talks(RIGHT)
    assert lab.left.children("net")[0]["esn"] == "1", lab.left.children("net")
    lab.part(lab.right)


def encapsulated(lab, outer):
    """The peer in userland asks for UDP by its NAT detection."""
    lab.join(lab.user_charon, USER, outer, esp_proposals=["aes128-sha256"])
    lab.talks(USER)
    assert "espinudp" in lab.left.states()
    lab.part(lab.user_charon)


def main():
    net.signals_raise()
    lab = Lab()
    try:
        for version, outer in ((4, 0), (6, 1)):
            tap.add(f"kernel to kernel: raw ESP with ESN over IPv{version}, rekeyed", raw_esp_with_esn, lab, outer)
            tap.add(f"kernel to userland: ESP in UDP over IPv{version}", encapsulated, lab, outer)
        tap.main()
    finally:
        lab.close()


main()
