#!/usr/bin/python3
"""The traffic generator through the real daemon, over memif: at a low rate nothing is lost, swapped or changed."""

import os
import subprocess
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib.appliance import BUILD
from lib.generator import DESTINATION, HOST, Rig
from lib.tap import case

PPS, SECONDS = 5000, 1


def carries(scene):
    """Each frame size once; the appliance itself says that it dropped nothing but what waited for neighbours."""
    rig = Rig(scene)
    try:
        status, rows, complaint = rig.run("--rate", str(PPS), "--seconds", str(SECONDS), "--frames", "64,1518,imix",
                                          "--flows", "200", "--destinations", "8")
        assert status == 0, (status, rows, complaint, rig.drops())
        assert [row["frame"] for row in rows] == [64, 1518, "imix"]
        for row in rows:
            assert row["offered"] >= PPS * SECONDS * 0.1, f"the generator slept: {row}"
            assert row["received"] == row["offered"], (row, rig.drops())
            assert row["reordered"] == row["doubled"] == row["damaged"] == row["lost"] == 0, row
            assert 0 < row["latencyUs"]["min"] <= row["latencyUs"]["median"] <= row["latencyUs"]["p99"], row
            assert 0 < row["workerShare"] <= 1.05, row
    finally:
        rig.close()


@case
def clear_between_two_subnets():
    carries("forward")


@case
def through_an_esp_tunnel():
    carries("tunnel")


@case
def a_search_ends_and_is_confirmed():
    """A ceiling that anything carries: the search asks once, and says that it was the ceiling, or, where others had
    the core, the generator."""
    rig = Rig("forward")
    try:
        status, rows, complaint = rig.run("--ceiling", "3", "--seconds", "0.5", "--frames", "64")
        assert status == 0, complaint
        row = rows[0]
        assert row["end"] in ("ceiling", "generator") and row["trials"] == 1 and row["confirmed"] is True, row
        assert (4300 if row["end"] == "ceiling" else 0) < row["noDropPps"] < 4600, row
        assert row["lost"] > 0 or row["overloadPps"] == 0, row
    finally:
        rig.close()


@case
def an_overload_tells_what_a_core_carries():
    """More than anything carries: frames are lost, and the rate is of the time that the worker had."""
    rig = Rig("tunnel")
    try:
        status, rows, complaint = rig.run("--rate", "50000000", "--seconds", "0.5", "--frames", "64")
        assert status == 0, complaint
        row = rows[0]
        assert row["lost"] > 0 and 0 < row["received"] < row["offered"], row
        seconds = row["offered"] / row["pps"]
        on_core = row["received"] / (seconds * row["workerShare"])
        assert 0.5 * on_core < row["overloadPps"] < 1.01 * on_core, row
    finally:
        rig.close()


@case
def configurations_for_pktgen_are_sound():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench/pktgen")
    for name in ("memif.yaml", "nic.yaml"):
        shown = subprocess.run([os.path.join(BUILD, "isthmus"), "-f", os.path.join(folder, name), "next-hop", "--subnet", "lab/left",
                                "--source", HOST, "--destination", DESTINATION],
                               capture_output=True, text=True, check=False)
        assert shown.returncode == 0 and "lab/right" in shown.stdout, (name, shown)


@case
def what_is_lost_is_told():
    """Nobody at RIGHT's address: not one frame comes through, and the generator says so and gives up."""
    rig = Rig("forward")
    try:
        status, rows, complaint = rig.run("--rate", "1000", "--frames", "64", "--destination", "10.9.9.9")
        assert status == 2 and not rows and "did not come through" in complaint, (status, rows, complaint)
    finally:
        rig.close()


if __name__ == "__main__":
    net.signals_raise()
    tap.main()
