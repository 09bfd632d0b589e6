"""Strangers that begin IKE_SAs and end none: first messages of IKEv2 (RFC 7296), made by hand.

    crowd = Crowd(space, ["192.0.2.16", ...], "192.0.2.1")
    crowd.open(10)              # half-open IKE_SAs of each address; cookies are answered
    Spoofer(space, "192.0.2.1").send(["192.0.2.120", ...], 1000)   # nobody is there to answer
"""

import os
import select
import socket
import struct
import time

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PORT = 500
SA_INIT, INITIATOR, VERSION = 34, 0x08, 0x20
SA, KE, NONCE, NOTIFY = 33, 34, 40, 41
COOKIE = 16390
ECP384, AES_GCM_16, SHA384 = 20, 20, 6
HEADER = struct.Struct("!8s8sBBBBII")

# One point for all: a stranger need not know the secret.
POINT = ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(
    Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def _transform(kind, number, attributes=b"", last=False):
    return struct.pack("!BBHBBH", 0 if last else 3, 0, 8 + len(attributes), kind, 0, number) + attributes


def _proposal():
    transforms = (_transform(1, AES_GCM_16, struct.pack("!HH", 0x800e, 256)) + _transform(2, SHA384)
                  + _transform(4, ECP384, last=True))
    return struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 3) + transforms


def message(spi, cookie=None):
    """The first message of an initiator; spi: 8 bytes."""
    parts = [(NOTIFY, struct.pack("!BBH", 0, 0, COOKIE) + cookie)] if cookie else []
    parts += [(SA, _proposal()), (KE, struct.pack("!HH", ECP384, 0) + POINT), (NONCE, os.urandom(32))]
    kinds = [kind for kind, _ in parts] + [0]
    body = b"".join(struct.pack("!BBH", following, 0, 4 + len(data)) + data
                    for following, (_, data) in zip(kinds[1:], parts))
    return HEADER.pack(spi, bytes(8), kinds[0], VERSION, SA_INIT, INITIATOR, 0, HEADER.size + len(body)) + body


def cookie_of(answer):
    """The cookie that is asked for; None: another answer."""
    if len(answer) < HEADER.size + 8 or answer[16] != NOTIFY:
        return None
    _, _, size, _, _, kind = struct.unpack_from("!BBHBBH", answer, HEADER.size)
    return answer[HEADER.size + 8:HEADER.size + size] if kind == COOKIE else None


class Crowd:
    """Addresses that are really there."""

    def __init__(self, space, addresses, target):
        self.cookies = self.answered = 0
        self.socket = {}
        with space.entered():
            for address in addresses:
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.bind((address, PORT))
                s.connect((target, PORT))
                s.setblocking(False)
                self.socket[s.fileno()] = s

    def open(self, each, patience=20):
        """`each` half-open IKE_SAs of every address, one after the other; how many the target took."""
        for _ in range(each):
            wanted = {fd: os.urandom(8) for fd in self.socket}
            end = time.monotonic() + patience
            while wanted and time.monotonic() < end:
                for fd, spi in wanted.items():  # again, where the answer was lost
                    self.socket[fd].send(message(spi))
                self._answers(wanted, time.monotonic() + 1)
        return self.answered

    def _answers(self, wanted, end):
        while wanted and time.monotonic() < end:
            for fd in select.select(list(wanted), [], [], 0.1)[0]:
                if self._answer(self.socket[fd], wanted[fd]):
                    del wanted[fd]

    def _answer(self, s, spi):
        """True: the exchange is done."""
        answer = s.recv(65536)
        if answer[:8] != spi:
            return False
        cookie = cookie_of(answer)
        if cookie:
            self.cookies += 1
            s.send(message(spi, cookie))
            return False
        self.answered += answer[8:16] != bytes(8)
        return True

    def close(self):
        for s in self.socket.values():
            s.close()


class Spoofer:
    """Sends from addresses that are somebody else's, or nobody's."""

    def __init__(self, space, target):
        self.target = target
        with space.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, addresses, count, rate=1000):
        """`count` first messages, from one address after the other and ever new ports."""
        began = time.monotonic()
        for n in range(count):
            data = message(os.urandom(8))
            port = PORT if n < len(addresses) else 1024 + n % 60000
            udp = struct.pack("!4H", port, PORT, 8 + len(data), 0) + data
            source, target = (socket.inet_aton(a) for a in (addresses[n % len(addresses)], self.target))
            header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, source, target)
            self.socket.sendto(header + udp, (self.target, 0))
            time.sleep(max(0, began + n / rate - time.monotonic()))

    def close(self):
        self.socket.close()
