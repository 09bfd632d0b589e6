"""etcd for a test: one member or several, each in a namespace of its own, its data in memory.

Timing is etcd's default, as its users have it: heartbeats of 100 ms, elections after a second.
"""

import json
import os
import shutil
import signal
import ssl
import tempfile
import urllib.request

from lib import net, pki

CLIENT, PEER = 2379, 2380


class Etcd:
    """Members 10.9.0.11 and up, on a bridge that `hub` has; clients get addresses there by attach().

    With an authority (lib.pki) clients come by TLS and prove themselves: `files` are a client's caFile, certificate and
    private key.
    """

    def __init__(self, members=1, authority=None):
        self.folder = tempfile.mkdtemp(prefix="isthmus-etcd-", dir="/dev/shm")
        self.authority = authority
        self.scheme = "https" if authority else "http"
        self.files = self.credentials("client") if authority else None
        self.hub = net.Namespace("etcd-hub")
        self.links = 0
        self.member = []
        self.process = [None] * members
        try:
            self._build(members)
        except BaseException:
            self.close()
            raise

    def _build(self, members):
        self.hub.ip("link add br0 type bridge")
        self.hub.ip("link set br0 up")
        self.hub.address("br0", "10.9.0.1/24")
        for number in range(members):
            space = net.Namespace(f"etcd-{number}")
            self.member.append(space)
            self.attach(space, f"10.9.0.{11 + number}/24")
        for number in range(members):
            self.start(number)
        self.wait()

    def address(self, number):
        return f"10.9.0.{11 + number}"

    def endpoints(self):
        return [f"{self.scheme}://{self.address(n)}:{CLIENT}" for n in range(len(self.member))]

    def credentials(self, name, **more):
        ca = pki.write(self.folder, f"{name}-ca.pem", self.authority.pem)
        return (ca, *self.authority.issue(name, **more).save(self.folder, name))

    def attach(self, space, address, link="etcd0"):
        """Another namespace on the bridge; the name of the bridge's end."""
        name = f"port{self.links}"
        self.links += 1
        net.veth(self.hub, name, space, link, plain=False)
        self.hub.ip(f"link set {name} master br0")
        space.address(link, address)
        return name

    def cut(self, name, cut=True):
        """A link of the bridge, both ways, in silence."""
        self.hub.ip(f"link set {name} {'down' if cut else 'up'}")

    def start(self, number):
        own = self.address(number)
        cluster = ",".join(f"m{n}=http://{self.address(n)}:{PEER}" for n in range(len(self.member)))
        data = os.path.join(self.folder, f"m{number}")
        tls = []
        if self.authority:
            # its gateway is a client of its own, and has no other certificate
            ca, certificate, key = self.credentials(f"m{number}", addresses=[own], server=True, client=True)
            tls = ["--cert-file", certificate, "--key-file", key, "--trusted-ca-file", ca, "--client-cert-auth"]
        self.process[number] = self.member[number].start(
            "etcd", "--name", f"m{number}", "--data-dir", data, "--listen-client-urls",
            f"{self.scheme}://{own}:{CLIENT}", "--advertise-client-urls", f"{self.scheme}://{own}:{CLIENT}",
            "--listen-peer-urls", f"http://{own}:{PEER}",
            "--initial-advertise-peer-urls", f"http://{own}:{PEER}", "--initial-cluster", cluster,
            "--initial-cluster-state", "existing" if os.path.exists(data) else "new", "--logger", "zap", *tls,
            log=os.path.join(self.folder, f"log{number}"))

    def ask(self, number, path, **body):
        with self.hub.entered():
            request = urllib.request.Request(f"{self.scheme}://{self.address(number)}:{CLIENT}{path}",
                                             json.dumps(body).encode(), {"Content-Type": "application/json"})
            context = ssl.create_default_context(cafile=self.files[0]) if self.files else None
            if context:
                context.load_cert_chain(*self.files[1:])
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                                 urllib.request.HTTPSHandler(context=context))
            with opener.open(request, timeout=5) as reply:
                return json.load(reply)

    def wait(self):
        """Until every living member answers what needs a quorum."""
        def works():
            try:
                return [self.ask(n, "/v3/kv/range", key="AA==") for n, p in enumerate(self.process) if p and p.alive()]
            except OSError:
                return None
        net.eventually(works, 60, 0.2, "etcd answers")

    def leader(self):
        for n, process in enumerate(self.process):
            if process and process.alive():
                status = self.ask(n, "/v3/maintenance/status")
                if status.get("leader") == status["header"]["member_id"]:
                    return n
        return None

    def kill(self, number):
        self.process[number].stop(signal.SIGKILL)

    def close(self):
        for space in (*self.member, self.hub):
            space.close()
        shutil.rmtree(self.folder, ignore_errors=True)
