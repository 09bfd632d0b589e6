"""A live Linux kernel as a peer: Debian's user-mode-linux, booted on this host's own files.

The guest is one process with a TAP in the caller's namespace. Its root is the host's / (hostfs, read-only), its init
is uml_init.sh, and an agent in it (uml_agent.py) runs what it is told over a serial line that is a pair of pipes.
The guest ends by power-off, else by its pid; it also dies with the test.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

from lib import net, tap

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL = "/usr/bin/linux.uml"
BOOT_TIMEOUT_S = 60
TOO_LARGE = "ptrace set fp regs failed, errno = 14"  # what it says of itself before it ends


class Guest:
    """One kernel. vec0 in the guest is the TAP `link` in `namespace`."""

    def __init__(self, namespace, link, memory="96M", wait=True):
        self.namespace = namespace
        self.folder = tempfile.mkdtemp(prefix=f"isthmus-uml-{os.getpid()}-")
        self.buffer = b""
        namespace.ip(f"tuntap add {link} mode tap")
        net.quiet(namespace, link)
        namespace.ip(f"link set {link} up")

        # Two serial lines: the agent's, and one for whatever the test wants (/dev/ttyS1).
        to_guest, self.to_guest = os.pipe()
        self.from_guest, from_guest = os.pipe()
        to_line, self.to_line = os.pipe()
        self.from_line, from_line = os.pipe()
        inside = (to_guest, from_guest, to_line, from_line)
        self.console = open(os.path.join(self.folder, "console"), "w+b")  # pylint: disable=consider-using-with
        command = [KERNEL, f"mem={memory}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
                   f"init={HERE}/uml_init.sh", f"vec0:transport=tap,ifname={link},depth=64", "con=null",
                   "con0=null,fd:1", f"ssl0=fd:{to_guest},fd:{from_guest}", f"ssl1=fd:{to_line},fd:{from_line}", f"umid=guest{os.getpid()}{link}",
                   f"uml_dir={self.folder}/"]
        # Memory is a file in TMPDIR: keep it off the disk.
        self.process = subprocess.Popen(namespace.inside(command), stdin=subprocess.DEVNULL, stdout=self.console,
                                        stderr=subprocess.STDOUT, pass_fds=inside,
                                        env={**os.environ, "TMPDIR": "/dev/shm"}, start_new_session=True,
                                        preexec_fn=net.die_with_parent)
        for descriptor in inside:
            os.close(descriptor)
        if wait:
            self.wait()

    def wait(self):
        """Until it has booted. Several boot side by side when made with wait=False first."""
        try:
            self._answer(BOOT_TIMEOUT_S)
        except Exception:
            said = self.said()
            self.close()
            if TOO_LARGE in said:
                tap.skip_all("user-mode-linux", "this processor's registers (AMX) are more than it has room for")
            raise net.Failed(f"the guest did not come up:\n{said}") from None

    def said(self):
        """The console so far."""
        with open(self.console.name, encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def run(self, command, check=True, timeout=30):
        """Run a shell text in the guest; returns (exit status, output)."""
        request = json.dumps({"run": command, "timeout": timeout}).encode() + b"\n"
        os.write(self.to_guest, request)
        answer = self._answer(timeout + 10)
        if check and answer["status"] != 0:
            raise net.Failed(f"guest: {command}: exit status {answer['status']}\n{answer['output']}")
        return answer["status"], answer["output"]

    def batch(self, lines):
        """Lines for `ip`, in one process: starting one is what costs time in a guest."""
        return self.run("ip -batch - <<'END'\n" + "\n".join(lines) + "\nEND")

    def _answer(self, timeout):
        """The next line of JSON from the agent."""
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.from_guest], [], [], max(0, end - time.monotonic()))
            piece = os.read(self.from_guest, 65536) if ready else b""
            if not piece:
                raise net.Failed("the guest is silent" if not ready else "the guest is gone")
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def _end_processes(self):
        """Where it panics, those that were its processes outlive it, in sessions of their own."""
        mine = f"uml_dir={self.folder}/".encode()
        for pid in (name for name in os.listdir("/proc") if name.isdigit()):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
                if mine in file.read().split(b"\0"):
                    os.kill(int(pid), signal.SIGKILL)

    def close(self):
        """Power off; by pid when that does not help. Twice is fine."""
        if self.console.closed:
            return
        if self.process.poll() is None:
            try:
                os.write(self.to_guest, b'{"off": true}\n')
                self.process.wait(5)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        self._end_processes()
        for descriptor in (self.to_guest, self.from_guest, self.to_line, self.from_line):
            os.close(descriptor)
        self.console.close()
        shutil.rmtree(self.folder, ignore_errors=True)


# Opens UDP 4500 for ESP as an IKE daemon would (UDP_ENCAP, UDP_ENCAP_ESPINUDP) and keeps it open.
NAT_T_SOCKET = """
import socket, time
keep = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, 4500))
    s.setsockopt(socket.IPPROTO_UDP, 100, 2)
    keep.append(s)
open("/tmp/nat-t", "w").close()
time.sleep(1e9)
"""


def open_nat_t(guest):
    guest.run(f"cat > /tmp/nat_t.py <<'END'\n{NAT_T_SOCKET}\nEND\n"
              "setsid python3 /tmp/nat_t.py > /tmp/nat_t.log 2>&1 &\n"
              "for i in $(seq 100); do test -e /tmp/nat-t && exit 0; sleep 0.1; done; cat /tmp/nat_t.log; exit 1")
