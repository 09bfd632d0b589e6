#!/usr/bin/python3
"""The no-drop rate of isthmusd over memif, from another process: one table per scene, and JSON of all of it.

Starts one appliance per scene (its worker on core 1), searches with the generator beside it (on core 0), and cleans
up. README.md tells what the figures mean, and how to measure a NIC.
"""

import argparse
import json
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")]
sys.dont_write_bytecode = True

from lib import net
from lib.generator import SCENES, Rig

HEAD = (f"{'frame':>5} {'no-drop pps':>12} {'Mbit/s':>8} {'on the CPU':>10} {'overload pps':>12} "
        f"{'latency min':>11} {'median':>8} {'p99 us':>8}  ended by")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="of " + " ".join(SCENES) + "; all of them")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--hugepages", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE",
                        help="of the generator: frames, seconds, loss, resolution, ceiling, flows, destinations, seed")
    args = parser.parse_args()
    unknown = set(args.scenes) - set(SCENES)
    if unknown:
        parser.error("no such scene: " + " ".join(sorted(unknown)))
    args.scenes = args.scenes or list(SCENES)
    args.options = [f"--{option}" for option in args.option]
    return args


def line(row):
    """Overload: what came through while frames were lost, per second that the worker was on its core. Without loss the
    worker may have polled in vain, which says nothing of what it can do."""
    overload = f"{row['overloadPps']:,}" if row["overloadPps"] else "-"
    latency = row["latencyUs"]
    held = "" if row["confirmed"] or not row["noDropPps"] else f", lost {row['lost']} when repeated"
    return (f"{row['frame']:>5} {row['noDropPps']:>12,} {row['noDropMbps']:>8,.0f} {row['workerShare']:>10.0%} "
            f"{overload:>12} {latency['min']:>11.1f} {latency['median']:>8.1f} {latency['p99']:>8.1f}  "
            f"{row['end']}{held}")


def measure(scene, args):
    rig = Rig(scene, busyPoll=True, hugepages=args.hugepages)
    try:
        print(f"\n{scene}: {SCENES[scene].__doc__.splitlines()[0]}\n{HEAD}")
        rows = []
        for row in rig.rows(*args.options):
            print(line(row), flush=True)
            rows.append(row)
        print("drops: " + (", ".join(f"{name} {n}" for name, n in rig.drops().items()) or "none"))
        return rows
    finally:
        rig.close()


def main():
    args = arguments()
    if os.getuid() != 0:
        sys.exit("the appliance's namespace needs root")
    net.signals_raise()
    found = {scene: measure(scene, args) for scene in args.scenes}
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"cores": os.cpu_count(), "options": args.options, "scenes": found}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
