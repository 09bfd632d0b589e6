"""charon's control protocol (vici), for tests: a request is a dict and so is its answer.

Values are texts, bytes (certificates, keys) or lists of them; sections are dicts. An answer's values are texts; those
that are not UTF-8 stay bytes. https://github.com/strongswan/strongswan/blob/master/src/libcharon/plugins/vici/README.md
"""

import os
import select
import socket
import struct
import time

from lib import net

REQUEST, RESPONSE, UNKNOWN, REGISTER, UNREGISTER, CONFIRM, NO_EVENT, EVENT = range(8)
SECTION, SECTION_END, VALUE, LIST, ITEM, LIST_END = range(1, 7)


class Refused(net.Failed):
    """charon answered that it could not."""


def _value(value):
    if isinstance(value, bool):
        value = "yes" if value else "no"
    data = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack("!H", len(data)) + data


def _name(kind, name):
    return bytes([kind, len(name)]) + name.encode()


def encode(message):
    out = b""
    for name, value in message.items():
        if isinstance(value, dict):
            out += _name(SECTION, name) + encode(value) + bytes([SECTION_END])
        elif isinstance(value, (list, tuple)):
            out += _name(LIST, name) + b"".join(bytes([ITEM]) + _value(v) for v in value) + bytes([LIST_END])
        elif value is not None:
            out += _name(VALUE, name) + _value(value)
    return out


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def name(self):
        length = self.byte()
        self.at += length
        return self.data[self.at - length:self.at].decode()

    def value(self):
        length = struct.unpack_from("!H", self.data, self.at)[0]
        self.at += 2 + length
        data = self.data[self.at - length:self.at]
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data

    def section(self):
        found = {}
        while self.at < len(self.data):
            kind = self.byte()
            if kind == SECTION_END:
                break
            name = self.name()
            if kind == SECTION:
                found[name] = self.section()
            elif kind == VALUE:
                found[name] = self.value()
            else:
                found[name] = []
                while self.byte() == ITEM:
                    found[name].append(self.value())
        return found


def decode(data):
    return _Reader(data).section()


class Vici:
    """One session over a pair of file descriptors."""

    def __init__(self, read, write=None, timeout=60):
        self.read, self.write = read, write if write is not None else read
        self.timeout = timeout
        self.buffer = b""
        self.events = []  # (name, dict) of registered events that came meanwhile

    @classmethod
    def connect(cls, path):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            s.connect(path)
        except OSError:
            s.close()
            raise
        return cls(s.detach())

    def _send(self, kind, name=None, body=b""):
        packet = (_name(kind, name) if name else bytes([kind])) + body
        packet = struct.pack("!I", len(packet)) + packet
        while packet:
            packet = packet[os.write(self.write, packet):]

    def _fill(self, count, end):
        while len(self.buffer) < count:
            if not select.select([self.read], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("charon does not answer")
            piece = os.read(self.read, 65536)
            if not piece:
                raise EOFError("charon closed the session")
            self.buffer += piece

    def _packet(self, timeout):
        """(kind, event's name, message)"""
        end = time.monotonic() + timeout
        self._fill(4, end)
        length = struct.unpack("!I", self.buffer[:4])[0]
        self._fill(4 + length, end)
        packet, self.buffer = self.buffer[4:4 + length], self.buffer[4 + length:]
        reader = _Reader(packet)
        kind = reader.byte()
        name = reader.name() if kind == EVENT else None
        return kind, name, reader.section()

    def _await(self, *kinds, collect=None, timeout=None):
        while True:
            kind, name, message = self._packet(self.timeout if timeout is None else timeout)
            if kind in kinds:
                return kind, message
            if kind == EVENT and name == collect[0] if collect else False:
                collect[1].append(message)
            elif kind == EVENT:
                self.events.append((name, message))

    def ask(self, command, message=None, timeout=None):
        """A command's answer; Refused when it says that it failed."""
        self._send(REQUEST, command, encode(message or {}))
        kind, answer = self._await(RESPONSE, UNKNOWN, timeout=timeout)
        if kind == UNKNOWN or answer.get("success", "yes") != "yes":
            raise Refused(f"{command}: {answer.get('errmsg', 'no such command')}")
        return answer

    def stream(self, command, event, message=None):
        """What a command reports as events before its answer."""
        found = []
        self.register(event)
        self._send(REQUEST, command, encode(message or {}))
        self._await(RESPONSE, collect=(event, found))
        self.register(event, False)
        return found

    def register(self, event, on=True):
        self._send(REGISTER if on else UNREGISTER, event)
        kind, _ = self._await(CONFIRM, NO_EVENT)
        if kind == NO_EVENT:
            raise Refused(f"no event {event}")

    def close(self):
        for descriptor in {self.read, self.write}:
            os.close(descriptor)
