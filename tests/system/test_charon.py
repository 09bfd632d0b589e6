#!/usr/bin/python3
"""What a configuration says to charon: a real one takes it, and has what was meant."""

import json
import os
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, pki, tap
from lib import resources as az
from lib.charon import KERNEL, Charon

BUILD = os.environ.get("ISTHMUS_BUILD", "build")
LOAD = os.path.join(BUILD, "tests", "system", "vici_load")
SECRET = "S3cr3t-of-the-test"
CUSTOM = {"saLifeTimeSeconds": 3600, "saDataSizeKilobytes": 102400, "ipsecEncryption": "AES256",
          "ipsecIntegrity": "SHA256", "ikeEncryption": "GCMAES256", "ikeIntegrity": "SHA384", "dhGroup": "ECP384",
          "pfsGroup": "PFS2048"}


def gateway(name, vnet, address, **more):
    return {"name": name, "gatewayType": "Vpn", "vpnType": "RouteBased", "ipConfigurations": [
        {"subnet": {"id": f"{vnet}/GatewaySubnet"}, "publicIPAddress": {"id": address}}], **more}


def site(name, address, *prefixes):
    where = {"gatewayIpAddress": address} if address[0].isdigit() else {"fqdn": address}
    return {"name": name, **where, "localNetworkAddressSpace": {"addressPrefixes": list(prefixes)}}


def connection(name, to, appliance=None, **more):
    return {"name": name, "connectionType": "IPsec", "virtualNetworkGateway1": {"id": "gw"},
            "localNetworkGateway2": {"id": to}, "appliance": appliance or {},
            **({} if more.get("authenticationType") else {"sharedKey": SECRET}), **more}


def config(connections, sites=(), own=None):
    return {
        "virtualNetworks": [
            az.vnet("v", ["10.1.0.0/16", "10.11.0.0/16"], [az.subnet("GatewaySubnet", "10.1.255.0/27")]),
            az.vnet("w", ["10.2.0.0/16"], [az.subnet("GatewaySubnet", "10.2.255.0/27")])],
        "publicIPAddresses": [{"name": "here", "ipAddress": "192.0.2.1"}, {"name": "there", "ipAddress": "192.0.2.2"}],
        "virtualNetworkGateways": [gateway("gw", "v", "here", **(own or {})), gateway("far", "w", "there")],
        "localNetworkGateways": list(sites), "connections": connections,
        "appliance": {"ports": [{"name": "wan", "driver": "null"}],
                      "uplinks": [{"name": "wan", "port": "wan", "addresses": ["192.0.2.1/24"]}]}}


class Scene:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="isthmus-charon-")
        self.space = net.Namespace("charon")
        self.charon = Charon(self.space, plugins=KERNEL).start()

    def close(self):
        self.charon.close()
        self.space.close()
        self.folder.cleanup()

    def load(self, wanted):
        """The text of its messages, and charon's own list of conns."""
        path = os.path.join(self.folder.name, "isthmus.json")
        pki.write(self.folder.name, "isthmus.json", json.dumps(wanted).encode())
        told = self.run(path)
        print(self.run(path, self.charon.socket_path))
        return told, {name: conn for event in self.charon.vici.stream("list-conns", "list-conn")
                      for name, conn in event.items()}

    @staticmethod
    def run(*arguments):
        done = subprocess.run([LOAD, *arguments], capture_output=True, text=True, timeout=100, check=False)
        if done.returncode != 0:
            raise net.Failed(f"vici_load {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout


def check(what, found, wanted):
    if found != wanted:
        raise net.Failed(f"{what} is {found}, not {wanted}")


def shared_keys(scene):
    """Every way to connect by a shared key."""
    sites = [site("a", "198.51.100.1", "172.16.0.0/24", "172.16.1.0/24"), site("b", "198.51.100.2", "172.17.0.0/24"),
             site("c", "198.51.100.3", "172.18.0.0/24"), site("d", "peer.example.net", "172.19.0.0/24"),
             site("e", "198.51.100.5", "172.20.0.0/24", "fd00:20::/64")]
    pair = connection("pair", "a", {"tunnels": 4}, connectionType="Vnet2Vnet")
    pair["virtualNetworkGateway2"] = {"id": "far"}
    del pair["localNetworkGateway2"]
    told, conns = scene.load(config([
        pair,
        connection("cross", "a", usePolicyBasedTrafficSelectors=True, ipsecPolicies=[CUSTOM]),
        connection("chosen", "b", {"acceptAnySelector": True}, trafficSelectorPolicies=[
            {"localAddressRanges": ["10.1.0.0/24"], "remoteAddressRanges": ["172.17.0.0/25"]}]),
        connection("azure", "c", {"ikeProfile": "azure-default"}, connectionMode="ResponderOnly"),
        connection("named", "d", {"remoteId": "peer.example.net"}),
        connection("old", "e", connectionProtocol="IKEv1")], sites))
    check("what was loaded", sorted(conns), ["azure", "chosen", "cross", "named", "old", "pair"])
    if SECRET in told or told.count("data = <hidden>") != 6:
        raise net.Failed("the printer shows a secret")
    check("pair's children", sorted(conns["pair"]["children"]), [f"pair-{i}" for i in range(1, 5)])
    check("pair's selectors", conns["pair"]["children"]["pair-1"]["local-ts"], ["0.0.0.0/0", "::/0"])
    pairs = [(child["local-ts"], child["remote-ts"]) for child in conns["cross"]["children"].values()]
    check("the cross product", sorted(pairs), [([here], [there]) for here in ("10.1.0.0/16", "10.11.0.0/16")
                                               for there in ("172.16.0.0/24", "172.16.1.0/24")])
    check("chosen's children", list(conns["chosen"]["children"]), ["chosen-1", "any"])
    check("old's version", conns["old"]["version"], "IKEv1")
    check("old's children", {name: child["local-ts"] for name, child in conns["old"]["children"].items()},
          {"old-1": ["0.0.0.0/0"], "old-6": ["::/0"]})
    check("the name's addresses", conns["named"]["remote_addrs"], ["peer.example.net", "%any"])
    for words in ("aes256gcm16-prfsha384-ecp384", "aes256-sha256-modp2048", "rekey_bytes = 94371840"):
        if words not in told:
            raise net.Failed(f"the custom policy does not say {words}")
    check("the keys", sorted(scene.charon.vici.ask("get-shared")["keys"]), [
        f"isthmus-psk-{name}" for name in ("azure", "chosen", "cross", "named", "old", "pair")])


def certificates(scene):
    """Ours with a chain, whom we trust, and the key to it."""
    root = pki.Authority("test root")
    between = root.authority("test between")
    own = between.issue("gw.example.net", names=["gw.example.net"])
    _, key = own.save(scene.folder.name, "gw")
    certificate = pki.write(scene.folder.name, "chain.pem", own.pem + between.pem)
    ca = pki.write(scene.folder.name, "ca.pem", root.pem)
    told, conns = scene.load(config([connection(
        "proven", "a", {"certificate": certificate, "privateKeyFile": key, "caFiles": [ca], "remoteId": "CN=peer"},
        authenticationType="Certificate")], [site("a", "198.51.100.1", "172.16.0.0/24")]))
    local, remote = (next(conns["proven"][key] for key in conns["proven"] if key.startswith(side + "-"))
                     for side in ("local", "remote"))
    check("our identity", local["id"], own.name)
    check("our certificate", local["certs"], [own.name])
    check("whom we trust", remote["cacerts"], [root.name])
    check("charon's keys", len(scene.charon.vici.ask("get-keys")["keys"]), 1)
    if "PRIVATE" in told:
        raise net.Failed("the printer shows a private key")


def main():
    scene = Scene()
    try:
        for story in (shared_keys, certificates):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
