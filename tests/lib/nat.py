"""A router with NAT between an inside network and an outside one: the kernel's own (nftables, conntrack).

    nat = Nat("198.51.100.1", "10.0.0.1/24")
    nat.plug_outside(wire_or_space, "eth0"); nat.plug_inside(host, "eth0")

The outside sees UDP and TCP from the router's public address and from a range of its ports. rebind() is what a NAT
does that was restarted or ran out of memory: it forgets whom a port belongs to, and the next packet from inside gets
another port, or comes from another public address.
"""

import ipaddress

from lib import net

FIRST_PORTS, PORTS = 20000, 1000

# What comes from outside and belongs to no known flow is dropped in silence, as home routers do.
RULES = """
flush ruleset
table ip nat {{
	chain post {{
		type nat hook postrouting priority 100
		oif outside meta l4proto {{ tcp, udp }} snat to {address}:{first}-{last}
		oif outside snat to {address}
	}}
	chain pre {{
		type nat hook prerouting priority -100
		{forwards}
	}}
	chain input {{
		type filter hook input priority 0
		iif outside meta l4proto {{ tcp, udp }} drop
	}}
}}
"""


class Nat:
    def __init__(self, public, inside, length=24):
        """public: address outside; inside: "address/length" of the router inside. IPv4."""
        self.public, self.inside, self.length = public, inside, length
        self.namespace = net.Namespace("nat")
        self.ports = FIRST_PORTS
        self.forwards = []
        self.namespace.sh("sysctl -qw net.ipv4.ip_forward=1")

    def plug_inside(self, space, link, address=None):
        """A host inside: its address, and its default route here."""
        net.veth(space, link, self.namespace, "inside")
        self.namespace.address("inside", self.inside)
        if address:
            space.address(link, f"{address}/{ipaddress.ip_interface(self.inside).network.prefixlen}")
            space.route("default", self.inside.split("/", maxsplit=1)[0])
        self._load()

    def plug_outside(self, space, link):
        """A cable from the outside link to one in a namespace."""
        net.veth(self.namespace, "outside", space, link)
        self._outside_up()

    def plug_wire(self, wire):
        """The outside link is the next end of a wire."""
        wire.plug(self.namespace, "outside")
        self._outside_up()

    def _outside_up(self):
        self.namespace.address("outside", f"{self.public}/{self.length}")
        self._load()

    def _load(self):
        """The rules, once both links are there."""
        links = self.namespace.run("ip", "-br", "link").stdout
        if "inside" not in links or "outside" not in links:
            return
        forwards = "\n".join(f"iif outside udp dport {port} dnat to {address}:{port}" for port, address in self.forwards)
        text = RULES.format(address=self.public, first=self.ports, last=self.ports + PORTS - 1, forwards=forwards)
        self.namespace.run("nft", "-f", "-", input=text)

    def forward(self, address, *ports):
        """UDP to these ports of the public address reaches a host inside: a responder behind a NAT."""
        self.forwards += [(port, address) for port in ports]
        self._load()

    def rebind(self, public=None):
        """Forget all flows; the next packets come from other ports, or from another public address, too."""
        if public and public != self.public:
            self.namespace.ip("address flush dev outside")
            self.namespace.address("outside", f"{public}/{self.length}")
            self.public = public
        self.ports += PORTS
        self._load()
        self.forget()

    def forget(self):
        """The flows only: the same rules make new ones."""
        self.namespace.run("conntrack", "-F")

    def flows(self, port=None):
        """Lines of conntrack, of those to a port outside."""
        lines = self.namespace.run("conntrack", "-L", "-p", "udp", check=False).stdout.splitlines()
        return [line for line in lines if port is None or f"dport={port} " in line]

    def close(self):
        self.namespace.close()
