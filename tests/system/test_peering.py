#!/usr/bin/python3
"""Peerings between hosts' kernels: both sides, states, flags, no transitivity, IPv4 and IPv6."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib import resources as az
from lib.scene import Scene


def three(a_to_b=None, b_to_a=None, b_to_c=None, c_to_b=None):
    """VNets a, b, c in a row, one subnet each; the peerings that are given."""
    def vnet(n, letter, *peerings):
        return az.vnet(letter, [f"10.{n}.0.0/16", f"fd0{n}::/48"],
                       [az.subnet("s", f"10.{n}.1.0/24", f"fd0{n}:0:0:1::/64")], [p for p in peerings if p])
    return {"virtualNetworks": [vnet(1, "a", a_to_b), vnet(2, "b", b_to_a, b_to_c), vnet(3, "c", c_to_b)]}


def row(**flags):
    """All four links, with the same flags."""
    return three(az.peering("ab", "b", **flags), az.peering("ba", "a", **flags),
                 az.peering("bc", "c", **flags), az.peering("cb", "b", **flags))


HOSTS = {"a": "a/s", "b": "b/s", "c": "c/s"}


def peered_vnets_talk(scene):
    for version in (4, 6):
        assert scene.reaches("a", "b", version), f"IPv{version}, {scene.drops()}"
        assert scene.reaches("b", "c", version), f"IPv{version}, {scene.drops()}"


def peering_is_not_transitive(scene):
    for version in (4, 6):
        assert scene.silent("a", "c", version)
    # 10/8 has a system route of type None, so the packet ends there; IPv6 has no such default.
    assert scene.drops().get("route-none", 0) >= 2, scene.drops()


def tcp_over_peering(scene):
    scene.listen("b", 8080)
    for version in (4, 6):
        assert scene.connects("a", "b", 8080, version)


def one_sided_peering_carries_nothing(scene):
    scene.box.apply({**scene.config, **three(az.peering("ab", "b"))})
    states = {p["name"]: p["peeringState"] for p in scene.box.ask("vnet peering list")}
    assert states == {"ab": "Initiated"}, states
    assert scene.silent("a", "b") and scene.silent("b", "a")
    scene.box.apply(scene.config)
    assert scene.reaches("a", "b")


def access_false_only_narrows_the_tag(scene):
    """Without an NSG nothing changes: the flag takes the remote space out of the VirtualNetwork tag."""
    scene.box.apply({**scene.config, **row(access=False)})
    assert scene.reaches("a", "b"), scene.drops()
    scene.box.apply(scene.config)


def strict_access_drops_by_name(scene):
    scene.box.apply({**scene.config, **row(access=False, strict=True)})
    before = scene.drops().get("peer-access-denied", 0)
    assert scene.silent("a", "b")
    assert scene.drops().get("peer-access-denied", 0) > before, scene.drops()
    assert any("ab" in name or "ba" in name for name in scene.deciders("peer-access-denied")), \
        scene.deciders("peer-access-denied")
    scene.box.apply(scene.config)
    assert scene.reaches("a", "b")


def forwarded(config, flag_to_c):
    """b's host forwards from a to c and back: what it sends for others enters a and c by their links to b."""
    config["virtualNetworks"] = three(
        az.peering("ab", "b", forwarded=True), az.peering("ba", "a"),
        az.peering("bc", "c"), az.peering("cb", "b", forwarded=flag_to_c))["virtualNetworks"]
    config["routeTables"] = [az.route_table("via-b", az.route("c", "10.3.0.0/16", "VirtualAppliance", "10.2.1.4"))]
    config["virtualNetworks"][0]["subnets"][0]["routeTable"] = {"id": "via-b"}
    config["routeTables"].append(az.route_table("back", az.route("a", "10.1.0.0/16", "VirtualAppliance", "10.2.1.4")))
    config["virtualNetworks"][2]["subnets"][0]["routeTable"] = {"id": "back"}
    config["networkInterfaces"] = [az.nic("b", "b/s", "10.2.1.4", forwarding=True)]
    return config


def forwarded_traffic_needs_its_flag():
    scene = Scene(forwarded(row(), False), HOSTS, "forwarded")
    try:
        scene.host["b"].run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        assert scene.silent("a", "c")
        assert scene.drops().get("peer-forwarded-denied", 0) >= 1, scene.drops()
        scene.apply(lambda config: forwarded(config, True))
        assert scene.reaches("a", "c"), scene.drops()
    finally:
        scene.close()


def main():
    net.signals_raise()
    scene = Scene(row(), HOSTS, "peering")
    try:
        for story in (peered_vnets_talk, peering_is_not_transitive, tcp_over_peering,
                      one_sided_peering_carries_nothing, access_false_only_narrows_the_tag,
                      strict_access_drops_by_name):
            tap.add(story.__name__, story, scene)
        tap.case(forwarded_traffic_needs_its_flag)
        tap.main()
    finally:
        scene.close()


main()
