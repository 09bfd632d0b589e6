#!/usr/bin/python3
"""Rekeying under load: children and IKE_SAs are replaced every few seconds, on both ends' initiative, and no packet is
lost. REKEY_S: seconds of load, for a long run; REKEY_RATE: packets a second each way."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net, tap
from lib.ike_pair import Pair, stop_all

LOAD_S = int(os.environ.get("REKEY_S", 12))
RATE = int(os.environ.get("REKEY_RATE", 400))
CHILD_S, IKE_S = 2, 5
TOGETHER = 6  # rekeyings that both ends begin at once, of each kind


def rekeyings(pair):
    """Completed ones of (children, IKE_SAs), begun by either end."""
    counters = [end.counters("s2s") for end in pair.end]
    return (sum(c["child-rekey"] for c in counters) // 2,
            sum(c["ike-rekey-init"] for c in counters))


def check_nothing_lost(pair, streams, before):
    for sent, missing in stop_all(streams):
        print(f"# {sent} packets one way")
        assert sent > 1000 and not missing, f"lost {len(missing)} of {sent}: {missing[:20]}\n{pair.explain()}"
    for end, drops in zip(pair.end, before):
        assert end.sa_drops() == drops, (end.name, drops, end.sa_drops(), pair.explain())


def one_of_each(pair):
    """After the drain there is one IKE_SA with one child, and nothing else."""
    return all(len(end.sas()) == 1 and len(end.children(state=None)) == 1 for end in pair.end)


def by_lifetime(pair):
    """Lifetimes of both ends are the same: now one begins, now the other, now both."""
    pair.start(childLifetimeSeconds=CHILD_S, ikeLifetimeSeconds=IKE_S)
    pair.await_pings()
    drops = [end.sa_drops() for end in pair.end]
    before, streams = rekeyings(pair), pair.streams(RATE)
    time.sleep(LOAD_S)
    check_nothing_lost(pair, streams, drops)
    children, ikes = (now - then for now, then in zip(rekeyings(pair), before))
    print(f"# {children} rekeyings of children and {ikes} of IKE_SAs in {LOAD_S} s")
    assert children >= LOAD_S / CHILD_S / 2 and ikes >= LOAD_S / IKE_S / 2, (children, ikes)


def begun_by_both_at_once(pair):
    for end in pair.end:
        end.apply(pair.connections(end))  # lifetimes of hours
    net.eventually(lambda: one_of_each(pair), 40, what="one tunnel with the new lifetimes")
    pair.await_pings()
    drops = [end.sa_drops() for end in pair.end]
    before, streams = rekeyings(pair), pair.streams()
    for what in ("child", "ike"):
        for turn in range(TOGETHER):
            for end in pair.end:
                end.rekey(**{what: "s2s-1" if what == "child" else "s2s"})
            net.eventually(lambda w=what, n=turn: rekeyings(pair)[w == "ike"] - before[w == "ike"] > n, 20,
                           what=f"{what} rekeyed")
            time.sleep(0.3)
    check_nothing_lost(pair, streams, drops)
    collisions = sum(end.box.log().count("collision") for end in pair.end)
    print(f"# {collisions} collisions in both logs")
    assert collisions > 0, "the ends never began at once"


def main():
    net.signals_raise()
    with Pair() as pair:
        for story in (by_lifetime, begun_by_both_at_once):
            tap.add(story.__name__, story, pair)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
