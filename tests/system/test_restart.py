#!/usr/bin/python3
"""The end of a daemon, orderly or not: nothing stays behind, a new start recovers, no nonce comes twice."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import random
import signal
import time

from lib import net, tap
from lib.stream import Stream
from lib.tunnel import HOST, Tunnel, config

KILLS = 8


def leavings(box):
    """Files, sockets and links of an ended daemon, in its namespace."""
    found = box.namespace.sh("find /run -mindepth 1 ! -type d; ip -o link show type tun; ls -A /dev/hugepages 2>/dev/null",
                             check=False).stdout.split("\n")
    return [line for line in found if line] + [n for n in os.listdir(box.folder) if n.endswith(".sock")]


def links(space):
    """Names and flags: a promiscuous mode left on would show."""
    return [line.split(" mtu")[0] for line in space.run("ip", "-o", "link").stdout.splitlines()]


def sigterm_leaves_nothing(t):
    box = t.box["left"]
    assert t.pings("left") == 5
    status = box.stop(signal.SIGTERM)
    assert status == 0, f"exit status {status}\n{box.log()[-2000:]}"
    assert leavings(box) == []
    assert not any("PROMISC" in line for line in links(box.namespace)), links(box.namespace)
    box.start()
    assert t.pings("left") == 5, t.drops()


def sigint_does_too(t):
    box = t.box["left"]
    assert box.stop(signal.SIGINT) == 0
    assert leavings(box) == []
    box.start()


def second_daemon_is_refused(t):
    """Two with one name would share sequence numbers: the second ends at once and the first goes on."""
    box = t.box["left"]
    done = box.namespace.run(*daemon_line(box), check=False, timeout=20)
    assert done.returncode != 0, done.stdout
    assert t.pings("left") == 5, t.drops()


def daemon_line(box):
    from lib.appliance import DAEMON
    return [DAEMON, "-c", box.config_path]


def broken_file_at_start_is_said(t):
    box = t.box["left"]
    path = os.path.join(box.folder, "broken.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("appliance:\n  workres: 2\n")
    from lib.appliance import DAEMON
    done = box.namespace.run(DAEMON, "-c", path, check=False, timeout=20)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "broken.yaml:2:3" in text and "workers" in text, text


def killed_at_random_moments_it_recovers(t):
    """kill -9 under traffic; each time a start finds no obstacle and the sequence numbers go on above the old ones."""
    box = t.box["left"]
    stream = Stream(t.host["left"], t.host["right"], HOST["right"][4], 9000, 1000).start()
    last = 0
    try:
        for _ in range(KILLS):
            time.sleep(random.uniform(0.05, 0.8))
            try:
                last = max(last, t.sequence("left"))
            except (OSError, EOFError):
                pass
            box.stop(signal.SIGKILL)
            box.start()
            after = t.sequence("left")
            assert after >= last, f"the sequence fell from {last} to {after}"
            last = after
        delivered = len(stream.seen)
        net.eventually(lambda: len(stream.seen) > delivered + 100, what="traffic after the last start")
    finally:
        stream.stop()
    assert stream.duplicates() == 0
    assert "esp-replay" not in t.drops()["right"], t.drops()["right"]
    assert t.pings("left") == 5, t.drops()


def killed_while_it_starts(t):
    box = t.box["left"]
    box.stop(signal.SIGKILL)
    for _ in range(5):
        box.start(wait=False)
        time.sleep(random.uniform(0.01, 0.6))
        box.stop(signal.SIGKILL)
    box.start()
    assert t.pings("left") == 5, t.drops()
    box.stop()
    assert leavings(box) == []
    box.start()


def killed_while_it_reloads(t):
    box = t.box["left"]
    for _ in range(5):
        path = box.configure(config("left"))
        with box.connect() as s:
            s.sendall(b'{"version": 1, "id": 1, "verb": "apply", "arguments": {"file": "%s"}}\n' % path.encode())
            time.sleep(random.uniform(0, 0.05))
            box.stop(signal.SIGKILL)
        box.start()
    assert t.pings("left") == 5, t.drops()


def peer_restart_is_noticed_by_nobody(t):
    """The right side starts again: its replay window is new, our numbers went on, packets pass."""
    t.box["right"].stop(signal.SIGKILL)
    t.box["right"].start()
    for side in ("left", "right"):
        assert t.pings(side) == 5, t.drops()


def main():
    net.signals_raise()
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"# SEED={seed}")
    random.seed(seed)
    t = Tunnel()
    try:
        for story in (sigterm_leaves_nothing, sigint_does_too, second_daemon_is_refused, broken_file_at_start_is_said,
                      killed_at_random_moments_it_recovers, killed_while_it_starts, killed_while_it_reloads,
                      peer_restart_is_noticed_by_nobody):
            tap.add(story.__name__, story, t)
        tap.main()
    finally:
        t.close()


main()
