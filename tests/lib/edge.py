"""A provider's edge at the other end of a circuit: a router with a link for each of its paths, bird, and a network
behind it.

    edge = Edge(box, "circuit1", "circuit2")
    edge.tell([BEHIND])

Link N has 172.16.0.(4N+1)/30; the appliance is the next host. The edge's addresses of BEHIND are its own.
"""

import os

from lib import net

ASN = 65001
BEHIND, HOST = "172.29.0.0/16", "172.29.0.1"
SESSION = {"keepaliveSeconds": 1, "holdSeconds": 3, "bfdIntervalMilliseconds": 200}


def link_prefix(n):
    return f"172.16.0.{4 * n}/30"


def link_peer(n):
    return f"172.16.0.{4 * n + 1}"


class Edge:
    def __init__(self, box, *ports):
        self.links = [f"link{n}" for n in range(len(ports))]
        self.space = net.Namespace("edge")
        self.process = None
        self.file, self.socket = (os.path.join(box.folder, "edge" + kind) for kind in (".conf", ".ctl"))
        try:
            for n, (port, link) in enumerate(zip(ports, self.links)):
                net.veth(box.namespace, port, self.space, link, plain=False)
                net.quiet(box.namespace, port)
                self.space.address(link, f"{link_peer(n)}/30")
            self.space.sh(f"ip link set lo up; ip address add {HOST}/32 dev lo; "
                          "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.fib_multipath_hash_policy=1")
            for link in self.links:
                self.space.sh(f"sysctl -qw net.ipv4.conf.{link}.rp_filter=0")
        except BaseException:
            self.close()
            raise

    def write(self, prefixes, longer=0):
        longer = f"bgp_path.prepend({ASN}); " * longer
        routes = "".join(f"\troute {p} unreachable;\n" for p in prefixes)
        sessions = "".join(f"""protocol bgp {link} {{
	local {link_peer(n)} as {ASN};
	neighbor {link_peer(n)[:-1]}{4 * n + 2} as 12076;
	hold time 3; keepalive time 1; connect retry time 1; connect delay time 1; error wait time 1, 2;
	bfd {{ interval 200 ms; multiplier 3; }};
	ipv4 {{ import all; export filter {{ if proto != "told" then reject; {longer}accept; }}; next hop self; }};
}}
""" for n, link in enumerate(self.links))
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(f"""log stderr all;
router id {link_peer(0)};
protocol device {{ scan time 1; }}
protocol bfd {{ }}
protocol kernel {{ merge paths on; ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol static told {{ ipv4;\n{routes}}}
{sessions}""")

    def tell(self, prefixes, longer=0):
        """longer: its own number so many times more in the paths."""
        self.write(prefixes, longer)
        if self.process:
            self.space.sh(f"birdc -s {self.socket} configure")
        else:
            self.process = self.space.start("bird", "-f", "-c", self.file, "-s", self.socket)
        return self

    def heard(self):
        """{prefix: AS path} of what the appliance told."""
        routes, prefix = {}, None
        for line in self.space.sh(f"birdc -s {self.socket} show route all where source = RTS_BGP").stdout.splitlines():
            if line[:1].isdigit():
                prefix = line.split()[0]
            elif "BGP.as_path:" in line:
                routes[prefix] = line.split(":", 1)[1].strip()
        return routes

    def close(self):
        self.space.close()
