"""A steady stream of numbered UDP datagrams from one namespace to another: what was lost, and when."""

import socket
import struct
import threading
import time

NUMBER = struct.Struct("!Q")
MARK = b"IN-CLEAR"  # behind the number: who finds it on a wire has read a datagram


class Stream:
    """Sends `rate` datagrams a second until stop(). Sockets belong to the namespaces they were made in."""

    def __init__(self, source, target, address, port=9000, rate=1000, size=64):
        self.rate, self.size = rate, max(size, NUMBER.size + len(MARK))
        self.sent = 0
        self.seen = {}  # number: times
        self.newest = -1
        self.running, self.until = True, 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with target.entered():
            self.receiver = socket.socket(family, socket.SOCK_DGRAM)
            self.receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.receiver.bind((address, port))
            self.receiver.settimeout(0.2)
        with source.entered():
            self.sender = socket.socket(family, socket.SOCK_DGRAM)
            self.sender.connect((address, port))
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._receive, self._send)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def _send(self):
        began, filler = time.monotonic(), MARK.ljust(self.size - NUMBER.size, b"\0")
        while self.running:
            due = int((time.monotonic() - began) * self.rate)
            # After a pause of the machine do not send the backlog in one burst.
            for _ in range(min(due - self.sent, 32)):
                try:
                    self.sender.send(NUMBER.pack(self.sent) + filler)
                except OSError:
                    pass  # an ICMP error of an earlier datagram, or a full queue: it counts as lost
                self.sent += 1
            if due - self.sent > 32:
                began += (due - self.sent) / self.rate
            time.sleep(0.5 / self.rate)

    def _receive(self):
        while self.running or time.monotonic() < self.until:
            try:
                number = NUMBER.unpack_from(self.receiver.recv(65536))[0]
            except (TimeoutError, OSError):
                continue
            self.seen[number] = self.seen.get(number, 0) + 1
            self.newest = max(self.newest, number)

    def missing(self, first):
        """Numbers from `first` on that did not arrive, though later ones did."""
        return [n for n in range(first, self.newest) if n not in self.seen]

    def stop(self, linger=0.5):
        """End it; returns the missing numbers."""
        self.until = time.monotonic() + linger
        self.running = False
        for thread in self.threads:
            thread.join()
        self.sender.close()
        self.receiver.close()
        return [n for n in range(self.sent) if n not in self.seen]

    def duplicates(self):
        return sum(times - 1 for times in self.seen.values())
