#!/usr/bin/python3
"""Who starts: packets that wait bring a tunnel up at once, and never from an end that only answers."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net, tap
from lib.ike_pair import SECRET, Pair
from lib.ike_site import inner

PAUSE_S = 6  # of an end that was refused: the next pause is about twice as long
AT_ONCE_S = 3


def connections(pair, end, mode="Default", **more):
    return pair.connections(end, connectionMode=mode, **more)


def ike_frames(pair):
    """On the wire so far."""
    counters = pair.wire.counters()
    return sum(counters[way]["ike"]["frames"] for way in pair.wire.ENDS)


def chatter(end):
    """Packets into the tunnel until it is stopped."""
    return end.host.start("ping", "-n", "-q", "-i", "0.05", inner(3 - end.number))


def up(pair):
    return all(len(end.established()) == 1 == len(end.children()) for end in pair.end)


def silent(pair, seconds):
    """No IKE is on the wire for a while."""
    before = ike_frames(pair)
    time.sleep(seconds)
    assert ike_frames(pair) == before, pair.explain()


def responder_does_not_start(pair):
    """Whatever waits there; the other end is there and does not know of it yet."""
    pair.record()
    pair.left.start([])
    pair.right.start(connections(pair, pair.right, "ResponderOnly"))
    net.eventually(pair.right.charon_pid, 20, what="charon of the end that answers")
    waiting = chatter(pair.right)
    try:
        net.eventually(lambda: pair.right.drops().get("sa-missing", 0) > 5, what="packets wait for the tunnel")
        silent(pair, 4)
    finally:
        waiting.stop()
    assert not pair.right.sas()


def initiator_starts(pair):
    """Without any packet."""
    pair.left.apply(connections(pair, pair.left, "InitiatorOnly"))
    net.eventually(lambda: up(pair), 10, what="the tunnel is up")
    pair.await_pings(5)
    assert pair.pings() == [5, 5], pair.explain()
    initiators = [end.established()[0].get("initiator") for end in pair.end]
    assert initiators == ["yes", None], initiators


def responder_waits_for_its_peer(pair):
    """It ends the tunnel, and packets wait: who comes is the other."""
    for _ in range(2):
        old = pair.left.established()[0]["initiator-spi"]
        waiting = chatter(pair.right)
        try:
            pair.right.box.ask("connection reset", name="s2s")
            net.eventually(lambda o=old: up(pair) and pair.left.established()[0]["initiator-spi"] != o, 10,
                           what="the tunnel is up again")
        finally:
            waiting.stop()
        assert pair.left.established()[0]["initiator"] == "yes" and pair.pings() == [5, 5], pair.explain()


def await_long_pause(pair):
    """Until an end whose peer refuses it has just tried again, after a pause that was long already."""
    seen, since = ike_frames(pair), time.monotonic()

    def tried():
        nonlocal seen, since
        now, pause = ike_frames(pair), time.monotonic() - since
        if now != seen:
            seen, since = now, time.monotonic()
            return pause if pause > PAUSE_S else None
        return None
    pause = net.eventually(tried, 60, what=f"a pause of {PAUSE_S} s")
    time.sleep(0.5)
    silent(pair, 1)
    return pause


def elsewhere(end):
    """A connection to nobody: charon is there, and refuses all others."""
    return [end.connection("elsewhere", "192.0.2.99", ["10.99.0.0/16"], key=SECRET, connectionMode="ResponderOnly")]


def refused(pair):
    """The peer has no such connection, for so long that tries are rare."""
    pair.right.apply(elsewhere(pair.right))
    net.eventually(lambda: not pair.left.established(), 20, what="the end of the IKE_SA")
    return await_long_pause(pair)


def packet_brings_it_up(pair):
    """At once, where the next try would be made much later; as the next case shows."""
    pause = refused(pair)
    pair.right.apply(connections(pair, pair.right, "ResponderOnly"))
    silent(pair, 1)
    began, waiting = time.monotonic(), chatter(pair.left)
    try:
        net.eventually(lambda: up(pair), what="the tunnel is up", timeout=pause)
        took = time.monotonic() - began
    finally:
        waiting.stop()
    print(f"# {took:.2f} s from the first packet, after a pause of {pause:.0f} s")
    assert took < AT_ONCE_S, pair.explain()
    assert pair.pings() == [5, 5], pair.explain()


def without_packets_it_waits(pair):
    """Nobody is asked more often than the pause says while nothing waits."""
    pause = refused(pair)
    pair.right.apply(connections(pair, pair.right, "ResponderOnly"))
    silent(pair, AT_ONCE_S)
    net.eventually(lambda: up(pair), 3 * pause, what="the tunnel is up")


def packet_to_a_peer_that_returns(pair):
    """Nobody answered: charon's own tries become rare, too. Packets wait all the time."""
    assert pair.right.box.stop() == 0
    pair.right.forget_vici()
    net.eventually(lambda: not pair.left.established(), 20, what="the end of the IKE_SA")
    waiting = chatter(pair.left)
    try:
        time.sleep(21)
        pair.right.box.start()
        net.eventually(pair.right.charon_pid, 20, what="charon of the end that answers")
        began = time.monotonic()
        net.eventually(lambda: up(pair), 20, what="the tunnel is up")
        took = time.monotonic() - began
    finally:
        waiting.stop()
    print(f"# {took:.2f} s from the return of the peer's charon")
    assert took < 2 * AT_ONCE_S, pair.explain()


def main():
    net.signals_raise()
    with Pair() as pair:
        for story in (responder_does_not_start, initiator_starts, responder_waits_for_its_peer, packet_brings_it_up,
                      without_packets_it_waits, packet_to_a_peer_that_returns):
            tap.add(story.__name__, story, pair)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
