#!/usr/bin/python3
"""Two appliances, kernels behind them: TCP, sizes and errors through the tunnel, and nothing in clear."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net, tap
from lib.capture import Capture
from lib.stream import Stream
from lib.tunnel import HOST, OUTER, SIDES, Tunnel, config, other

NAT_T = {"localPort": 4500, "remotePort": 4500}


def both_families_both_ways(t):
    for side in SIDES:
        for version in (4, 6):
            assert t.pings(side, version) == 5, (side, version, t.drops())


def transfer(t, side, version, port, size=2000000):
    """Bytes that arrived of a TCP transfer from the host behind `side`."""
    target = t.host[other(side)]
    got = os.path.join(t.box[side].folder, f"got{port}")
    listener = target.start("socat", "-u", f"TCP{version}-LISTEN:{port},reuseaddr", f"CREATE:{got}")
    net.eventually(lambda: f":{port} " in target.run("ss", "-ltn").stdout, what="the listener")
    address = HOST[other(side)][version]
    address = f"[{address}]" if version == 6 else address
    t.host[side].sh(f"head -c {size} /dev/zero | socat -u - TCP{version}:{address}:{port}")
    net.eventually(lambda: not listener.alive(), 20, what="the end of the transfer")
    return os.path.getsize(got)


def tcp_moves_data(t):
    port = 9100
    for side in SIDES:
        for version in (4, 6):
            port += 1
            assert transfer(t, side, version, port) == 2000000


def forget_path_mtu(t):
    for side in SIDES:
        t.host[side].sh("ip route flush cache; ip -6 route flush cache")


def mss_is_clamped(t):
    """The SYN that arrives offers no more than what the tunnel carries in one piece; so no error is ever needed."""
    forget_path_mtu(t)
    before = t.drops()["left"].get("mtu-exceeded", 0)
    capture = os.path.join(t.box["right"].folder, "syn.log")
    for version, port in ((4, 9111), (6, 9112)):
        dump = t.host["right"].start("tcpdump", "-n", "-l", "-i", "eth0", "--immediate-mode",
                                     f"tcp dst port {port}" if version == 4 else f"ip6 and dst port {port}",
                                     log=capture + str(version))
        net.eventually(lambda d=dump: "listening on" in d.output(), what="the capture")
        assert transfer(t, "left", version, port, 500000) == 500000
        line = next(line for line in dump.output().splitlines() if "Flags [S]" in line)
        mss = int(line.split("mss ")[1].split(",")[0])
        headers = 40 if version == 4 else 60
        # Outer IPv4 20, ESP 8, IV 8, at most 3 + 2 of padding, ICV 16.
        assert 1300 < mss + headers <= 1500 - 20 - 8 - 8 - 2 - 16, line
        dump.stop()
    assert t.drops()["left"].get("mtu-exceeded", 0) == before, t.drops()


def large_packets_with_df_get_an_error(t):
    """The kernel learns the tunnel's MTU from the appliance and what then fits, fits."""
    forget_path_mtu(t)
    for version in (4, 6):
        address = HOST["right"][version]
        out = t.host["left"].run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s",
                                 str(1500 - 28 - (version == 6) * 20), address, check=False).stdout
        assert "mtu" in out, out
        mtu = int("".join(c for c in out.split("mtu")[1].lstrip(" =")[:5] if c.isdigit()))
        assert 1400 <= mtu < 1500, out
        size = mtu - (28 if version == 4 else 48)
        assert t.pings("left", version, options=["-M", "do", "-s", str(size)]) == 5, (version, mtu, t.drops())


def large_packets_without_df_arrive(t):
    for size in ("1472", "4000"):
        assert t.pings("left", options=["-M", "dont", "-s", size]) == 5, t.drops()
        # IPv6 is cut by the sender alone: the first one may have to learn the size, on either side.
        t.pings("right", 6, count=2, options=["-s", size], wait=1)
        assert t.pings("right", 6, options=["-s", size]) == 5, t.drops()


def nothing_in_clear(t):
    """What the wire carries while hosts talk is ESP, ARP and ND."""
    wire = Capture(t.box["left"].folder, *((t.box[side].namespace, "wan") for side in SIDES))
    both_families_both_ways(t)
    transfer(t, "left", 4, 9121, 200000)
    assert wire.stop() == 0
    assert wire.count("proto 50") > 100
    others = "not proto 50 and not arp and not (icmp6 and (ip6[40] = 135 or ip6[40] = 136))"
    assert wire.count(others) == 0, wire.lines(others)[:20]


def missing_sa_drops_and_never_leaks(t):
    """The connection loses its SAs: packets drop by name, the wire stays silent."""
    broken = config("left", **t.options)
    broken["connections"][0]["appliance"]["securityAssociations"] = []
    t.box["left"].apply(broken)
    before = t.box["right"].ask("stats")["workers"][0]["rxPackets"]
    assert t.pings("left", count=3, wait=1) == 0
    assert t.drops()["left"].get("sa-missing", 0) >= 3, t.drops()["left"]
    assert t.box["right"].ask("stats")["workers"][0]["rxPackets"] - before <= 2  # ARP or ND at most
    t.box["left"].apply(config("left", **t.options))
    assert t.pings("left") == 5, t.drops()


def a_second_of_traffic_loses_nothing(t):
    streams = [Stream(t.host[side], t.host[other(side)], HOST[other(side)][4], 9000, 1000, 600).start()
               for side in SIDES]
    time.sleep(2)
    missing = [stream.stop() for stream in streams]
    assert missing == [[], []], ([len(m) for m in missing], t.drops())


def other_transports():
    """NAT-T and an IPv6 outside, in a fresh pair each."""
    for options in ({"nat_t": NAT_T}, {"outer": 6}, {"outer": 6, "nat_t": NAT_T}):
        t = Tunnel(**options)
        try:
            both_families_both_ways(t)
            tcp_moves_data(t)
            large_packets_with_df_get_an_error(t)
        finally:
            t.close()


def forged_esp_is_dropped_by_name(t):
    """Packets with our SPI and a wrong check value, and with an SPI nobody has."""
    from scapy.all import IP, Ether, Raw, conf, sendp
    conf.verb = 0
    space = t.box["right"].namespace
    def mac(side):
        return t.box[side].namespace.run("cat", "/sys/class/net/wan/address").stdout.strip()
    before = t.drops()["left"]
    outer = Ether(src=mac("right"), dst=mac("left")) / IP(src=OUTER["right"][4], dst=OUTER["left"][4], proto=50)
    with space.entered():
        sendp([outer / Raw(bytes.fromhex("00002001") + b"\0\0\xff\xff" + os.urandom(64)) for _ in range(10)], iface="wan")
        sendp([outer / Raw(bytes.fromhex("0badcafe") + b"\0\0\0\1" + os.urandom(64)) for _ in range(7)], iface="wan")
        sendp([outer / Raw(b"\0\0")], iface="wan")
        # SPI 0 stands for an empty place in the table.
        sendp([outer / Raw(b"\0\0\0\0" + b"\0\0\0\1" + os.urandom(64)) for _ in range(4)], iface="wan")

    def seen(reason):
        return t.drops()["left"].get(reason, 0) - before.get(reason, 0)
    net.eventually(lambda: seen("esp-authentication") == 10 and seen("esp-spi-unknown") == 11
                   and seen("esp-truncated") == 1, what=f"the drops; {t.drops()['left']}")
    assert t.pings("left") == 5


def main():
    net.signals_raise()
    t = Tunnel()
    try:
        for story in (both_families_both_ways, mss_is_clamped, tcp_moves_data, large_packets_with_df_get_an_error,
                      large_packets_without_df_arrive, nothing_in_clear, missing_sa_drops_and_never_leaks,
                      a_second_of_traffic_loses_nothing, forged_esp_is_dropped_by_name):
            tap.add(story.__name__, story, t)
        tap.case(other_transports)
        tap.main()
    finally:
        t.close()


main()
