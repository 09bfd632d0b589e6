"""control/strongswan/protocol.h in Python: records are packed and parsed here, for fakes of either end."""

import ipaddress
import os
import socket
import struct
from collections import namedtuple

VERSION = 1
MESSAGE_MAX = 32768
TEXT, KEY = 128, 80

HELLO, SYNCED, SPI_GET, SA_ADD, SA_UPDATE, SA_QUERY, SA_DELETE, SA_FLUSH, POLICY_ADD, POLICY_DELETE, POLICY_FLUSH = \
    range(1, 12)
SA_STATE, CHILD_STATE, ALERT = range(32, 35)
WELCOME, REFUSE, RESULT, SPI_ANSWER, SA_ANSWER = range(64, 69)
EXPIRE, ACQUIRE, MAPPING = range(96, 99)

INBOUND, ENCAP, ESN, COPY_DF, COPY_ECN, COPY_DSCP, INITIATOR, REPLAYED = (1 << bit for bit in range(8))
POLICY_IN, POLICY_OUT, POLICY_FWD = range(3)
POLICY_IPSEC, POLICY_PASS, POLICY_DROP = range(3)
(FAULT_OTHER, FAULT_LOCAL_AUTH, FAULT_PEER_AUTH, FAULT_ADDRESS, FAULT_UNREACHABLE, FAULT_TIMEOUT, FAULT_HALF_OPEN,
 FAULT_PROPOSAL_IKE, FAULT_PROPOSAL_CHILD, FAULT_SELECTORS, FAULT_NARROWED, FAULT_INSTALL, FAULT_REPLACED,
 FAULT_VIRTUAL_IP, FAULT_CERTIFICATE, FAULT_MALFORMED, FAULT_DEAD_PEER) = range(17)

Header = namedtuple("Header", "type result length serial")
Address = namedtuple("Address", "ip port", defaults=(0,))  # ip: text, "" = none
Selector = namedtuple("Selector", "first last protocol port_first port_last", defaults=(0, 0, 65535))
SaId = namedtuple("SaId", "spi if_id source destination")

HEADER = struct.Struct("=HHIQ")
ADDRESS = struct.Struct("=B3xHxx16s")
SELECTOR = struct.Struct("=BBxxHH16s16s")


def ip_pack(text):
    return ipaddress.ip_address(text).packed.ljust(16, b"\0")


def ip_text(family, data):
    return str(ipaddress.ip_address(data[:4 if family == 4 else 16])) if family else ""


def family_of(text):
    return ipaddress.ip_address(text).version if text else 0


class Writer:
    """A struct in the making, members one after the other."""

    def __init__(self):
        self.data = b""

    def put(self, layout, *values):
        self.data += struct.pack("=" + layout, *values)
        return self

    def text(self, value, size=TEXT):
        return self.put(f"{size}s", value.encode()[:size - 1])

    def address(self, value):
        self.data += ADDRESS.pack(family_of(value.ip), value.port, ip_pack(value.ip) if value.ip else b"")
        return self

    def selector(self, value):
        self.data += SELECTOR.pack(family_of(value.first), value.protocol, value.port_first, value.port_last,
                                   ip_pack(value.first), ip_pack(value.last))
        return self

    def sa_id(self, value):
        return self.put("II", value.spi, value.if_id).address(value.source).address(value.destination)


class Reader:
    """Members of a struct, one after the other; end() sees that none is left."""

    def __init__(self, data):
        self.data = data

    def get(self, layout):
        one = struct.Struct("=" + layout)
        values, self.data = one.unpack(self.data[:one.size]), self.data[one.size:]
        return values if len(values) > 1 else values[0]

    def text(self, size=TEXT):
        return self.get(f"{size}s").split(b"\0", 1)[0].decode(errors="replace")

    def address(self):
        family, port, data = ADDRESS.unpack(self.data[:ADDRESS.size])
        self.data = self.data[ADDRESS.size:]
        return Address(ip_text(family, data), port)

    def selector(self):
        family, protocol, first, last, low, high = SELECTOR.unpack(self.data[:SELECTOR.size])
        self.data = self.data[SELECTOR.size:]
        return Selector(ip_text(family, low), ip_text(family, high), protocol, first, last)

    def sa_id(self):
        return SaId(*self.get("II"), self.address(), self.address())

    def end(self):
        assert not self.data, f"{len(self.data)} bytes behind the struct"


def record(kind, body=b"", serial=0, result=0):
    return HEADER.pack(kind, result, HEADER.size + len(body), serial) + body


def split(data):
    """(Header, body) of a record."""
    header = Header(*HEADER.unpack(data[:HEADER.size]))
    assert header.length == len(data), f"length {header.length}, record of {len(data)} bytes"
    return header, data[HEADER.size:]


# Structs as dictionaries.

def parse_hello(r):
    version = r.get("Ixxxx")
    return {"version": version, "strongswan": r.text(), "running": r.text(), "instance": r.get("Q"),
            "epoch": r.get("Q")}


def parse_sa_add(r):
    sa = {"id": r.sa_id()}
    (sa["reqid"], sa["flags"], sa["encryption"], sa["integrity"], encryption, integrity, encryption_key, integrity_key,
     sa["replay_window"], n_source, n_destination) = r.get(f"IIHHHH{KEY}s{KEY}sIHH")
    assert encryption <= KEY and integrity <= KEY
    sa["encryption_key"], sa["integrity_key"] = encryption_key[:encryption], integrity_key[:integrity]
    (sa["soft_deadline_ns"], sa["hard_deadline_ns"], sa["soft_bytes"], sa["hard_bytes"], sa["soft_packets"],
     sa["hard_packets"], sa["ike_unique"]) = r.get("QQQQQQQ")
    sa["ike_name"], sa["peer"] = r.text(), r.text()
    sa["source"] = [r.selector() for _ in range(n_source)]
    sa["destination"] = [r.selector() for _ in range(n_destination)]
    return sa


def parse_sa_update(r):
    return {"id": r.sa_id(), "new_source": r.address(), "new_destination": r.address(), "new_reqid": r.get("I"),
            "encap": r.get("I")}


def parse_policy(r):
    names = ("dir", "type", "replayed", "trap", "priority", "reqid", "if_id", "spi")
    return {**dict(zip(names, r.get("BBBBIIII"))), "source": r.selector(), "destination": r.selector()}


def parse_state(r):
    up, old, unique = r.get("IxxxxQQ")
    return {"up": up, "old_unique": old, "unique": unique, "local": r.address(), "remote": r.address(),
            "version": r.get("I"), "nat": r.get("I"), "ike_name": r.text(), "local_id": r.text(),
            "remote_id": r.text(), "proposal": r.text()}


def parse_child_state(r):
    names = ("up", "if_id", "reqid", "ike_unique", "old_in", "old_out", "new_in", "new_out")
    return {**dict(zip(names, r.get("IIIxxxxQIIII"))), "child_name": r.text()}


def parse_alert(r):
    alert, fault, unique = r.get("IIQ")
    return {"alert": alert, "fault": fault, "ike_unique": unique, "local": r.address(), "remote": r.address(),
            "ike_name": r.text(), "remote_id": r.text(), "text": r.text(256)}


def parse_nothing(_):
    return {}


PARSERS = {
    HELLO: parse_hello, SYNCED: parse_nothing, SA_ADD: parse_sa_add, SA_UPDATE: parse_sa_update,
    SPI_GET: lambda r: {"source": r.address(), "destination": r.address()},
    SA_QUERY: lambda r: {"id": r.sa_id()}, SA_DELETE: lambda r: {"id": r.sa_id()}, SA_FLUSH: parse_nothing,
    POLICY_ADD: parse_policy, POLICY_DELETE: parse_policy, POLICY_FLUSH: parse_nothing,
    SA_STATE: parse_state, CHILD_STATE: parse_child_state, ALERT: parse_alert,
    WELCOME: lambda r: {"version": r.get("Ixxxx"), "epoch": r.get("Q"), "appliance": r.text()},
    REFUSE: lambda r: {"why": r.text(256)}, RESULT: parse_nothing, SPI_ANSWER: lambda r: {"spi": r.get("Ixxxx")},
    SA_ANSWER: lambda r: dict(zip(("bytes", "packets", "last_used_ns"), r.get("QQQ"))),
    EXPIRE: lambda r: {"id": r.sa_id(), "hard": r.get("Ixxxx")},
    ACQUIRE: lambda r: dict(zip(("reqid", "if_id"), r.get("II"))) | {"source": r.selector(),
                                                                     "destination": r.selector()},
    MAPPING: lambda r: {"id": r.sa_id(), "reqid": r.get("Ixxxx"), "old_remote": r.address(),
                        "new_remote": r.address()},
}


def parse(data):
    """(Header, dictionary) of a record of any type; an AssertionError or struct.error when it is malformed."""
    header, body = split(data)
    reader = Reader(body)
    fields = PARSERS[header.type](reader)
    reader.end()
    return header, fields


def hello(instance=1, epoch=0, version=VERSION, strongswan="5.9.8", running="5.9.8"):
    body = Writer().put("Ixxxx", version).text(strongswan).text(running).put("QQ", instance, epoch)
    return record(HELLO, body.data)


def welcome(epoch, appliance="fake", version=VERSION):
    return record(WELCOME, Writer().put("IxxxxQ", version, epoch).text(appliance).data)


def refuse(why):
    return record(REFUSE, Writer().text(why, 256).data)


def spi_get(serial, source, destination):
    return record(SPI_GET, Writer().address(source).address(destination).data, serial)


def sa_add(serial, sa):
    """sa: the dictionary of parse_sa_add."""
    w = Writer().sa_id(sa["id"])
    w.put(f"IIHHHH{KEY}s{KEY}sIHH", sa["reqid"], sa["flags"], sa["encryption"], sa["integrity"],
          len(sa["encryption_key"]), len(sa["integrity_key"]), sa["encryption_key"], sa["integrity_key"],
          sa["replay_window"], len(sa["source"]), len(sa["destination"]))
    w.put("QQQQQQQ", sa["soft_deadline_ns"], sa["hard_deadline_ns"], sa["soft_bytes"], sa["hard_bytes"],
          sa["soft_packets"], sa["hard_packets"], sa["ike_unique"]).text(sa["ike_name"]).text(sa["peer"])
    for selector in sa["source"] + sa["destination"]:
        w.selector(selector)
    return record(SA_ADD, w.data, serial)


def sa_update(serial, sa_id, new_source, new_destination, new_reqid=0, encap=0):
    return record(SA_UPDATE, Writer().sa_id(sa_id).address(new_source).address(new_destination)
                  .put("II", new_reqid, encap).data, serial)


def of_sa(kind, serial, sa_id):
    """SA_QUERY, SA_DELETE."""
    return record(kind, Writer().sa_id(sa_id).data, serial)


def policy(kind, serial, p):
    """POLICY_ADD, POLICY_DELETE; p: the dictionary of parse_policy."""
    w = Writer().put("BBBBIIII", p["dir"], p["type"], p["replayed"], p["trap"], p["priority"], p["reqid"], p["if_id"],
                     p["spi"])
    return record(kind, w.selector(p["source"]).selector(p["destination"]).data, serial)


def expire(sa_id, hard):
    return record(EXPIRE, Writer().sa_id(sa_id).put("Ixxxx", int(hard)).data)


def acquire(reqid, if_id, source, destination):
    return record(ACQUIRE, Writer().put("II", reqid, if_id).selector(source).selector(destination).data)


def mapping(sa_id, reqid, old_remote, new_remote):
    return record(MAPPING, Writer().sa_id(sa_id).put("Ixxxx", reqid).address(old_remote).address(new_remote).data)


def listen(path):
    """isthmusd's end: a listening socket of mode 0600."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(8)
    return listener


def connect(path):
    """The plugin's end."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(path)
    return connection
