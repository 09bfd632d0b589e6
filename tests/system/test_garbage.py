#!/usr/bin/python3
"""Garbage on every port and socket: the daemon lives, the counters account for every frame, no buffer is lost."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import json
import random
import socket
import time

from lib import net, tap
from lib.appliance import Refused
from lib.tunnel import HOST, OUTER, SIDES, Tunnel

FRAMES = 20000


def raw(space, link):
    """A raw socket on a link of a namespace."""
    with space.entered():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.bind((link, 0))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        return s


def accounted(box):
    """(received, where they went): every packet a worker took in was sent, dropped by name, or given to control."""
    workers = box.ask("stats")["workers"]
    received = sum(w["rxPackets"] for w in workers)
    dropped = sum(row["packets"] for row in box.ask("drops"))
    return received, sum(w["txPackets"] for w in workers), dropped, sum(w["punted"] for w in workers)


def pool(box):
    """Free packet buffers."""
    status = box.ask("status")
    return status["packetBuffers"]["free"]


def throw(t, side, link, frames):
    """Send frames into a port of the left appliance; wait until all were taken or refused by its port."""
    space = t.host["left"] if link == "eth0" else t.box["right"].namespace
    before = accounted(t.box["left"])
    s = raw(space, link)
    sent = 0
    for number, frame in enumerate(frames):
        try:
            s.send(frame)
            sent += 1
        except OSError:
            pass  # longer than the link's MTU
        if number % 64 == 63:
            time.sleep(0.004)
    s.close()
    net.eventually(lambda: accounted(t.box["left"])[0] - before[0] >= sent * 0.99, 30,
                   what=f"{sent} frames arrive")
    return sent


def random_bytes():
    for _ in range(FRAMES):
        yield os.urandom(random.randint(14, 1514))


def mac_of(space, link):
    return bytes.fromhex(space.run("cat", f"/sys/class/net/{link}/address").stdout.strip().replace(":", ""))


def addressed(t, side):
    """Random payloads behind an Ethernet header that the appliance takes: IPv4, IPv6, ARP, VLAN, ESP, UDP 4500."""
    link = "hosts" if side == "hosts" else "wan"
    ether = mac_of(t.box["left"].namespace, link) + os.urandom(5) + b"\0"
    source, target = socket.inet_aton(HOST["left"][4]), socket.inet_aton(OUTER["left"][4])
    for number in range(FRAMES):
        junk = os.urandom(random.randint(0, 200))
        kind = number % 8
        if kind == 0:
            yield ether + b"\x08\x00" + junk
        elif kind == 1:
            yield ether + b"\x86\xdd" + b"\x60" + junk
        elif kind == 2:
            yield ether + b"\x08\x06" + junk
        elif kind == 3:
            yield ether + b"\x81\x00" + junk
        elif kind == 4:
            yield ether + b"\x08\x00" + ipv4(50, source, target, b"\0\0\x20\x01" + junk)
        elif kind == 5:
            udp = b"\x11\x94\x11\x94" + (8 + len(junk)).to_bytes(2, "big") + b"\0\0"
            yield ether + b"\x08\x00" + ipv4(17, source, target, udp + junk)
        elif kind == 6:
            # A valid IPv4 header with a random one behind: fragments, lengths and protocols of all kinds.
            packet = bytearray(ipv4(random.randint(0, 255), source, os.urandom(4), junk, os.urandom(2)))
            yield ether + b"\x08\x00" + bytes(packet[:random.randint(0, len(packet))])
        else:
            header = bytearray(b"\x60" + os.urandom(3) + len(junk).to_bytes(2, "big") + os.urandom(34))
            header[6] = random.choice((0, 6, 17, 43, 44, 50, 58, 59, 60, 255))
            yield ether + b"\x86\xdd" + bytes(header) + junk


def ipv4(protocol, source, target, payload, fragment=b"\0\0"):
    header = bytearray(b"\x45\0" + (20 + len(payload)).to_bytes(2, "big") + os.urandom(2) + fragment + b"\x40"
                       + bytes([protocol]) + b"\0\0" + source + target)
    total = sum(int.from_bytes(header[i:i + 2], "big") for i in range(0, 20, 2))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    header[10:12] = (total ^ 0xffff).to_bytes(2, "big")
    return bytes(header) + payload


def survives(t, side, link, frames):
    free = pool(t.box["left"])
    pid = t.box["left"].process.pid
    before = accounted(t.box["left"])
    throw(t, side, link, frames)
    time.sleep(6)  # waiting fragments and unresolved neighbours time out
    after = accounted(t.box["left"])
    assert t.box["left"].process.alive() and t.box["left"].process.pid == pid
    received = after[0] - before[0]
    sent, dropped, punted = (after[i] - before[i] for i in (1, 2, 3))
    # What the appliance says itself (ARP requests, ICMP errors, fragments) is sent without having been received.
    assert received <= sent + dropped + punted, (received, sent, dropped, punted, t.drops()["left"])
    net.eventually(lambda: pool(t.box["left"]) >= free - 64, 20,
                   what=f"the buffers come back: {free} before, {pool(t.box['left'])} now")
    for version in (4, 6):
        assert t.pings("left", version) == 5, t.drops()


# The control socket

def speak(box, data, wait=2):
    """Send bytes, return what comes back before the daemon closes or falls silent."""
    with box.connect() as s:
        s.settimeout(wait)
        answer = b""
        try:
            s.sendall(data)
            while b"\n" not in answer:
                piece = s.recv(65536)
                if not piece:
                    break
                answer += piece
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
        return answer


def garbage_on_the_control_socket(t):
    box = t.box["left"]
    for _ in range(200):
        answer = speak(box, os.urandom(random.randint(1, 3000)).replace(b"\n", b" ") + b"\n")
        assert b'"error"' in answer, answer
    assert box.ask("status")


def requests_of_every_wrong_kind(t):
    box = t.box["left"]
    wrong = ["null", "[]", "1", '"x"', "{}", '{"version": 2, "verb": "status"}', '{"version": 1}',
             '{"version": 1, "verb": "stat"}', '{"version": 1, "verb": 7}', '{"version": 1, "verb": "status", "x": 1}',
             '{"version": 1, "verb": "next-hop", "arguments": {}}',
             '{"version": 1, "verb": "next-hop", "arguments": {"subnet": "a/b", "source": "x", "destination": "y"}}',
             '{"version": 1, "verb": "status", "arguments": []}', "[" * 5000, '{"version": 1, "id": ' + "[" * 3000]
    for text in wrong:
        answer = speak(box, text.encode() + b"\n")
        assert "error" in json.loads(answer), (text[:60], answer)


def endless_request_is_cut(t):
    answer = speak(t.box["left"], b"x" * 1000000)
    assert b"error" in answer or answer == b"", answer
    assert t.box["left"].ask("status")


def mutated_requests(t):
    """Valid requests with bytes changed: an answer or an error, never silence, never the end."""
    box = t.box["left"]
    seed = b'{"version": 1, "id": 5, "verb": "ip-flow", "arguments": {"subnet": "left/hosts", "direction": "in", ' \
           b'"protocol": "TCP", "local": "10.1.1.4:80", "remote": "[fd00::4]:1"}}'
    for _ in range(1000):
        text = bytearray(seed)
        for _ in range(random.randint(1, 6)):
            text[random.randrange(len(text))] = random.choice(b'{}[]":,0123456789aeflnrstu \\\x00\x7f\xff')
        assert speak(box, bytes(text).replace(b"\n", b" ") + b"\n"), bytes(text)


def silent_clients_do_not_shut_others_out(t):
    """More connections than there is room for, half a request on each: the daemon still answers in time."""
    box = t.box["left"]
    held = []
    try:
        for _ in range(100):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.setblocking(False)
            try:
                s.connect(box.socket_path)
                s.send(b'{"version": 1,')
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
            held.append(s)

        def answered():
            try:
                return box.ask("status")
            except (OSError, EOFError, Refused, ValueError):
                return None
        net.eventually(answered, 60, 0.5, what="an answer in spite of idle clients")
    finally:
        for s in held:
            s.close()
    assert t.pings("left") == 5


def apply_of_garbage_files(t):
    box = t.box["left"]
    path = os.path.join(box.folder, "junk")
    for number in range(60):
        with open(path, "wb") as file:
            file.write(os.urandom(random.randint(0, 5000)) if number % 2 else
                       bytes(random.choice(b"{}[]:,-& *!|>'\"%@ \n\tab01") for _ in range(random.randint(1, 400))))
        try:
            box.ask("apply", file=path)
            raise AssertionError("accepted")
        except Refused:
            pass
    for path in ("/dev/zero", "/dev/null", "/", "/nonexistent", "/proc/self/mem", "/etc/shadow"):
        try:
            box.ask("apply", file=path)
            raise AssertionError(f"accepted {path}")
        except Refused:
            pass
    assert t.pings("left") == 5


def main():
    net.signals_raise()
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"# SEED={seed}")
    random.seed(seed)
    t = Tunnel()
    try:
        for side in SIDES:
            assert t.pings(side) == 5
        tap.add("random bytes on a subnet's port", lambda: survives(t, "hosts", "eth0", random_bytes()))
        tap.add("random bytes on the uplink", lambda: survives(t, "wan", "wan", random_bytes()))
        tap.add("broken packets on a subnet's port", lambda: survives(t, "hosts", "eth0", addressed(t, "hosts")))
        tap.add("broken packets on the uplink", lambda: survives(t, "wan", "wan", addressed(t, "wan")))
        for story in (garbage_on_the_control_socket, requests_of_every_wrong_kind, endless_request_is_cut,
                      mutated_requests, silent_clients_do_not_shut_others_out, apply_of_garbage_files):
            tap.add(story.__name__, story, t)
        tap.main()
    finally:
        t.close()


main()
