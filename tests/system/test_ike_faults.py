#!/usr/bin/python3
"""What happens to a tunnel of two appliances when a part of it fails: it stays or comes back by itself, nothing goes in
clear and no sequence number comes twice. Each case says how long its traffic stood still."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import signal
import time

from lib import net, processes, tap
from lib.esp_frames import Seen
from lib.ike_pair import Pair

RATE = 200
BACK_S = 60
DPD_S = 9


class Scene:
    """The pair and a stream each way, all the time."""

    def __init__(self, pair):
        self.pair = pair
        self.left, self.right = pair.end
        self.streams = []

    def begin(self):
        self.pair.start(dpdTimeoutSeconds=DPD_S, daemon={"retransmitTries": 1})
        self.pair.await_pings()
        self.streams = self.pair.streams(RATE)
        self.await_traffic()

    def await_traffic(self):
        """Both ways, of what is sent from now on."""
        sent = [stream.sent for stream in self.streams]
        net.eventually(lambda: all(s.newest > n for s, n in zip(self.streams, sent)), BACK_S, what="traffic both ways")

    def fails(self, name, fault):
        """A fault that is a function; it returns when it is noticed."""
        sent = [stream.sent for stream in self.streams]
        began = time.monotonic()
        fault(self)
        self.await_traffic()
        net.eventually(self.one_tunnel, BACK_S, what="one tunnel")
        self.await_traffic()
        took = time.monotonic() - began
        lost = [len(stream.missing(first)) / RATE for stream, first in zip(self.streams, sent)]
        print(f"# {name}: all is well after {took:.1f} s; {lost[0]:.1f} s of traffic lost one way, "
              f"{lost[1]:.1f} s the other")
        assert self.pair.pings() == [5, 5] == self.pair.pings(version=6), self.pair.explain()

    def one_tunnel(self):
        return all(len(end.established()) == len(end.sas()) == len(end.children(state=None)) == 1 for end in self.pair.end)

    def spis(self):
        """Of both directions, at the left end, but for those that only drain."""
        return {row["spi"] for row in self.left.box.ask("sa list") if not row["superseded"]}


def charon_is_killed(scene):
    """The appliance starts another one."""
    before = scene.left.charon_pid()
    os.kill(before, signal.SIGKILL)
    net.eventually(lambda: scene.left.charon_pid() not in (before, None), BACK_S, what="a new charon")
    scene.left.forget_vici()


def socket_of_the_plugin_is_cut(scene):
    """Neither end of it dies: charon tells of its SAs again, and they stay."""
    spis, log = scene.spis(), scene.left.box.log()
    processes.shut_socket(scene.left.charon_pid(), scene.left.plugin_path)
    net.eventually(lambda: scene.left.box.log().count("charon has told of") > log.count("charon has told of"),
                   what="charon to tell of its SAs again")
    assert scene.spis() == spis, (spis, scene.spis())


def appliance_is_killed(scene):
    """charon outlives it, and its keys go on at numbers that were not used."""
    spis, charon = scene.spis(), scene.left.charon_pid()
    scene.left.box.stop(signal.SIGKILL)
    scene.left.box.start()
    assert scene.left.charon_pid() == charon, "another charon"
    net.eventually(lambda: scene.spis() == spis, what="the SAs of before")


def appliance_is_killed_and_forgets_its_numbers(scene):
    """Without them a key cannot be used again: all are new."""
    spis = scene.spis()
    scene.left.box.stop(signal.SIGKILL)
    os.remove(os.path.join(scene.left.box.folder, "state", "sequence"))
    scene.left.box.start()
    net.eventually(lambda: scene.spis() and not scene.spis() & spis, BACK_S, what="new SAs")


def both_ends_begin_at_once(scene):
    """Several children for the same traffic; the ends agree which of them go."""
    def several():
        scene.left.terminate(child="s2s-1")
        for end in scene.pair.end:
            end.begin("s2s-1", "s2s")
        time.sleep(0.3)
        return all(len(end.children()) > 1 for end in scene.pair.end)
    net.eventually(several, BACK_S, what="more than one child")


def appliance_gives_way_to_a_successor(scene):
    """SIGUSR2: charon stays, and so do the tunnels."""
    spis, charon = scene.spis(), scene.left.charon_pid()
    assert scene.left.box.stop(signal.SIGUSR2) == 0
    scene.left.box.start()
    assert scene.left.charon_pid() == charon, "another charon"
    net.eventually(lambda: scene.spis() == spis, what="the SAs of before")


def wire_is_cut(scene):
    """For longer than a dead peer is waited for: the ends notice, and nothing but the wire's return is needed."""
    scene.pair.wire.cut()
    began = time.monotonic()
    net.eventually(lambda: not any(end.established() for end in scene.pair.end), BACK_S, what="both ends to notice")
    print(f"# noticed after {time.monotonic() - began:.1f} s")
    net.eventually(lambda: scene.left.ping("10.2.1.4", 1, wait=1) == 0, what="no answer")
    scene.pair.wire.join()


def recording_shows_no_fault(scene):
    for stream in scene.streams:
        stream.stop()
    scene.pair.check_clear()
    seen = Seen(scene.pair.recordings())
    packets = sum(map(len, seen.numbers.values()))
    print(f"# {packets} packets of ESP under {len(seen.numbers)} SPIs, {seen.jumps()} jumps")
    assert packets > 10 * RATE and len(seen.numbers) >= 8, seen.numbers.keys()
    assert not seen.again, f"numbers that protect two packets: {seen.again[:10]}"
    assert not seen.falls(), f"numbers that fell: {seen.falls()[:10]}"
    assert seen.jumps() >= 1, "a killed appliance went on without a jump"
    assert not any(stream.duplicates() for stream in scene.streams)


def main():
    net.signals_raise()
    with Pair() as pair:
        scene = Scene(pair)
        tap.add("comes_up", scene.begin)
        for fault in (charon_is_killed, socket_of_the_plugin_is_cut, appliance_is_killed,
                      appliance_is_killed_and_forgets_its_numbers, both_ends_begin_at_once,
                      appliance_gives_way_to_a_successor, wire_is_cut):
            tap.add(fault.__name__, scene.fails, fault.__name__, fault)
        tap.add("recording_shows_no_fault", recording_shows_no_fault, scene)
        tap.main()


main()
