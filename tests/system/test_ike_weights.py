#!/usr/bin/python3
"""Two connections to one peer: the one with the higher weight carries all, and the other while the first is down."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib.ike_pair import SECRET, Pair
from lib.ike_site import inner, outer, space

WEIGHT = {"main": 20, "spare": 10}


def connections(end, *names):
    """An identity for each connection: the addresses are the same."""
    peer = 3 - end.number
    return [end.connection(name, outer(peer), [space(peer), space(peer, 6)], key=SECRET, routingWeight=WEIGHT[name],
                           dpdTimeoutSeconds=9,
                           appliance={"localId": f"{name}{end.number}", "remoteId": f"{name}{peer}"}) for name in names]


def apply(end, *names):
    end.apply(connections(end, *names))


def sent(end):
    """Packets of each connection's outbound SAs so far."""
    n = dict.fromkeys(WEIGHT, 0)
    for row in end.box.ask("sa list"):
        if row["direction"] == "out":
            n[row["tunnel"].removeprefix("connection ")] += row["counters"]["packets"]
    return n


def up(pair, *names):
    net.eventually(lambda: all(end.children(f"{name}-1") for end in pair.end for name in names), 30, what=f"{names} up")


def carried_by(pair, name):
    """Pings go by this one alone, both ways."""
    before = [sent(end) for end in pair.end]
    assert pair.pings() == [5, 5] == pair.pings(version=6), pair.explain()
    for end, old in zip(pair.end, before):
        grown = {key for key, n in sent(end).items() if n > old[key]}
        assert grown == {name}, (end.name, old, sent(end))


def higher_weight_carries_all(pair):
    pair.record()
    for end in pair.end:
        end.start(connections(end, "spare", "main"))
    pair.await_pings()
    up(pair, "main", "spare")
    carried_by(pair, "main")


def the_other_takes_over(pair):
    """The peer no longer has the first; no reload where the packets are sent from."""
    streams = pair.streams(200)
    try:
        apply(pair.right, "spare")
        net.eventually(lambda: not pair.left.children("main-1"), 20, what="the end of the first")
        sent_then = [stream.sent for stream in streams]
        net.eventually(lambda: all(s.newest > n for s, n in zip(streams, sent_then)), what="traffic by the other")
    finally:
        missing = [stream.stop() for stream in streams]
    print(f"# {[len(m) / 200 for m in missing]} s of traffic lost")
    assert all(len(m) < 400 for m in missing), pair.explain()
    carried_by(pair, "spare")


def the_first_comes_back(pair):
    apply(pair.right, "spare", "main")
    up(pair, "main", "spare")
    net.eventually(lambda: pair.left.ping(inner(2), 1, wait=1), what="an answer")
    carried_by(pair, "main")


def without_both_nothing_passes(pair):
    apply(pair.right)
    net.eventually(lambda: not pair.left.children(), 20, what="the end of both")
    before = pair.left.drops().get("sa-missing", 0)
    assert pair.left.ping(inner(2), 3, wait=1) == 0
    assert pair.left.drops()["sa-missing"] > before, pair.left.drops()


def main():
    net.signals_raise()
    with Pair() as pair:
        for story in (higher_weight_carries_all, the_other_takes_over, the_first_comes_back, without_both_nothing_passes):
            tap.add(story.__name__, story, pair)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
