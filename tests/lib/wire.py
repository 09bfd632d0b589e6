"""A cable with faults between two namespaces, or between a namespace and a guest kernel's TAP.

    wire = Wire()
    wire.plug(a, "eth0"); wire.plug(b, "eth0"); wire.start()
    wire.set("both", "esp", loss=1, reorder=5)

The first plugged end is the left one; "right" is the direction from it. Faults may be changed at any time.
"""

import json
import os
import subprocess

from lib import net
from lib.appliance import BUILD

WIRE = os.path.join(BUILD, "tests/system/wire")
CLASSES = ("ike", "esp", "other")


class Wire:
    """tests/system/wire.c in a namespace of its own."""

    ENDS = ("left", "right")

    def __init__(self, name="wire", seed=1):
        self.namespace = net.Namespace(name)
        self.seed = seed
        self.plugged = 0
        self.process = None

    def plug(self, space, link, mtu=None):
        """A veth to `link` in another namespace becomes the next end."""
        end = self.end()
        net.veth(space, link, self.namespace, end)
        net.quiet(self.namespace, end)
        if mtu:
            space.ip(f"link set {link} mtu {mtu}")
            self.namespace.ip(f"link set {end} mtu {mtu}")
        return self

    def end(self):
        """Name of the next end, for who makes it himself: uml.Guest(wire.namespace, wire.end())."""
        self.plugged += 1
        return self.ENDS[self.plugged - 1]

    def start(self):
        command = self.namespace.inside([WIRE, str(self.seed), *self.ENDS])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=net.die_with_parent)
        if self.process.stdout.readline() != "ready\n":
            raise net.Failed("the wire did not start")
        return self

    def ask(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer in ("", "error"):
            raise net.Failed(f"the wire refused: {' '.join(words)}")
        return answer

    def set(self, way, kind="all", **faults):
        """way: left, right, both; kind: ike, esp, other, all. Percent: loss, duplicate, reorder, corrupt;
        ms: delay, jitter, hold (of a reordered frame), queue (longest wait for the rate); kbit/s: rate;
        drop: the next so many frames are lost."""
        self.ask("set", way, kind, *(f"{key}={value}" for key, value in faults.items()))

    def clear(self):
        """No faults, no cuts."""
        self.ask("clear")

    def cut(self, way="both"):
        self.ask("cut", way)

    def join(self, way="both"):
        self.ask("join", way)

    def counters(self):
        """{"left": {"missed": .., "ike": {"frames": .., "lost": ..}, ..}, "right": ..}; missed is the tool's fault."""
        return json.loads(self.ask("counters"))

    def total(self, what):
        """One counter over both directions and all classes."""
        counters = self.counters()
        return sum(counters[end][kind][what] for end in self.ENDS for kind in CLASSES)

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.kill()
            self.process.wait()
        self.namespace.close()
