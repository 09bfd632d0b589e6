#!/usr/bin/python3
"""Two appliances on the same segments: the primary is the hosts' gateway, and they follow the role wherever it goes."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net
from lib.pair import DURATION_S, tell
from lib.shared_pair import GATEWAY, HOST, SUBNETS, Shared
from lib.stream import Stream

RATE = 500


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
