#!/usr/bin/python3
"""Isthmus to Isthmus by IKE: up from cold, traffic both ways, down and up again, never in clear."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net, tap
from lib.ike_pair import Pair, stop_all
from lib.ike_site import inner

LOAD_S = 3


def starts_from_cold(pair):
    """The hosts speak before there is a tunnel, and hear each other when there is one."""
    chatter = [end.host.start("ping", "-n", "-q", "-i", "0.02", inner(3 - end.number)) for end in pair.end]
    pair.record()
    pair.left.start(pair.connections(pair.left))
    net.eventually(lambda: pair.left.drops().get("sa-missing"), 10, what="a packet before the tunnel")
    began = time.monotonic()
    pair.right.start(pair.connections(pair.right))
    pair.await_pings()
    print(f"# from the start of the second daemon to the first answer: {time.monotonic() - began:.2f} s")
    for process in chatter:
        process.stop()
    assert pair.pings() == [5, 5], pair.explain()
    assert pair.pings(version=6) == [5, 5], pair.explain()


def one_tunnel_is_left(pair):
    """Both ends initiate: whatever happened on the way, one IKE_SA with one child remains."""
    pair.await_one()


def tcp_passes(pair):
    for end in pair.end:
        for version in (4, 6):
            assert pair.transfer(end, version=version), (end.name, version, pair.explain())


def nothing_is_lost_under_load(pair):
    streams = pair.streams()
    time.sleep(LOAD_S)
    for sent, missing in stop_all(streams):
        assert sent > 100 * LOAD_S and not missing, (sent, missing[:10], pair.explain())


def down_and_up_again(pair):
    """Without its peer an end has no tunnel, and its hosts' packets go nowhere; the peer's return is enough."""
    assert pair.right.box.stop() == 0
    pair.right.forget_vici()
    net.eventually(lambda: not pair.left.established(), 20, what="the end of the IKE_SA")
    assert pair.left.ping(inner(2), 3, wait=1) == 0
    assert pair.left.drops().get("sa-missing", 0) > 0
    pair.right.box.start()
    pair.await_pings()
    assert pair.pings() == [5, 5], pair.explain()


def without_its_connection_nothing_passes(pair):
    """The configuration drops the connection at one end; the space behind it is nobody's then."""
    pair.left.apply([])
    assert pair.left.ping(inner(2), 3, wait=1) == 0
    net.eventually(lambda: not pair.left.sas(), 20, what="the end of the IKE_SA")
    pair.left.apply(pair.connections(pair.left))
    pair.await_pings()


def nothing_went_in_clear(pair):
    """The recording began before the daemons did."""
    pair.check_clear()
    esp = sum(capture.count("ip proto 50 or ip6 proto 50 or udp port 4500") for capture in pair.captures)
    assert esp > 100 * LOAD_S, f"only {esp} packets of ESP were recorded"


def main():
    net.signals_raise()
    with Pair() as pair:
        for story in (starts_from_cold, one_tunnel_is_left, tcp_passes, nothing_is_lost_under_load, down_and_up_again,
                      without_its_connection_nothing_passes, nothing_went_in_clear):
            tap.add(story.__name__, story, pair)
        tap.main()


main()
