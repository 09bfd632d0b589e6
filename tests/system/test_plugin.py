#!/usr/bin/python3
"""charon's plugin kernel-isthmus in real charons, with a fake isthmusd for each."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import shutil
import signal
import tempfile
import threading

from lib import ike_protocol as p
from lib import net, tap, vici
from lib.charon import PROGRAM, child, connection
from lib.fake_isthmusd import Fake
from lib.plugin_charon import PluginCharon, missing

ADDRESS = {"a": "10.9.0.1", "b": "10.9.0.2"}
NETWORK = {"a": "192.168.1.0/24", "b": "192.168.2.0/24"}
OTHER = {"a": "b", "b": "a"}
SECRET = "S3cr3t-of-the-test"
IF_ID = {"if_id_in": "77", "if_id_out": "77"}


class Pair:
    """Two charons, "a" and "b", on one cable, and their fakes."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="isthmus-plugin-")
        self.space = {name: net.Namespace(name) for name in "ab"}
        net.veth(self.space["a"], "c0", self.space["b"], "c0")
        self.fake, self.charon = {}, {}
        for name, first_spi in (("a", 0x1000), ("b", 0x2000)):
            self.space[name].address("c0", ADDRESS[name] + "/24")
            self.fake[name] = Fake(f"{self.folder}/{name}.sock", first_spi=first_spi)
            self.charon[name] = PluginCharon(self.space[name], f"{self.folder}/{name}.sock", name)
            self.charon[name].start()

    def load(self, name, secret=SECRET, network=NETWORK, child_more=None, **more):
        other = OTHER[name]
        here = child(network[name], network[other], **{"esp_proposals": ["aes256gcm16"], **IF_ID,
                                                       **(child_more or {})})
        one = self.charon[name]
        one.connection("peer", connection(ADDRESS[name], ADDRESS[other], {"net": here}, **{
            "proposals": ["aes256gcm16-prfsha384-ecp384"], **more}))
        one.psk(secret, *ADDRESS.values())

    def close(self):
        for one in self.charon.values():
            one.close()
        for fake in self.fake.values():
            fake.close()
        for space in self.space.values():
            space.close()
        shutil.rmtree(self.folder)


def story(function, name=None):
    """Runs on a Pair of its own; its charons' logs are shown when it fails."""
    def run():
        if missing():
            tap.skip(missing())
        pair = Pair()
        try:
            function(pair)
            assert not any(fake.malformed for fake in pair.fake.values()), "malformed records of the plugin"
            for name, one in pair.charon.items():
                status = one.process.popen.poll() if one.process else None
                # A charon answers by vici a moment before it handles SIGTERM.
                assert status in (None, 0, -signal.SIGKILL, -signal.SIGTERM), f"charon {name} has crashed: {status}"
        except BaseException:
            for name, one in pair.charon.items():
                print("\n".join(f"# {name}: {line}" for line in one.log().splitlines()[-60:]))
            raise
        finally:
            pair.close()
    tap.add(name or function.__name__, run)
    return function


def up(pair, **more):
    """Both configured alike, and the tunnel brought up by a."""
    for name in "ab":
        pair.load(name, **more)
    pair.charon["a"].initiate("net")
    for fake in pair.fake.values():
        fake.wait(p.CHILD_STATE, match=lambda x: x["up"] == 1)


@story
def keys_are_equal_crosswise(pair):
    up(pair, child_more={"esp_proposals": ["aes256gcm16-esn"]})
    a, b = pair.fake["a"], pair.fake["b"]
    net.eventually(lambda: len(a.policies) == len(b.policies) == 3, what="in, fwd and out policies")
    for one, other in ((a, b), (b, a)):
        inbound, outbound = one.inbound()[0], other.outbound()[0]
        assert inbound["id"].spi == outbound["id"].spi, (inbound, outbound)
        assert inbound["encryption_key"] == outbound["encryption_key"] and len(inbound["encryption_key"]) == 36
        assert inbound["encryption"] == 20 and inbound["integrity"] == 1024, inbound
        for sa in (inbound, outbound):
            assert sa["flags"] & p.ESN and not sa["flags"] & p.REPLAYED, sa
            assert sa["id"].if_id == 77 and sa["ike_name"] == "peer" and sa["soft_deadline_ns"], sa
    assert a.inbound()[0]["id"].spi == 0x1001 and b.inbound()[0]["id"].spi == 0x2001
    assert a.inbound()[0]["source"] == [p.Selector("192.168.2.0", "192.168.2.255")], a.inbound()
    assert a.outbound()[0]["peer"] == ADDRESS["b"] and a.outbound()[0]["id"].destination == p.Address(ADDRESS["b"])
    assert {x["dir"] for x in a.policies} == {p.POLICY_IN, p.POLICY_OUT, p.POLICY_FWD}
    for name in "ab":
        key = pair.fake[name].inbound()[0]["encryption_key"].hex()
        assert key[:16] not in pair.charon[name].log().replace(" ", "").lower(), "a key in the log"


def both_up(pair, count=1):
    """Each fake holds `count` inbound and outbound SAs."""
    net.eventually(lambda: all(len(f.inbound()) == len(f.outbound()) == count for f in pair.fake.values()), 30,
                   what=f"{count} SAs in each direction at both ends")


def mine(pair, name="a"):
    return pair.fake[name].inbound()[0]


@story
def states_counters_and_deletion_are_told(pair):
    up(pair)
    a = pair.fake["a"]
    inbound, outbound = a.inbound()[0]["id"].spi, a.outbound()[0]["id"].spi
    state = a.wait(p.SA_STATE)[0]
    assert (state["up"], state["version"], state["nat"], state["ike_name"]) == (1, 2, 0, "peer"), state
    assert state["local"].ip == ADDRESS["a"] and state["remote_id"] == ADDRESS["b"], state
    assert "AES_GCM_16_256" in state["proposal"], state
    child_state = a.wait(p.CHILD_STATE)[0]
    assert (child_state["new_in"], child_state["new_out"]) == (inbound, outbound), child_state
    assert (child_state["up"], child_state["if_id"], child_state["child_name"]) == (1, 77, "net"), child_state
    assert child_state["ike_unique"] == state["unique"] == a.inbound()[0]["ike_unique"]
    assert pair.charon["a"].children("net")[0]["bytes-in"] == "1234" and a.seen(p.SA_QUERY)

    pair.charon["a"].terminate(child="net")
    for fake in pair.fake.values():
        net.eventually(lambda one=fake: not one.sas and not one.policies, what="SAs and policies deleted")
    assert a.wait(p.CHILD_STATE, count=2)[1]["old_in"] == inbound
    pair.charon["a"].terminate(ike="peer")
    assert a.wait(p.SA_STATE, count=2)[1]["up"] == 0


@story
def packets_raise_the_tunnel(pair):
    for name in "ab":
        pair.load(name, child_more={"start_action": "trap"})
    a = pair.fake["a"]
    trap = a.wait(p.POLICY_ADD, match=lambda x: x["dir"] == p.POLICY_OUT)[0]
    assert (trap["trap"], trap["spi"], trap["if_id"]) == (1, 0, 77), trap
    a.send(p.acquire(trap["reqid"], 77, p.Selector("192.168.1.4", "192.168.1.4", 6, 4000, 4000),
                     p.Selector("192.168.2.4", "192.168.2.4", 6, 80, 80)))
    both_up(pair)
    net.eventually(lambda: any(x["spi"] == a.outbound()[0]["id"].spi and not x["trap"] for x in list(a.policies)),
                   what="the outbound policy")


@story
def lifetimes_end_softly_and_hard(pair):
    up(pair)
    a, b = pair.fake["a"], pair.fake["b"]
    first, peers = mine(pair), mine(pair, "b")
    a.send(p.expire(first["id"], False))
    rekeyed = a.wait(p.CHILD_STATE, match=lambda x: x["up"] == 2)[0]
    assert (rekeyed["old_in"], rekeyed["old_out"]) == (first["id"].spi, peers["id"].spi), rekeyed
    net.eventually(lambda: any(x["id"].spi == rekeyed["new_in"] for x in b.outbound()), what="the peer's new SA")
    b.wait(p.SA_DELETE, match=lambda x: x["id"].spi == first["id"].spi)

    young = next(x for x in a.inbound() if x["id"].spi == rekeyed["new_in"])
    a.send(p.expire(young["id"], True))
    a.wait(p.SA_DELETE, match=lambda x: x["id"].spi == young["id"].spi)
    third = net.eventually(lambda: [x for x in a.inbound() if x["id"].spi > young["id"].spi], what="a new SA")
    net.eventually(lambda: any(x["id"].spi == third[0]["id"].spi for x in b.outbound()), what="the peer's, too")


@story
def a_peer_that_moved_is_followed(pair):
    up(pair, encap=True)
    a = pair.fake["a"]
    sa = dict(mine(pair))
    assert sa["flags"] & p.ENCAP and sa["id"].source == p.Address(ADDRESS["b"], 4500), sa
    a.send(p.mapping(sa["id"], sa["reqid"], sa["id"].source, p.Address(ADDRESS["b"], 40500)))
    updates = a.wait(p.SA_UPDATE, count=2)
    assert updates[0]["id"] == sa["id"] and updates[0]["new_source"].port == 40500, updates
    assert updates[1]["new_destination"] == p.Address(ADDRESS["b"], 40500) and updates[1]["encap"] == 1, updates
    # What is asked afterwards calls the SA what it is called now.
    pair.charon["a"].sas()
    a.wait(p.SA_QUERY, match=lambda x: x["id"].source == p.Address(ADDRESS["b"], 40500))


FAULTS = [
    ("a_wrong_key", {"secret": "another"}, {}, {"a": p.FAULT_LOCAL_AUTH, "b": p.FAULT_PEER_AUTH}, ""),
    ("a_wrong_ike_proposal", {"proposals": ["aes128-sha256-modp2048"]}, {},
     {"a": p.FAULT_PROPOSAL_IKE, "b": p.FAULT_PROPOSAL_IKE}, "AES_CBC_128"),
    ("a_wrong_child_proposal", {"child_more": {"esp_proposals": ["aes128-sha1"]}}, {},
     {"a": p.FAULT_PROPOSAL_CHILD, "b": p.FAULT_PROPOSAL_CHILD}, "AES_CBC_128"),
    ("wrong_selectors", {"network": {"a": "172.16.1.0/24", "b": "172.16.2.0/24"}}, {},
     {"a": p.FAULT_SELECTORS, "b": p.FAULT_SELECTORS}, "172.16.1.0/24"),
    ("nobody_there", {}, None, {"a": p.FAULT_UNREACHABLE}, ""),
]


def fault(pair, at_a, at_b, faults, text):
    pair.load("a", **at_a)
    if at_b is None:
        pair.charon["b"].stop()
    else:
        pair.load("b", **at_b)
    try:
        pair.charon["a"].initiate("net", timeout=20)
    except vici.Refused:
        pass
    for name, wanted in faults.items():
        told = pair.fake[name].wait(p.ALERT, match=lambda x, w=wanted: x["fault"] == w)[0]
        assert told["text"] and told["remote"].ip == ADDRESS[OTHER[name]], told
        assert name == "b" or told["ike_name"] == "peer", told
        assert name == "a" or text in told["text"], told


for label, *arguments in FAULTS:
    story(lambda pair, given=arguments: fault(pair, *given), label)


@story
def a_cut_connection_delays_and_no_more(pair):
    """Cut while a request is on its way, once for each kind of them, then between two."""
    a = pair.fake["a"]
    to_cut = [p.SPI_GET, p.SA_ADD, p.POLICY_ADD, p.SYNCED]

    def cut_once(header, _):
        if header.type in to_cut and a.seen(p.SPI_GET):
            to_cut.remove(header.type)
            return "cut"
        return None
    a.answers = cut_once
    up(pair)
    assert not to_cut, to_cut
    net.eventually(lambda: len(a.policies) >= 3 and a.inbound() and a.outbound(), what="everything at a")
    hellos = a.seen(p.HELLO)
    assert len({x["instance"] for x in hellos}) == 1 and hellos[0]["epoch"] == 0 and hellos[-1]["epoch"] == 1, hellos
    assert pair.charon["a"].children("net")

    a.forget_log()
    a.cut()
    a.wait(p.SYNCED)
    replayed = a.seen(p.SA_ADD)
    assert len(replayed) == 2 and all(x["flags"] & p.REPLAYED for x in replayed), replayed
    assert {x["encryption_key"] for x in replayed} == {x["encryption_key"] for x in a.sas.values()}
    assert len(a.seen(p.POLICY_ADD)) == 3 and all(x["replayed"] for x in a.seen(p.POLICY_ADD))


@story
def a_restart_keeps_tunnels_or_replaces_them(pair):
    up(pair)
    first = mine(pair)
    old = pair.fake["a"]
    old.close()
    fake = pair.fake["a"] = Fake(old.path, epoch=2, first_spi=0x3000)
    fake.wait(p.SYNCED)
    assert fake.seen(p.HELLO)[0]["epoch"] == 1
    assert {x["id"].spi for x in fake.inbound()} == {first["id"].spi}, "a daemon that remembers goes on"
    assert first["hard_deadline_ns"] == mine(pair)["hard_deadline_ns"]

    fake.close()
    fake = pair.fake["a"] = Fake(old.path, epoch=3, first_spi=0x4000)
    fake.known = False
    net.eventually(lambda: [x for x in fake.inbound() if x["id"].spi > 0x4000] and fake.outbound(), 30,
                   what="new SAs in place of the lost")
    assert len(pair.charon["a"].children("net")) == 1, pair.charon["a"].children("net")
    assert len(fake.inbound()) == len(fake.outbound()) == 1, fake.sas


@story
def deletions_while_away_are_not_replayed(pair):
    up(pair)
    old = pair.fake["a"]
    old.close()
    pair.charon["a"].terminate(child="net")
    fake = pair.fake["a"] = Fake(old.path, epoch=2)
    fake.wait(p.SYNCED)
    assert not fake.seen(p.SA_ADD, p.POLICY_ADD)
    assert fake.wait(p.CHILD_STATE, match=lambda x: not x["up"]), "notices wait for the daemon"


@story
def garbage_ends_the_connection_only(pair):
    up(pair)
    a = pair.fake["a"]
    spi = mine(pair)["id"]
    for bad in (b"x", b"\xff" * 16, os.urandom(300), os.urandom(p.MESSAGE_MAX + 100), p.record(p.RESULT, serial=1 << 40),
                p.record(p.WELCOME), p.record(p.EXPIRE, b"short"), p.record(999), p.record(p.SPI_ANSWER, bytes(8)),
                p.welcome(7), p.expire(spi._replace(source=p.Address(""), destination=p.Address("")), True)[:-1],
                p.acquire(1, 1, p.Selector("::", "::"), p.Selector("::", "::")).replace(b"\6", b"\7")):
        before = len(a.seen(p.SYNCED))
        a.send(bad)
        a.wait(p.SYNCED, count=before + 1)
    a.send(p.expire(spi._replace(spi=0xdead), True))
    assert pair.charon["a"].children("net"), "the tunnel has survived"


@story
def a_killed_charon_leaves_nothing(pair):
    up(pair)
    a = pair.fake["a"]
    pair.charon["a"].stop(signal.SIGKILL)
    a.forget_log()
    pair.charon["a"].start()
    a.wait(p.SYNCED)
    assert not a.seen(p.SA_ADD, p.POLICY_ADD), "a new charon holds nothing of the former"
    assert a.seen(p.HELLO)[0]["epoch"] == 0

    pair.charon["b"].stop()
    b = pair.fake["b"]
    net.eventually(lambda: not b.sas and not b.policies, what="a charon that is stopped takes its SAs along")


@story
def what_is_not_supported_is_refused_aloud(pair):
    for name in "ab":
        pair.load(name, child_more={"mode": "transport", "local_ts": ["dynamic"], "remote_ts": ["dynamic"]})
    try:
        pair.charon["a"].initiate("net")
        raise AssertionError("transport mode came up")
    except vici.Refused:
        pass
    pair.charon["b"].said("isthmus: another mode than tunnel is not supported")
    pair.fake["b"].wait(p.ALERT, match=lambda x: x["fault"] == p.FAULT_INSTALL)


def fails_to_start(one, words):
    try:
        one.start()
        raise AssertionError(f"charon runs, although {words}")
    except net.Failed:
        pass
    assert words in one.log(), one.log()
    one.process = None


@story
def a_silent_daemon_fails_requests(pair):
    """No answer at all, and then a socket that nobody reads from."""
    one, a = pair.charon["a"], pair.fake["a"]
    for name in "ab":
        pair.load(name)
    a.answers = lambda header, _: "nothing" if header.type == p.SPI_GET else None
    try:
        one.initiate("net")
        raise AssertionError("a tunnel without an SPI")
    except vici.Refused:
        pass
    one.said("getting an SPI (SPI 00000000) failed: Connection timed out")
    gate = threading.Event()
    a.answers = lambda header, _: gate.wait(20) and None if header.type == p.SPI_GET else None
    opener = threading.Timer(2, gate.set)
    opener.start()
    one.initiate("net")
    opener.join()
    both_up(pair)


@story
def only_misconfiguration_is_fatal(pair):
    one = pair.charon["a"]
    version = pair.fake["a"].wait(p.HELLO)[0]["running"]
    one.stop()
    pair.fake["a"].close()
    other = os.path.join(pair.folder, "charon-systemd")
    with open(PROGRAM, "rb") as file, open(other, "wb") as copy:
        copy.write(file.read().replace(b"\0%s\0" % version.encode(), b"\0005.0.0\0"))
    os.chmod(other, 0o700)
    command, one.command = one.command, [*one.command[:-1], other]
    fails_to_start(one, f"the plugin was built for strongSwan {version} and this is 5.0.0")
    one.command = command

    one.start()  # without isthmusd
    one.said("isthmusd cannot be reached")
    one.stop()
    refusing = pair.fake["a"] = Fake(pair.fake["a"].path, answers=lambda header, _: p.refuse("too old"))
    one.start()
    one.said("isthmusd refuses this charon: too old")
    one.stop()
    assert not refusing.malformed
    with open(one.configuration, encoding="utf-8") as file:
        text = file.read()
    with open(one.configuration, "w", encoding="utf-8") as file:
        file.write(text.replace("socket = " + refusing.path, ""))
    fails_to_start(one, "plugins.kernel-isthmus.socket is not set")


def main():
    net.signals_raise()
    tap.main()


main()
