#!/usr/bin/python3
"""The isthmus command as an operator and a script meet it: output, exit status, help, completion, offline answers."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import json
import pty
import re
import signal
import socket
import subprocess
import time

from lib import net, tap
from lib import resources as az
from lib.appliance import COMMAND, DAEMON, Appliance

OK, USAGE, REFUSED, NO_DAEMON, DENIED = 0, 1, 2, 3, 4
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOBODY = 65534

CONFIG = {
    "virtualNetworks": [
        az.vnet("hub", ["10.0.0.0/16", "fd00::/56"], [
            az.subnet("web", "10.0.1.0/24", "fd00:0:0:1::/64", nsg="guard", route_table="detour"),
            az.subnet("nva", "10.0.2.0/24"), az.subnet("far", "10.0.9.0/24")],
            [az.peering("to-spoke", "spoke")], location="west"),
        az.vnet("spoke", ["10.1.0.0/16"], [az.subnet("db", "10.1.1.0/24")],
                [az.peering("to-hub", "hub", forwarded=True)], location="east")],
    "networkSecurityGroups": [az.nsg("guard", az.rule("no-ssh", 100, "Inbound", "Deny", "Tcp", port="22"))],
    "routeTables": [az.route_table("detour", az.route("nowhere", "203.0.113.0/24", "None"),
                                   az.route("via-nva", "192.0.2.0/24", "VirtualAppliance", "10.0.2.4"))],
    "networkInterfaces": [az.nic("nva", "hub/nva", "10.0.2.4", forwarding=True)],
    "appliance": {"ports": [{"name": "p0", "driver": "null"}, {"name": "p1", "driver": "null"}],
                  "highAvailability": {"lease": {"kind": "static"}, "preferred": True},
                  "attachments": [az.attach("hub/web", "p0"), az.attach("hub/nva", "p0", 20),
                                  az.attach("spoke/db", "p1")]},
}
SSH = ("ip-flow", "--subnet", "hub/web", "--direction", "in", "--protocol", "tcp", "--local", "10.0.1.4:22",
       "--remote", "10.1.1.4:4000")
WEB = SSH[:8] + ("10.0.1.4:80",) + SSH[9:]

# Verbs that answer at once, and a column or key of each answer's table.
VERBS = [
    (("status",), "uptimeSeconds"), (("config", "show"), "virtualNetworks"), (("port", "list"), "RX-ERRORS"),
    (("port", "show", "p0"), "hub/web"), (("vnet", "list"), "ADDRESS-SPACE"), (("vnet", "show", "hub"), "location"),
    (("vnet", "peering", "list"), "STATE"), (("vnet", "peering", "list", "hub"), "to-spoke"),
    (("vnet", "peering", "show", "hub", "to-spoke"), "peeringSyncLevel"),
    (("effective-routes", "--subnet", "hub/web"), "NEXT-HOP-TYPE"),
    (("next-hop", "--subnet", "hub/web", "--source", "10.0.1.4", "--destination", "10.1.1.4"), "nextHopType"),
    (WEB, "access"), ((*WEB, "--path"), "nsg-in"), (("connection", "list"), "none"),
    (("vpn", "troubleshoot"), "none"), (("vpn", "clients"), "none"), (("ha", "show"), "exclusive"),
    (("sa", "list"), "none"), (("flow", "list"), "live"),
    (("neighbour", "list"), "none"), (("drops", "--all"), "nsg-deny"), (("stats",), "CYCLES/PACKET"),
    (("watch", "--count", "1"), "BUSY%"), (("trace", "--timeout", "1"), "timedOut"),
]
OFFLINE = [words for words, _ in VERBS if words[0] in ("config", "vnet", "effective-routes", "next-hop", "ip-flow")]


class Operator:
    """Types commands."""

    def __init__(self):
        self.box = Appliance("cli")
        self.box.start(CONFIG)

    def run(self, *words, expect=OK, environment=None, **more):
        done = self.box.namespace.run(COMMAND, *words, check=False, env={**os.environ, **(environment or {})}, **more)
        assert done.returncode == expect, f"{words}: exit status {done.returncode}, not {expect}\n{done.stdout}{done.stderr}"
        return done

    def ask(self, *words, expect=OK):
        return self.run("-s", self.box.socket_path, *words, expect=expect)

    def json(self, *words, expect=OK):
        return json.loads(self.ask("-o", "json", *words, expect=expect).stdout)

    def file(self, name, text):
        path = os.path.join(self.box.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


def every_verb_prints_both_ways(o):
    for words, sign in VERBS:
        table = o.ask(*words).stdout
        assert sign in table, f"{words}: no {sign} in\n{table}"
        for line in o.ask("-o", "json", *words).stdout.splitlines() if words[0] in ("watch", "trace") else ():
            assert line, words
        if words[0] != "watch":
            o.json(*words)


def shapes_are_the_vendors(o):
    routes = o.json("effective-routes", "--subnet", "hub/web")
    assert routes["nextLink"] is None
    peered = [r for r in routes["value"] if r["addressPrefix"] == ["10.1.0.0/16"]]
    assert peered[0]["nextHopType"] in ("VNetPeering", "VNetGlobalPeering") and peered[0]["source"] == "Default", peered
    assert {"addressPrefix", "destinationServiceTags", "disableBgpRoutePropagation", "hasBgpOverride", "name",
            "nextHopIpAddress", "nextHopType", "source", "state", "tagMap"} <= set(peered[0])
    role = o.json("ha", "show")
    assert (role["role"], role["kind"], role["exclusive"], role["remainingMilliseconds"]) == (
        "primary", "static", False, None), role
    flow = o.json(*SSH, expect=DENIED)
    assert (flow["access"], flow["ruleName"]) == ("Deny", "securityRules/no-ssh"), flow
    flow = o.json(*WEB)
    assert (flow["access"], flow["ruleName"]) == ("Allow", "defaultSecurityRules/AllowVnetInBound"), flow
    hop = o.json("next-hop", "--subnet", "hub/web", "--source", "10.0.1.4", "--destination", "192.0.2.7")
    assert (hop["nextHopType"], hop["nextHopIpAddress"]) == ("VirtualAppliance", "10.0.2.4"), hop
    assert hop["routeTableId"].endswith("detour"), hop
    hop = o.json("next-hop", "--subnet", "hub/web", "--source", "10.0.1.4", "--destination", "10.0.2.9")
    assert (hop["nextHopType"], hop["nextHopIpAddress"], hop["routeTableId"]) == ("VnetLocal", "", "System Route"), hop
    peering = o.json("vnet", "peering", "show", "hub", "to-spoke")
    assert (peering["peeringState"], peering["peeringSyncLevel"]) == ("Connected", "FullyInSync"), peering


def workers_tell_their_pauses(o):
    for worker in o.json("stats")["workers"]:
        told = {key: value for key, value in worker.items() if key.endswith("Microseconds")}
        assert len(told) == 4 and min(told.values()) > 0, told


def offline_says_what_the_daemon_says(o):
    for words in OFFLINE:
        running = o.json(*words)
        offline = json.loads(o.run("-f", o.box.config_path, "-o", "json", *words).stdout)
        assert running == offline, f"{words}:\n{running}\n{offline}"
    assert o.run("-f", o.box.config_path, *SSH, expect=DENIED)


def exit_statuses(o):
    o.run(expect=USAGE)
    o.run("nonsense", expect=USAGE)
    o.run("port", expect=USAGE)
    o.run("--nonsense", expect=USAGE)
    o.run("-o", "yaml", "status", expect=USAGE)
    o.run("-s", expect=USAGE)
    o.run("-f", o.box.config_path, "drops", expect=USAGE)
    o.ask("next-hop", "--subnet", "hub/web", expect=USAGE)
    o.ask("next-hop", "--subnet", expect=USAGE)
    o.ask("flow", "list", "--max", "x", expect=USAGE)
    o.ask("flow", "list", "--max", "0", expect=USAGE)
    o.ask("port", "show", "p0", "p1", expect=USAGE)
    o.ask("effective-routes", "--subnet", "hub/web", "--subnet", "hub/nva", expect=USAGE)
    for words in (("port", "show", "p9"), ("vnet", "show", "none"), ("effective-routes", "--subnet", "hub/none"),
                  ("vnet", "peering", "show", "hub", "none"), ("stats", "--worker", "9"),
                  ("next-hop", "--subnet", "hub/far", "--source", "10.0.9.4", "--destination", "10.0.1.4"),
                  ("next-hop", "--subnet", "hub/web", "--source", "10.0.1.4", "--destination", "fd00::1"),
                  ("apply", "/does/not/exist"), ("verify", "/does/not/exist")):
        done = o.ask(*words, expect=REFUSED)
        assert done.stderr.startswith(("isthmus: ", "/does")), (words, done.stderr)
    o.run("-s", "/does/not/exist", "status", expect=NO_DAEMON)
    o.ask("next-hop", "--subnet", "hub/web", "--source", "10.0.1.4", "--destination", "203.0.113.1", expect=DENIED)
    o.ask(*SSH, expect=DENIED)
    o.ask(*WEB, expect=OK)


def options_stand_anywhere(o):
    first = o.run("-s", o.box.socket_path, "-o", "json", "vnet", "peering", "list", "hub").stdout
    assert first == o.run("vnet", "peering", "list", "--vnet=hub", "-ojson", f"--socket={o.box.socket_path}").stdout
    assert first == o.run("vnet", "peering", "list", "-o", "json", "hub", "-s", o.box.socket_path).stdout
    assert first == o.run("-o", "json", "vnet", "peering", "list", "-s", o.box.socket_path, "--", "hub").stdout


def sockets_are_found(o):
    """In /run/isthmus, by name, by environment; a wrong guess is not made."""
    second = Appliance("other", namespace=o.box.namespace)
    config = json.loads(json.dumps(CONFIG))
    config["appliance"]["socket"] = f"/run/isthmus/{second.name}.sock"
    try:
        o.run("status", expect=NO_DAEMON)
        second.configure(config)
        second.process = o.box.namespace.start(DAEMON, "-c", second.config_path, log=second.log_path)
        net.eventually(lambda: o.box.namespace.run(COMMAND, "status", check=False).returncode == OK, 30,
                       what="the one socket in /run/isthmus answers")
        assert second.name in o.run("-s", second.name, "status").stdout
        assert o.box.name in o.run("status", environment={"ISTHMUS_SOCKET": o.box.socket_path}).stdout
        o.box.namespace.sh("touch /run/isthmus/more.sock")
        assert "-s" in o.run("status", expect=NO_DAEMON).stderr
        o.box.namespace.sh("rm /run/isthmus/more.sock")
        assert second.stop() == 0
        # Its folder was made by the daemon and went with it.
        assert "isthmus" not in o.box.namespace.sh("ls /run").stdout.split(), "/run/isthmus stays"
    finally:
        second.close(namespace=False)


def help_and_manual_know_everything(o):
    text = o.run("--help").stdout
    with open(os.path.join(ROOT, "control", "cli", "isthmus.1"), encoding="utf-8") as file:
        manual = file.read().replace("\\-", "-")
    names = re.findall(r"^  ([a-z][a-z -]*[a-z]) +\*? ", text, re.M)
    assert len(names) == 33, names
    for name in names:
        usage = o.run(*name.split(), "--help").stdout
        assert f"isthmus {name}" in usage.replace("[-f FILE] ", ""), usage
        assert name in manual, f"the manual does not know {name}"
        for option in re.findall(r"^  --([a-z-]+)", usage, re.M):
            assert f"Fl -{option}" in manual, f"the manual does not know --{option} of {name}"


def completion_knows_what_may_come(o):
    def offers(*words):
        return o.run("--complete", *words, environment={"ISTHMUS_SOCKET": o.box.socket_path}).stdout.split()
    assert {"status", "vnet", "port", "trace"} <= set(offers(""))
    assert len(offers("")) == len(set(offers("")))
    assert offers("vnet", "p") == ["peering"]
    assert offers("vnet", "peering", "") == ["list", "show"]
    assert set(offers("vnet", "peering", "show", "")) == {"hub", "spoke"}
    assert offers("port", "show", "") == ["p0", "p1"]
    assert offers("effective-routes", "--subnet", "hub/") == ["hub/web", "hub/nva", "hub/far"]
    assert offers("ip-flow", "--direction", "") == ["in", "out"]
    assert "--destination-port" in offers("trace", "--d")
    assert offers("-o", "") == ["json", "table"]
    # Without a daemon: no names, no noise, no delay to speak of.
    assert o.run("--complete", "port", "show", "", environment={"ISTHMUS_SOCKET": "/none"}).stdout == ""
    script = os.path.join(ROOT, "control", "cli", "isthmus.bash")
    done = o.box.namespace.run("bash", "-c", f"isthmus() {{ {COMMAND} \"$@\"; }}; . {script}; "
                               "COMP_WORDS=(isthmus port l); COMP_CWORD=2; _isthmus; echo ${COMPREPLY[@]}")
    assert done.stdout.split() == ["list"], done


def verify_names_the_place(o):
    path = o.file("broken.yaml", "virtualNetworks:\n  - name: a\n    addressSpace: {addressPrefixes: [10.0.0.0/8]}\n"
                                 "    subnet: []\nappliance: {name: x}\n")
    done = o.run("verify", path, expect=REFUSED)
    assert f"{path}:4:5: UnknownKey: " in done.stderr, done.stderr
    error = json.loads(o.run("verify", path, "-o", "json", expect=REFUSED).stdout)
    assert error["code"] == "UnknownKey" and error["details"][0]["line"] == 4, error
    error = o.json("apply", path, expect=REFUSED)
    assert error["details"][0]["column"] == 5, error
    assert o.json("verify", o.box.config_path)["valid"] is True

    changed = json.loads(json.dumps(CONFIG))
    changed["appliance"]["workers"] = 2
    other = Appliance.configure(o.box, changed)
    assert o.json("verify", other)["valid"] is True
    error = o.json("verify", other, "--daemon", expect=REFUSED)
    assert error["code"] == "NeedsRestart" and "workers" in error["details"][0]["message"], error
    error = o.json("apply", other, expect=REFUSED)
    assert error["code"] == "NeedsRestart", error
    o.box.configure(CONFIG)


def apply_takes_a_relative_path_and_none(o):
    before = o.json("status")["configuration"]["generation"]
    done = o.box.namespace.run("sh", "-c", f"cd {o.box.folder} && {COMMAND} -s {o.box.socket_path} apply isthmus.json")
    assert "applied: true" in done.stdout, done.stdout
    o.ask("apply")
    status = o.json("status")
    assert status["configuration"]["generation"] == before + 2, status
    assert status["configuration"]["file"] == o.box.config_path, status


def trace_and_watch_stream(o):
    lines = o.ask("-o", "json", "watch", "--count", "2").stdout.splitlines()
    assert len(lines) == 2 and all("ports" in json.loads(line) for line in lines), lines
    began = time.monotonic()
    assert o.json("trace", "--timeout", "1") == {"packets": 0, "lost": 0, "timedOut": True}
    assert 0.9 < time.monotonic() - began < 10
    # One at a time; who leaves makes room.
    first = o.box.connect()
    first.sendall(b'{"version": 1, "verb": "trace", "arguments": {"timeout": 60}}\n')
    time.sleep(0.5)
    assert "Busy" in o.ask("trace", "--timeout", "1", expect=REFUSED).stderr
    first.close()
    net.eventually(lambda: o.box.namespace.run(COMMAND, "-s", o.box.socket_path, "trace", "--timeout", "1",
                                               check=False).returncode == OK, what="the place is free again")


def strangers_are_kept_out(o):
    """As nobody: the mode of the socket keeps them out, and were it not, the daemon would."""
    def as_nobody():
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    os.chmod(o.box.folder, 0o755)
    line = [COMMAND, "-s", o.box.socket_path, "status"]
    done = subprocess.run(line, capture_output=True, text=True, preexec_fn=as_nobody, check=False, timeout=30)
    assert done.returncode == NO_DAEMON and "Permission denied" in done.stderr, done
    os.chmod(o.box.socket_path, 0o666)
    done = subprocess.run(line, capture_output=True, text=True, preexec_fn=as_nobody, check=False, timeout=30)
    os.chmod(o.box.socket_path, 0o600)
    assert done.returncode == REFUSED and "PermissionDenied" in done.stderr, done


def service_manager_is_told(_):
    """READY, RELOADING with its time, READY, STOPPING, and the watchdog between them."""
    box = Appliance("notify")
    path = os.path.join(box.folder, "notify")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(10)

    def hears(word):
        while True:
            text = manager.recv(4096).decode()
            if word in text:
                return text
    try:
        box.configure(CONFIG)
        box.process = box.namespace.start(DAEMON, "-c", box.config_path, log=box.log_path,
                                          env={**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        manager.settimeout(30)
        hears("READY=1")
        hears("WATCHDOG=1")
        hears("WATCHDOG=1")
        box.process.popen.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in hears("RELOADING=1")
        hears("READY=1")
        box.process.popen.send_signal(signal.SIGTERM)
        hears("STOPPING=1")
        assert box.stop() == 0
    finally:
        manager.close()
        box.close()


def names_cannot_drive_the_terminal(o):
    """Control characters of an error's text do not reach the terminal."""
    done = o.ask("vnet", "show", "\033[2Jx", expect=REFUSED)
    assert "\033" not in done.stderr and "[2Jx" in done.stderr, done


def interactive_use(o):
    """A terminal and no verb: a prompt, the same verbs, an end."""
    master, slave = pty.openpty()
    shell = subprocess.Popen(o.box.namespace.inside([COMMAND, "-s", o.box.socket_path]), stdin=slave, stdout=slave,
                             stderr=slave, env={**os.environ, "TERM": "dumb", "HOME": o.box.folder})
    os.close(slave)
    os.set_blocking(master, False)
    seen = b""

    def sees(word):
        nonlocal seen
        try:
            seen += os.read(master, 65536)
        except (BlockingIOError, OSError):
            pass
        return word in seen
    try:
        net.eventually(lambda: sees(b"isthmus> "), what="a prompt")
        os.write(master, b"vnet list\n")
        net.eventually(lambda: sees(b"ADDRESS-SPACE"), what="the table")
        os.write(master, b"nonsense\n")
        net.eventually(lambda: sees(b"there is no verb"), what="an error, and it goes on")
        os.write(master, b"port sh\t p0\n")
        net.eventually(lambda: sees(b"rxQueues"), what="completion of a word")
        os.write(master, b"exit\n")
        assert shell.wait(10) == 0
    finally:
        shell.kill()
        shell.wait()
        os.close(master)


def main():
    net.signals_raise()
    operator = Operator()
    try:
        for story in (every_verb_prints_both_ways, shapes_are_the_vendors, offline_says_what_the_daemon_says,
                      exit_statuses, options_stand_anywhere, sockets_are_found, help_and_manual_know_everything,
                      completion_knows_what_may_come, verify_names_the_place, apply_takes_a_relative_path_and_none,
                      trace_and_watch_stream, strangers_are_kept_out, service_manager_is_told,
                      workers_tell_their_pauses, names_cannot_drive_the_terminal, interactive_use):
            tap.add(story.__name__, story, operator)
        tap.main()
    finally:
        operator.box.close()


main()
