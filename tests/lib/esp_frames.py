"""ESP in a recording: numbers and what they protect, of frames as tcpdump writes them."""

import collections
import struct

RECORD = struct.Struct("<4I")
ETHERNET = struct.Struct("!12xH")
IPV4, IPV6, ESP, UDP, NAT_T = 0x0800, 0x86dd, 50, 17, 4500


def frames(path):
    """Each frame of a pcap file, as far as it was recorded."""
    with open(path, "rb") as file:
        data = file.read()
    at = 24
    while at + RECORD.size <= len(data):
        size = RECORD.unpack_from(data, at)[2]
        at += RECORD.size
        yield data[at:at + size]
        at += size


def esp(frame):
    """(destination, SPI, number, the bytes behind) or None: another packet."""
    kind = ETHERNET.unpack_from(frame)[0]
    if kind == IPV4:
        protocol, target, packet = frame[23], frame[30:34], frame[14 + 4 * (frame[14] & 15):]
    elif kind == IPV6:
        protocol, target, packet = frame[20], frame[38:54], frame[54:]
    else:
        return None
    if protocol == UDP and NAT_T in struct.unpack_from("!2H", packet):
        packet = packet[8:]
    elif protocol != ESP:
        return None
    if len(packet) < 8 or packet[:4] == bytes(4):
        return None  # a keepalive, or IKE behind the non-ESP marker
    return (target, *struct.unpack_from("!2I", packet), packet[8:])


class Seen:
    """Every ESP packet of some recordings."""

    def __init__(self, paths):
        self.numbers = collections.defaultdict(list)  # (destination, SPI): numbers in their order
        self.again = []  # (SPI, number) that protects two contents: under GCM, the end of secrecy
        content = {}
        for path in paths:
            for packet in filter(None, map(esp, frames(path))):
                target, spi, number, rest = packet
                self.numbers[target, spi].append(number)
                if content.setdefault((target, spi, number), rest) != rest:
                    self.again.append((hex(spi), number))

    def falls(self):
        """(SPI, number, the one before) where numbering went back."""
        return [(hex(spi), after, before) for (_, spi), numbers in self.numbers.items()
                for before, after in zip(numbers, numbers[1:]) if after <= before]

    def jumps(self, least=1000):
        """How often numbering went forward by so much."""
        return sum(after - before >= least for numbers in self.numbers.values()
                   for before, after in zip(numbers, numbers[1:]))
