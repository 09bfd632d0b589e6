"""The kinds of security association that are tried against a kernel, in the words of both sides.

A kind is symmetric here: both directions use the same algorithms with keys of their own.
"""

import hashlib
from dataclasses import dataclass

# name: (kernel's AEAD name or None, kernel's cipher, bytes of key with salt)
ENCRYPTIONS = {
    "aes-gcm-128": ("rfc4106(gcm(aes))", None, 20),
    "aes-gcm-192": ("rfc4106(gcm(aes))", None, 28),
    "aes-gcm-256": ("rfc4106(gcm(aes))", None, 36),
    "aes-gcm12-192": ("rfc4106(gcm(aes))", None, 28),
    "aes-gcm8-128": ("rfc4106(gcm(aes))", None, 20),
    "aes-ccm-256": ("rfc4309(ccm(aes))", None, 35),
    "aes-ccm12-128": ("rfc4309(ccm(aes))", None, 19),
    "aes-ccm8-128": ("rfc4309(ccm(aes))", None, 19),
    "aes-gmac-128": ("rfc4543(gcm(aes))", None, 20),
    "aes-gmac-192": ("rfc4543(gcm(aes))", None, 28),
    "aes-gmac-256": ("rfc4543(gcm(aes))", None, 36),
    "aes-cbc-128": (None, "cbc(aes)", 16),
    "aes-cbc-192": (None, "cbc(aes)", 24),
    "aes-cbc-256": (None, "cbc(aes)", 32),
    "aes-ctr-128": (None, "rfc3686(ctr(aes))", 20),
    "aes-ctr-192": (None, "rfc3686(ctr(aes))", 28),
    "aes-ctr-256": (None, "rfc3686(ctr(aes))", 36),
    "des-cbc": (None, "cbc(des)", 8),
    "3des-cbc": (None, "cbc(des3_ede)", 24),
    "null": (None, "ecb(cipher_null)", 0),
}

# Bits of the ICV of an AEAD that has another than 128.
SHORT_ICV = {"aes-gcm12-192": 96, "aes-gcm8-128": 64, "aes-ccm12-128": 96, "aes-ccm8-128": 64}

# name: (kernel's hash, bytes of key, bits of the check value)
INTEGRITIES = {
    "sha1-96": ("hmac(sha1)", 20, 96),
    "md5-96": ("hmac(md5)", 16, 96),
    "sha256-128": ("hmac(sha256)", 32, 128),
    "sha384-192": ("hmac(sha384)", 48, 192),
    "sha512-256": ("hmac(sha512)", 64, 256),
}

USUAL = [name for name in INTEGRITIES if name.startswith("sha")]
NAT_T_PORT = 4500


@dataclass(frozen=True)
class Kind:
    encryption: str
    integrity: str = "none"
    esn: bool = False
    nat_t: bool = False
    outer: int = 4
    inner: int = 4
    window: int = 64
    salt: str = ""  # other keys: numbers begin anew

    @property
    def name(self):
        parts = [self.encryption] + ([self.integrity] if self.integrity != "none" else [])
        parts += ["esn"] if self.esn else []
        parts += ["nat-t"] if self.nat_t else []
        return " ".join(parts) + f" ipv{self.inner} in ipv{self.outer}"

    def keys(self, way):
        """(cipher key, hash key) of a direction: fixed, and different for every kind and direction."""
        def bits(what, length):
            return hashlib.shake_256(f"{self.name}/{self.salt}/{way}/{what}".encode()).digest(length)
        hash_length = INTEGRITIES[self.integrity][1] if self.integrity in INTEGRITIES else 0
        return bits("cipher", ENCRYPTIONS[self.encryption][2]), bits("hash", hash_length)


KINDS = (
    [Kind(f"aes-gcm-{n}", esn=esn) for n in (128, 192, 256) for esn in (False, True)]
    + [Kind("aes-gcm12-192", esn=True), Kind("aes-gcm8-128", nat_t=True)]
    + [Kind("aes-ccm-256", esn=True), Kind("aes-ccm12-128", nat_t=True), Kind("aes-ccm8-128")]
    + [Kind(f"aes-gmac-{n}", esn=esn) for n in (128, 192, 256) for esn in (False, True)]
    + [Kind(f"aes-cbc-{n}", h, esn=esn) for n in (128, 192, 256) for h in USUAL for esn in (False, True)]
    + [Kind("aes-ctr-128", "sha1-96"), Kind("aes-ctr-192", "sha512-256", esn=True), Kind("aes-ctr-256", "sha256-128", nat_t=True)]
    + [Kind("des-cbc", "md5-96"), Kind("3des-cbc", "sha256-128", nat_t=True)]
    + [Kind("null", h, esn=esn) for h in USUAL for esn in (False, True)]
    + [Kind("aes-gcm-256", nat_t=True), Kind("aes-gcm-128", nat_t=True, esn=True),
       Kind("aes-cbc-256", "sha256-128", nat_t=True), Kind("aes-cbc-128", "sha512-256", nat_t=True, esn=True),
       Kind("aes-gmac-256", nat_t=True), Kind("null", "sha1-96", nat_t=True)]
    + [Kind(e, h, nat_t=n, outer=o, inner=i)
       for e, h in (("aes-gcm-256", "none"), ("aes-cbc-256", "sha256-128"))
       for o, i, n in ((4, 6, False), (6, 4, False), (6, 6, False), (4, 6, True), (6, 4, True))]
)


def xfrm_state(kind, way, source, destination, spi, sequence=0):
    """Line of an `ip` batch: a state, with the last sequence number sent and seen, by whichever side this is."""
    key, hash_key = kind.keys(way)
    aead, cipher, _ = ENCRYPTIONS[kind.encryption]
    text = (f"xfrm state add src {source} dst {destination} proto esp spi {spi:#x} reqid 1 mode tunnel "
            f"replay-window {kind.window}")
    if sequence:
        text += f" replay-seq {sequence & 0xffffffff:#x} replay-oseq {sequence & 0xffffffff:#x}"
        if kind.esn:
            text += f" replay-seq-hi {sequence >> 32:#x} replay-oseq-hi {sequence >> 32:#x}"
    flags = (["esn"] if kind.esn else []) + (["af-unspec"] if kind.outer != kind.inner else [])
    text += f" flag {' '.join(flags)}" if flags else ""
    if aead:
        text += f" aead '{aead}' 0x{key.hex()} {SHORT_ICV.get(kind.encryption, 128)}"
    else:
        name, _, bits = INTEGRITIES[kind.integrity]
        text += f" auth-trunc '{name}' 0x{hash_key.hex()} {bits}"
        text += f" enc '{cipher}' " + (f"0x{key.hex()}" if key else "''")
    if kind.nat_t:
        text += f" encap espinudp {NAT_T_PORT} {NAT_T_PORT} 0.0.0.0"
    return text


def xfrm_policy(way, source, destination, outer_source, outer_destination):
    """Line of an `ip` batch: what goes between two prefixes goes through the tunnel."""
    return (f"xfrm policy add src {source} dst {destination} dir {way} "
            f"tmpl src {outer_source} dst {outer_destination} proto esp reqid 1 mode tunnel")


def xfrm_counters(text, spi):
    """Packets counted in `ip -s xfrm state` for an SPI."""
    for block in text.split("\nsrc "):
        if f"spi {spi:#010x}" in block:
            after = block.split("lifetime current:")[1]
            return int(after.split("(bytes),")[1].split("(packets)")[0])
    raise AssertionError(f"no SA {spi:#x} in:\n{text}")
