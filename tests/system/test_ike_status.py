#!/usr/bin/python3
"""What `connection` and `vpn troubleshoot` say: of a connection that works, and of each way in which one may not."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib import resources as az
from lib.appliance import Refused
from lib.ike_pair import SECRET, Pair
from lib.ike_site import inner, outer, space

QUICK = {"ike": {"retransmitTries": 1}}
POLICY = {"ikeEncryption": "AES256", "ikeIntegrity": "SHA384", "dhGroup": "ECP384", "ipsecEncryption": "GCMAES256",
          "ipsecIntegrity": "GCMAES256", "pfsGroup": "ECP384", "saLifeTimeSeconds": 3600,
          "saDataSizeKilobytes": 102400000}


def connection(end, peer=None, key=SECRET, prefixes=None, appliance=None, **more):
    other = 3 - end.number
    return [end.connection("s2s", peer or outer(other), prefixes or [space(other), space(other, 6)], key=key,
                           appliance=appliance, **more)]


def apply(end, connections, **more):
    end.apply(connections, appliance=dict(QUICK), **more)


def shown(end):
    return end.box.ask("connection show", name="s2s")


def faults(end, resource="s2s"):
    """{id: result}."""
    return {row["id"]: row for row in end.box.ask("vpn troubleshoot", resource=resource)["results"]}


def says(end, fault, reason, words="", timeout=30):
    """An end comes to name the fault, with evidence that has these words."""
    def named():
        row = faults(end).get(fault)
        return row if row and row["reasonType"] == reason else None
    try:
        row = net.eventually(named, timeout, what=f"{fault}/{reason} at {end.name}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {end.box.ask('vpn troubleshoot')}\n{end.log()}") from None
    assert row["recommendedActions"] and words in str(row["evidence"]), row
    assert shown(end)["connectionStatus"] in ("Connecting", "NotConnected"), shown(end)
    gateway = faults(end, "gw")
    assert list(gateway) == ["ConnectionsNotConnected"] and "s2s" in gateway["ConnectionsNotConnected"]["evidence"][0]
    return row


def await_connected(pair):
    net.eventually(lambda: all(shown(end)["connectionStatus"] == "Connected" for end in pair.end), 40,
                   what="both ends are connected")


def heal(pair):
    for end in pair.end:
        apply(end, connection(end))
    await_connected(pair)
    pair.await_pings()


# ---- a connection that works

def before_it_is_up(pair):
    """One end alone."""
    pair.record()
    pair.left.start(connection(pair.left), appliance=dict(QUICK))
    now = shown(pair.left)
    assert now["connectionStatus"] in ("Connecting", "Unknown"), now  # Unknown until charon is there
    net.eventually(lambda: shown(pair.left)["connectionStatus"] == "Connecting", 20, what="charon is there")
    assert shown(pair.left)["tunnelConnectionStatus"][0]["lastConnectionEstablishedUtcTime"] is None


def connected(pair):
    pair.right.start(connection(pair.right), appliance=dict(QUICK))
    pair.await_pings()
    for end in pair.end:
        net.eventually(lambda e=end: shown(e)["connectionStatus"] == "Connected", 10, what="Connected")
        before = shown(end)
        assert end.ping(inner(3 - end.number), 10) == 10
        now = shown(end)
        for key in ("ingressBytesTransferred", "egressBytesTransferred"):
            assert now[key] >= before[key] + 10 * 84, (key, before[key], now[key])
        tunnel, = now["tunnelConnectionStatus"]
        assert tunnel["tunnel"] == f"s2s_{outer(3 - end.number)}" and tunnel["lastConnectionEstablishedUtcTime"], tunnel
        assert now["connectionType"] == "IPsec" and now["localNetworkGateway2"]["id"] == "to-s2s", now
        state = now["appliance"]["state"]
        assert (state["keys"], state["ikeState"], state["ikeVersion"]) == ("ike", "Established", 2), state
        assert (state["localId"], state["remoteId"]) == (outer(end.number), outer(3 - end.number)), state
        assert SECRET not in str(now), "the shared key is shown"


def security_associations(pair):
    """Of both ends, and each is the other's."""
    lists = [end.box.ask("sa list") for end in pair.end]
    for mine, theirs in (lists, reversed(lists)):
        out = {row["spi"] for row in mine if row["direction"] == "out"}
        assert out and out <= {row["spi"] for row in theirs if row["direction"] == "in"}, lists
    row = lists[0][0]
    assert row["keys"] == "ike" and row["tunnel"] == "connection s2s" and row["peer"] == outer(2), row
    assert row["trafficSelectors"] == [] and row["rekeyInSeconds"] < row["expiresInSeconds"], row
    assert len(shown(pair.left)["securityAssociations"]) == len(lists[0])


def as_tables(pair):
    def table(*words):
        return pair.left.box.command(*words).stdout
    assert "Connected" in table("connection", "list") and outer(2) in table("connection", "list")
    assert "SPI" in table("connection", "show", "s2s") and "ikeProposal" in table("connection", "show", "s2s")
    assert "NoFault" in table("vpn", "troubleshoot") and "gw" in table("vpn", "troubleshoot")


def healthy(pair):
    for end in pair.end:
        answer = end.box.ask("vpn troubleshoot")
        assert answer["code"] == "Healthy", answer
        assert [(row["resource"], row["id"]) for row in answer["results"]] == [("gw", "NoFault"), ("s2s", "NoFault")]


def reset(pair):
    before = {sa["uniqueid"] for sa in pair.left.established()}
    pair.left.box.ask("connection reset", name="s2s")
    net.eventually(lambda: {sa["uniqueid"] for sa in pair.left.established()} - before, 20, what="another IKE_SA")
    pair.await_pings()
    net.eventually(lambda: shown(pair.left)["connectionStatus"] == "Connected", 10, what="Connected")


def unknown_names(pair):
    for verb, key in (("connection show", "name"), ("connection reset", "name"), ("vpn troubleshoot", "resource")):
        try:
            pair.left.box.ask(verb, **{key: "nobody"})
        except Refused as error:
            assert "NotFound" in str(error) and "nobody" in str(error), error
        else:
            raise AssertionError(f"{verb} of a name that is not there")


# ---- and each way in which one may not

def shared_keys_differ(pair):
    apply(pair.right, connection(pair.right, key="another key than that of the peer"))
    pair.left.box.ask("connection reset", name="s2s")  # what is up stays up
    for end in pair.end:
        row = net.eventually(lambda e=end: faults(e).get("Authentication"), 30, what=f"Authentication at {end.name}")
        assert row["reasonType"] in ("RefusedByPeer", "PeerNotAuthenticated"), row
        assert "another key" not in str(row) and SECRET not in str(row)
    heal(pair)


def ike_proposals_differ(pair):
    apply(pair.left, connection(pair.left, ipsecPolicies=[POLICY]))
    apply(pair.right, connection(pair.right, ipsecPolicies=[{**POLICY, "dhGroup": "DHGroup14"}]))
    for end in pair.end:
        says(end, "IkePolicyMismatch", "IkeProposal")
    heal(pair)


def esp_proposals_differ(pair):
    other = {**POLICY, "ipsecEncryption": "AES256", "ipsecIntegrity": "SHA256"}
    apply(pair.left, connection(pair.left, ipsecPolicies=[POLICY]))
    apply(pair.right, connection(pair.right, ipsecPolicies=[other]))
    for end in pair.end:
        says(end, "IkePolicyMismatch", "EspProposal")
    heal(pair)


def selectors_differ(pair):
    """No selector of one end fits any of the other."""
    for end, remote in zip(pair.end, ("10.2.0.0/16", "172.16.0.0/16")):
        apply(end, connection(end, trafficSelectorPolicies=[
            {"localAddressRanges": [space(end.number)], "remoteAddressRanges": [remote]}]))
    for end in pair.end:
        says(end, "IkePolicyMismatch", "TrafficSelectors")
    heal(pair)


def nobody_at_the_address(pair):
    apply(pair.left, connection(pair.left, peer="192.0.2.77"))
    says(pair.left, "PeerReachability", "NoAnswer", "192.0.2.77")
    heal(pair)


def name_without_address(pair):
    apply(pair.left, connection(pair.left, peer="nobody.invalid", appliance={"remoteId": outer(2)}))
    says(pair.left, "PeerReachability", "NameWithoutAddress")
    heal(pair)


def peer_is_lost(pair):
    """Dead peer detection finds out."""
    for end in pair.end:
        apply(end, connection(end, dpdTimeoutSeconds=9))
    await_connected(pair)
    pair.await_one()
    pair.wire.cut()
    for end in pair.end:
        says(end, "PeerReachability", "DeadPeer", timeout=60)
        assert shown(end)["connectionStatus"] == "NotConnected"
    pair.wire.join()
    heal(pair)


def addresses_overlap(pair):
    """A peered network has addresses of the remote one and is preferred."""
    config = pair.left.config(connection(pair.left, prefixes=[space(2), space(2, 6), "10.9.1.0/24"]), appliance=QUICK)
    config["virtualNetworks"][0]["virtualNetworkPeerings"] = [az.peering("to-spoke", "spoke")]
    config["virtualNetworks"].append(az.vnet("spoke", ["10.9.0.0/16"], [az.subnet("only", "10.9.0.0/24")],
                                             [az.peering("to-net", "net")]))
    pair.left.box.apply(config)
    row = faults(pair.left)["AddressOverlap"]
    assert "10.9.1.0/24" in row["evidence"][0] and "net/hosts" in row["evidence"][0], row
    heal(pair)


def charon_is_gone(pair):
    """Its successor finds the way again."""
    os.kill(pair.left.charon_pid(), 9)
    pair.left.forget_vici()
    net.eventually(lambda: "ServiceNotRunning" in faults(pair.left), 10, step=0.01, what="ServiceNotRunning")
    heal(pair)


STORIES = (before_it_is_up, connected, security_associations, as_tables, healthy, reset, unknown_names,
           shared_keys_differ, ike_proposals_differ, esp_proposals_differ, selectors_differ, nobody_at_the_address,
           name_without_address, peer_is_lost, addresses_overlap, charon_is_gone)


def main():
    net.signals_raise()
    with Pair() as pair:
        for story in STORIES:
            tap.add(story.__name__, story, pair)
        tap.add("nothing_went_in_clear", pair.check_clear)
        tap.main()


main()
