#!/usr/bin/python3
"""isthmusd --takeover: another run of the daemon follows the one that runs, and sessions go on."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib import resources as az
from lib.appliance import DAEMON, Appliance
from lib.sessions import Sessions
from lib.stream import Stream

SESSIONS = 10
RATE = 1000
ADDRESS = {"left": "10.1.1.4", "right": "10.1.2.4"}


class Scene:
    """Two subnets; the left one lets nothing in unasked."""

    def __init__(self):
        self.box = Appliance("takeover")
        self.host = {side: net.Namespace(side) for side in ADDRESS}
        for side, host in self.host.items():
            self.box.cable(side, host)
            host.address("eth0", f"{ADDRESS[side]}/24")
            host.route("default", ADDRESS[side][:-1] + "1")
        self.port = 7000

    def config(self):
        return {"virtualNetworks": [az.vnet("net", ["10.1.0.0/16"], [az.subnet("left", "10.1.1.0/24", nsg="closed"),
                                                                      az.subnet("right", "10.1.2.0/24")])],
                "networkSecurityGroups": [az.nsg("closed", az.rule("nobody-in", 100, "Inbound", "Deny"))],
                "appliance": {"ports": [az.port(side, side) for side in ADDRESS],
                              "attachments": [az.attach(f"net/{side}", side) for side in ADDRESS]}}

    def sessions(self):
        self.port += 1
        return Sessions(self.host["left"], self.host["right"], ADDRESS["right"], self.port, SESSIONS)

    def follow(self):
        """Another run; the one before it has ended by itself."""
        before = self.box.process
        self.box.process = self.box.namespace.start(DAEMON, "--takeover", "-c", self.box.config_path,
                                                    log=self.box.log_path)
        net.eventually(lambda: not before.alive(), what="the predecessor leaves")
        assert before.popen.returncode == 0, before.popen.returncode
        self.box.wait()

    def close(self):
        self.box.close()
        for host in self.host.values():
            host.close()


def nobody_is_there_yet(s):
    s.box.configure(s.config())
    s.box.process = s.box.namespace.start(DAEMON, "--takeover", "-c", s.box.config_path, log=s.box.log_path)
    s.box.wait()
    assert s.host["left"].ping(ADDRESS["right"]) == 3


def sessions_go_on(s):
    sessions = s.sessions()
    try:
        assert sessions.alive(5) == SESSIONS
        s.follow()
        assert sessions.alive(5) == SESSIONS
        rules = {f["rule"] for f in s.box.ask("flow list")["value"] if s.port in (f["sourcePort"], f["destinationPort"])}
        assert "closed/defaultSecurityRules/AllowVnetOutBound" in rules, rules
    finally:
        sessions.close()
    assert not os.path.exists(os.path.join(s.box.folder, "state", "flows"))


def little_is_lost(s):
    stream = Stream(s.host["left"], s.host["right"], ADDRESS["right"], rate=RATE).start()
    try:
        net.eventually(lambda: stream.newest > RATE / 4, what="the stream runs")
        s.follow()
        mark = stream.sent
        net.eventually(lambda: stream.newest > mark + RATE / 4, 20, what="the stream runs again")
    finally:
        lost = stream.stop()
    print(f"# lost {len(lost)} of {RATE} a second")
    assert len(lost) < 5 * RATE, len(lost)


def without_it_they_end(s):
    """A stop and a start, as SIGTERM has it: what was allowed is not known any more."""
    sessions = s.sessions()
    try:
        assert sessions.alive(5) == SESSIONS
        s.box.stop()
        s.box.start()
        assert s.host["left"].ping(ADDRESS["right"]) == 3
        assert sessions.alive(2) == 0
    finally:
        sessions.close()


def a_refused_configuration_ends_nobody(s):
    before = s.box.process
    with open(s.box.config_path, encoding="utf-8") as file:
        right = file.read()
    for wrong in ("{", right.replace('"10.1.1.0/24"', '"10.1.2.0/25"')):
        with open(s.box.config_path, "w", encoding="utf-8") as file:
            file.write(wrong)
        done = s.box.namespace.run(DAEMON, "--takeover", "-c", s.box.config_path, check=False)
        assert done.returncode == 2 and "refused" in done.stdout + done.stderr, done
        assert before.alive() and s.box.ask("status")
    with open(s.box.config_path, "w", encoding="utf-8") as file:
        file.write(right)
    assert s.host["left"].ping(ADDRESS["right"]) == 3


def what_was_left_may_be_anything(s):
    path = os.path.join(s.box.folder, "state", "flows")
    for data in (b"", b"isthmus flows 1\n", b"isthmus flows 1\n" + bytes(8) + b"\0\x38\5\0", os.urandom(5000)):
        s.box.stop()
        with open(path, "wb") as file:
            file.write(data)
        s.box.start()
        assert not os.path.exists(path)
    assert s.host["left"].ping(ADDRESS["right"]) == 3


def main():
    net.signals_raise()
    scene = Scene()
    try:
        for story in (nobody_is_there_yet, sessions_go_on, little_is_lost, without_it_they_end,
                      a_refused_configuration_ends_nobody, what_was_left_may_be_anything):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
