#!/usr/bin/python3
"""A pair behind a virtual address that routers find by BGP: who is sent there, and what deaths and hand-overs cost."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import contextlib
import signal
import time

from lib import net
from lib.appliance import Refused
from lib.pair import tell
from lib.processes import frozen, thread
from lib.vip_pair import ASN, PREPENDS, VIP, VIP6, VipPair

BOUND_S = 3  # of an outage, on machines without time


def both_tell_of_it(p):
    """The standby, too, by a longer path: the router has its way before it needs it."""
    p.start("a", "b")
    assert p.primary() == "a"
    for address in (VIP, VIP6):
        ways = p.await_routes("a", "b", address=address)
        assert ways == {"a": [str(ASN)], "b": [str(ASN)] * (1 + PREPENDS)}, ways
    assert p.show("a")["advertisedAs"] == "primary" and p.show("b")["advertisedAs"] == "standby"
    assert p.show("a")["virtualAddresses"] == [f"{VIP}/32", f"{VIP6}/128"]
    assert p.interrupted(lambda: time.sleep(0.5)) == (0, 0)
    assert p.router.space.ping(VIP6, 3, options=("-I", "2001:db8:c::1")) == 3


def a_drained_node_loses_nothing(p):
    lost, _ = p.interrupted(lambda: (p.box["a"].command("ha", "drain"), p.await_routes("b", "a")))
    assert lost == 0, f"{lost} lost"
    assert p.primary() == "b"
    ways = p.await_routes("b", "a")
    assert len(ways["b"]) == 1 and len(ways["a"]) == 1 + 2 * PREPENDS, ways
    shown = p.show("a")
    assert shown["drained"] and shown["role"] == "follower" and shown["advertisedAs"] == "drained"
    time.sleep(2)  # longer than the lease
    assert p.show("a")["role"] == "follower"


def one_that_resumes_is_standby(p):
    lost, _ = p.interrupted(lambda: (p.box["a"].command("ha", "resume"), net.eventually(
        lambda: len(p.router.routes().get("a", [])) == 1 + PREPENDS, what="a is standby again")))
    assert lost == 0, f"{lost} lost"
    assert p.primary() == "b" and not p.show("a")["drained"]
    # and takes the role when it is free
    try:
        lost, _ = p.interrupted(lambda: (p.box["b"].ask("ha drain"), p.await_routes("a", "b")))
        assert lost == 0 and p.primary() == "a", lost
    finally:
        p.box["b"].ask("ha resume")
    net.eventually(lambda: len(p.router.routes().get("b", [])) == 1 + PREPENDS, what="b is standby again")


def a_killed_primary_is_left(p):
    """Its daemon's words would have to pass through it: BFD tells."""
    lost, seconds = p.interrupted(lambda: (p.kill("a"), p.await_routes("b")))
    print(f"# {lost} lost in {seconds:.3f} s")
    assert seconds < BOUND_S, seconds
    assert p.primary() == "b"
    p.start("a")
    p.await_routes("b", "a")


def a_stopped_primary_is_left(p):
    """Nothing of it works and nothing tells so, but BFD through it."""
    lost, seconds = p.interrupted(lambda: (p.pause("b"), p.await_routes("a")))
    print(f"# {lost} lost in {seconds:.3f} s")
    assert lost and seconds < BOUND_S, (lost, seconds)
    assert p.primary() == "a"
    lost, seconds = p.interrupted(lambda: (p.resume("b"), p.await_routes("a", "b")))
    assert lost == 0, f"{lost} lost in {seconds:.3f} s"
    net.eventually(lambda: (p.show("b") or {}).get("advertisedAs") == "standby", what="b knows")


def a_worker_that_hangs_is_left(p):
    node = p.primary()
    with contextlib.ExitStack() as held:
        lost, seconds = p.interrupted(lambda: (
            held.enter_context(frozen(thread(p.box[node].process.pid, "worker"))), p.await_routes(p.other(node))))
        assert net.eventually(lambda: p.primary() == p.other(node), what="the role is given away")
        assert p.show(node)["unfit"] == "a worker does not turn" and p.show(node)["drained"], p.show(node)
    print(f"# {lost} lost in {seconds:.3f} s")
    assert seconds < BOUND_S, seconds
    p.await_routes(p.other(node), node)
    net.eventually(lambda: not p.show(node)["drained"] and p.show(node)["unfit"] is None, 15, what="it is trusted again")


def a_cut_link_is_left(p):
    node = p.primary()
    lost, seconds = p.interrupted(lambda: (p.wire[node].cut(), p.await_routes(p.other(node))))
    print(f"# {lost} lost in {seconds:.3f} s")
    assert lost and seconds < BOUND_S, (lost, seconds)
    # the other one reaches the router, and gets the role, too
    net.eventually(lambda: p.primary() == p.other(node), what="the role is given away")
    assert p.show(node)["unfit"] and p.show(p.other(node))["unfit"] is None, p.show(node)
    p.wire[node].join()
    p.await_routes(p.other(node), node)
    net.eventually(lambda: not p.show(node)["drained"], 15, what="it is trusted again")


def a_router_that_is_nobodys_changes_no_role(p):
    node = p.primary()
    for wire in p.wire.values():
        wire.cut()
    net.eventually(lambda: not p.router.routes(), what="both are left")
    time.sleep(3)
    for wire in p.wire.values():
        wire.join()
    assert p.primary() == node and p.show(node)["unfit"] is None, p.show(node)
    p.await_routes(node, p.other(node))


def one_that_leaves_loses_nothing(p):
    node = p.primary()
    lost, _ = p.interrupted(lambda: (p.box[node].stop(signal.SIGTERM), p.await_routes(p.other(node))))
    assert lost == 0, f"{lost} lost"
    p.start(node)
    p.await_routes(p.other(node), node)


def addresses_come_and_go(p):
    """With the configuration, without a session that ends; a refused one changes nothing."""
    node = p.primary()
    config = p.config(node)
    config["appliance"]["highAvailability"]["virtualAddresses"] = [f"{VIP6}/128"]
    config["appliance"]["highAvailability"]["routers"] = config["appliance"]["highAvailability"]["routers"][1:]
    config["appliance"]["uplinks"][0]["addresses"].remove(f"{VIP}/32")
    p.box[node].apply(config)
    p.await_routes(p.other(node))
    p.await_routes(node, p.other(node), address=VIP6)
    config["appliance"]["highAvailability"]["virtualAddresses"] = ["203.0.113.99/32"]
    try:
        p.box[node].apply(config)
        raise AssertionError("an address of nobody was accepted")
    except Refused as refused:
        assert "VirtualAddressNotOnUplink" in str(refused), refused
    p.await_routes(node, p.other(node), address=VIP6)
    p.box[node].apply(p.config(node))
    p.await_routes(node, p.other(node))


tell(VipPair, (both_tell_of_it, a_drained_node_loses_nothing, one_that_resumes_is_standby,
               a_killed_primary_is_left, a_stopped_primary_is_left, a_worker_that_hangs_is_left, a_cut_link_is_left,
               a_router_that_is_nobodys_changes_no_role, one_that_leaves_loses_nothing, addresses_come_and_go))
