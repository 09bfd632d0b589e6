"""An appliance with hosts in its subnets, made from a configuration.

Each host stands in one subnet, behind a port of its own, with the subnet's addresses that end in `number` (4 unless
said) and the appliance as its gateway. Several hosts in one subnet share its port through a bridge.
"""

import copy
import ipaddress

from lib import net
from lib import resources as az
from lib.appliance import Appliance


class Scene:
    def __init__(self, config, hosts, name="scene", start=True):
        """hosts: {"web": "shop/web", "web2": ("shop/web", 5)}."""
        self.box = Appliance(name)
        self.host = {}
        self.addresses = {}
        self.config = copy.deepcopy(config)
        self.config.setdefault("appliance", {})
        self.switches = []
        try:
            by_subnet = {}
            for host, where in hosts.items():
                place, number = where if isinstance(where, tuple) else (where, 4)
                by_subnet.setdefault(place, []).append((host, number))
            for index, (place, members) in enumerate(by_subnet.items()):
                self._attach(place, f"p{index}", members)
            if start:
                self.box.start(self.config)
        except BaseException:
            self.close()
            raise

    def prefixes(self, place):
        network, name = place.split("/")
        for vnet in self.config["virtualNetworks"]:
            if vnet["name"] == network:
                for subnet in vnet["subnets"]:
                    if subnet["name"] == name:
                        return [ipaddress.ip_network(p) for p in subnet["addressPrefixes"]]
        raise KeyError(place)

    def _attach(self, place, port, members):
        appliance = self.config["appliance"]
        appliance.setdefault("ports", []).append(az.port(port, port))
        appliance.setdefault("attachments", []).append(az.attach(place, port))
        for host, _ in members:
            self.host[host] = net.Namespace(host)
        if len(members) == 1:
            self.box.cable(port, self.host[members[0][0]])
        else:
            switch = net.Namespace("switch")
            self.switches.append(switch)
            switch.sh("ip link add br0 type bridge && ip link set br0 up")
            self.box.cable(port, switch, "trunk")
            switch.ip("link set trunk master br0")
            for index, (host, _) in enumerate(members):
                net.veth(switch, f"h{index}", self.host[host], "eth0", plain=False)
                switch.ip(f"link set h{index} master br0")
        for host, number in members:
            for prefix in self.prefixes(place):
                self.host[host].address("eth0", f"{prefix[number]}/{prefix.prefixlen}")
                self.host[host].route("default", str(prefix[1]))
                self.addresses[host, prefix.version] = str(prefix[number])

    def ip(self, host, version=4):
        return self.addresses[host, version]

    # What tests ask all the time.

    def pings(self, source, target, version=4, count=3, options=(), wait=2):
        """Replies; target is a host's name or an address."""
        address = self.addresses.get((target, version), target)
        return self.host[source].ping(address, count, options=options, wait=wait)

    def reaches(self, source, target, version=4):
        return self.pings(source, target, version) == 3

    def silent(self, source, target, version=4):
        return self.pings(source, target, version, count=2, wait=1) == 0

    def listen(self, host, port, protocol="TCP"):
        self.host[host].start("socat", "-u", f"{protocol}6-LISTEN:{port},fork,reuseaddr,ipv6only=0", "OPEN:/dev/null")
        net.eventually(lambda: f":{port} " in self.host[host].run("ss", "-ltn").stdout, what=f"{host} listens")

    def connects(self, source, target, port, version=4, timeout=2):
        address = self.addresses.get((target, version), target)
        address = f"[{address}]" if ":" in address else address
        return self.host[source].run("socat", "-u", "OPEN:/dev/null", f"TCP:{address}:{port},connect-timeout={timeout}",
                                     check=False).returncode == 0

    def drops(self):
        """{reason: packets}"""
        return {row["reason"]: row["packets"] for row in self.box.ask("drops")}

    def deciders(self, reason):
        """{name of the rule, route or peering: packets} of a drop reason."""
        for row in self.box.ask("drops"):
            if row["reason"] == reason:
                return {by["name"]: by["packets"] for by in row["decidedBy"]}
        return {}

    def apply(self, change):
        """Change the configuration in place by a function and load it."""
        change(self.config)
        return self.box.apply(self.config)

    def close(self):
        self.box.close(namespace=False)
        for space in (*self.host.values(), *self.switches, self.box.namespace):
            space.close()
