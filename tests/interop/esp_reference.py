"""ESP written a second time, from the RFCs, on python3-cryptography: what our engine is compared with.

RFC 4303 (tunnel mode, ESN), 4106 (GCM), 4543 (GMAC), 3602 and 2451 (CBC), 3686 (CTR), 4309 (CCM), 2403, 2404 and 4868 (HMAC), 3948
(UDP). Plain and slow.
"""

import hashlib
import hmac
import ipaddress
import os
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

NEXT_V4, NEXT_V6, NEXT_DUMMY = 4, 41, 59

# name: (bytes of key without salt, bytes of IV, block); counter modes have a salt behind the key, see salt_size()
ENCRYPTIONS = {
    "aes-gcm-128": (16, 8, 4), "aes-gcm-192": (24, 8, 4), "aes-gcm-256": (32, 8, 4),
    "aes-gcm12-128": (16, 8, 4), "aes-gcm12-192": (24, 8, 4), "aes-gcm12-256": (32, 8, 4),
    "aes-gcm8-128": (16, 8, 4), "aes-gcm8-192": (24, 8, 4), "aes-gcm8-256": (32, 8, 4),
    "chacha20-poly1305": (32, 8, 4),
    "aes-ccm-128": (16, 8, 4), "aes-ccm-256": (32, 8, 4), "aes-ccm12-128": (16, 8, 4), "aes-ccm12-256": (32, 8, 4),
    "aes-ccm8-128": (16, 8, 4), "aes-ccm8-256": (32, 8, 4),
    "aes-gmac-128": (16, 8, 4), "aes-gmac-192": (24, 8, 4), "aes-gmac-256": (32, 8, 4),
    "aes-cbc-128": (16, 16, 16), "aes-cbc-192": (24, 16, 16), "aes-cbc-256": (32, 16, 16), "null": (0, 0, 4),
    "aes-ctr-128": (16, 8, 4), "aes-ctr-192": (24, 8, 4), "aes-ctr-256": (32, 8, 4),
    "des-cbc": (8, 8, 8), "3des-cbc": (24, 8, 8),
}

# name: (hash, bytes of key, bytes of ICV)
INTEGRITIES = {
    "md5-96": (hashlib.md5, 16, 12), "sha1-96": (hashlib.sha1, 20, 12), "sha256-128": (hashlib.sha256, 32, 16),
    "sha384-192": (hashlib.sha384, 48, 24), "sha512-256": (hashlib.sha512, 64, 32),
}


def is_combined(encryption):
    """Encrypts and authenticates, or authenticates alone, with no integrity algorithm beside it."""
    return any(mode in encryption for mode in ("gcm", "ccm", "gmac", "chacha20"))


def salt_size(encryption):
    """Of the salt behind the key, which counter modes have."""
    if "ccm" in encryption:
        return 3
    return 4 if is_combined(encryption) or "ctr" in encryption else 0


@dataclass
class Gcm:
    """AES-GCM with an ICV of 8, 12 or 16 bytes; the library's AESGCM has 16 alone."""

    key: bytes
    size: int

    def encrypt(self, nonce, clear, aad):
        return AESGCM(self.key).encrypt(nonce, clear, aad)[:len(clear) + self.size]

    def decrypt(self, nonce, data, aad):
        mode = modes.GCM(nonce, data[-self.size:], min_tag_length=self.size)
        cipher = Cipher(algorithms.AES(self.key), mode).decryptor()
        cipher.authenticate_additional_data(aad)
        return cipher.update(data[:-self.size]) + cipher.finalize()


class Refused(Exception):
    """The packet is not what this SA would accept; the text says why."""


def checksum(data):
    """RFC 1071: 0 over data that carries its right checksum."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def is_v6(address):
    return ipaddress.ip_address(address).version == 6


@dataclass
class Sa:
    """One direction of a tunnel."""

    encryption: str
    integrity: str
    key: bytes
    auth_key: bytes
    spi: int
    local: str   # of the sealing end
    remote: str
    esn: bool = False
    udp: bool = False
    port: int = 4500

    @property
    def combined(self):
        return is_combined(self.encryption)

    @property
    def iv_size(self):
        return ENCRYPTIONS[self.encryption][1]

    @property
    def block(self):
        return ENCRYPTIONS[self.encryption][2]

    @property
    def icv_size(self):
        if not self.combined:
            return INTEGRITIES[self.integrity][2]
        return next((size for name, size in (("cm12", 12), ("cm8", 8)) if name in self.encryption), 16)

    # ---- the transforms --------------------------------------------------------

    def _authenticated_header(self, sequence):
        """SPI and number as a combined mode authenticates them: all 64 bits with ESN."""
        return struct.pack("!IQ", self.spi, sequence) if self.esn else struct.pack("!II", self.spi, sequence & 0xffffffff)

    def _hmac(self, header, body, sequence):
        function, _, size = INTEGRITIES[self.integrity]
        implied = struct.pack("!I", sequence >> 32) if self.esn else b""
        return hmac.new(self.auth_key, header + body + implied, function).digest()[:size]

    def _mode(self):
        """Salt, and what encrypts and authenticates at once."""
        size = salt_size(self.encryption)
        key, salt = self.key[:-size], self.key[-size:]
        if "chacha" in self.encryption:
            return salt, ChaCha20Poly1305(key)
        return salt, AESCCM(key, self.icv_size) if "ccm" in self.encryption else Gcm(key, self.icv_size)

    def _cipher(self, iv):
        if "ctr" in self.encryption:
            return Cipher(algorithms.AES(self.key[:-4]), modes.CTR(self.key[-4:] + iv + b"\0\0\0\1"))
        if "des" in self.encryption:
            return Cipher(algorithms.TripleDES(self.key * 3 if len(self.key) == 8 else self.key), modes.CBC(iv))
        return Cipher(algorithms.AES(self.key), modes.CBC(iv))

    def transform(self, clear, sequence, iv):
        """IV, cipher text and ICV of a payload with its trailer."""
        header = struct.pack("!II", self.spi, sequence & 0xffffffff)
        if self.combined:
            salt, mode = self._mode()
            aad = self._authenticated_header(sequence)
            if "gmac" in self.encryption:
                return iv + clear + mode.encrypt(salt + iv, b"", aad + iv + clear)
            return iv + mode.encrypt(salt + iv, clear, aad)
        if self.encryption == "null":
            body = clear
        else:
            cipher = self._cipher(iv).encryptor()
            body = iv + cipher.update(clear) + cipher.finalize()
        return body + self._hmac(header, body, sequence)

    def inverse(self, body, sequence):
        """Payload with trailer of what transform() made."""
        header = struct.pack("!II", self.spi, sequence & 0xffffffff)
        iv, text, icv = body[:self.iv_size], body[self.iv_size:-self.icv_size], body[-self.icv_size:]
        if self.combined:
            salt, mode = self._mode()
            aad = self._authenticated_header(sequence)
            try:
                if "gmac" in self.encryption:
                    mode.decrypt(salt + iv, icv, aad + iv + text)
                    return text
                return mode.decrypt(salt + iv, text + icv, aad)
            except InvalidTag:
                raise Refused("ICV") from None
        if not hmac.compare_digest(icv, self._hmac(header, body[:-self.icv_size], sequence)):
            raise Refused("ICV")
        if self.encryption == "null":
            return text
        cipher = self._cipher(iv).decryptor()
        return cipher.update(text) + cipher.finalize()

    # ---- whole packets ---------------------------------------------------------

    def outer(self, esp, tos=0, identification=0, flags=0):
        """IP (and UDP) around an ESP packet."""
        protocol = 50
        source, destination = (ipaddress.ip_address(a).packed for a in (self.local, self.remote))
        if self.udp:
            protocol, size, sum_ = 17, 8 + len(esp), 0
            if is_v6(self.local):
                pseudo = source + destination + struct.pack("!II", size, 17)
                sum_ = checksum(pseudo + struct.pack("!4H", self.port, self.port, size, 0) + esp) or 0xffff
            esp = struct.pack("!4H", self.port, self.port, size, sum_) + esp
        if is_v6(self.local):
            return struct.pack("!IHBB", 6 << 28 | tos << 20, len(esp), protocol, 64) + source + destination + esp
        header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(esp), identification, flags, 64, protocol, 0)
        sum_ = checksum(header + source + destination)
        return header[:10] + struct.pack("!H", sum_) + source + destination + esp

    def seal(self, inner, sequence, tfc=0, extra_blocks=0, next_header=None):
        """An outer packet. tfc: zero bytes behind the inner packet; extra_blocks: more padding than needed."""
        payload = inner + bytes(tfc)
        padding = -(len(payload) + 2) % self.block + extra_blocks * self.block
        if next_header is None:
            next_header = NEXT_V6 if inner[0] >> 4 == 6 else NEXT_V4
        clear = payload + bytes(range(1, padding + 1)) + bytes([padding, next_header])
        body = self.transform(clear, sequence, os.urandom(self.iv_size))
        return self.outer(struct.pack("!II", self.spi, sequence & 0xffffffff) + body)

    def open(self, packet, high=0):
        """(inner packet, 64-bit number, IV) of an outer packet; every field of it is checked."""
        esp = self._unwrap(packet)
        spi, low = struct.unpack_from("!II", esp)
        if spi != self.spi:
            raise Refused(f"SPI {spi:#x}")
        sequence = high << 32 | low
        clear = self.inverse(esp[8:], sequence)
        padding, next_header = clear[-2], clear[-1]
        if clear[-2 - padding:-2] != bytes(range(1, padding + 1)):
            raise Refused("padding")
        if len(clear) % self.block or padding >= self.block:
            raise Refused("more padding than the block needs")
        inner = clear[:-2 - padding]
        if next_header != (NEXT_V6 if inner[0] >> 4 == 6 else NEXT_V4):
            raise Refused(f"next header {next_header}")
        return inner, sequence, esp[8:8 + self.iv_size]

    def _unwrap(self, packet):
        source, destination = (ipaddress.ip_address(a).packed for a in (self.local, self.remote))
        protocol = 17 if self.udp else 50
        if is_v6(self.local):
            if packet[0] >> 4 != 6 or packet[6] != protocol or packet[7] != 64 or packet[8:40] != source + destination:
                raise Refused("outer IPv6 header")
            if struct.unpack_from("!H", packet, 4)[0] != len(packet) - 40:
                raise Refused("outer IPv6 length")
            rest = packet[40:]
        else:
            if packet[0] != 0x45 or packet[8] != 64 or packet[9] != protocol or packet[12:20] != source + destination:
                raise Refused("outer IPv4 header")
            if struct.unpack_from("!H", packet, 2)[0] != len(packet) or checksum(packet[:20]):
                raise Refused("outer IPv4 length or checksum")
            rest = packet[20:]
        return self._unwrap_udp(rest, source + destination) if self.udp else rest

    def _unwrap_udp(self, datagram, addresses):
        source, destination, size, sum_ = struct.unpack_from("!4H", datagram)
        if (source, destination, size) != (self.port, self.port, len(datagram)):
            raise Refused("UDP header")
        if len(addresses) == 8 and sum_:
            raise Refused("UDP checksum over IPv4 (RFC 3948 section 2.1)")
        if len(addresses) == 32 and (sum_ == 0 or checksum(addresses + struct.pack("!II", size, 17) + datagram)):
            raise Refused("UDP checksum over IPv6")
        return datagram[8:]
