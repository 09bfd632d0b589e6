#!/usr/bin/python3
"""The wire tool does what it is told: each fault, by direction and class, and nothing else.

Two hosts with a wire between them; datagrams with numbers are sent on it and the arrivals compared.
"""

import contextlib
import os
import socket
import struct
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib.wire import Wire

LEFT, RIGHT = "10.9.0.1", "10.9.0.2"
IKE_MARKER = b"\0\0\0\0"
SO_RCVBUFFORCE = 33  # not in Python's module
ESP_SPI = b"\0\0\x10\x01"


@contextlib.contextmanager
def lab(seed=1):
    with contextlib.ExitStack() as stack:
        wire = Wire(seed=seed)
        stack.callback(wire.close)
        hosts = []
        for name, address in (("a", LEFT), ("b", RIGHT)):
            hosts.append(net.Namespace(name))
            stack.callback(hosts[-1].close)
            wire.plug(hosts[-1], "eth0")
            hosts[-1].address("eth0", address + "/24")
        wire.start()
        net.eventually(lambda: hosts[0].ping(RIGHT, count=1), what="an answer through the wire")
        yield wire, *hosts


class Channel:
    """Numbered datagrams from one host to the other."""

    def __init__(self, source, target, address, port, head=b""):
        self.head = head
        with target.entered():
            self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.receiver.bind((address, port))
        self.receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        with source.entered():
            self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sender.connect((address, port))

    def send(self, count, size=64, first=0):
        for number in range(first, first + count):
            self.sender.send((self.head + struct.pack("!I", number)).ljust(size, b"\0"))
            if number % 64 == 63:
                time.sleep(0.001)  # a burst may not fill the wire's socket

    def receive(self, enough=1 << 30, linger=0.4):
        """Numbers as they came, until there are enough or nothing came for a while."""
        self.receiver.settimeout(linger)
        numbers = []
        with contextlib.suppress(TimeoutError):
            while len(numbers) < enough:
                data = self.receiver.recv(65536)
                numbers.append(struct.unpack_from("!I", data, len(self.head))[0])
        return numbers

    def exchange(self, count, **more):
        self.send(count, **more)
        return self.receive(enough=count)

    def close(self):
        self.sender.close()
        self.receiver.close()


@contextlib.contextmanager
def channels(a, b):
    """One per class, from left to right; and one back."""
    # The same port carries ESP, too, when its channel's head is changed.
    made = {"ike": Channel(a, b, RIGHT, 500), "nat-t": Channel(a, b, RIGHT, 4500, IKE_MARKER),
            "other": Channel(a, b, RIGHT, 4000), "back": Channel(b, a, LEFT, 4000)}
    try:
        yield made
    finally:
        for channel in made.values():
            channel.close()


@tap.case
def without_faults_all_passes_in_order():
    with lab() as (wire, a, b), channels(a, b) as ways:
        for channel in ways.values():
            assert channel.exchange(2000) == list(range(2000))
        counters = wire.counters()
        assert counters["right"]["ike"]["sent"] == 4000 and counters["right"]["other"]["sent"] >= 2000, counters
        assert counters["left"]["other"]["sent"] >= 2000 and wire.total("lost") == 0, counters
        assert counters["left"]["missed"] == counters["right"]["missed"] == 0, counters


@tap.case
def loss_by_class_and_direction():
    with lab() as (wire, a, b), channels(a, b) as ways:
        wire.set("right", "ike", loss=30)
        for name in ("ike", "nat-t"):
            assert 1250 < len(ways[name].exchange(2000)) < 1550, "30 % of 2000 are lost"
        assert len(ways["other"].exchange(500)) == 500
        assert len(ways["back"].exchange(500)) == 500
        ways["nat-t"].head = ESP_SPI
        assert len(ways["nat-t"].exchange(500)) == 500, "the same port, but ESP"
        wire.set("right", "ike", loss=0)
        wire.set("right", "esp", loss=100)
        assert ways["nat-t"].exchange(50) == []
        assert len(ways["ike"].exchange(50)) == 50
        counters = wire.counters()["right"]
        assert counters["esp"]["lost"] == 50 and counters["other"]["lost"] == 0, counters


@tap.case
def the_seed_decides():
    seen = []
    for seed in (7, 7, 8):
        with lab(seed) as (wire, a, b), channels(a, b) as ways:
            wire.set("both", "ike", loss=50)
            seen.append(ways["ike"].exchange(200))
    assert seen[0] == seen[1] != seen[2], "the fate of each frame is the seed's"


@tap.case
def delay_and_jitter_keep_the_order():
    with lab() as (wire, a, b), channels(a, b) as ways:
        wire.set("right", delay=100, jitter=20)
        began = time.monotonic()
        assert ways["other"].exchange(1000) == list(range(1000))
        assert time.monotonic() - began >= 0.1
        began = time.monotonic()
        assert a.ping(RIGHT, count=1) == 1
        assert time.monotonic() - began >= 0.1
        wire.clear()
        # The kernel sends of itself, too: ARP, neighbour discovery.
        net.eventually(lambda: wire.counters()["right"]["waiting"] == 0, 2, what="the last frame leaves")


@tap.case
def reordering_and_duplicates():
    with lab() as (wire, a, b), channels(a, b) as ways:
        wire.set("right", "other", reorder=5, hold=3)
        numbers = ways["other"].exchange(2000)
        assert sorted(numbers) == list(range(2000)) and numbers != sorted(numbers)
        assert 50 < wire.counters()["right"]["other"]["reordered"] < 160, wire.counters()
        wire.clear()
        wire.set("right", "other", duplicate=10)
        ways["other"].send(2000)
        numbers = ways["other"].receive()
        assert len(set(numbers)) == 2000 and 2120 < len(numbers) < 2290, len(numbers)


@tap.case
def corruption_changes_one_bit():
    with lab() as (wire, a, b), channels(a, b) as ways:
        wire.set("right", "esp", corrupt=100)
        ways["nat-t"].head = ESP_SPI
        assert ways["nat-t"].exchange(200, size=1000) == [], "the kernel's checksums see each"
        assert wire.counters()["right"]["esp"]["corrupted"] == 200
        assert len(ways["ike"].exchange(50)) == 50


@tap.case
def a_rate_is_held_and_its_queue_bounded():
    with lab() as (wire, a, b), channels(a, b) as ways:
        # 250 frames of 1042 bytes at 4000 kbit/s: 0.52 s
        wire.set("right", "other", rate=4000, queue=10000)
        began = time.monotonic()
        ways["other"].send(250, size=1000)
        assert ways["other"].receive(enough=250, linger=5) == list(range(250))
        assert time.monotonic() - began >= 0.5
        wire.set("right", "other", queue=20)
        got = ways["other"].exchange(250, size=1000)
        assert 5 <= len(got) < 200, len(got)
        assert wire.counters()["right"]["other"]["overflow"] == 250 - len(got)


@tap.case
def a_cut_loses_what_is_on_its_way():
    with lab() as (wire, a, b), channels(a, b) as ways:
        wire.set("right", "ike", delay=1000)
        ways["ike"].send(10)
        net.eventually(lambda: wire.counters()["right"]["waiting"] == 10, what="ten on their way")
        wire.cut("right")
        ways["other"].send(10)
        net.eventually(lambda: wire.counters()["right"]["other"]["cut"] >= 10, what="ten at the cut")
        assert len(ways["back"].exchange(10)) == 10, "only one direction is cut"
        wire.clear()
        assert ways["ike"].exchange(10, first=10) == list(range(10, 20)), "what was cut stays away"
        assert ways["other"].exchange(10, first=10) == list(range(10, 20))


@tap.case
def the_next_ones_are_lost():
    with lab() as (wire, a, b), channels(a, b) as ways:
        wire.set("right", "ike", drop=3)
        assert ways["ike"].exchange(10) == list(range(3, 10))
        for words in (("set", "right", "ike", "loss=101"), ("set", "up", "ike", "loss=1"), ("set", "left", "tcp", "loss=1"),
                      ("cut",), ("set", "left", "all", "speed=1"), ("set", "left", "all", "delay=x")):
            try:
                wire.ask(*words)
            except net.Failed:
                continue
            raise AssertionError(f"not refused: {words}")


net.signals_raise()
tap.main()
