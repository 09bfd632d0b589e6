"""Our traffic generator around one isthmusd, over memif: configurations, and what it found.

The generator stands on core 0 with the appliance's control thread, the appliance's worker on core 1.
"""

import json
import os
import subprocess

from lib import net
from lib import resources as az
from lib.appliance import BUILD, Appliance

GENERATOR = os.path.join(BUILD, "tests/bench/pktgen/generator")
HOST, DESTINATION = "10.1.1.4", "10.2.1.4"
# Ports of each scene: name, the generator's address there, the appliance's.
LANS = [("left", HOST, "10.1.1.1"), ("right", "10.2.1.254", "10.2.1.1")]
WIRES = [("wire-a", "192.0.2.126", "192.0.2.1"), ("wire-b", "192.0.2.254", "192.0.2.129")]
KEYS = {"there": bytes(range(20)), "back": bytes(range(32, 52))}
SPIS = {"there": 0x1001, "back": 0x1002}


def forward():
    """Two subnets of one VNet, in clear."""
    return LANS, {
        "virtualNetworks": [az.vnet("v", ["10.1.0.0/16", "10.2.0.0/16"], [
            az.subnet("left", "10.1.1.0/24"), az.subnet("right", "10.2.1.0/24")])],
        "appliance": {"attachments": [az.attach("v/left", "left"), az.attach("v/right", "right")]}}


def connection(name, here, there, out, back):
    sas = [az.sa("out", SPIS[out], "aes-gcm-128", KEYS[out], esn=True),
           az.sa("in", SPIS[back], "aes-gcm-128", KEYS[back], esn=True)]
    return {"name": name, "connectionType": "Vnet2Vnet", "virtualNetworkGateway1": az.ref(here),
            "virtualNetworkGateway2": az.ref(there), "appliance": {"securityAssociations": sas}}


def tunnel():
    """Two VNets joined by ESP between two uplinks of the same appliance: its worker seals each packet and opens it.
    The generator is the router between the uplinks."""
    return LANS + WIRES, {
        "virtualNetworks": [az.vnet(name, [f"10.{n}.0.0/16"], [
            az.subnet("hosts", f"10.{n}.1.0/24"), az.subnet("GatewaySubnet", f"10.{n}.255.0/27")])
            for name, n in (("a", 1), ("b", 2))],
        "publicIPAddresses": [az.public_ip("ip-a", "192.0.2.1"), az.public_ip("ip-b", "192.0.2.129")],
        "virtualNetworkGateways": [az.gateway("gw-a", "a", "ip-a"), az.gateway("gw-b", "b", "ip-b")],
        "connections": [connection("a-to-b", "gw-a", "gw-b", "there", "back"),
                        connection("b-to-a", "gw-b", "gw-a", "back", "there")],
        "appliance": {
            "attachments": [az.attach("a/hosts", "left"), az.attach("b/hosts", "right")],
            "uplinks": [az.uplink("a", "wire-a", "192.0.2.1/25", gateway4="192.0.2.126"),
                        az.uplink("b", "wire-b", "192.0.2.129/25", gateway4="192.0.2.254")]}}


SCENES = {"forward": forward, "tunnel": tunnel}


class Rig:
    """The appliance of one scene, running; run() sends the generator against it."""

    def __init__(self, scene, **appliance):
        self.ports, config = SCENES[scene]()
        self.box = Appliance(f"rig-{scene}")
        try:
            ports = [{"name": name, "driver": "memif", "path": self.socket(name), "server": True,
                      "mtu": 2000 if name.startswith("wire") else 1500} for name, _, _ in self.ports]
            config["appliance"].update({"ports": ports, "cores": [0, 1], **appliance})
            self.box.start(config)
        except BaseException:
            self.close()
            raise

    def socket(self, name):
        return os.path.join(self.box.folder, f"{name}.sock")

    def worker(self):
        """The worker thread's time on its core, as the kernel counts it. DPDK names its lcores' threads."""
        tasks = f"/proc/{self.box.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/comm", encoding="utf-8") as file:
                if file.read().strip() in ("lcore-worker-1", "rte-worker-1"):
                    return f"{tasks}/{task}/schedstat"
        raise net.Failed("no worker thread")

    def start(self, *options):
        ports = [f"{self.socket(name)},{own},{appliance}" for name, own, appliance in self.ports]
        return subprocess.Popen(["taskset", "-c", "0", GENERATOR, "--destination", DESTINATION, "--worker", self.worker(),
                                 *options, *ports], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=net.die_with_parent)

    def run(self, *options, timeout=60):
        """(exit status, one dict per frame size, what it complained of)."""
        with self.start(*options) as process:
            try:
                out, complaint = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return process.returncode, [json.loads(line) for line in out.splitlines()], complaint

    def rows(self, *options):
        """One dict per frame size, as they come; an exception when the generator could not."""
        with self.start(*options) as process:
            try:
                yield from map(json.loads, process.stdout)
            except BaseException:
                process.kill()
                raise
            complaint = process.stderr.read()
        if process.returncode > 1:
            raise net.Failed(f"the generator ended with {process.returncode}: {complaint}")

    def drops(self):
        return {row["reason"]: row["packets"] for row in self.box.ask("drops") if row["packets"]}

    def close(self):
        self.box.close()
