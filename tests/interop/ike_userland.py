"""The appliance at site 1 and a stock charon with ESP in userland, on one wire."""

from ike_cases import SECRET
from lib import net
from lib.charon import LIBIPSEC, Charon
from lib.ike_site import Site, inner, outer
from lib.wire import Wire

# Algorithms that few ask for are in plugins that few load: DES.
PLUGINS = ["gcrypt", *LIBIPSEC]


class Lab:
    """Site 1 is the appliance's, site 2 one host, which has its own protected addresses."""

    def __init__(self):
        self.wire, self.host = Wire(), net.Namespace("peer")
        self.site = self.charon = None
        try:
            self.site = Site(self.wire, 1)
            self.wire.plug(self.host, "eth0")
            self.wire.start()
            self.host.address("eth0", outer(2) + "/24", outer(2, 6) + "/64")
            self.host.address("lo", inner(2) + "/32", inner(2, 6) + "/128")
            self.charon = Charon(self.host, plugins=PLUGINS, more={"fragment_size": 600, "delete_rekeyed_delay": 1}).start()
            self.charon.psk(SECRET)
            self.site.start([])
        except BaseException:
            self.close()
            raise

    def ping(self, address, source, count):
        return self.host.ping(address, count, options=["-I", source])

    def close(self):
        for part in (self.charon, self.site, self.host, self.wire):
            if part:
                part.close()
