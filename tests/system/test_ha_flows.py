#!/usr/bin/python3
"""Two nodes tell each other their flows: whoever becomes primary lets go on what the other one had allowed."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import contextlib
import socket

from lib import net
from lib import resources as az
from lib.pair import tell
from lib.pki import write
from lib.sessions import Sessions
from lib.shared_pair import GATEWAY, HOST, SUBNETS, Shared
from lib.vip_pair import KEY, LINK

SESSIONS = 20
PORT = 7000


class Linked(Shared):
    """The left subnet lets nothing in that it has not asked for. Its own wire leads from node to node."""

    def __init__(self, lease):
        super().__init__(lease)
        net.veth(self.box["a"].namespace, "sync", self.box["b"].namespace, "sync")
        for node, box in self.box.items():
            box.namespace.address("sync", f"{LINK[node]}/24")
            write(box.folder, "node.key", KEY)
        self.linked = True

    def config(self, node, **more):
        config = super().config(node, **more)
        config["networkSecurityGroups"] = [az.nsg("closed", az.rule("nobody-in", 100, "Inbound", "Deny"))]
        config["virtualNetworks"][0]["subnets"][0]["networkSecurityGroup"] = az.ref("closed")
        if self.linked:
            config["appliance"]["highAvailability"]["peer"] = {
                "localAddress": LINK[node], "address": LINK[self.other(node)], "keyFile": "node.key"}
        return config

    def link(self, node):
        return (self.show(node) or {}).get("peer") or {}

    def await_link(self):
        net.eventually(lambda: all(self.link(node).get("connected") for node in self.box), 20, what="nodes are linked")

    def flows(self, node, port):
        return [f for f in self.box[node].ask("flow list")["value"] if port in (f["sourcePort"], f["destinationPort"])]

    def await_flows(self, node, port, count):
        return net.eventually(lambda: len(self.flows(node, port)) >= count and self.flows(node, port), 10,
                              what=f"{count} flows of port {port} at {node}")


def sessions_of(p, port, count=SESSIONS):
    return Sessions(p.host["left"], p.host["right"], HOST["right"][0], port, count)


def fails_over(p, port):
    """How many sessions go on when their primary is killed."""
    node = p.primary()
    sessions = sessions_of(p, port)
    try:
        assert sessions.alive(5) == SESSIONS
        if p.linked:
            p.await_flows(p.other(node), port, SESSIONS)
        p.takeover(node, p.kill)
        net.eventually(lambda: all(p.gateway_mac(side) == p.mac(p.other(node), side) for side in SUBNETS),
                       what="hosts follow")
        return sessions.alive(4)
    finally:
        sessions.close()
        p.start(node)


def without_a_link_sessions_end(p):
    """What comes for them is nobody's any more, and those who would ask again wait."""
    p.linked = False
    p.start("a", "b")
    assert p.pings() == 3
    assert fails_over(p, PORT) == 0


def nodes_find_each_other(p):
    p.linked = True
    for node, box in p.box.items():
        box.stop()
    p.start("a", "b")
    p.await_link()
    assert p.link("a")["node"] == "b" and p.link("b")["node"] == "a"
    assert p.pings() == 3


def both_know_of_a_flow(p):
    sessions = sessions_of(p, PORT + 1, 1)
    try:
        assert sessions.alive(5) == 1
        node = p.primary()
        own, = [f for f in p.await_flows(node, PORT + 1, 1) if f["direction"] == "out"]
        other, = [f for f in p.await_flows(p.other(node), PORT + 1, 1) if f["direction"] == "out"]
        same = ("subnet", "protocol", "source", "sourcePort", "destination", "destinationPort", "tcpState", "rule",
                "timeoutSeconds")
        assert all(own[key] == other[key] for key in same), (own, other)
        assert own["tcpState"] == "established", own
    finally:
        sessions.close()
    net.eventually(lambda: {f["tcpState"] for f in p.flows(p.other(node), PORT + 1)} <= {"closed", "closing"},
                   what="the other node hears of the end")


def neighbours_are_known_to_both(p):
    """Whoever becomes primary need not ask first."""
    assert p.pings() == 3 and p.pings(version=1) == 3
    follower = p.box[p.other(p.primary())]
    for side in SUBNETS:
        mac = p.host[side].run("cat", "/sys/class/net/eth0/address").stdout.strip()
        for address in HOST[side]:
            net.eventually(lambda a=address, m=mac: any(
                n["address"] == a and n["macAddress"].lower() == m for n in follower.ask("neighbour list")), 10,
                           what=f"the follower knows {address}")


def sessions_survive_their_primary(p):
    assert fails_over(p, PORT + 2) == SESSIONS
    p.await_link()


def and_the_way_back(p):
    """A node that was away is told everything."""
    assert fails_over(p, PORT + 3) == SESSIONS
    p.await_link()


def answers_may_come_by_the_other_node(p):
    """The very first one may be there before the flow: it is sent again."""
    node = p.primary()
    right = p.host["right"]
    right.ip(f"neigh replace {GATEWAY['right'][0]} lladdr {p.mac(p.other(node), 'right')} dev eth0 nud permanent")
    try:
        sessions = sessions_of(p, PORT + 4, 2)
        try:
            assert sessions.alive(5) == 2
        finally:
            sessions.close()
    finally:
        right.ip(f"neigh del {GATEWAY['right'][0]} dev eth0")
        assert p.pings() == 3


def strangers_are_turned_away(p):
    """Who has no key says nothing, and the link stays."""
    listening = max(p.box, key=lambda node: LINK[node])
    before = p.link(listening)
    for data in (b"", b"GET / HTTP/1.0\r\n\r\n", os.urandom(5000), b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"):
        with p.box[p.other(listening)].namespace.entered(), socket.socket() as s:
            s.connect((LINK[listening], 4790))
            s.sendall(data)
            s.settimeout(1)
            with contextlib.suppress(OSError):
                s.recv(100)
    after = p.link(listening)
    assert after["connected"] and after["connections"] == before["connections"], after
    assert "key" in after["lastError"] or "connection" in after["lastError"], after


def another_key_is_refused(p):
    node = next(n for n in p.box if n != p.primary())
    p.box[node].stop()
    write(p.box[node].folder, "node.key", KEY[::-1])
    p.start(node)
    net.eventually(lambda: "key" in (p.link(node).get("lastError") or "") or
                   "key" in (p.link(p.other(node)).get("lastError") or ""), what="the key is refused")
    assert not p.link(node)["connected"] and not p.link(p.other(node))["connected"]
    p.box[node].stop()
    write(p.box[node].folder, "node.key", KEY)
    p.start(node)
    p.await_link()


def a_cut_link_comes_back(p):
    wire = p.box["a"].namespace
    wire.ip("link set sync down")
    net.eventually(lambda: not p.link("a")["connected"] and not p.link("b")["connected"], 15, what="silence is noticed")
    sessions = sessions_of(p, PORT + 5, 3)
    try:
        wire.ip("link set sync up")
        p.await_link()
        p.await_flows(p.other(p.primary()), PORT + 5, 3)
    finally:
        sessions.close()


tell(Linked, (without_a_link_sessions_end, nodes_find_each_other, both_know_of_a_flow, neighbours_are_known_to_both, sessions_survive_their_primary,
              and_the_way_back, answers_may_come_by_the_other_node, strangers_are_turned_away, another_key_is_refused,
              a_cut_link_comes_back))
