#!/usr/bin/python3
"""Our ESP engine against the reference: what one seals the other opens, over every kind of SA."""

import itertools
import os
import random
import struct
import subprocess
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from esp_reference import ENCRYPTIONS, INTEGRITIES, NEXT_DUMMY, Refused, Sa, checksum, is_combined, salt_size
from lib import tap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("ISTHMUS_BUILD", os.path.join(ROOT, "build"))
ENDS = {4: ("192.0.2.1", "198.51.100.2"), 6: ("2001:db8:1::1", "2001:db8:2::2")}
LENGTHS = (40, 41, 63, 64, 65, 127, 300, 1400)

chance = random.Random(20)


class Engine:
    """The tool, one line at a time."""

    def __init__(self):
        self.process = subprocess.Popen([os.path.join(BUILD, "tests", "interop", "esp_tool")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        if self.process.wait(30) != 0:
            raise AssertionError(f"the tool ended with {self.process.returncode}")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        while True:
            answer = self.process.stdout.readline()
            if not answer:
                raise AssertionError(f"the tool died at: {line[:100]}")
            if not answer.startswith("EAL"):
                return answer.split()

    def take(self, sa, first=1, window=1024):
        answer = self.ask(f"sa {sa.encryption} {sa.integrity} {sa.key.hex() or '-'} {sa.auth_key.hex() or '-'} {sa.spi:x} "
                          f"{sa.esn:d} {sa.udp:d} {sa.local} {sa.remote} {first} {window}")
        assert answer == ["ok"], answer

    def seal(self, inner):
        verdict, data = self.ask("seal " + inner.hex())
        assert verdict == "sealed", (verdict, data)
        return bytes.fromhex(data)

    def open(self, outer):
        verdict, data = self.ask("open " + outer.hex())
        assert verdict == "opened", (verdict, data)
        return bytes.fromhex(data)

    def refuses(self, outer, reason):
        verdict, data = self.ask("open " + outer.hex())
        assert (verdict, data) == ("dropped", reason), (verdict, data)


def inner_packet(family, size):
    """A UDP packet of random bytes."""
    payload = chance.randbytes(size - (48 if family == 6 else 28)) if size >= 48 else b""
    udp = struct.pack("!4H", 7, 9, 8 + len(payload), 0) + payload
    if family == 6:
        return struct.pack("!IHBB", 6 << 28 | 0x2e << 20, len(udp), 17, 60) + chance.randbytes(32) + udp
    header = struct.pack("!BBHHHBBH", 0x45, 0xb8, 20 + len(udp), 9, 0, 60, 17, 0) + b"\x0a\1\0\5\x0a\2\0\7"
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + udp


def sa_of(encryption, integrity, outer=4, esn=False, udp=False):
    return Sa(encryption, integrity, chance.randbytes(ENCRYPTIONS[encryption][0] + salt_size(encryption)),
              b"" if integrity == "none" else chance.randbytes(INTEGRITIES[integrity][1]), chance.randrange(256, 1 << 32),
              *ENDS[outer], esn, udp)


def both_ways(engine, sa, first):
    number = first
    for size, family in itertools.product(LENGTHS, (4, 6)):
        inner = inner_packet(family, max(size, 48 if family == 6 else 28))
        outer = engine.seal(inner)
        opened, sequence, iv = sa.open(outer, number >> 32)
        assert opened == inner, "the reference opened something else"
        assert sequence == number, (sequence, number)
        assert not salt_size(sa.encryption) or int.from_bytes(iv, "big") == number
        assert engine.open(outer) == inner
        number += 1
        # now the other way, with what only a peer does: TFC padding and more padding than needed
        tfc, extra = chance.choice(((0, 0), (chance.randrange(200), 0), (0, chance.randrange(240 // sa.block))))
        assert engine.open(sa.seal(inner, number, tfc, extra)) == inner
        # the tool's own counter goes on too, so that both ends stay together
        engine.seal(inner)
        number += 1


def kind(encryption, integrity):
    with Engine() as engine:
        for outer, esn, udp in itertools.product((4, 6), (False, True), (False, True)):
            sa = sa_of(encryption, integrity, outer, esn, udp)
            firsts = (1, (1 << 32) - 11, (77 << 32) + 5) if esn else (1, (1 << 32) - 200)
            for first in firsts:
                engine.take(sa, first)
                both_ways(engine, sa, first)


for name in ENCRYPTIONS:
    if is_combined(name):
        tap.add(name, kind, name, "none")
    else:
        for check in INTEGRITIES:
            tap.add(f"{name} {check}", kind, name, check)


@tap.case
def wrong_high_half_is_refused():
    """With ESN the number behind the number matters: 2^32 apart is another packet."""
    with Engine() as engine:
        for encryption, integrity in (("aes-gcm-128", "none"), ("aes-gmac-256", "none"), ("aes-cbc-128", "sha256-128"),
                                      ("null", "sha1-96")):
            sa = sa_of(encryption, integrity, esn=True)
            engine.take(sa, 1)
            engine.refuses(sa.seal(inner_packet(4, 100), (1 << 32) + 1), "esp-authentication")
            engine.open(sa.seal(inner_packet(4, 100), 1))


@tap.case
def reference_refuses_a_flip():
    """The reference is no yes-man."""
    with Engine() as engine:
        sa = sa_of("aes-cbc-256", "sha512-256")
        engine.take(sa, 1)
        outer = engine.seal(inner_packet(4, 200))
        for _ in range(200):
            spoiled = bytearray(outer)
            spoiled[chance.randrange(len(outer))] ^= 1 << chance.randrange(8)
            if spoiled[4:6] != outer[4:6] or spoiled[1] != outer[1]:
                continue  # identification and TOS: the checksum notices, below
            try:
                sa.open(bytes(spoiled))
            except Refused:
                continue
            raise AssertionError("the reference opened a spoiled packet")


@tap.case
def dummies_are_discarded():
    with Engine() as engine:
        sa = sa_of("aes-gcm-256", "none")
        engine.take(sa, 1)
        engine.refuses(sa.seal(chance.randbytes(100), 1, next_header=NEXT_DUMMY), "esp-dummy")
        engine.refuses(sa.seal(inner_packet(4, 100), 2, next_header=6), "esp-next-header")
        engine.refuses(sa.seal(inner_packet(4, 100), 2), "esp-replay")


tap.main()
