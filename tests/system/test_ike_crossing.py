#!/usr/bin/python3
"""Both ends begin at the same time, and both succeed: one IKE_SA goes, and the other one stays for good."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import threading
import time

from lib import net, tap
from lib.ike_pair import Pair

DELAY_MS = 30
APART_S = 2 * DELAY_MS / 1000  # the first one is up at its own end when the second one comes, and not before that began
PLANNED_S = 12  # charon deletes what it believes to be replaced ten seconds later


def in_parallel(*functions, apart=0):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
        time.sleep(apart)
    for thread in threads:
        thread.join()


def comes_up(pair):
    pair.start()
    pair.await_pings()


def one_of_two_stays(pair):
    begun = [len(end.box.log()) for end in pair.end]
    pair.wire.set("both", "ike", delay=DELAY_MS)
    in_parallel(*(lambda e=end: e.vici.ask("terminate", {"ike": "s2s", "timeout": "-1", "force": "yes"})
                  for end in pair.end))
    in_parallel(*(lambda e=end: e.vici.ask("initiate", {"ike": "s2s", "child": "s2s-1", "timeout": "-1"})
                  for end in pair.end), apart=APART_S)
    time.sleep(1)
    pair.wire.clear()
    pair.await_one(30)
    said = "".join(end.box.log()[n:] for end, n in zip(pair.end, begun))
    if "IKE_SAs at once" not in said:
        tap.skip("one end was too late to begin")
    time.sleep(4)  # the child of the other one drains
    before = [sorted(row["spi"] for row in end.box.ask("sa list")) for end in pair.end]
    end = time.monotonic() + PLANNED_S
    while time.monotonic() < end:
        now = [sorted(row["spi"] for row in side.box.ask("sa list")) for side in pair.end]
        assert now == before, f"{before} became {now}\n{pair.explain()}"
        time.sleep(0.2)
    assert pair.pings() == [5, 5]


def main():
    net.signals_raise()
    with Pair() as pair:
        for story in (comes_up, one_of_two_stays):
            tap.add(story.__name__, story, pair)
        tap.main()


main()
