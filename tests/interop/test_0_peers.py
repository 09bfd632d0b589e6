#!/usr/bin/python3
"""The peers themselves: stock charons talk to each other in each way that the tests of the appliance's IKE rely on.

When this fails, strongSwan, the wire or the NAT is to blame, never the appliance. Two hosts, a wire with faults, a
charon with ESP in userland on each; behind one of them a NAT for some cases.
"""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, pki, tap
from lib.charon import Charon, child, connection
from lib.nat import Nat
from lib.vici import Refused
from lib.wire import Wire

ENDS = ("left", "right")
OUTER = {"left": {4: "192.0.2.1", 6: "2001:db8::1"}, "right": {4: "192.0.2.2", 6: "2001:db8::2"}}
INNER = {"left": "10.1.0.1", "right": "10.2.0.1"}
SPACE = {"left": "10.1.0.0/16", "right": "10.2.0.0/16"}
PUBLIC, PUBLIC_TOO, INSIDE, BEHIND_NAT = "192.0.2.1", "192.0.2.7", "172.16.0.1/24", "172.16.0.2"
SECRET = "not a good one"


def other(end):
    return ENDS[end == "left"]


class Lab:
    """left host [- NAT] =wire= right host, a charon on each."""

    def __init__(self, nat=False):
        self.wire = Wire()
        self.nat = None
        self.host = {end: net.Namespace(end) for end in ENDS}
        self.charon = {}
        try:
            self._cable(nat)
            for end in ENDS:
                self.host[end].address("lo", INNER[end] + "/32")
                self.charon[end] = Charon(self.host[end], end).start()
        except BaseException:
            self.close()
            raise

    def _cable(self, nat):
        if nat:
            self.nat = Nat(PUBLIC, INSIDE)
            self.nat.plug_wire(self.wire)
            self.nat.plug_inside(self.host["left"], "eth0", BEHIND_NAT)
        for end in ENDS[1 if nat else 0:]:
            self.wire.plug(self.host[end], "eth0")
            self.host[end].address("eth0", OUTER[end][4] + "/24", OUTER[end][6] + "/64")
        self.wire.start()

    def both(self, outer=4, children=None, **more):
        """Both ends of one connection by pre-shared key. children: what each child has beside its selectors."""
        for end in ENDS:
            peer = other(end)
            kids = {name: child(SPACE[end], SPACE[peer], **words) for name, words in (children or {"net": {}}).items()}
            self.charon[end].psk(SECRET)
            self.charon[end].connection("site", connection(OUTER[end][outer], OUTER[peer][outer], kids, encap=True,
                                                           mobike=False, **more))
        return self.charon["left"], self.charon["right"]

    def ping(self, count=5):
        return self.host["left"].ping(INNER["right"], count, options=["-I", INNER["left"]])

    def talks(self):
        """In the end: an IKEv1 responder installs its child by the third message, for which initiate does not wait."""
        try:
            net.eventually(lambda: self.ping() == 5, 15, what="five answers to five pings")
        except AssertionError as late:
            raise AssertionError("\n".join(c.log()[-3000:] for c in self.charon.values())) from late

    def again(self):
        """Nothing is left of the case before."""
        self.wire.clear()
        for c in self.charon.values():
            for name, _ in c.sas():
                try:
                    c.terminate(ike=name, force=True, timeout=1)
                except Refused:
                    pass
            c.vici.ask("clear-creds")
            for name in c.vici.ask("get-conns")["conns"]:
                c.unload(name)

    def close(self):
        for c in self.charon.values():
            c.close()
        if self.nat:
            self.nat.close()
        for host in self.host.values():
            host.close()
        self.wire.close()


def by_key(lab, outer, version):
    lab.again()
    left, _ = lab.both(outer, version=version)
    left.initiate("net")
    lab.talks()


def rekeys_itself(lab):
    lab.again()
    left, right = lab.both(children={"net": {"rekey_time": "1s", "rand_time": "0s", "esp_proposals": ["aes256gcm16-ecp256"]}},
                           proposals=["aes128-sha256-ecp256"])
    left.initiate("net")
    first = left.children("net")[0]["spi-in"]
    net.eventually(lambda: left.children("net") and "dh-group" in left.children("net")[0], what="a rekeying with PFS")
    lab.talks()
    assert first not in [c["spi-in"] for c in left.children("net")]
    assert right.children("net")[0]["dh-group"] == "ECP_256"


def both_rekey_at_once(lab):
    """With a slow wire each end asks before it hears the other (RFC 7296, section 2.8.1)."""
    lab.again()
    left, right = lab.both()
    left.initiate("net")
    lab.wire.set("both", "ike", delay=150)
    old = {c["spi-in"] for c in left.children("net")}
    left.rekey(child="net")
    right.rekey(child="net")
    net.eventually(lambda: len(left.children("net")) == 1 and left.children("net")[0]["spi-in"] not in old and
                   not left.children("net", "DELETING"), what="one new child")
    lab.wire.clear()
    lab.talks()
    assert "collision" in left.log() + right.log()


def many_children(lab):
    """Each for a host of its own: this peer can't have two of the same selectors."""
    lab.again()
    ends = lab.both()
    hosts = [f"10.2.1.{number}" for number in range(16)]
    lab.host["right"].address("lo", *(f"{address}/32" for address in hosts))
    for end, c in zip(ENDS, ends):
        kids = {f"net{i}": child(*[(SPACE["left"], address), (address, SPACE["left"])][end == "right"])
                for i, address in enumerate(hosts)}
        c.connection("site", connection(OUTER[end][4], OUTER[other(end)][4], kids, encap=True, mobike=False))
    for i, address in enumerate(hosts):
        ends[0].initiate(f"net{i}")
        net.eventually(lambda a=address: lab.host["left"].ping(a, 1, options=["-I", INNER["left"]]) == 1,
                       what=f"an answer of {address}")
    assert [len(c.children()) for c in ends] == [16, 16] and len(ends[0].established()) == 1


def lost_messages_come_again(lab):
    lab.again()
    left, _ = lab.both()
    for kind in ("right", "left"):
        lab.wire.set(kind, "ike", drop=1)
    left.initiate("net")
    assert lab.wire.total("lost") >= 2
    lab.talks()


def certificates(lab):
    """A chain with an intermediate; the messages are larger than the path and IKE fragments them itself."""
    lab.again()
    root = pki.Authority("Root", "rsa2048")
    site = root.authority("Sites", "rsa2048")
    for end in ENDS:
        own, c = site.issue(end, names=[f"{end}.example.net"], key="rsa2048"), lab.charon[end]
        c.certificate(root.pem, ca=True)
        c.certificate(site.pem, ca=True)
        c.key(own.key)
        c.connection("site", connection(OUTER[end][4], OUTER[other(end)][4], {"net": child(SPACE[end], SPACE[other(end)])},
                                        encap=True, fragmentation="force",
                                        local={"auth": "pubkey", "id": f"{end}.example.net", "certs": [own.pem]},
                                        remote={"auth": "pubkey", "id": f"{other(end)}.example.net"}))
    lab.charon["left"].initiate("net")
    lab.talks()
    assert "splitting IKE message" in lab.charon["left"].log()


def refused_certificates(lab):
    root = pki.Authority("Root")
    cases = {"revoked": root.issue("left"), "expired": root.issue("left", days=-1),
             "unknown": pki.Authority("Other").issue("left"), "good": root.issue("left")}
    root.revoke(cases["revoked"])
    for why, client in cases.items():
        lab.again()
        for end, own in (("left", client), ("right", root.issue("right", names=["right.example.net"], server=True))):
            c = lab.charon[end]
            c.certificate(root.pem, ca=True)
            c.revocations(root.crl())
            c.key(own.key)
            c.connection("site", connection(
                OUTER[end][4], OUTER[other(end)][4], {"net": child(SPACE[end], SPACE[other(end)])}, encap=True,
                local={"auth": "pubkey", "certs": [own.pem]}, remote={"auth": "pubkey"}))
        try:
            lab.charon["left"].initiate("net", timeout=10)
            assert why == "good", f"the {why} certificate was taken"
        except Refused:
            assert why != "good", lab.charon["left"].log()[-3000:]


def eap_client(lab):
    """A client with a password gets an address of the pool; the server proves itself by its certificate."""
    lab.again()
    root = pki.Authority("Root")
    server = root.issue("right", names=["vpn.example.net"], server=True)
    right, left = lab.charon["right"], lab.charon["left"]
    right.key(server.key)
    right.pool("clients", "10.1.0.1/32")
    right.secret("EAP", "password", "alice")
    right.connection("p2s", connection(OUTER["right"][4], "%any", {"net": child(SPACE["right"], "dynamic")}, encap=True,
                                       pools=["clients"], send_cert="always",
                                       local={"auth": "pubkey", "id": "vpn.example.net", "certs": [server.pem]},
                                       remote={"auth": "eap-mschapv2", "eap_id": "%any"}))
    left.certificate(root.pem, ca=True)
    for password, good in (("wrong", False), ("password", True)):
        left.vici.ask("clear-creds")
        left.certificate(root.pem, ca=True)
        left.secret("EAP", password, "alice")
        left.connection("site", connection(
            OUTER["left"][4], OUTER["right"][4], {"net": child("dynamic", SPACE["right"])}, encap=True, vips=["0.0.0.0"],
            local={"auth": "eap-mschapv2", "eap_id": "alice"}, remote={"auth": "pubkey", "id": "vpn.example.net"}))
        try:
            left.initiate("net", timeout=10)
            assert good, "the wrong password was taken"
        except Refused:
            assert not good, left.log()[-3000:]
    lab.talks()
    assert right.established("p2s")[0]["remote-vips"] == ["10.1.0.1"]


def through_nat(nat, version):
    """The left one is inside; the NAT forgets it, first with the same address and then with another."""
    nat.again()
    left, right = nat.charon.values()
    left.psk(SECRET)
    right.psk(SECRET)
    # IKEv1 sends its DPD to be told of the new address, too.
    left.connection("site", connection(BEHIND_NAT, OUTER["right"][4], {"net": child(SPACE["left"], SPACE["right"])}, version,
                                       local={"auth": "psk", "id": "left"}, mobike=False, dpd_delay="1s"))
    right.connection("site", connection(OUTER["right"][4], "%any", {"net": child(SPACE["right"], SPACE["left"])}, version,
                                        remote={"auth": "psk", "id": "left"}, mobike=False))
    left.initiate("net")
    nat.talks()
    assert right.established()[0]["nat-remote"] == "yes"
    assert nat.nat.flows(4500), "no flow of UDP 4500"
    for public in (PUBLIC, PUBLIC_TOO):
        before = right.established()[0]["remote-port"]
        nat.nat.rebind(public)
        net.eventually(lambda b=before: right.established()[0]["remote-port"] != b, what="the peer at another port")
        assert right.established()[0]["remote-host"] == public
        net.eventually(lambda: nat.ping(1) == 1, what="an answer through the other port")
    nat.nat.rebind(PUBLIC)


def a_cut_wire_is_noticed(lab):
    lab.again()
    left, _ = lab.both(dpd_delay="1s", dpd_timeout="3s")
    left.initiate("net")
    lab.wire.cut()
    net.eventually(lambda: not left.sas(), timeout=40, what="the dead peer is given up")


def main():
    net.signals_raise()
    labs = []
    try:
        labs.append(Lab())
        labs.append(Lab(nat=True))
        plain, nat = labs
        for version in (2, 1):
            for outer in (4, 6):
                tap.add(f"IKEv{version} by a shared key over IPv{outer}", by_key, plain, outer, version)
        tap.add("rekeying by time, with PFS", rekeys_itself, plain)
        tap.add("both rekey at once", both_rekey_at_once, plain)
        tap.add("sixteen children", many_children, plain)
        tap.add("lost IKE messages come again", lost_messages_come_again, plain)
        tap.add("certificates with a chain", certificates, plain)
        tap.add("revoked, expired and unknown certificates are refused", refused_certificates, plain)
        tap.add("a client with a password", eap_client, plain)
        for version in (2, 1):
            tap.add(f"IKEv{version} through a NAT that forgets", through_nat, nat, version)
        tap.add("a cut wire is noticed", a_cut_wire_is_noticed, plain)
        tap.main()
    finally:
        for lab in labs:
            lab.close()


main()
