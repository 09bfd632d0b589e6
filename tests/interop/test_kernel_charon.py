#!/usr/bin/python3
"""IKE with a Linux kernel's XFRM and the charon that drives it: raw ESP, ESN, all ciphers, over IPv4 and IPv6."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import uml
from ike_cases import CIPHERS, RAW, SECRET, Pair, run
from lib import net, tap
from lib.ike_site import Site, inner, outer
from lib.wire import Wire
from uml_charon import GuestCharon


class Lab:
    """Site 1 is the appliance's, site 2 a guest kernel with the protected addresses on its loopback."""

    def __init__(self):
        self.wire = Wire()
        self.guest = self.site = None
        try:
            self.site = Site(self.wire, 1)
            self.guest = uml.Guest(self.wire.namespace, self.wire.end())
            self.wire.start()
            self.guest.batch(["link set vec0 up", f"addr add {outer(2)}/24 dev vec0", f"addr add {outer(2, 6)}/64 dev vec0 nodad",
                              f"addr add {inner(2)}/32 dev lo", f"addr add {inner(2, 6)}/128 dev lo nodad"])
            self.charon = GuestCharon(self.guest, {"delete_rekeyed_delay": 1}).start()
            self.charon.psk(SECRET)
            self.site.start([])
        except BaseException:
            self.close()
            raise

    def ping(self, address, source, count):
        _, output = self.guest.run(f"ping -n -q -c {count} -i 0.05 -W 2 -I {source} {address}", check=False)
        return next((int(line.split()[3]) for line in output.splitlines() if "transmitted" in line), 0)

    def close(self):
        for part in (self.guest, self.site, self.wire):
            if part:
                part.close()


def main():
    net.signals_raise()
    lab = Lab()
    try:
        pair = Pair(lab.site, lab.charon, lab.ping, encapsulates=False)
        for case in RAW + [case for case in CIPHERS if not case.userland_only]:
            tap.add(case.name, run, pair, case)
        tap.main()
    finally:
        lab.close()


main()
