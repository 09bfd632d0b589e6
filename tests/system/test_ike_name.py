#!/usr/bin/python3
"""A peer by its name: either end may begin."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib.ike_pair import SECRET, Pair
from lib.ike_site import outer, space

NAME = "right.example.com"


def call(end, name, address):
    """What a name means at an end: it has /etc/hosts for itself."""
    end.box.namespace.sh(f"printf '%s\\n' '127.0.0.1 localhost' '{address} {name}' >/run/hosts && "
                         "(mountpoint -q /etc/hosts || mount --bind /run/hosts /etc/hosts)")


def by_name(end, mode="Default"):
    return [end.connection("s2s", NAME, [space(2), space(2, 6)], key=SECRET, connectionMode=mode,
                           appliance={"remoteId": outer(2)})]


def comes_up(pair, mode):
    """mode: of the end that has the name."""
    pair.left.apply([])
    net.eventually(lambda: not any(end.sas() for end in pair.end), 20, what="the end of the IKE_SA")
    pair.right.apply([])
    pair.left.apply(by_name(pair.left, mode))
    pair.right.apply(pair.connections(pair.right))
    pair.await_pings()
    initiates = "initiator" in pair.left.established()[0]
    assert mode == "Default" or initiates == (mode == "InitiatorOnly"), pair.left.established()
    assert pair.pings() == [5, 5] == pair.pings(version=6), pair.explain()


def start(pair):
    call(pair.left, NAME, outer(2))
    pair.record()
    pair.left.start(by_name(pair.left))
    pair.right.start(pair.connections(pair.right))
    pair.await_pings()


def main():
    net.signals_raise()
    with Pair() as pair:
        tap.add("starts", start, pair)
        for mode in ("Default", "InitiatorOnly", "ResponderOnly"):
            tap.add(f"comes up as {mode}", comes_up, pair, mode)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
