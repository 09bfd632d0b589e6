"""A pair on two segments with a host on each: subnets whose gateway is whichever node is primary.

    p = Shared(lease); p.start("a", "b"); p.pings()
"""

from lib import net
from lib import resources as az
from lib.pair import Pair

SUBNETS = {"left": ("10.1.1.0/24", "fd00:1:1::/64"), "right": ("10.1.2.0/24", "fd00:1:2::/64")}
GATEWAY = {"left": ("10.1.1.1", "fd00:1:1::1"), "right": ("10.1.2.1", "fd00:1:2::1")}
HOST = {"left": ("10.1.1.4", "fd00:1:1::4"), "right": ("10.1.2.4", "fd00:1:2::4")}


class Shared(Pair):
    """A pair whose ports hang on two switches, with a host on each."""

    def __init__(self, lease):
        super().__init__(lease)
        self.switch, self.host = {}, {}
        for side in SUBNETS:
            self.switch[side], self.host[side] = net.Namespace("switch"), net.Namespace(side)
            self.switch[side].sh("ip link add br0 type bridge && ip link set br0 up")
            self._plug(side, self.host[side], "eth0", "host")
            for node, box in self.box.items():
                self._plug(side, box.namespace, side, f"node-{node}")
                net.quiet(box.namespace, side)
            for version in (0, 1):
                length = SUBNETS[side][version].rsplit("/", 1)[1]
                self.host[side].address("eth0", f"{HOST[side][version]}/{length}")
                self.host[side].route("default", GATEWAY[side][version])

    def _plug(self, side, namespace, link, name):
        net.veth(self.switch[side], name, namespace, link, plain=False)
        self.switch[side].ip(f"link set {name} master br0")

    def config(self, node, **more):
        config = super().config(node, **more)
        config["virtualNetworks"] = [az.vnet("shop", [p for pair in SUBNETS.values() for p in pair],
                                             [az.subnet(side, *prefixes) for side, prefixes in SUBNETS.items()])]
        config["appliance"].update(ports=[az.port(side, side) for side in SUBNETS],
                                   attachments=[az.attach(f"shop/{side}", side) for side in SUBNETS])
        return config

    def mac(self, node, side):
        return self.box[node].namespace.run("cat", f"/sys/class/net/{side}/address").stdout.strip()

    def gateway_mac(self, side, version=0):
        """Where the host believes its gateway to be."""
        words = self.host[side].run("ip", "neigh", "show", GATEWAY[side][version], "dev", "eth0").stdout.split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else None

    def is_gateway(self, node):
        return all(self.gateway_mac(side, version) == self.mac(node, side) for side in SUBNETS for version in (0, 1))

    def pings(self, count=3, version=0):
        return self.host["left"].ping(HOST["right"][version], count)

    def drops(self, node, reason):
        return sum(row["packets"] for row in self.box[node].ask("drops") if row["reason"] == reason)

    def close(self):
        super().close()
        for namespace in (*self.switch.values(), *self.host.values()):
            namespace.close()
