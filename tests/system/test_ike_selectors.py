#!/usr/bin/python3
"""Traffic selectors over SAs of IKE: what is outside them neither leaves an appliance nor enters one."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib import resources as az
from lib.capture import Capture
from lib.charon import Charon, child, connection
from lib.ike_site import Site, inner, outer, space
from lib.switch import Switch

SECRET = "a key for tests, and a long one"
OUTSIDE = "10.9.1.4"   # of no site
REQID = 77             # see lib.charon.Control.forge
POLICY_BASED = {"vpnType": "PolicyBased"}


def hosts(number, version=4):
    """The subnet of a site's host: less than its space."""
    return f"10.{number}.1.0/24" if version == 4 else f"fd0{number}:0:0:1::/64"


def elsewhere(number, version=4):
    """In a site's space, not in its host's subnet."""
    return f"10.{number}.2.4" if version == 4 else f"fd0{number}:0:0:2::4"


def router(number):
    """The site's host may send what is not its own: its selectors are all that is in the way."""
    return az.nic("host", "net/hosts", inner(number), inner(number, 6), forwarding=True)


class Scene:
    """Two appliances, and at site 3 a charon with ESP in userland."""

    def __init__(self):
        self.switch, self.peer, self.charon, self.site = Switch(), None, None, []
        try:
            for number in (1, 2):
                self.site.append(Site(self.switch, number))
            self.peer = net.Namespace("peer")
            self.switch.plug(self.peer, "eth0")
            self.peer.address("eth0", outer(3) + "/24")
            self.peer.address("lo", inner(3) + "/32", OUTSIDE + "/32", elsewhere(3) + "/32")
            self.charon = Charon(self.peer, more={"delete_rekeyed_delay": 1}).start()
            self.charon.psk(SECRET)
            for site in self.site:
                site.start([], wait=False)
            for site in self.site:
                site.host.address("lo", OUTSIDE + "/32")
                site.host.address("eth0", elsewhere(site.number) + "/32", elsewhere(site.number, 6) + "/128")
                site.box.wait()
        except BaseException:
            self.close()
            raise

    def configure(self, name, gateway=None, **more):
        """The same words at both ends, under a name of its own: an SA of before is not theirs."""
        for site in self.site:
            peer = 3 - site.number
            own = {key: value(site.number, peer) if callable(value) else value for key, value in more.items()}
            site.apply([site.connection(name, outer(peer), [space(peer), space(peer, 6)], key=SECRET, **own)],
                       gateway=gateway, networkInterfaces=[router(site.number)])

    def explain(self):
        return "\n".join(f"{site.name}: {site.drops()}\n{site.log()}" for site in self.site)

    def passes(self, version=4):
        for site in self.site:
            there = inner(3 - site.number, version)
            own = ["-I", inner(site.number, version)]
            net.eventually(lambda s=site, a=there, o=own: s.ping(a, 1, wait=0.3, options=o), 20,
                           what=f"an answer to {site.name}, IPv{version}")
            assert site.ping(there, 3, options=own) == 3, self.explain()

    def stays(self, target, source=None, first=0, version=4):
        """Pings from this source at the first end are all dropped there, by name, and none is sealed."""
        site = self.site[first]
        before, sealed = site.drops(), sealed_by(site)
        options = ["-I", source or inner(site.number, version)]
        assert site.ping(target, 4, wait=0.3, options=options) == 0, self.explain()
        net.eventually(lambda: site.drops().get("selector-out", 0) == before.get("selector-out", 0) + 4, 3,
                       what=f"drops by selector-out, of before {before}")
        assert sealed_by(site) == sealed, "what was to stay went out"

    def close(self):
        for part in (self.charon, *self.site, self.peer, self.switch):
            if part:
                part.close()


def sealed_by(site):
    return sum(row["counters"]["packets"] for row in site.box.ask("sa list") if row["direction"] == "out")


def pairs(version):
    def of(here, there):
        return [{"localAddressRanges": [hosts(here, v)], "remoteAddressRanges": [hosts(there, v)]} for v in version]
    return of


def explicit_selectors(scene):
    """trafficSelectorPolicies, less than the spaces that are routed: to and from elsewhere nothing passes."""
    scene.configure("explicit", trafficSelectorPolicies=pairs((4, 6)))
    for version in (4, 6):
        scene.passes(version)
        for first, site in enumerate(scene.site):
            peer = 3 - site.number
            scene.stays(elsewhere(peer, version), first=first, version=version)
            scene.stays(inner(peer, version), elsewhere(site.number, version), first=first, version=version)


def policy_based_selectors(scene):
    """usePolicyBasedTrafficSelectors: between the spaces all passes, and from nowhere else."""
    scene.configure("spaces", usePolicyBasedTrafficSelectors=True)
    for version in (4, 6):
        scene.passes(version)
    before = sealed_by(scene.site[0])
    scene.site[0].ping(elsewhere(2), 3, wait=0.3)
    assert sealed_by(scene.site[0]) == before + 3, "what may leave stayed"
    for first in (0, 1):
        scene.stays(inner(2 - first), OUTSIDE, first=first)


def policy_based_gateway(scene):
    """IKEv1 without a word about it; one child has one pair of selectors."""
    scene.configure("old", gateway=POLICY_BASED)
    scene.passes()
    for first in (0, 1):
        scene.stays(inner(2 - first), OUTSIDE, first=first)


def policy_based_gateway_with_selectors(scene):
    scene.configure("older", gateway=POLICY_BASED, trafficSelectorPolicies=pairs((4,)))
    scene.passes()
    for first, site in enumerate(scene.site):
        scene.stays(elsewhere(3 - site.number), first=first)
        scene.stays(inner(3 - site.number), elsewhere(site.number), first=first)


def forged(scene, version, gateway=None, **more):
    """The peer's SA takes what its selectors do not have; the appliance opens it and lets none of it in."""
    site, name = scene.site[0], f"forged{version}"
    site.apply([site.connection(name, outer(3), [space(3)], key=SECRET, connectionMode="ResponderOnly",
                                appliance={"forceEncapsulation": True}, **more)], gateway=gateway)
    net.eventually(lambda: f"vici connection: {name}\n" in site.box.log(), 20, what=f"charon to know {name}")
    selected = child(hosts(3), hosts(1), reqid=str(REQID), esp_proposals=["aes256gcm16", "aes256-sha256"])
    scene.charon.connection(name, connection(outer(3), outer(1), {name: selected}, version, encap=True,
                                             proposals=["aes256-sha256-modp2048"]))
    scene.charon.initiate(name, timeout=15)
    net.eventually(lambda: ping_of(scene, inner(3), 1), what="an answer to the peer")
    assert ping_of(scene, inner(3), 3) == 3, scene.explain()
    seen = Capture(scene.charon.folder, (site.host, "eth0"))
    for source in (elsewhere(3), OUTSIDE):
        scene.charon.forge(source, space(1), REQID, outer(1))
        before = site.drops().get("selector-in", 0)
        assert ping_of(scene, source, 4) == 0, f"an answer to {source}"
        net.eventually(lambda b=before: site.drops().get("selector-in", 0) == b + 4, 3, what=f"drops of {source}")
        scene.charon.unforge()
    seen.stop()
    assert seen.count(f"host {OUTSIDE} or host {elsewhere(3)}") == 0, "a host got what was forged"
    assert ping_of(scene, inner(3), 3) == 3, scene.explain()
    scene.charon.terminate(ike=name)
    scene.charon.unload(name)


def ping_of(scene, source, count):
    return scene.peer.ping(inner(1), count, wait=0.3, options=["-I", source])


def peer_forges_by_ikev2(scene):
    forged(scene, 2, trafficSelectorPolicies=pairs((4,))(1, 3))


def peer_forges_by_ikev1(scene):
    forged(scene, 1, gateway=POLICY_BASED, trafficSelectorPolicies=pairs((4,))(1, 3))


def main():
    net.signals_raise()
    scene = Scene()
    try:
        for story in (explicit_selectors, policy_based_selectors, policy_based_gateway,
                      policy_based_gateway_with_selectors, peer_forges_by_ikev2, peer_forges_by_ikev1):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
