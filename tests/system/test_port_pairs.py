#!/usr/bin/python3
"""Ports on shared memory between two processes: memif, vhost_user with virtio_user, and DPDK's own memif."""

import contextlib
import os
import shutil
import signal
import tempfile

from lib import net, tap
from lib.bridge import Bridge, lab, pings, tcp
from lib.tap import case


def pair(server, client, server_returns):
    """x0 - server - socket - client - x1, by two processes. The client dies and comes back, then maybe the server."""
    with lab() as (a, x, b), tempfile.TemporaryDirectory(prefix="isthmus-ports-") as folder:
        path = os.path.join(folder, "pair.sock")
        with contextlib.ExitStack() as stack:
            def side(text, link):
                return stack.enter_context(Bridge(x, text.format(path=path), f"af_packet:if={link}"))
            first, second = side(server, "x0"), side(client, "x1")
            pings(a)
            pings(a, "fd09::2")
            tcp(a, b)
            second.end(signal.SIGKILL)
            second = side(client, "x1")
            pings(a)
            if server_returns:
                first.end(signal.SIGKILL)
                first = side(server, "x0")
                pings(a)
            second.end()
            first.end()
        assert not os.path.exists(path), "the socket file stayed behind"


@case
def memif_pair():
    pair("memif:path={path},server=1", "memif:path={path}", server_returns=True)


@case
def memif_speaks_with_dpdk():
    """Against DPDK's own driver in either role: testpmd answers ARP and echo."""
    testpmd = shutil.which("dpdk-testpmd") or tap.skip("no dpdk-testpmd")
    for ours, theirs in (("server=1", "client"), ("server=0", "server")):
        with lab() as (a, x, _), tempfile.TemporaryDirectory(prefix="isthmus-ports-") as folder:
            path = os.path.join(folder, "pair.sock")
            peer = [testpmd, "--no-huge", "-m", "256", "--no-pci", "--no-shconf", "--no-telemetry", "--lcores=0@0,1@1",
                    f"--file-prefix=isthmus-peer-{os.getpid()}",
                    f"--vdev=net_memif0,role={theirs},socket={path},socket-abstract=no", "--",
                    "--forward-mode=icmpecho", "--auto-start", "--total-num-mbufs=4096", "--stats-period=1"]
            with contextlib.ExitStack() as stack:
                if theirs == "server":
                    x.start(*peer, log=f"{folder}/peer")
                    net.eventually(lambda: os.path.exists(path), what="the peer's socket")
                bridge = stack.enter_context(Bridge(x, f"memif:path={path},{ours}", "af_packet:if=x0", workers=2))
                if theirs == "client":
                    x.start(*peer, log=f"{folder}/peer")
                a.ip("neigh replace 10.9.0.77 lladdr 02:00:00:00:00:77 dev a0")
                pings(a, "10.9.0.77")
                pings(a, "10.9.0.77", options=("-s", "1472"))
                bridge.end()


@case
def vhost_user_and_virtio_user():
    pair("vhost_user:path={path},server=1", "virtio_user:path={path}", server_returns=False)


if __name__ == "__main__":
    net.signals_raise()
    tap.main()
