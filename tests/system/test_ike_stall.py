#!/usr/bin/python3
"""A thread of the appliance stands still, as on a machine that has no time for it, while its rings fill: what the others
can do alone goes on, nothing is lost that need not be, and afterwards all is as before."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import socket
import struct
import threading
import time

from lib import net, processes, tap
from lib.ike_pair import Pair, stop_all
from lib.stream import Stream

STILL_S = 3
RATE = 200
FLOOD = 2000  # a second: more than control's ring holds, less than echo's limit
GATEWAY = "10.1.1.1"
DATA_KB = 1024                       # of a child at the left end
SOFT = DATA_KB * 1024 * 9 // 10      # where it asks for another
SHORT_OF_SOFT = STILL_S * RATE * 40  # less than a stream of small packets has in a pause


def policy(data_kb):
    return [{"saLifeTimeSeconds": 3600, "saDataSizeKilobytes": data_kb, "ipsecEncryption": "GCMAES256",
             "ipsecIntegrity": "GCMAES256", "ikeEncryption": "AES256", "ikeIntegrity": "SHA384", "dhGroup": "ECP384",
             "pfsGroup": "None"}]


class Echoes:
    """Echo requests that the appliance itself has to answer, sent until close()."""

    def __init__(self, space):
        self.sent, self.running = 0, True
        with space.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setblocking(False)
        self.thread = threading.Thread(target=self._send)
        self.thread.start()

    def _send(self):
        began = time.monotonic()
        # Type, code, checksum, identifier 1, sequence number 0
        packet = struct.pack("!BBHHH", 8, 0, 0xf7fe, 1, 0)
        while self.running:
            if self.sent < (time.monotonic() - began) * FLOOD:
                self.socket.sendto(packet, (GATEWAY, 0))
                self.sent += 1
            else:
                time.sleep(0.001)

    def close(self):
        self.running = False
        self.thread.join()
        self.socket.close()


class Scene:
    def __init__(self, pair):
        self.pair = pair
        self.left, self.right = pair.end

    def comes_up(self):
        self.pair.record()
        for end, data in zip(self.pair.end, (DATA_KB, 2 ** 31 - 1)):
            end.start(self.pair.connections(end, ipsecPolicies=policy(data)), wait=False)
        for end in self.pair.end:
            end.box.wait()
        self.pair.await_pings()

    def rekeyed(self):
        """Children, of the left end; by whom is not asked."""
        return self.left.counters("s2s")["child-rekey"]

    def await_rekeyed(self, before, what):
        net.eventually(lambda: self.rekeyed() > before, what=what)

    def use_up(self):
        """Bytes of the child at the left end, until the streams alone are near the end of them."""
        def used():
            return max(row["counters"]["bytes"] for row in self.left.box.ask("sa list") if row["direction"] == "out")
        filler = Stream(self.left.host, self.right.host, "10.2.1.4", 9001, 400, 1000).start()
        while used() < SOFT - SHORT_OF_SOFT:
            time.sleep(0.01)
        assert not filler.stop(linger=0.1) and used() < SOFT, used()


def control_stands_still(scene):
    """Workers need nobody to carry packets. What they have to say waits, or is dropped and counted; that a key's bytes are
    used up is not forgotten, and the peer's rekeying waits as well."""
    left, right = scene.left, scene.right
    drops, full = [end.sa_drops() for end in scene.pair.end], left.drops().get("punt-full", 0)
    streams, echoes = scene.pair.streams(RATE), Echoes(left.host)
    try:
        before = scene.rekeyed()
        with processes.frozen(left.box.process.pid):
            time.sleep(STILL_S / 2)  # the ring is full
            right.rekey(child="s2s-1")
            time.sleep(STILL_S / 2)
        began = time.monotonic()
        left.box.ask("status")
        print(f"# control answers {time.monotonic() - began:.2f} s after its pause")
        scene.await_rekeyed(before, "the peer's rekeying")
        scene.use_up()
        before = scene.rekeyed()
        with processes.frozen(left.box.process.pid):
            time.sleep(STILL_S)
        scene.await_rekeyed(before, "rekeying for the bytes")
    finally:
        echoes.close()
    full = left.drops().get("punt-full", 0) - full
    print(f"# {echoes.sent} echo requests, {full} of them met a full ring")
    assert full > 1000, "the ring was never full"
    for sent, missing in stop_all(streams):
        assert sent > 2 * STILL_S * RATE * 0.8 and not missing, (
            f"lost {len(missing)} of {sent}: {missing[:20]}; dropped {[end.drops() for end in scene.pair.end]}")
    for end, then in zip(scene.pair.end, drops):
        assert end.sa_drops() == then, (end.name, then, end.sa_drops(), scene.pair.explain())
    scene.pair.await_one()


def worker_stands_still(scene):
    """No packet passes, and control goes on: configurations wait for the worker, and so do new SAs."""
    left = scene.left
    before = scene.rekeyed()
    with processes.frozen(processes.thread(left.box.process.pid, "worker")):
        assert left.ping("10.2.1.4", 1, wait=1) == 0, "who carried it?"
        for weight in range(3):
            left.apply(scene.pair.connections(left, ipsecPolicies=policy(DATA_KB), routingWeight=weight))
        scene.right.rekey(child="s2s-1")
        time.sleep(STILL_S)
        assert left.box.ask("status")
    scene.pair.await_pings()
    scene.await_rekeyed(before, "the peer's rekeying")
    scene.pair.await_one()


def main():
    net.signals_raise()
    with Pair() as pair:
        scene = Scene(pair)
        tap.add("comes_up", scene.comes_up)
        for story in (control_stands_still, worker_stands_still):
            tap.add(story.__name__, story, scene)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
