#!/usr/bin/python3
"""Every example configuration loads, and the offline verdicts answer from it."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import glob
import json
import shutil
import tempfile

from lib import net, pki, tap
from lib.appliance import COMMAND

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = sorted(glob.glob(os.path.join(ROOT, "config", "examples", "*.yaml"))
                  + glob.glob(os.path.join(ROOT, "config", "examples", "*.json")))


def verifies(path):
    net.run([COMMAND, "verify", path])


def answers_offline(path):
    """Effective routes of every subnet of the file, without a daemon."""
    vnets = json.loads(net.run([COMMAND, "-o", "json", "-f", path, "vnet", "list"]).stdout)
    asked = 0
    for vnet in vnets:
        shown = json.loads(net.run([COMMAND, "-o", "json", "-f", path, "vnet", "show", vnet["name"]]).stdout)
        for subnet in shown["subnets"]:
            where = f"{vnet['name']}/{subnet['name']}"
            answer = json.loads(net.run([COMMAND, "-o", "json", "-f", path, "effective-routes",
                                         "--subnet", where]).stdout)
            assert answer["value"] if isinstance(answer, dict) else answer, where
            asked += 1
    assert asked


def copied(folder):
    """Examples name files of mode 0600, which a source tree cannot keep: copies stand beside them."""
    for name in ("psk", "ann.password", "bob.password"):
        pki.write(folder, name, b"Known to nobody else\n")
    pki.write(folder, "node-key", b"0123456789abcdef" * 4 + b"\n")
    gateway = pki.Authority("Example gateways CA").issue("gateway", names=["vpn.example.com"], server=True)
    pki.write(folder, "gateway.pem", gateway.pem)
    pki.write(folder, "gateway.key", gateway.key)
    return [shutil.copy(path, folder) for path in EXAMPLES]


def main():
    assert EXAMPLES, "no examples"
    with tempfile.TemporaryDirectory() as folder:
        for path in copied(folder):
            tap.add(f"{os.path.basename(path)} verifies", verifies, path)
            tap.add(f"{os.path.basename(path)} answers offline", answers_offline, path)
        tap.main()


main()
