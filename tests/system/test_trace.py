#!/usr/bin/python3
"""What an operator sees: trace, drops, verdicts and exit statuses of the command, for packets that really flow."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import json
import threading

from lib import net, tap
from lib import resources as az
from lib.scene import Scene

CONFIG = {
    "virtualNetworks": [az.vnet("v", ["10.1.0.0/16"], [
        az.subnet("web", "10.1.1.0/24", route_table="table"), az.subnet("db", "10.1.2.0/24", nsg="guard")])],
    "routeTables": [az.route_table("table", az.route("black-hole", "10.1.3.0/24", "None"))],
    "networkSecurityGroups": [az.nsg("guard", az.rule("no-telnet", 100, "Inbound", "Deny", "Tcp", port="23"))]}


def traced(scene, talk, *filters, count=1):
    """Records of the packets that talk() makes."""
    answer = []
    def watch():
        answer.append(scene.box.command("-o", "json", "trace", *filters, "--count", str(count), "--timeout", "8"))
    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(10):
        watcher.join(0.3)
        if not watcher.is_alive():
            break
        talk()
    watcher.join()
    return answer[0].stdout


def trace_follows_a_packet_that_passes(scene):
    text = traced(scene, lambda: scene.pings("web", "db", count=1), "--subnet", "v/web", "--protocol", "ICMP")
    for word in ("10.1.1.4", "10.1.2.4"):
        assert word in text, text
    assert "drop" not in text.lower().replace("dropped\": 0", ""), text


def trace_names_the_rule_that_dropped(scene):
    text = traced(scene, lambda: scene.connects("web", "db", 23, timeout=0.3), "--destination-port", "23")
    assert "no-telnet" in text and "nsg-deny" in text, text


def trace_names_the_route_that_dropped(scene):
    text = traced(scene, lambda: scene.pings("web", "10.1.3.9", count=1, wait=0.3), "--destination", "10.1.3.9")
    assert "black-hole" in text and "route-none" in text, text


def trace_filter_spares_the_rest(scene):
    text = traced(scene, lambda: scene.pings("web", "db", count=1), "--destination", "10.1.77.0/24")
    assert "10.1.2.4" not in text, text


def drops_table_is_for_people(scene):
    scene.connects("web", "db", 23, timeout=0.3)
    out = scene.box.command("drops").stdout
    assert "nsg-deny" in out and "no-telnet" in out, out


def ip_flow_exit_status_is_the_verdict(scene):
    def verdict(port):
        return scene.box.command("ip-flow", "--subnet", "v/db", "--direction", "in", "--protocol", "TCP", "--local",
                                 f"10.1.2.4:{port}", "--remote", "10.1.1.4:40000", check=False)
    allowed, denied = verdict(80), verdict(23)
    assert allowed.returncode == 0 and "Allow" in allowed.stdout, allowed
    assert denied.returncode == 4 and "no-telnet" in denied.stdout, denied


def offline_verdict_is_the_same(scene):
    words = ["-o", "json", "ip-flow", "--subnet", "v/db", "--direction", "in", "--protocol", "TCP", "--local",
             "10.1.2.4:23", "--remote", "10.1.1.4:40000"]
    online = json.loads(scene.box.command(*words, check=False).stdout)
    offline = json.loads(scene.box.command("-f", scene.box.config_path, *words, check=False).stdout)
    assert online == offline, (online, offline)


def verify_says_line_and_rule(scene):
    path = os.path.join(scene.box.folder, "broken.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("virtualNetworks:\n  - name: v\n    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
                   "    subnets:\n      - {name: s, addressPrefix: 10.2.0.0/24}\n")
    done = scene.box.command("verify", path, check=False)
    assert done.returncode == 2 and "broken.yaml:5" in done.stdout + done.stderr, done


def no_daemon_is_said(scene):
    done = scene.box.namespace.run(*command(), "--socket", "/run/nobody.sock", "status", check=False)
    assert done.returncode == 3 and done.stderr, done


def command():
    from lib.appliance import COMMAND
    return [COMMAND]


def socket_is_closed_to_others(scene):
    assert os.stat(scene.box.socket_path).st_mode & 0o777 == 0o600
    done = scene.box.namespace.run("setpriv", "--reuid", "65534", "--clear-groups", *command(), "--socket",
                                   scene.box.socket_path, "status", check=False)
    assert done.returncode == 3, done


def main():
    net.signals_raise()
    scene = Scene(CONFIG, {"web": "v/web", "db": "v/db"}, "trace")
    try:
        assert scene.reaches("web", "db")
        for story in (trace_follows_a_packet_that_passes, trace_names_the_rule_that_dropped,
                      trace_names_the_route_that_dropped, trace_filter_spares_the_rest, drops_table_is_for_people,
                      ip_flow_exit_status_is_the_verdict, offline_verdict_is_the_same, verify_says_line_and_rule,
                      no_daemon_is_said, socket_is_closed_to_others):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
