#!/usr/bin/python3
"""Point-to-site: strongSwan as Debian ships it is the client of a gateway, by certificate and by password."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, pki, tap
from lib.charon import Charon, child
from lib.ike_site import Site, inner, outer, space
from lib.vici import Refused

POOL, ANN = "172.20.0.0/29", "172.20.0.6"
GATEWAY = "vpn.example.com"


class Switch:
    """The network outside: more than two ends, so not a lib.wire.Wire."""

    def __init__(self):
        self.namespace = net.Namespace("outside")
        self.ends = 0
        self.namespace.ip("link add switch type bridge")
        self.namespace.ip("link set switch up")

    def plug(self, space, link):
        end = f"end{self.ends}"
        self.ends += 1
        net.veth(space, link, self.namespace, end)
        self.namespace.ip(f"link set {end} master switch")

    def close(self):
        self.namespace.close()


class Client:
    """A host outside, with a charon that is somebody's client."""

    def __init__(self, switch, number):
        self.space = net.Namespace(f"client{number}")
        switch.plug(self.space, "eth0")
        self.space.address("eth0", f"192.0.2.{number}/24")
        self.charon = Charon(self.space, f"client{number}")

    def connect(self, authority, identity=None, user=None, password=None):
        """Proves itself by a certificate, or as a user."""
        c = self.charon
        c.vici.ask("clear-creds")
        c.certificate(authority.pem, ca=True)
        local = {"auth": "pubkey", "certs": [identity.pem]} if identity else {
            "auth": "eap-mschapv2", "id": user, "eap_id": user}
        if identity:
            c.key(identity.key)
        else:
            c.secret("EAP", password, user)
        c.connection("home", {
            "version": "2", "remote_addrs": [outer(1)], "vips": ["0.0.0.0"], "encap": True, "local": local,
            "remote": {"auth": "pubkey", "id": GATEWAY}, "children": {"net": child("dynamic", space(1))}})
        c.initiate("net", timeout=15)
        return self.address()

    def address(self):
        return self.charon.established("home")[0]["local-vips"][0]

    def leave(self):
        for name, _ in self.charon.sas():
            self.charon.terminate(ike=name)

    def close(self):
        self.charon.close()
        self.space.close()


class Scene:
    def __init__(self):
        self.switch = Switch()
        self.site, self.client = None, []
        try:
            self.gateways, self.clients = pki.Authority("gateways"), pki.Authority("clients")
            self.laptop, self.lost = (self.clients.issue(name) for name in ("laptop", "lost"))
            self.site = Site(self.switch, 1)
            own = self.gateways.issue("gateway", names=[GATEWAY], server=True)
            self.site.file("gateway.pem", own.pem)
            self.site.file("gateway.key", own.key)
            self.site.file("ann.password", b"correct horse\n")
            self.client = [Client(self.switch, number) for number in (11, 12)]
            self.site.start([], gateway=self.gateway())
            for client in self.client:
                client.charon.start()
            net.eventually(lambda: "added vici connection: p2s-gw:eap\n" in self.site.box.log(), what="a gateway")
        except BaseException:
            self.close()
            raise

    def gateway(self, *revoked):
        return {"vpnClientConfiguration": {
                    "vpnClientAddressPool": {"addressPrefixes": [POOL]}, "vpnClientProtocols": ["IkeV2"],
                    "vpnClientRootCertificates": [{"name": "clients", "publicCertData": self.clients.base64}],
                    "vpnClientRevokedCertificates": [{"name": f"r{i}", "thumbprint": c.thumbprint}
                                                     for i, c in enumerate(revoked)]},
                "appliance": {"certificate": "gateway.pem", "privateKeyFile": "gateway.key", "localId": GATEWAY,
                              "p2sUsers": [{"name": "ann", "passwordFile": "ann.password", "address": ANN}]}}

    def revoke(self, *certificates):
        self.site.apply([], gateway=self.gateway(*certificates))

    def talk(self, client):
        """Either can begin."""
        net.eventually(lambda: client.space.ping(inner(1), 1, wait=1), what="an answer to the client")
        assert client.space.ping(inner(1), 3) == 3, self.site.log()
        assert self.site.ping(client.address(), 3) == 3, self.site.log()

    def refused(self, client, words, **how):
        """The gateway says so in words that were not said before."""
        before = self.site.box.log().count(words)
        try:
            client.connect(self.gateways, **how)
        except Refused:
            assert not client.charon.established(), "it was refused and is connected"
            net.eventually(lambda: self.site.box.log().count(words) > before, what=f"'{words}' in the log")
            return
        raise AssertionError("it was let in")

    def close(self):
        for part in (*self.client, self.site, self.switch):
            if part:
                part.close()


def by_certificate(scene):
    scene.client[0].connect(scene.gateways, scene.laptop)
    scene.talk(scene.client[0])


def two_have_two_addresses(scene):
    second = scene.client[1].connect(scene.gateways, scene.lost)
    assert second != scene.client[0].address()
    for client in scene.client:
        scene.talk(client)


def revoked_is_refused(scene):
    """Only the one that was revoked, from the moment on that the configuration says so."""
    scene.client[1].leave()
    scene.revoke(scene.lost)
    scene.refused(scene.client[1], f"thumbprint {scene.lost.thumbprint} is revoked", identity=scene.lost)
    scene.talk(scene.client[0])
    scene.client[1].connect(scene.gateways, scene.laptop)
    scene.talk(scene.client[1])
    scene.client[1].leave()


def accepted_when_it_is_off_the_list(scene):
    scene.revoke()
    scene.client[1].connect(scene.gateways, scene.lost)
    scene.talk(scene.client[1])
    scene.client[1].leave()


def stranger_is_refused(scene):
    scene.refused(scene.client[1], "no trusted ECDSA public key found",
                  identity=pki.Authority("others").issue("stranger"))


def by_password(scene):
    address = scene.client[1].connect(scene.gateways, user="ann", password="correct horse")
    assert address == ANN, address
    scene.talk(scene.client[1])
    scene.client[1].leave()
    scene.refused(scene.client[1], "EAP-MS-CHAPv2 verification failed", user="ann", password="wrong horse")


def who_left_is_not_reached(scene):
    address = scene.client[0].address()
    scene.client[0].leave()
    net.eventually(lambda: scene.site.ping(address, 1, wait=1) == 0, what="nobody has the address")


def main():
    net.signals_raise()
    scene = Scene()
    try:
        for story in (by_certificate, two_have_two_addresses, revoked_is_refused, accepted_when_it_is_off_the_list,
                      stranger_is_refused, by_password, who_left_is_not_reached):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
