#!/usr/bin/python3
"""One end of a tunnel moves. A NAT on the way forgets it and gives it another port, then another address; by MOBIKE a
peer takes another address itself. The SAs stay, and traffic goes on."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import shutil
import tempfile

from lib import net, tap
from lib.capture import Capture
from lib.charon import Charon, child, connection
from lib.ike_pair import COVERED, SECRET, End
from lib.ike_site import inner, outer, space
from lib.nat import Nat
from lib.stream import Stream
from lib.switch import Switch

GATEWAY, BRANCH, ROAMER, VAN = 2, 1, 3, 4
PUBLIC, PUBLIC_TOO = "192.0.2.1", "192.0.2.101"
HOMES = ("192.0.2.31", "192.0.2.32")  # of the roamer
PLACES = (outer(VAN), "192.0.2.44")
RATE = 200


class Scene:
    """A gateway, a branch behind a NAT, a stock charon that roams, and a van."""

    def __init__(self):
        self.switch = Switch()
        self.folder = tempfile.mkdtemp(prefix="isthmus-moves-")
        self.parts = []
        try:
            self.nat = self.keep(Nat(PUBLIC, "172.16.0.1/24"))
            self.nat.plug_outside(self.switch.namespace, "end0")
            self.switch.namespace.ip("link set end0 master switch")
            self.switch.ends = 1
            self.branch = self.keep(End(self.switch, BRANCH, nat=self.nat))
            self.gateway = self.keep(End(self.switch, GATEWAY))
            self.van = self.keep(End(self.switch, VAN))
            self.space = self.keep(net.Namespace("roamer"))
            self.switch.plug(self.space, "eth0")
            self.space.sh("sysctl -qw net.ipv4.conf.all.promote_secondaries=1")
            self.space.address("lo", inner(ROAMER) + "/32")
            self.space.address("eth0", *(f"{home}/24" for home in HOMES))
            self.roamer = self.keep(Charon(self.space, "roamer"))
            self.capture = Capture(self.folder, *((self.switch.namespace, f"end{n}") for n in range(4)))
        except BaseException:
            self.close()
            raise

    def keep(self, part):
        self.parts.append(part)
        return part

    def start(self):
        g = self.gateway
        # Nobody has this name: the peer is known by its identity alone.
        g.start([g.connection(f"to{n}", f"site{n}.invalid", [space(n)], key=SECRET, connectionMode="ResponderOnly",
                              appliance={"remoteId": f"site{n}"}) for n in (BRANCH, ROAMER, VAN)])
        self.branch.start([self.branch.connection("s2s", outer(GATEWAY), [space(GATEWAY)], key=SECRET,
                                                  appliance={"localId": f"site{BRANCH}"}, dpdTimeoutSeconds=9)])

    def sas(self, number):
        """The gateway's with a site."""
        return [row for row in self.gateway.box.ask("sa list") if row["name"].startswith(f"connection to{number}/")]

    def outbound(self, number):
        return next(row for row in self.sas(number) if row["direction"] == "out")

    def ike(self, number):
        return [sa["uniqueid"] for sa in self.gateway.established(f"to{number}")]

    def peer(self, number):
        """Where the gateway sends the site's packets: (address, port)."""
        sa = self.outbound(number)
        return sa["remote"], sa.get("remotePort")

    def explain(self):
        return f"gateway: {self.gateway.drops()}\n{self.gateway.log()}\nbranch: {self.branch.drops()}\n{self.branch.log()}"

    def close(self):
        if hasattr(self, "capture"):
            for dump in self.capture.dumps:
                dump.stop()
        for part in reversed(self.parts):
            part.close()
        self.switch.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def comes_up_through_a_nat(scene):
    scene.start()
    net.eventually(lambda: scene.branch.ping(inner(GATEWAY), 1, wait=1), 30, what="an answer to the branch")
    assert scene.gateway.ping(inner(BRANCH)) == 5, scene.explain()
    address, port = scene.peer(BRANCH)
    assert address == PUBLIC and port not in (500, 4500), scene.sas(BRANCH)


def moves(scene, number, move, hosts):
    """What `move` does shows at the gateway, the IKE_SA stays, and traffic stops for less than a second."""
    before, ike = scene.peer(number), scene.ike(number)
    (here, near), (there, far) = hosts
    streams = [Stream(here, there, far, 9000, RATE).start(), Stream(there, here, near, 9000, RATE).start()]
    try:
        net.eventually(lambda: all(s.newest > RATE / 10 for s in streams), what="traffic both ways")
        move()
        net.eventually(lambda: scene.peer(number) != before, 20, what="the peer elsewhere")
        sent = [s.sent for s in streams]
        net.eventually(lambda: all(s.newest > n + RATE / 10 for s, n in zip(streams, sent)), what="traffic both ways")
    finally:
        missing = [s.stop() for s in streams]
    print(f"# from {before} to {scene.peer(number)}: {[len(m) / RATE for m in missing]} s of traffic lost")
    assert all(len(m) < RATE for m in missing), scene.explain()
    assert scene.ike(number) == ike, scene.explain()


def branch_moves(scene, public=None):
    """The children stay, too. (A stock charon makes new ones: its ESP in userland cannot move.)"""
    spis = {row["spi"] for row in scene.sas(BRANCH)}
    moves(scene, BRANCH, lambda: scene.nat.rebind(public),
          ((scene.branch.host, inner(BRANCH)), (scene.gateway.host, inner(GATEWAY))))
    assert {row["spi"] for row in scene.sas(BRANCH)} == spis, (spis, scene.sas(BRANCH))


def nat_forgets_the_port(scene):
    branch_moves(scene)


def nat_takes_another_address(scene):
    branch_moves(scene, PUBLIC_TOO)
    assert scene.peer(BRANCH)[0] == PUBLIC_TOO, scene.sas(BRANCH)


def rekeys_where_it_is(scene):
    """By both ends, after the moves."""
    for end, name in ((scene.branch, "s2s"), (scene.gateway, f"to{BRANCH}")):
        for what in ({"child": f"{name}-1"}, {"ike": name}):
            spi = scene.outbound(BRANCH)["spi"]
            end.rekey(**what)
            if "child" in what:
                net.eventually(lambda old=spi: scene.outbound(BRANCH)["spi"] != old, what=f"{end.name} rekeys {what}")
            assert scene.branch.ping(inner(GATEWAY)) == 5 == scene.gateway.ping(inner(BRANCH)), scene.explain()


def silent_branch_is_found_again(scene):
    """Only the gateway's side talks: the branch's question whether its peer lives tells where it is."""
    questions = scene.branch.box.log().count("sending DPD request")
    net.eventually(lambda: scene.branch.box.log().count("sending DPD request") > questions, what="a first question")
    before = scene.peer(BRANCH)
    scene.nat.rebind(PUBLIC)
    net.eventually(lambda: scene.gateway.ping(inner(BRANCH), 1, wait=1), 20, what="an answer of the branch")
    assert scene.peer(BRANCH) != before and scene.peer(BRANCH)[0] == PUBLIC, scene.sas(BRANCH)
    assert scene.gateway.ping(inner(BRANCH)) == 5, scene.explain()


def peer_moves_by_mobike(scene):
    roamer = scene.roamer.start()
    roamer.psk(SECRET)
    roamer.connection("s2s", connection("%any", outer(GATEWAY), {"net": child(space(ROAMER), space(GATEWAY))}, encap=True,
                                        local={"auth": "psk", "id": f"site{ROAMER}"}))
    roamer.initiate("net")
    first = scene.peer(ROAMER)[0]
    second = HOMES[1 - HOMES.index(first)]
    for home, other in ((first, second), (second, first)):
        scene.space.run("ip", "addr", "replace", f"{other}/24", "dev", "eth0")
        moves(scene, ROAMER, lambda h=home: scene.space.ip(f"addr del {h}/24 dev eth0"),
              ((scene.space, inner(ROAMER)), (scene.gateway.host, inner(GATEWAY))))
        assert scene.peer(ROAMER)[0] == other, scene.sas(ROAMER)


def van_connection(scene):
    return [scene.van.connection("s2s", outer(GATEWAY), [space(GATEWAY)], key=SECRET, appliance={"localId": f"site{VAN}"})]


def appliance_moves_by_mobike(scene):
    """Its configuration gives it another address."""
    van = scene.van
    van.addresses = [PLACES[0]]  # with IPv6 charon might move to that
    van.start(van_connection(scene))
    net.eventually(lambda: van.ping(inner(GATEWAY), 1, wait=1), 30, what="an answer to the van")
    spis = {row["spi"] for row in scene.sas(VAN)}
    for place in reversed(PLACES):
        van.addresses = [place]
        moves(scene, VAN, lambda: van.apply(van_connection(scene)),
              ((van.host, inner(VAN)), (scene.gateway.host, inner(GATEWAY))))
        assert scene.peer(VAN)[0] == place, scene.sas(VAN)
        assert {row["spi"] for row in scene.sas(VAN)} == spis, (spis, scene.sas(VAN))


def nothing_went_in_clear(scene):
    scene.capture.stop()
    found = scene.capture.lines(f"not ({COVERED}) and not igmp and not (ip6 and ip6[6] = 0)")
    assert not found, "\n".join(found[:10])
    assert scene.capture.count("udp port 4500") > RATE


def main():
    net.signals_raise()
    scene = Scene()
    try:
        for story in (comes_up_through_a_nat, nat_forgets_the_port, nat_takes_another_address, silent_branch_is_found_again,
                      rekeys_where_it_is, peer_moves_by_mobike, appliance_moves_by_mobike, nothing_went_in_clear):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
