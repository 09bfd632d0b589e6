#!/usr/bin/python3
"""How fast a gateway learns, changes and forgets routes, and what becomes of packets meanwhile.

    ISTHMUS_BUILD=build tests/bench/bgp_routes.py [--routes N] [--rate PACKETS]

Two appliances with a tunnel; the far gateway's bird is told N static routes and tells them. All of it, four daemons and
both hosts, is on this machine. Needs root; leaves nothing. Times count from bird's reconfiguration at the far end to
the moment when the near one's compiled table has the last route.
"""

import argparse
import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net
from lib.bgp_site import SESSION, BgpPair, OperatorsBird, await_session
from lib.ike_pair import stop_all
from lib.ike_site import inner, space


class Pair(BgpPair):
    daemon = {1: "managed", 2: "external"}

    def session(self, number):
        return {**SESSION, "keepaliveSeconds": 10, "holdSeconds": 30, "maxPrefixes": 1000000}


def prefixes(n, first=0):
    return [f"{20 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24" for i in range(first, first + n)]


def used(end, prefix):
    """The compiled table leads there by the gateway."""
    return end.box.ask("next-hop", subnet="net/hosts", source=inner(1),
                       destination=prefix.split("/", maxsplit=1)[0])["nextHopType"] == "VirtualNetworkGateway"


def learned(end):
    return end.box.ask("status")["gatewayNamespaces"][0]["learnedRoutes"]


def change(pair, what, before, told, rate):
    """From one set of routes to another, under traffic."""
    gone, came = sorted(set(before) - set(told)), sorted(set(told) - set(before))
    streams = pair.streams(rate)
    then = time.monotonic()
    pair.bird.tell([space(2), *told])
    done = net.eventually(lambda: learned(pair.left) == len(told) + 1, 600, step=0.02, what=what)
    kernel = time.monotonic() - then
    net.eventually(lambda: all(used(pair.left, p) for p in came[-1:] + came[:1]) and
                   not any(used(pair.left, p) for p in gone[-1:] + gone[:1]), 600, step=0.02, what=what)
    took = time.monotonic() - then
    time.sleep(1)
    lost = [(sent, len(missing)) for sent, missing in stop_all(streams)]
    print(f"{what:24} in the kernel's table after {kernel:6.2f} s, in use after {took:6.2f} s; "
          f"packets lost each way: {', '.join(f'{n} of {sent}' for sent, n in lost)}", flush=True)
    return done


def main():
    net.signals_raise()
    parser = argparse.ArgumentParser()
    parser.add_argument("--routes", type=int, default=100000)
    parser.add_argument("--rate", type=int, default=2000, help="packets a second each way")
    options = parser.parse_args()
    with Pair() as pair:
        pair.start()
        pair.bird = OperatorsBird(pair.right, 1).tell([space(2)])
        await_session(pair.left, timeout=60)
        pair.await_pings(60)
        n = options.routes
        few, many, others = [], prefixes(n), prefixes(n // 2, n // 2) + prefixes(n // 2, n)
        change(pair, f"{n} routes learned", few, many, options.rate)
        change(pair, "one more", many, many + prefixes(1, 2 * n), options.rate)
        change(pair, "half of them exchanged", many + prefixes(1, 2 * n), others, options.rate)
        change(pair, "all withdrawn", others, few, options.rate)


main()
