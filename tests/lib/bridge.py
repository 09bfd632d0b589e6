"""port_bridge between two hosts: what the tests of ports stand on."""

import contextlib
import os
import re
import shutil
import signal
import tempfile

from lib import net

BRIDGE = os.path.join(os.environ.get("ISTHMUS_BUILD", "build"), "tests/system/port_bridge")


class Bridge:
    """A running port_bridge, and what it said."""

    def __init__(self, namespace, first, second, workers=1, **environment):
        self.folder = tempfile.mkdtemp(prefix="isthmus-ports-")
        self.process = namespace.start(BRIDGE, "60", str(workers), first, second,
                                       log=os.path.join(self.folder, "log"), env={**os.environ, **environment})

    def __enter__(self):
        net.eventually(lambda: "ready\n" in self.output() or not self.process.alive(), what="the bridge starts")
        return self

    def __exit__(self, *_):
        self.process.close()
        shutil.rmtree(self.folder)

    def output(self):
        return self.process.output()

    def end(self, sig=signal.SIGTERM):
        """End it; the exit status must be 0 when it may say goodbye."""
        status = self.process.stop(sig)
        assert status == (0 if sig == signal.SIGTERM else -sig), f"exit status {status}\n{self.output()}"
        return self

    def stats(self, number):
        """Counters of its first or second port, after the end."""
        line = [x for x in self.output().splitlines() if x.startswith("stats ")][number]
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}

    def caps(self, number):
        line = [x for x in self.output().splitlines() if x.startswith("caps ")][number]
        return dict(re.findall(r"(\w+)=(\S+)", line))


@contextlib.contextmanager
def lab(mtu=1500):
    """A - x0 X x1 - B, both hosts in one subnet."""
    with contextlib.ExitStack() as stack:
        spaces = []
        for name in ("A", "X", "B"):
            spaces.append(net.Namespace(name))
            stack.callback(spaces[-1].close)
        a, x, b = spaces
        net.veth(a, "a0", x, "x0", plain=False)
        net.veth(b, "b0", x, "x1", plain=False)
        for space, link, number in ((a, "a0", 1), (b, "b0", 2)):
            space.address(link, f"10.9.0.{number}/24", f"fd09::{number}/64", mtu=mtu)
        for link in ("x0", "x1"):
            x.ip(f"link set {link} mtu {mtu}")
            net.quiet(x, link)
        yield a, x, b


def pings(a, address="10.9.0.2", **more):
    net.eventually(lambda: a.ping(address, count=1, wait=1, **more), what=f"an answer from {address}")
    assert a.ping(address, count=20, interval=0.01, **more) == 20


def tcp(a, b, megabytes=20, address="10.9.0.2"):
    """Kernel TCP from a to b; both sides must have the same sum of bytes."""
    b.start("sh", "-c", "socat -u TCP6-LISTEN:7000,ipv6only=0,reuseaddr STDOUT | sha256sum > /run/received")
    net.eventually(lambda: "7000" in b.run("ss", "-ltn").stdout, what="the listener")
    sent = a.sh(f"head -c {megabytes}M /dev/urandom > /run/data && sha256sum < /run/data && "
                f"timeout 30 socat -u /run/data TCP:{address}:7000").stdout
    received = net.eventually(lambda: b.run("cat", "/run/received", check=False).stdout, what="the last byte")
    assert sent.split()[0] == received.split()[0], "bytes changed on the way"


def link_state(space, link):
    """What of an interface must be as before: state, MTU, promiscuity, XDP, features."""
    text = space.run("ip", "-d", "link", "show", link).stdout
    features = space.run("ethtool", "-k", link).stdout
    facts = re.findall(r"mtu \d+|promiscuity \d+|allmulti \d+|xdp\w*|<[^>]*>", text)
    return facts, re.findall(r"(?:rx-vlan-offload|large-receive-offload): \w+", features)
