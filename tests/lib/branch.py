"""A branch of a virtual WAN: a router with strongSwan as Debian ships it, a network behind it, and, where it speaks BGP,
bird inside the tunnel.

    branch = Branch(switch, 1); branch.connect("203.0.113.1", "a secret"); branch.tell("10.101.0.254", 65010)

Branch N has the public address 203.0.113.(10+N), the network 192.168.N.0/24, and in it a host with .4 and a speaker
with .1.
"""

import os

from lib import net
from lib.charon import Charon, child, connection

PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]


def public(number):
    return f"203.0.113.{10 + number}"


def space_outside(switch, name, number):
    """A namespace on the network outside."""
    space = net.Namespace(name)
    switch.plug(space, "eth0")
    space.address("eth0", public(number) + "/24")
    return space


def network(number):
    return f"192.168.{number}.0/24"


def host(number):
    return f"192.168.{number}.4"


def speaker(number):
    return f"192.168.{number}.1"


class Branch:
    def __init__(self, switch, number):
        self.number = number
        self.space = space_outside(switch, f"branch{number}", number)
        self.charon = self.bird = None
        try:
            self.space.address("lo", host(number) + "/32", speaker(number) + "/32")
            self.charon = Charon(self.space, f"branch{number}")
            self.charon.start()
        except BaseException:
            self.close()
            raise

    def connect(self, gateway, secret):
        self.charon.psk(secret, public(self.number), gateway)
        self.charon.connection("hub", connection(
            public(self.number), gateway, encap=True, proposals=["aes256-sha256-modp2048"],
            children={"net": child(network(self.number), PRIVATE, esp_proposals=["aes256gcm16", "aes256-sha256"])}))
        self.charon.initiate("net", timeout=15)

    def tell(self, peer, asn):
        """Its network, by BGP to this peer."""
        file = os.path.join(self.charon.folder, "bird.conf")
        with open(file, "w", encoding="utf-8") as to:
            to.write(f"""log stderr all;
router id {speaker(self.number)};
protocol device {{ }}
protocol static told {{ ipv4; route {network(self.number)} unreachable; }}
protocol bgp hub {{
	local {speaker(self.number)} as {asn};
	neighbor {peer} as 65515;
	multihop; hold time 3; keepalive time 1; connect retry time 1; connect delay time 1; error wait time 1, 2;
	ipv4 {{ import all; export where proto = "told"; next hop self; }};
}}
protocol static {{ ipv4; route {peer}/32 via "ipsec0"; }}
""")
        self.bird = self.space.start("bird", "-f", "-c", file, "-s", os.path.join(self.charon.folder, "bird.ctl"),
                                     log=os.path.join(self.charon.folder, "bird.log"))

    def heard(self):
        """{prefix: AS path} of what the hub told."""
        routes, prefix = {}, None
        control = os.path.join(self.charon.folder, "bird.ctl")
        for line in self.space.sh(f"birdc -s {control} show route all where source = RTS_BGP").stdout.splitlines():
            if line[:1].isdigit():
                prefix = line.split()[0]
            elif "BGP.as_path:" in line:
                routes[prefix] = line.split(":", 1)[1].strip()
        return routes

    def ping(self, address, count=3, wait=2):
        return self.space.ping(address, count, wait=wait, options=("-I", host(self.number)))

    def close(self):
        if self.charon:
            self.charon.close()
        self.space.close()


class Client:
    """From point to site, by certificate."""

    def __init__(self, switch, number):
        self.space = space_outside(switch, f"client{number}", number)
        self.charon = Charon(self.space, f"client{number}")

    def connect(self, gateway, name, authority, identity):
        c = self.charon.start()
        c.certificate(authority.pem, ca=True)
        c.key(identity.key)
        c.connection("home", {
            "version": "2", "remote_addrs": [gateway], "vips": ["0.0.0.0"], "encap": True,
            "local": {"auth": "pubkey", "certs": [identity.pem]}, "remote": {"auth": "pubkey", "id": name},
            "children": {"net": child("dynamic", PRIVATE)}})
        c.initiate("net", timeout=15)
        return c.established("home")[0]["local-vips"][0]

    def close(self):
        self.charon.close()
        self.space.close()
