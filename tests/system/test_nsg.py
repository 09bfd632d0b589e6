#!/usr/bin/python3
"""Security groups between hosts' kernels: first packets are judged, flows stay, rules name the drop."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import socket

from lib import net, tap
from lib import resources as az
from lib.scene import Scene

CONFIG = {
    "virtualNetworks": [az.vnet("v", ["10.1.0.0/16", "fd01::/48"], [
        az.subnet("web", "10.1.1.0/24", "fd01:0:0:1::/64"),
        az.subnet("db", "10.1.2.0/24", "fd01:0:0:2::/64", nsg="guard")])],
    "networkSecurityGroups": [az.nsg(
        "guard",
        az.rule("allow-sql", 100, "Inbound", "Allow", "Tcp", port="5432"),
        az.rule("allow-echo", 110, "Inbound", "Allow", "Icmp"),
        az.rule("allow-udp", 120, "Inbound", "Allow", "Udp", port="9000"),
        az.rule("refuse-rest", 200, "Inbound", "Deny"),
        az.rule("refuse-smtp", 100, "Outbound", "Deny", "Tcp", port="25"))]}
HOSTS = {"web": "v/web", "db": "v/db"}


def set_rule(config, name, **changes):
    for rule in config["networkSecurityGroups"][0]["securityRules"]:
        if rule["name"] == name:
            rule.update(changes)


def allowed_port_connects(scene):
    for version in (4, 6):
        assert scene.connects("web", "db", 5432, version), scene.drops()


def denied_port_names_the_rule(scene):
    for version in (4, 6):
        assert not scene.connects("web", "db", 8080, version)
    assert any("guard" in name and "refuse-rest" in name for name in scene.deciders("nsg-deny")), \
        scene.deciders("nsg-deny")


def outbound_rule_denies(scene):
    scene.listen("web", 25)
    assert not scene.connects("db", "web", 25)
    assert any("refuse-smtp" in name for name in scene.deciders("nsg-deny")), scene.deciders("nsg-deny")


def replies_pass_though_inbound_is_denied(scene):
    """db opens towards web: nothing inbound allows web's answers but the flow."""
    for version in (4, 6):
        assert scene.connects("db", "web", 8080, version), scene.drops()


def removed_rule_leaves_the_flow_alone(scene):
    """An established connection outlives its rule; a new one meets the new rules."""
    got = os.path.join(scene.box.folder, "got")
    os.mkfifo(got + ".in")
    scene.host["db"].start("socat", "-u", "TCP-LISTEN:5433,reuseaddr", f"CREATE:{got}")
    scene.apply(lambda c: set_rule(c, "allow-sql", destinationPortRange="5432-5433"))
    talker = scene.host["web"].start("socat", "-u", f"OPEN:{got}.in", f"TCP:{scene.ip('db')}:5433")
    with open(got + ".in", "wb", buffering=0) as pipe:
        pipe.write(b"before\n")
        net.eventually(lambda: os.path.exists(got) and os.path.getsize(got) == 7, what="the first line")
        scene.apply(lambda c: set_rule(c, "allow-sql", destinationPortRange="5432"))
        pipe.write(b"after\n")
        net.eventually(lambda: os.path.getsize(got) == 13, what="the second line on the old flow")
    talker.stop()
    assert not scene.connects("web", "db", 5433), "a new flow met the old rule"


def added_deny_leaves_udp_flow_alone(scene):
    """Both directions keep a UDP flow alive after its rule has gone."""
    scene.host["db"].start("socat", "UDP-LISTEN:9000,fork,reuseaddr", "EXEC:cat")
    with scene.host["web"].entered():
        talker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talker.connect((scene.ip("db"), 9000))
    talker.settimeout(0.5)

    def echoed():
        try:
            talker.send(b"x")
            return talker.recv(10) == b"x"
        except OSError:
            return False
    net.eventually(echoed, what="an echo")
    scene.apply(lambda c: set_rule(c, "allow-udp", access="Deny"))
    assert echoed(), "the flow was cut with its rule"
    with scene.host["web"].entered():
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.connect((scene.ip("db"), 9000))
    other.settimeout(0.5)
    other.send(b"x")
    try:
        assert not other.recv(10), "a new flow met the old rule"
    except TimeoutError:
        pass
    talker.close()
    other.close()


def flow_list_has_the_connection(scene):
    assert scene.reaches("web", "db")
    flows = scene.box.ask("flow list", subnet="v/db", address=scene.ip("web"))
    echo = [f for f in flows["value"] if f["protocol"] == "ICMP"]
    assert echo and echo[0]["direction"] == "in" and "allow-echo" in echo[0]["rule"], flows
    assert flows["live"] >= flows["matched"] >= 1, flows


def ip_flow_agrees_with_the_packets(scene):
    for port, access in ((5432, "Allow"), (8080, "Deny")):
        verdict = scene.box.ask("ip-flow", subnet="v/db", direction="in", protocol="TCP",
                                local=f"{scene.ip('db')}:{port}", remote=f"{scene.ip('web')}:40000")
        assert verdict["access"] == access, verdict
        assert scene.connects("web", "db", port) == (access == "Allow")


def fragments_share_the_verdict(scene):
    """A fragmented echo passes as a whole: later fragments have no ports to judge by."""
    assert scene.pings("web", "db", options=["-s", "4000"]) == 3, scene.drops()
    assert scene.pings("web", "db", 6, options=["-s", "4000"]) == 3, scene.drops()


def main():
    net.signals_raise()
    scene = Scene(CONFIG, HOSTS, "nsg")
    try:
        for port in (5432, 8080):
            scene.listen("db", port)
        scene.listen("web", 8080)
        for story in (allowed_port_connects, denied_port_names_the_rule, outbound_rule_denies,
                      replies_pass_though_inbound_is_denied, removed_rule_leaves_the_flow_alone,
                      added_deny_leaves_udp_flow_alone, flow_list_has_the_connection,
                      ip_flow_agrees_with_the_packets, fragments_share_the_verdict):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
