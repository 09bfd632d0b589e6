#!/usr/bin/python3
"""The rig itself: two guest kernels talk through each kind of SA that the other tests rely on.

When this fails, the kernel, the TAPs or our commands are to blame, never the appliance.
"""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import uml
from lib import net, tap
from sa_kinds import Kind, xfrm_counters, xfrm_policy, xfrm_state

LEFT = {4: ("192.0.2.1", "10.1.0.1/32"), 6: ("2001:db8::1", "fd01::1/128")}
RIGHT = {4: ("192.0.2.2", "10.2.0.1/32"), 6: ("2001:db8::2", "fd02::1/128")}
SPI = {"left": 0x1001, "right": 0x1002}  # by sender


def configure(guest, me, peer):
    """Addresses, and routes that send the inner destinations out of the wire, where a policy takes them."""
    lines = ["link set vec0 up"]
    for family in (4, 6):
        length = {4: 24, 6: 64}[family]
        nodad = " nodad" if family == 6 else ""
        lines += [f"addr add {me[family][0]}/{length} dev vec0{nodad}", f"addr add {me[family][1]} dev lo{nodad}"]
    lines += [f"route add {peer[f][1]} via {peer[f][0]} src {me[f][1].split('/')[0]}" for f in (4, 6)]
    guest.batch(lines)
    uml.open_nat_t(guest)


def install(guest, kind, me, peer, way_out, way_in, sequence):
    outer, inner = kind.outer, kind.inner
    here, there = me[outer][0], peer[outer][0]
    guest.batch([
        "xfrm state flush", "xfrm policy flush",
        xfrm_state(kind, way_out, here, there, SPI[way_out], sequence),
        xfrm_state(kind, way_in, there, here, SPI[way_in], sequence),
        xfrm_policy("out", me[inner][1], peer[inner][1], here, there),
        xfrm_policy("in", peer[inner][1], me[inner][1], there, here)])


def talks(left, right, kind, sequence=0):
    install(left, kind, LEFT, RIGHT, "left", "right", sequence)
    install(right, kind, RIGHT, LEFT, "right", "left", sequence)
    _, output = left.run(f"ping -n -c 20 -i 0.02 -W 2 {RIGHT[kind.inner][1].split('/')[0]}")
    assert " 0% packet loss" in output, output
    _, states = left.run("ip -s xfrm state")
    for spi in SPI.values():
        assert xfrm_counters(states, spi) == 20, states


def main():
    net.signals_raise()
    wire = net.Namespace("wire")
    guests = []
    try:
        guests = [uml.Guest(wire, "left"), uml.Guest(wire, "right")]
        wire.sh("ip link add br0 type bridge; ip link set br0 up; ip link set left master br0; "
                "ip link set right master br0")
        configure(guests[0], LEFT, RIGHT)
        configure(guests[1], RIGHT, LEFT)
        for kind in (Kind("aes-gcm-256"), Kind("aes-cbc-256", "sha512-256", nat_t=True),
                     Kind("aes-gmac-128", outer=6, inner=6), Kind("null", "sha256-128", outer=6, inner=4)):
            tap.add(f"two kernels: {kind.name}", talks, *guests, kind)
        tap.add("two kernels: ESN across 2^32", talks, *guests, Kind("aes-gcm-128", esn=True), 0xfffffff8)
        tap.main()
    finally:
        for guest in guests:
            guest.close()
        wire.close()


main()
