#!/usr/bin/python3
"""Every kind of port that runs without a NIC: what goes in comes out, and nothing stays behind.

Two hosts A and B, each on a cable to a namespace X, where port_bridge ties two ports together. The hosts' cables keep
all their offloads, so unfinished checksums and 64 KB segments arrive as a local kernel sends them.
"""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time

from lib import net, tap
from lib.bridge import BRIDGE, Bridge, lab, link_state, pings, tcp
from lib.tap import case

def steer_programs():
    done = net.run(["bpftool", "prog", "list"])
    return sum(" name steer " in line for line in done.stdout.splitlines())


def carries(first, second, workers=1, prepare=""):
    """The whole road for one pair of ports on x0 and x1. prepare: a command inside A before."""
    with lab() as (a, x, b):
        a.sh(prepare or "true")
        before = link_state(x, "x0"), link_state(x, "x1")
        with Bridge(x, first, second, workers) as bridge:
            pings(a)
            pings(a, "fd09::2")
            tcp(a, b)
            tcp(b, a, 5, "[fd09::1]")
            bridge.end()
            stats = bridge.stats(0)
            assert stats["rx"] > 5000 and stats["link"] == 1, stats
            assert stats["rx_errors"] == stats["tx_errors"] == stats["rx_nombuf"] == 0, stats
            assert bridge.stats(1)["tx"] == stats["rx"], "a packet vanished without a count"
            text = bridge.output()
        assert (link_state(x, "x0"), link_state(x, "x1")) == before
        assert not x.run("ls", "/run", "/var/run/dpdk", check=False).stdout.count("isthmus-bridge")
        return text


@case
def af_packet():
    carries("af_packet:if=x0", "af_packet:if=x1")


@case
def af_packet_two_queues():
    text = carries("af_packet:if=x0", "af_packet:if=x1", workers=2)
    assert text.count("rx_queues=2 tx_queues=2 rss=1") == 2, text


ESP = """
import socket, struct, sys
to = sys.argv[1]
s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_RAW, 50)
for number in range(128):
    s.sendto(struct.pack("!II40xH", 0x1000 + number // 2, number, 3000 + number // 2), (to, 0))
"""


@case
def af_packet_spreads_a_tunnel_by_its_spis():
    """All between two addresses: each SA comes to one worker, many SAs to both, in either family."""
    for to in ("10.9.0.2", "fd09::2"):
        with lab() as (a, x, _):
            with Bridge(x, "af_packet:if=x0", "af_packet:if=x1", 2, PORT_BRIDGE_SPREAD="1") as bridge:
                pings(a, to)
                a.run("python3", "-c", ESP, to)
                bridge.end()
                flows = [int(n) for n in re.findall(r"worker \d flows=(\d+)", bridge.output())]
                several = int(re.search(r"several flows=(\d+)", bridge.output()).group(1))
                # Beside the 64 there are ARP, ND and echo, a few more where the machine is busy.
                assert min(flows) > 20 and 64 <= sum(flows) < 88 and several < 12, bridge.output()


@case
def af_xdp_in_driver_mode():
    programs = steer_programs()
    text = carries("af_xdp:if=x0", "af_xdp:if=x1")
    assert text.count("XDP in driver mode") == 2, text
    assert steer_programs() == programs, "an XDP program stayed behind"


@case
def af_xdp_in_generic_mode():
    # Only the driver mode keeps a veth's other end from sending segments larger than any frame.
    text = carries("af_xdp:if=x0,skb=1", "af_packet:if=x1", prepare="ethtool -K a0 gso off tso off")
    assert "XDP in generic mode, copying" in text, text


@case
def af_xdp_two_workers_one_queue():
    text = carries("af_xdp:if=x0", "af_xdp:if=x1", workers=2)
    assert text.count("rx_queues=1 tx_queues=1 rss=0") == 2, text


@case
def af_xdp_serves_every_queue_of_the_interface():
    """Two receive queues, first for one worker, then for two; the sender spreads over them."""
    for workers in (1, 2):
        with lab() as (a, x, b):
            a.ip("link del a0")
            net.run(["ip", "link", "add", "a0", "netns", str(a.pid), "numtxqueues", "2", "numrxqueues", "2", "type", "veth",
                     "peer", "name", "x0", "netns", str(x.pid), "numtxqueues", "2", "numrxqueues", "2"])
            a.ip("link set a0 up")
            a.address("a0", "10.9.0.1/24")
            with Bridge(x, "af_xdp:if=x0", "af_packet:if=x1", workers, PORT_BRIDGE_SPREAD="1") as bridge:
                pings(a)
                tcp(a, b, 5)
                # Flows of different ports take different queues of the veth.
                a.sh("for p in $(seq 2000 2063); do echo $p | socat -u - UDP:10.9.0.2:$p; done")
                bridge.end()
                assert bridge.caps(0)["rx_queues"] == str(workers)
                assert bridge.stats(0)["rx_errors"] == bridge.stats(0)["rx_missed"] == 0
                flows = [int(n) for n in re.findall(r"worker \d flows=(\d+)", bridge.output())]
                assert min(flows) > 10, f"a queue was not served: {flows}"


@case
def af_xdp_shares_the_interface_with_the_kernel():
    with lab() as (a, x, b):
        x.address("x0", "10.9.0.7/24")
        x.sh("sysctl -qw net.ipv6.conf.x0.disable_ipv6=0")
        x.address("x0", "fd09::7/64")
        with Bridge(x, "af_xdp:if=x0,steer=10.9.0.2,steer=fd09::2", "af_packet:if=x1") as bridge:
            for number in (2, 7):    # ARP, ND and echo: the steered addresses' go through, the kernel keeps its own
                pings(a, f"10.9.0.{number}")
                pings(a, f"fd09::{number}")
            # Fragments go where their packet goes.
            pings(a, options=("-s", "4000"))
            pings(a, "fd09::2", options=("-s", "4000"))
            # TCP to the steered address is not ours to serve, ESP and UDP 4500 are.
            for protocol, port, passes in ((50, 0, True), (17, 4500, True), (17, 500, False), (17, 53, False),
                                           (6, 443, False)):
                count = len(passed(a, b, protocol, port))
                assert count == (5 if passes else 0), f"protocol {protocol} port {port}: {count} passed"
            # Later fragments name no port: all of UDP's are ours, or a packet would be torn apart.
            assert len(passed(a, b, 17, 4500, more=3000)) == 15
            bridge.end()


def passed(a, b, protocol, port, more=0):
    """Frames of a protocol that reach B when A sends five of them to 10.9.0.2."""
    with b.entered():
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    ear.bind(("b0", 3))
    ear.settimeout(0.3)
    with a.entered():
        mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    header = b"\x30\x39" + port.to_bytes(2, "big") + (b"\0\x1c\0\0" if protocol == 17 else b"\0" * 12) + \
        b"\0" * (20 + more)
    found = []
    with ear, mouth:
        for _ in range(5):
            mouth.sendto(header, ("10.9.0.2", 0))
        with contextlib.suppress(TimeoutError):
            while True:
                frame = ear.recv(2000)
                if frame[12:14] == b"\x08\x00" and frame[23] == protocol and frame[30:34] == b"\x0a\x09\x00\x02":
                    found.append(frame)
    return found


@case
def tap_port():
    with lab() as (a, x, _):
        with Bridge(x, "tap:if=t0", "af_packet:if=x0") as bridge:
            x.address("t0", "10.9.0.8/24", "fd09::8/64")
            pings(a, "10.9.0.8")
            pings(a, "fd09::8")
            tcp(a, x, 10, "10.9.0.8")
            mac = re.search(r"ether (\S+)", x.run("ip", "link", "show", "t0").stdout).group(1)
            assert mac != bridge.caps(0)["mac"], "the port and the kernel's end have one address"
            bridge.end()
        assert "t0" not in x.run("ip", "-o", "link").stdout


@case
def tap_port_two_queues_jumbo():
    with lab(mtu=9000) as (a, x, _):
        with Bridge(x, "tap:if=t0,mtu=9000", "af_packet:if=x0,mtu=9000", workers=2) as bridge:
            x.address("t0", "10.9.0.8/24")
            pings(a, "10.9.0.8", options=("-s", "8972", "-M", "do"))
            assert bridge.caps(0)["rss"] == "0" and bridge.caps(0)["rx_queues"] == "2"
            bridge.end()


def pcap_file(path, frames):
    with open(path, "wb") as file:
        file.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
        for frame in frames:
            file.write(b"\0" * 8 + len(frame).to_bytes(4, "little") * 2 + frame)


def pcap_frames(path):
    with open(path, "rb") as file:
        data = file.read()[24:]
    frames = []
    while data:
        length = int.from_bytes(data[8:12], "little")
        frames.append(data[16:16 + length])
        data = data[16 + length:]
    return frames


@case
def pcap_files():
    """From file to wire, and from wire to file, byte for byte."""
    some = random.Random(1)
    frames = [b"\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5" + some.randbytes(length) for length in [46, 500, 1500] * 20]
    with lab() as (_, x, b), tempfile.TemporaryDirectory(prefix="isthmus-ports-") as folder:
        pcap_file(f"{folder}/in.pcap", frames)
        with b.entered():
            ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
            ear.bind(("b0", 0x88b5))
            ear.settimeout(5)
        with ear, Bridge(x, f"pcap:rx={folder}/in.pcap,tx={folder}/out.pcap", "af_packet:if=x1") as bridge:
            heard = [ear.recv(2000) for _ in frames]
            with b.entered():
                mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            with mouth:
                for frame in frames:
                    mouth.sendto(frame, ("b0", 0))
            time.sleep(0.5)
            bridge.end()
        assert heard == frames
        written = [f for f in pcap_frames(f"{folder}/out.pcap") if f[12:14] == b"\x88\xb5"]
        assert written == frames


@case
def null_swallows():
    with lab() as (a, x, _):
        with Bridge(x, "af_packet:if=x0", "null:") as bridge:
            a.run("arp", "-s", "10.9.0.2", "02:00:00:00:00:02", check=False)
            a.ip("neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev a0")
            assert a.ping("10.9.0.2", count=50, interval=0.01, wait=1) == 0
            bridge.end()
            assert bridge.stats(1)["tx"] == bridge.stats(0)["rx"] >= 50


@case
def vlan_tags_stay_in_the_frame():
    """One tag and two: the kernel takes the outer one off for packet sockets, the port puts it back."""
    some = random.Random(4)
    ends, tags = b"\2\0\0\0\0\2\2\0\0\0\0\1", (b"\x81\0\x00\x64", b"\x81\0\xe0\x01", b"\x88\xa8\0\7\x81\0\0\x65")
    frames = [ends + tag + b"\x88\xb5" + some.randbytes(length) for tag in tags for length in (60, 1400)]
    for kind in ("af_packet", "af_xdp"):
        with lab() as (a, x, _), tempfile.TemporaryDirectory(prefix="isthmus-ports-") as folder:
            with Bridge(x, f"{kind}:if=x0", f"pcap:tx={folder}/out.pcap") as bridge:
                with a.entered():
                    mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                with mouth:
                    for frame in frames:
                        mouth.sendto(frame, ("a0", 0))
                time.sleep(0.3)
                bridge.end()
            got = [f for f in pcap_frames(f"{folder}/out.pcap") if f.startswith(ends)]
            assert got == frames, f"{kind}: {[f[12:24].hex() for f in got]}"


@case
def jumbo_frames():
    with lab(mtu=9000) as (a, x, b):
        with Bridge(x, "af_packet:if=x0,mtu=9000", "af_packet:if=x1,mtu=9000") as bridge:
            pings(a, options=("-s", "8972", "-M", "do"))
            tcp(a, b, 10)
            bridge.end()


@case
def frames_beyond_the_mtu_are_counted():
    with lab(mtu=9000) as (a, x, _):
        with Bridge(x, "af_packet:if=x0,mtu=9000", "af_packet:if=x1,mtu=1500") as bridge:
            pings(a)
            assert a.ping("10.9.0.2", count=10, interval=0.01, wait=1, options=("-s", "4000", "-M", "do")) == 0
            bridge.end()
            assert bridge.stats(1)["tx_errors"] == 10, bridge.output()
            assert bridge.stats(0)["rx_errors"] == 0


@case
def flows_reach_one_worker_both_ways():
    """Random flows in both directions, IPv4 and IPv6, TCP, UDP, ESP and fragments: none is seen by two workers."""
    from scapy.all import IP, IPv6, TCP, UDP, Ether, Raw  # pylint: disable=import-outside-toplevel,no-name-in-module
    some = random.Random(2)

    def frames(number):
        kind, ports = number % 5, (some.randrange(1024, 65536), some.randrange(1, 1024))
        v6, tail = some.random() < 0.5, Raw(some.randbytes(60) + number.to_bytes(2, "big"))
        ends = [f"fd09::{some.randrange(1, 65536):x}" if v6 else f"10.9.{some.randrange(256)}.{some.randrange(1, 255)}"
                for _ in range(2)]
        for back in (False, True):
            src, dst = reversed(ends) if back else ends
            sport, dport = reversed(ports) if back else ports
            # A flow label one way only: the kernel's hash would part the directions.
            ip = IPv6(src=src, dst=dst, fl=0 if back else 77) if v6 else IP(src=src, dst=dst)
            if kind == 0:
                yield ip / UDP(sport=sport, dport=dport) / tail
            elif kind == 1:
                yield ip / TCP(sport=sport, dport=dport, options=[("NOP", None)] * 4) / tail
            elif kind == 2:
                ip.nh, ip.proto = (50, None) if v6 else (None, 50)
                yield ip / tail
            elif v6:
                yield ip / UDP(sport=sport, dport=dport) / tail
            else:
                for flags, offset in (("MF", 0), (0, 8)):
                    yield IP(src=src, dst=dst, flags=flags, frag=offset, proto=17) / \
                        Raw(sport.to_bytes(2, "big") + dport.to_bytes(2, "big")) / tail

    with lab() as (a, x, b):
        with Bridge(x, "af_packet:if=x0", "af_packet:if=x1", workers=2, PORT_BRIDGE_SPREAD="1") as bridge:
            mouths = []
            for space, link in ((a, "a0"), (b, "b0")):
                with space.entered():
                    mouths.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
                mouths[-1].bind((link, 0))
            for number in range(1, 1001):
                for frame in frames(number):
                    raw = bytes(Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") / frame)
                    some.choice(mouths).send(raw)
            for mouth in mouths:
                mouth.close()
            time.sleep(0.3)
            bridge.end()
            counts = [int(n) for n in re.findall(r"flows=(\d+)", bridge.output())]
            assert sum(counts[:2]) >= 1000 and min(counts[:2]) > 300, f"badly spread: {counts}"
            # What the namespaces' kernels say by themselves (MLD, ND) ends in any two bytes.
            assert counts[2] <= 4, f"{counts[2]} flows were seen by both workers"


@case
def killed_ports_leave_nothing():
    programs = steer_programs()
    with lab() as (a, x, _):
        before = [fact for fact in link_state(x, "x1")[0] if "mtu" in fact or "promisc" in fact]
        for first, second in (("tap:if=t0", "af_packet:if=x1"), ("tap:if=t0", "af_xdp:if=x1")):
            with Bridge(x, first, second) as bridge:
                assert "t0" in x.run("ip", "-o", "link").stdout
                bridge.end(signal.SIGKILL)
            net.eventually(lambda: "t0" not in x.run("ip", "-o", "link").stdout, what="the TAP goes")
            state = link_state(x, "x1")[0]
            assert [fact for fact in state if "mtu" in fact or "promisc" in fact] == before
            assert not any("xdp" in fact for fact in state), state
        # The next start finds the dead process's run-time directory and removes it.
        with Bridge(x, "tap:if=t0", "af_xdp:if=x0") as bridge:
            bridge.end()
        assert not [name for name in os.listdir("/var/run/dpdk") if dead_directory(name)] \
            if os.path.isdir("/var/run/dpdk") else True
        assert a.pid
    net.eventually(lambda: steer_programs() == programs, what="the XDP programs go")


def dead_directory(name):
    found = re.fullmatch(r"isthmus-bridge-(\d+)", name)
    return found and not os.path.exists(f"/proc/{found.group(1)}")


@case
def refusals_are_clear():
    with lab() as (_, x, _b):
        for first, why in (
                ("af_packet:if=none", "port af_packet (af_packet): interface 'none': No such device"),
                ("af_xdp:if=x0,mtu=9000", "mtu 9000: a frame of AF_XDP holds 3818 at most"),
                ("tap:if=x0", "interface 'x0' cannot be made"),
                ("pci:address=ff:1f.7", "there is no PCI device 0000:ff:1f.7"),
                ("memif:path=/nowhere/s,server=1", "folder '/nowhere/' cannot be written to"),
                ("virtio_user:path=/run/s,server=1", "cannot serve"),
                ("pcap:rx=/nowhere", "'/nowhere' cannot be read")):
            done = x.run(BRIDGE, "1", "1", first, "null:", check=False)
            assert done.returncode == 2 and why in done.stdout, f"{first}: {done.stdout}{done.stderr}"


@case
def an_interface_with_a_foreign_xdp_program_is_refused():
    with lab() as (_, x, _b), Bridge(x, "af_xdp:if=x0", "null:"):
        done = x.run(BRIDGE, "1", "1", "af_xdp:if=x0", "null:", check=False)
        assert done.returncode == 2 and "x0" in done.stdout, done.stdout


def garbage(first, second):
    """Random bytes of every length at both ends: no crash, no lost buffer, every frame counted."""
    some = random.Random(3)
    with lab() as (a, x, b):
        with Bridge(x, first, second, workers=2) as bridge:
            for space, link in ((a, "a0"), (b, "b0")):
                with space.entered():
                    mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                mouth.bind((link, 0))
                with mouth:
                    for _ in range(20000):
                        frame = bytearray(some.randbytes(some.randrange(14, 1514)))
                        frame[12:14] = some.choice([b"\x08\0", b"\x86\xdd", b"\x81\0", b"\x08\x06", frame[12:14]])
                        with contextlib.suppress(OSError):
                            mouth.send(frame)
            bridge.end()
            ports = bridge.stats(0), bridge.stats(1)
            assert ports[0]["rx"] + ports[1]["rx"] > 15000, ports


for kind in ("af_packet:if={}", "af_xdp:if={}"):
    tap.add("garbage_" + kind.split(":", maxsplit=1)[0], garbage, kind.format("x0"), kind.format("x1"))


if __name__ == "__main__":
    net.signals_raise()
    assert subprocess.run([BRIDGE], check=False).returncode == 64, f"{BRIDGE} is not built"
    tap.main()
