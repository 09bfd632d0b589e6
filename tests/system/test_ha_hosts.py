#!/usr/bin/python3
"""Two appliances on the same segments: the primary is the hosts' gateway, and they follow the role wherever it goes."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net
from lib import resources as az
from lib.pair import DURATION_S, Pair, tell
from lib.stream import Stream

RATE = 500
SUBNETS = {"left": ("10.1.1.0/24", "fd00:1:1::/64"), "right": ("10.1.2.0/24", "fd00:1:2::/64")}
GATEWAY = {"left": ("10.1.1.1", "fd00:1:1::1"), "right": ("10.1.2.1", "fd00:1:2::1")}
HOST = {"left": ("10.1.1.4", "fd00:1:1::4"), "right": ("10.1.2.4", "fd00:1:2::4")}


class Shared(Pair):
    """A pair whose ports hang on two switches, with a host on each."""

    def __init__(self, lease):
        super().__init__(lease)
        self.switch, self.host = {}, {}
        for side in SUBNETS:
            self.switch[side], self.host[side] = net.Namespace("switch"), net.Namespace(side)
            self.switch[side].sh("ip link add br0 type bridge && ip link set br0 up")
            self._plug(side, self.host[side], "eth0", "host")
            for node, box in self.box.items():
                self._plug(side, box.namespace, side, f"node-{node}")
                net.quiet(box.namespace, side)
            for version in (0, 1):
                length = SUBNETS[side][version].rsplit("/", 1)[1]
                self.host[side].address("eth0", f"{HOST[side][version]}/{length}")
                self.host[side].route("default", GATEWAY[side][version])

    def _plug(self, side, namespace, link, name):
        net.veth(self.switch[side], name, namespace, link, plain=False)
        self.switch[side].ip(f"link set {name} master br0")

    def config(self, node, **more):
        config = super().config(node, **more)
        config["virtualNetworks"] = [az.vnet("shop", [p for pair in SUBNETS.values() for p in pair],
                                             [az.subnet(side, *prefixes) for side, prefixes in SUBNETS.items()])]
        config["appliance"].update(ports=[az.port(side, side) for side in SUBNETS],
                                   attachments=[az.attach(f"shop/{side}", side) for side in SUBNETS])
        return config

    def mac(self, node, side):
        return self.box[node].namespace.run("cat", f"/sys/class/net/{side}/address").stdout.strip()

    def gateway_mac(self, side, version=0):
        """Where the host believes its gateway to be."""
        words = self.host[side].run("ip", "neigh", "show", GATEWAY[side][version], "dev", "eth0").stdout.split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else None

    def is_gateway(self, node):
        return all(self.gateway_mac(side, version) == self.mac(node, side) for side in SUBNETS for version in (0, 1))

    def pings(self, count=3, version=0):
        return self.host["left"].ping(HOST["right"][version], count)

    def drops(self, node, reason):
        return sum(row["packets"] for row in self.box[node].ask("drops") if row["reason"] == reason)

    def close(self):
        super().close()
        for namespace in (*self.switch.values(), *self.host.values()):
            namespace.close()


def the_primary_alone_answers(p):
    p.start("a", "b")
    assert p.primary() == "a"
    assert p.pings() == 3 and p.pings(version=1) == 3
    assert p.is_gateway("a")
    net.eventually(lambda: p.drops("b", "not-primary") > 0, what="b hears the question and is silent")
    assert p.drops("a", "not-primary") == 0


def a_follower_forwards_and_takes_nothing(p):
    """What is sent to it goes on, to a host that it has to ask for first; nobody takes it for the gateway."""
    left = p.host["left"]
    left.ip(f"neigh replace {GATEWAY['left'][0]} lladdr {p.mac('b', 'left')} dev eth0 nud permanent")
    assert p.pings() == 3
    left.ip(f"neigh del {GATEWAY['left'][0]} dev eth0")
    assert p.pings() == 3
    assert p.is_gateway("a")


def interrupted(p, how):
    """What `how` costs a stream: seconds from the first lost datagram to the last."""
    stream = Stream(p.host["left"], p.host["right"], HOST["right"][0], rate=RATE).start()
    try:
        net.eventually(lambda: stream.newest > RATE / 2, what="the stream runs")
        first = stream.sent
        how()
        mark = stream.sent
        net.eventually(lambda: stream.newest > mark + RATE / 2, 20, what="the stream runs again")
    finally:
        lost = stream.stop()
    lost = [n for n in lost if n >= first - 5]
    print(f"# lost {len(lost)} of {RATE} a second")
    return (lost[-1] - lost[0] + 1) / RATE if lost else 0


def a_killed_primary_is_followed(p):
    node = p.primary()
    seconds = interrupted(p, lambda: p.takeover(node, p.kill))
    assert 0 < seconds < DURATION_S, seconds
    assert net.eventually(lambda: p.is_gateway(p.other(node)), what="both families follow")
    assert p.pings(version=1) == 3
    p.start(node)
    assert p.pings(20) == 20 and p.is_gateway(p.other(node))


def a_stopped_primary_comes_back_silent(p):
    """Stopped for longer than its lease, with a question in its queue: its answer would draw the hosts back."""
    node = p.primary()
    other = p.other(node)
    seconds = interrupted(p, lambda: p.takeover(node, p.pause))
    assert seconds < DURATION_S + 1.5, seconds
    for side in SUBNETS:
        p.host[side].run("ip", "neigh", "flush", "dev", "eth0", check=False)
    assert p.pings() == 3
    p.resume(node)
    assert interrupted(p, lambda: time.sleep(1)) == 0
    assert p.is_gateway(other) or p.pings(version=1) == 3 and p.is_gateway(other)
    net.eventually(lambda: (p.show(node) or {}).get("holder") == other, what="it sees the new primary")


def one_that_leaves_hands_over(p):
    node = p.primary()
    seconds = interrupted(p, lambda: p.takeover(node, p.leave))
    assert seconds < DURATION_S, seconds
    assert net.eventually(lambda: p.is_gateway(p.other(node)), what="both families follow")


tell(Shared, (the_primary_alone_answers, a_follower_forwards_and_takes_nothing, a_killed_primary_is_followed,
              a_stopped_primary_comes_back_silent, one_that_leaves_hands_over))
