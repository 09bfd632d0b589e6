#!/usr/bin/python3
"""Packets larger than a hop: fragmented where allowed, "packet too big" where not, on plain hops."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib import resources as az
from lib.scene import Scene

CONFIG = {"virtualNetworks": [az.vnet("v", ["10.1.0.0/16", "fd01::/48"], [
    az.subnet("wide", "10.1.1.0/24", "fd01:0:0:1::/64"), az.subnet("narrow", "10.1.2.0/24", "fd01:0:0:2::/64")])]}
NARROW = 1300


def fits(scene):
    for version, overhead in ((4, 28), (6, 48)):
        assert scene.pings("wide", "narrow", version, options=["-M", "do", "-s", str(NARROW - overhead)]) == 3


def ipv4_without_df_is_fragmented(scene):
    assert scene.pings("wide", "narrow", options=["-M", "dont", "-s", "1400"]) == 3, scene.drops()


def ipv4_with_df_says_too_big(scene):
    """The first packet meets the hop's MTU and comes back as an ICMP error that names it; the kernel learns it."""
    out = scene.host["wide"].run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s", "1400",
                                 scene.ip("narrow"), check=False).stdout
    assert "mtu = 1300" in out or "mtu=1300" in out, out
    assert scene.drops().get("mtu-exceeded", 0) > 0, scene.drops()
    route = scene.host["wide"].run("ip", "route", "get", scene.ip("narrow")).stdout
    assert "mtu 1300" in route, route
    scene.host["wide"].ip("route flush cache")


def ipv6_says_too_big(scene):
    out = scene.host["wide"].run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s", "1400",
                                 scene.ip("narrow", 6), check=False).stdout
    assert "mtu=1300" in out or "mtu = 1300" in out, out
    # Then the sender's kernel fragments by itself.
    assert scene.pings("wide", "narrow", 6, options=["-s", "1400"]) == 3, scene.drops()
    scene.host["wide"].ip("-6 route flush cache")


def fragments_arrive_whole(scene):
    """The sender fragments at 1500, the hop is narrower: fragments are cut again."""
    for size in ("3000", "8000"):
        assert scene.pings("wide", "narrow", options=["-M", "dont", "-s", size]) == 3, (size, scene.drops())
        # IPv6 is cut by the sender alone: the first one may have to learn the size.
        scene.pings("wide", "narrow", 6, count=1, options=["-s", size])
        assert scene.pings("wide", "narrow", 6, options=["-s", size]) == 3, (size, scene.drops())


def tcp_finds_its_size(scene):
    for version in (4, 6):
        address = scene.ip("narrow", version)
        got = os.path.join(scene.box.folder, f"got{version}")
        scene.host["narrow"].start("socat", "-u", f"TCP{version}-LISTEN:910{version},reuseaddr", f"CREATE:{got}")
        net.eventually(lambda v=version: f":910{v} " in scene.host["narrow"].run("ss", "-ltn").stdout,
                       what="the listener")
        target = f"[{address}]" if version == 6 else address
        scene.host["wide"].sh(f"head -c 1000000 /dev/zero | socat -u - TCP{version}:{target}:910{version}")
        net.eventually(lambda path=got: os.path.getsize(path) == 1000000, what="all bytes")


def main():
    net.signals_raise()
    scene = Scene(CONFIG, {"wide": "v/wide", "narrow": "v/narrow"}, "mtu", start=False)
    try:
        scene.config["appliance"]["ports"][1]["mtu"] = NARROW
        scene.box.start(scene.config)
        scene.host["narrow"].ip(f"link set eth0 mtu {NARROW}")
        for story in (fits, ipv4_without_df_is_fragmented, ipv4_with_df_says_too_big, ipv6_says_too_big,
                      fragments_arrive_whole, tcp_finds_its_size):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
