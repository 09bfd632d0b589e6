#!/usr/bin/python3
"""FRR in a gateway's namespace in place of bird: what zebra gives its kernel is learned like any other routes."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib.bgp_site import BgpPair, asn, await_routes, await_session, bgp_address, gateway_routes, inside, space_of
from lib.ike_site import space

FRR = "/usr/lib/frr"


class Frr:
    """zebra and bgpd of a gateway."""

    def __init__(self, end, peer):
        self.end, self.path = end, f"{end.box.name}-frr"
        end.box.namespace.sh(f"mkdir -p /run/frr/{self.path} && chown -R frr:frr /run/frr")
        own = bgp_address(end.number)
        self.start("zebra", "")
        net.eventually(lambda: "zserv.api" in end.box.namespace.sh(f"ls /run/frr/{self.path}").stdout, 10, what="zebra")
        self.bgpd = self.start("bgpd", f"""router bgp {asn(end.number)}
 bgp router-id {own}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor {bgp_address(peer)} remote-as {asn(peer)}
 neighbor {bgp_address(peer)} ebgp-multihop 8
 neighbor {bgp_address(peer)} update-source {own}
 neighbor {bgp_address(peer)} timers 1 3
 neighbor {bgp_address(peer)} timers connect 1
 address-family ipv4 unicast
  network {space(end.number)}
""")

    def start(self, program, config):
        """Its files are of another user: FRR gives up root."""
        name = f"/run/frr/{self.path}/{program}.conf"
        self.end.box.namespace.sh(f"cat >{name} <<'EOF'\n{config}EOF\nchown frr:frr {name}")
        return self.end.box.namespace.start(
            "ip", "netns", "exec", space_of(self.end), f"{FRR}/{program}", "-N", self.path, "-P", "0", "-f", name,
            "-i", f"/run/frr/{self.path}/{program}.pid", "--log", "stdout",
            log=os.path.join(self.end.box.folder, f"{program}.log"))

    def ask(self, *lines):
        return inside(self.end, f"vtysh -N {self.path} " + " ".join(f"-c '{line}'" for line in lines)).stdout


class Pair(BgpPair):
    daemon = {1: "external", 2: "managed"}


def networks_are_exchanged(pair):
    pair.start()
    pair.frr = Frr(pair.left, 2)
    await_session(pair.right, timeout=30)
    await_routes(pair.left, lambda routes: routes.get(space(2)) == "Active")
    await_routes(pair.right, lambda routes: routes.get(space(1)) == "Active")
    pair.await_pings()
    route = inside(pair.left, f"ip route show {space(2)}").stdout
    assert bgp_address(2) in route and "proto bgp" in route, route


def a_withdrawn_network_goes(pair):
    connections = pair.connections(pair.right) + [
        pair.right.connection("static", "192.0.2.77", ["172.31.0.0/16"], key="a key that nobody has")]
    pair.right.apply(**{**pair.config(pair.right), "connections": connections})
    await_routes(pair.left, lambda routes: routes.get("172.31.0.0/16") == "Active")
    pair.right.apply(**pair.config(pair.right))
    await_routes(pair.left, lambda routes: "172.31.0.0/16" not in routes)
    assert gateway_routes(pair.left)[space(2)] == "Active"


def a_session_is_shut_down(pair):
    pair.frr.ask("configure terminal", f"router bgp {asn(1)}", f"neighbor {bgp_address(2)} shutdown")
    await_routes(pair.left, lambda routes: space(2) not in routes)
    await_routes(pair.right, lambda routes: space(1) not in routes)
    pair.frr.ask("configure terminal", f"router bgp {asn(1)}", f"no neighbor {bgp_address(2)} shutdown")
    await_routes(pair.left, lambda routes: routes.get(space(2)) == "Active", timeout=20)
    pair.await_pings()


def its_end_takes_routes_along(pair):
    """At the far end they may stay a while: FRR announces graceful restart."""
    pair.frr.bgpd.stop()
    await_routes(pair.left, lambda routes: space(2) not in routes)
    await_session(pair.right, state="Connecting")


def main():
    net.signals_raise()
    with Pair() as pair:
        for story in (networks_are_exchanged, a_withdrawn_network_goes, a_session_is_shut_down,
                      its_end_takes_routes_along):
            tap.add(story.__name__, story, pair)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
