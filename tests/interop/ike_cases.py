"""What is tried between the appliance's IKE and each kind of peer, as a table.

A case is one connection, in the words of both sides: the appliance's resource and strongSwan's configuration of the
peer. run() brings it up, sends pings both ways, rekeys, sends again and takes it down. Cases of raw ESP and of ESN
are for a kernel; charon with ESP in userland has neither.
"""

import contextlib
from dataclasses import dataclass, field

from lib import net
from lib.charon import child, connection
from lib.ike_site import inner, outer, space
from lib.vici import Refused

SECRET = "a key for tests, and a long one"
PINGS = 5


@dataclass(frozen=True)
class Case:
    name: str
    esp: str = ""                                 # proposal of both sides; "": each side's own
    ike: str = ""
    starts: str = "peer"                          # who initiates: peer or appliance
    outer: int = 4
    resource: dict = field(default_factory=dict)  # of the connection
    appliance: dict = field(default_factory=dict)  # of its appliance part
    peer: dict = field(default_factory=dict)      # of the peer's connection
    child: dict = field(default_factory=dict)     # of its child
    expect: dict = field(default_factory=dict)    # what the peer says of the child
    group: str = ""                               # PFS: the group of the child that a rekeying made
    kernel_only: bool = False
    userland_only: bool = False                   # the guest's kernel has no such algorithm
    rekey: bool = True
    inner: tuple = (4,)                           # families that are tried inside


def cipher(proposal, encryption, bits="", integrity=None, **more):
    expect = {"encr-alg": encryption, **({"encr-keysize": bits} if bits else {}),
              **({"integ-alg": integrity} if integrity else {})}
    return Case(f"ESP {proposal}", esp=proposal, expect=expect, rekey=False, **more)


def policy(encryption, integrity, proposal, pfs="None", **more):
    """The cloud's words here, strongSwan's there."""
    return Case(f"policy {encryption} {integrity}", ike="aes256-sha384-ecp384", esp=proposal, resource={"ipsecPolicies": [{
        "saLifeTimeSeconds": 3600, "saDataSizeKilobytes": 102400000, "ipsecEncryption": encryption,
        "ipsecIntegrity": integrity, "ikeEncryption": "AES256", "ikeIntegrity": "SHA384", "dhGroup": "ECP384",
        "pfsGroup": pfs}]}, **more)


WEAK = {"appliance": {"ikeProfile": "azure-default"}, "ike": "aes256-sha256-ecp256"}

# control-plane.md, section 1: what stock charons agree on among themselves.
CIPHERS = [
    cipher("aes128gcm16", "AES_GCM_16", "128"), cipher("aes192gcm16", "AES_GCM_16", "192"),
    cipher("aes256gcm16", "AES_GCM_16", "256", starts="appliance"),
    cipher("aes256gcm12", "AES_GCM_12", "256"), cipher("aes256gcm8", "AES_GCM_8", "256"),
    cipher("aes256ccm16", "AES_CCM_16", "256"), cipher("chacha20poly1305", "CHACHA20_POLY1305", userland_only=True),
    cipher("aes256ctr-sha256", "AES_CTR", "256", "HMAC_SHA2_256_128"),
    cipher("aes128-sha1", "AES_CBC", "128", "HMAC_SHA1_96"), cipher("aes192-sha256", "AES_CBC", "192", "HMAC_SHA2_256_128"),
    cipher("aes256-sha256", "AES_CBC", "256", "HMAC_SHA2_256_128", starts="appliance"),
    cipher("aes256-sha384", "AES_CBC", "256", "HMAC_SHA2_384_192"),
    cipher("aes256-sha512", "AES_CBC", "256", "HMAC_SHA2_512_256"),
    cipher("null-sha256", "NULL", integrity="HMAC_SHA2_256_128"), cipher("3des-sha1", "3DES_CBC", integrity="HMAC_SHA1_96"),
    cipher("aes128-md5", "AES_CBC", "128", "HMAC_MD5_96", **WEAK), cipher("des-sha1", "DES_CBC", integrity="HMAC_SHA1_96", **WEAK),
    cipher("aes256gmac", "NULL_AES_GMAC", "256", kernel_only=True),
]

POLICIES = [
    policy("GCMAES256", "GCMAES256", "aes256gcm16-ecp384", pfs="ECP384", group="ECP_384", starts="appliance"),
    policy("GCMAES192", "GCMAES192", "aes192gcm16", rekey=False), policy("AES192", "SHA1", "aes192-sha1", rekey=False),
    policy("DES3", "SHA256", "3des-sha256", rekey=False),
    policy("DES", "MD5", "des-md5", rekey=False, appliance=WEAK["appliance"]),
]

GROUPS = [Case(f"rekeyed with {name}", esp=f"aes256gcm16-{word}", group=name)
          for word, name in (("modp2048", "MODP_2048"), ("ecp256", "ECP_256"), ("ecp384", "ECP_384"), ("x25519", "CURVE_25519"))]

IKE = [
    Case("IKE aes256gcm16-prfsha384-ecp384", ike="aes256gcm16-prfsha384-ecp384"),
    Case("IKE aes128-sha1-modp2048", ike="aes128-sha1-modp2048", starts="appliance"),
    Case("the defaults of both, started by the peer"),
    Case("the defaults of both, started by the appliance", starts="appliance"),
    Case("the cloud's defaults", appliance={"ikeProfile": "azure-default"}, starts="appliance",
         peer={"proposals": ["aes256-sha1-modp1024"]}, child={"esp_proposals": ["aes256gcm16"]}),
    Case("IKE fragments from both", peer={"fragmentation": "force"}),
    Case("IKEv1, started by the peer", ike="aes256-sha256-modp2048", esp="aes256-sha256", peer={"version": "1"},
         resource={"connectionProtocol": "IKEv1"}),
    Case("IKEv1, started by the appliance", ike="aes256-sha256-modp2048", esp="aes256-sha256", peer={"version": "1"},
         resource={"connectionProtocol": "IKEv1"}, starts="appliance"),
    Case("policy-based selectors", resource={"usePolicyBasedTrafficSelectors": True}, starts="appliance"),
]

FAMILIES = [
    Case("both families inside IPv4", inner=(4, 6)),
    Case("both families inside IPv6", outer=6, inner=(4, 6)),
    Case("IPv6 outside, started by the appliance", outer=6, starts="appliance"),
]

RAW = [
    Case(f"raw ESP {name}{' with ESN' if esn else ''} over IPv{version}", esp=f"{name}-{'esn' if esn else 'noesn'}", outer=version,
         appliance={"esn": "on" if esn else "off"}, kernel_only=True, inner=(4, 6), starts=starts,
         expect={"esn": "1"} if esn else {})
    for name, esn, version, starts in (("aes256gcm16", True, 4, "peer"), ("aes128gcm16", False, 4, "appliance"),
                                       ("aes256-sha512", True, 6, "appliance"), ("aes128-sha256", False, 6, "peer"),
                                       ("aes256gcm16-ecp256", True, 4, "appliance"))
]

CASES = CIPHERS + POLICIES + GROUPS + IKE + FAMILIES + RAW


def of_userland():
    """Those a charon with ESP in userland can do."""
    return [case for case in CASES if not case.kernel_only]


class Pair:
    """Site 1 with the appliance, site 2 with a charon: what the cases run on."""

    def __init__(self, site, charon, ping, encapsulates):
        """ping(address, source, count) pings from the peer's protected address and returns the replies."""
        self.site, self.charon, self.ping, self.encapsulates = site, charon, ping, encapsulates
        self.number = 0

    def name(self):
        """One that was not there before."""
        self.number += 1
        return f"c{self.number}"

    def configure(self, case, name):
        """One connection, on both sides."""
        own = dict(case.appliance)
        for key, text in (("ikeProposals", case.ike), ("espProposals", case.esp)):
            if text and not case.resource.get("ipsecPolicies"):
                own.setdefault(key, [text])
        if self.encapsulates:
            own.setdefault("forceEncapsulation", True)
        mode = "ResponderOnly" if case.starts == "peer" else "InitiatorOnly"
        resource = {"connectionMode": mode, **case.resource}

        proposals = {**({"proposals": [case.ike]} if case.ike else {})}
        words = {**({"esp_proposals": [case.esp]} if case.esp else {}), **case.child}
        selectors = [[space(n, v) for v in case.inner] for n in (2, 1)]
        self.charon.connection(name, connection(outer(2, case.outer), outer(1, case.outer),
                                                {name: child(*selectors, **words)}, **proposals,
                                                **({"encap": True} if self.encapsulates else {}), **case.peer))
        self.site.apply([self.site.connection(name, outer(2, case.outer), [space(2, v) for v in (4, 6)], SECRET, own, **resource)])
        # The peer may come as soon as charon knows of it.
        net.eventually(lambda: f"vici connection: {name}\n" in self.site.box.log(), 20, what=f"charon to know {name}")

    def up(self, case, name):
        """Bring it up by who is to start; returns the peer's child."""
        if case.starts == "peer":
            self.charon.initiate(name)
        else:
            # Started at once, or on demand: this is the demand.
            net.eventually(lambda: self.site.ping(inner(2), 1, wait=1) and self.charon.children(name), 20,
                           what=f"{name} comes up")
        return self.charon.children(name)[0]

    def talks(self, case):
        for version in case.inner:
            there, here = inner(2, version), inner(1, version)
            # On a busy machine a stock peer is late with its SAs, or loses a packet.
            net.eventually(lambda t=there: self.site.ping(t, PINGS) == PINGS, 15, what="pings to the peer")
            net.eventually(lambda h=here, t=there: self.ping(h, t, PINGS) == PINGS, 15, what="pings from the peer")

    def rekeyed(self, case, name, old):
        """The child that took over, once the old one is gone; with IKEv1 that stays until it expires."""
        def new():
            children = self.charon.children(name, None)
            others = [c for c in children if c["spi-in"] != old["spi-in"]]
            return others[0] if others and (len(children) == 1 or case.peer.get("version") == "1") else None
        return net.eventually(new, 20, what="the old child gives way")

    def down(self, name):
        """Also of what never came up."""
        with contextlib.suppress(Refused):
            self.charon.terminate(ike=name, force=True, timeout=2)
        self.charon.unload(name)


def run(pair, case):
    name = pair.name()
    try:
        pair.configure(case, name)
        tried(pair, case, name)
    except Exception:
        print(f"# the appliance:\n{pair.site.log()}\n# the peer:\n{pair.charon.log()[-3000:]}".replace("\n", "\n# "))
        raise
    finally:
        pair.down(name)


def tried(pair, case, name):
    first = pair.up(case, name)
    for key, value in case.expect.items():
        assert first.get(key) == value, f"{key}: {first}"
    assert ("encap" in first) == pair.encapsulates, first
    pair.talks(case)
    if case.rekey:
        pair.charon.rekey(child=name)
        second = pair.rekeyed(case, name, first)
        assert second.get("dh-group", "") == case.group or not case.group, second
        pair.talks(case)
