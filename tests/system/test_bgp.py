#!/usr/bin/python3
"""Two gateways tell each other their networks by BGP through their tunnel, with bird run by the appliance."""

import os
import signal
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib.bgp_site import SESSION, BgpPair, await_routes, await_session, asn, bgp_address, gateway_routes, peers
from lib.ike_pair import SECRET, stop_all
from lib.ike_site import space


def bird_pid(end):
    """Of the bird of its gateway."""
    return end.box.ask("status")["gatewayNamespaces"][0]["processId"]


def networks_are_told(pair):
    """No static prefix at either end: what is reached was learned."""
    pair.start()
    for end in pair.end:
        peer = 3 - end.number
        row = await_session(end)
        assert row["asn"] == asn(peer) and row["neighbor"] == bgp_address(peer), row
        assert row["localAddress"] == bgp_address(end.number) and row["connectedDuration"].startswith("00:00:"), row
        await_routes(end, lambda routes, p=peer: routes.get(space(p)) == "Active")
    pair.await_pings()
    assert pair.pings() == [5, 5], pair.explain()


def the_vendors_shapes(pair):
    end = pair.left
    learned = {row["network"]: row for row in end.box.ask("routes learned", gateway="gw")["value"]}
    far, own = learned[space(2)], learned[space(1)]
    assert (far["asPath"], far["origin"], far["nextHop"], far["sourcePeer"]) == (
        str(asn(2)), "EBgp", bgp_address(2), bgp_address(2)), far
    assert (own["asPath"], own["origin"], own["nextHop"]) == ("", "Network", None), own
    told = end.box.ask("routes advertised", gateway="gw", peer=bgp_address(2))["value"]
    assert [(row["network"], row["asPath"], row["nextHop"]) for row in told] == [
        (space(1), str(asn(1)), bgp_address(1))], told
    assert end.box.ask("routes advertised", peer="10.9.9.9")["value"] == []
    assert "Connected" in end.box.command("bgp", "peers").stdout
    try:
        end.box.ask("bgp peers", gateway="none")
    except Exception as refused:  # pylint: disable=broad-except
        assert "NotFound" in str(refused), refused
    else:
        raise AssertionError("a gateway that is not there")


def one_more_network_touches_no_session(pair):
    """A connection with static prefixes is new: its prefixes are told by the session that was there."""
    pid, streams = bird_pid(pair.left), pair.streams(200)
    config = pair.config(pair.left)
    config["connections"].append(pair.left.connection("static", "192.0.2.77", ["172.31.0.0/16"], key=SECRET))
    pair.left.apply(**config)
    await_routes(pair.right, lambda routes: routes.get("172.31.0.0/16") == "Active")
    pair.left.apply(**pair.config(pair.left))
    await_routes(pair.right, lambda routes: "172.31.0.0/16" not in routes)
    for sent, missing in stop_all(streams):
        assert sent > 10 and not missing, (sent, missing[:20], pair.explain())
    assert bird_pid(pair.left) == pid
    assert peers(pair.left)["s2s"]["state"] == "Connected" and "closed" not in pair.left.box.log()


def a_killed_bird_is_replaced(pair):
    pid = bird_pid(pair.left)
    os.kill(pid, signal.SIGKILL)
    net.eventually(lambda: gateway_routes(pair.right).get(space(1)) is None, 10, what="the routes' end")
    await_session(pair.left)
    pair.await_pings()
    assert bird_pid(pair.left) != pid


def a_killed_isthmusd_finds_its_bird(pair):
    pid = bird_pid(pair.left)
    pair.left.box.stop(signal.SIGKILL)
    pair.left.forget_vici()
    pair.left.box.start()
    pair.await_pings(40)
    time.sleep(SESSION["holdSeconds"] + 1)  # a session that survived, survives
    for end in pair.end:
        await_session(end, timeout=30)
    pair.await_pings()
    assert bird_pid(pair.left) == pid
    assert "is taken over" in pair.left.box.log()


def a_stopped_end_is_forgotten_at_once(pair):
    """The session is ended in good order: the peer does not wait for its hold time."""
    namespaces = pair.right.box.namespace.sh("ls /run/netns").stdout
    assert f"isthmus-{pair.right.box.name}-gw" in namespaces, namespaces
    pair.right.box.stop()
    await_routes(pair.left, lambda routes: space(2) not in routes, 2, what="no routes")
    assert "Administrative" in (peers(pair.left)["s2s"]["lastError"] or ""), peers(pair.left)
    left = pair.right.box.namespace.sh("ls /run/netns /run/isthmus").stdout
    assert pair.right.box.name not in left, left


def main():
    net.signals_raise()
    with BgpPair() as pair:
        for story in (networks_are_told, the_vendors_shapes, one_more_network_touches_no_session,
                      a_killed_bird_is_replaced, a_killed_isthmusd_finds_its_bird,
                      a_stopped_end_is_forgotten_at_once):
            tap.add(story.__name__, story, pair)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
