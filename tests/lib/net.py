"""Network namespaces, links and processes for tests, all of which vanish with the test.

A namespace is held by one sleeping process that the kernel kills when the test dies (PR_SET_PDEATHSIG): its network
namespace, and every veth and TAP in it, goes with it, also after kill -9. No names are taken on the host, so any
number of copies of a test run side by side. Each namespace has its own /sys, and an empty
/run and /var/lib, too.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
# Hosts hand unfinished checksums and oversized segments to a veth; an AF_PACKET reader would see them as they are.
OFFLOADS = ["tx", "off", "gso", "off", "tso", "off", "gro", "off"]
HOLD = ("mount --make-rprivate / && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && "
        "mount -t tmpfs tmpfs /var/lib && "
        "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 && "
        "ip link set lo up && echo ready && exec sleep infinity")


def die_with_parent():
    """Runs in the child between fork and exec."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Failed(Exception):
    """A command ended with another status than expected; the text has its output."""


def run(command, check=True, timeout=60, **more):
    """Run a command to its end, capture its text."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
                          preexec_fn=die_with_parent, **more)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def eventually(condition, timeout=10, step=0.05, what="the condition"):
    """Wait until condition() is true; returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(step)


class Process:
    """A process of ours: ended by pid, its output kept in a file."""

    def __init__(self, command, log=None, **more):
        self.command = command
        self.log = open(log, "a+b") if log else open(os.devnull, "r+b")  # pylint: disable=consider-using-with
        # A session of its own: what it forked (socat does) can be ended with it.
        self.popen = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                      preexec_fn=die_with_parent, start_new_session=True, **more)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def output(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, sig=signal.SIGTERM, timeout=10):
        """Signal and reap; SIGKILL when it does not listen. Returns the exit status."""
        if self.alive():
            self.popen.send_signal(sig)
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            status = self.popen.wait()
        if not self.log.closed:
            self.log.flush()
        return status

    def close(self):
        self.stop(timeout=5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.log.close()


class Namespace:
    """A network namespace with a life of its own; close() or the test's death ends all in it."""

    def __init__(self, name):
        self.name = name
        self.processes = []
        self.holder = subprocess.Popen(["unshare", "-n", "-m", "sh", "-c", HOLD], stdout=subprocess.PIPE,
                                       preexec_fn=die_with_parent)
        if self.holder.stdout.readline() != b"ready\n":
            raise Failed(f"namespace {name}: no rights to make one?")
        # What is in here is found when the holder was killed before us, too.
        self.mounts = os.open(f"/proc/{self.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    @property
    def pid(self):
        return self.holder.pid

    def inside(self, command):
        """The command line that runs `command` here. nsenter executes it in place: the pid stays the same."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", f"--mount=/proc/{self.pid}/ns/mnt", *command]

    def run(self, *command, check=True, timeout=60, **more):
        return run(self.inside(list(command)), check, timeout, **more)

    def sh(self, text, check=True, timeout=60):
        return self.run("sh", "-ec", text, check=check, timeout=timeout)

    def ip(self, text):
        return self.run("ip", *text.split())

    def start(self, *command, log=None, **more):
        process = Process(self.inside(list(command)), log, **more)
        self.processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self):
        """The calling thread stands in this network namespace: for sockets of our own (scapy)."""
        with open("/proc/self/ns/net", "rb") as home, open(f"/proc/{self.pid}/ns/net", "rb") as there:
            set_namespace(there)
            try:
                yield
            finally:
                set_namespace(home)

    def _daemons(self):
        """Processes in here that are not ours to reap: a daemon that outlived the one that started it."""
        here = os.fstat(self.mounts)
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            with contextlib.suppress(OSError):
                if pid != self.pid and os.path.samestat(os.stat(f"/proc/{pid}/ns/mnt"), here):
                    yield pid

    def close(self):
        for process in reversed(self.processes):
            process.close()
        for pid in self._daemons():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        os.close(self.mounts)

    # What hosts need.

    def address(self, link, *addresses, mtu=None):
        for address in addresses:
            self.ip(f"address add {address} dev {link}" + (" nodad" if ":" in address else ""))
        if mtu:
            self.ip(f"link set {link} mtu {mtu}")

    def route(self, prefix, via, more=""):
        family = "-6 " if ":" in via else ""
        self.ip(f"{family}route replace {prefix} via {via} {more}".strip())

    def ping(self, address, count=3, interval=0.05, wait=2, options=()):
        """Number of replies."""
        done = self.run("ping", "-n", "-c", str(count), "-i", str(interval), "-W", str(wait), *options, address,
                        check=False)
        return sum("bytes from" in line for line in done.stdout.splitlines())


def set_namespace(file):
    if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def veth(a, link_a, b, link_b, plain=True):
    """A cable between two namespaces. plain: no offloads, what an appliance's AF_PACKET port needs of its peer."""
    run(["ip", "link", "add", link_a, "netns", str(a.pid), "type", "veth", "peer", "name", link_b,
         "netns", str(b.pid)])
    for namespace, link in ((a, link_a), (b, link_b)):
        if plain:
            namespace.run("ethtool", "-K", link, *OFFLOADS, check=False)
        namespace.ip(f"link set {link} up")


def quiet(namespace, link):
    """The appliance's end of a cable: the kernel there neither answers nor speaks."""
    namespace.run("sysctl", "-qw", f"net.ipv6.conf.{link}.disable_ipv6=1")


def signals_raise():
    """SIGTERM and SIGHUP unwind like an exception, so that cleanup runs."""
    def unwind(number, _frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)
