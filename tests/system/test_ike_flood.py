#!/usr/bin/python3
"""A flood of IKE_SAs that strangers begin and do not end, at a gateway whose tunnel carries traffic: no packet of the
tunnel is lost, it rekeys, another peer still gets in, and what the strangers left is small and goes away."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import threading
import time

from lib import net, processes, tap
from lib.ike_flood import Crowd, Spoofer
from lib.ike_pair import SECRET, End
from lib.ike_site import inner, outer, space
from lib.stream import Stream
from lib.switch import Switch

CROWD = [f"192.0.2.{n}" for n in range(16, 116)]
NOBODY = [f"192.0.2.{n}" for n in range(120, 250)]
EACH = 10  # half-open IKE_SAs of one of the crowd: a thousand
SPOOFED = 2000
HALF_OPEN_S = 12
COOKIES_FROM = 60  # half-open IKE_SAs, charon_file.c
RATE = 200
GROWTH_MB = {"isthmusd": 8, "charon": 48}


class Scene:
    def __init__(self):
        self.switch = Switch()
        self.end, self.parts, self.streams = [], [], []
        try:
            self.end = [End(self.switch, number) for number in (1, 2, 3)]
            self.gateway, self.peer, self.late = self.end
            self.stranger = net.Namespace("stranger")
            self.parts.append(self.stranger)
            self.switch.plug(self.stranger, "eth0")
            self.stranger.address("eth0", *(f"{address}/24" for address in CROWD))
            self.crowd = Crowd(self.stranger, CROWD, outer(1))
            self.spoofer = Spoofer(self.stranger, outer(1))
            self.parts += [self.crowd, self.spoofer]
        except BaseException:
            self.close()
            raise

    def start(self):
        """The gateway has a peer whose address it does not know: it must listen to all who come."""
        g = self.gateway
        anyone = g.connection("anyone", "nowhere.example.com", ["10.9.0.0/16"], key=SECRET, connectionMode="ResponderOnly",
                              appliance={"remoteId": "roamer"})
        g.start([*(g.connection(f"to{n}", outer(n), [space(n)], key=SECRET) for n in (2, 3)), anyone],
                appliance={"ike": {"halfOpenTimeoutSeconds": HALF_OPEN_S}})
        self.peer.start(self.connection(self.peer))
        self.await_ping(self.peer)
        pairs = ((g, self.peer), (self.peer, g))
        self.streams = [Stream(a.host, b.host, inner(b.number), 9000, RATE).start() for a, b in pairs]

    def connection(self, end):
        return [end.connection("to1", outer(1), [space(1)], key=SECRET)]

    def await_ping(self, end, timeout=30):
        net.eventually(lambda: end.ping(inner(1), 1, wait=1), timeout, what=f"{end.name} reaches the gateway")

    def half_open(self):
        return int(self.gateway.vici.ask("stats")["ikesas"]["half-open"])

    def memory_mb(self):
        return {"isthmusd": processes.resident_mb(self.gateway.box.process.pid),
                "charon": processes.resident_mb(self.gateway.charon_pid())}

    def close(self):
        for stream in self.streams:
            stream.stop()
        for part in (*reversed(self.parts), *self.end, self.switch):
            part.close()


def spoofed_flood_costs_nothing(scene):
    """Who cannot read the answer gets no further than the cookie, the peers' own addresses among them."""
    scene.memory = scene.memory_mb()
    scene.spoofer.send([*NOBODY, outer(2), outer(3)], SPOOFED)
    left = scene.half_open()
    print(f"# {SPOOFED} first messages left {left} half-open IKE_SAs")
    assert 10 < left <= COOKIES_FROM + 20, left


def thousand_half_open(scene):
    """Those who do answer cookies."""
    taken = scene.crowd.open(EACH)
    print(f"# {scene.crowd.cookies} cookies asked, {taken} taken, {scene.half_open()} half-open now")
    assert scene.crowd.cookies > 0.9 * len(CROWD) * EACH, scene.crowd.cookies
    assert taken >= 0.95 * len(CROWD) * EACH and scene.half_open() >= 0.8 * taken, (taken, scene.half_open())


def tunnel_rekeys(scene):
    before = scene.gateway.counters("to2")
    scene.gateway.rekey(child="to2-1")
    scene.gateway.rekey(ike="to2")
    net.eventually(lambda: all(scene.gateway.counters("to2")[what] > before[what]
                               for what in ("child-rekey", "ike-rekey-init")), what="both rekeyed")


def new_peer_gets_in(scene):
    """While messages in its own name go on to come."""
    began = time.monotonic()
    flood = threading.Thread(target=scene.spoofer.send, args=([*NOBODY, outer(3)], 3000))
    flood.start()
    try:
        scene.late.start(scene.connection(scene.late))
        scene.await_ping(scene.late, 60)
        print(f"# from its start to the first answer: {time.monotonic() - began:.1f} s")
    finally:
        flood.join()


def nothing_was_lost(scene):
    for stream in scene.streams:
        missing = stream.stop()
        assert stream.sent > 5 * RATE and not missing, f"lost {len(missing)} of {stream.sent}: {missing[:10]}"
    drops = scene.gateway.sa_drops()
    assert not drops, drops


def half_open_drain(scene):
    net.eventually(lambda: scene.half_open() == 0, 3 * HALF_OPEN_S, what="no half-open IKE_SA")
    grown = {name: now - scene.memory[name] for name, now in scene.memory_mb().items()}
    print("# memory grew by " + ", ".join(f"{mb:.1f} MB ({name})" for name, mb in grown.items()))
    assert all(mb < GROWTH_MB[name] for name, mb in grown.items()), grown
    net.eventually(lambda: all(len(scene.gateway.established(name)) == 1 for name in ("to2", "to3")), 20,
                   what="one IKE_SA with each peer")


def main():
    net.signals_raise()
    scene = Scene()
    try:
        tap.add("comes_up", scene.start)
        for story in (spoofed_flood_costs_nothing, thousand_half_open, tunnel_rekeys, new_peer_gets_in, nothing_was_lost,
                      half_open_drain):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
