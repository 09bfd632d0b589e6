#!/usr/bin/python3
"""Writes the seeds of fuzz_ike_link (tests/fuzz/corpus/ike_link): short lives of a charon, step by step, and records
as the plugin packs them. Run it when the protocol or the steps have changed."""

import os
import struct
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import ike_protocol as p  # noqa: E402 # pylint: disable=wrong-import-position

FOLDER = os.path.join(ROOT, "tests", "fuzz", "corpus", "ike_link")
US, PEER = p.Address("192.0.2.1"), p.Address("198.51.100.1")
NET, FAR = p.Selector("10.1.0.0", "10.1.255.255"), p.Selector("172.16.1.0", "172.16.1.255")

# Steps of fuzz_ike_link.c, by their numbers.
HELLO, OTHER_HELLO, SYNCED, FLUSH = [9, 0x14], [9, 0x24], [9, 0], [9, 2]
GET, SEEN, AWAY, BIND = [1], [10, 0], [14], [15]


def add(flags, who, spi, source, destination, algorithm=0, lives=0):
    return [2, flags, who, algorithm, lives, spi, source, destination]


IN, OUT = add(1, 0, 8, 6, 0), add(0, 0, 2, 0, 6)
PAIR = HELLO + SYNCED + GET + IN + OUT + SEEN
SEEDS = {
    "pair": PAIR + [5, 1, 0, 8, 5, 0, 0, 2] + SEEN,
    "twice": PAIR + add(1, 12, 8, 6, 0) + SEEN,
    "rekey": PAIR + GET + add(1, 0, 9, 6, 0) + add(0, 0, 3, 0, 6) + [8, 0x21, 0, 2] + SEEN + [5, 0, 0, 2] + SEEN,
    "wide": HELLO + SYNCED + [step for spi in (2, 3, 4) for step in add(0, 1, spi, 0, 6)] + SEEN,
    "clients": HELLO + SYNCED + GET + add(1, 2, 8, 1, 0) + add(0, 2, 2, 0, 1) + add(0, 0x42, 3, 0, 4) + SEEN,
    "move": PAIR + [4, 2, 0, 0x41, 2] + SEEN + [6, 0, 4, 2],
    "lives": HELLO + SYNCED + add(0, 0, 2, 0, 6, 0, 0x1f) + SEEN + [11, 20, 12, 8, 0, 2, 11, 40],
    "away": PAIR + AWAY + [12, 8, 0, 2] + HELLO + add(0x80, 0, 2, 0, 6) + SYNCED + SEEN,
    "another": PAIR + OTHER_HELLO + SYNCED + SEEN + [11, 61] + SEEN,
    "trap": HELLO + SYNCED + [7, 0x41, 0, 0, 6, 13, 0, 6, 7, 0xc1, 0, 0, 6] + BIND + FLUSH,
    "notices": HELLO + SYNCED + [8, 0x11, 0, 1, 8, 0x20, 0, 2, 8, 5, 4, 0, 8, 2, 2, 0],
}


def raw(*records):
    return b"".join(struct.pack("<BH", 0, len(record)) + record for record in records)


def main():
    spi = p.SaId(0xcafe0000, 0, US, PEER)
    sa = {"id": spi, "reqid": 1, "flags": p.ESN, "encryption": 20, "integrity": 1024, "encryption_key": bytes(36),
          "integrity_key": b"", "replay_window": 64, "soft_deadline_ns": 0, "hard_deadline_ns": 0, "soft_bytes": 0,
          "hard_bytes": 0, "soft_packets": 0, "hard_packets": 0, "ike_unique": 1, "ike_name": "site", "peer": "x",
          "source": [NET], "destination": [FAR]}
    policy = {"dir": p.POLICY_OUT, "type": p.POLICY_IPSEC, "replayed": 0, "trap": 1, "priority": 0, "reqid": 1,
              "if_id": 0, "spi": 0, "source": NET, "destination": FAR}
    seeds = {name: bytes(steps) for name, steps in SEEDS.items()}
    seeds["records"] = raw(p.hello(), p.record(p.SYNCED, serial=1), p.spi_get(2, PEER, US), p.sa_add(3, sa),
                           p.sa_update(4, spi, US, PEER, 2, 1), p.of_sa(p.SA_QUERY, 5, spi),
                           p.policy(p.POLICY_ADD, 6, policy)) + bytes(SEEN)
    seeds["foreign"] = raw(p.hello(running="6.0.0"), p.hello(version=2), p.welcome(1), b"x")
    os.makedirs(FOLDER, exist_ok=True)
    for name, data in seeds.items():
        with open(os.path.join(FOLDER, name), "wb") as file:
            file.write(data)


main()
