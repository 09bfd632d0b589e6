#!/usr/bin/python3
"""A reload loses no packet and no flow; a refused configuration changes nothing."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import copy
import signal
import time

from lib import net, tap
from lib import resources as az
from lib.appliance import Refused
from lib.scene import Scene
from lib.stream import Stream

RELOADS = 100


def config(extra=0):
    """Two subnets that talk; extra: how many peerings, routes and rules come on top."""
    spokes = [az.vnet(f"spoke{i}", [f"10.{100 + i}.0.0/16"], [az.subnet("s", f"10.{100 + i}.0.0/24")],
                      [az.peering("hub", "v")]) for i in range(extra)]
    rules = [az.rule(f"rule{i}", 200 + i, "Inbound", "Deny", "Tcp", port=str(7000 + i)) for i in range(extra * 3)]
    routes = [az.route(f"route{i}", f"172.16.{i}.0/24", "None") for i in range(extra * 5)]
    return {
        "virtualNetworks": [az.vnet("v", ["10.1.0.0/16", "fd01::/48"], [
            az.subnet("a", "10.1.1.0/24", "fd01:0:0:1::/64", route_table="routes"),
            az.subnet("b", "10.1.2.0/24", "fd01:0:0:2::/64", nsg="guard")],
            [az.peering(f"spoke{i}", f"spoke{i}") for i in range(extra)])] + spokes,
        "routeTables": [az.route_table("routes", *routes)],
        "networkSecurityGroups": [az.nsg("guard", *rules)]}


def reloads_under_traffic(scene):
    """100 reloads that add and remove peerings, routes and rules; not one datagram is lost."""
    streams = [Stream(scene.host["a"], scene.host["b"], scene.ip("b", version), 9000 + version, 1000).start()
               for version in (4, 6)]
    time.sleep(0.5)
    began = time.monotonic()
    for number in range(RELOADS):
        scene.apply(lambda c, n=number: c.update(config(1 + n % 4 if n % 2 == 0 else 0)))
        time.sleep(0.02)
    took = time.monotonic() - began
    missing = [stream.stop() for stream in streams]
    print(f"# {RELOADS} reloads in {took:.1f} s, {sum(s.sent for s in streams)} datagrams")
    assert missing == [[], []], f"lost {[len(m) for m in missing]}, first {[m[:5] for m in missing]}; {scene.drops()}"
    assert not any(stream.duplicates() for stream in streams)
    status = scene.box.ask("status")
    assert status["reload"]["applied"] >= RELOADS, status
    net.eventually(lambda: scene.box.ask("status")["reload"]["retiredViews"] == 0, what="old views are freed")


def refused_configuration_changes_nothing(scene):
    scene.apply(lambda c: c.update(config(0)))
    generation = scene.box.ask("status")["configuration"]["generation"]
    before = scene.box.ask("effective-routes", subnet="v/a")
    broken = copy.deepcopy(scene.config)
    broken["virtualNetworks"][0]["subnets"][1]["addressPrefixes"] = ["10.1.1.128/25"]  # overlaps the first
    try:
        scene.box.apply(broken)
        raise AssertionError("accepted")
    except Refused as refused:
        assert "line" in str(refused) and "10.1.1" in str(refused), refused
    assert scene.box.ask("status")["configuration"]["generation"] == generation
    assert scene.box.ask("effective-routes", subnet="v/a") == before
    assert scene.reaches("a", "b"), scene.drops()
    scene.box.configure(scene.config)


def sighup_reads_the_file_again(scene):
    applied = scene.box.ask("status")["reload"]["applied"]
    scene.config.update(config(2))
    scene.box.configure(scene.config)
    scene.box.process.popen.send_signal(signal.SIGHUP)
    net.eventually(lambda: scene.box.ask("status")["reload"]["applied"] > applied, what="the reload")
    assert len(scene.box.ask("vnet list")) == 3


def what_needs_a_restart_is_said(scene):
    """More workers cannot come by a reload: refused, and nothing changes."""
    wants = copy.deepcopy(scene.config)
    wants["appliance"]["workers"] = 2
    try:
        scene.box.apply(wants)
        raise AssertionError("accepted")
    except Refused as refused:
        assert "workers" in str(refused), refused
    scene.box.configure(scene.config)
    assert scene.reaches("a", "b")


def tcp_lives_through_reloads(scene):
    """A transfer runs while the security group and the routes change under it."""
    got = os.path.join(scene.box.folder, "got")
    scene.host["b"].start("socat", "-u", "TCP-LISTEN:9100,reuseaddr", f"CREATE:{got}")
    net.eventually(lambda: ":9100 " in scene.host["b"].run("ss", "-ltn").stdout, what="the listener")
    sender = scene.host["a"].start("sh", "-c", "for i in $(seq 40); do head -c 50000 /dev/zero; sleep 0.05; done | "
                                   f"socat -u - TCP:{scene.ip('b')}:9100")
    for number in range(20):
        scene.apply(lambda c, n=number: c.update(config(n % 3)))
        time.sleep(0.05)
    net.eventually(lambda: not sender.alive(), 20, what="the sender is done")
    net.eventually(lambda: os.path.getsize(got) == 2000000, what="all bytes")


def main():
    net.signals_raise()
    scene = Scene(config(), {"a": "v/a", "b": "v/b"}, "reload")
    try:
        assert scene.reaches("a", "b") and scene.reaches("a", "b", 6)
        for story in (reloads_under_traffic, refused_configuration_changes_nothing, sighup_reads_the_file_again,
                      what_needs_a_restart_is_said, tcp_lives_through_reloads):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
