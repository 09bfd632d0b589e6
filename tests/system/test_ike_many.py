#!/usr/bin/python3
"""A thousand tunnels from cold: both ends start at once, all come up in a stated time, each carries a packet both ways,
and neither memory nor the number of SAs is more than they need."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net, tap
from lib.ike_many import Many

TUNNELS = int(os.environ.get("TUNNELS", 1000))
WITHIN_S = 60  # on two cores
GROWN_KB = {"isthmusd": 40, "charon": 60}  # for a tunnel


def up_from_cold(many):
    many.start()
    took = many.await_up(WITHIN_S)
    print(f"# {many.count} tunnels in {took:.1f} s: {many.count / took:.0f} a second; from the start of both daemons")


def one_each_is_left(many):
    """Both ends start: what came up twice goes; charon keeps what it has replaced for a minute."""
    many.await_settled(90)


def each_carries_a_packet(many):
    many.check_packets()


def memory_is_bounded(many):
    for end in many.end:
        grown = {name: (now - many.empty_mb[end.name][name]) * 1024 / many.count
                 for name, now in end.memory_mb().items()}
        print(f"# {end.name}: " + ", ".join(f"{kb:.0f} KB a tunnel ({name})" for name, kb in grown.items()))
        assert all(kb < GROWN_KB[name] for name, kb in grown.items()), grown


def stays_up(many):
    """Nothing is started, ended or lost when all is there."""
    before = [end.ids() for end in many.end]
    time.sleep(5)
    for end, was in zip(many.end, before):
        now = end.ids()
        changed = {spi: (was.get(spi), now.get(spi)) for spi in was.keys() ^ now.keys()}
        assert not changed, f"{end.name}: SA, tunnel before, tunnel now: {changed}; {many.explain()}"
    many.check_packets()


def main():
    net.signals_raise()
    with Many(TUNNELS) as many:
        for story in (up_from_cold, one_each_is_left, each_carries_a_packet, stays_up, memory_is_bounded):
            tap.add(story.__name__, story, many)
        tap.main()


main()
