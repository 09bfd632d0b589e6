#!/usr/bin/python3
"""Route tables between hosts' kernels: through an NVA, None, invalid next hops, and what the CLI says of them."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from lib import net, tap
from lib import resources as az
from lib.scene import Scene

NVA = {4: "10.1.9.4", 6: "fd01:0:0:9::4"}


def config(client_routes=(), server_routes=()):
    """One VNet: a client, a server, an NVA; the route tables of the first two are given."""
    return {
        "virtualNetworks": [az.vnet("v", ["10.1.0.0/16", "fd01::/48"], [
            az.subnet("client", "10.1.1.0/24", "fd01:0:0:1::/64", route_table="client"),
            az.subnet("server", "10.1.2.0/24", "fd01:0:0:2::/64", route_table="server"),
            az.subnet("nva", "10.1.9.0/24", "fd01:0:0:9::/64")])],
        "routeTables": [az.route_table("client", *client_routes), az.route_table("server", *server_routes)],
        "networkInterfaces": [az.nic("nva", "v/nva", NVA[4], NVA[6], forwarding=True)]}


def through(name, subnet4, subnet6):
    return [az.route(name + "4", subnet4, "VirtualAppliance", NVA[4]),
            az.route(name + "6", subnet6, "VirtualAppliance", NVA[6])]


TO_SERVER = through("to-server", "10.1.2.0/24", "fd01:0:0:2::/64")
TO_CLIENT = through("to-client", "10.1.1.0/24", "fd01:0:0:1::/64")
HOSTS = {"client": "v/client", "server": "v/server", "nva": "v/nva"}


def load(scene, client=(), server=()):
    scene.apply(lambda c: c.update(config(client, server)))


def forwarded_by_nva(scene):
    """Packets that the NVA's kernel forwarded so far, both families."""
    text = scene.host["nva"].sh("cat /proc/net/snmp; cat /proc/net/snmp6").stdout
    ip = [line.split() for line in text.splitlines() if line.startswith("Ip:")]
    v4 = int(ip[1][ip[0].index("ForwDatagrams")])
    v6 = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Ip6OutForwDatagrams"))
    return {4: v4, 6: v6}


def inside_a_vnet_packets_go_straight(scene):
    load(scene)
    before = forwarded_by_nva(scene)
    for version in (4, 6):
        assert scene.reaches("client", "server", version), scene.drops()
    assert forwarded_by_nva(scene) == before


def route_leads_through_the_nva(scene):
    load(scene, TO_SERVER, TO_CLIENT)
    for version in (4, 6):
        before = forwarded_by_nva(scene)[version]
        assert scene.reaches("client", "server", version), scene.drops()
        assert forwarded_by_nva(scene)[version] - before == 6, "echo and reply, three times"


def one_way_through_the_nva(scene):
    """Only the client's table leads there; answers come straight."""
    load(scene, TO_SERVER)
    before = forwarded_by_nva(scene)[4]
    assert scene.reaches("client", "server"), scene.drops()
    assert forwarded_by_nva(scene)[4] - before == 3


def tcp_through_the_nva(scene):
    load(scene, TO_SERVER, TO_CLIENT)
    for version in (4, 6):
        assert scene.connects("client", "server", 8080, version), scene.drops()


def changed_route_moves_a_flow_at_once(scene):
    """An established TCP connection follows the new table."""
    load(scene)
    got = os.path.join(scene.box.folder, "got")
    os.mkfifo(got + ".in")
    scene.host["server"].start("socat", "-u", "TCP-LISTEN:8081,reuseaddr", f"CREATE:{got}")
    net.eventually(lambda: ":8081 " in scene.host["server"].run("ss", "-ltn").stdout, what="the listener")
    talker = scene.host["client"].start("socat", "-u", f"OPEN:{got}.in", f"TCP:{scene.ip('server')}:8081")
    with open(got + ".in", "wb", buffering=0) as pipe:
        pipe.write(b"straight\n")
        net.eventually(lambda: os.path.exists(got) and os.path.getsize(got) == 9, what="the first line")
        load(scene, TO_SERVER, TO_CLIENT)
        before = forwarded_by_nva(scene)[4]
        pipe.write(b"around\n")
        net.eventually(lambda: os.path.getsize(got) == 16, what="the second line")
        assert forwarded_by_nva(scene)[4] > before, "the flow kept its old route"
    talker.stop()


def none_drops_by_name(scene):
    load(scene, [az.route("nowhere", "10.1.2.0/24", "None")])
    assert scene.silent("client", "server")
    assert any("nowhere" in name for name in scene.deciders("route-none")), scene.deciders("route-none")


def longer_prefix_wins(scene):
    """None for the subnet, but the one host has a route of its own."""
    load(scene, [az.route("nowhere", "10.1.2.0/24", "None"), az.route("one", "10.1.2.4/32", "VirtualAppliance", NVA[4])])
    assert scene.reaches("client", "server"), scene.drops()


def nva_without_forwarding_may_not_send_for_others(scene):
    def change(c):
        c.update(config(TO_SERVER, TO_CLIENT))
        c["networkInterfaces"][0]["enableIPForwarding"] = False
    scene.apply(change)
    assert scene.silent("client", "server")
    drops = scene.drops()
    assert drops.get("source-check", 0) + drops.get("route-invalid", 0) > 0, drops


def unreachable_next_hop_is_invalid(scene):
    """No VNet has the address: the route is listed as Invalid with a reason, its packets drop by name."""
    load(scene, [az.route("astray", "10.1.2.0/24", "VirtualAppliance", "10.77.0.4")])
    assert scene.silent("client", "server")
    assert scene.drops().get("route-invalid", 0) > 0, scene.drops()


def effective_routes_list_winners_and_losers(scene):
    load(scene, [az.route("server", "10.1.0.0/16", "VirtualAppliance", NVA[4])])
    answer = scene.box.ask("effective-routes", subnet="v/client")
    rows = answer["value"] if isinstance(answer, dict) else answer
    of_space = {(r["source"], r["state"], r["nextHopType"]) for r in rows if "10.1.0.0/16" in r["addressPrefix"]}
    assert of_space == {("User", "Active", "VirtualAppliance"), ("Default", "Invalid", "VnetLocal")}, rows


def next_hop_agrees_with_the_packets(scene):
    load(scene, TO_SERVER, TO_CLIENT)
    verdict = scene.box.ask("next-hop", subnet="v/client", source=scene.ip("client"), destination=scene.ip("server"))
    assert (verdict["nextHopType"], verdict["nextHopIpAddress"]) == ("VirtualAppliance", NVA[4]), verdict


def main():
    net.signals_raise()
    scene = Scene(config(), HOSTS, "routes")
    try:
        scene.listen("server", 8080)
        scene.host["nva"].run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                              "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
        # Forwarding makes the kernel forget what it learned as a host: say it again.
        scene.host["nva"].route("default", "fd01:0:0:9::1")
        for story in (inside_a_vnet_packets_go_straight, route_leads_through_the_nva, one_way_through_the_nva,
                      tcp_through_the_nva, changed_route_moves_a_flow_at_once, none_drops_by_name,
                      longer_prefix_wins, nva_without_forwarding_may_not_send_for_others,
                      unreachable_next_hop_is_invalid, effective_routes_list_winners_and_losers,
                      next_hop_agrees_with_the_packets):
            tap.add(story.__name__, story, scene)
        tap.main()
    finally:
        scene.close()


main()
