#!/usr/bin/python3
"""The profile azure-default against a stock charon that offers one row of the vendor's lists and nothing else.

Each of the 26 rows of quick mode comes up with just that transform, under each of the 6 of main mode in turn, and
packets pass; a row with a group is rekeyed, as the group of a child is first used then. What is in no list is refused.
"""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from ike_cases import SECRET
from ike_userland import Lab
from lib import net, tap
from lib.charon import child, connection
from lib.ike_site import inner, outer, space
from lib.vici import Refused

NAME = "azure"

# The vendor's default policies: encryption, integrity, group; in the vendor's order.
MAIN = [("aes256", "sha1"), ("aes256", "sha256"), ("aes128", "sha1"), ("aes128", "sha256"), ("3des", "sha1"),
        ("3des", "sha256")]
QUICK = [("aes256gcm16", "", 0), ("aes256", "sha1", 0), ("3des", "sha1", 0), ("aes256", "sha256", 0), ("aes128", "sha1", 0),
         ("3des", "sha256", 0), ("des", "sha1", 0), ("aes256", "sha1", 1), ("aes256", "sha1", 2), ("aes256", "sha1", 14),
         ("aes128", "sha1", 1), ("aes128", "sha1", 2), ("aes128", "sha1", 14), ("3des", "sha1", 1), ("3des", "sha1", 2),
         ("3des", "sha256", 2), ("aes256", "sha256", 1), ("aes256", "sha256", 2), ("aes256", "sha256", 14),
         ("aes256", "sha1", 24), ("aes256", "sha256", 24), ("aes128", "sha256", 0), ("aes128", "sha256", 1),
         ("aes128", "sha256", 2), ("aes128", "sha256", 14), ("3des", "sha1", 14)]

# strongSwan's words in a proposal, and in what it lists.
GROUPS = {1: ("modp768", "MODP_768"), 2: ("modp1024", "MODP_1024"), 14: ("modp2048", "MODP_2048"),
          24: ("modp2048s256", "MODP_2048_256")}
CIPHERS = {"aes256gcm16": ("AES_GCM_16", "256"), "aes256": ("AES_CBC", "256"), "aes128": ("AES_CBC", "128"),
           "3des": ("3DES_CBC", None), "des": ("DES_CBC", None)}
HASHES = {"": None, "sha1": "HMAC_SHA1_96", "sha256": "HMAC_SHA2_256_128"}


def transform(sa):
    return sa["encr-alg"], sa.get("encr-keysize"), sa.get("integ-alg")


def wanted(encryption, integrity):
    return *CIPHERS[encryption], HASHES[integrity]


def proposal(encryption, integrity, group):
    return "-".join(word for word in (encryption, integrity, GROUPS[group][0] if group else "") if word)


class Peer:
    """The one connection of both sides; the appliance's stays, the charon's changes with each row."""

    def __init__(self, lab):
        self.lab, self.charon = lab, lab.charon
        lab.site.apply([lab.site.connection(
            NAME, outer(2), [space(2)], SECRET, {"ikeProfile": "azure-default", "forceEncapsulation": True},
            connectionMode="ResponderOnly")])
        net.eventually(lambda: f"vici connection: {NAME}\n" in lab.site.box.log(), 20, what="charon to know the connection")

    def offer(self, ike, esp):
        self.charon.connection(NAME, connection(outer(2), outer(1), {NAME: child(space(2), space(1), esp_proposals=[esp])},
                                                proposals=[ike], encap=True))

    def talks(self):
        net.eventually(lambda: self.lab.site.ping(inner(2), 1, wait=1), 15, what="a ping to the peer")
        net.eventually(lambda: self.lab.ping(inner(1), inner(2), 1), 15, what="a ping from the peer")

    def child(self):
        children = self.charon.children(NAME)
        assert len(children) == 1, children
        return children[0]

    def rekeyed(self, old):
        """The child that took over, once it is the only one."""
        self.charon.rekey(child=NAME)

        def new():
            children = self.charon.children(NAME, None)
            return children[0] if len(children) == 1 and children[0]["spi-in"] != old["spi-in"] else None
        return net.eventually(new, 20, what="the old child gives way")

    def down(self):
        """Both ends have forgotten it."""
        if self.charon.sas():
            self.charon.terminate(ike=NAME)
        self.charon.unload(NAME)


def row(peer, main, quick):
    ike, esp = proposal(*main, 2), proposal(*quick)
    peer.offer(ike, esp)
    try:
        peer.charon.initiate(NAME)
        sa = peer.charon.established(NAME)[0]
        assert transform(sa) == wanted(*main) and sa["dh-group"] == "MODP_1024", sa
        first = peer.child()
        assert transform(first) == wanted(*quick[:2]), first
        peer.talks()
        if quick[2]:
            second = peer.rekeyed(first)
            assert transform(second) == wanted(*quick[:2]) and second["dh-group"] == GROUPS[quick[2]][1], second
            peer.talks()
    finally:
        peer.down()


def refused(peer, ike, esp):
    peer.offer(ike, esp)
    before = len(peer.charon.log())
    try:
        peer.charon.initiate(NAME)
        raise AssertionError(f"{ike} with {esp} came up")
    except Refused:
        assert "NO_PROPOSAL_CHOSEN" in peer.charon.log()[before:], "refused for another reason"
        assert not peer.charon.children(NAME), peer.charon.children(NAME)
    finally:
        peer.down()


def refused_when_rekeyed(peer, esp):
    """The first child has no group yet; one with another than the lists' does not take over."""
    peer.offer("aes256-sha1-modp1024", esp)
    try:
        peer.charon.initiate(NAME)
        first, before = peer.child(), len(peer.charon.log())
        peer.charon.rekey(child=NAME)
        net.eventually(lambda: "CHILD_SA rekeying failed" in peer.charon.log()[before:], 10, what="the rekeying to fail")
        net.eventually(lambda: [c["spi-in"] for c in peer.charon.children(NAME)] == [first["spi-in"]], 5,
                       what="the first child to stay")
        peer.talks()
    finally:
        peer.down()


def told(peer, function, *arguments):
    try:
        function(peer, *arguments)
    except Exception:
        print(f"# the appliance:\n{peer.lab.site.log()}\n# the peer:\n{peer.charon.log()[-3000:]}".replace("\n", "\n# "))
        raise


OUTSIDE = [("aes256-sha1-modp768", "aes256-sha1"), ("aes256-sha1-modp2048", "aes256-sha1"),
           ("aes256-sha384-modp1024", "aes256-sha1"), ("aes192-sha1-modp1024", "aes256-sha1"),
           ("aes256-sha1-modp1024", "aes128ctr-sha1"), ("aes256-sha1-modp1024", "aes128gcm16"),
           ("aes256-sha1-modp1024", "aes256-sha512"), ("aes256-sha1-modp1024", "des-sha256"),
           ("aes256-sha1-modp1024", "aes128-md5")]


def main():
    net.signals_raise()
    lab = Lab()
    try:
        peer = Peer(lab)
        for number, quick in enumerate(QUICK):
            first = MAIN[number % len(MAIN)]
            tap.add(f"row {number + 1}: {proposal(*first, 2)}, {proposal(*quick)}", told, peer, row, first, quick)
        for ike, esp in OUTSIDE:
            tap.add(f"refused: {ike}, {esp}", told, peer, refused, ike, esp)
        tap.add("refused when rekeyed: 3des-sha256-modp2048", told, peer, refused_when_rekeyed, "3des-sha256-modp2048")
        tap.main()
    finally:
        lab.close()


main()
