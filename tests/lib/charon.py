"""A stock charon in a namespace: strongSwan as Debian ships it, as a peer.

    peer = Charon(space).start()
    peer.psk("secret", "192.0.2.1", "192.0.2.2")
    peer.connection("site", charon.connection("192.0.2.1", "192.0.2.2", {"net": charon.child("10.1.0.0/16", ...)}))
    peer.initiate("net")

By default it handles ESP itself in userland (kernel-libipsec): UDP encapsulation always, no ESN, and each of its
selectors needs an address of the host in it. Settings and connections are dicts with strongSwan's words. The
configuration goes over vici; files are only strongswan.conf and the log, in a folder of the test's own.
"""

import os
import shutil
import signal
import tempfile

from lib import net
from lib.vici import Vici

PROGRAM = "/usr/sbin/charon-systemd"
START_TIMEOUT_S = 30
COMMON = ("random nonce openssl aes md5 sha1 sha2 hmac kdf gcm ccm ctr chapoly pem pkcs1 pkcs8 x509 pubkey "
          "constraints revocation curve25519 eap-identity eap-md5 eap-mschapv2 eap-tls xauth-generic ").split()
LIBIPSEC = [*COMMON, "kernel-libipsec", "kernel-netlink", "socket-default", "vici", "updown"]
KERNEL = [*COMMON, "kernel-netlink", "socket-default", "vici", "updown"]


def text(settings, depth=0):
    """A dict as strongswan.conf."""
    lines = []
    for key, value in settings.items():
        indent = "  " * depth
        if isinstance(value, dict):
            lines += [f"{indent}{key} {{", text(value, depth + 1), indent + "}"]
        else:
            if isinstance(value, bool):
                value = "yes" if value else "no"
            lines.append(f"{indent}{key} = {value}")
    return "\n".join(lines)


def settings(folder, plugins, more=None, socket_path=None):
    """strongswan.conf of a charon that keeps all it writes in a folder."""
    parts = {"vici": {"socket": f"unix://{socket_path or os.path.join(folder, 'vici')}"},
             "kernel-libipsec": {"load": True}}
    own = dict(more or {})
    parts.update(own.pop("plugins", {}))
    return text({"charon-systemd": {
        "load_modular": False, "load": " ".join(plugins), "plugins": parts,
        "filelog": {"file": {"path": os.path.join(folder, "log"), "default": 1, "flush_line": True,
                             "time_format": "%H:%M:%S", "time_add_ms": True}},
        "retransmit_timeout": 1.0, "retransmit_base": 1.2, "retransmit_tries": 4, **own}}) + "\n"


class Control:
    """What is asked of a charon, wherever it runs: self.vici is the session."""

    vici = None

    def connection(self, name, configuration):
        self.vici.ask("load-conn", {name: configuration})

    def unload(self, name):
        self.vici.ask("unload-conn", {"name": name})

    def secret(self, kind, data, *owners):
        """kind: IKE, EAP, XAUTH."""
        self.vici.ask("load-shared", {"type": kind, "data": data, "owners": list(owners)})

    def psk(self, data, *owners):
        self.secret("IKE", data, *owners)

    def certificate(self, pem, ca=False):
        self.vici.ask("load-cert", {"type": "X509", "flag": "CA" if ca else "NONE", "data": pem})

    def revocations(self, pem):
        self.vici.ask("load-cert", {"type": "X509_CRL", "flag": "NONE", "data": pem})

    def key(self, pem):
        self.vici.ask("load-key", {"type": "any", "data": pem})

    def pool(self, name, addresses, **attributes):
        self.vici.ask("load-pool", {name: {"addrs": addresses, **attributes}})

    def initiate(self, child, ike=None, timeout=30):
        """Bring a child up, or vici.Refused with charon's word for it. timeout: seconds for charon to try."""
        self.vici.ask("initiate", {"child": child, "ike": ike, "timeout": int(timeout * 1000), "loglevel": -1},
                      timeout=timeout + 15)

    def begin(self, child, ike):
        """Ask for a child and do not wait."""
        self.vici.ask("initiate", {"child": child, "ike": ike, "timeout": -1})

    def terminate(self, timeout=10, **what):
        """what: child, ike (names), child-id, ike-id; force=True without waiting for the peer."""
        what = {key.replace("_", "-"): value for key, value in what.items()}
        self.vici.ask("terminate", {**what, "timeout": int(timeout * 1000), "loglevel": -1}, timeout=timeout + 15)

    def rekey(self, reauth=False, **what):
        """what: child, ike (names), child-id, ike-id. Returns when it has begun."""
        what = {key.replace("_", "-"): value for key, value in what.items()}
        self.vici.ask("rekey", {**what, **({"reauth": True} if reauth else {})})

    def forge(self, source, target, reqid, remote):
        """Sends from this source through the SA of the child with this `reqid`, whose selectors do not have it.

        What waits for traffic has the same id, and ESP in userland finds SAs by that. The host needs the address.
        """
        self.connection("forged", {"version": "2", "remote_addrs": [remote], "local": {"auth": "pubkey"},
                                   "remote": {"auth": "pubkey"}, "children": {"forged": child(
                                       source, target, reqid=str(reqid), start_action="trap")}})

    def unforge(self):
        self.unload("forged")

    def sas(self):
        """IKE SAs as vici lists them: [(name, dict)]. A name comes twice while one replaces another."""
        return [item for event in self.vici.stream("list-sas", "list-sa") for item in event.items()]

    def children(self, name=None, state="INSTALLED"):
        """Children of all IKE SAs, as dicts; of one name, in one state (None: any)."""
        found = [child for _, sa in self.sas() for child in sa.get("child-sas", {}).values()]
        return [child for child in found if name in (None, child["name"]) and state in (None, child["state"])]

    def established(self, name=None):
        return [sa for key, sa in self.sas() if sa["state"] == "ESTABLISHED" and name in (None, key)]

    def wait_child(self, name=None, timeout=30):
        return net.eventually(lambda: self.children(name), timeout, what=f"a child {name or ''} is installed")[0]


class Charon(Control):
    """start, configure, ask, stop; close() leaves nothing. The namespace is the caller's."""

    def __init__(self, namespace, name="charon", plugins=None, more=None, environment=None):
        self.namespace, self.name = namespace, name
        self.folder = tempfile.mkdtemp(prefix=f"isthmus-{name}-{os.getpid()}-")
        self.socket_path = os.path.join(self.folder, "vici")
        self.log_path = os.path.join(self.folder, "log")
        self.configuration = os.path.join(self.folder, "strongswan.conf")
        self.environment = environment or {}
        self.command = [PROGRAM]
        self.process = None
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(settings(self.folder, plugins or LIBIPSEC, more))

    def start(self):
        """charon starts with an empty head: connections and secrets must be given again."""
        self.process = self.namespace.start(*self.command, log=os.path.join(self.folder, "output"), env={
            **os.environ, "STRONGSWAN_CONF": self.configuration, **self.environment})
        self.vici = net.eventually(self._connect, START_TIMEOUT_S, what=f"{self.name} listens")
        return self

    def _connect(self):
        if not self.process.alive():
            raise net.Failed(f"charon ended at start:\n{self.process.output()}{self.log()}")
        try:
            return Vici.connect(self.socket_path)
        except OSError:
            return None

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def said(self, words, timeout=15):
        """Wait for words in the log."""
        net.eventually(lambda: words in self.log(), timeout, what=f"{self.name} says '{words}'")

    def stop(self, sig=signal.SIGTERM):
        """SIGTERM tells the peers; SIGKILL does not."""
        if self.vici:
            self.vici.close()
            self.vici = None
        return self.process.stop(sig)

    def close(self):
        if self.process:
            self.stop()
            self.process.close()
        shutil.rmtree(self.folder, ignore_errors=True)


# Connections

def child(here, there, **more):
    """One CHILD_SA: local and remote selectors, texts or lists."""
    def listed(value):
        return [value] if isinstance(value, str) else list(value)
    return {"local_ts": listed(here), "remote_ts": listed(there), **more}


def connection(here, there, children, version=2, **more):
    """By pre-shared key, identities are the addresses; `more` overrides it, the sections local and remote, too."""
    return {"version": str(version), "local_addrs": [here], "remote_addrs": [there],
            "local": {"auth": "psk", "id": here}, "remote": {"auth": "psk", "id": there},
            "children": children, **more}
