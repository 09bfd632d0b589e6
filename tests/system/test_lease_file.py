#!/usr/bin/python3
"""Two appliances and a lease in files: whoever dies, hangs, stops or loses its disk is followed, and never two are
primary at once."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import time

from lib import net, processes
from lib.appliance import Refused
from lib.pair import DURATION_S, MARGIN_MS, Pair, tell

SLACK_S = 1.5  # of a busy machine


def the_preferred_one_begins(p):
    p.start("a", "b")
    assert p.primary() == "a"
    seen = net.eventually(lambda: (s := p.show("b")) and s["holder"] == "a" and s, what="b sees a")
    assert (seen["role"], seen["kind"], seen["exclusive"], seen["remainingMilliseconds"], seen["lastError"]) == (
        "follower", "file", True, None, None), seen
    own = p.show("a")
    assert own["epoch"] == seen["epoch"] == 1 and own["holder"] == own["node"] == "a" and own["transitions"] == 1, own
    assert 0 < own["remainingMilliseconds"] <= DURATION_S * 1000 - MARGIN_MS, own


def it_stays_through_renewals_and_reloads(p):
    before = p.show("a")
    p.box["a"].apply(p.config("a"))
    time.sleep(2 * DURATION_S)
    after = p.show("a")
    assert (after["role"], after["epoch"], after["transitions"]) == ("primary", before["epoch"], 1), after
    try:
        p.box["a"].apply(p.config("a", durationSeconds=30))
    except Refused as why:
        assert "NeedsRestart" in str(why) and "highAvailability" in str(why), why
    else:
        raise AssertionError("another duration was applied")


def a_killed_one_is_followed_at_once(p):
    node, epoch = p.primary(), p.show(p.primary())["epoch"]
    seconds = p.takeover(node, p.kill)
    assert seconds < SLACK_S, seconds
    assert p.show(p.other(node))["epoch"] == epoch + 1
    p.start(node)
    net.eventually(lambda: (p.show(node) or {}).get("holder") == p.other(node), what="the new run sees the holder")
    assert p.show(node)["role"] == "follower"


def a_stopped_one_is_followed_when_its_time_is_over(p):
    node = p.primary()
    seconds = p.takeover(node, p.pause)
    assert DURATION_S * 2 / 3 - 0.1 < seconds < DURATION_S + SLACK_S, seconds
    p.resume(node)
    # whatever it says first, it is not primary
    assert net.eventually(lambda: p.show(node), what=f"{node} answers")["role"] == "follower"
    assert net.eventually(lambda: (s := p.show(node)) and s["holder"] == p.other(node) and s)["role"] == "follower"
    p.never_two()


def a_short_stop_changes_nothing(p):
    node = p.primary()
    before = p.show(node)
    p.pause(node)
    time.sleep(DURATION_S / 4)
    p.resume(node)
    time.sleep(DURATION_S)
    after = p.show(node)
    assert (after["role"], after["epoch"], after["transitions"]) == (
        "primary", before["epoch"], before["transitions"]), after


def a_hanging_disk_ends_the_role(p):
    """The thread on the files stands still, all else goes on: the role ends by itself, before another one has it."""
    node = p.primary()
    pid = p.box[node].process.pid
    with processes.frozen(processes.thread(pid, "isthmus-lease")):
        net.eventually(lambda: (p.show(node) or {}).get("role") == "follower", DURATION_S + SLACK_S, what="demotion")
        assert p.primary() == p.other(node)
    net.eventually(lambda: (p.show(node) or {}).get("holder") == p.other(node), what="it sees the new one")
    assert p.show(node)["role"] == "follower"
    p.never_two()


def one_that_leaves_hands_over(p):
    node = p.primary()
    seconds = p.takeover(node, p.leave)
    assert seconds < SLACK_S, seconds
    assert p.box[node].process.popen.wait(15) == 0
    p.start(node)


def one_that_leaves_with_a_hanging_disk_leaves(p):
    node = p.primary()
    process = p.box[node].process
    with processes.frozen(processes.thread(process.pid, "isthmus-lease")):
        assert p.takeover(node, p.leave) < DURATION_S + SLACK_S
    assert process.popen.wait(15) == 0
    p.start(node)


def a_missing_folder_is_said(p):
    """Both lose it: nobody is primary, and both say why; with the folder the role is back, by a higher epoch."""
    node, epoch = p.primary(), p.show(p.primary())["epoch"]
    folder = os.path.dirname(p.lease["path"])
    os.rename(folder, folder + ".away")
    try:
        net.eventually(lambda: not p.primaries(), DURATION_S + SLACK_S, what="nobody is primary")
        net.eventually(lambda: "No such file" in ((p.show(node) or {}).get("lastError") or ""), what="the error")
    finally:
        os.rename(folder + ".away", folder)
    back = p.show(p.primary())
    assert back["epoch"] >= epoch and back["lastError"] is None, back
    p.never_two()


tell(Pair, (the_preferred_one_begins, it_stays_through_renewals_and_reloads, a_killed_one_is_followed_at_once,
            a_stopped_one_is_followed_when_its_time_is_over, a_short_stop_changes_nothing,
            a_hanging_disk_ends_the_role, one_that_leaves_hands_over, one_that_leaves_with_a_hanging_disk_leaves,
            a_missing_folder_is_said))
