#!/usr/bin/python3
"""Isthmus to Isthmus, one kind of connection after the other over the same two appliances, and over a bad wire."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net, pki, tap
from lib.ike_pair import SECRET, Pair, stop_all
from lib.ike_site import outer, space

POLICY = {"saLifeTimeSeconds": 3600, "saDataSizeKilobytes": 102400000, "ipsecEncryption": "GCMAES256",
          "ipsecIntegrity": "GCMAES256", "ikeEncryption": "AES256", "ikeIntegrity": "SHA384", "dhGroup": "ECP384",
          "pfsGroup": "ECP384"}
# Payload 53 is an encrypted fragment (RFC 7383); IKE on port 4500 has a marker of 4 bytes before it.
IKE_FRAGMENTS = "(udp port 500 and udp[24] = 53) or (udp port 4500 and udp[8:4] = 0 and udp[28] = 53)"
IP_FRAGMENTS = "ip[6:2] & 0x3fff != 0"
BAD = {"loss": 10, "duplicate": 20, "reorder": 20, "hold": 30, "delay": 10, "jitter": 5}
LOAD_S = 3


def configure(pair, version=4, own=None, **more):
    """Both ends, another way than before; own(end) is more of the end's `appliance` part."""
    old = sas(pair.left)["out"]["spi"]
    for end in pair.end:
        peer = 3 - end.number
        appliance = own(end) if own else {}
        end.apply([end.connection("s2s", outer(peer, version), [space(peer), space(peer, 6)], appliance=appliance,
                                  **({} if "authenticationType" in more else {"key": SECRET}), **more)])
    net.eventually(lambda: sas(pair.left).get("out", {"spi": old})["spi"] != old, 30, what="another SA")
    comes_up(pair)


def comes_up(pair):
    pair.await_pings()
    pair.await_one()
    assert pair.pings() == [5, 5] == pair.pings(version=6), pair.explain()


def sas(end):
    return {row["direction"]: row for row in end.box.ask("sa list")}


def newest(pair, what):
    """The left end's child or IKE_SA of now."""
    if what == "child":
        return sas(pair.left)["out"]["spi"]
    return max((int(sa["uniqueid"]) for sa in pair.left.established()), default=0)


def rekey(pair, tidy=True):
    """Child and IKE_SA, each by each end, and no packet lost. tidy: the old ones are gone at once."""
    before, streams = [end.sa_drops() for end in pair.end], pair.streams()
    try:
        for what, name in (("child", "s2s-1"), ("ike", "s2s")):
            for end in pair.end:
                old = newest(pair, what)
                end.rekey(**{what: name})
                net.eventually(lambda w=what, o=old: newest(pair, w) not in (o, 0), 30, what=f"{end.name} rekeys {what}")
                if tidy:
                    pair.await_one()
    finally:
        results = stop_all(streams)
    for sent, missing in results:
        assert sent and not missing, (sent, missing[:20], pair.explain())
    assert before == [end.sa_drops() for end in pair.end], pair.explain()


def start(pair):
    pair.start()
    comes_up(pair)


def outside_is_ipv6(pair):
    configure(pair, version=6)
    assert sas(pair.left)["out"]["remote"].startswith("2001:db8::2"), sas(pair.left)
    rekey(pair)


def with_and_without_esn(pair):
    for word in ("off", "on"):
        configure(pair, own=lambda end, w=word: {"esn": w, "espProposals": ["aes256gcm16"]})
        for end in pair.end:
            for sa in sas(end).values():
                assert sa["esn"] == (word == "on") and sa["encryption"] == "aes-gcm-256", sa


def with_perfect_forward_secrecy(pair):
    """The first child has the group of its IKE_SA; each that follows has its own."""
    configure(pair, ipsecPolicies=[POLICY])
    rekey(pair)
    for end in pair.end:
        assert end.children()[0]["dh-group"] == "ECP_384", end.children()


def encapsulated(pair):
    configure(pair, own=lambda end: {"forceEncapsulation": True})
    assert all(sa["udpEncapsulation"] for sa in sas(pair.left).values()), sas(pair.left)
    rekey(pair)


def certificates(pair, authority, **more):
    """As large as they come: a message with them does not fit a frame."""
    def own(end):
        name = f"{end.name}.example.com"
        identity = authority.issue(name, names=[name], key="rsa3072")
        for file, data in (("own.pem", identity.pem), ("own.key", identity.key), ("ca.pem", authority.pem)):
            end.file(file, data)
        return {"certificate": "own.pem", "privateKeyFile": "own.key", "caFiles": ["ca.pem"], "localId": name,
                "remoteId": f"site{3 - end.number}.example.com", **more}
    configure(pair, own=own, authenticationType="Certificate")


def counted(pair, *expressions):
    """Frames of this kind since the recording began; a new one begins."""
    pair.captures[-1].stop()
    numbers = [pair.captures[-1].count(expression) for expression in expressions]
    pair.record()
    return numbers


def with_certificates_in_fragments_of_ike(pair, authority):
    counted(pair)
    certificates(pair, authority)
    of_ike, of_ip = counted(pair, IKE_FRAGMENTS, IP_FRAGMENTS)
    assert of_ike >= 4 and of_ip == 0, (of_ike, of_ip)
    rekey(pair)


def with_certificates_in_fragments_of_ip(pair, authority):
    """Without fragments of IKE those of IP reach charon."""
    certificates(pair, authority, fragmentation=False)
    of_ike, of_ip = counted(pair, IKE_FRAGMENTS, IP_FRAGMENTS)
    assert of_ike == 0 and of_ip >= 4, (of_ike, of_ip)


def comes_up_over_a_bad_wire(pair):
    configure(pair)
    pair.wire.set("both", "ike", **BAD)
    for _ in range(2):
        pair.left.terminate(ike="s2s")
        net.eventually(lambda: not pair.right.established(), 30, what="the end of the IKE_SA")
        pair.await_pings(60)
    pair.wire.clear()
    comes_up(pair)


def rekeys_over_a_bad_wire(pair):
    """Only the messages of IKE suffer: no packet is lost."""
    pair.wire.set("both", "ike", **BAD)
    rekey(pair, tidy=False)
    pair.wire.clear()


def late_and_double_packets_come_once(pair):
    """What the wire does to ESP: behind the tunnel all arrive, and none twice; what is altered does not arrive."""
    pair.wire.set("both", "esp", duplicate=20, reorder=20, hold=10, delay=5, jitter=5)
    streams = pair.streams()
    time.sleep(LOAD_S)
    for stream in streams:
        missing = stream.stop(1)
        assert stream.sent > 100 * LOAD_S and not missing and not stream.duplicates(), (
            stream.sent, missing[:20], stream.duplicates(), pair.explain())
    assert all(end.drops()["esp-replay"] > 0 for end in pair.end), pair.explain()
    pair.wire.clear()
    pair.wire.set("both", "esp", corrupt=30)
    before = [end.drops().get("esp-authentication", 0) for end in pair.end]
    assert all(0 < n < 20 for n in pair.pings(20, wait=1)), pair.explain()
    assert all(end.drops()["esp-authentication"] > n for end, n in zip(pair.end, before)), pair.explain()
    pair.wire.clear()


def main():
    net.signals_raise()
    authority = pki.Authority("Isthmus sites", key="rsa3072")
    with Pair() as pair:
        for story in (start, outside_is_ipv6, with_and_without_esn, with_perfect_forward_secrecy, encapsulated):
            tap.add(story.__name__, story, pair)
        for story in (with_certificates_in_fragments_of_ike, with_certificates_in_fragments_of_ip):
            tap.add(story.__name__, story, pair, authority)
        for story in (comes_up_over_a_bad_wire, rekeys_over_a_bad_wire, late_and_double_packets_come_once):
            tap.add(story.__name__, story, pair)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
