#!/usr/bin/python3
"""What the failure of a pair's primary costs whoever talks to its virtual address, and how soon another one is primary.

    ISTHMUS_BUILD=build tests/bench/ha_failover.py [--trials N] [--rate N] [--bfd MS,MS] [--leases file,etcd]
                                                   [--faults kill,cut] [--json FILE]

Two appliances and a router with bird, each in a network namespace of this machine; echo requests from the router all the
time. Needs root; leaves nothing. Outage: from the first lost echo to the last, to the nearest request. Role: until another
node says that it is primary. What is planned must lose nothing: the exit status is 1 where it does.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import tempfile
import threading
import time

from lib import net
from lib.etcd import Etcd
from lib.pair import DURATION_S
from lib.processes import frozen, thread
from lib.vip_pair import BFD_MULTIPLIER, VipPair


class Starvation:
    """Whether the first thread of a process, control's, was ready to run and did not for half of a time."""

    def __init__(self, pid, window_s):
        self.path, self.window_s, self.seen = f"/proc/{pid}/schedstat", window_s, False
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _waited_s(self):
        with open(self.path, encoding="utf-8") as file:
            return int(file.read().split()[1]) / 1e9

    def _watch(self):
        before = self._waited_s()
        while not self.end.wait(self.window_s / 2):
            now = self._waited_s()
            self.seen |= now - before > self.window_s / 4
            before = now

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


class Trial:
    """One death of the primary: happen() under traffic, mend() after it."""

    planned = role = False

    def __init__(self, pair):
        self.pair = pair
        self.node = pair.primary()
        self.other = pair.other(self.node)
        self.took = None

    def happen(self):
        if self.role:
            self.took = self.pair.takeover(self.node, self.fail)
        else:
            self.fail(self.node)
        if self.planned:  # nothing is lost until then, which says nothing
            net.eventually(lambda: self.pair.router.best() == self.other, 30, 0.1, f"the router sends to {self.other}")


class Kill(Trial):
    """kill -9"""
    role = True

    def fail(self, node):
        self.pair.kill(node)

    def mend(self):
        self.pair.start(self.node)


class Stop(Trial):
    """SIGSTOP: all of it hangs"""
    role = True

    def fail(self, node):
        self.pair.pause(node)

    def mend(self):
        self.pair.resume(self.node)


class Worker(Trial):
    """a worker hangs"""

    def fail(self, _node):
        self.held = contextlib.ExitStack()
        self.held.enter_context(frozen(thread(self.pair.box[self.node].process.pid, "worker")))

    def mend(self):
        self.held.close()


class Cut(Trial):
    """the link is cut, both ways"""

    def fail(self, node):
        self.pair.wire[node].cut()

    def mend(self):
        self.pair.wire[self.node].join()


class Drain(Trial):
    """isthmus ha drain"""
    planned = role = True

    def fail(self, node):
        self.pair.box[node].ask("ha drain")

    def mend(self):
        self.pair.box[self.node].ask("ha resume")


class Term(Trial):
    """SIGTERM"""
    planned = role = True

    def fail(self, node):
        self.pair.leave(node)

    def mend(self):
        self.pair.box[self.node].process.popen.wait(20)
        self.pair.start(self.node)


BFD = f"{{}} x {BFD_MULTIPLIER}"
FAULTS = {kind.__name__.lower(): kind for kind in (Kill, Stop, Worker, Cut, Drain, Term)}


class BenchPair(VipPair):
    """Fit for many trials."""

    def watched(self):
        """By BFD, both families of both nodes, and as fast as it was told: a session begins slowly."""
        text = self.router.space.sh(f"birdc -s {self.router.socket} show bfd sessions").stdout
        rows = [line.split() for line in text.splitlines() if " to-" in line]
        return sum(state == "Up" and float(timeout) * 1000 < self.bfd_ms * BFD_MULTIPLIER + 1
                   for _, _, state, _, _, timeout in rows) == 2 * len(self.box)

    def whole(self):
        node = self.primary()
        return list(self.router.routes()) == [node, self.other(node)] and self.watched() and \
            (self.show(self.other(node)) or {}).get("advertisedAs") == "standby"

    def ready(self):
        """For the next trial: one is primary, the router knows both, BFD watches them, and all of it lasts."""
        def lasts():
            net.eventually(self.whole, 60, 0.1, "the pair is whole")
            return all(time.sleep(0.5) or self.whole() for _ in range(2))
        net.eventually(lasts, 60, 0, "the pair stays whole")


@contextlib.contextmanager
def pair_of(lease, bfd_ms):
    """A running one, whose lease is in files or in an etcd of one member."""
    with contextlib.ExitStack() as kept:
        if lease == "file":
            folder = tempfile.mkdtemp(prefix="isthmus-lease-")
            kept.callback(shutil.rmtree, folder, ignore_errors=True)
            pair = kept.enter_context(contextlib.closing(
                BenchPair({"kind": "file", "path": os.path.join(folder, "lease")}, bfd_ms)))
        else:
            etcd = kept.enter_context(contextlib.closing(Etcd(1)))
            pair = kept.enter_context(contextlib.closing(
                BenchPair({"kind": "etcd", "endpoints": etcd.endpoints(), "key": "/isthmus/bench"}, bfd_ms)))
            for number, box in enumerate(pair.box.values()):
                etcd.attach(box.namespace, f"10.9.0.{101 + number}/24")
        pair.start("a", "b")
        yield pair
        pair.never_two()


def span(values):
    return (min(values), statistics.median(values), max(values)) if values else None


def text(values, form="6.0f"):
    return " ".join(f"{v:{form}}" for v in values) if values else "     -      -      -"


def measure(pair, kind, options):
    """A row: of each trial what was lost, for how long, and when the role had moved."""
    lost, outage_ms, role_ms, starved = [], [], [], 0
    for _ in range(options.trials):
        pair.ready()
        trial = kind(pair)
        lives = Starvation(pair.box[trial.other].process.pid, pair.bfd_ms * BFD_MULTIPLIER / 1000)
        try:
            with lives:
                n, seconds = pair.interrupted(trial.happen, options.rate)
        finally:
            trial.mend()
        starved += lives.seen
        lost.append(n)
        outage_ms.append(seconds * 1000)
        if trial.took is not None:
            role_ms.append(trial.took * 1000)
    return {"fault": kind.__name__.lower(), "planned": kind.planned, "trials": options.trials, "starved": starved,
            "lost": span(lost), "outageMs": span(outage_ms), "roleMs": span(role_ms)}


def rows(options):
    for lease in options.leases:
        # The lease has no part in where routers send: one setting of BFD is enough for the second kind.
        for bfd_ms in options.bfd if lease == options.leases[0] else options.bfd[:1]:
            with pair_of(lease, bfd_ms) as pair:
                for kind in options.faults:
                    if lease == options.leases[0] or kind.role:
                        yield {"lease": lease, "bfdMs": bfd_ms, **measure(pair, kind, options)}


def words(value):
    return value.split(",")


def main():
    net.signals_raise()
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=20, help="of each fault")
    parser.add_argument("--rate", type=int, default=500, help="echo requests a second")
    parser.add_argument("--bfd", type=words, default=["100", "50", "30"], help="its intervals in ms; the multiplier is 3")
    parser.add_argument("--leases", type=words, default=["file"] + (["etcd"] if shutil.which("etcd") else []))
    parser.add_argument("--faults", type=words, default=list(FAULTS), help=", ".join(FAULTS))
    parser.add_argument("--json", help="a file to keep it in")
    options = parser.parse_args()
    options.bfd = [int(ms) for ms in options.bfd]
    options.faults = [FAULTS[name] for name in options.faults]
    print(f"{options.trials} trials of each, {options.rate} echo requests a second, a lease of {DURATION_S} s; "
          f"least, median, most\n{'lease':6}{'BFD':10}{'fault':28}{'echoes lost':>20}{'outage ms':>24}{'role ms':>24}"
          f"  starved")
    found = []
    for row in rows(options):
        found.append(row)
        print(f"{row['lease']:6}{BFD.format(row['bfdMs']):10}{FAULTS[row['fault']].__doc__:28}"
              f"{text(row['lost']):>20}{text(row['outageMs']):>24}{text(row['roleMs']):>24}{row['starved']:9}",
              flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"rate": options.rate, "rows": found}, file, indent=1)
    failed = [row for row in found if row["planned"] and row["lost"][2] > 0]
    for row in failed:
        print(f"planned, and not without loss: {FAULTS[row['fault']].__doc__} with BFD at {row['bfdMs']} ms")
    sys.exit(1 if failed else 0)


main()
