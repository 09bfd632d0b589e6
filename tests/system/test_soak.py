#!/usr/bin/python3
"""Garbage over every kind of port that works here: no crash, no lost packet buffer, every frame counted.

SOAK_FRAMES says how many frames each kind takes (100,000 by default; 10,000,000 for the long run).
"""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap

SOAK = os.path.abspath(os.path.join(os.environ.get("ISTHMUS_BUILD", "build"), "tests/whole/soak"))
FRAMES = os.environ.get("SOAK_FRAMES", "100000")

# What the port under test is, what is at the other end of its wire, and what the namespace needs first.
VETH = "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up"
KINDS = {
    "af_packet": ("driver: af_packet, interface: v0", "driver: af_packet, interface: v1", VETH),
    "af_xdp": ("driver: af_xdp, interface: v0", "driver: af_packet, interface: v1", VETH),
    # One socket under two names: a configuration with both ends of a wire would be refused.
    "memif": ("driver: memif, path: /run/m, server: true", "driver: memif, path: /run/n", "ln -s m /run/n"),
    # A bridge ties the TAP, once it is there, to the cable; it drops what has a multicast source.
    "tap": ("driver: tap, interface: t0", "driver: af_packet, interface: v0",
            VETH + "; ip link add br0 type bridge; ip link set br0 up; ip link set v1 master br0;"
            "(until ip link set t0 up master br0; do sleep 0.1; done) >/dev/null 2>&1 &"),
}


def soak(near, far, prepare):
    """The program's own exit status says whether all is well."""
    space = net.Namespace("soak")
    try:
        space.sh(prepare)
        done = space.run(SOAK, FRAMES, near, far, timeout=120 + int(FRAMES) // 2000, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        print("# " + done.stdout.strip().splitlines()[-1], flush=True)
    finally:
        space.close()


net.signals_raise()
for kind, what in KINDS.items():
    tap.add(kind, soak, *what)
tap.main()
