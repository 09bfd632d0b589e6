"""Two appliances and as many connections between them, each with an address of its own behind either end.

    with Many(1000) as many:
        many.start()
        many.await_up(60)
        many.check_packets()

Each end has GATEWAYS gateways, each with its network and its public address; so many addresses keep charon's limits per
address, against floods, out of it. Connection i is of gateway i % GATEWAYS at both ends, known by its identities. What
goes from its address at one end to the one at the other passes by no other tunnel.
"""

import collections
import contextlib
import os
import select
import socket
import struct
import threading
import time

from lib import net, processes
from lib import resources as az
from lib.appliance import Appliance
from lib.ike_pair import SECRET
from lib.ike_site import outer
from lib.pki import write
from lib.vici import Vici

GATEWAYS = 8
BLOCK = 250  # addresses in a /24
PORT = 9000
FIRST = {"near": 16, "far": 64}  # network of each end
IP_PKTINFO = 8
PKTINFO = struct.Struct("=I4s4s")


def inside(network, k):
    """Address k of those behind a gateway: 10.NETWORK.1.4 is the first."""
    return f"10.{network}.{1 + k // BLOCK}.{4 + k % BLOCK}"


class End:
    """An appliance with `networks`: {number of the network: public address of its gateway}."""

    def __init__(self, name, networks):
        self.name, self.networks = name, networks
        self.box = Appliance(name)
        self.hosts = {}
        self.session = None
        try:
            for n in networks:
                host = self.hosts[n] = net.Namespace(f"{name}{n}")
                self.box.cable(f"hosts{n}", host)
                host.address("eth0", f"10.{n}.0.2/17")
                host.route("default", f"10.{n}.0.1")
            self.key = write(self.box.folder, "key", SECRET.encode() + b"\n")
        except BaseException:
            self.close()
            raise

    def config(self, connections, cores=None, **more):
        """connections: of connection(). cores: of the control thread and the worker."""
        networks = [az.vnet(f"net{n}", [f"10.{n}.0.0/16"], [
            az.subnet("hosts", f"10.{n}.0.0/17"), az.subnet("GatewaySubnet", f"10.{n}.255.0/27")])
            for n in self.networks]
        ports = [az.port(f"hosts{n}", f"hosts{n}") for n in self.networks]
        ike = {f"{which}Socket": os.path.join(self.box.folder, which) for which in ("vici", "plugin")}
        return {"virtualNetworks": networks,
                "publicIPAddresses": [az.public_ip(f"ip{n}", address) for n, address in self.networks.items()],
                "virtualNetworkGateways": [az.gateway(f"gw{n}", f"net{n}", f"ip{n}") for n in self.networks],
                "localNetworkGateways": [local for _, local in connections],
                "connections": [connection for connection, _ in connections],
                "appliance": {"ports": [*ports, az.port("wan", "wan")],
                              "attachments": [az.attach(f"net{n}/hosts", f"hosts{n}") for n in self.networks],
                              "uplinks": [az.uplink("wan", "wan", *(f"{a}/24" for a in self.networks.values()))],
                              **({"cores": cores} if cores else {}),
                              "flows": 65536, "neighbours": 32768, "ike": {"logLevel": 0, **ike}}, **more}

    def connection(self, i, network, peer, prefix, ids, **appliance):
        name = f"c{i:05}"
        return ({"name": name, "connectionType": "IPsec", "virtualNetworkGateway1": az.ref(f"gw{network}"),
                 "localNetworkGateway2": az.ref(f"to-{name}"),
                 "appliance": {"sharedKeyFile": self.key, "localId": ids[0], "remoteId": ids[1], **appliance}},
                {"name": f"to-{name}", "gatewayIpAddress": peer,
                 "localNetworkAddressSpace": {"addressPrefixes": [f"{prefix}/32"]}})

    def vici(self):
        if self.session is None:
            with contextlib.suppress(OSError):
                self.session = Vici.connect(os.path.join(self.box.folder, "vici"))
        return self.session

    def ike_sas(self):
        """(all, half-open)"""
        found = self.vici().ask("stats")["ikesas"]
        return int(found["total"]), int(found["half-open"])

    def charon_pid(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(self.box.folder, "vici"))
            return struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def memory_mb(self):
        net.eventually(self.vici, 30, what=f"charon of {self.name} listens")
        return {"isthmusd": processes.resident_mb(self.box.process.pid),
                "charon": processes.resident_mb(self.charon_pid())}

    def sas(self):
        return self.box.ask("sa list")

    def children(self):
        """SAs of each tunnel that has any."""
        return list(collections.Counter(row["tunnel"] for row in self.sas()).values())

    def ids(self):
        """The tunnel of each SA."""
        return {(row["direction"], row["spi"]): row["tunnel"] for row in self.sas()}

    def close(self):
        if self.session:
            self.session.close()
        self.box.close(namespace=False)
        for host in self.hosts.values():
            host.close()
        self.box.namespace.close()


class Many:
    def __init__(self, count, **appliance):
        """appliance: more of every connection's `appliance`."""
        self.count, self.more, self.end, self.stopped = count, appliance, [], False
        self.children = appliance.get("tunnels", 1)
        self.answerers, self.empty_mb = [], {}
        try:
            for name, first in FIRST.items():
                self.end.append(End(name, {first + g: outer(first + g) for g in range(GATEWAYS)}))
            self.near, self.far = self.end
            net.veth(self.near.box.namespace, "wan", self.far.box.namespace, "wan", plain=False)
            for end in self.end:
                net.quiet(end.box.namespace, "wan")
                self._own_addresses(end)
            for n, host in self.far.hosts.items():
                self._answer(host)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _own_addresses(self, end):
        """Hosts have all of their network's addresses without having each of them."""
        last = (self.count - 1) // GATEWAYS // BLOCK
        for n, host in end.hosts.items():
            host.sh("\n".join(f"ip route add local 10.{n}.{1 + block}.0/24 dev lo" for block in range(last + 1)))

    def place(self, i):
        """((network, address) at this end, the same at the far end)"""
        return [(first + i % GATEWAYS, inside(first + i % GATEWAYS, i // GATEWAYS)) for first in FIRST.values()]

    def configs(self):
        """charon shares a core with control where there are but two: each end has another one for them."""
        ends = zip(self.end, reversed(self.end), (0, 1))
        cores = sorted(os.sched_getaffinity(0))
        return [end.config([self._connection(i, end, peer, number) for i in range(self.count)],
                           cores=[cores[number], cores[1 - number]] if len(cores) == 2 else None)
                for end, peer, number in ends]

    def _connection(self, i, end, peer, number):
        ids = [f"{e.name}{i}.example" for e in (end, peer)]
        (network, _), (there, behind) = (self.place(i)[n] for n in (number, 1 - number))
        return end.connection(i, network, peer.networks[there], behind, ids, **self.more)

    def start(self):
        for end, config in zip(self.end, self.configs()):
            end.box.configure(config)
        self.began = time.monotonic()
        for end in self.end:
            end.box.start(wait=False)
        for end in self.end:
            end.box.wait()
            self.empty_mb[end.name] = end.memory_mb()

    def await_up(self, timeout, step=0.25):
        """All tunnels of both ends; seconds since the daemons were started."""
        def established():
            counts = [end.ike_sas() for end in self.end]
            return all(total - half >= self.count for total, half in counts)
        net.eventually(established, timeout, step, f"{self.count} IKE_SAs at both ends")
        net.eventually(lambda: all(len({row["tunnel"] for row in end.sas()}) == self.count for end in self.end),
                       timeout, step, f"{self.count} tunnels with SAs at both ends")
        return time.monotonic() - self.began

    def await_settled(self, timeout):
        """One IKE_SA of each with its children, and nothing else: counted by tunnel, for one that comes up twice hides
        another that is gone."""
        def settled():
            return all(end.ike_sas() == (self.count, 0) and end.children() == [2 * self.children] * self.count
                       for end in self.end)
        net.eventually(settled, timeout, 0.5, f"{self.count} IKE_SAs with their children")

    # ---- packets

    def _answer(self, host):
        """Echoes datagrams, whichever of its addresses they came to."""
        with host.entered():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.settimeout(0.2)
        s.bind(("", PORT))

        def run():
            with s:
                while not self.stopped:
                    with contextlib.suppress(TimeoutError, OSError):
                        data, more, _, sender = s.recvmsg(100, 200)
                        to = PKTINFO.unpack(more[0][2])[2]
                        s.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, PKTINFO.pack(0, to, to))], 0, sender)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.answerers.append(thread)

    def answered(self, wanted, timeout):
        """Of the connections in `wanted`, those whose far end answers."""
        missing, end = set(wanted), time.monotonic() + timeout
        with contextlib.ExitStack() as open_ones:
            sockets = [open_ones.enter_context(self._asker(host)) for host in self.near.hosts.values()]
            while missing and time.monotonic() < end:
                for i in sorted(missing):
                    self._ask(sockets[i % GATEWAYS], i)
                    if i % 32 == 0:
                        time.sleep(0.002)
                while missing and (ready := select.select(sockets, [], [], 0.3)[0]):
                    missing.difference_update(struct.unpack("!I", s.recv(100))[0] for s in ready)
        return set(wanted) - missing

    def _asker(self, host):
        with host.entered():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.bind(("", PORT + 1))
        return s

    def _ask(self, s, i):
        (_, here), (_, there) = self.place(i)
        source = socket.inet_aton(here)
        s.sendmsg([struct.pack("!I", i)], [(socket.IPPROTO_IP, IP_PKTINFO, PKTINFO.pack(0, source, source))], 0,
                  (there, PORT))

    def check_packets(self, timeout=30):
        """A packet each way by every tunnel."""
        got = self.answered(range(self.count), timeout)
        assert len(got) == self.count, f"{self.count - len(got)} tunnels carry nothing: {self.explain()}"
        for end in self.end:
            used = {"in": set(), "out": set()}
            for row in end.sas():
                if row["counters"]["packets"]:
                    used[row["direction"]].add(row["tunnel"])
            assert len(used["in"]) == len(used["out"]) == self.count, (end.name, len(used["in"]), len(used["out"]))

    def explain(self):
        return "\n".join(f"{end.name}: {end.ike_sas()} {end.box.ask('drops')}\n{end.box.log()[-3000:]}"
                         for end in self.end)

    def close(self):
        self.stopped = True
        for thread in self.answerers:
            thread.join()
        for end in self.end:
            end.close()
