"""A site with an appliance whose tunnels IKE sets up: its addresses, its host, its configuration.

    near = Site(wire, 1)
    near.start([near.connection("a-b", "192.0.2.2", ["10.2.0.0/16"], key="secret")])

Site number N has the public addresses 192.0.2.N and 2001:db8::N, the space 10.N.0.0/16 and fd0N::/48, and a host
10.N.1.4 and fd0N:0:0:1::4 behind the appliance. Its uplink is the next end of a wire (lib/wire.py).
"""

import os

from lib import net
from lib import resources as az
from lib.appliance import Appliance
from lib.pki import write


def outer(number, version=4):
    return f"192.0.2.{number}" if version == 4 else f"2001:db8::{number}"


def space(number, version=4):
    return f"10.{number}.0.0/16" if version == 4 else f"fd0{number}::/48"


def inner(number, version=4):
    """The host at a site."""
    return f"10.{number}.1.4" if version == 4 else f"fd0{number}:0:0:1::4"


class Site:
    def __init__(self, wire, number, name=None, nat=None):
        """nat: a lib.nat.Nat between the uplink and the wire; the appliance then has the address 172.16.0.2."""
        self.number, self.name = number, name or f"site{number}"
        self.box = Appliance(self.name)
        self.host = net.Namespace(f"host{number}")
        self.keys = 0
        self.behind_nat = nat is not None
        # Of the uplink; others count with the next configuration.
        self.addresses = ["172.16.0.2"] if nat else [outer(number), outer(number, 6)]
        try:
            self.box.cable("hosts", self.host)
            self.host.address("eth0", inner(number) + "/24", inner(number, 6) + "/64")
            for version in (4, 6):
                self.host.route("default", inner(number, version)[:-1] + "1")
            if nat:
                nat.plug_inside(self.box.namespace, "wan")
            else:
                wire.plug(self.box.namespace, "wan")
            net.quiet(self.box.namespace, "wan")
        except BaseException:
            self.close()
            raise

    def key_file(self, secret):
        self.keys += 1
        return write(self.box.folder, f"key{self.keys}", secret.encode() + b"\n")

    def file(self, name, data):
        """A file of mode 0600 beside the configuration; its name is what the configuration says."""
        write(self.box.folder, name, data)
        return os.path.join(self.box.folder, name)

    def connection(self, name, peer, prefixes, key=None, appliance=None, **more):
        """A connection with its local network gateway: what config() takes. peer: address or name."""
        own = dict(appliance or {})
        if key:
            own["sharedKeyFile"] = self.key_file(key)
        where = "gatewayIpAddress" if peer.replace(".", "").isdigit() or ":" in peer else "fqdn"
        return ({"name": name, "connectionType": "IPsec", "virtualNetworkGateway1": az.ref("gw"),
                 "localNetworkGateway2": az.ref(f"to-{name}"), "appliance": own, **more},
                {"name": f"to-{name}", where: peer, "localNetworkAddressSpace": {"addressPrefixes": list(prefixes)}})

    def config(self, connections, gateway=None, **more):
        """connections: of connection(). gateway: more of the virtual network gateway. more: whole sections."""
        n = self.number
        wan = az.uplink("wan", "wan", *(f"{a}/{64 if ':' in a else 24}" for a in self.addresses),
                        **({"gateway4": "172.16.0.1"} if self.behind_nat else {}))
        publics = [az.public_ip("ip6" if ":" in a else "ip4", a) for a in self.addresses]
        appliance = {"ports": [az.port("hosts", "hosts"), az.port("wan", "wan")],
                     "attachments": [az.attach("net/hosts", "hosts")], "uplinks": [wan], **more.pop("appliance", {})}
        return {"virtualNetworks": [az.vnet("net", [space(n), space(n, 6)], [
                    az.subnet("hosts", f"10.{n}.1.0/24", f"fd0{n}:0:0:1::/64"),
                    az.subnet("GatewaySubnet", f"10.{n}.255.0/27")])],
                "publicIPAddresses": publics,
                "virtualNetworkGateways": [{**az.gateway("gw", "net", *(p["name"] for p in publics)), **(gateway or {})}],
                "localNetworkGateways": [local for _, local in connections],
                "connections": [connection for connection, _ in connections], "appliance": appliance, **more}

    def start(self, connections, wait=True, **more):
        self.box.start(self.config(connections, **more), wait=wait)
        return self

    def apply(self, connections, **more):
        return self.box.apply(self.config(connections, **more))

    def ping(self, address, count=5, **more):
        return self.host.ping(address, count, **more)

    def drops(self):
        return {row["reason"]: row["packets"] for row in self.box.ask("drops")}

    def log(self):
        return self.box.log()[-4000:]

    def close(self):
        self.box.close(namespace=False)
        self.host.close()
        self.box.namespace.close()
