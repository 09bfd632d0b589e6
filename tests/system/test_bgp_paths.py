#!/usr/bin/python3
"""A gateway between two others: what one tells it the other hears, and what both tell is sent to both.

Site 2 is the hub; its tunnels lead to sites 1 and 3, which know of each other by BGP alone. Both have a network
172.30.0.0/24 besides, so that the hub has two ways there.
"""

import os
import signal
import socket
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib import resources as az
from lib.bgp_site import SESSION, await_routes, await_session, bgp_connection, bgp_gateway, gateway_routes, inside
from lib.ike_pair import End
from lib.ike_site import inner, outer, space
from lib.switch import Switch

BOTH = "172.30.0.0/24"
# The hold time alone would take a minute.
BFD = {**SESSION, "keepaliveSeconds": 20, "holdSeconds": 60, "bfd": True, "bfdIntervalMilliseconds": 300}
PORTS = range(9000, 9064)


class Star:
    def __init__(self):
        self.switch = Switch()
        self.end = {}
        try:
            for number in (1, 2, 3):
                self.end[number] = End(self.switch, number)
        except BaseException:
            self.close()
            raise
        self.hub = self.end[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for end in self.end.values():
            end.close()
        self.switch.close()

    def start(self):
        for number, end in self.end.items():
            others = (1, 3) if number == 2 else (2,)
            connections = [bgp_connection(end, f"to-{peer}", peer, outer(peer), session=BFD) for peer in others]
            more = {}
            if number != 2:
                more["virtualNetworks"] = [az.vnet("net", [space(number), BOTH], [
                    az.subnet("hosts", f"10.{number}.1.0/24"), az.subnet("GatewaySubnet", f"10.{number}.255.0/27")])]
            end.start(connections, wait=False, gateway=bgp_gateway(number), **more)
        for end in self.end.values():
            end.box.wait()

    def explain(self):
        return "\n".join(f"{end.name}: {end.drops()}\n{end.log()}" for end in self.end.values())


def sent(end):
    """Packets of each connection's outbound SAs."""
    n = {}
    for row in end.box.ask("sa list"):
        if row["direction"] == "out":
            n[row["tunnel"]] = n.get(row["tunnel"], 0) + row["counters"]["packets"]
    return n


def spray(end, count=8):
    """Packets of many flows to the network that both have; {connection: how many went by it}."""
    before = sent(end)
    with end.host.entered():
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in PORTS]
    for port, s in zip(PORTS, sockets):
        with s:
            s.bind((inner(end.number), port))
            for _ in range(count):
                s.sendto(b"x", ("172.30.0.4", 7))
    net.eventually(lambda: sum(sent(end).values()) - sum(before.values()) >= len(PORTS) * count, 5, what="all sent")
    return {name: n - before.get(name, 0) for name, n in sent(end).items()}


def one_hears_of_the_other(star):
    star.start()
    for peer in (1, 3):
        await_session(star.hub, f"to-{peer}", timeout=30)
        await_session(star.end[peer], "to-2", timeout=30)
        await_routes(star.end[peer], lambda routes, p=4 - peer: routes.get(space(p)) == "Active")
    path = {row["network"]: row["asPath"] for row in star.end[1].box.ask("routes learned")["value"]}
    assert path[space(3)] == "65002-65003", path
    for peer in (1, 3):
        net.eventually(lambda p=peer: star.end[p].ping(inner(4 - p), 1, wait=1), 20, what="an answer across the hub")
        assert star.end[peer].ping(inner(4 - peer), 5) == 5, star.explain()
        assert star.hub.ping(inner(peer), 3) == 3, star.explain()


def both_ways_are_used(star):
    await_routes(star.hub, lambda routes: routes.get(BOTH) == "Active")
    paths = [row for row in star.hub.box.ask("routes learned")["value"] if row["network"] == BOTH]
    assert sorted(row["asPath"] for row in paths) == ["65001", "65003"], paths
    assert inside(star.hub, f"ip route show {BOTH}").stdout.count("nexthop") == 2
    went = spray(star.hub)
    total = len(PORTS) * 8
    for peer in (1, 3):
        share = went[f"connection to-{peer}"]
        assert share > total / 4, went


def a_dead_way_is_left(star):
    """Its appliance dies without a word; BFD tells."""
    star.end[1].box.stop(signal.SIGKILL)
    then = time.monotonic()
    await_routes(star.hub, lambda routes: space(1) not in routes, 5, what="no routes of the dead")
    print(f"# routes of the dead are gone after {time.monotonic() - then:.2f} s, BFD at 300 ms times 3")
    assert gateway_routes(star.hub)[BOTH] == "Active"
    faults = [fault["resource"] for row in star.hub.box.ask("gateway health")["value"] for fault in row["faults"]]
    assert faults == ["to-1"], faults
    went = spray(star.hub)
    assert went.get("connection to-3", 0) >= len(PORTS) * 8, went
    assert star.hub.ping(inner(3), 3) == 3, star.explain()


def it_comes_back(star):
    star.end[1].forget_vici()
    star.end[1].box.start()
    await_session(star.hub, "to-1", timeout=40)
    await_routes(star.hub, lambda routes: routes.get(space(1)) == "Active")
    net.eventually(lambda: spray(star.hub).get("connection to-1", 0) > 8 * len(PORTS) / 4, 20, what="both ways again")


def main():
    net.signals_raise()
    with Star() as star:
        for story in (one_hears_of_the_other, both_ways_are_used, a_dead_way_is_left, it_comes_back):
            tap.add(story.__name__, story, star)
        tap.main()


main()
