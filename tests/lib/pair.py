"""Appliances that share the role of primary by a lease, and one that watches them all.

The watcher asks both all the time, and keeps what they said: two that call themselves primary at once, or an epoch of
two holders, fail the test at its end. Whoever is stopped answers nothing and acts as nothing.
"""

import os
import shutil
import signal
import tempfile
import threading
import time

from lib import net, tap
from lib.appliance import Appliance, Refused

DURATION_S = 2
MARGIN_MS = 200


class Pair:
    """Nodes a and b, or more; `lease` is the lease's part of the configuration."""

    def __init__(self, lease, nodes="ab"):
        self.lease = lease
        self.box = {node: Appliance(f"lease-{node}") for node in nodes}
        self.stopped = set()
        self.holders = {}  # of each epoch
        self.faults = []
        self.lock = threading.Lock()
        self.end = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    def config(self, node, **more):
        return {"appliance": {
            "ports": [{"name": "p0", "driver": "null"}],
            "highAvailability": {"node": node, "preferred": node == "a",
                                 "lease": {"durationSeconds": DURATION_S, "marginMilliseconds": MARGIN_MS,
                                           **self.lease, **more}}}}

    def start(self, *nodes):
        for node in nodes:
            self.box[node].start(self.config(node), wait=False)
        for node in nodes:
            self.box[node].wait()

    # What they say

    def show(self, node):
        """None when it does not answer."""
        if node in self.stopped:
            return None
        try:
            return self.box[node].ask("ha show")
        except (OSError, EOFError, Refused, ValueError):
            return None

    def primaries(self):
        return [node for node in self.box if (self.show(node) or {}).get("role") == "primary"]

    def primary(self, timeout=20, among=None):
        """The one that is, once there is one; its name."""
        return net.eventually(lambda: next((n for n in self.primaries() if not among or n in among), None), timeout,
                              0.01, "a primary")

    def other(self, node):
        return next(n for n in self.box if n != node)

    def _watch(self):
        while not self.end.wait(0.02):
            with self.lock:
                said = {node: self.show(node) for node in self.box if node not in self.stopped}
                again = {node: self.show(node) for node in said}
            # one answer is older than the other: who was primary before and after was so between
            acting = [n for n, s in said.items() if s and again[n] and s["role"] == again[n]["role"] == "primary" and
                      s["epoch"] == again[n]["epoch"]]
            if len(acting) > 1:
                self.faults.append(f"{acting} are primary: {said}")
            for node in acting:
                holder = self.holders.setdefault(said[node]["epoch"], node)
                if holder != node:
                    self.faults.append(f"epoch {said[node]['epoch']} is of {holder} and {node}")

    def never_two(self):
        assert not self.faults, self.faults[:3]

    # What happens to them

    def pause(self, node):
        """SIGSTOP; nobody asks it meanwhile."""
        with self.lock:
            self.stopped.add(node)
            self.box[node].process.popen.send_signal(signal.SIGSTOP)

    def resume(self, node):
        self.box[node].process.popen.send_signal(signal.SIGCONT)
        self.stopped.discard(node)

    def takeover(self, node, how):
        """Seconds from what happens to the primary until another one is."""
        others = [n for n in self.box if n != node]
        began = time.monotonic()
        how(node)
        self.primary(among=others)
        return time.monotonic() - began

    def kill(self, node):
        self.box[node].process.popen.kill()
        self.box[node].process.popen.wait()

    def leave(self, node):
        self.box[node].process.popen.send_signal(signal.SIGTERM)

    def close(self):
        self.end.set()
        for node in list(self.stopped):
            self.resume(node)
        self.watcher.join(40)
        for box in self.box.values():
            box.close()


def tell(kind, stories):
    """A test: a pair of this kind with a lease in files goes through the stories, and two were never primary."""
    net.signals_raise()
    shared = tempfile.mkdtemp(prefix="isthmus-lease-")
    folder = os.path.join(shared, "folder")
    os.mkdir(folder)
    try:
        p = kind({"kind": "file", "path": os.path.join(folder, "lease")})
        try:
            for story in stories:
                tap.add(story.__name__, story, p)
            tap.add("never_two_primaries", p.never_two)
            tap.main()
        finally:
            p.close()
    finally:
        shutil.rmtree(shared, ignore_errors=True)
