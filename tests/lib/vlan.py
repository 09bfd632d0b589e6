"""A VLAN interface for a host whose kernel has no 802.1Q: a TAP whose frames are tagged and untagged in between."""

import fcntl
import os
import select
import socket
import struct
import threading

ETH_P_ALL = 3
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
TP_STATUS_VLAN_VALID = 0x10


class Vlan:
    """The interface `name` in a namespace: what `link` carries with this tag. Ends with close()."""

    def __init__(self, namespace, link, name, tag):
        self.tag = tag
        with namespace.entered():
            self.tap = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.wire.bind((link, ETH_P_ALL))
        namespace.sh(f"ip link set {link} promisc on && ip link set {name} up")
        self.end, self.told = os.pipe()
        self.thread = threading.Thread(target=self.pump, daemon=True)
        self.thread.start()

    def pump(self):
        while True:
            ready = select.select([self.tap, self.wire, self.end], [], [])[0]
            if self.end in ready:
                return
            if self.tap in ready:
                frame = os.read(self.tap, 65536)
                self.wire.send(frame[:12] + struct.pack("!HH", 0x8100, self.tag) + frame[12:])
            if self.wire in ready:
                self.untag(*self.wire.recvmsg(65536, 128))

    def untag(self, frame, extras, _flags, sender):
        """The kernel has taken the tag out of the frame and tells it beside."""
        for _level, _kind, data in extras:
            status, _len, _snap, _mac, _net, tci, _tpid = struct.unpack("IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID and tci & 0xfff == self.tag and sender[2] != PACKET_OUTGOING:
                os.write(self.tap, frame)

    def close(self):
        os.write(self.told, b"x")
        self.thread.join()
        for fd in (self.tap, self.end, self.told):
            os.close(fd)
        self.wire.close()
