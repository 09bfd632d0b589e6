#!/usr/bin/python3
"""Point-to-site: strongSwan as Debian ships it is the client of a gateway, by certificate and by password."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, pki, tap
from lib import resources as az
from lib.capture import Capture
from lib.charon import Charon, child
from lib.ike_site import Site, inner, outer, space
from lib.switch import Switch
from lib.vici import Refused

POOL, ANN = "172.20.0.0/29", "172.20.0.6"
# Of two hosts: with a user's own address in it, there is one for all others.
TINY, RESERVED = "172.20.1.0/30", "172.20.1.2"
NOT_ITS_OWN = 77  # a request id, see lib.charon.Control.forge
GATEWAY = "vpn.example.com"


class Client:
    """A host outside, with a charon that is somebody's client."""

    def __init__(self, switch, number):
        self.space = net.Namespace(f"client{number}")
        switch.plug(self.space, "eth0")
        self.space.address("eth0", f"192.0.2.{number}/24")
        self.charon = Charon(self.space, f"client{number}")

    def connect(self, authority, identity=None, user=None, password=None, **more):
        """Proves itself by a certificate, or as a user. more: of the child."""
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
            "remote": {"auth": "pubkey", "id": GATEWAY}, "children": {"net": child("dynamic", space(1), **more)}})
        c.initiate("net", timeout=15)
        return self.address()

    def connects(self, port):
        return self.space.run("socat", "-u", "OPEN:/dev/null", f"TCP:{inner(1)}:{port},connect-timeout=1",
                              check=False).returncode == 0

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
            self.laptop, self.lost, self.desk = (self.clients.issue(name) for name in ("laptop", "lost", "desk"))
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

    def gateway(self, *revoked, pool=POOL, reserved=ANN):
        return {"vpnClientConfiguration": {
                    "vpnClientAddressPool": {"addressPrefixes": [pool]}, "vpnClientProtocols": ["IkeV2"],
                    "vpnClientRootCertificates": [{"name": "clients", "publicCertData": self.clients.base64}],
                    "vpnClientRevokedCertificates": [{"name": f"r{i}", "thumbprint": c.thumbprint}
                                                     for i, c in enumerate(revoked)]},
                "appliance": {"certificate": "gateway.pem", "privateKeyFile": "gateway.key", "localId": GATEWAY,
                              "p2sUsers": [{"name": "ann", "passwordFile": "ann.password", "address": reserved}]}}

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
            assert not client.charon.children(), "it was refused and is connected"
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


def list_shows_clients(scene):
    """By their addresses and names; a rekeying changes neither the time nor what was counted."""
    def rows():
        return {row["privateIpAddress"].split("/")[0]: row for row in scene.site.box.ask("vpn clients", gateway="gw")}
    scene.talk(scene.client[0])
    before = rows()
    assert set(before) == {client.address() for client in scene.client}, before
    mine = before[scene.client[0].address()]
    assert "laptop" in mine["vpnUserName"] and mine["virtualNetworkGateway"] == "gw", mine
    assert mine["publicIpAddress"].startswith("192.0.2.11:"), mine
    assert mine["ingressPacketsTransferred"] > 0 and mine["egressBytesTransferred"] > 0, mine
    spis = {row["spi"] for row in scene.site.box.ask("sa list")}
    scene.client[0].charon.rekey(child="net")
    net.eventually(lambda: len(spis - {row["spi"] for row in scene.site.box.ask("sa list")}) == 2, what="the old SAs go")
    after = rows()[scene.client[0].address()]
    assert after["ingressBytesTransferred"] >= mine["ingressBytesTransferred"], (mine, after)
    assert after["egressPacketsTransferred"] >= mine["egressPacketsTransferred"], (mine, after)
    assert after["vpnConnectionDuration"] >= mine["vpnConnectionDuration"] and len(rows()) == 2, (mine, after)
    shown = scene.site.box.command("vpn", "clients").stdout
    assert scene.client[0].address() in shown and "BYTES-IN" in shown, shown


def revoked_is_refused(scene):
    """Only the one that was revoked, from the moment on that the configuration says so."""
    scene.client[1].leave()
    scene.revoke(scene.lost)
    scene.refused(scene.client[1], f"thumbprint {scene.lost.thumbprint} is revoked", identity=scene.lost)
    scene.talk(scene.client[0])
    scene.client[1].connect(scene.gateways, scene.desk)
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


def security_group_holds_for_clients(scene):
    """The group of the hosts' subnet names the rule that denies a client; a port it allows is open."""
    client, site = scene.client[0], scene.site
    for port in (8080, 8081):
        site.host.start("socat", "-u", f"TCP-LISTEN:{port},fork,reuseaddr", "OPEN:/dev/null")
        net.eventually(lambda p=port: f":{p} " in site.host.run("ss", "-ltn").stdout, what="the host listens")
    assert client.connects(8080) and client.connects(8081), site.drops()
    hosts = az.subnet("hosts", "10.1.1.0/24", "fd01:0:0:1::/64", nsg="guard")
    site.apply([], gateway=scene.gateway(), networkSecurityGroups=[az.nsg(
        "guard", az.rule("allow-web", 100, "Inbound", "Allow", "Tcp", source=POOL, port="8080"),
        az.rule("refuse-clients", 200, "Inbound", "Deny", source=POOL))],
        virtualNetworks=[az.vnet("net", [space(1), space(1, 6)], [hosts, az.subnet("GatewaySubnet", "10.1.255.0/27")])])
    try:
        assert client.connects(8080), site.drops()
        assert not client.connects(8081), "a denied port is open"
        deciders = {by["name"] for row in site.box.ask("drops") if row["reason"] == "nsg-deny" for by in row["decidedBy"]}
        assert any("refuse-clients" in name for name in deciders), deciders
    finally:
        site.apply([], gateway=scene.gateway())
    scene.talk(client)


def another_source_is_dropped(scene):
    """A client that sends what is not from its own address: as another client, as a host inside, from anywhere."""
    thief, victim = reversed(scene.client)
    thief.connect(scene.gateways, scene.lost, reqid=NOT_ITS_OWN)
    scene.talk(thief)
    sources = (victim.address(), "10.1.1.99", "203.0.113.5")
    seen = Capture(thief.charon.folder, (scene.site.host, "eth0"))
    for source in sources:
        thief.space.address("lo", source + "/32")
        thief.charon.forge(source, space(1), NOT_ITS_OWN, outer(1))
        before = scene.site.drops().get("selector-in", 0)
        assert thief.space.ping(inner(1), 5, wait=0.3, options=["-I", source]) == 0, source
        net.eventually(lambda b=before: scene.site.drops().get("selector-in", 0) >= b + 5, 3, what=f"drops of {source}")
        thief.charon.unforge()
        thief.space.ip(f"address del {source}/32 dev lo")
    seen.stop()
    assert seen.count(f"icmp and ({' or '.join(f'host {source}' for source in sources)})") == 0, "a host got what was forged"
    scene.talk(thief)
    thief.leave()


def full_pool_refuses_until_one_leaves(scene):
    scene.site.apply([], gateway=scene.gateway(pool=TINY, reserved=RESERVED))
    net.eventually(lambda: ": 172.20.1.1, 1 entries" in scene.site.box.log(), what="the tiny pool")
    net.eventually(lambda: not scene.client[0].charon.established(), what="the end of who has an address of the old pool")
    first, second = scene.client
    address = first.connect(scene.gateways, scene.laptop)
    scene.refused(second, "is full, unable to assign address", identity=scene.lost)
    scene.talk(first)
    for client in (second, first):
        client.leave()
    assert second.connect(scene.gateways, scene.lost) == address
    scene.talk(second)


def who_left_is_not_reached(scene):
    address = scene.client[0].address()
    scene.client[0].leave()
    net.eventually(lambda: scene.site.ping(address, 1, wait=1) == 0, what="nobody has the address")


def main():
    net.signals_raise()
    scene = Scene()
    try:
        for story in (by_certificate, two_have_two_addresses, list_shows_clients, revoked_is_refused, accepted_when_it_is_off_the_list,
                      stranger_is_refused, by_password, security_group_holds_for_clients,
                      another_source_is_dropped, who_left_is_not_reached,
                      full_pool_refuses_until_one_leaves):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
