"""isthmusd for a charon with the plugin: speaks the protocol, remembers what it is told, does what a test asks for."""

import contextlib
import errno
import os
import threading

from lib import ike_protocol as p, net


class Fake:
    """Serves one plugin at a time. answers(header, fields) may return the record to answer with, "nothing" to stay
    silent, "cut" to close the connection, or None for the ordinary."""

    def __init__(self, path, epoch=1, first_spi=0x1000, answers=lambda header, fields: None):
        self.path, self.epoch, self.answers = path, epoch, answers
        self.next_spi = first_spi
        self.sas, self.policies, self.log, self.malformed = {}, [], [], []
        self.lock = threading.Lock()
        self.connection = None
        self.known = True  # replayed SAs are; a fake that lost its memory says ENOENT
        self.listener = p.listen(path)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connection = connection
            with connection, contextlib.suppress(OSError):
                self.talk(connection)

    def talk(self, connection):
        while True:
            data = connection.recv(p.MESSAGE_MAX + 1)
            if not data:
                return
            try:
                header, fields = p.parse(data)
            except Exception as error:  # pylint: disable=broad-except
                self.malformed.append((error, data))
                return
            with self.lock:
                self.log.append((header, fields))
            answer = self.answers(header, fields)
            if answer == "cut":
                return
            if answer is None:
                answer = self.ordinary(header, fields)
            if answer != "nothing":
                connection.sendall(answer)

    def ordinary(self, header, fields):
        kind, serial = header.type, header.serial
        if kind == p.HELLO:
            return p.welcome(self.epoch)
        if kind in (p.SA_STATE, p.CHILD_STATE, p.ALERT):
            return "nothing"
        if kind == p.SPI_GET:
            with self.lock:
                self.next_spi += 1
                return p.record(p.SPI_ANSWER, p.Writer().put("Ixxxx", self.next_spi).data, serial)
        if kind == p.SA_QUERY:
            return p.record(p.SA_ANSWER, p.Writer().put("QQQ", 1234, 12, 0).data, serial)
        return p.record(p.RESULT, b"", serial, self.apply(kind, fields))

    def apply(self, kind, fields):
        with self.lock:
            if kind == p.SA_ADD:
                if fields["flags"] & p.REPLAYED and not self.known:
                    return errno.ENOENT
                self.sas[fields["id"].spi] = fields
            elif kind == p.SA_DELETE:
                self.sas.pop(fields["id"].spi, None)
            elif kind == p.SA_UPDATE:
                sa = self.sas.get(fields["id"].spi)
                if not sa:
                    return errno.ENOENT
                sa["id"] = sa["id"]._replace(source=fields["new_source"], destination=fields["new_destination"])
            elif kind == p.POLICY_ADD:
                self.policies.append({**fields, "replayed": 0})
            elif kind == p.POLICY_DELETE:
                if fields not in self.policies:
                    return errno.ENOENT
                self.policies.remove(fields)
        return 0

    # What a test looks at.

    def seen(self, *kinds):
        """Fields of all records of these types, in their order."""
        with self.lock:
            return [fields for header, fields in self.log if header.type in kinds]

    def forget_log(self):
        with self.lock:
            self.log.clear()

    def inbound(self):
        with self.lock:
            return [sa for sa in self.sas.values() if sa["flags"] & p.INBOUND]

    def outbound(self):
        with self.lock:
            return [sa for sa in self.sas.values() if not sa["flags"] & p.INBOUND]

    def wait(self, *kinds, count=1, timeout=20, match=lambda fields: True):
        """Until `count` records of the types, that match, have come; returns them."""
        def found():
            rows = [fields for fields in self.seen(*kinds) if match(fields)]
            return rows if len(rows) >= count else None
        return net.eventually(found, timeout, what=f"records of type {kinds}, {count} of them")

    def send(self, data):
        self.connection.sendall(data)

    def cut(self):
        """The connection ends; the plugin comes back."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)

    def close(self):
        """As if isthmusd had ended."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(2)
        self.listener.close()
        if self.connection:
            self.cut()
        self.thread.join(5)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
