"""TCP sessions that one host begins, and in which from then on the other one alone speaks: what a rule that lets nothing
in unasked ends when the flow of a session is forgotten.
"""

import contextlib
import socket
import threading
import time


class Sessions:
    def __init__(self, client_space, server_space, address, port, count):
        self.pairs, self.bytes, self.running = [], [0] * count, True
        with server_space.entered():
            listener = socket.create_server(("", port), backlog=count)
        with listener:
            for _ in range(count):
                with client_space.entered():
                    client = socket.create_connection((address, port), timeout=10)
                self.pairs.append((client, listener.accept()[0]))
        for client, server in self.pairs:
            client.settimeout(0.2)
            server.settimeout(0.2)
        self.threads = [threading.Thread(target=work, args=(n,), daemon=True)
                        for n in range(count) for work in (self._speak, self._hear)]
        for thread in self.threads:
            thread.start()

    def _speak(self, n):
        while self.running:
            with contextlib.suppress(TimeoutError):
                self.pairs[n][1].send(b"x" * 100)
            time.sleep(0.02)

    def _hear(self, n):
        while self.running:
            with contextlib.suppress(TimeoutError):
                data = self.pairs[n][0].recv(65536)
                if not data:
                    return
                self.bytes[n] += len(data)

    def alive(self, seconds):
        """How many hear something within that time."""
        before, end = list(self.bytes), time.monotonic() + seconds
        while time.monotonic() < end and any(now == then for now, then in zip(self.bytes, before)):
            time.sleep(0.02)
        return sum(now > then for now, then in zip(self.bytes, before))

    def close(self):
        self.running = False
        for thread in self.threads:
            thread.join()
        for pair in self.pairs:
            for s in pair:
                s.close()
