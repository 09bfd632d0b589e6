#!/usr/bin/python3
"""What a peer may tell a gateway, and what comes of it. The peer is the other site's gateway, whose routing daemon is
the operator's: a bird with routes of the test's choice, or ip route by hand."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib.bgp_site import (SESSION, BgpPair, OperatorsBird, await_routes, await_session, bgp_address, gateway_routes,
                          inside, peers)
from lib.ike_site import inner, space

PASSWORD = "a password for a session"


class Pair(BgpPair):
    daemon = {1: "managed", 2: "external"}
    more = {}

    def session(self, number):
        return {**SESSION, **(self.more if number == 1 else {})}


def reason(end, prefix):
    """Why the gateway's route to it lost."""
    rows = end.box.ask("effective-routes", subnet="net/hosts")["value"]
    return [row["reason"] for row in rows
            if row["addressPrefix"] == [prefix] and row["source"] == "VirtualNetworkGateway"][0]


def routes_by_hand(pair):
    """Whoever gives the kernel routes is believed: here an operator."""
    end = pair.right
    inside(end, f"ip route add {space(1)} via {bgp_address(1)} dev gw")
    await_routes(end, lambda routes: routes.get(space(1)) == "Active")
    net.eventually(lambda: inside(end, f"ping -c 1 -W 1 -I {bgp_address(2)} {bgp_address(1)}",
                                  check=False).returncode == 0, 20, what="the peer's answer")
    assert peers(end)["s2s"]["state"] == "Unknown", peers(end)
    learned = end.box.ask("routes learned")["value"]
    assert [(row["network"], row["nextHop"]) for row in learned] == [(space(1), bgp_address(1))], learned
    inside(end, f"ip route del {space(1)}")
    await_routes(end, lambda routes: space(1) not in routes)
    inside(end, "ip route add 172.20.0.0/16 via 172.31.9.9 dev gw onlink")  # nobody's address
    inside(end, "ip route add 172.21.0.0/16 dev gw")
    inside(end, f"ip route add 172.22.0.0/16 via {bgp_address(1)} dev gw")
    await_routes(end, lambda routes: routes.get("172.22.0.0/16") == "Active")
    assert not {"172.20.0.0/16", "172.21.0.0/16"} & set(gateway_routes(end))
    inside(end, "ip route flush root 172.16.0.0/12")


def health(end):
    """{resource: fault} of its gateway's health."""
    row, = end.box.ask("gateway health", gateway="gw")["value"]
    assert (row["health"] == "Healthy") == (row["faults"] == []), row
    return {fault["resource"]: fault["id"] for fault in row["faults"]}


def a_peer_tells_its_networks(pair):
    net.eventually(lambda: health(pair.left) == {"s2s": "BGP_DOWN"}, 10, what="the tunnel is up, the session is not")
    assert "BGP_DOWN" in pair.left.box.command("gateway", "health").stdout
    pair.bird.tell([])
    await_session(pair.left)
    assert health(pair.left) == {"s2s": "NO_ROUTES"}
    pair.bird.tell([space(2)])
    await_session(pair.left)
    await_routes(pair.left, lambda routes: routes.get(space(2)) == "Active")
    await_routes(pair.right, lambda routes: routes.get(space(1)) == "Active")
    pair.await_pings()
    assert health(pair.left) == {}
    assert pair.right.box.ask("gateway health")["value"][0]["health"] == "Unknown"


def what_is_not_believed(pair):
    pair.bird.tell([space(2), space(1), "10.1.1.128/25", "10.0.0.0/8", "172.30.0.0/16"])
    routes = await_routes(pair.left, lambda routes: routes.get("172.30.0.0/16") and routes)
    assert space(1) not in routes, "exactly the virtual network's prefix"
    assert routes["10.0.0.0/8"] == "Active", "a shorter one is fine"
    assert routes["10.1.1.128/25"] == "Invalid", routes
    assert "preferred" in reason(pair.left, "10.1.1.128/25")
    pair.bird.tell([space(2)])
    pair.await_pings()


def a_default_route_takes_all(pair):
    """Forced tunnelling; it is not told to others, and goes when it is withdrawn."""
    pair.bird.tell([space(2), "0.0.0.0/0"])
    await_routes(pair.left, lambda routes: routes.get("0.0.0.0/0") == "Active")
    hop = pair.left.box.ask("next-hop", subnet="net/hosts", source=inner(1), destination="8.8.8.8")
    assert hop["nextHopType"] == "VirtualNetworkGateway", hop
    told = [row["network"] for row in pair.left.box.ask("routes advertised")["value"]]
    assert told == [space(1)], told
    pair.bird.tell([space(2)])
    await_routes(pair.left, lambda routes: "0.0.0.0/0" not in routes)


def many_come_and_go(pair):
    many = [f"172.{16 + i // 256}.{i % 256}.0/24" for i in range(1000)]
    pair.bird.tell([space(2), *many])
    await_routes(pair.left, lambda routes: sum(p.startswith("172.") for p in routes) == 1000, what="1,000 routes")
    pair.bird.tell([space(2), *many[500:]])
    await_routes(pair.left, lambda routes: sum(p.startswith("172.") for p in routes) == 500, what="500 routes")
    pair.bird.tell([space(2)])
    await_routes(pair.left, lambda routes: set(routes) == {space(2), bgp_address(2) + "/32"}, what="one route")
    assert pair.left.ping(inner(2), 2) == 2


def too_many_end_the_session(pair):
    """And it is tried again."""
    pair.more = {"maxPrefixes": 20}
    pair.left.apply(**pair.config(pair.left))
    await_session(pair.left)
    pair.bird.tell([space(2), *(f"172.16.{i}.0/24" for i in range(20))])
    net.eventually(lambda: "limit" in (peers(pair.left)["s2s"]["lastError"] or ""), 10, what="the limit")
    await_routes(pair.left, lambda routes: set(routes) == {bgp_address(2) + "/32"}, what="nothing learned")
    pair.bird.tell([space(2)])
    await_session(pair.left, timeout=30)
    pair.await_pings()


def a_password_that_differs(pair):
    pair.more = {"passwordFile": pair.left.key_file(PASSWORD)}
    pair.left.apply(**pair.config(pair.left))
    await_session(pair.left, state="Connecting")
    pair.bird.password = PASSWORD
    pair.bird.tell([space(2)])
    await_session(pair.left, timeout=30)
    assert PASSWORD not in pair.left.box.log() + pair.left.box.command("-o", "json", "config", "show").stdout
    mode = pair.left.box.namespace.sh(f"stat -c %a /run/isthmus/{pair.left.box.name}-gw.c").stdout.strip()
    assert mode == "600", mode


def a_silent_peer_is_given_up(pair):
    """Without BFD by the hold time, with it sooner; its link is up all the while."""
    pair.bird.process.popen.send_signal(19)
    await_routes(pair.left, lambda routes: space(2) not in routes, 8, what="no routes")
    pair.bird.process.popen.send_signal(18)
    await_session(pair.left, timeout=30)


def without_bgp_all_is_gone(pair):
    """Namespace and daemon stay no longer than they are needed."""
    connections = pair.connections(pair.left)
    connections[0][0]["enableBgp"] = False
    connections[0][1]["localNetworkAddressSpace"] = {"addressPrefixes": [space(2)]}
    pair.left.apply(connections)
    assert pair.left.box.ask("status")["gatewayNamespaces"] == []
    await_routes(pair.left, lambda routes: set(routes) == {space(2)}, what="the static route")
    net.eventually(lambda: "-gw." not in pair.left.box.namespace.sh("ls /run/isthmus").stdout, 10, what="the daemon's end")


def main():
    net.signals_raise()
    with Pair() as pair:
        pair.bird = OperatorsBird(pair.right, 1)
        pair.start()
        for story in (routes_by_hand, a_peer_tells_its_networks, what_is_not_believed, a_default_route_takes_all,
                      many_come_and_go, too_many_end_the_session, a_password_that_differs, a_silent_peer_is_given_up,
                      without_bgp_all_is_gone):
            tap.add(story.__name__, story, pair)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
