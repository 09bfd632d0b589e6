"""A pair behind a virtual address: two nodes with a wire of their own to one router, and one between them, which finds the address by BGP.

    p = VipPair(lease); p.start("a", "b"); p.await_route("a")

Node a has 192.0.2.2/30, b has 192.0.2.6/30; the router is their gateway, and 198.51.100.1 is an address of its own, where
those who ask for the virtual address are.
"""

import os
import socket
import struct
import threading
import time

from lib import net
from lib import resources as az
from lib.pair import Pair
from lib.pki import write
from lib.wire import Wire

ASN, ROUTER_ASN, PREPENDS = 65010, 65001, 2
VIP, VIP6 = "203.0.113.10", "2001:db8:f::10"
CLIENT, CLIENT6 = "198.51.100.1", "2001:db8:c::1"
ADDRESS = {"a": "192.0.2.2", "b": "192.0.2.6"}
ROUTER = {"a": "192.0.2.1", "b": "192.0.2.5"}
ADDRESS6 = {"a": "2001:db8:a::2", "b": "2001:db8:b::2"}
ROUTER6 = {"a": "2001:db8:a::1", "b": "2001:db8:b::1"}
LINK = {"a": "10.7.0.1", "b": "10.7.0.2"}
KEY = b"0123456789abcdef0123456789abcdef\n"
BFD_MS, BFD_MULTIPLIER = 300, 3  # what cores that are shared keep up with


class Router:
    """bird and a kernel."""

    def __init__(self, nodes, folder, bfd_ms=BFD_MS):
        self.space = net.Namespace("router")
        self.file, self.socket = (os.path.join(folder, "router" + kind) for kind in (".conf", ".ctl"))
        self.nodes, self.bfd_ms, self.process = nodes, bfd_ms, None

    def plug(self, node, wire):
        wire.plug(self.space, f"to-{node}")
        self.space.sh(f"sysctl -qw net.ipv4.conf.to-{node}.rp_filter=0")
        self.space.address(f"to-{node}", f"{ROUTER[node]}/30", f"{ROUTER6[node]}/64")

    def start(self):
        self.space.sh(f"sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.ip_forward=1; "
                      f"ip address add {CLIENT}/32 dev lo; ip address add {CLIENT6}/128 dev lo nodad")
        sessions = "".join(self._session(node, version) for node in self.nodes for version in (4, 6))
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(f"""log stderr all;
router id {CLIENT};
protocol device {{ scan time 1; }}
protocol bfd {{ }}
protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol kernel {{ ipv6 {{ import none; export where source = RTS_BGP; }}; }}
{sessions}""")
        self.process = self.space.start("chrt", "-f", "10", "bird", "-f", "-c", self.file, "-s", self.socket)

    def _session(self, node, version):
        local, peer = (ROUTER, ADDRESS) if version == 4 else (ROUTER6, ADDRESS6)
        return f"""protocol bgp {node}{version} {{
	local {local[node]} as {ROUTER_ASN};
	neighbor {peer[node]} as {ASN};
	hold time 9; keepalive time 3; connect retry time 1; connect delay time 1; error wait time 1, 2;
	bfd {{ interval {self.bfd_ms} ms; multiplier {BFD_MULTIPLIER}; }};
	ipv{version} {{ import all; export none; }};
}}
"""

    def routes(self, address=VIP):
        """{node: its AS path}, the best one's node first."""
        length, version = (128, 6) if ":" in address else (32, 4)
        text = self.space.sh(f"birdc -s {self.socket} show route all for {address}/{length}", check=False).stdout
        found, node = {}, None
        for line in text.splitlines():
            if "unicast [" in line:
                node = line.split("unicast [")[1].split()[0].removesuffix(str(version))
            elif "BGP.as_path:" in line:
                found[node] = line.split(":", 1)[1].split()
        return found

    def best(self, address=VIP):
        return next(iter(self.routes(address)), None)

    def close(self):
        self.space.close()


class EchoStream:
    """Echo requests to an address, `rate` a second until stop(); replies count by their numbers."""

    def __init__(self, space, address=VIP, source=CLIENT, rate=200):
        self.rate, self.address = rate, address
        self.sent, self.newest, self.seen = 0, -1, set()
        self.running, self.until = True, 0
        with space.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.bind((source, 0))
        self.socket.settimeout(0.2)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def _packet(self):
        body = struct.pack("!BBHHHI", 8, 0, 0, os.getpid() & 0xffff, 0, self.sent)
        total = sum(struct.unpack(f"!{len(body) // 2}H", body))
        total = (total & 0xffff) + (total >> 16)
        checksum = ~((total & 0xffff) + (total >> 16)) & 0xffff
        return body[:2] + struct.pack("!H", checksum) + body[4:]

    def _send(self):
        began = time.monotonic()
        while self.running:
            if self.sent < (time.monotonic() - began) * self.rate:
                try:
                    self.socket.sendto(self._packet(), (self.address, 0))
                except OSError:
                    pass  # no route: it counts as lost
                self.sent += 1
            else:
                time.sleep(0.2 / self.rate)

    def _receive(self):
        while self.running or time.monotonic() < self.until:
            try:
                packet, (source, _) = self.socket.recvfrom(2048)
            except (TimeoutError, OSError):
                continue
            kind, _, _, identifier, _, number = struct.unpack_from("!BBHHHI", packet, (packet[0] & 15) * 4)
            if kind == 0 and identifier == os.getpid() & 0xffff and source == self.address:
                self.seen.add(number)
                self.newest = max(self.newest, number)

    def stop(self, linger=0.5):
        """The missing numbers."""
        self.until = time.monotonic() + linger
        self.running = False
        for thread in self.threads:
            thread.join()
        self.socket.close()
        return [n for n in range(self.sent) if n not in self.seen]


class VipPair(Pair):
    """Without hosts: what the appliances answer themselves."""

    def __init__(self, lease, bfd_ms=BFD_MS):
        super().__init__(lease)
        self.bfd_ms = bfd_ms
        self.router = Router(tuple(self.box), self.box["a"].folder, bfd_ms)
        net.veth(self.box["a"].namespace, "sync", self.box["b"].namespace, "sync")
        for node, box in self.box.items():
            box.namespace.address("sync", f"{LINK[node]}/24")
            write(box.folder, "node.key", KEY)
        self.wire = {}
        for node, box in self.box.items():
            self.wire[node] = Wire().plug(box.namespace, "wan")
            net.quiet(box.namespace, "wan")
            self.router.plug(node, self.wire[node])
            self.wire[node].start()
        self.router.start()

    def config(self, node, **more):
        config = super().config(node, **more)
        ha = config["appliance"]["highAvailability"]
        bfd = {"bfdIntervalMilliseconds": self.bfd_ms, "bfdMultiplier": BFD_MULTIPLIER,
               "keepaliveSeconds": 3, "holdSeconds": 9}
        ha.update(virtualAddresses=[f"{VIP}/32", f"{VIP6}/128"], asn=ASN, standbyPrepends=PREPENDS,
                  routers=[{"name": "r4", "address": ROUTER[node], "asn": ROUTER_ASN, "bgp": bfd},
                           {"name": "r6", "address": ROUTER6[node], "asn": ROUTER_ASN, "bgp": bfd}])
        ha["peer"] = {"localAddress": LINK[node], "address": LINK[self.other(node)], "keyFile": "node.key"}
        config["appliance"].update(ports=[az.port("wan", "wan")], uplinks=[
            az.uplink("wan", "wan", f"{ADDRESS[node]}/30", f"{VIP}/32", f"{ADDRESS6[node]}/64", f"{VIP6}/128",
                      gateway4=ROUTER[node], gateway6=ROUTER6[node])])
        return config

    def await_routes(self, *nodes, address=VIP):
        """The router has these ways, the best one first."""
        return net.eventually(lambda: tuple(self.router.routes(address)) == nodes and self.router.routes(address), 20,
                              what=f"the router's ways to {address} are {nodes}")

    def interrupted(self, how, rate=200):
        """What `how` costs echoes of the virtual address: (lost, seconds from the first lost one to the last)."""
        stream = EchoStream(self.router.space, rate=rate).start()
        try:
            net.eventually(lambda: stream.newest > rate / 4, what="the virtual address answers")
            first = stream.sent
            how()
            mark = stream.sent
            net.eventually(lambda: stream.newest > mark + rate / 4, 20, what="the virtual address answers again")
        finally:
            lost = [n for n in stream.stop() if n >= first - 5]
        return len(lost), (lost[-1] - lost[0] + 1) / rate if lost else 0

    def close(self):
        super().close()
        for wire in self.wire.values():
            wire.close()
        self.router.close()
