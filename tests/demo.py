#!/usr/bin/python3
"""make demo: two appliances, hosts in three virtual networks, one tunnel; what happens is shown by the CLI.

        web ── shop/web ──────┐                                ┌── plant/floor ── floor
      batch ── shop/batch ──┐ │                                │
                          demo-east ══ tunnel (IKE, ESP) ══ demo-west
         db ── data/db ─────┘ │
        nva ── data/inspection┘      shop and data are peered; batch reaches db through the nva

Everything lives in network namespaces that vanish with this process. --hold stops before the end, to look around.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from lib import net
from lib.capture import Capture
from lib.pki import write

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOSTS = {  # name: (appliance, port there, address, its gateway)
    "web": ("east", "web", "10.1.1.4/24", "10.1.1.1"),
    "batch": ("east", "batch", "10.1.2.4/24", "10.1.2.1"),
    "db": ("east", "db", "10.2.1.4/24", "10.2.1.1"),
    "nva": ("east", "inspection", "10.2.2.4/24", "10.2.2.1"),
    "floor": ("west", "floor", "10.9.1.4/24", "10.9.1.1"),
}
TCP_SECONDS = 3


class Demo:
    def __init__(self, build):
        self.build = build
        self.folder = tempfile.mkdtemp(prefix=f"isthmus-demo-{os.getpid()}-")
        self.space = {}
        self.daemons = {}
        self.key = os.urandom(24).hex()
        self.wire = None
        self.failed = []

    # The stage

    def raise_stage(self):
        """Namespaces, cables, addresses."""
        for name in ("east", "west", *HOSTS):
            self.space[name] = net.Namespace(name)
        for name, (appliance, port, address, gateway) in HOSTS.items():
            net.veth(self.space[appliance], port, self.space[name], "eth0", plain=False)
            net.quiet(self.space[appliance], port)
            self.space[name].address("eth0", address)
            self.space[name].route("default", gateway)
        net.veth(self.space["east"], "wan", self.space["west"], "wan", plain=False)
        for name in ("east", "west"):
            net.quiet(self.space[name], "wan")
        self.space["nva"].run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0",
                              "net.ipv4.conf.eth0.send_redirects=0")

    def configure(self, name, key):
        """An appliance's folder: the example, and beside it the shared key that it names."""
        folder = os.path.join(self.folder, name)
        os.makedirs(folder, exist_ok=True)
        shutil.copy(os.path.join(ROOT, "config", "examples", f"demo-{name}.yaml"), folder)
        write(folder, "psk", key.encode() + b"\n")
        return os.path.join(folder, f"demo-{name}.yaml")

    def start_daemons(self):
        if not glob.glob(os.path.join(self.build, "control", "strongswan", "*.so")):
            raise net.Failed("charon's plugin was not built, so IKE has nobody to give keys to; why: "
                             "control/strongswan/fetch.sh")
        self.wire = Capture(self.folder, (self.space["east"], "wan"), (self.space["west"], "wan"))
        for name in ("east", "west"):
            self.daemons[name] = self.space[name].start(os.path.join(self.build, "isthmusd"), "-c",
                                                        self.configure(name, self.key),
                                                        log=os.path.join(self.folder, f"{name}.log"))
        for name, daemon in self.daemons.items():
            net.eventually(lambda name=name, daemon=daemon: self.answers(name, daemon), 30,
                           what=f"demo-{name} answers")

    def answers(self, name, daemon):
        if not daemon.alive():
            raise net.Failed(f"demo-{name} ended at start:\n{daemon.output()}")
        return self.cli(name, "status", check=False).returncode == 0

    def cli(self, name, *words, check=True):
        return self.space[name].run(os.path.join(self.build, "isthmus"),
                                    "--socket", f"/run/isthmus/demo-{name}.sock", *words, check=check)

    def ask(self, name, *words):
        return json.loads(self.cli(name, "-o", "json", *words, check=False).stdout)

    def status(self, name):
        return self.ask(name, "connection", "list")[0]["connectionStatus"]

    def show(self, name, *words):
        print(f"\n$ isthmus {' '.join(words)}")
        print(self.cli(name, *words, check=False).stdout.rstrip())

    def expect(self, what, holds, more=""):
        print(f"  {'ok  ' if holds else 'FAIL'} {what}{'  ' + more if more else ''}", flush=True)
        if not holds:
            self.failed.append(what)

    # The acts

    def connects(self, source, address, port, timeout=2):
        return self.space[source].run("socat", "-u", "OPEN:/dev/null",
                                      f"TCP:{address}:{port},connect-timeout={timeout}", check=False).returncode == 0

    def listen(self, name, *ports):
        for port in ports:
            self.space[name].start("socat", "-u", f"TCP-LISTEN:{port},fork,reuseaddr", "OPEN:/dev/null")
        for port in ports:
            net.eventually(lambda port=port: f":{port} " in self.space[name].run("ss", "-ltn").stdout,
                           what=f"{name} listens on {port}")

    def throughput(self, source, address, reverse):
        """Mbit/s; the server may still be busy with the end of the run before."""
        for _ in range(3):
            done = self.space[source].run("iperf3", "-J", "-c", address, "-t", str(TCP_SECONDS),
                                          *(["-R"] if reverse else []), check=False)
            received = json.loads(done.stdout or "{}").get("end", {}).get("sum_received")
            if received:
                return received["bits_per_second"] / 1e6
            time.sleep(1)
        return 0

    def hops(self, source, address, most=5):
        """Who answers a packet whose TTL ends on the way."""
        seen = []
        for ttl in range(1, most + 1):
            out = self.space[source].run("ping", "-n", "-c", "1", "-W", "1", "-t", str(ttl), address,
                                         check=False).stdout
            for line in out.splitlines():
                if line.startswith("From "):
                    seen.append(line.split()[1])
                if "bytes from" in line:
                    return seen + [address]
        return seen

    def act_tunnel(self):
        print("\nThrough the tunnel: web (shop, east) and floor (plant, west)")
        began = time.monotonic()
        net.eventually(lambda: self.status("east") == self.status("west") == "Connected", 30, what="Connected")
        self.expect("IKE set the tunnel up", True, f"{time.monotonic() - began:.1f} s after the daemons answered")
        self.show("east", "connection", "list")
        print()
        self.space["floor"].start("iperf3", "-s")
        net.eventually(lambda: ":5201 " in self.space["floor"].run("ss", "-ltn").stdout, what="iperf3 listens")
        replies = self.space["web"].ping("10.9.1.4", 5)
        self.expect("ping from web to floor", replies == 5, f"{replies} of 5 replies")
        for reverse, text in ((False, "web to floor"), (True, "floor to web")):
            rate = self.throughput("web", "10.9.1.4", reverse)
            self.expect(f"TCP {text}", rate > 1, f"{rate:.0f} Mbit/s")
        replies = self.space["db"].ping("10.9.1.4", 3)
        self.expect("db (data) uses the gateway of its peer (shop)", replies == 3, f"{replies} of 3 replies")

    def act_wrong_key(self):
        print("\nA wrong key: west gets another one than east")
        self.cli("west", "apply", self.configure("west", "not the key of east"))
        self.cli("east", "connection", "reset", "east-to-west")
        def named():
            results = self.ask("east", "vpn", "troubleshoot", "east-to-west")["results"]
            return results[0] if results[0]["id"] == "Authentication" else None
        fault = net.eventually(named, 30, what="the fault is named")
        self.expect("vpn troubleshoot names the fault", True, f"{fault['id']}: {fault['summary']}")
        self.expect("nothing passes", self.space["web"].ping("10.9.1.4", 2, wait=1) == 0)
        self.cli("west", "apply", self.configure("west", self.key))
        net.eventually(lambda: self.space["web"].ping("10.9.1.4", 1, wait=1), 30, what="web reaches floor again")
        self.expect("with the right key the tunnel comes back by itself", True)

    def act_wire(self):
        print("\nThe wire between east and west, from the first packet on")
        missed = self.wire.stop()
        esp, ike, arp = (self.wire.count(what) for what in ("proto 50", "udp port 500 or udp port 4500", "arp"))
        total = self.wire.count()
        self.expect("it carried nothing but ESP, IKE and ARP",
                    esp > 0 and ike > 0 and total == esp + ike + arp and missed == 0,
                    f"{total} frames: {esp} ESP, {ike} IKE, {arp} ARP, {total - esp - ike - arp} others, {missed} missed")

    def act_peering(self):
        print("\nPeering and security group: web (shop) and db (data)")
        self.listen("db", 5432, 22)
        self.expect("web reaches db on 5432 over the peering", self.connects("web", "10.2.1.4", 5432))
        self.expect("web does not reach db on 22: guard-db refuses", not self.connects("web", "10.2.1.4", 22))
        drops = {row["reason"]: row for row in self.ask("east", "drops")}
        names = [by["name"] for by in drops.get("nsg-deny", {"decidedBy": []})["decidedBy"]]
        self.expect("the CLI names the rule that dropped it", any("refuse-ssh" in str(n) for n in names),
                    ", ".join(map(str, names)))

    def act_route(self):
        print("\nRoute table: batch (shop) reaches db (data) through the nva")
        hops = self.hops("batch", "10.2.1.4")
        self.expect("the nva is on the way", "10.2.2.4" in hops, " > ".join(hops))
        self.expect("batch reaches db on 5432", self.connects("batch", "10.2.1.4", 5432))
        direct = self.hops("web", "10.2.1.4")
        self.expect("web goes straight", "10.2.2.4" not in direct and direct[-1:] == ["10.2.1.4"], " > ".join(direct))

    def summary(self):
        print("\nWhat the CLI says", end="")
        self.show("east", "status")
        self.show("east", "effective-routes", "--subnet", "shop/batch")
        self.show("east", "ip-flow", "--subnet", "data/db", "--direction", "in", "--protocol", "TCP",
                  "--local", "10.2.1.4:22", "--remote", "10.1.1.4:40000")
        self.show("east", "next-hop", "--subnet", "shop/web", "--source", "10.1.1.4", "--destination", "10.9.1.4")
        self.show("east", "vpn", "troubleshoot")
        self.show("east", "sa", "list")
        self.show("east", "drops")

    def hold(self):
        print("\nHeld. Look around, for example:")
        for name, space in self.space.items():
            print(f"  nsenter --net=/proc/{space.pid}/ns/net --mount=/proc/{space.pid}/ns/mnt sh    # {name}")
        print(f"  (in east) {self.build}/isthmus --socket /run/isthmus/demo-east.sock drops")
        input("Enter ends it. ")

    # The end

    def strike(self):
        for daemon in self.daemons.values():
            daemon.stop(timeout=20)
        statuses = {name: daemon.popen.returncode for name, daemon in self.daemons.items()}
        if statuses and not self.failed:
            self.expect("both appliances ended in order", set(statuses.values()) == {0}, str(statuses))
            left = [left for name in self.daemons for left in self.leavings(name)]
            self.expect("they left nothing behind", not left, ", ".join(left))
        for space in reversed(list(self.space.values())):
            space.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def leavings(self, name):
        """What an ended appliance should have removed from its namespace."""
        out = self.space[name].sh("find /run/isthmus /run/dpdk ! -type d 2>/dev/null; "
                                  "ip -o link show type tun | cut -d: -f2", check=False).stdout
        return out.split()


def machine():
    """What the demonstration must leave as it was."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return {"links": sorted(line.split(":")[1].strip() for line in links.splitlines()),
            "namespaces": sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else [],
            "files": sorted(glob.glob("/run/isthmus/*") + glob.glob("/var/lib/isthmus/demo-*")
                            + glob.glob("/dev/hugepages/*"))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--hold", action="store_true", help="wait for Enter before the end")
    args = parser.parse_args()
    if os.getuid() != 0:
        sys.exit("make demo: network namespaces need root")
    net.signals_raise()

    began, before = time.monotonic(), machine()
    demo = Demo(os.path.abspath(args.build))
    try:
        print("Two appliances in network namespaces, AF_PACKET on veth")
        demo.raise_stage()
        demo.start_daemons()
        demo.act_tunnel()
        demo.act_peering()
        demo.act_route()
        demo.act_wrong_key()
        demo.act_wire()
        demo.summary()
        if args.hold:
            demo.hold()
    finally:
        if demo.failed:
            for name, daemon in demo.daemons.items():
                print(f"\n-- log of demo-{name}\n{daemon.output()[-3000:]}")
        print("\nThe end")
        demo.strike()
    demo.expect("the machine is as it was", machine() == before)
    print(f"\n{len(demo.failed)} failed, {time.monotonic() - began:.0f} s")
    sys.exit(1 if demo.failed else 0)


if __name__ == "__main__":
    main()
