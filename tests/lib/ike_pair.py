"""Two sites with appliances whose tunnels IKE sets up, a wire with faults between them, and what is seen of them.

    with Pair() as pair:
        pair.start(childLifetimeSeconds=3)
        pair.await_pings()

Site 1 is the left one. Nothing but IKE, ESP, ARP and neighbour discovery may be on the wire, ever: clear() is what
else there was since start(), and the end of a `with` without an exception looks, too.
"""

import contextlib
import os
import shutil
import socket
import struct
import tempfile
import threading
import zlib

from lib import net
from lib.capture import Capture
from lib.charon import Control
from lib.ike_site import Site, inner, outer, space
from lib.stream import MARK, Stream
from lib.vici import Vici
from lib.wire import Wire

SECRET = "a key for tests, and a long one"
# What may be seen: IKE, also in fragments of IP, ESP raw and in UDP, ARP, neighbour discovery, and ICMP between the
# appliances themselves.
COVERED = ("arp or udp port 500 or udp port 4500 or ip proto 50 or ip6 proto 50 or "
           "(icmp6 and not net fd00::/8) or (icmp and net 192.0.2.0/24) or "
           "(ip proto 17 and ip[6:2] & 0x1fff != 0 and src net 192.0.2.0/24 and dst net 192.0.2.0/24)")
LOSS_OF_SA = ("sa-missing", "sa-sequence-exhausted", "sa-sequence-reserve", "sa-lifetime", "selector-out", "selector-in",
              "esp-spi-unknown", "esp-replay", "esp-authentication", "esp-encapsulation", "esp-padding", "esp-inner")


class End(Site, Control):
    """A site, and the vici session of its charon."""

    def __init__(self, wire, number, **more):
        self.session = None
        super().__init__(wire, number, **more)
        self.vici_path, self.plugin_path = (os.path.join(self.box.folder, name) for name in ("vici", "plugin"))

    def config(self, connections, **more):
        appliance = dict(more.pop("appliance", {}))
        appliance["ike"] = {"viciSocket": self.vici_path, "pluginSocket": self.plugin_path, **appliance.get("ike", {})}
        return super().config(connections, appliance=appliance, **more)

    @property
    def vici(self):
        """Of the charon that runs now; a session ends with its charon."""
        if self.session is None:
            self.session = net.eventually(self._connect, 30, what=f"charon of {self.name} listens")
        return self.session

    def _connect(self):
        try:
            return Vici.connect(self.vici_path)
        except OSError:
            return None

    def forget_vici(self):
        if self.session:
            self.session.close()
        self.session = None

    def charon_pid(self):
        """Of the charon that listens now; None: none does."""
        with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(OSError):
            s.connect(self.vici_path)
            return struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def counters(self, name):
        """Of charon's messages and rekeyings for a connection: {"child-rekey": 3, ...}."""
        return {key: int(n) for key, n in self.vici.ask("get-counters", {"name": name})["counters"][name].items()}

    def sa_drops(self):
        """Reasons of lost packets that have to do with SAs."""
        return {reason: n for reason, n in self.drops().items() if reason in LOSS_OF_SA and n}

    def close(self):
        self.forget_vici()
        super().close()


class Pair:
    def __init__(self):
        self.wire = Wire()
        self.end = []
        self.captures = []
        self.folder = tempfile.mkdtemp(prefix=f"isthmus-pair-{os.getpid()}-")
        try:
            self.end = [End(self.wire, number) for number in (1, 2)]
            self.wire.start()
        except BaseException:
            self.close()
            raise
        self.left, self.right = self.end

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.check_clear()
        finally:
            self.close()

    def connections(self, end, **appliance):
        """The connections of an end, what start() and apply() take: properties of the resource and of its `appliance`."""
        peer = 3 - end.number
        own = dict(appliance)
        more = {key: own.pop(key) for key in list(own) if key in RESOURCE_KEYS}
        return [end.connection("s2s", outer(peer), [space(peer), space(peer, 6)], key=SECRET, appliance=own, **more)]

    def start(self, daemon=None, **appliance):
        """Both ends with one connection; the wire is recorded from before. daemon: of `appliance.ike`."""
        self.record()
        for end in self.end:
            end.start(self.connections(end, **appliance), wait=False, appliance={"ike": daemon or {}})
        for end in self.end:
            end.box.wait()
        return self

    # ---- the wire ----

    def record(self):
        ends = [(self.wire.namespace, name) for name in Wire.ENDS]
        folder = os.path.join(self.folder, str(len(self.captures)))
        os.mkdir(folder)
        self.captures.append(Capture(folder, *ends))

    def clear(self):
        """Ends the recording; the lines of what should not have been on the wire."""
        for capture in self.captures:
            if any(dump.alive() for dump in capture.dumps):
                capture.stop()
        found = [line for capture in self.captures for line in capture.lines(f"not ({COVERED})")]
        return found + [f"a stream's mark in {path}" for path in self.recordings() if _holds(path, MARK)]

    def recordings(self):
        return [path for capture in self.captures for path in capture.paths]

    def check_clear(self):
        found = self.clear()
        assert not found, "in clear on the wire:\n" + "\n".join(found[:10])

    # ---- traffic ----

    def pings(self, count=5, version=4, **more):
        return [end.ping(inner(3 - end.number, version), count, **more) for end in self.end]

    def await_pings(self, timeout=30, version=4):
        for end in self.end:
            net.eventually(lambda e=end: e.ping(inner(3 - e.number, version), 1, wait=1), timeout,
                           what=f"an answer to {end.name}")

    def streams(self, rate=400):
        """A stream each way; stop() both and see what is missing."""
        return [Stream(end.host, peer.host, inner(peer.number), 9000, rate).start()
                for end, peer in (self.end, reversed(self.end))]

    def transfer(self, source, size=4 << 20, version=4, port=9100, timeout=60):
        """Bytes by the kernels' TCP from an end's host to the other's: whether they arrived as they were sent."""
        target = self.end[2 - source.number]
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with target.host.entered():
            listener = socket.socket(family)
        with source.host.entered():
            sender = socket.socket(family)
        data, got = os.urandom(size), []
        with listener, sender:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((inner(target.number, version), port))
            listener.listen(1)
            listener.settimeout(timeout)
            sender.settimeout(timeout)
            reader = threading.Thread(target=_read_all, args=(listener, timeout, got), daemon=True)
            reader.start()
            sender.connect((inner(target.number, version), port))
            sender.sendall(data)
            sender.shutdown(socket.SHUT_WR)
            reader.join()
        return len(got) == 1 and zlib.crc32(got[0]) == zlib.crc32(data)

    # ---- state ----

    def await_one(self, timeout=20):
        """Whatever happened on the way: one IKE_SA with one child is left."""
        def one():
            return all(len(end.established()) == len(end.children()) == len(end.sas()) == 1 for end in self.end)
        net.eventually(one, timeout, what="one IKE_SA with one child at both ends")

    def explain(self):
        return "\n".join(f"{end.name}: {end.drops()}\n{end.log()}" for end in self.end)

    def close(self):
        for capture in self.captures:
            for dump in capture.dumps:
                dump.stop()
        for end in self.end:
            end.close()
        self.wire.close()
        shutil.rmtree(self.folder, ignore_errors=True)


RESOURCE_KEYS = ("connectionMode", "connectionProtocol", "usePolicyBasedTrafficSelectors", "trafficSelectorPolicies",
                 "ipsecPolicies", "routingWeight", "dpdTimeoutSeconds")


def _holds(path, mark):
    with open(path, "rb") as file:
        return mark in file.read()


def _read_all(listener, timeout, got):
    with contextlib.suppress(OSError):
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(timeout)
            pieces = []
            while piece := connection.recv(1 << 16):
                pieces.append(piece)
            got.append(b"".join(pieces))


def stop_all(streams, linger=1.0):
    """[(sent, missing numbers)] of each."""
    return [(stream.sent, stream.stop(linger)) for stream in streams]
