#!/usr/bin/python3
"""Many tunnels by IKE from cold, between two appliances on this machine: how long, and with how much memory and work.

    ISTHMUS_BUILD=build tests/bench/ike_many.py [--tunnels N] [--children N] [--within SECONDS]

The machine does both ends: four daemons, two of them charon. Needs root; leaves nothing. Each tenth of the way up has a
line; at the end a packet goes through every connection, both ways.
"""

import argparse
import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net
from lib.ike_many import Many


def cpu_s(pid):
    """User and system."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def climb(many, within):
    """A line for each tenth of the connections."""
    end, tenth, at = time.monotonic() + within, 1, many.began
    while tenth <= 10 and time.monotonic() < end:
        up = min(total - half for total, half in (e.ike_sas() for e in many.end))
        if up < many.count * tenth // 10:
            time.sleep(0.5)
            continue
        now = time.monotonic()
        print(f"{up:7} up after {now - many.began:7.1f} s, {many.count / 10 / max(now - at, 0.01):6.1f} a second", flush=True)
        tenth, at = up * 10 // many.count + 1, now


def report(many):
    for end in many.end:
        pids = {"isthmusd": end.box.process.pid, "charon": end.charon_pid()}
        for name, mb in end.memory_mb().items():
            empty = many.empty_mb[end.name][name]
            print(f"{end.name:5} {name:9} {mb:7.1f} MB, {(mb - empty) * 1024 / many.count:6.1f} KB a connection, "
                  f"{cpu_s(pids[name]):7.1f} s of CPU")


def main():
    net.signals_raise()
    parser = argparse.ArgumentParser()
    parser.add_argument("--tunnels", type=int, default=10000, help="connections")
    parser.add_argument("--children", type=int, default=1, help="SAs side by side in each, either way")
    parser.add_argument("--within", type=float, default=3600, help="seconds until it is given up")
    options = parser.parse_args()
    with Many(options.tunnels, tunnels=options.children) as many:
        many.start()
        print(f"        configured after {time.monotonic() - many.began:.1f} s", flush=True)
        climb(many, options.within)
        took = many.await_up(60)
        many.await_settled(options.within)
        whole = time.monotonic() - many.began
        many.check_packets(120)
        print(f"{options.tunnels} connections in {took:.1f} s: {options.tunnels / took:.1f} a second; "
              f"all children of all of them in {whole:.1f} s")
        report(many)


main()
