#!/usr/bin/python3
"""charon's plugin kernel-isthmus in real charons, with a fake isthmusd for each."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import shutil
import tempfile

from lib import ike_protocol as p
from lib import net, tap
from lib.charon import child, connection
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


def story(function):
    """Runs on a Pair of its own; its charons' logs are shown when it fails."""
    def run():
        if missing():
            tap.skip(missing())
        pair = Pair()
        try:
            function(pair)
            assert not any(fake.malformed for fake in pair.fake.values()), "malformed records of the plugin"
            for name, one in pair.charon.items():
                assert one.process.popen.poll() in (None, 0, -9), f"charon {name} has crashed"
        except BaseException:
            for name, one in pair.charon.items():
                print("\n".join(f"# {name}: {line}" for line in one.log().splitlines()[-60:]))
            raise
        finally:
            pair.close()
    tap.add(function.__name__, run)
    return function


def up(pair, **more):
    """Both configured alike, and the tunnel brought up by a."""
    for name in "ab":
        pair.load(name, **more)
    pair.charon["a"].initiate("net")


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


def main():
    net.signals_raise()
    tap.main()


main()
