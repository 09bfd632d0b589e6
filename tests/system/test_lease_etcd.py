#!/usr/bin/python3
"""Two appliances and a lease in a real etcd, of one member and of three: whoever dies, hangs, leaves or is cut off is
followed, nobody is primary without a quorum, and never two are at once."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import base64
import signal
import time

from lib import net, pki, tap
from lib.etcd import Etcd
from lib.pair import DURATION_S, Pair

KEY = "/isthmus/test"
# A follower asks three times a second; the rest is a busy machine's.
SLACK_S = 3


class Scene:
    """etcd, and two appliances on its bridge."""

    def __init__(self, members, authority=None):
        self.etcd = Etcd(members, authority)
        lease = {"kind": "etcd", "endpoints": self.etcd.endpoints(), "key": KEY}
        if authority:
            lease |= zip(("caFile", "certificate", "privateKeyFile"), self.etcd.files)
        self.pair = Pair(lease)
        try:
            self.link = {node: self.etcd.attach(box.namespace, f"10.9.0.{101 + i}/24")
                         for i, (node, box) in enumerate(self.pair.box.items())}
        except BaseException:
            self.close()
            raise

    def close(self):
        self.pair.close()
        self.etcd.close()


def the_preferred_one_begins(s):
    p = s.pair
    p.start("a", "b")
    assert p.primary() == "a"
    seen = net.eventually(lambda: (x := p.show("b")) and x["holder"] == "a" and x, what="b sees a")
    assert (seen["role"], seen["kind"], seen["exclusive"], seen["lastError"]) == ("follower", "etcd", True, None), seen
    own = p.show("a")
    assert own["epoch"] == seen["epoch"] > 0 and own["transitions"] == 1, own
    key = base64.b64encode(KEY.encode()).decode()
    found = s.etcd.ask(0, "/v3/kv/range", key=key)["kvs"][0]
    holder, epoch, duration_ms = base64.b64decode(found["value"]).decode().split()
    assert holder.startswith("a/") and int(duration_ms) == DURATION_S * 1000, found
    assert (int(epoch) or int(found["mod_revision"])) == own["epoch"], found


def it_stays_through_renewals(s):
    before = s.pair.show("a")
    time.sleep(2 * DURATION_S)
    after = s.pair.show("a")
    assert (after["role"], after["epoch"], after["transitions"]) == ("primary", before["epoch"], 1), after


def a_killed_one_is_followed_when_its_time_is_over(s):
    p = s.pair
    node = p.primary()
    epoch = p.show(node)["epoch"]
    assert p.takeover(node, p.kill) < DURATION_S + SLACK_S
    assert p.show(p.other(node))["epoch"] > epoch
    p.start(node)
    assert p.show(node)["role"] == "follower"


def a_stopped_one_too(s):
    p = s.pair
    node = p.primary()
    seconds = p.takeover(node, p.pause)
    assert DURATION_S / 2 < seconds < DURATION_S + SLACK_S, seconds
    p.resume(node)
    assert net.eventually(lambda: p.show(node), what=f"{node} answers")["role"] == "follower"
    net.eventually(lambda: (p.show(node) or {}).get("holder") == p.other(node), what="it sees the new one")
    p.never_two()


def one_that_leaves_hands_over(s):
    p = s.pair
    node = p.primary()
    assert p.takeover(node, p.leave) < 1.5
    assert p.box[node].process.popen.wait(15) == 0
    p.start(node)


def one_that_is_cut_off_gives_up_first(s):
    p = s.pair
    node = p.primary()
    s.etcd.cut(s.link[node])
    try:
        # it answers its own socket all the time: the watcher sees both
        net.eventually(lambda: p.show(node)["role"] == "follower", DURATION_S + 1, what="demotion")
        assert p.primary() == p.other(node)
        assert p.show(node)["lastError"], p.show(node)
    finally:
        s.etcd.cut(s.link[node], False)
    net.eventually(lambda: (p.show(node) or {}).get("holder") == p.other(node), what="it sees the new one")
    p.never_two()


def a_deleted_key_ends_the_role(s):
    """An operator's hand: whoever had it does not go on without the key, and the other one waits for that."""
    p = s.pair
    for _ in range(2):
        before = p.show(p.primary())
        time.sleep(0.5)  # the follower has seen whose it is
        s.etcd.ask(0, "/v3/kv/deleterange", key=base64.b64encode(KEY.encode()).decode())
        net.eventually(lambda: any((x := p.show(n)) and x["role"] == "primary" and x["epoch"] > before["epoch"]
                                   for n in p.box), DURATION_S + SLACK_S, what="a new epoch")
    p.never_two()


def a_follower_that_is_cut_off_changes_nothing(s):
    p = s.pair
    node = p.primary()
    before = p.show(node)
    s.etcd.cut(s.link[p.other(node)])
    time.sleep(1.5 * DURATION_S)
    s.etcd.cut(s.link[p.other(node)], False)
    after = p.show(node)
    assert (after["role"], after["epoch"]) == ("primary", before["epoch"]), after


def a_member_may_die(s):
    """The leader of etcd, the worst one: a primary may have to pause for an election, and is never two."""
    p = s.pair
    leader = s.etcd.leader()
    s.etcd.kill(leader)
    time.sleep(DURATION_S)
    p.primary()
    s.etcd.start(leader)
    s.etcd.wait()
    p.never_two()


def a_member_may_hang(s):
    """The leader stands still for longer than the lease and goes on as if it still were leader."""
    p = s.pair
    leader = s.etcd.leader()
    s.etcd.process[leader].popen.send_signal(signal.SIGSTOP)
    try:
        time.sleep(2 * DURATION_S)
        p.primary()
    finally:
        s.etcd.process[leader].popen.send_signal(signal.SIGCONT)
    s.etcd.wait()
    time.sleep(DURATION_S)
    p.primary()
    p.never_two()


def without_a_quorum_nobody_is_primary(s):
    p = s.pair
    epoch = p.show(p.primary())["epoch"]
    s.etcd.kill(1)
    s.etcd.kill(2)
    net.eventually(lambda: not p.primaries(), DURATION_S + 1, what="nobody is primary")
    time.sleep(DURATION_S)
    assert not p.primaries()
    for number in (1, 2):
        s.etcd.start(number)
    s.etcd.wait()
    assert p.show(p.primary())["epoch"] >= epoch
    p.never_two()


def the_side_without_a_quorum_is_not_primary(s):
    """A cut through everything: the primary with one member, the other node with two."""
    p = s.pair
    node = p.primary()
    alone = s.etcd.leader()
    links = (s.link[node], f"port{alone}")
    far = s.etcd.hub
    far.ip("link add br1 type bridge")
    far.ip("link set br1 up")
    for link in links:
        far.ip(f"link set {link} master br1")
    try:
        net.eventually(lambda: p.primaries() == [p.other(node)], 2 * DURATION_S + SLACK_S, what="the other side has it")
        assert p.show(node)["role"] == "follower"
    finally:
        for link in links:
            far.ip(f"link set {link} master br0")
        far.ip("link del br1")
    net.eventually(lambda: (p.show(node) or {}).get("holder") == p.other(node), what="it sees the new one")
    p.never_two()


def both_ends_prove_themselves(s):
    """By TLS: a client that trusts another authority, and one that has no certificate, say so and are not primary."""
    p = s.pair
    stranger = pki.write(s.etcd.folder, "stranger.pem", pki.Authority("Stranger").pem)
    bare = p.config("b")
    del bare["appliance"]["highAvailability"]["lease"]["certificate"]
    del bare["appliance"]["highAvailability"]["lease"]["privateKeyFile"]
    for config, word in ((p.config("b", caFile=stranger), "certificate"), (bare, "certificate")):
        p.box["b"].start(config)
        net.eventually(lambda: word in ((p.show("b") or {}).get("lastError") or "").lower(), 5, what="the reason")
        time.sleep(DURATION_S)
        assert p.show("b")["role"] == "follower"
        p.box["b"].stop()
    p.start("a", "b")
    node = p.primary()
    assert p.takeover(node, p.leave) < 1.5


def main():
    net.signals_raise()
    scenes = []
    try:
        for name, arguments, stories in (
                ("one", (1,), (the_preferred_one_begins, it_stays_through_renewals,
                     a_killed_one_is_followed_when_its_time_is_over, a_stopped_one_too, one_that_leaves_hands_over,
                     one_that_is_cut_off_gives_up_first, a_follower_that_is_cut_off_changes_nothing,
                     a_deleted_key_ends_the_role)),
                ("three", (3,), (the_preferred_one_begins, a_member_may_die, a_member_may_hang,
                     without_a_quorum_nobody_is_primary,
                     the_side_without_a_quorum_is_not_primary)),
                ("tls", (1, pki.Authority("etcd")), (both_ends_prove_themselves,))):
            scene = Scene(*arguments)
            scenes.append(scene)
            for story in stories:
                tap.add(f"{name}: {story.__name__}", story, scene)
            tap.add(f"{name}: never_two_primaries", scene.pair.never_two)
        tap.main()
    finally:
        for s in scenes:
            s.close()


main()
