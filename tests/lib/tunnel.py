"""Two appliances that join two VNets through a tunnel: the configurations and the scene."""

from lib import net
from lib import resources as az
from lib.appliance import Appliance

SIDES = ("left", "right")
OUTER = {"left": {4: "192.0.2.1", 6: "2001:db8::1"}, "right": {4: "192.0.2.2", 6: "2001:db8::2"}}
SPACE = {"left": ("10.1.0.0/16", "fd01::/48"), "right": ("10.2.0.0/16", "fd02::/48")}
HOST = {"left": {4: "10.1.1.4", 6: "fd01:0:0:1::4"}, "right": {4: "10.2.1.4", 6: "fd02:0:0:1::4"}}
KEYS = {"left": bytes(range(36)), "right": bytes(range(100, 136))}  # by sender
SPIS = {"left": 0x1001, "right": 0x2001}


def other(side):
    return "right" if side == "left" else "left"


def config(side, outer=4, nat_t=None, esn=True, **connection):
    """One VNet with one subnet behind the tunnel to the other side. AES-GCM-256."""
    peer = other(side)
    n = SIDES.index(side) + 1
    sas = [az.sa("out", SPIS[side], "aes-gcm-256", KEYS[side], esn=esn, nat_t=nat_t),
           az.sa("in", SPIS[peer], "aes-gcm-256", KEYS[peer], esn=esn, nat_t=nat_t)]
    return {
        "virtualNetworks": [az.vnet(side, SPACE[side], [
            az.subnet("hosts", f"10.{n}.1.0/24", f"fd0{n}:0:0:1::/64"),
            az.subnet("GatewaySubnet", f"10.{n}.255.0/27")])],
        "publicIPAddresses": [az.public_ip("here", OUTER[side][outer])],
        "virtualNetworkGateways": [az.gateway("here", side, "here")],
        "localNetworkGateways": [az.local_gateway("there", OUTER[peer][outer], *SPACE[peer])],
        "connections": [az.connection("tunnel", "here", "there", sas, **connection)],
        "appliance": {
            "ports": [az.port("hosts", "hosts"), az.port("wan", "wan")],
            "attachments": [az.attach(f"{side}/hosts", "hosts")],
            "uplinks": [az.uplink("wan", "wan", OUTER[side][4] + "/24", OUTER[side][6] + "/64")]}}


class Tunnel:
    """left host - left appliance ==wire== right appliance - right host."""

    def __init__(self, start=True, **options):
        self.box = {side: Appliance(side) for side in SIDES}
        self.host = {side: net.Namespace(side) for side in SIDES}
        self.options = options
        try:
            for side in SIDES:
                self.box[side].cable("hosts", self.host[side])
                for version, length in ((4, 24), (6, 64)):
                    self.host[side].address("eth0", f"{HOST[side][version]}/{length}")
                    gateway = HOST[side][version][:-1] + "1"
                    self.host[side].route("default", gateway)
            net.veth(self.box["left"].namespace, "wan", self.box["right"].namespace, "wan", plain=False)
            for side in SIDES:
                net.quiet(self.box[side].namespace, "wan")
            if start:
                for side in SIDES:
                    self.box[side].start(config(side, **options), wait=False)
                for side in SIDES:
                    self.box[side].wait()
        except BaseException:
            self.close()
            raise

    def pings(self, side, version=4, count=5, options=(), wait=2):
        """Replies to the host behind `side` from the one behind the other."""
        return self.host[side].ping(HOST[other(side)][version], count, options=options, wait=wait)

    def drops(self):
        return {side: {row["reason"]: row["packets"] for row in self.box[side].ask("drops")} for side in SIDES}

    def sequence(self, side, direction="out"):
        """The SA's last sequence number."""
        return next(row["counters"]["sequence"] for row in self.box[side].ask("sa list")
                    if row["direction"] == direction)

    def close(self):
        for side in SIDES:
            self.box[side].close(namespace=False)
        for side in SIDES:
            self.host[side].close()
            self.box[side].namespace.close()
